"""The dialogue with a provider as people may see it: lines of text in which nothing secret is left.

It owns the shape of a line, the port by which a backend says one, and how a secret is recognised that a server repeats. It
refuses to keep anything (`workers/dialogues.py` does) and to know a protocol: each backend masks its own, before a line
leaves it. What a line may never hold: a password, a token, or what a message says; its size stands in its place.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol
from urllib.parse import quote

from postroom_server.ids import AccountId

MASK: Final = "***"
"""Stands for a secret."""
MIN_TRACE: Final = 4
"""Letters and digits that are left of a secret, or of a coding of it, so that it is looked for without anything between."""
MIN_REPLACED: Final = 6
"""Characters of a secret that is cut out of a text: what is left around a shorter one would tell it."""
_BESIDE: Final = re.compile(r"[\W_]+")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Direction(StrEnum):
    """Who said a line."""

    SENT = "SENT"
    RECEIVED = "RECEIVED"
    EVENT = "EVENT"
    """Nobody: the connection was made, encrypted, lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line. `time` is in seconds since 1970; `session` names the connection, such as `pool-2`."""

    time: float
    session: str
    direction: Direction
    text: str


class SessionLog(Protocol):
    """Takes the lines of one connection. Lines are masked already, without line ends; long ones are cut."""

    @property
    def open(self) -> bool:
        """Whether lines are kept; False spares the caller the masking."""
        ...

    def say(self, direction: Direction, text: str) -> None:
        """Keeps one line."""
        ...


class Dialogue(Protocol):
    """The dialogue of one account."""

    def session(self, kind: str) -> SessionLog:
        """A new connection of a kind (`watch`, `pool`, `smtp`); the next number is put behind it."""
        ...


class DialogueSource(Protocol):
    """Where backends get the dialogue of an account."""

    def __call__(self, account: AccountId, /) -> Dialogue:
        """The account's dialogue; one that keeps nothing where the account does not run here."""
        ...


class _Silence:
    """Keeps nothing."""

    open = False

    def session(self, kind: str) -> SessionLog:
        return self

    def say(self, direction: Direction, text: str) -> None:
        """Forgets the line."""


SILENCE: Final = _Silence()
"""A dialogue, and a connection of it, that keep nothing."""


def no_dialogue(_account: AccountId) -> Dialogue:
    """Keeps nothing of any account."""
    return SILENCE


class Secrets:
    """Secrets that a server may repeat: as they are, in other case, escaped, with anything between, in base64 or hexadecimal."""

    __slots__ = ("_plain", "_traces")

    def __init__(self, *given: bytes) -> None:
        secrets = [one for one in given if one]
        self._plain = frozenset(one.decode("utf-8", "replace").casefold() for one in secrets)
        traces = (_letters(trace) for one in secrets for trace in _codings(one))
        self._traces = frozenset(trace for trace in traces if len(trace) >= MIN_TRACE)

    def __bool__(self) -> bool:
        return bool(self._plain)

    def __repr__(self) -> str:
        return f"<Secrets {len(self._plain)}>"

    def stand_in(self, text: str) -> bool:
        """Whether the text repeats one."""
        folded = text.casefold()
        if any(secret in folded for secret in self._plain):
            return True
        letters = _letters(text)
        return any(trace in letters for trace in self._traces)

    def cleaned(self, text: str) -> str:
        """The text, where it repeats none; else without them, or nothing of it where they would show through."""
        if not self.stand_in(text):
            return text
        for secret in self._plain:
            if len(secret) >= MIN_REPLACED:
                text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", MASK, text, flags=re.IGNORECASE)
        return MASK if self.stand_in(text) else text


class Teller:
    """Tells what happens to one connection, and keeps to itself what is secret while it logs in."""

    __slots__ = ("_hidden", "_log")

    def __init__(self, log: SessionLog = SILENCE) -> None:
        self._log = log
        self._hidden = Secrets()

    @contextmanager
    def hiding(self, *secrets: bytes) -> Iterator[None]:
        """Within it, what the server says is not shown where it repeats one of these, and errors are without them."""
        self._hidden = Secrets(*secrets)
        try:
            yield
        finally:
            self._hidden = Secrets()

    def cleaned(self, text: str) -> str:
        """A text of the server, without what is hidden now."""
        return self._hidden.cleaned(text)

    def event(self, text: str) -> None:
        """Something happened to the connection."""
        if self._log.open:
            told = MASK if self._hidden.stand_in(text) else printable(text, instead=" ")
            self._log.say(Direction.EVENT, told)


def _codings(secret: bytes) -> Iterator[str]:
    """The secret as text, with its codings; in base64 wherever it may begin in what was coded."""
    yield secret.decode("utf-8", "replace")
    yield quote(secret)
    yield secret.hex()
    for before in range(3):
        coded = base64.b64encode(bytes(before) + secret).decode("ascii")
        yield coded[(before * 8 + 5) // 6 : (before + len(secret)) * 8 // 6]


def _letters(text: str) -> str:
    return _BESIDE.sub("", text.casefold())


def printable(text: bytes | str, *, instead: str = "") -> str:
    """Text without what would move a reader's terminal or turn the line around."""
    return _UNPRINTABLE.sub(instead, text.decode("utf-8", "replace") if isinstance(text, bytes) else text)


def size(count: int) -> str:
    """How many bytes of a message, or of a string that may be of one, stood here."""
    return f"{{{count} bytes}}"
