from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from postroom.v1 import account_pb2 as _account_pb2
from postroom.v1 import mailbox_pb2 as _mailbox_pb2
from postroom.v1 import message_pb2 as _message_pb2
from postroom.v1 import reset_pb2 as _reset_pb2
from postroom.v1 import submission_pb2 as _submission_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MessageAdded(_message.Message):
    __slots__ = ("message",)
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    message: _message_pb2.Message
    def __init__(self, message: _Optional[_Union[_message_pb2.Message, _Mapping]] = ...) -> None: ...

class MessageRemoved(_message.Message):
    __slots__ = ("message", "mailboxes")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    MAILBOXES_FIELD_NUMBER: _ClassVar[int]
    message: str
    mailboxes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, message: _Optional[str] = ..., mailboxes: _Optional[_Iterable[str]] = ...) -> None: ...

class MessageMoved(_message.Message):
    __slots__ = ("message", "source", "destination", "evidence")
    class Evidence(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        EVIDENCE_UNSPECIFIED: _ClassVar[MessageMoved.Evidence]
        SERVER: _ClassVar[MessageMoved.Evidence]
        FINGERPRINT: _ClassVar[MessageMoved.Evidence]
    EVIDENCE_UNSPECIFIED: MessageMoved.Evidence
    SERVER: MessageMoved.Evidence
    FINGERPRINT: MessageMoved.Evidence
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    message: str
    source: str
    destination: str
    evidence: MessageMoved.Evidence
    def __init__(self, message: _Optional[str] = ..., source: _Optional[str] = ..., destination: _Optional[str] = ..., evidence: _Optional[_Union[MessageMoved.Evidence, str]] = ...) -> None: ...

class MailboxesChanged(_message.Message):
    __slots__ = ("message", "added", "removed", "mailboxes")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ADDED_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    MAILBOXES_FIELD_NUMBER: _ClassVar[int]
    message: str
    added: _containers.RepeatedScalarFieldContainer[str]
    removed: _containers.RepeatedScalarFieldContainer[str]
    mailboxes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, message: _Optional[str] = ..., added: _Optional[_Iterable[str]] = ..., removed: _Optional[_Iterable[str]] = ..., mailboxes: _Optional[_Iterable[str]] = ...) -> None: ...

class FlagsChanged(_message.Message):
    __slots__ = ("message", "added", "removed", "flags")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ADDED_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    message: str
    added: _containers.RepeatedScalarFieldContainer[str]
    removed: _containers.RepeatedScalarFieldContainer[str]
    flags: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, message: _Optional[str] = ..., added: _Optional[_Iterable[str]] = ..., removed: _Optional[_Iterable[str]] = ..., flags: _Optional[_Iterable[str]] = ...) -> None: ...

class MailboxAdded(_message.Message):
    __slots__ = ("mailbox",)
    MAILBOX_FIELD_NUMBER: _ClassVar[int]
    mailbox: _mailbox_pb2.Mailbox
    def __init__(self, mailbox: _Optional[_Union[_mailbox_pb2.Mailbox, _Mapping]] = ...) -> None: ...

class MailboxRenamed(_message.Message):
    __slots__ = ("mailbox", "old_path", "new_path")
    MAILBOX_FIELD_NUMBER: _ClassVar[int]
    OLD_PATH_FIELD_NUMBER: _ClassVar[int]
    NEW_PATH_FIELD_NUMBER: _ClassVar[int]
    mailbox: str
    old_path: str
    new_path: str
    def __init__(self, mailbox: _Optional[str] = ..., old_path: _Optional[str] = ..., new_path: _Optional[str] = ...) -> None: ...

class MailboxRemoved(_message.Message):
    __slots__ = ("mailbox",)
    MAILBOX_FIELD_NUMBER: _ClassVar[int]
    mailbox: str
    def __init__(self, mailbox: _Optional[str] = ...) -> None: ...

class MailboxReset(_message.Message):
    __slots__ = ("mailbox", "reason")
    MAILBOX_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    mailbox: str
    reason: _reset_pb2.Reset.Reason
    def __init__(self, mailbox: _Optional[str] = ..., reason: _Optional[_Union[_reset_pb2.Reset.Reason, str]] = ...) -> None: ...

class MailboxAudited(_message.Message):
    __slots__ = ("mailbox", "message_count", "digest", "repaired")
    MAILBOX_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_COUNT_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    REPAIRED_FIELD_NUMBER: _ClassVar[int]
    mailbox: str
    message_count: int
    digest: str
    repaired: bool
    def __init__(self, mailbox: _Optional[str] = ..., message_count: _Optional[int] = ..., digest: _Optional[str] = ..., repaired: _Optional[bool] = ...) -> None: ...

class AccountAdded(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: _account_pb2.Account
    def __init__(self, account: _Optional[_Union[_account_pb2.Account, _Mapping]] = ...) -> None: ...

class AccountStateChanged(_message.Message):
    __slots__ = ("state", "error")
    STATE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    state: _account_pb2.Account.State
    error: _account_pb2.AccountError
    def __init__(self, state: _Optional[_Union[_account_pb2.Account.State, str]] = ..., error: _Optional[_Union[_account_pb2.AccountError, _Mapping]] = ...) -> None: ...

class AccountReset(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: _reset_pb2.Reset.Reason
    def __init__(self, reason: _Optional[_Union[_reset_pb2.Reset.Reason, str]] = ...) -> None: ...

class AccountRemoved(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SubmissionChanged(_message.Message):
    __slots__ = ("submission",)
    SUBMISSION_FIELD_NUMBER: _ClassVar[int]
    submission: _submission_pb2.Submission
    def __init__(self, submission: _Optional[_Union[_submission_pb2.Submission, _Mapping]] = ...) -> None: ...
