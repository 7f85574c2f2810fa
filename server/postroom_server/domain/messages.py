"""Messages as every provider can show them: summary, parts, content.

It owns the shared shape and its bounds, and refuses what only one provider knows (that goes into `evidence`, shown and
never used).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final

from postroom_server.domain.flags import Flag
from postroom_server.domain.keys import ItemKey, MailboxKey
from postroom_server.ids import AttachmentId, MailboxId, MessageId, ThreadId

MAX_SUBJECT: Final = 2_000
MAX_ADDRESSES: Final = 200
"""Addresses kept per header in a summary; the headers hold all of them."""
MAX_REFERENCES: Final = 100
MAX_PARTS: Final = 1_000
CHUNK_BYTES: Final = 256 * 1024
"""The largest piece of a stream."""


class View(Enum):
    """How much of a message is wanted."""

    BASIC = 1
    FULL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A mailbox of RFC 5322 section 3.4, decoded; both fields may be empty."""

    display_name: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part that is an attachment: it has a disposition, a file name or a type that is not shown as the text.

    `id` is stable while the message lives (IMAP: the section, such as `1.2`). `encoded_size_bytes` counts the bytes as
    transferred; `size_bytes` is the decoded size where it is known without reading.
    """

    id: str
    content_type: str
    filename: str | None = None
    content_id: str | None = None
    encoded_size_bytes: int | None = None
    size_bytes: int | None = None
    inline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a listing shows of one message. Header texts are decoded (RFC 2047), ids without angle brackets."""

    key: ItemKey
    thread: bytes | None = None
    internet_message_id: str = ""
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    subject: str = ""
    from_: tuple[Address, ...] = ()
    sender: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    send_time: datetime | None = None
    receive_time: datetime | None = None
    size_bytes: int | None = None
    size_exact: bool = True
    preview: str | None = None
    parts: tuple[Part, ...] = ()
    flags: frozenset[Flag] = frozenset()
    mailboxes: tuple[MailboxKey, ...] = ()
    evidence: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A whole message as a reader wants it; `text` and `html` are cut to the budget, `truncated` says so."""

    summary: Summary
    headers: Sequence[tuple[str, str]]
    text: str | None
    html: str | None
    truncated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteStream:
    """Bytes in chunks of at most 256 KiB; closing `chunks` frees the connection at once.

    `exact` False: the provider re-makes the MIME, so that it is not byte for byte what was delivered.
    """

    content_type: str
    size_bytes: int | None
    exact: bool
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message under its public names: what services and the feed speak of."""

    id: MessageId
    mailboxes: tuple[MailboxId, ...]
    thread_id: ThreadId
    summary: Summary
    headers: Sequence[tuple[str, str]] = ()
    text: str | None = None
    html: str | None = None
    truncated: bool = False
    full: bool = False
    """Whether headers, text and html were read (view FULL)."""
    copy_of: MessageId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentStream:
    """One attachment on its way out, decoded."""

    id: AttachmentId
    part: Part
    stream: ByteStream
