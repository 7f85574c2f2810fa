from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Reset(_message.Message):
    __slots__ = ("scope", "reason")
    class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REASON_UNSPECIFIED: _ClassVar[Reset.Reason]
        UIDVALIDITY_CHANGED: _ClassVar[Reset.Reason]
        HISTORY_EXPIRED: _ClassVar[Reset.Reason]
        DELTA_EXPIRED: _ClassVar[Reset.Reason]
        SNAPSHOT_LOST: _ClassVar[Reset.Reason]
        BACKEND_CHANGED: _ClassVar[Reset.Reason]
        RETENTION: _ClassVar[Reset.Reason]
        STORE_ROLLED_BACK: _ClassVar[Reset.Reason]
    REASON_UNSPECIFIED: Reset.Reason
    UIDVALIDITY_CHANGED: Reset.Reason
    HISTORY_EXPIRED: Reset.Reason
    DELTA_EXPIRED: Reset.Reason
    SNAPSHOT_LOST: Reset.Reason
    BACKEND_CHANGED: Reset.Reason
    RETENTION: Reset.Reason
    STORE_ROLLED_BACK: Reset.Reason
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    scope: str
    reason: Reset.Reason
    def __init__(self, scope: _Optional[str] = ..., reason: _Optional[_Union[Reset.Reason, str]] = ...) -> None: ...
