import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from postroom.v1 import account_pb2 as _account_pb2
from postroom.v1 import submission_pb2 as _submission_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetServerInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetServerInfoResponse(_message.Message):
    __slots__ = ("version", "nodes", "shard_count", "retention", "retention_account_bytes", "retention_store_share")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    SHARD_COUNT_FIELD_NUMBER: _ClassVar[int]
    RETENTION_FIELD_NUMBER: _ClassVar[int]
    RETENTION_ACCOUNT_BYTES_FIELD_NUMBER: _ClassVar[int]
    RETENTION_STORE_SHARE_FIELD_NUMBER: _ClassVar[int]
    version: str
    nodes: _containers.RepeatedCompositeFieldContainer[Node]
    shard_count: int
    retention: _duration_pb2.Duration
    retention_account_bytes: int
    retention_store_share: float
    def __init__(self, version: _Optional[str] = ..., nodes: _Optional[_Iterable[_Union[Node, _Mapping]]] = ..., shard_count: _Optional[int] = ..., retention: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., retention_account_bytes: _Optional[int] = ..., retention_store_share: _Optional[float] = ...) -> None: ...

class Node(_message.Message):
    __slots__ = ("name", "address", "shards", "accounts", "start_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    address: str
    shards: int
    accounts: int
    start_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., address: _Optional[str] = ..., shards: _Optional[int] = ..., accounts: _Optional[int] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetStatsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatsResponse(_message.Message):
    __slots__ = ("accounts", "submissions", "message_count", "change_count", "stream_count", "consumer_count", "store_used_bytes", "store_limit_bytes")
    class AccountCount(_message.Message):
        __slots__ = ("state", "count")
        STATE_FIELD_NUMBER: _ClassVar[int]
        COUNT_FIELD_NUMBER: _ClassVar[int]
        state: _account_pb2.Account.State
        count: int
        def __init__(self, state: _Optional[_Union[_account_pb2.Account.State, str]] = ..., count: _Optional[int] = ...) -> None: ...
    class SubmissionCount(_message.Message):
        __slots__ = ("state", "count")
        STATE_FIELD_NUMBER: _ClassVar[int]
        COUNT_FIELD_NUMBER: _ClassVar[int]
        state: _submission_pb2.Submission.State
        count: int
        def __init__(self, state: _Optional[_Union[_submission_pb2.Submission.State, str]] = ..., count: _Optional[int] = ...) -> None: ...
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    SUBMISSIONS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_COUNT_FIELD_NUMBER: _ClassVar[int]
    CHANGE_COUNT_FIELD_NUMBER: _ClassVar[int]
    STREAM_COUNT_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_COUNT_FIELD_NUMBER: _ClassVar[int]
    STORE_USED_BYTES_FIELD_NUMBER: _ClassVar[int]
    STORE_LIMIT_BYTES_FIELD_NUMBER: _ClassVar[int]
    accounts: _containers.RepeatedCompositeFieldContainer[GetStatsResponse.AccountCount]
    submissions: _containers.RepeatedCompositeFieldContainer[GetStatsResponse.SubmissionCount]
    message_count: int
    change_count: int
    stream_count: int
    consumer_count: int
    store_used_bytes: int
    store_limit_bytes: int
    def __init__(self, accounts: _Optional[_Iterable[_Union[GetStatsResponse.AccountCount, _Mapping]]] = ..., submissions: _Optional[_Iterable[_Union[GetStatsResponse.SubmissionCount, _Mapping]]] = ..., message_count: _Optional[int] = ..., change_count: _Optional[int] = ..., stream_count: _Optional[int] = ..., consumer_count: _Optional[int] = ..., store_used_bytes: _Optional[int] = ..., store_limit_bytes: _Optional[int] = ...) -> None: ...
