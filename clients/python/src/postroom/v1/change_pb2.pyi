import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from postroom.v1 import change_kinds_pb2 as _change_kinds_pb2
from postroom.v1 import delivery_changes_pb2 as _delivery_changes_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Change(_message.Message):
    __slots__ = ("cursor", "account", "sequence", "change_id", "detect_time", "cause", "message_added", "message_removed", "message_moved", "mailboxes_changed", "flags_changed", "mailbox_added", "mailbox_renamed", "mailbox_removed", "mailbox_reset", "mailbox_audited", "account_added", "account_state_changed", "account_reset", "account_removed", "submission_changed", "bounce_received", "complaint_received", "message_opened", "link_clicked", "recipient_unsubscribed")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[Change.Kind]
        MESSAGE_ADDED: _ClassVar[Change.Kind]
        MESSAGE_REMOVED: _ClassVar[Change.Kind]
        MESSAGE_MOVED: _ClassVar[Change.Kind]
        MAILBOXES_CHANGED: _ClassVar[Change.Kind]
        FLAGS_CHANGED: _ClassVar[Change.Kind]
        MAILBOX_ADDED: _ClassVar[Change.Kind]
        MAILBOX_RENAMED: _ClassVar[Change.Kind]
        MAILBOX_REMOVED: _ClassVar[Change.Kind]
        MAILBOX_RESET: _ClassVar[Change.Kind]
        MAILBOX_AUDITED: _ClassVar[Change.Kind]
        ACCOUNT_ADDED: _ClassVar[Change.Kind]
        ACCOUNT_STATE_CHANGED: _ClassVar[Change.Kind]
        ACCOUNT_RESET: _ClassVar[Change.Kind]
        ACCOUNT_REMOVED: _ClassVar[Change.Kind]
        SUBMISSION_CHANGED: _ClassVar[Change.Kind]
        BOUNCE_RECEIVED: _ClassVar[Change.Kind]
        COMPLAINT_RECEIVED: _ClassVar[Change.Kind]
        MESSAGE_OPENED: _ClassVar[Change.Kind]
        LINK_CLICKED: _ClassVar[Change.Kind]
        RECIPIENT_UNSUBSCRIBED: _ClassVar[Change.Kind]
    KIND_UNSPECIFIED: Change.Kind
    MESSAGE_ADDED: Change.Kind
    MESSAGE_REMOVED: Change.Kind
    MESSAGE_MOVED: Change.Kind
    MAILBOXES_CHANGED: Change.Kind
    FLAGS_CHANGED: Change.Kind
    MAILBOX_ADDED: Change.Kind
    MAILBOX_RENAMED: Change.Kind
    MAILBOX_REMOVED: Change.Kind
    MAILBOX_RESET: Change.Kind
    MAILBOX_AUDITED: Change.Kind
    ACCOUNT_ADDED: Change.Kind
    ACCOUNT_STATE_CHANGED: Change.Kind
    ACCOUNT_RESET: Change.Kind
    ACCOUNT_REMOVED: Change.Kind
    SUBMISSION_CHANGED: Change.Kind
    BOUNCE_RECEIVED: Change.Kind
    COMPLAINT_RECEIVED: Change.Kind
    MESSAGE_OPENED: Change.Kind
    LINK_CLICKED: Change.Kind
    RECIPIENT_UNSUBSCRIBED: Change.Kind
    class Cause(_message.Message):
        __slots__ = ("kind", "request_id")
        class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
            __slots__ = ()
            KIND_UNSPECIFIED: _ClassVar[Change.Cause.Kind]
            REMOTE: _ClassVar[Change.Cause.Kind]
            API: _ClassVar[Change.Cause.Kind]
            RESYNC: _ClassVar[Change.Cause.Kind]
            SNAPSHOT: _ClassVar[Change.Cause.Kind]
        KIND_UNSPECIFIED: Change.Cause.Kind
        REMOTE: Change.Cause.Kind
        API: Change.Cause.Kind
        RESYNC: Change.Cause.Kind
        SNAPSHOT: Change.Cause.Kind
        KIND_FIELD_NUMBER: _ClassVar[int]
        REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
        kind: Change.Cause.Kind
        request_id: str
        def __init__(self, kind: _Optional[_Union[Change.Cause.Kind, str]] = ..., request_id: _Optional[str] = ...) -> None: ...
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CHANGE_ID_FIELD_NUMBER: _ClassVar[int]
    DETECT_TIME_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ADDED_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_REMOVED_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_MOVED_FIELD_NUMBER: _ClassVar[int]
    MAILBOXES_CHANGED_FIELD_NUMBER: _ClassVar[int]
    FLAGS_CHANGED_FIELD_NUMBER: _ClassVar[int]
    MAILBOX_ADDED_FIELD_NUMBER: _ClassVar[int]
    MAILBOX_RENAMED_FIELD_NUMBER: _ClassVar[int]
    MAILBOX_REMOVED_FIELD_NUMBER: _ClassVar[int]
    MAILBOX_RESET_FIELD_NUMBER: _ClassVar[int]
    MAILBOX_AUDITED_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ADDED_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_STATE_CHANGED_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_RESET_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_REMOVED_FIELD_NUMBER: _ClassVar[int]
    SUBMISSION_CHANGED_FIELD_NUMBER: _ClassVar[int]
    BOUNCE_RECEIVED_FIELD_NUMBER: _ClassVar[int]
    COMPLAINT_RECEIVED_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_OPENED_FIELD_NUMBER: _ClassVar[int]
    LINK_CLICKED_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_UNSUBSCRIBED_FIELD_NUMBER: _ClassVar[int]
    cursor: str
    account: str
    sequence: int
    change_id: str
    detect_time: _timestamp_pb2.Timestamp
    cause: Change.Cause
    message_added: _change_kinds_pb2.MessageAdded
    message_removed: _change_kinds_pb2.MessageRemoved
    message_moved: _change_kinds_pb2.MessageMoved
    mailboxes_changed: _change_kinds_pb2.MailboxesChanged
    flags_changed: _change_kinds_pb2.FlagsChanged
    mailbox_added: _change_kinds_pb2.MailboxAdded
    mailbox_renamed: _change_kinds_pb2.MailboxRenamed
    mailbox_removed: _change_kinds_pb2.MailboxRemoved
    mailbox_reset: _change_kinds_pb2.MailboxReset
    mailbox_audited: _change_kinds_pb2.MailboxAudited
    account_added: _change_kinds_pb2.AccountAdded
    account_state_changed: _change_kinds_pb2.AccountStateChanged
    account_reset: _change_kinds_pb2.AccountReset
    account_removed: _change_kinds_pb2.AccountRemoved
    submission_changed: _change_kinds_pb2.SubmissionChanged
    bounce_received: _delivery_changes_pb2.BounceReceived
    complaint_received: _delivery_changes_pb2.ComplaintReceived
    message_opened: _delivery_changes_pb2.MessageOpened
    link_clicked: _delivery_changes_pb2.LinkClicked
    recipient_unsubscribed: _delivery_changes_pb2.RecipientUnsubscribed
    def __init__(self, cursor: _Optional[str] = ..., account: _Optional[str] = ..., sequence: _Optional[int] = ..., change_id: _Optional[str] = ..., detect_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., cause: _Optional[_Union[Change.Cause, _Mapping]] = ..., message_added: _Optional[_Union[_change_kinds_pb2.MessageAdded, _Mapping]] = ..., message_removed: _Optional[_Union[_change_kinds_pb2.MessageRemoved, _Mapping]] = ..., message_moved: _Optional[_Union[_change_kinds_pb2.MessageMoved, _Mapping]] = ..., mailboxes_changed: _Optional[_Union[_change_kinds_pb2.MailboxesChanged, _Mapping]] = ..., flags_changed: _Optional[_Union[_change_kinds_pb2.FlagsChanged, _Mapping]] = ..., mailbox_added: _Optional[_Union[_change_kinds_pb2.MailboxAdded, _Mapping]] = ..., mailbox_renamed: _Optional[_Union[_change_kinds_pb2.MailboxRenamed, _Mapping]] = ..., mailbox_removed: _Optional[_Union[_change_kinds_pb2.MailboxRemoved, _Mapping]] = ..., mailbox_reset: _Optional[_Union[_change_kinds_pb2.MailboxReset, _Mapping]] = ..., mailbox_audited: _Optional[_Union[_change_kinds_pb2.MailboxAudited, _Mapping]] = ..., account_added: _Optional[_Union[_change_kinds_pb2.AccountAdded, _Mapping]] = ..., account_state_changed: _Optional[_Union[_change_kinds_pb2.AccountStateChanged, _Mapping]] = ..., account_reset: _Optional[_Union[_change_kinds_pb2.AccountReset, _Mapping]] = ..., account_removed: _Optional[_Union[_change_kinds_pb2.AccountRemoved, _Mapping]] = ..., submission_changed: _Optional[_Union[_change_kinds_pb2.SubmissionChanged, _Mapping]] = ..., bounce_received: _Optional[_Union[_delivery_changes_pb2.BounceReceived, _Mapping]] = ..., complaint_received: _Optional[_Union[_delivery_changes_pb2.ComplaintReceived, _Mapping]] = ..., message_opened: _Optional[_Union[_delivery_changes_pb2.MessageOpened, _Mapping]] = ..., link_clicked: _Optional[_Union[_delivery_changes_pb2.LinkClicked, _Mapping]] = ..., recipient_unsubscribed: _Optional[_Union[_delivery_changes_pb2.RecipientUnsubscribed, _Mapping]] = ...) -> None: ...
