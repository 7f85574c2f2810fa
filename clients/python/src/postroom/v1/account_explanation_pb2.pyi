import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from postroom.v1 import account_pb2 as _account_pb2
from postroom.v1 import audit_pb2 as _audit_pb2
from postroom.v1 import capabilities_pb2 as _capabilities_pb2
from postroom.v1 import mailbox_pb2 as _mailbox_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AccountExplanation(_message.Message):
    __slots__ = ("state", "summary", "transitions", "errors", "next_retry_time", "mailboxes", "capabilities", "audits", "node", "connection_count")
    class Transition(_message.Message):
        __slots__ = ("from_state", "to_state", "cause", "time")
        FROM_STATE_FIELD_NUMBER: _ClassVar[int]
        TO_STATE_FIELD_NUMBER: _ClassVar[int]
        CAUSE_FIELD_NUMBER: _ClassVar[int]
        TIME_FIELD_NUMBER: _ClassVar[int]
        from_state: _account_pb2.Account.State
        to_state: _account_pb2.Account.State
        cause: str
        time: _timestamp_pb2.Timestamp
        def __init__(self, from_state: _Optional[_Union[_account_pb2.Account.State, str]] = ..., to_state: _Optional[_Union[_account_pb2.Account.State, str]] = ..., cause: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
    class MailboxFreshness(_message.Message):
        __slots__ = ("mailbox", "path", "watch", "fresh_time", "message_count", "identified_count")
        MAILBOX_FIELD_NUMBER: _ClassVar[int]
        PATH_FIELD_NUMBER: _ClassVar[int]
        WATCH_FIELD_NUMBER: _ClassVar[int]
        FRESH_TIME_FIELD_NUMBER: _ClassVar[int]
        MESSAGE_COUNT_FIELD_NUMBER: _ClassVar[int]
        IDENTIFIED_COUNT_FIELD_NUMBER: _ClassVar[int]
        mailbox: str
        path: str
        watch: _mailbox_pb2.Mailbox.Watch
        fresh_time: _timestamp_pb2.Timestamp
        message_count: int
        identified_count: int
        def __init__(self, mailbox: _Optional[str] = ..., path: _Optional[str] = ..., watch: _Optional[_Union[_mailbox_pb2.Mailbox.Watch, str]] = ..., fresh_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., message_count: _Optional[int] = ..., identified_count: _Optional[int] = ...) -> None: ...
    STATE_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    TRANSITIONS_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    NEXT_RETRY_TIME_FIELD_NUMBER: _ClassVar[int]
    MAILBOXES_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    AUDITS_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    CONNECTION_COUNT_FIELD_NUMBER: _ClassVar[int]
    state: _account_pb2.Account.State
    summary: str
    transitions: _containers.RepeatedCompositeFieldContainer[AccountExplanation.Transition]
    errors: _containers.RepeatedCompositeFieldContainer[_account_pb2.AccountError]
    next_retry_time: _timestamp_pb2.Timestamp
    mailboxes: _containers.RepeatedCompositeFieldContainer[AccountExplanation.MailboxFreshness]
    capabilities: _capabilities_pb2.Capabilities
    audits: _containers.RepeatedCompositeFieldContainer[_audit_pb2.MailboxAudit]
    node: str
    connection_count: int
    def __init__(self, state: _Optional[_Union[_account_pb2.Account.State, str]] = ..., summary: _Optional[str] = ..., transitions: _Optional[_Iterable[_Union[AccountExplanation.Transition, _Mapping]]] = ..., errors: _Optional[_Iterable[_Union[_account_pb2.AccountError, _Mapping]]] = ..., next_retry_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., mailboxes: _Optional[_Iterable[_Union[AccountExplanation.MailboxFreshness, _Mapping]]] = ..., capabilities: _Optional[_Union[_capabilities_pb2.Capabilities, _Mapping]] = ..., audits: _Optional[_Iterable[_Union[_audit_pb2.MailboxAudit, _Mapping]]] = ..., node: _Optional[str] = ..., connection_count: _Optional[int] = ...) -> None: ...
