"""Messages that are put into mailboxes without being sent: the checks of the bytes, and the pieces of an upload.

It owns what a caller may hand in to be filed: any message that has a header, byte for byte. It refuses to send. Pure, but
for fresh ids.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from postroom.v1 import message_append_pb2 as pb

from postroom_server.domain.accounts import Account
from postroom_server.domain.mime import MAX_HEADER_BLOCK, parse_fields
from postroom_server.errors import MessageTooLarge, RequestInvalid
from postroom_server.services.convert.composing import MAX_MESSAGE_BYTES, draft_from


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """A message to be filed; its Message-ID without angle brackets, empty where it has none."""

    raw: bytes
    internet_message_id: str


def filed_from(request: pb.AppendMessageRequest, account: Account, now: datetime) -> Filed:
    """The message of a request. Raises RequestInvalid, MessageTooLarge."""
    match request.WhichOneof("content"):
        case "raw":
            return filed_raw(request.raw, "raw")
        case "composed":
            ready = draft_from(request.composed, account, now)
            return Filed(raw=ready.raw, internet_message_id=ready.internet_message_id)
        case _:
            raise RequestInvalid("raw", "is needed, or composed")


def filed_raw(raw: bytes, path: str) -> Filed:
    """The caller's own bytes, as they are; `path` is where they stood. Raises RequestInvalid, MessageTooLarge."""
    if not raw:
        raise RequestInvalid(path, "is needed")
    if len(raw) > MAX_MESSAGE_BYTES:
        raise MessageTooLarge(sizeBytes=str(len(raw)), limitBytes=str(MAX_MESSAGE_BYTES))
    if b"\x00" in raw:
        raise RequestInvalid(path, "holds a NUL byte")
    parsed = parse_fields(raw[:MAX_HEADER_BLOCK])
    if not parsed.headers:
        raise RequestInvalid(path, "has no header")
    return Filed(raw=raw, internet_message_id=parsed.internet_message_id)


async def uploaded(pieces: AsyncIterator[pb.UploadMessageRequest]) -> tuple[pb.UploadMessageRequest, bytes]:
    """The first piece, which carries the fields, and all bytes. Raises MessageTooLarge while they come."""
    head: pb.UploadMessageRequest | None = None
    raw = bytearray()
    async for piece in pieces:
        head = head or piece
        raw += piece.content.data
        if len(raw) > MAX_MESSAGE_BYTES:
            raise MessageTooLarge(limitBytes=str(MAX_MESSAGE_BYTES))
    if head is None:
        raise RequestInvalid("parent", "is needed")
    return head, bytes(raw)
