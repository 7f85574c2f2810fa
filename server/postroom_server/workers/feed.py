"""Reading the feed: watches and lists, of one account or of all, from a place that the caller keeps.

It owns how a start becomes a place, what a gap means (expired, reset) and the order of frames: a checkpoint first, then
changes, another checkpoint as soon as a reader that was behind has caught up, one at least every heartbeat, an end last.
It refuses to queue: nothing is held per watcher but its place. A watch is a read of the log on any node; the tailer only
says when to look.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final, Protocol, TypeVar

from postroom_server.domain.cursors import Cursors
from postroom_server.domain.ports import Clock
from postroom_server.domain.storage import FeedLog, Shard
from postroom_server.errors import NotImplementedYet, StoreUnavailable
from postroom_server.workers.frames import (
    CheckpointFrame,
    EndFrame,
    EntryFrame,
    FeedList,
    Frame,
    ResetFrame,
    WatchOptions,
)
from postroom_server.workers.reading import AccountReading, Ended, Frames, SiteReading
from postroom_server.workers.tailer import Interest, Tailer

STORE_PAUSE_SECONDS: Final = 0.2
STORE_PATIENCE_SECONDS: Final = 20.0
"""How long a watch waits for the store before it ends with `STORE_UNAVAILABLE`."""
DRAIN_RETRY_SECONDS: Final = 0.5

T = TypeVar("T")

Passes = Callable[[bytes, WatchOptions], bool]
Entries = list[EntryFrame]
Population = Callable[[], tuple[int, int]]


class Reading(Protocol):
    """A place in the log of one account or of all."""

    async def start(self, options: WatchOptions) -> None:
        """Takes the place that the options name. Raises Cursor… errors."""
        ...

    async def more(self, limit: int, dirty: set[Shard] | None) -> Frames:
        """The next frames; `dirty` says which shards are worth a look, None = all of them."""
        ...

    async def checkpoint(self) -> tuple[str, str, str, int, float]:
        """(cursor, head cursor, earliest cursor, lag in changes, share of retention used)."""
        ...

    @property
    def cursor(self) -> str:
        """The place as it is now."""
        ...

    @property
    def shards(self) -> frozenset[Shard] | None:
        """The shards that it reads, None = all."""
        ...


class FeedReader:
    """Watches and lists."""

    def __init__(
        self, feed: FeedLog, tailer: Tailer, cursors: Cursors, clock: Clock, shard_count: int, passes: Passes
    ) -> None:
        self._feed, self._tailer, self._cursors, self._clock = feed, tailer, cursors, clock
        self._count, self._passes = shard_count, passes
        self.population: Population = lambda: (0, 0)
        """(connected, total) accounts, as far as this node knows; the wiring sets it."""

    def _reading(self, options: WatchOptions) -> Reading:
        if options.from_time is not None:
            raise NotImplementedYet(
                "A watch starts at a cursor, at NOW or at EARLIEST for now, not at a time."
            )
        if options.account is None:
            return SiteReading(self._feed, self._cursors)
        return AccountReading(self._feed, self._cursors, options.account, self._count)

    async def watch(self, options: WatchOptions) -> AsyncGenerator[Frame, None]:
        """Frames until the caller leaves, the account is gone or the node stops; the last one is an EndFrame.

        Raises CursorMalformed, CursorForeign, CursorExpired, AccountNotFound before the first frame.
        """
        reading = self._reading(options)
        with self._tailer.interest(reading.shards) as interest:
            await reading.start(options)
            first = await self._checkpoint(reading)
            yield first
            try:
                async for frame in self._follow(reading, interest, options, behind=first.lag_changes > 0):
                    yield frame
            except Ended as ended:
                yield EndFrame(cursor=reading.cursor, reason=ended.reason)
            except StoreUnavailable:
                yield EndFrame(cursor=reading.cursor, reason="STORE_UNAVAILABLE", retry_after=1.0)
            else:
                yield EndFrame(cursor=reading.cursor, reason="DRAINING", retry_after=DRAIN_RETRY_SECONDS)

    async def _follow(
        self, reading: Reading, interest: Interest, options: WatchOptions, *, behind: bool
    ) -> AsyncGenerator[Frame, None]:
        """What follows the first checkpoint; `behind` says whether the last one told of a lag."""
        loop = asyncio.get_running_loop()
        told = loop.time()
        dirty: set[Shard] | None = None
        while not self._tailer.stopping:
            frames = await self._patiently(_more(reading, dirty))
            for frame in frames:
                if isinstance(frame, ResetFrame) or self._passes(frame.entry, options):
                    yield frame
                    told = loop.time()
            caught_up = behind and not frames
            if caught_up or loop.time() - told >= options.heartbeat * 0.9:
                checkpoint = await self._patiently(lambda _: self._checkpoint(reading))
                behind = checkpoint.lag_changes > 0
                yield checkpoint
                told = loop.time()
            dirty = set()
            if not frames:
                dirty = await interest.wait(told + options.heartbeat * 0.9 - loop.time())

    async def _patiently(self, ask: Callable[[bool], Awaitable[T]]) -> T:
        """What `ask` answers, through a store that is away for a while; it is told whether it was asked before."""
        until = asyncio.get_running_loop().time() + STORE_PATIENCE_SECONDS
        asked = False
        while True:
            try:
                return await ask(asked)
            except StoreUnavailable:
                asked = True
                if self._tailer.stopping or asyncio.get_running_loop().time() >= until:
                    raise
                await asyncio.sleep(STORE_PAUSE_SECONDS)

    async def _checkpoint(self, reading: Reading) -> CheckpointFrame:
        cursor, head, earliest, lag, used = await reading.checkpoint()
        connected, total = self.population()
        return CheckpointFrame(
            cursor=cursor,
            head_cursor=head,
            earliest_cursor=earliest,
            server_time=self._clock.now(),
            lag_changes=lag,
            retention_used=used,
            connected=connected,
            total=total,
        )

    async def list(self, options: WatchOptions, *, limit: int, wait: float) -> FeedList:
        """At most `limit` changes; with none there, waits up to `wait` seconds for the first."""
        reading = self._reading(options)
        until = asyncio.get_running_loop().time() + wait
        entries: Entries = []
        with self._tailer.interest(reading.shards) as interest:
            await reading.start(options)
            while True:
                try:
                    frames = await reading.more(limit - len(entries), None)
                except Ended:
                    return await self._listed(reading, entries, None)
                for frame in frames:
                    if isinstance(frame, ResetFrame):
                        return await self._listed(reading, entries, frame)
                    if self._passes(frame.entry, options):
                        entries.append(frame)
                left = until - asyncio.get_running_loop().time()
                if len(entries) >= limit or (not frames and (entries or left <= 0 or self._tailer.stopping)):
                    return await self._listed(reading, entries, None)
                if not frames:
                    await interest.wait(left)

    async def _listed(self, reading: Reading, entries: Entries, reset: ResetFrame | None) -> FeedList:
        cursor, head, earliest, _, _ = await reading.checkpoint()
        return FeedList(
            entries=entries, cursor=cursor, head_cursor=head, earliest_cursor=earliest, reset=reset
        )


def _more(reading: Reading, dirty: set[Shard] | None) -> Callable[[bool], Awaitable[Frames]]:
    """Reads on in the dirty shards; after a failure in all of them, as hints may have been lost with it."""
    return lambda again: reading.more(0, None if again else dirty)
