"""One connection's dialogue as people may see it: commands and replies, without secrets and without messages.

It owns the masking: of a login only the mechanism is shown, of a message its size, and a reply that repeats a secret is
`***`. It refuses to look at the wire: the session says what it does, so that no secret comes near it.

    C: AUTH PLAIN ***
    S: 235 2.7.0 accepted
    C: MAIL FROM:<ann@example.org> SIZE=1234
    C: {1234 bytes}
"""

from __future__ import annotations

from typing import Final

from postroom_server.domain.dialogue import MASK, Direction, Teller, printable, size

MAX_REPLY_LINES: Final = 40
"""Lines of one reply that are shown."""
_LOGIN: Final = b"AUTH"


def shown_command(*words: bytes) -> str:
    """A command as it may be shown."""
    if words[0].upper() == _LOGIN:
        return " ".join([*map(printable, words[:2]), *([MASK] if len(words) > 2 else [])])
    return " ".join(map(printable, words))


class Told(Teller):
    """Takes what one connection says and hears; see the module."""

    __slots__ = ()

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
            self._log.say(Direction.RECEIVED, f"{code}{dash}{printable(line)}".rstrip())
