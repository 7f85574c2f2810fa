"""MIME parts as bytes: texts, files, multiparts.

It owns the choice of a Content-Transfer-Encoding by content (RFC 2045 section 6) and the delimiters (RFC 2046 section 5.1),
and refuses bare line ends: everything that it writes has CRLF only.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from postroom_server.domain.compose.fields import HARD_LINE, fold, parameter
from postroom_server.domain.mime import clean_filename

BASE64_LINE: Final = 57
"""Bytes in one line of base64."""
BASE64_SHARE: Final = 1 / 3
"""Beyond this share of bytes that quoted-printable would spell out, base64 is shorter."""

_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_NOT_PLAIN: Final = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_SPELT_OUT: Final = bytes([*range(9), *range(11, 13), *range(14, 32), 61, *range(127, 256)])


@dataclass(frozen=True, slots=True, kw_only=True)
class MimePart:
    """A part on its way out: its Content-* fields, each ended by CRLF, and its body without a last CRLF."""

    fields: bytes
    body: bytes


def crlf(raw: bytes) -> bytes:
    """`raw` with every line end, also a bare CR or LF, as CRLF."""
    return _LINE_END.sub(b"\r\n", raw)


def text_part(text: str, subtype: str) -> MimePart:
    """A text in UTF-8: as it is when it is short-lined ASCII, else quoted-printable or base64, whichever is shorter."""
    raw = crlf(text.encode("utf-8", "replace"))
    charset = fold("Content-Type", [f"text/{subtype};", "charset=utf-8"])
    if _is_plain(raw):
        return MimePart(fields=charset + _encoding("7bit"), body=raw)
    spelt = len(raw) - len(raw.translate(None, _SPELT_OUT))
    if spelt > BASE64_SHARE * len(raw):
        return MimePart(fields=charset + _encoding("base64"), body=base64_lines(raw))
    return MimePart(fields=charset + _encoding("quoted-printable"), body=quoted_printable(raw))


def _encoding(name: str) -> bytes:
    return fold("Content-Transfer-Encoding", [name])


def _is_plain(raw: bytes) -> bool:
    """Whether every relay passes `raw` on unchanged as 7bit."""
    if not raw.isascii() or _NOT_PLAIN.search(raw.replace(b"\r\n", b"")):
        return False
    lines = raw.split(b"\r\n")
    return max(map(len, lines)) <= HARD_LINE and not any(line.endswith((b" ", b"\t")) for line in lines)


def quoted_printable(raw: bytes) -> bytes:
    """RFC 2045 section 6.7 of text with CRLF line ends."""
    encoded = binascii.b2a_qp(raw + b"\r\n", quotetabs=False, istext=True)
    return crlf(encoded)[:-2]


def base64_lines(raw: bytes) -> bytes:
    """RFC 2045 section 6.8, in lines of 76 characters, without a last CRLF."""
    encoded = binascii.b2a_base64(raw, newline=False)
    width = BASE64_LINE // 3 * 4
    return b"\r\n".join([encoded[at : at + width] for at in range(0, len(encoded), width)])


def file_part(
    content: bytes, *, content_type: str, filename: str, content_id: str, disposition: str
) -> MimePart:
    """A file: base64, but for a message, which must stay as it is (RFC 2046 section 5.2.1)."""
    encoding, body = "base64", b""
    if content_type == "message/rfc822":
        body = crlf(content)
        encoding = "7bit" if body.isascii() else "8bit"
        if b"\x00" in body or max(map(len, body.split(b"\r\n"))) > HARD_LINE:
            encoding, content_type = "base64", "application/octet-stream"
    if encoding == "base64":
        body = base64_lines(content)
    fields = fold("Content-Type", [content_type]) + _encoding(encoding)
    if content_id:
        fields += fold("Content-ID", [f"<{content_id}>"])
    name = clean_filename(filename)
    tokens = [f"{disposition};", *parameter("filename", name)] if name else [disposition]
    return MimePart(fields=fields + fold("Content-Disposition", tokens), body=body)


def multipart(subtype: str, parts: Sequence[MimePart], *, seed: str) -> MimePart:
    """Parts in one multipart; a single part stays alone. The delimiter comes from `seed` and occurs in no part."""
    if len(parts) == 1:
        return parts[0]
    boundary = _boundary(subtype, parts, seed)
    extra = ['type="text/html";'] if subtype == "related" else []
    delimiter = b"--" + boundary.encode()
    pieces = [b"%s\r\n%s\r\n%s\r\n" % (delimiter, part.fields, part.body) for part in parts]
    return MimePart(
        fields=fold("Content-Type", [f"multipart/{subtype};", *extra, f'boundary="{boundary}"']),
        body=b"".join(pieces) + delimiter + b"--",
    )


def _boundary(subtype: str, parts: Sequence[MimePart], seed: str) -> str:
    number = 0
    while True:
        digest = hashlib.sha256(f"{subtype}\n{number}\n{seed}".encode()).hexdigest()[:32]
        boundary = f"=_{digest}"
        if not any(boundary.encode() in part.body for part in parts):
            return boundary
        number += 1
