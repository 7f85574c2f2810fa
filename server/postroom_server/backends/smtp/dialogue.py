"""One connection's dialogue as people may see it: commands and replies, without secrets and without messages.

It owns the masking: of a login only the mechanism is shown, of a message its size, and a reply that repeats a secret is
`***`. It refuses to look at the wire: the session says what it does, so that no secret comes near it.

    C: AUTH PLAIN ***
    S: 235 2.7.0 accepted
    C: MAIL FROM:<ann@example.org> SIZE=1234
    C: {1234 bytes}
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from postroom_server.domain.dialogue import MASK, SILENCE, Direction, Secrets, SessionLog, size

MAX_REPLY_LINES: Final = 40
"""Lines of one reply that are shown."""
_LOGIN: Final = b"AUTH"
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def shown_command(*words: bytes) -> str:
    """A command as it may be shown."""
    if words[0].upper() == _LOGIN:
        return " ".join([*map(_text, words[:2]), *([MASK] if len(words) > 2 else [])])
    return " ".join(map(_text, words))


def _text(word: bytes | str) -> str:
    return _UNPRINTABLE.sub("", word.decode("utf-8", "replace") if isinstance(word, bytes) else word)


class Told:
    """Takes what one connection says and hears; see the module."""

    __slots__ = ("_hidden", "_log")

    def __init__(self, log: SessionLog = SILENCE) -> None:
        self._log = log
        self._hidden = Secrets()

    @contextmanager
    def hiding(self, *secrets: bytes) -> Iterator[None]:
        """Within it, a reply that repeats one of these is not shown, and errors are without them."""
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
            self._log.say(Direction.EVENT, _UNPRINTABLE.sub(" ", text))

    def sent(self, *words: bytes) -> None:
        """A command goes out."""
        if self._log.open:
            self._log.say(Direction.SENT, shown_command(*words))

    def sent_message(self, count: int) -> None:
        """A message of so many bytes goes out, and its final dot."""
        if self._log.open:
            self._log.say(Direction.SENT, size(count))
            self._log.say(Direction.SENT, ".")

    def received(self, code: int, text: str) -> None:
        """A reply came, maybe of several lines."""
        if not self._log.open:
            return
        if self._hidden.stand_in(text):
            text = MASK
        lines = text.splitlines() or [""]
        for index, line in enumerate(lines[:MAX_REPLY_LINES]):
            dash = "-" if index < len(lines) - 1 else " "
            self._log.say(Direction.RECEIVED, f"{code}{dash}{_text(line)}".rstrip())
