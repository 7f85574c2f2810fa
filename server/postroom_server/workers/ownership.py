"""Ownership: which shards this node runs, by leases that fence every write.

It owns steps 1-5, 12 and 14 of the ownership algorithm: heartbeat, wanted shards, acquire, renew, hand over, and the
deadline on the monotonic clock after which the node stops acting by itself. Safety rests on the check in the store's scripts; this module
only decides what is worth trying. It refuses to know what is done with a shard: `gained` and `lost` are told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from postroom_server.domain.leases import LeaseStore
from postroom_server.domain.shards import wanted_owner
from postroom_server.domain.storage import FeedLog, Nonce, Shard
from postroom_server.errors import StoreFull, StoreUnavailable

LEASE_SECONDS: Final = 10.0
RENEWALS_PER_LEASE: Final = 3
POLLS_PER_LEASE: Final = 10
MARGIN_SHARE: Final = 0.2
"""Share of the lease's end in which nothing is begun any more."""
MOVES_PER_POLL: Final = 2
"""Shards that are handed over to a node that came, per poll."""
RELEASE_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)
Told = Callable[[Shard], None]


class Ownership:
    """The shards of this node."""

    def __init__(
        self,
        leases: LeaseStore,
        feed: FeedLog,
        nonce: Nonce,
        address: str,
        shown: Mapping[str, str],
        *,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self.nonce = nonce
        self.in_use: Callable[[Shard], bool] = lambda _: False
        """Whether something of the shard is on its way, so that it is not handed over yet."""
        self.also_gained: Callable[[Shard], None] = lambda _: None
        """Told of a new shard as well, so that what waits in it is looked at."""
        self.handing: frozenset[Shard] = frozenset()
        """Shards that go to another node: nothing is begun for them any more."""
        self._lease = lease_seconds
        self._held_for = lease_seconds * (1 - MARGIN_SHARE)
        self._poll_seconds = lease_seconds / POLLS_PER_LEASE
        self._leases, self._feed = leases, feed
        self._address, self._shown = address, dict(shown)
        self._valid_until: dict[Shard, float] = {}
        self._renewed = 0.0
        self._seen: frozenset[Nonce] = frozenset()
        self._told: tuple[Told, Told] = (lambda _: None, lambda _: None)
        self._leaving = False
        self.running: Callable[[], int] = lambda: 0
        """How many accounts this node runs, for the heartbeat; the wiring sets it."""

    @property
    def shards(self) -> frozenset[Shard]:
        """The shards that we hold."""
        return frozenset(self._valid_until)

    def valid(self, shard: Shard) -> bool:
        """Whether we may still act for the shard; asked right before each outward effect."""
        until = self._valid_until.get(shard)
        return until is not None and asyncio.get_running_loop().time() < until

    async def run(self, gained: Told, lost: Told) -> None:
        """Keeps what is ours until cancelled."""
        self._told = gained, lost
        while True:
            try:
                await self._poll()
            except (StoreUnavailable, StoreFull):
                log.warning(
                    "the store does not answer, leases cannot be renewed", shards=len(self._valid_until)
                )
            self._drop_expired()
            await asyncio.sleep(self._poll_seconds)

    async def _poll(self) -> None:
        if self._leaving:
            return
        now = asyncio.get_running_loop().time()
        counts = {"shards": str(len(self._valid_until)), "accounts": str(self.running())}
        await self._leases.beat(self.nonce, self._address, {**self._shown, **counts})
        alive = frozenset(await self._leases.nodes())
        known = (alive & self._seen) | {self.nonce} if self._seen else alive | {self.nonce}
        self._seen = alive
        if now - self._renewed >= self._lease / RENEWALS_PER_LEASE:
            await self._renew()
        missing = [shard for shard in await self._feed.occupied() if shard not in self._valid_until]
        wanted = [shard for shard in missing if wanted_owner(shard, known) == self.nonce]
        if wanted:
            await self._acquire(wanted)
        await self._hand_over(known)

    async def _hand_over(self, known: frozenset[Nonce]) -> None:
        """Gives back some shards that a node is wanted for which was seen alive twice, as soon as they are quiet."""
        foreign = sorted(one for one in self._valid_until if wanted_owner(one, known) != self.nonce)
        self.handing = frozenset(foreign[:MOVES_PER_POLL])
        quiet = [shard for shard in self.handing if not self.in_use(shard)]
        for shard in quiet:
            self.drop(shard)
        if quiet:
            await self._leases.release(quiet, self.nonce)

    async def _acquire(self, shards: list[Shard]) -> None:
        since = asyncio.get_running_loop().time()
        got = await self._leases.acquire(shards, self.nonce, self._address)
        if self._leaving:
            await self._leases.release(list(got), self.nonce)
            return
        for shard in got:
            new = shard not in self._valid_until
            self._valid_until[shard] = since + self._held_for
            if new:
                log.info("shard gained", shard=shard, epoch=got[shard])
                self._told[0](shard)
                self.also_gained(shard)

    async def _renew(self) -> None:
        held = list(self._valid_until)
        since = asyncio.get_running_loop().time()
        ours = await self._leases.renew(held, self.nonce) if held else frozenset()
        self._renewed = since
        for shard in held:
            if shard in ours:
                self._valid_until[shard] = since + self._held_for
            else:
                self.drop(shard)

    def _drop_expired(self) -> None:
        for shard in list(self._valid_until):
            if not self.valid(shard):
                self.drop(shard)

    def drop(self, shard: Shard) -> None:
        """The shard is not ours any more, whoever said so."""
        if self._valid_until.pop(shard, None) is not None:
            log.warning("shard lost", shard=shard)
            self._told[1](shard)

    async def ensure(self, shard: Shard) -> None:
        """Takes the shard now if it is free and ours to take."""
        if not self.valid(shard) and wanted_owner(shard, self._seen | {self.nonce}) == self.nonce:
            await self._acquire([shard])

    async def leave(self) -> None:
        """Gives everything back; the node acts for no shard afterwards."""
        self._leaving = True
        held = list(self._valid_until)
        for shard in held:
            self.drop(shard)
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._leases.release(held, self.nonce)
                await self._leases.leave(self.nonce)
        except (TimeoutError, StoreUnavailable, StoreFull):
            log.warning("the leases could not be given back, they run out by themselves")
