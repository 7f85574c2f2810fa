"""One connection's dialogue as people may see it: what was said, without secrets and without what messages say.

Owns the masking. Kept are command words, flags, numbers, mailbox names, and the text of status lines; a literal, and a
string that may come from a message or a search, becomes its size; arguments of a login and answers to challenges become
`***`, and so does a line of the server that repeats a secret. What breaks the grammar becomes its size too: it may be the
inside of a message. Refuses to cost much: of a long answer the first lines are kept and the others counted.

    C: P4 UID FETCH 7 (ENVELOPE BODY.PEEK[])
    S: * 1 FETCH (UID 7 ENVELOPE ({31 bytes} {12 bytes} ...) BODY[] {1234 bytes})
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Final

from postroom_server.backends.imap.wire.splitter import Parts
from postroom_server.domain.dialogue import MASK, SILENCE, Direction, SessionLog, Teller, printable, size

__all__ = ["Told", "shown_command", "shown_response"]

SHOWN_BYTES: Final = 2_048
"""Of one command or response; the rest is only counted."""
SHOWN_ALIKE: Final = 20
"""Responses of one kind in a row that are shown one by one."""
PAUSE_SECONDS: Final = 1.0
"""After such a pause the next response is not one of a row any more."""

_SHOWN_STRINGS: Final = frozenset(
    b"APPEND COPY CREATE DELETE ENABLE EXAMINE ID LIST LSUB MOVE NAMESPACE NOTIFY RENAME SELECT STATUS SUBSCRIBE "
    b"UNSUBSCRIBE XLIST FLAGS CAPABILITY ENABLED QUOTA QUOTAROOT GETQUOTAROOT".split()
)
"""Commands and responses whose strings are names of mailboxes, or of programs."""
_PIECE: Final = re.compile(rb'"((?:[^"\\]|\\.)*+)(?:"|\\?\Z)|~?\{(\d{1,10})\+?\}\r\n')
_RESPONSE: Final = re.compile(rb"\* (?:\d{1,10} +)?([A-Za-z][A-Za-z0-9.\-]{0,31})(?=[\s()\[]|\Z)")
_TAGGED: Final = re.compile(rb"[A-Za-z0-9]{1,32} (OK|NO|BAD)(?=[\s]|\Z)", re.IGNORECASE)
_STATUS: Final = frozenset({b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"})


def shown_command(command: str, chunks: Sequence[bytes]) -> str:
    """A command as it may be shown, from the chunks that are sent."""
    line = b"".join(chunks)
    if command == "LOGIN":
        return f"{printable(line.partition(b' ')[0])} LOGIN {MASK} {MASK}"
    if command == "AUTHENTICATE":
        words = line.strip().split(b" ", 3)
        return " ".join([*map(printable, words[:3]), *([MASK] if len(words) > 3 else [])])
    names = command.encode().rpartition(b" ")[2].upper() in _SHOWN_STRINGS
    out, position, whole = [], 0, len(line)
    while position < min(whole, SHOWN_BYTES):
        shown, position = _next(line, position, names=names)
        out.append(shown)
    rest = f" {size(whole - position)}" if position < whole else ""
    return printable(b"".join(out)) + rest


def shown_response(parts: Parts) -> str:
    """A response as it may be shown."""
    head = parts[0]
    if head.startswith(b"+"):
        return printable(head[:SHOWN_BYTES])
    found = _RESPONSE.match(head)
    name = found.group(1).upper() if found else b""
    if name in _STATUS or _TAGGED.match(head):
        return printable(head[:SHOWN_BYTES])
    if not name:
        return f"{printable(head[:2]) if head[:2] == b'* ' else ''} {size(sum(map(len, parts)))} not understood".strip()
    names = name in _SHOWN_STRINGS
    out, length = [], 0
    for index in range(0, len(parts), 2):
        text = parts[index]
        if length + len(text) > SHOWN_BYTES:
            out.append(f" {size(sum(map(len, parts[index:])))}".encode())
            break
        length += len(text)
        position = 0
        while position < len(text):
            shown, position = _next(text, position, names=names)
            out.append(shown)
    return printable(b"".join(out))


def _next(line: bytes, position: int, *, names: bool) -> tuple[bytes, int]:
    """What is shown of the line up to and with its next string, and where that ends; a literal's bytes are passed over."""
    found = _PIECE.search(line, position)
    if found is None:
        return _cut(line[position:]), max(len(line), position)
    before = _cut(line[position : found.start()])
    if found.group(2) is not None:
        length = int(found.group(2))
        return before + size(length).encode(), found.end() + length
    shown = found.group() if names else size(len(found.group(1))).encode()
    return before + shown, found.end()


def _cut(text: bytes) -> bytes:
    if len(text) <= SHOWN_BYTES:
        return text
    return text[:SHOWN_BYTES] + f"… {size(len(text) - SHOWN_BYTES)}".encode()


class Told(Teller):
    """Takes what one connection says and hears; see the module."""

    __slots__ = ("_alike", "_at", "_kind")

    def __init__(self, log: SessionLog = SILENCE) -> None:
        super().__init__(log)
        self._kind = b""
        self._alike = 0
        self._at = 0.0

    def event(self, text: str) -> None:
        """Something happened to the connection."""
        if self._log.open:
            self._end_row()
        super().event(text)

    def sent(self, command: str, chunks: Sequence[bytes]) -> None:
        """A command goes out."""
        if self._log.open:
            self._end_row()
            self._log.say(Direction.SENT, shown_command(command, chunks))

    def answered(self, command: str, reply: bytes) -> None:
        """A bare line goes out within a command: DONE, or the answer to a challenge."""
        if self._log.open:
            self._end_row()
            secret = command == "AUTHENTICATE" and reply not in (b"", b"*")
            self._log.say(Direction.SENT, MASK if secret else printable(reply))

    def received(self, parts: Parts) -> None:
        """A response came."""
        if not self._log.open or self._is_one_of_many(parts[0]):
            return
        if self._hidden and self._hidden.stand_in(b"".join(parts).decode("utf-8", "replace")):
            self._log.say(Direction.RECEIVED, f"{printable(parts[0].partition(b' ')[0][:32])} {MASK}")
        elif self._hidden and parts[0].startswith(b"+"):
            challenge = len(parts[0][1:].strip())
            self._log.say(Direction.RECEIVED, f"+ {size(challenge)}" if challenge else "+")
        else:
            self._log.say(Direction.RECEIVED, shown_response(parts))

    def _is_one_of_many(self, line: bytes) -> bool:
        """Whether it is only counted, being one more of the same kind."""
        found = _RESPONSE.match(line)
        kind, now = found.group(1) if found else b"", time.monotonic()
        if not kind or kind != self._kind or now - self._at > PAUSE_SECONDS:
            self._end_row()
            self._kind = kind
        self._at = now
        self._alike += 1
        return bool(kind) and self._alike > SHOWN_ALIKE

    def _end_row(self) -> None:
        """Says how many were only counted."""
        more = self._alike - SHOWN_ALIKE
        if self._kind and more > 0:
            self._log.say(Direction.RECEIVED, f"* {printable(self._kind)} {more} more of them")
        self._kind, self._alike = b"", 0
