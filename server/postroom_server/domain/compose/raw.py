"""The check of a message that a caller wrote as bytes.

It owns what raw bytes must be before they leave: CRLF, a header block within bounds, one From, no Bcc (threats T04, T35), and
refuses to repair anything else: the rest goes out as it came.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Final

from postroom_server.domain.compose.addresses import check_address, check_envelope
from postroom_server.domain.compose.building import is_message_id
from postroom_server.domain.compose.fields import fold
from postroom_server.domain.mime import (
    MAX_HEADER_BLOCK,
    MAX_HEADER_FIELD,
    MAX_HEADER_FIELDS,
    ParsedMessage,
    parse_address_list,
    parse_fields,
    parse_message_ids,
    split_headers,
)
from postroom_server.domain.outbox import MAX_RECIPIENTS, SmtpEnvelope
from postroom_server.errors import RequestInvalid

PATH: Final = "submission.raw"
_FIELD: Final = re.compile(rb"[!-9;-~]{1,128}[ \t]*:")
_BARE_CR: Final = re.compile(rb"\r(?!\n)")
_BARE_LF: Final = re.compile(rb"(?<!\r)\n")
_NEVER_SENT: Final = frozenset({b"bcc", b"resent-bcc"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RawMessage:
    """A checked message: CRLF only, without Bcc. `recipients` are the addresses of To, Cc and Bcc, each once.

    `internet_message_id` is None when it has none, or one that is not well formed (which was taken out).
    """

    raw: bytes
    summary: ParsedMessage
    sender: str
    recipients: tuple[str, ...]
    internet_message_id: str | None
    has_date: bool

    def completed(self, *, now: datetime, message_id: str) -> bytes:
        """The bytes with the Date and Message-ID fields that RFC 5322 section 3.6 asks for, where they are missing."""
        missing = b"" if self.has_date else fold("Date", [format_datetime(now)])
        if self.internet_message_id is None:
            missing += fold("Message-ID", [f"<{message_id}>"])
        return missing + self.raw

    def envelope(self, path: str = PATH) -> SmtpEnvelope:
        """Its own envelope. Raises RequestInvalid when nobody is named, or more than 1,000 are."""
        return check_envelope(self.sender, [(one, path) for one in self.recipients], path)


def check_raw(raw: bytes, path: str = PATH) -> RawMessage:
    """A message of the caller's, ready to be sent.

    Raises:
        RequestInvalid: At `path`: a bare CR or a NUL, a header block beyond 256 KiB or 1,000 fields or with a line that is no
            field, no From or several, an address that is not well formed.
    """
    if b"\x00" in raw:
        raise RequestInvalid(path, "holds a NUL byte")
    if _BARE_CR.search(raw):
        raise RequestInvalid(path, "holds a CR without LF")
    raw = _BARE_LF.sub(b"\r\n", raw)
    block, separator, body = _split(raw, path)
    fields = _fields(block, path)
    digest = split_headers(block)
    sender = _sender(digest, path)
    message_id = _message_id(digest)
    unsent = _NEVER_SENT if message_id else _NEVER_SENT | {b"message-id"}
    kept = b"".join([field for name, field in fields if name not in unsent])
    if body and not body.endswith(b"\r\n"):
        body += b"\r\n"
    return RawMessage(
        raw=kept + separator + body,
        summary=parse_fields(block),
        sender=sender,
        recipients=_recipients(digest, path),
        internet_message_id=message_id,
        has_date=any(name == "date" for name, _ in digest),
    )


def _split(raw: bytes, path: str) -> tuple[bytes, bytes, bytes]:
    """Header block with its last CRLF, the empty line, the body."""
    if raw.startswith(b"\r\n"):
        raise RequestInvalid(path, "has no header")
    end = raw.find(b"\r\n\r\n", 0, MAX_HEADER_BLOCK)
    if end < 0 and len(raw) > MAX_HEADER_BLOCK:
        raise RequestInvalid(path, f"has a header of more than {MAX_HEADER_BLOCK} bytes")
    if end < 0:
        return raw.rstrip(b"\r\n") + b"\r\n", b"\r\n", b""
    return raw[: end + 2], b"\r\n", raw[end + 4 :]


def _fields(block: bytes, path: str) -> list[tuple[bytes, bytes]]:
    """(lower-case name, bytes with folding and CRLF) of every field."""
    fields: list[tuple[bytes, list[bytes]]] = []
    start = position = 0
    for number, line in enumerate(block.removesuffix(b"\r\n").split(b"\r\n"), 1):
        match = _FIELD.match(line)
        if line[:1] in {b" ", b"\t"} and fields:
            fields[-1][1].append(line)
        elif match is None:
            raise RequestInvalid(path, f"line {number} of the header is no field")
        else:
            fields.append((match[0][:-1].rstrip().lower(), [line]))
            start = position
        if position + len(line) - start > MAX_HEADER_FIELD:
            raise RequestInvalid(path, f"has a header field of more than {MAX_HEADER_FIELD} bytes")
        position += len(line) + 2
        if len(fields) > MAX_HEADER_FIELDS:
            raise RequestInvalid(path, f"has more than {MAX_HEADER_FIELDS} header fields")
    return [(name, b"\r\n".join(lines) + b"\r\n") for name, lines in fields]


def _sender(digest: list[tuple[str, bytes]], path: str) -> str:
    """The address of the one From field; with several addresses in it, the first (RFC 5322 section 3.6.2)."""
    senders = [value for name, value in digest if name == "from"]
    if len(senders) != 1:
        raise RequestInvalid(path, "has more than one From field" if senders else "has no From field")
    addresses = parse_address_list(senders[0])
    if not addresses:
        raise RequestInvalid(path, "has no address in its From field")
    return check_address(addresses[0].address, path)


def _message_id(digest: list[tuple[str, bytes]]) -> str | None:
    found = [value for name, value in digest if name == "message-id"]
    ids = parse_message_ids(found[0]) if len(found) == 1 else ()
    return ids[0] if len(ids) == 1 and is_message_id(ids[0]) else None


def _recipients(digest: list[tuple[str, bytes]], path: str) -> tuple[str, ...]:
    unique: dict[str, None] = {}
    for name in ("to", "cc", "bcc"):
        for value in [value for found, value in digest if found == name]:
            for one in parse_address_list(value, MAX_RECIPIENTS + 1):
                if one.address:
                    unique.setdefault(check_address(one.address, path))
    return tuple(unique)
