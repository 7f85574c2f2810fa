"""FeedLog: reading feeds, of one account or of all in the order of their shards; any node.

It owns reading and refuses writing: entries get in by the scripts that include append.lua. An account's feed is a list
whose entry with sequence q lies at index q - low; beside it each shard has a stream of pointers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Any, Final

from postroom_server.domain.storage import FeedPage, OrderRead, Pointer, PointerId, Shard, ShardOrder
from postroom_server.errors import StoreUnavailable
from postroom_server.ids import AccountId
from postroom_server.store.connection import Command, Connection
from postroom_server.store.hints import Hints, Listener
from postroom_server.store.keys import Keys, SiteKeys
from postroom_server.store.scripts.snapshots import FeedRead

MAX_ENTRIES: Final = 1_000
"""Entries of one page; more are not read at once."""
MAX_POINTERS: Final = 10_000
STAMP_BYTES: Final = 8
"""Length of the time that stands before each entry in the list."""
GAP_PAUSE_S: Final = 0.2


class Feed:
    """Feeds in Redis."""

    def __init__(self, connection: Connection, keys: Keys, hints: Hints) -> None:
        self._connection = connection
        self._keys = keys
        self._hints = hints

    async def read(self, account: AccountId, first: int, count: int) -> FeedPage | None:
        """One page, as of one instant; None: no such account (any more).

        No entries: `first` is behind the head, or below `low`. A deleted account is read for GRAVE_MS longer.
        """
        return (await self.read_many(((account, first, count),)))[0]

    async def read_many(self, wants: Sequence[tuple[AccountId, int, int]]) -> Sequence[FeedPage | None]:
        """Several pages in one round trip: (account, first, count); each as of one instant."""
        replies = await self._connection.run_many(
            [
                FeedRead(account=self._keys.account(account), first=first, count=min(count, MAX_ENTRIES))
                for account, first, count in wants
            ]
        )
        return [_page(first, reply) for (_, first, _), reply in zip(wants, replies, strict=True)]

    async def order(self, shards: Mapping[Shard, PointerId], count: int) -> OrderRead:
        """Pointers after the given places, at most `count` per shard, in one round trip."""
        commands: list[Command] = [("TIME",)]
        commands += [
            (
                "XRANGE",
                self._keys.shard(shard).order,
                f"({at.ms}-{at.n}",
                "+",
                "COUNT",
                min(count, MAX_POINTERS),
            )
            for shard, at in shards.items()
        ]
        (seconds, microseconds), *replies = await self._connection.batch(commands)
        return OrderRead(
            pointers={
                shard: [_pointer(row) for row in rows] for shard, rows in zip(shards, replies, strict=True)
            },
            complete_ms=int(seconds) * 1_000 + int(microseconds) // 1_000 - 1,
        )

    async def heads(self, shards: Sequence[Shard]) -> Mapping[Shard, ShardOrder]:
        """Ends of the reading orders."""
        commands: list[Command] = []
        for shard in shards:
            order = self._keys.shard(shard).order
            commands += [("XRANGE", order, "-", "+", "COUNT", 1), ("XREVRANGE", order, "+", "-", "COUNT", 1)]
        replies = await self._connection.batch(commands)
        return {
            shard: _ends(first, last)
            for shard, first, last in zip(shards, replies[::2], replies[1::2], strict=True)
        }

    async def occupied(self) -> Sequence[Shard]:
        """Shards that hold or held an account; may name too many, never too few."""
        return sorted(Shard(int(one)) for one in await self._connection.do("SMEMBERS", SiteKeys.occupied))

    async def removed(self, account: AccountId) -> bool:
        """Whether the account was deleted within the time that feeds are kept, and does not exist now."""
        keys = self._keys.account(account)
        return await self._connection.do("ZSCORE", keys.shard.gone, account) is not None

    def hints(self) -> AbstractAsyncContextManager[AsyncIterator[Shard]]:
        """Shards that have just been written to; hints may be lost.

        At the beginning and after each gap every occupied shard comes, so that reading what comes is enough.
        """
        return self._listen({self._keys.shard(Shard(one)).order: Shard(one) for one in self._keys.shards()})

    def outbox_hints(self) -> AbstractAsyncContextManager[AsyncIterator[Shard]]:
        """The same for outboxes."""
        return self._listen(
            {self._keys.shard(Shard(one)).outbox_hints: Shard(one) for one in self._keys.shards()}
        )

    @asynccontextmanager
    async def _listen(self, channels: Mapping[str, Shard]) -> AsyncIterator[AsyncIterator[Shard]]:
        async with (
            self._hints.listen(channels, lambda channel, _: channels[channel]) as listener,
            aclosing(self._heard(listener)) as shards,
        ):
            yield shards

    async def _heard(self, listener: Listener[Shard]) -> AsyncGenerator[Shard, None]:
        while True:
            gap, shards = await listener.wait()
            if gap:
                try:
                    shards = list(await self.occupied())
                except StoreUnavailable:
                    await asyncio.sleep(GAP_PAUSE_S)
                    listener.miss()
            for shard in shards:
                yield shard


def _page(first: int, reply: Sequence[bytes]) -> FeedPage | None:
    if reply[0] == b"GONE":
        return None
    return FeedPage(
        incarnation=reply[1].decode(),
        low=int(reply[2]),
        head=int(reply[3]),
        first=first,
        entries=[entry[STAMP_BYTES:] for entry in reply[4:]],
        removed=reply[0] == b"DEAD",
    )


def _pointer(row: tuple[bytes, Mapping[bytes, bytes]]) -> Pointer:
    where, fields = row
    ms, _, n = where.partition(b"-")
    return Pointer(
        id=PointerId(ms=int(ms), n=int(n)),
        account=AccountId(fields[b"a"].decode()),
        last=int(fields[b"l"]),
        count=int(fields[b"n"]),
        total=int(fields[b"t"]),
        entry=fields.get(b"x"),
    )


def _ends(first: Sequence[Any], last: Sequence[Any]) -> ShardOrder:
    if not first or not last:
        return ShardOrder(head=PointerId(ms=0, n=0), total=0, earliest=None)
    begin, end = _pointer(first[0]), _pointer(last[0])
    whole = begin.total == begin.count
    return ShardOrder(head=end.id, total=end.total, earliest=None if whole else begin.id)
