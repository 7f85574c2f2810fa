"""Downloads: a stream of bytes as HttpBody pieces, with what REST wants to know of it beforehand.

It owns the headers (`gateway/download.lua` reads `x-http-status` and `x-content-length`), ranges of one piece, and the
check that as many bytes came as were announced. The first piece is read before anything is sent, so that a failure
until then has a status of its own; what fails later is raised, and `interceptors/errors.py` knows what that means over
REST. The SHA-256 of what was sent follows in the trailing metadata.

See Also:
    https://www.rfc-editor.org/rfc/rfc9110#section-14, https://www.rfc-editor.org/rfc/rfc6266
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from google.api.httpbody_pb2 import HttpBody

from postroom_server.domain.messages import ByteStream
from postroom_server.errors import ProviderMisbehaved, RequestInvalid
from postroom_server.services.calling import Context, first

STATUS: Final = "x-http-status"
LENGTH: Final = "x-content-length"
SHA256: Final = "x-content-sha256"
PIECE_BYTES: Final = 256 * 1024
MAX_FILENAME: Final = 200
_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}")
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_UNSAFE = re.compile(r"[^A-Za-z0-9 ._()-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """What is downloaded. `tag` names the bytes for ever; `filename` may be empty."""

    stream: ByteStream
    tag: str
    filename: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """The bytes from `offset` on: `length` of them, or up to the end. `status` is empty for a plain 200."""

    offset: int = 0
    length: int | None = None
    status: str = ""


def media_type(text: str) -> str:
    """A media type that is safe in a header."""
    return text.lower() if _TYPE.fullmatch(text) else "application/octet-stream"


def requested(offset: int, length: int) -> Piece:
    """The piece that a caller over gRPC asks for by fields. Raises RequestInvalid."""
    if offset < 0:
        raise RequestInvalid("offset", "must not be negative")
    if length < 0:
        raise RequestInvalid("length", "must not be negative")
    return Piece(offset=offset, length=length or None)


def ranged(context: Context, download: Download, asked: Piece) -> Piece:
    """The piece that the headers `range`, `if-range` and `if-none-match` ask for, else `asked`.

    A range of a file whose size is not known, several ranges and unreadable ones are answered in full, as RFC 9110
    allows.
    """
    metadata = context.invocation_metadata()
    tag = f'"{download.tag}"'
    known = first(metadata, "if-none-match")
    if isinstance(known, str) and {tag, "*"} & {one.strip().removeprefix("W/") for one in known.split(",")}:
        return Piece(length=0, status="304")
    wanted, size = first(metadata, "range"), download.stream.size_bytes
    if not isinstance(wanted, str) or size is None or asked != Piece():
        return asked
    condition = first(metadata, "if-range")
    found = _RANGE.fullmatch(wanted.strip())
    if found is None or found.groups() == ("", "") or (condition is not None and condition != tag):
        return asked
    start, end = found.groups()
    if not start:
        begin, stop = max(0, size - int(end)), size
    else:
        begin, stop = int(start), min(int(end) + 1 if end else size, size)
        if end and int(end) < begin:
            return asked
    if begin >= size or begin >= stop:
        return Piece(length=0, status="416")
    return Piece(offset=begin, length=stop - begin, status="206")


async def pieces(context: Context, download: Download, piece: Piece) -> AsyncGenerator[HttpBody, None]:
    """Sends the headers, then the piece, at least one message, if need be an empty one."""
    chunks: Any = download.stream.chunks
    kind = media_type(download.stream.content_type)
    size = download.stream.size_bytes
    expected = None if size is None else max(0, min(piece.length or size, size - piece.offset))
    if piece.status in ("304", "416"):
        expected = 0
    window = _Window(piece.offset, 0 if expected == 0 else piece.length)
    digest = hashlib.sha256()
    sent = 0
    try:
        head = await window.next(chunks)
        await context.send_initial_metadata(_headers(download, piece, expected))
        yield HttpBody(content_type=kind, data=head or b"")
        while head:
            digest.update(head)
            sent += len(head)
            head = await window.next(chunks)
            if head:
                yield HttpBody(data=head)
        if expected is not None and sent != expected:
            raise ProviderMisbehaved(
                "The provider sent another number of bytes than it announced.",
                sent=str(sent),
                size=str(expected),
            )
        context.set_trailing_metadata(((SHA256, digest.hexdigest()), (LENGTH, str(sent))))
    finally:
        if hasattr(chunks, "aclose"):
            await chunks.aclose()


class _Window:
    """The bytes of a stream from `offset` on, at most `length` of them, in pieces of at most PIECE_BYTES."""

    __slots__ = ("_held", "_left", "_skip")

    def __init__(self, offset: int, length: int | None) -> None:
        self._skip, self._left, self._held = offset, length, b""

    async def next(self, chunks: AsyncIterator[bytes]) -> bytes:
        """The next piece; empty at the end."""
        while self._left != 0:
            if not self._held:
                try:
                    self._held = await anext(chunks)
                except StopAsyncIteration:
                    return b""
                skipped = min(self._skip, len(self._held))
                self._skip, self._held = self._skip - skipped, self._held[skipped:]
                continue
            limit = PIECE_BYTES if self._left is None else min(PIECE_BYTES, self._left)
            piece, self._held = self._held[:limit], self._held[limit:]
            if self._left is not None:
                self._left -= len(piece)
            return piece
        return b""


def _headers(download: Download, piece: Piece, expected: int | None) -> tuple[tuple[str, str], ...]:
    size = download.stream.size_bytes
    pairs = [
        ("etag", f'"{download.tag}"'),
        ("content-disposition", _disposition(download.filename)),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox; default-src 'none'"),
        ("cache-control", "private, no-transform"),
    ]
    if size is not None:
        pairs.append(("accept-ranges", "bytes"))
    if piece.status:
        pairs.append((STATUS, piece.status))
    if piece.status == "206":
        last = piece.offset + (expected or 0) - 1
        pairs.append(("content-range", f"bytes {piece.offset}-{last}/{size}"))
    if piece.status == "416":
        pairs.append(("content-range", f"bytes */{size}"))
    elif piece.status != "304" and expected is not None:
        pairs.append((LENGTH, str(expected)))
    return tuple(pairs)


def _disposition(filename: str) -> str:
    """Always an attachment: what mail carries is never shown as a page of ours."""
    if not filename:
        return "attachment"
    short = filename[:MAX_FILENAME].encode("utf-8", "replace").decode()
    plain = _UNSAFE.sub("_", short)
    if plain == short:
        return f'attachment; filename="{plain}"'
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(short, safe='')}"
