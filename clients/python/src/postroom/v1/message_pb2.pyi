import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Message(_message.Message):
    __slots__ = ("name", "mailboxes", "thread_id", "internet_message_id", "in_reply_to", "references", "subject", "from_addresses", "sender", "reply_to", "to", "cc", "bcc", "send_time", "receive_time", "size_bytes", "size_exact", "flags", "preview", "attachments", "headers", "text", "html", "text_truncated", "copy_of", "provider")
    class View(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        VIEW_UNSPECIFIED: _ClassVar[Message.View]
        BASIC: _ClassVar[Message.View]
        FULL: _ClassVar[Message.View]
    VIEW_UNSPECIFIED: Message.View
    BASIC: Message.View
    FULL: Message.View
    class Provider(_message.Message):
        __slots__ = ("uid", "uid_validity", "modseq", "provider_id")
        UID_FIELD_NUMBER: _ClassVar[int]
        UID_VALIDITY_FIELD_NUMBER: _ClassVar[int]
        MODSEQ_FIELD_NUMBER: _ClassVar[int]
        PROVIDER_ID_FIELD_NUMBER: _ClassVar[int]
        uid: int
        uid_validity: int
        modseq: int
        provider_id: str
        def __init__(self, uid: _Optional[int] = ..., uid_validity: _Optional[int] = ..., modseq: _Optional[int] = ..., provider_id: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    MAILBOXES_FIELD_NUMBER: _ClassVar[int]
    THREAD_ID_FIELD_NUMBER: _ClassVar[int]
    INTERNET_MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    IN_REPLY_TO_FIELD_NUMBER: _ClassVar[int]
    REFERENCES_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    FROM_ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    REPLY_TO_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    CC_FIELD_NUMBER: _ClassVar[int]
    BCC_FIELD_NUMBER: _ClassVar[int]
    SEND_TIME_FIELD_NUMBER: _ClassVar[int]
    RECEIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SIZE_EXACT_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_FIELD_NUMBER: _ClassVar[int]
    ATTACHMENTS_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    HTML_FIELD_NUMBER: _ClassVar[int]
    TEXT_TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    COPY_OF_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    name: str
    mailboxes: _containers.RepeatedScalarFieldContainer[str]
    thread_id: str
    internet_message_id: str
    in_reply_to: _containers.RepeatedScalarFieldContainer[str]
    references: _containers.RepeatedScalarFieldContainer[str]
    subject: str
    from_addresses: _containers.RepeatedCompositeFieldContainer[Address]
    sender: _containers.RepeatedCompositeFieldContainer[Address]
    reply_to: _containers.RepeatedCompositeFieldContainer[Address]
    to: _containers.RepeatedCompositeFieldContainer[Address]
    cc: _containers.RepeatedCompositeFieldContainer[Address]
    bcc: _containers.RepeatedCompositeFieldContainer[Address]
    send_time: _timestamp_pb2.Timestamp
    receive_time: _timestamp_pb2.Timestamp
    size_bytes: int
    size_exact: bool
    flags: _containers.RepeatedScalarFieldContainer[str]
    preview: str
    attachments: _containers.RepeatedCompositeFieldContainer[Attachment]
    headers: _containers.RepeatedCompositeFieldContainer[Header]
    text: str
    html: str
    text_truncated: bool
    copy_of: str
    provider: Message.Provider
    def __init__(self, name: _Optional[str] = ..., mailboxes: _Optional[_Iterable[str]] = ..., thread_id: _Optional[str] = ..., internet_message_id: _Optional[str] = ..., in_reply_to: _Optional[_Iterable[str]] = ..., references: _Optional[_Iterable[str]] = ..., subject: _Optional[str] = ..., from_addresses: _Optional[_Iterable[_Union[Address, _Mapping]]] = ..., sender: _Optional[_Iterable[_Union[Address, _Mapping]]] = ..., reply_to: _Optional[_Iterable[_Union[Address, _Mapping]]] = ..., to: _Optional[_Iterable[_Union[Address, _Mapping]]] = ..., cc: _Optional[_Iterable[_Union[Address, _Mapping]]] = ..., bcc: _Optional[_Iterable[_Union[Address, _Mapping]]] = ..., send_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., receive_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., size_bytes: _Optional[int] = ..., size_exact: _Optional[bool] = ..., flags: _Optional[_Iterable[str]] = ..., preview: _Optional[str] = ..., attachments: _Optional[_Iterable[_Union[Attachment, _Mapping]]] = ..., headers: _Optional[_Iterable[_Union[Header, _Mapping]]] = ..., text: _Optional[str] = ..., html: _Optional[str] = ..., text_truncated: _Optional[bool] = ..., copy_of: _Optional[str] = ..., provider: _Optional[_Union[Message.Provider, _Mapping]] = ...) -> None: ...

class Address(_message.Message):
    __slots__ = ("display_name", "address")
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    display_name: str
    address: str
    def __init__(self, display_name: _Optional[str] = ..., address: _Optional[str] = ...) -> None: ...

class Header(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class Attachment(_message.Message):
    __slots__ = ("name", "filename", "content_type", "encoded_size_bytes", "size_bytes", "content_id", "inline")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FILENAME_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    ENCODED_SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    CONTENT_ID_FIELD_NUMBER: _ClassVar[int]
    INLINE_FIELD_NUMBER: _ClassVar[int]
    name: str
    filename: str
    content_type: str
    encoded_size_bytes: int
    size_bytes: int
    content_id: str
    inline: bool
    def __init__(self, name: _Optional[str] = ..., filename: _Optional[str] = ..., content_type: _Optional[str] = ..., encoded_size_bytes: _Optional[int] = ..., size_bytes: _Optional[int] = ..., content_id: _Optional[str] = ..., inline: _Optional[bool] = ...) -> None: ...
