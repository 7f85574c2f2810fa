"""Changes: one fact in the feed each, and the key that makes its id.

It owns the kinds and their fields; it refuses encodings (services convert them) and positions (the store assigns the
sequence when the entry is committed).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from postroom_server.domain.accounts import Account, State, StateError
from postroom_server.domain.flags import Flag
from postroom_server.domain.mailboxes import Mailbox
from postroom_server.domain.messages import Message
from postroom_server.domain.outbox import Submission
from postroom_server.ids import AccountId, MailboxId, MessageId


class CauseKind(StrEnum):
    """Who brought the change about."""

    REMOTE = "REMOTE"
    API = "API"
    RESYNC = "RESYNC"
    SNAPSHOT = "SNAPSHOT"


class ResetReason(StrEnum):
    """Why the reader has to list again."""

    UIDVALIDITY_CHANGED = "UIDVALIDITY_CHANGED"
    HISTORY_EXPIRED = "HISTORY_EXPIRED"
    DELTA_EXPIRED = "DELTA_EXPIRED"
    SNAPSHOT_LOST = "SNAPSHOT_LOST"
    BACKEND_CHANGED = "BACKEND_CHANGED"
    RETENTION = "RETENTION"
    STORE_ROLLED_BACK = "STORE_ROLLED_BACK"


class Evidence(StrEnum):
    """How sure a move is."""

    SERVER = "SERVER"
    FINGERPRINT = "FINGERPRINT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Cause of a change; `request_id` where it was a call."""

    kind: CauseKind = CauseKind.REMOTE
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageAdded:
    """First seen in the account."""

    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRemoved:
    """In no mailbox of the account any more."""

    message: MessageId
    mailboxes: tuple[MailboxId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageMoved:
    """A message left exactly one mailbox and entered exactly one other; its id stays."""

    message: MessageId
    source: MailboxId
    destination: MailboxId
    evidence: Evidence = Evidence.SERVER


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxesChanged:
    """A message is in other mailboxes than before, and that was no move; `mailboxes` are those that hold it now."""

    message: MessageId
    added: tuple[MailboxId, ...]
    removed: tuple[MailboxId, ...]
    mailboxes: tuple[MailboxId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagsChanged:
    """Flags of a message changed; `flags` is the state after."""

    message: MessageId
    added: frozenset[Flag]
    removed: frozenset[Flag]
    flags: frozenset[Flag]


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxAdded:
    """A mailbox is new."""

    mailbox: Mailbox


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxRenamed:
    """A mailbox has another path; its id stays. Paths as the contract shows them."""

    mailbox: MailboxId
    old_path: str
    new_path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxRemoved:
    """A mailbox is gone, and its messages with it."""

    mailbox: MailboxId


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxReset:
    """The mailbox must be listed again."""

    mailbox: MailboxId
    cause: ResetReason


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountAdded:
    """The account was registered."""

    account: Account


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStateChanged:
    """The account's state changed."""

    state: State
    error: StateError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReset:
    """The whole account must be listed again."""

    cause: ResetReason


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRemoved:
    """The account was deleted; the last change of its feed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionChanged:
    """A submission entered a new state."""

    submission: Submission


Fact = (
    MessageAdded
    | MessageRemoved
    | MessageMoved
    | MailboxesChanged
    | FlagsChanged
    | MailboxAdded
    | MailboxRenamed
    | MailboxRemoved
    | MailboxReset
    | AccountAdded
    | AccountStateChanged
    | AccountReset
    | AccountRemoved
    | SubmissionChanged
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One entry of an account's feed, before it has a position."""

    account: AccountId
    change_id: str
    detect_time: datetime
    cause: Cause
    fact: Fact


def change_id(account: AccountId, *key: object) -> str:
    """The id of a change: a hash of what happened, so that the same finding made twice has the same id."""
    text = "\x1f".join((account, *map(str, key)))
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
