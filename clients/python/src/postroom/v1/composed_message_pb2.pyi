from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from postroom.v1 import message_pb2 as _message_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ComposedMessage(_message.Message):
    __slots__ = ("from_address", "to", "cc", "bcc", "reply_to", "subject", "text", "html", "attachments", "headers", "internet_message_id", "reference")
    class Reference(_message.Message):
        __slots__ = ("message", "action", "inline_original", "forward_attachments")
        class Action(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
            __slots__ = ()
            ACTION_UNSPECIFIED: _ClassVar[ComposedMessage.Reference.Action]
            REPLY: _ClassVar[ComposedMessage.Reference.Action]
            REPLY_ALL: _ClassVar[ComposedMessage.Reference.Action]
            FORWARD: _ClassVar[ComposedMessage.Reference.Action]
        ACTION_UNSPECIFIED: ComposedMessage.Reference.Action
        REPLY: ComposedMessage.Reference.Action
        REPLY_ALL: ComposedMessage.Reference.Action
        FORWARD: ComposedMessage.Reference.Action
        MESSAGE_FIELD_NUMBER: _ClassVar[int]
        ACTION_FIELD_NUMBER: _ClassVar[int]
        INLINE_ORIGINAL_FIELD_NUMBER: _ClassVar[int]
        FORWARD_ATTACHMENTS_FIELD_NUMBER: _ClassVar[int]
        message: str
        action: ComposedMessage.Reference.Action
        inline_original: bool
        forward_attachments: bool
        def __init__(self, message: _Optional[str] = ..., action: _Optional[_Union[ComposedMessage.Reference.Action, str]] = ..., inline_original: _Optional[bool] = ..., forward_attachments: _Optional[bool] = ...) -> None: ...
    class OutgoingAttachment(_message.Message):
        __slots__ = ("filename", "content_type", "content", "source", "content_id", "inline")
        FILENAME_FIELD_NUMBER: _ClassVar[int]
        CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
        CONTENT_FIELD_NUMBER: _ClassVar[int]
        SOURCE_FIELD_NUMBER: _ClassVar[int]
        CONTENT_ID_FIELD_NUMBER: _ClassVar[int]
        INLINE_FIELD_NUMBER: _ClassVar[int]
        filename: str
        content_type: str
        content: bytes
        source: str
        content_id: str
        inline: bool
        def __init__(self, filename: _Optional[str] = ..., content_type: _Optional[str] = ..., content: _Optional[bytes] = ..., source: _Optional[str] = ..., content_id: _Optional[str] = ..., inline: _Optional[bool] = ...) -> None: ...
    FROM_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    CC_FIELD_NUMBER: _ClassVar[int]
    BCC_FIELD_NUMBER: _ClassVar[int]
    REPLY_TO_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    HTML_FIELD_NUMBER: _ClassVar[int]
    ATTACHMENTS_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    INTERNET_MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    from_address: _message_pb2.Address
    to: _containers.RepeatedCompositeFieldContainer[_message_pb2.Address]
    cc: _containers.RepeatedCompositeFieldContainer[_message_pb2.Address]
    bcc: _containers.RepeatedCompositeFieldContainer[_message_pb2.Address]
    reply_to: _containers.RepeatedCompositeFieldContainer[_message_pb2.Address]
    subject: str
    text: str
    html: str
    attachments: _containers.RepeatedCompositeFieldContainer[ComposedMessage.OutgoingAttachment]
    headers: _containers.RepeatedCompositeFieldContainer[_message_pb2.Header]
    internet_message_id: str
    reference: ComposedMessage.Reference
    def __init__(self, from_address: _Optional[_Union[_message_pb2.Address, _Mapping]] = ..., to: _Optional[_Iterable[_Union[_message_pb2.Address, _Mapping]]] = ..., cc: _Optional[_Iterable[_Union[_message_pb2.Address, _Mapping]]] = ..., bcc: _Optional[_Iterable[_Union[_message_pb2.Address, _Mapping]]] = ..., reply_to: _Optional[_Iterable[_Union[_message_pb2.Address, _Mapping]]] = ..., subject: _Optional[str] = ..., text: _Optional[str] = ..., html: _Optional[str] = ..., attachments: _Optional[_Iterable[_Union[ComposedMessage.OutgoingAttachment, _Mapping]]] = ..., headers: _Optional[_Iterable[_Union[_message_pb2.Header, _Mapping]]] = ..., internet_message_id: _Optional[str] = ..., reference: _Optional[_Union[ComposedMessage.Reference, _Mapping]] = ...) -> None: ...
