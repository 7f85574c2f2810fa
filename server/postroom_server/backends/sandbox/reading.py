"""Showing stored bytes as messages: summary, content, streams.

It owns the step from what a parser says to the domain's shapes and refuses to parse: hostile mail is read by the parser
that is handed in, outside of the loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from postroom_server.backends.sandbox.positions import mailbox_key
from postroom_server.domain.flags import Flag
from postroom_server.domain.keys import ItemKey, ScopeId
from postroom_server.domain.mailboxes import MailboxRow, Role, RoleSource
from postroom_server.domain.messages import CHUNK_BYTES, ByteStream, Content, Summary
from postroom_server.domain.mime import ParsedMessage
from postroom_server.domain.sandbox_store import SandboxMailbox, SandboxRow

__all__ = ["MessageParser", "ParsedMessage", "content", "mailbox_row", "stream", "summary"]


class MessageParser(Protocol):
    """Reads raw messages without ever raising for what they hold."""

    async def parse(self, raw: bytes, *, text_budget: int) -> ParsedMessage:
        """What the bytes say, each text cut to the budget in bytes of UTF-8; only headers when nothing else can be read."""
        ...


def mailbox_row(mailbox: SandboxMailbox, scope: ScopeId, *, counts: bool) -> MailboxRow:
    """The mailbox as a listing shows it."""
    role = None if mailbox.role is None else Role(mailbox.role)
    return MailboxRow(
        key=mailbox_key(mailbox.number),
        path=mailbox.path,
        role=role,
        role_source=None if role is None else RoleSource.SERVER,
        scope=scope,
        virtual=role is Role.ALL,
        subscribed=mailbox.subscribed,
        messages=mailbox.messages if counts else None,
        unseen=mailbox.unseen if counts else None,
    )


def summary(parsed: ParsedMessage, key: ItemKey, row: SandboxRow) -> Summary:
    """The message as a listing shows it."""
    return Summary(
        key=key,
        internet_message_id=parsed.internet_message_id,
        in_reply_to=parsed.in_reply_to,
        references=parsed.references,
        subject=parsed.subject,
        from_=parsed.from_,
        sender=parsed.sender,
        reply_to=parsed.reply_to,
        to=parsed.to,
        cc=parsed.cc,
        bcc=parsed.bcc,
        send_time=parsed.send_time,
        receive_time=row.received,
        size_bytes=row.size_bytes,
        parts=parsed.attachments,
        flags=frozenset(map(Flag, row.flags)),
        mailboxes=tuple(map(mailbox_key, sorted(row.mailboxes))),
    )


def content(parsed: ParsedMessage, key: ItemKey, row: SandboxRow) -> Content:
    """The whole message, with the texts as they were cut by the parser."""
    return Content(
        summary=summary(parsed, key, row),
        headers=parsed.headers,
        text=parsed.text,
        html=parsed.html,
        truncated=parsed.truncated,
    )


def stream(content_type: str, raw: bytes) -> ByteStream:
    """Bytes that are at hand, in chunks."""
    return ByteStream(content_type=content_type, size_bytes=len(raw), exact=True, chunks=_chunks(raw))


async def _chunks(raw: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(raw), CHUNK_BYTES):
        yield raw[start : start + CHUNK_BYTES]
