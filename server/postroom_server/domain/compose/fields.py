"""Header fields as bytes: folding, encoded words, parameters.

It owns RFC 5322 section 2.2.3, RFC 2047 and RFC 2231 in the writing direction and refuses any control character: a line end
in a value is an error of ours, never written.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from postroom_server.domain.messages import Address

SOFT_LINE: Final = 76
HARD_LINE: Final = 998
MAX_ENCODED_WORD: Final = 75
MAX_QUOTED_NAME: Final = 60
"""A longer display name is written as encoded words, which can be folded."""
MAX_PARAMETER: Final = 60
PHRASE_START: Final = len("Reply-To: ")
"""A phrase may stand behind the longest name of an address field."""

CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Characters that no field may hold; a tab may stand."""
_ATOMS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+( [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_Q_SAFE: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")


def encode_words(text: str, taken: int = 0) -> list[str]:
    """`text` as RFC 2047 words of at most 75 characters, none of which splits a character; to be joined by a space.

    `taken` is how much of the first line stands already.
    """
    raw = text.encode()
    plain = sum(byte in _Q_SAFE or byte == 32 for byte in raw)
    use_q = plain + 3 * (len(raw) - plain) <= len(raw) * 4 // 3 + 4
    kind, room = ("q" if use_q else "b"), _room(taken, use_q=use_q)
    words: list[str] = []
    piece, used = bytearray(), 0
    for char in text:
        encoded = char.encode()
        cost = sum(1 if byte in _Q_SAFE or byte == 32 else 3 for byte in encoded) if use_q else len(encoded)
        if piece and used + cost > room:
            words.append(_word(bytes(piece), kind))
            piece, used, room = bytearray(), 0, _room(0, use_q=use_q)
        piece += encoded
        used += cost
    if piece:
        words.append(_word(bytes(piece), kind))
    return words


def _room(taken: int, *, use_q: bool) -> int:
    """What fits between `=?utf-8?q?` and `?=`: characters of Q, bytes of B; room for one character at least."""
    letters = max(MAX_ENCODED_WORD - len("=?utf-8?q??=") - taken, 16)
    return letters if use_q else letters // 4 * 3


def _word(piece: bytes, kind: str) -> str:
    if kind == "b":
        return f"=?utf-8?b?{base64.b64encode(piece).decode()}?="
    body = "".join(
        [chr(byte) if byte in _Q_SAFE else "_" if byte == 32 else f"={byte:02X}" for byte in piece]
    )
    return f"=?utf-8?q?{body}?="


def fold(name: str, tokens: Sequence[str]) -> bytes:
    """`name: token token …` in lines of at most 76 characters where the tokens allow, ended by CRLF."""
    lines, line = [], f"{name}:"
    for token in tokens:
        if len(line) + 1 + len(token) > SOFT_LINE and line != f"{name}:":
            lines.append(line)
            line = ""
        line = f"{line} {token}"
    return "\r\n".join([*lines, line]).encode() + b"\r\n"


def text_field(name: str, text: str) -> bytes:
    """An unstructured field; what is not plain ASCII, or cannot be folded as it is, goes as encoded words."""
    assert not CONTROL.search(text), name
    if text.isascii() and "=?" not in text and text == text.strip():
        tokens = text.split(" ")
        if all(tokens) and max(map(len, tokens)) < HARD_LINE - len(name) - 3:
            return fold(name, tokens)
        if len(name) + 2 + len(text) <= HARD_LINE:
            return f"{name}: {text}\r\n".encode()
    return fold(name, encode_words(text, len(name) + 2))


def address_field(name: str, addresses: Sequence[Address]) -> bytes:
    """A field of addresses, folded between them; the addresses were checked before."""
    tokens: list[str] = []
    for number, one in enumerate(addresses, 1):
        comma = "," if number < len(addresses) else ""
        if one.display_name:
            tokens += [*phrase(one.display_name), f"<{one.address}>{comma}"]
        else:
            tokens.append(one.address + comma)
    return fold(name, tokens)


def phrase(text: str) -> list[str]:
    """A display name as the tokens of a phrase: atoms, a quoted string, or encoded words."""
    assert not CONTROL.search(text)
    if len(text) <= MAX_QUOTED_NAME and text.isascii() and "=?" not in text and "\t" not in text:
        if _ATOMS.fullmatch(text):
            return text.split(" ")
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return [f'"{escaped}"']
    return encode_words(text, PHRASE_START)


def parameter(name: str, value: str) -> list[str]:
    """One parameter of a Content-* field as tokens, each but for the last ended by a semicolon (RFC 2231)."""
    assert not CONTROL.search(value)
    if value.isascii() and len(value) <= MAX_PARAMETER and "=?" not in value:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return [f'{name}="{escaped}"']
    pieces, piece = [], ""
    for char in value:
        encoded = quote(char, safe="")
        if piece and len(piece) + len(encoded) > MAX_PARAMETER - 10:
            pieces.append(piece)
            piece = ""
        piece += encoded
    pieces.append(piece)
    if len(pieces) == 1:
        return [f"{name}*=utf-8''{piece}"]
    pieces[0] = "utf-8''" + pieces[0]
    last = len(pieces) - 1
    return [
        f"{name}*{number}*={piece}" + (";" if number < last else "") for number, piece in enumerate(pieces)
    ]
