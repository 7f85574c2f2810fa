import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SuppressionEntry(_message.Message):
    __slots__ = ("name", "address", "reason", "comment", "submission", "create_time")
    class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REASON_UNSPECIFIED: _ClassVar[SuppressionEntry.Reason]
        MANUAL: _ClassVar[SuppressionEntry.Reason]
        UNSUBSCRIBED: _ClassVar[SuppressionEntry.Reason]
        BOUNCED: _ClassVar[SuppressionEntry.Reason]
        COMPLAINED: _ClassVar[SuppressionEntry.Reason]
    REASON_UNSPECIFIED: SuppressionEntry.Reason
    MANUAL: SuppressionEntry.Reason
    UNSUBSCRIBED: SuppressionEntry.Reason
    BOUNCED: SuppressionEntry.Reason
    COMPLAINED: SuppressionEntry.Reason
    NAME_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    SUBMISSION_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    address: str
    reason: SuppressionEntry.Reason
    comment: str
    submission: str
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., address: _Optional[str] = ..., reason: _Optional[_Union[SuppressionEntry.Reason, str]] = ..., comment: _Optional[str] = ..., submission: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
