"""The dialogue with a provider as people may see it: lines of text in which nothing secret is left.

It owns the shape of a line and the port by which a backend says one. It refuses to keep anything (`workers/dialogues.py`
does) and to know a protocol: each backend masks its own, before a line leaves it. What a line may never hold: a password,
a token, or what a message says; its size stands in its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from postroom_server.ids import AccountId

MASK: Final = "***"
"""Stands for a secret."""


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


def size(count: int) -> str:
    """How many bytes of a message, or of a string that may be of one, stood here."""
    return f"{{{count} bytes}}"
