"""Reads FETCH responses: what a server tells about one message (RFC 9051 section 7.5.2).

Owns UID, FLAGS, INTERNALDATE, RFC822.SIZE, MODSEQ, ENVELOPE, BODYSTRUCTURE, BODY[...] and BINARY[...], the ids of
RFC 8474 and of Gmail. Refuses MIME: subjects and names stay bytes, to be decoded by whoever knows charsets. Items that
this package does not know are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from postroom_server.backends.imap.wire.data import flag_set
from postroom_server.backends.imap.wire.faults import Malformed
from postroom_server.backends.imap.wire.sequences import MAX_UID
from postroom_server.backends.imap.wire.splitter import Parts
from postroom_server.backends.imap.wire.structure import BodyPart, Envelope, read_envelope, read_structure
from postroom_server.backends.imap.wire.tokens import Node, as_bytes, as_int, as_list, read

__all__ = ["Fetch", "read_date", "read_fetch"]

PLAIN_FLAGS = 1_024
"""Flag lists that are remembered: a reading of a mailbox repeats few of them a hundred thousand times."""

_SECTION = re.compile(rb"(BODY|BINARY(?:\.SIZE)?)\[([^\]]*)\](?:<(\d{1,10})>)?\Z", re.IGNORECASE)
_PLAIN = re.compile(rb"\(UID (\d{1,9}) FLAGS \(([^()\"{\r\n]{0,512})\)\)\r\n\Z")
_DATE = re.compile(rb" ?(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d{2}):(\d{2}):(\d{2}) ([+\-])(\d{2})(\d{2})\Z")
_MONTHS = {name: number for number, name in enumerate(
    (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"), start=1
)}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """What one response told of a message; None where it did not.

    `sections` maps a section in upper case ("", "1.2", "HEADER.FIELDS (REFERENCES)") to its bytes; empty where a sink
    took them, None where the server has none. `binary_sizes` counts decoded bytes.
    """

    number: int
    uid: int | None = None
    flags: frozenset[str] | None = None
    internal_date: datetime | None = None
    size: int | None = None
    modseq: int | None = None
    envelope: Envelope | None = None
    structure: BodyPart | None = None
    sections: Mapping[str, bytes | None] = field(default_factory=dict)
    binary_sizes: Mapping[str, int] = field(default_factory=dict)
    email_id: str | None = None
    thread_id: str | None = None
    gmail_message_id: int | None = None
    gmail_thread_id: int | None = None
    gmail_labels: frozenset[bytes] | None = None


def read_date(text: bytes | None) -> datetime | None:
    """Return an INTERNALDATE in UTC; None where it is no date: some servers store what a client once sent."""
    match = _DATE.match(text or b"")
    if not match:
        return None
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = match.groups()
    offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
    try:
        zone = timezone(offset if sign == b"+" else -offset)
        local = datetime(
            int(year), _MONTHS[month.lower()], int(day), int(hour), int(minute), int(second), tzinfo=zone
        )
        return local.astimezone(UTC)
    except (ValueError, KeyError, OverflowError):
        return None


@lru_cache(maxsize=PLAIN_FLAGS)
def _plain_flags(text: bytes) -> frozenset[str]:
    return flag_set(list(text.split()))


def _unsigned(node: Node, top: int) -> int:
    value = as_int(node)
    if not 0 <= value <= top:
        raise Malformed("a number outside its range")
    return value


def _object_id(node: Node) -> str | None:
    values = as_list(node)
    raw = as_bytes(values[0]) if values else None
    return raw.decode("ascii", "replace") if raw else None


def _simple(name: bytes, value: Node, found: dict[str, Any]) -> None:
    match name:
        case b"UID":
            found["uid"] = _unsigned(value, MAX_UID)
        case b"FLAGS":
            found["flags"] = flag_set(value)
        case b"INTERNALDATE":
            found["internal_date"] = read_date(as_bytes(value))
        case b"RFC822.SIZE":
            found["size"] = max(0, as_int(value))
        case b"MODSEQ":
            values = as_list(value)
            found["modseq"] = _unsigned(values[0], (1 << 63) - 1) if values else None
        case b"ENVELOPE":
            found["envelope"] = read_envelope(value)
        case b"BODYSTRUCTURE" | b"BODY":
            found["structure"] = read_structure(value)
        case b"EMAILID":
            found["email_id"] = _object_id(value)
        case b"THREADID":
            found["thread_id"] = _object_id(value)
        case b"X-GM-MSGID":
            found["gmail_message_id"] = as_int(value)
        case b"X-GM-THRID":
            found["gmail_thread_id"] = as_int(value)
        case b"X-GM-LABELS":
            found["gmail_labels"] = frozenset(
                label for label in map(as_bytes, as_list(value)) if label is not None
            )
        case _:
            pass


def read_fetch(number: int, parts: Parts, offset: int) -> Fetch:
    r"""Read `* 12 FETCH (UID 7 FLAGS (\Seen))` from behind the word FETCH.

    Raises:
        Malformed: it is no list of pairs, or a known item has the wrong shape.
    """
    plain = _PLAIN.match(parts[0], offset)
    if plain:
        return Fetch(number=number, uid=int(plain.group(1)), flags=_plain_flags(plain.group(2)))
    nodes = read(parts, offset)
    if not nodes or not isinstance(nodes[0], list) or len(nodes[0]) % 2:
        raise Malformed("message data without a list of pairs")
    items = nodes[0]
    found: dict[str, Any] = {}
    sections: dict[str, bytes | None] = {}
    binary_sizes: dict[str, int] = {}
    for key, value in zip(items[::2], items[1::2], strict=True):
        name = key.upper() if isinstance(key, bytes) else b""
        if name[-1:] in (b"]", b">") and (section := _SECTION.match(name)):
            label = section.group(2).decode("latin-1")
            if section.group(1) == b"BINARY.SIZE":
                binary_sizes[label] = max(0, as_int(value))
            else:
                sections[label] = as_bytes(value)
        else:
            _simple(name, value, found)
    return Fetch(number=number, sections=sections, binary_sizes=binary_sizes, **found)
