import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from postroom.v1 import composed_message_pb2 as _composed_message_pb2
from postroom.v1 import message_pb2 as _message_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Submission(_message.Message):
    __slots__ = ("name", "state", "message", "composed", "raw", "envelope", "send_time", "relay", "dsn", "tracking", "template", "recipients", "attempts", "next_attempt_time", "request_id", "internet_message_id", "relayed_message_id", "sent_message", "create_time")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[Submission.State]
        SCHEDULED: _ClassVar[Submission.State]
        QUEUED: _ClassVar[Submission.State]
        SENDING: _ClassVar[Submission.State]
        RETRYING: _ClassVar[Submission.State]
        IN_DOUBT: _ClassVar[Submission.State]
        RELAYED: _ClassVar[Submission.State]
        FAILED: _ClassVar[Submission.State]
        CANCELLED: _ClassVar[Submission.State]
    STATE_UNSPECIFIED: Submission.State
    SCHEDULED: Submission.State
    QUEUED: Submission.State
    SENDING: Submission.State
    RETRYING: Submission.State
    IN_DOUBT: Submission.State
    RELAYED: Submission.State
    FAILED: Submission.State
    CANCELLED: Submission.State
    class Attempt(_message.Message):
        __slots__ = ("time", "reply", "enhanced_status")
        TIME_FIELD_NUMBER: _ClassVar[int]
        REPLY_FIELD_NUMBER: _ClassVar[int]
        ENHANCED_STATUS_FIELD_NUMBER: _ClassVar[int]
        time: _timestamp_pb2.Timestamp
        reply: str
        enhanced_status: str
        def __init__(self, time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reply: _Optional[str] = ..., enhanced_status: _Optional[str] = ...) -> None: ...
    class Recipient(_message.Message):
        __slots__ = ("address", "state", "reply", "params")
        class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
            __slots__ = ()
            STATE_UNSPECIFIED: _ClassVar[Submission.Recipient.State]
            PENDING: _ClassVar[Submission.Recipient.State]
            ACCEPTED: _ClassVar[Submission.Recipient.State]
            REFUSED: _ClassVar[Submission.Recipient.State]
            SUPPRESSED: _ClassVar[Submission.Recipient.State]
        STATE_UNSPECIFIED: Submission.Recipient.State
        PENDING: Submission.Recipient.State
        ACCEPTED: Submission.Recipient.State
        REFUSED: Submission.Recipient.State
        SUPPRESSED: Submission.Recipient.State
        ADDRESS_FIELD_NUMBER: _ClassVar[int]
        STATE_FIELD_NUMBER: _ClassVar[int]
        REPLY_FIELD_NUMBER: _ClassVar[int]
        PARAMS_FIELD_NUMBER: _ClassVar[int]
        address: str
        state: Submission.Recipient.State
        reply: str
        params: _struct_pb2.Struct
        def __init__(self, address: _Optional[str] = ..., state: _Optional[_Union[Submission.Recipient.State, str]] = ..., reply: _Optional[str] = ..., params: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...
    class Envelope(_message.Message):
        __slots__ = ("from_address", "to")
        FROM_ADDRESS_FIELD_NUMBER: _ClassVar[int]
        TO_FIELD_NUMBER: _ClassVar[int]
        from_address: str
        to: _containers.RepeatedScalarFieldContainer[str]
        def __init__(self, from_address: _Optional[str] = ..., to: _Optional[_Iterable[str]] = ...) -> None: ...
    class Dsn(_message.Message):
        __slots__ = ("notify", "return_content", "envelope_id")
        class Notify(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
            __slots__ = ()
            NOTIFY_UNSPECIFIED: _ClassVar[Submission.Dsn.Notify]
            NEVER: _ClassVar[Submission.Dsn.Notify]
            SUCCESS: _ClassVar[Submission.Dsn.Notify]
            FAILURE: _ClassVar[Submission.Dsn.Notify]
            DELAY: _ClassVar[Submission.Dsn.Notify]
        NOTIFY_UNSPECIFIED: Submission.Dsn.Notify
        NEVER: Submission.Dsn.Notify
        SUCCESS: Submission.Dsn.Notify
        FAILURE: Submission.Dsn.Notify
        DELAY: Submission.Dsn.Notify
        class Return(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
            __slots__ = ()
            RETURN_UNSPECIFIED: _ClassVar[Submission.Dsn.Return]
            HEADERS: _ClassVar[Submission.Dsn.Return]
            FULL: _ClassVar[Submission.Dsn.Return]
        RETURN_UNSPECIFIED: Submission.Dsn.Return
        HEADERS: Submission.Dsn.Return
        FULL: Submission.Dsn.Return
        NOTIFY_FIELD_NUMBER: _ClassVar[int]
        RETURN_CONTENT_FIELD_NUMBER: _ClassVar[int]
        ENVELOPE_ID_FIELD_NUMBER: _ClassVar[int]
        notify: _containers.RepeatedScalarFieldContainer[Submission.Dsn.Notify]
        return_content: Submission.Dsn.Return
        envelope_id: str
        def __init__(self, notify: _Optional[_Iterable[_Union[Submission.Dsn.Notify, str]]] = ..., return_content: _Optional[_Union[Submission.Dsn.Return, str]] = ..., envelope_id: _Optional[str] = ...) -> None: ...
    class Tracking(_message.Message):
        __slots__ = ("opens", "clicks")
        OPENS_FIELD_NUMBER: _ClassVar[int]
        CLICKS_FIELD_NUMBER: _ClassVar[int]
        opens: bool
        clicks: bool
        def __init__(self, opens: _Optional[bool] = ..., clicks: _Optional[bool] = ...) -> None: ...
    class TemplateUse(_message.Message):
        __slots__ = ("name", "params")
        NAME_FIELD_NUMBER: _ClassVar[int]
        PARAMS_FIELD_NUMBER: _ClassVar[int]
        name: str
        params: _struct_pb2.Struct
        def __init__(self, name: _Optional[str] = ..., params: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    COMPOSED_FIELD_NUMBER: _ClassVar[int]
    RAW_FIELD_NUMBER: _ClassVar[int]
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    SEND_TIME_FIELD_NUMBER: _ClassVar[int]
    RELAY_FIELD_NUMBER: _ClassVar[int]
    DSN_FIELD_NUMBER: _ClassVar[int]
    TRACKING_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    RECIPIENTS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_ATTEMPT_TIME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    INTERNET_MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    RELAYED_MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    SENT_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: Submission.State
    message: _message_pb2.Message
    composed: _composed_message_pb2.ComposedMessage
    raw: bytes
    envelope: Submission.Envelope
    send_time: _timestamp_pb2.Timestamp
    relay: str
    dsn: Submission.Dsn
    tracking: Submission.Tracking
    template: Submission.TemplateUse
    recipients: _containers.RepeatedCompositeFieldContainer[Submission.Recipient]
    attempts: _containers.RepeatedCompositeFieldContainer[Submission.Attempt]
    next_attempt_time: _timestamp_pb2.Timestamp
    request_id: str
    internet_message_id: str
    relayed_message_id: str
    sent_message: str
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., state: _Optional[_Union[Submission.State, str]] = ..., message: _Optional[_Union[_message_pb2.Message, _Mapping]] = ..., composed: _Optional[_Union[_composed_message_pb2.ComposedMessage, _Mapping]] = ..., raw: _Optional[bytes] = ..., envelope: _Optional[_Union[Submission.Envelope, _Mapping]] = ..., send_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., relay: _Optional[str] = ..., dsn: _Optional[_Union[Submission.Dsn, _Mapping]] = ..., tracking: _Optional[_Union[Submission.Tracking, _Mapping]] = ..., template: _Optional[_Union[Submission.TemplateUse, _Mapping]] = ..., recipients: _Optional[_Iterable[_Union[Submission.Recipient, _Mapping]]] = ..., attempts: _Optional[_Iterable[_Union[Submission.Attempt, _Mapping]]] = ..., next_attempt_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., request_id: _Optional[str] = ..., internet_message_id: _Optional[str] = ..., relayed_message_id: _Optional[str] = ..., sent_message: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
