"""The kept dialogues of the accounts that run on this node: the newest lines, in memory, bounded.

It owns how much is kept and who reads it. It refuses masking (lines come masked) and files: what is said is gone with the
process. A line costs one append; a reader who follows and is too slow is told how many lines it has missed, and nobody
waits for it.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from postroom_server.domain.dialogue import SILENCE, Dialogue, Direction, Line
from postroom_server.errors import OwnerUnknown
from postroom_server.ids import AccountId

MAX_LINES: Final = 1_000
"""Lines of one account."""
MAX_CHARACTERS: Final = 1_024
"""Of one line's text; the rest of it is counted, not kept."""
ACCOUNT_BYTES: Final = 256 * 1024
"""Memory of one account's lines; less where the node runs so many accounts that they would not fit."""
NODE_BYTES: Final = 32 * 1024 * 1024
"""Memory of all lines of a node."""
LINE_BYTES: Final = 130
"""What a line costs beside its text: a tuple, a number, a place in the queue."""
HEARTBEAT_SECONDS: Final = 20.0
"""A reader who follows hears something at least so often."""
READ_LINES: Final = 200
"""Lines that a reader takes at a time."""

_Kept = tuple[float, str, Direction, str]


class Dialogues:
    """The dialogues of a node; `of` is the `DialogueSource` of its backends."""

    def __init__(self, *, node_bytes: int = NODE_BYTES, account_bytes: int = ACCOUNT_BYTES) -> None:
        self._rings: dict[AccountId, Ring] = {}
        self._node_bytes, self._account_bytes = node_bytes, account_bytes
        self.used = 0
        """Bytes of all lines."""

    def __repr__(self) -> str:
        return f"<Dialogues accounts={len(self._rings)} bytes={self.used}>"

    @property
    def allowance(self) -> int:
        """Bytes that each account may keep now."""
        return min(self._account_bytes, self._node_bytes // max(1, len(self._rings)))

    def begin(self, account: AccountId) -> None:
        """The account runs here from now on; what is kept of it already stays."""
        if account not in self._rings:
            self._rings[account] = Ring(self)

    def forget(self, account: AccountId) -> None:
        """The account does not run here any more: its lines go, and whoever reads them is told."""
        ring = self._rings.pop(account, None)
        if ring is not None:
            ring.end()

    def stop(self) -> None:
        """The node drains: nothing is kept any more, and readers are told."""
        for account in tuple(self._rings):
            self.forget(account)

    def of(self, account: AccountId) -> Dialogue:
        """The dialogue of an account that runs here, else one that keeps nothing."""
        return self._rings.get(account, SILENCE)

    def read(self, account: AccountId, *, most: int, follow: bool) -> AsyncGenerator[Sequence[Line], None]:
        """The newest `most` lines (0: all), oldest first; see `Ring.read`. Raises OwnerUnknown."""
        ring = self._rings.get(account)
        if ring is None:
            raise OwnerUnknown(account=account)
        return ring.read(account, most=most, follow=follow)

    def took(self, change: int) -> None:
        """A ring has grown or shrunk by so many bytes; when all are full, each gives something back."""
        self.used += change
        if self.used > self._node_bytes:
            most = self.allowance * 3 // 4
            for ring in self._rings.values():
                ring.shrink(most)


class Ring:
    """The lines of one account. A line's number counts all that were ever said, so that a reader sees what it missed."""

    def __init__(self, node: Dialogues) -> None:
        self._node = node
        self._lines: deque[_Kept] = deque()
        self._first = 0
        self._bytes = 0
        self._sessions: Counter[str] = Counter()
        self._readers: set[asyncio.Event] = set()
        self.ended = False

    def __repr__(self) -> str:
        return f"<Ring lines={len(self._lines)} bytes={self._bytes} readers={len(self._readers)}>"

    @property
    def size(self) -> int:
        """Bytes of its lines."""
        return self._bytes

    def session(self, kind: str) -> _Session:
        """A new connection."""
        self._sessions[kind] += 1
        return _Session(self, f"{kind}-{self._sessions[kind]}")

    def add(self, session: str, direction: Direction, text: str) -> None:
        """Keeps a line, and lets the oldest ones go."""
        if self.ended:
            return
        if len(text) > MAX_CHARACTERS:
            text = f"{text[:MAX_CHARACTERS]}… {len(text) - MAX_CHARACTERS} more"
        before = self._bytes
        self._lines.append((time.time(), session, direction, text))
        self._bytes += LINE_BYTES + sys.getsizeof(text)
        while len(self._lines) > MAX_LINES or self._bytes > self._node.allowance:
            self._drop_oldest()
        self._node.took(self._bytes - before)
        for reader in self._readers:
            reader.set()

    def _drop_oldest(self) -> None:
        self._bytes -= LINE_BYTES + sys.getsizeof(self._lines.popleft()[3])
        self._first += 1

    def shrink(self, most: int) -> None:
        """Keeps no more than so many bytes."""
        before = self._bytes
        while self._bytes > most:
            self._drop_oldest()
        self._node.used -= before - self._bytes

    def end(self) -> None:
        """Keeps nothing from now on."""
        self.ended = True
        self.shrink(0)
        for reader in self._readers:
            reader.set()

    async def read(
        self, account: AccountId, *, most: int, follow: bool
    ) -> AsyncGenerator[Sequence[Line], None]:
        """Some lines at a time, the newest `most` first of all; with `follow` endlessly, nothing as a sign of life.

        Raises OwnerUnknown when the account does not run here any more.
        """
        end = self._first + len(self._lines)
        position = max(self._first, end - most) if most else self._first
        news = asyncio.Event()
        self._readers.add(news)
        try:
            while position < end or follow:
                if self.ended:
                    raise OwnerUnknown(account=account)
                lines, position = self._from(position, None if follow else end)
                if lines:
                    yield lines
                    continue
                if not follow:
                    return
                news.clear()
                try:
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        await news.wait()
                except TimeoutError:
                    yield ()
        finally:
            self._readers.discard(news)

    def _from(self, position: int, end: int | None) -> tuple[list[Line], int]:
        """The lines from a number on, and the number after them."""
        missed = self._first - position
        start = max(0, -missed)
        stop = start + READ_LINES if end is None else min(start + READ_LINES, end - self._first)
        kept = itertools.islice(self._lines, start, max(start, stop))
        lines = [
            Line(time=when, session=session, direction=direction, text=text)
            for when, session, direction, text in kept
        ]
        after = self._first + start + len(lines)
        if missed > 0:
            told = f"{missed} lines were said faster than they were read, and are gone"
            when = lines[0].time if lines else time.time()
            lines.insert(0, Line(time=when, session="account", direction=Direction.EVENT, text=told))
        return lines, after


class _Session:
    """One connection's way into the ring."""

    __slots__ = ("_name", "_ring")

    def __init__(self, ring: Ring, name: str) -> None:
        self._ring, self._name = ring, name

    @property
    def open(self) -> bool:
        return not self._ring.ended

    def say(self, direction: Direction, text: str) -> None:
        self._ring.add(self._name, direction, text)
