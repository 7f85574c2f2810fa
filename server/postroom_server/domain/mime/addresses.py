"""Address fields to addresses.

It owns the lenient reading of RFC 5322 section 3.4 with the obsolete forms of section 4.4 (comments, groups, routes, missing
quotes) in one pass over the text, and refuses to judge: whether an address may be written to is `compose`'s question.
"""

from __future__ import annotations

import re
from typing import Final

from postroom_server.domain.messages import MAX_ADDRESSES, Address
from postroom_server.domain.mime.headers import ENCODED_WORD, decode_header, header_text, printable

MAX_ADDRESS: Final = 998
MAX_DISPLAY_NAME: Final = 998
MAX_COMMENT_DEPTH: Final = 32

_ATOM: Final = re.compile(r"[^\s\"(),:;<>\[]+")
_QUOTED: Final = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"?', re.DOTALL)
_ANGLE: Final = re.compile(r'<([^<>"]*(?:"[^"\\]*(?:\\.[^"\\]*)*"?[^<>"]*)*)(>?)', re.DOTALL)
_LITERAL: Final = re.compile(r"\[[^\]\s]{0,255}\]?")
_QUOTED_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)
_SPACE: Final = re.compile(r"\s+")


class _Reader:
    """One address in the making; `words` are phrase or bare address, in order, with whether white space came before."""

    __slots__ = ("addresses", "angle", "comments", "comments_close", "limit", "words")

    def __init__(self, limit: int) -> None:
        self.addresses: list[Address] = []
        self.limit = limit
        self.comments_close = True
        self._clear()

    def _clear(self) -> None:
        self.words: list[tuple[str, bool]] = []
        self.comments: list[str] = []
        self.angle: str | None = None

    def flush(self) -> None:
        """Ends the address at a comma, a semicolon or the end."""
        if self.angle is not None:
            self._keep(self._phrase(self.words) or " ".join(self.comments), self.angle)
        elif self.words:
            self._keep_bare()
        self._clear()

    def drop_phrase(self) -> None:
        """What came before a colon names a group."""
        self._clear()

    def _keep_bare(self) -> None:
        """Without angle brackets: `a@b (Name)`, `Name a@b`, or words only."""
        joined = _glue(self.words)
        with_at = [word for word in joined if "@" in word]
        if not with_at and len(joined) == 1:
            self._keep(" ".join(self.comments), joined[0])
        elif not with_at:
            self._keep(self._phrase(self.words), "")
        else:
            phrase = " ".join([word for word in joined if word != with_at[-1]])
            self._keep(phrase or " ".join(self.comments), with_at[-1])

    @staticmethod
    def _phrase(words: list[tuple[str, bool]]) -> str:
        return "".join([(" " if spaced else "") + word for word, spaced in words])

    def _keep(self, name: str, address: str) -> None:
        display = decode_header(name)[:MAX_DISPLAY_NAME]
        clean = printable(address).replace(" ", "")[:MAX_ADDRESS]
        if display or clean:
            self.addresses.append(Address(display_name=display, address=clean))


def _glue(words: list[tuple[str, bool]]) -> list[str]:
    """Words with the white space around `@` and `.` taken out, as old senders put it there."""
    out: list[str] = []
    for word, spaced in words:
        if out and (not spaced or word[0] in "@." or out[-1][-1] in "@."):
            out[-1] += word
        else:
            out.append(word)
    return out


def parse_address_list(raw: bytes | str, limit: int = MAX_ADDRESSES) -> tuple[Address, ...]:
    """Addresses of a From, To, Cc … field, decoded, in order, at most `limit`; never raises.

    Groups give their members; a phrase without an address keeps its display name alone.
    """
    text = header_text(raw)
    reader = _Reader(limit)
    at, spaced = 0, False
    while at < len(text) and len(reader.addresses) < limit:
        char = text[at]
        if char.isspace():
            at, spaced = at + 1, True
            continue
        at = _take(reader, text, at, spaced=spaced)
        spaced = char in "()"
    reader.flush()
    return tuple(reader.addresses[:limit])


def _take(reader: _Reader, text: str, at: int, *, spaced: bool) -> int:
    """Takes the token at `at`; returns where the next one starts."""
    char = text[at]
    if char == '"':
        match = _QUOTED.match(text, at)
        assert match is not None
        word = _QUOTED_PAIR.sub(r"\1", match[1])
        in_address = match.end() < len(text) and text[match.end()] == "@"
        reader.words.append((match[0] if in_address else word, spaced)) if word else None
        return match.end()
    if char == "(":
        comment, end = _comment(text, at) if reader.comments_close else ("", 0)
        if not end:
            reader.comments_close = False
            return at + 1
        reader.comments.append(comment)
        return end
    if char == "<":
        return _take_angle(reader, text, at)
    if char in ",;":
        reader.flush()
        return at + 1
    if char == ":":
        reader.drop_phrase()
        return at + 1
    match = ENCODED_WORD.match(text, at) or (_LITERAL if char == "[" else _ATOM).match(text, at)
    if match is None:
        return at + 1
    reader.words.append((match[0], spaced))
    return match.end()


def _take_angle(reader: _Reader, text: str, at: int) -> int:
    match = _ANGLE.match(text, at)
    assert match is not None
    inside, end = match[1], match.end()
    if not match[2] and "," in inside:
        inside = inside.partition(",")[0]
        end = at + 1 + len(inside)
    if inside.lstrip().startswith("@") and ":" in inside:
        inside = inside.partition(":")[2]
    if reader.angle is None or not reader.angle:
        reader.angle = _SPACE.sub("", inside)
    return end


def _comment(text: str, at: int) -> tuple[str, int]:
    """The comment that opens at `at` (RFC 5322 section 3.2.2) and where it ends; 0 when it does not close."""
    depth, start = 0, at
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
        elif char == "(":
            depth = min(depth + 1, MAX_COMMENT_DEPTH)
        elif char == ")":
            depth -= 1
            if not depth:
                return _QUOTED_PAIR.sub(r"\1", text[start + 1 : at]), at + 1
        at += 1
    return "", 0
