import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from postroom.v1 import message_pb2 as _message_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeliverMessageRequest(_message.Message):
    __slots__ = ("name", "raw", "mailbox", "flags", "receive_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    RAW_FIELD_NUMBER: _ClassVar[int]
    MAILBOX_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    RECEIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    raw: bytes
    mailbox: str
    flags: _containers.RepeatedScalarFieldContainer[str]
    receive_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., raw: _Optional[bytes] = ..., mailbox: _Optional[str] = ..., flags: _Optional[_Iterable[str]] = ..., receive_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class DeliverMessageResponse(_message.Message):
    __slots__ = ("message",)
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    message: _message_pb2.Message
    def __init__(self, message: _Optional[_Union[_message_pb2.Message, _Mapping]] = ...) -> None: ...

class InjectFaultRequest(_message.Message):
    __slots__ = ("name", "refuse_next_sends", "offline", "expire_cursors")
    class RefuseNextSends(_message.Message):
        __slots__ = ("reply_code", "enhanced_status", "text", "count")
        REPLY_CODE_FIELD_NUMBER: _ClassVar[int]
        ENHANCED_STATUS_FIELD_NUMBER: _ClassVar[int]
        TEXT_FIELD_NUMBER: _ClassVar[int]
        COUNT_FIELD_NUMBER: _ClassVar[int]
        reply_code: int
        enhanced_status: str
        text: str
        count: int
        def __init__(self, reply_code: _Optional[int] = ..., enhanced_status: _Optional[str] = ..., text: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...
    class Offline(_message.Message):
        __slots__ = ("duration",)
        DURATION_FIELD_NUMBER: _ClassVar[int]
        duration: _duration_pb2.Duration
        def __init__(self, duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
    class ExpireCursors(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    REFUSE_NEXT_SENDS_FIELD_NUMBER: _ClassVar[int]
    OFFLINE_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_CURSORS_FIELD_NUMBER: _ClassVar[int]
    name: str
    refuse_next_sends: InjectFaultRequest.RefuseNextSends
    offline: InjectFaultRequest.Offline
    expire_cursors: InjectFaultRequest.ExpireCursors
    def __init__(self, name: _Optional[str] = ..., refuse_next_sends: _Optional[_Union[InjectFaultRequest.RefuseNextSends, _Mapping]] = ..., offline: _Optional[_Union[InjectFaultRequest.Offline, _Mapping]] = ..., expire_cursors: _Optional[_Union[InjectFaultRequest.ExpireCursors, _Mapping]] = ...) -> None: ...

class InjectFaultResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ClearFaultsRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ClearFaultsResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
