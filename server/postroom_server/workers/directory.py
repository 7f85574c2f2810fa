"""The directory: which node runs an account. The seam at which a call is answered here or forwarded.

It owns a short-lived memory of foreign leases and refuses to forward (`services.forward` does).
"""

from __future__ import annotations

import asyncio
from typing import Final

from postroom_server.domain.leases import LeaseStore
from postroom_server.domain.ownership import Local, Remote
from postroom_server.domain.shards import shard_of
from postroom_server.domain.storage import Shard
from postroom_server.ids import AccountId
from postroom_server.workers.ownership import Ownership

REMEMBER_SECONDS: Final = 1.0
MAX_REMEMBERED: Final = 2_048
PAUSE_SECONDS: Final = 0.05


class Directory:
    """Looks owners up."""

    def __init__(self, ownership: Ownership, leases: LeaseStore, shard_count: int) -> None:
        self._ownership, self._leases, self._count = ownership, leases, shard_count
        self._remembered: dict[Shard, tuple[float, str]] = {}

    async def owner(self, account: AccountId) -> Local | Remote | None:
        """Who runs the account now; None: nobody at the moment."""
        shard = shard_of(account, self._count)
        if self._ownership.valid(shard):
            return Local()
        now = asyncio.get_running_loop().time()
        remembered = self._remembered.get(shard)
        if remembered is not None and remembered[0] > now:
            return Remote(address=remembered[1])
        lease = (await self._leases.owners([shard])).get(shard)
        if lease is None:
            await self._ownership.ensure(shard)
            return Local() if self._ownership.valid(shard) else None
        if lease.nonce == self._ownership.nonce:
            return None
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[shard] = now + REMEMBER_SECONDS, lease.address
        return Remote(address=lease.address)

    def forget(self, account: AccountId) -> None:
        """The remembered owner was wrong."""
        self._remembered.pop(shard_of(account, self._count), None)
