"""The tailer: one per node; tells watchers that a shard has something new.

It owns the one subscription to the store's hints and the floor beneath it: hints may be lost, so the ends of the watched
shards are also compared every few seconds. It refuses to read entries or to queue anything for anybody: a watcher reads
from its own place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import structlog

from postroom_server.domain.storage import FeedLog, PointerId, Shard
from postroom_server.errors import StoreUnavailable

FLOOR_SECONDS: Final = 2.0
PAUSE_SECONDS: Final = 0.2

log = structlog.get_logger(__name__)


class Interest:
    """What one watcher waits for: a set of shards, None = all."""

    __slots__ = ("_wake", "dirty", "shards")

    def __init__(self, shards: frozenset[Shard] | None) -> None:
        self.shards = shards
        self.dirty: set[Shard] = set()
        self._wake = asyncio.Event()

    def tell(self, shard: Shard) -> None:
        """The shard has something new."""
        self.dirty.add(shard)
        self._wake.set()

    def wake(self) -> None:
        """Ends a wait without news."""
        self._wake.set()

    async def wait(self, seconds: float) -> set[Shard]:
        """Shards that were told since the last call; empty after `seconds` without any."""
        try:
            async with asyncio.timeout(max(seconds, 0)):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()
        dirty, self.dirty = self.dirty, set()
        return dirty


class Tailer:
    """Hints to watchers."""

    def __init__(self, feed: FeedLog) -> None:
        self._feed = feed
        self._interests: set[Interest] = set()
        self._heads: dict[Shard, PointerId] = {}
        self.stopping = False

    @contextmanager
    def interest(self, shards: Iterable[Shard] | None) -> Iterator[Interest]:
        """A watcher's interest, for as long as the context is open."""
        one = Interest(None if shards is None else frozenset(shards))
        self._interests.add(one)
        try:
            yield one
        finally:
            self._interests.discard(one)

    @property
    def watchers(self) -> int:
        """Open interests."""
        return len(self._interests)

    def stop(self) -> None:
        """Wakes every watcher, so that it ends its stream."""
        self.stopping = True
        for one in list(self._interests):
            one.wake()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen())
            group.create_task(self._floor())

    async def _listen(self) -> None:
        while True:
            try:
                async with self._feed.hints() as hints:
                    async for shard in hints:
                        self._tell(shard)
            except StoreUnavailable:
                await asyncio.sleep(PAUSE_SECONDS)

    def _tell(self, shard: Shard) -> None:
        for one in self._interests:
            if one.shards is None or shard in one.shards:
                one.tell(shard)

    async def _floor(self) -> None:
        while True:
            await asyncio.sleep(FLOOR_SECONDS)
            if not self._interests:
                self._heads.clear()
                continue
            try:
                watched = {shard for one in self._interests for shard in one.shards or ()}
                if any(one.shards is None for one in self._interests):
                    watched |= set(await self._feed.occupied())
                for shard, order in (await self._feed.heads(sorted(watched))).items():
                    if self._heads.get(shard) != order.head:
                        self._heads[shard] = order.head
                        self._tell(shard)
            except StoreUnavailable:
                await asyncio.sleep(PAUSE_SECONDS)
