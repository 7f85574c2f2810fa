import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from postroom.v1 import selection_pb2 as _selection_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Consumer(_message.Message):
    __slots__ = ("name", "selection", "committed_cursor", "lag_changes", "lag_duration", "create_time", "last_commit_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_CURSOR_FIELD_NUMBER: _ClassVar[int]
    LAG_CHANGES_FIELD_NUMBER: _ClassVar[int]
    LAG_DURATION_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_COMMIT_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    selection: _selection_pb2.Selection
    committed_cursor: str
    lag_changes: int
    lag_duration: _duration_pb2.Duration
    create_time: _timestamp_pb2.Timestamp
    last_commit_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., selection: _Optional[_Union[_selection_pb2.Selection, _Mapping]] = ..., committed_cursor: _Optional[str] = ..., lag_changes: _Optional[int] = ..., lag_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_commit_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
