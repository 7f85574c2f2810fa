"""Mailboxes: roles, paths, and the record that is kept of each.

It owns the role words and the public shape; it refuses wire names (backends translate them).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from postroom_server.domain.keys import MailboxKey
from postroom_server.ids import MailboxId

MAX_PATH_BYTES: Final = 1_000
MAX_MAILBOXES: Final = 10_000
"""Mailboxes that are kept per account; the rest are not listed and not watched."""


class Role(StrEnum):
    """Special use of a mailbox (RFC 6154, RFC 8621 section 2)."""

    INBOX = "inbox"
    ARCHIVE = "archive"
    DRAFTS = "drafts"
    SENT = "sent"
    JUNK = "junk"
    TRASH = "trash"
    ALL = "all"
    FLAGGED = "flagged"
    IMPORTANT = "important"


class RoleSource(StrEnum):
    """Who says that a mailbox has its role."""

    USER = "USER"
    SERVER = "SERVER"
    NAME = "NAME"


class Watch(StrEnum):
    """How changes of a mailbox are seen: pushed, polled or not at all."""

    LIVE = "LIVE"
    POLLED = "POLLED"
    NONE = "NONE"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxRow:
    """A mailbox as the provider lists it. `path` is the decoded hierarchy, one element per level."""

    key: MailboxKey
    path: tuple[str, ...]
    delimiter: str = "/"
    role: Role | None = None
    role_source: RoleSource | None = None
    scope: bytes | None = None
    """The ScopeId whose position covers it, None where it holds no messages."""
    selectable: bool = True
    virtual: bool = False
    subscribed: bool | None = None
    messages: int | None = None
    unseen: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxRecord:
    """What is kept of a mailbox: the number that its id is made of, and where its messages are numbered now.

    `number` is dealt out per account and never reused; `space` is the current numbering (0: none read yet). `announce`:
    whether the messages of its first reading are news; False for what was there when the account was registered and
    after a reset.
    """

    number: int
    row: MailboxRow
    space: int = 0
    epoch: int = 0
    announce: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """A mailbox under its public id."""

    id: MailboxId
    row: MailboxRow
    watch: Watch
    fresh_time: datetime | None
    etag: str
