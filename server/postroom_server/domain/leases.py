"""The lease port: who owns a shard, and which nodes are alive.

It owns the shapes of leases and heartbeats and refuses the rule of who should own what: see `domain/shards.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from postroom_server.domain.storage import Nonce, Shard


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who owns a shard."""

    shard: Shard
    nonce: Nonce
    epoch: int
    address: str


class LeaseStore(Protocol):
    """Shard leases and node heartbeats."""

    async def acquire(self, shards: Sequence[Shard], nonce: Nonce, address: str) -> Mapping[Shard, int]:
        """Epochs of the shards that are ours now."""
        ...

    async def renew(self, shards: Sequence[Shard], nonce: Nonce) -> frozenset[Shard]:
        """Those that are still ours."""
        ...

    async def release(self, shards: Sequence[Shard], nonce: Nonce) -> None:
        """Gives leases back; those of others are left alone."""
        ...

    async def owners(self, shards: Sequence[Shard]) -> Mapping[Shard, Lease]:
        """Who holds them now."""
        ...

    async def beat(self, nonce: Nonce, address: str, seen: Mapping[str, str]) -> None:
        """This node is alive; `seen` is shown by GetServerInfo (name, version, startTime, …)."""
        ...

    async def nodes(self) -> Mapping[Nonce, Mapping[str, str]]:
        """Nodes whose heartbeat is fresh: what they said, and their `address`."""
        ...

    async def leave(self, nonce: Nonce) -> None:
        """This node is going."""
        ...
