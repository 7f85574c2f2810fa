import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from postroom.v1 import account_pb2 as _account_pb2
from postroom.v1 import change_pb2 as _change_pb2
from postroom.v1 import message_pb2 as _message_pb2
from postroom.v1 import reset_pb2 as _reset_pb2
from postroom.v1 import selection_pb2 as _selection_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WatchChangesRequest(_message.Message):
    __slots__ = ("parent", "cursor", "start_from", "from_time", "consumer", "mailboxes", "kinds", "label_selector", "partition", "view", "heartbeat_interval")
    class StartFrom(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        START_FROM_UNSPECIFIED: _ClassVar[WatchChangesRequest.StartFrom]
        NOW: _ClassVar[WatchChangesRequest.StartFrom]
        EARLIEST: _ClassVar[WatchChangesRequest.StartFrom]
        SNAPSHOT: _ClassVar[WatchChangesRequest.StartFrom]
    START_FROM_UNSPECIFIED: WatchChangesRequest.StartFrom
    NOW: WatchChangesRequest.StartFrom
    EARLIEST: WatchChangesRequest.StartFrom
    SNAPSHOT: WatchChangesRequest.StartFrom
    PARENT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    START_FROM_FIELD_NUMBER: _ClassVar[int]
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    MAILBOXES_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    LABEL_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    parent: str
    cursor: str
    start_from: WatchChangesRequest.StartFrom
    from_time: _timestamp_pb2.Timestamp
    consumer: str
    mailboxes: _containers.RepeatedScalarFieldContainer[str]
    kinds: _containers.RepeatedScalarFieldContainer[_change_pb2.Change.Kind]
    label_selector: str
    partition: _selection_pb2.Partition
    view: _message_pb2.Message.View
    heartbeat_interval: _duration_pb2.Duration
    def __init__(self, parent: _Optional[str] = ..., cursor: _Optional[str] = ..., start_from: _Optional[_Union[WatchChangesRequest.StartFrom, str]] = ..., from_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., consumer: _Optional[str] = ..., mailboxes: _Optional[_Iterable[str]] = ..., kinds: _Optional[_Iterable[_Union[_change_pb2.Change.Kind, str]]] = ..., label_selector: _Optional[str] = ..., partition: _Optional[_Union[_selection_pb2.Partition, _Mapping]] = ..., view: _Optional[_Union[_message_pb2.Message.View, str]] = ..., heartbeat_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class WatchChangesResponse(_message.Message):
    __slots__ = ("cursor", "change", "checkpoint", "reset", "snapshot_end", "end")
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    RESET_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_END_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    cursor: str
    change: _change_pb2.Change
    checkpoint: Checkpoint
    reset: _reset_pb2.Reset
    snapshot_end: SnapshotEnd
    end: StreamEnd
    def __init__(self, cursor: _Optional[str] = ..., change: _Optional[_Union[_change_pb2.Change, _Mapping]] = ..., checkpoint: _Optional[_Union[Checkpoint, _Mapping]] = ..., reset: _Optional[_Union[_reset_pb2.Reset, _Mapping]] = ..., snapshot_end: _Optional[_Union[SnapshotEnd, _Mapping]] = ..., end: _Optional[_Union[StreamEnd, _Mapping]] = ...) -> None: ...

class Checkpoint(_message.Message):
    __slots__ = ("head_cursor", "earliest_cursor", "server_time", "lag_changes", "retention_used", "accounts")
    class Freshness(_message.Message):
        __slots__ = ("account", "state", "fresh_time")
        ACCOUNT_FIELD_NUMBER: _ClassVar[int]
        STATE_FIELD_NUMBER: _ClassVar[int]
        FRESH_TIME_FIELD_NUMBER: _ClassVar[int]
        account: str
        state: _account_pb2.Account.State
        fresh_time: _timestamp_pb2.Timestamp
        def __init__(self, account: _Optional[str] = ..., state: _Optional[_Union[_account_pb2.Account.State, str]] = ..., fresh_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
    class Accounts(_message.Message):
        __slots__ = ("connected", "total", "stalest")
        CONNECTED_FIELD_NUMBER: _ClassVar[int]
        TOTAL_FIELD_NUMBER: _ClassVar[int]
        STALEST_FIELD_NUMBER: _ClassVar[int]
        connected: int
        total: int
        stalest: _containers.RepeatedCompositeFieldContainer[Checkpoint.Freshness]
        def __init__(self, connected: _Optional[int] = ..., total: _Optional[int] = ..., stalest: _Optional[_Iterable[_Union[Checkpoint.Freshness, _Mapping]]] = ...) -> None: ...
    HEAD_CURSOR_FIELD_NUMBER: _ClassVar[int]
    EARLIEST_CURSOR_FIELD_NUMBER: _ClassVar[int]
    SERVER_TIME_FIELD_NUMBER: _ClassVar[int]
    LAG_CHANGES_FIELD_NUMBER: _ClassVar[int]
    RETENTION_USED_FIELD_NUMBER: _ClassVar[int]
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    head_cursor: str
    earliest_cursor: str
    server_time: _timestamp_pb2.Timestamp
    lag_changes: int
    retention_used: float
    accounts: Checkpoint.Accounts
    def __init__(self, head_cursor: _Optional[str] = ..., earliest_cursor: _Optional[str] = ..., server_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., lag_changes: _Optional[int] = ..., retention_used: _Optional[float] = ..., accounts: _Optional[_Union[Checkpoint.Accounts, _Mapping]] = ...) -> None: ...

class SnapshotEnd(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StreamEnd(_message.Message):
    __slots__ = ("reason", "retry_after")
    class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REASON_UNSPECIFIED: _ClassVar[StreamEnd.Reason]
        DRAINING: _ClassVar[StreamEnd.Reason]
        REPLACED: _ClassVar[StreamEnd.Reason]
        TOKEN_REVOKED: _ClassVar[StreamEnd.Reason]
        ACCOUNT_REMOVED: _ClassVar[StreamEnd.Reason]
        CONSUMER_CHANGED: _ClassVar[StreamEnd.Reason]
        STORE_UNAVAILABLE: _ClassVar[StreamEnd.Reason]
        INTERNAL: _ClassVar[StreamEnd.Reason]
    REASON_UNSPECIFIED: StreamEnd.Reason
    DRAINING: StreamEnd.Reason
    REPLACED: StreamEnd.Reason
    TOKEN_REVOKED: StreamEnd.Reason
    ACCOUNT_REMOVED: StreamEnd.Reason
    CONSUMER_CHANGED: StreamEnd.Reason
    STORE_UNAVAILABLE: StreamEnd.Reason
    INTERNAL: StreamEnd.Reason
    REASON_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_FIELD_NUMBER: _ClassVar[int]
    reason: StreamEnd.Reason
    retry_after: _duration_pb2.Duration
    def __init__(self, reason: _Optional[_Union[StreamEnd.Reason, str]] = ..., retry_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ListChangesRequest(_message.Message):
    __slots__ = ("parent", "cursor", "start_from", "from_time", "max_changes", "wait", "mailboxes", "kinds", "label_selector", "partition", "view")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    START_FROM_FIELD_NUMBER: _ClassVar[int]
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    MAX_CHANGES_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    MAILBOXES_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    LABEL_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    parent: str
    cursor: str
    start_from: WatchChangesRequest.StartFrom
    from_time: _timestamp_pb2.Timestamp
    max_changes: int
    wait: _duration_pb2.Duration
    mailboxes: _containers.RepeatedScalarFieldContainer[str]
    kinds: _containers.RepeatedScalarFieldContainer[_change_pb2.Change.Kind]
    label_selector: str
    partition: _selection_pb2.Partition
    view: _message_pb2.Message.View
    def __init__(self, parent: _Optional[str] = ..., cursor: _Optional[str] = ..., start_from: _Optional[_Union[WatchChangesRequest.StartFrom, str]] = ..., from_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., max_changes: _Optional[int] = ..., wait: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., mailboxes: _Optional[_Iterable[str]] = ..., kinds: _Optional[_Iterable[_Union[_change_pb2.Change.Kind, str]]] = ..., label_selector: _Optional[str] = ..., partition: _Optional[_Union[_selection_pb2.Partition, _Mapping]] = ..., view: _Optional[_Union[_message_pb2.Message.View, str]] = ...) -> None: ...

class ListChangesResponse(_message.Message):
    __slots__ = ("changes", "cursor", "head_cursor", "earliest_cursor", "reset")
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    HEAD_CURSOR_FIELD_NUMBER: _ClassVar[int]
    EARLIEST_CURSOR_FIELD_NUMBER: _ClassVar[int]
    RESET_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[_change_pb2.Change]
    cursor: str
    head_cursor: str
    earliest_cursor: str
    reset: _reset_pb2.Reset
    def __init__(self, changes: _Optional[_Iterable[_Union[_change_pb2.Change, _Mapping]]] = ..., cursor: _Optional[str] = ..., head_cursor: _Optional[str] = ..., earliest_cursor: _Optional[str] = ..., reset: _Optional[_Union[_reset_pb2.Reset, _Mapping]] = ...) -> None: ...
