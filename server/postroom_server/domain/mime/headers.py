"""Header fields to text: folding, encoded words, message ids, dates.

It owns RFC 5322 section 2.2.3 (unfolding), RFC 2047 and the identifiers of section 3.6.4, and refuses to give back a control
character, a bidirectional override or an unbounded text. Every scan is linear in its input.
"""

from __future__ import annotations

import binascii
import re
from datetime import UTC, datetime
from email.utils import parsedate_tz
from typing import Final

from postroom_server.domain.messages import MAX_REFERENCES
from postroom_server.domain.mime.text import decode_text, decode_transfer

MAX_HEADER_BLOCK: Final = 256 * 1024
MAX_HEADER_FIELDS: Final = 1_000
MAX_HEADER_FIELD: Final = 64 * 1024
"""Bytes of one field that are read; the rest is left out."""
MAX_MESSAGE_ID: Final = 998
MAX_DATE: Final = 128
MAX_ZONE_SECONDS: Final = 24 * 3600

ENCODED_WORD: Final = re.compile(r"=\?([^?\s]{1,64})\?([bBqQ])\?([^?]*)\?=")
_ANGLE_ID: Final = re.compile(r"<([^<>]{1,998})>")
_FOLD: Final = re.compile(r"[\r\n]+([ \t]?)")
_FIELD: Final = re.compile(rb"[!-9;-~]{1,128}[ \t]*:")
_NOT_PRINTED: Final = {
    **dict.fromkeys([*range(32), *range(0x7F, 0xA0), 0x2028, 0x2029], " "),
    **dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)]),
}
"""Controls and line separators become spaces; bidirectional overrides, embeddings and isolates go (threats T30)."""


def printable(text: str) -> str:
    """`text` on one line: unfolded, each other control character as a space, without bidirectional overrides."""
    return _FOLD.sub(_unfold, text).translate(_NOT_PRINTED).strip()


def _unfold(fold: re.Match[str]) -> str:
    return fold[1] or " "


def header_text(raw: bytes | str) -> str:
    """The field as characters, encoded words still in place: raw 8-bit bytes are UTF-8 or detected."""
    if isinstance(raw, str):
        return raw[:MAX_HEADER_FIELD]
    return decode_text(raw[:MAX_HEADER_FIELD], None)


def decode_header(raw: bytes | str) -> str:
    """A header field's text as people read it, on one line (see `printable`); at most 64 KiB of input are read."""
    text = header_text(raw)
    return printable(decode_words(text) if "=?" in text else text)


def decode_words(text: str) -> str:
    """`text` with its encoded words replaced; white space between two of them goes."""
    out: list[str] = []
    run: list[tuple[str, str, str]] = []
    end = 0
    for match in ENCODED_WORD.finditer(text):
        between = text[end : match.start()]
        charset, encoding, word = match[1].partition("*")[0].lower(), match[2].lower(), match[3]
        if run and (between.strip() or run[-1][0] != charset):
            out.append(_decode_run(run))
            run = []
        if between.strip() or not end:
            out.append(between)
        run.append((charset, encoding, word))
        end = match.end()
    if run:
        out.append(_decode_run(run))
    out.append(text[end:])
    return "".join(out)


def _decode_run(run: list[tuple[str, str, str]]) -> str:
    """Adjacent words of one charset: their bytes are joined first, since a character may span two words."""
    raw = bytearray()
    held = ""
    for _, encoding, word in run:
        if encoding == "q":
            raw += decode_transfer(held.encode(), "base64") + _decode_q(word)
            held = ""
            continue
        held += "".join(word.split())
        if len(held) % 4 == 0 or held.endswith("="):
            raw += decode_transfer(held.encode("ascii", "ignore"), "base64")
            held = ""
    raw += decode_transfer(held.encode("ascii", "ignore"), "base64")
    return decode_text(bytes(raw), run[0][0])


def _decode_q(word: str) -> bytes:
    joined = "".join(word.splitlines())
    return binascii.a2b_qp(joined.encode("utf-8", "replace"), header=True)


def split_headers(raw: bytes) -> list[tuple[str, bytes]]:
    """Fields of a header block as (lower-case name, unfolded value); reads up to the empty line or the bounds.

    Lines that are no field (an mbox `From ` line, garbage) are left out.
    """
    fields: list[tuple[str, bytes]] = []
    value: list[bytes] = []
    name = ""
    for line in raw[:MAX_HEADER_BLOCK].replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"):
        if line[:1] in {b" ", b"\t"}:
            value.append(line)
            continue
        if name:
            fields.append((name, b"".join(value).strip()[:MAX_HEADER_FIELD]))
            name = ""
        if not line or len(fields) == MAX_HEADER_FIELDS:
            break
        value = []
        if match := _FIELD.match(line):
            name = match[0][:-1].rstrip().decode("ascii").lower()
            value.append(line[match.end() :])
    if name:
        fields.append((name, b"".join(value).strip()[:MAX_HEADER_FIELD]))
    return fields


def parse_headers(raw: bytes) -> list[tuple[str, str]]:
    """Fields of a header block in order, as (lower-case name, decoded value); at most 256 KiB and 1,000 fields."""
    return [(name, decode_header(value)) for name, value in split_headers(raw)]


def parse_message_ids(text: bytes | str) -> tuple[str, ...]:
    """Ids of a Message-ID, In-Reply-To or References field without angle brackets, in order, each once.

    More than 100 keep the first one and the newest ones.
    """
    flat = header_text(text)
    found = ["".join(one.split()) for one in _ANGLE_ID.findall(flat)]
    if not found:
        found = [word for word in flat.split() if "@" in word and len(word) <= MAX_MESSAGE_ID]
    unique = tuple(dict.fromkeys([clean for one in found if (clean := printable(one))]))
    if len(unique) > MAX_REFERENCES:
        return unique[:1] + unique[1 - MAX_REFERENCES :]
    return unique


def parse_date(text: bytes | str) -> datetime | None:
    """A Date field in UTC, None when it cannot be read; a field without a zone is taken as UTC."""
    flat = header_text(text)[:MAX_DATE]
    try:
        fields = parsedate_tz(flat)
        if fields is None or abs(fields[9] or 0) >= MAX_ZONE_SECONDS:
            return None
        local = datetime(*fields[:6], tzinfo=UTC)
        return datetime.fromtimestamp(local.timestamp() - (fields[9] or 0), UTC)
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None
