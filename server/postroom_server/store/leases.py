"""LeaseStore: who owns which shard, and which nodes are alive.

It owns leases and heartbeats and refuses to decide who should own what. Lifetimes run on the server's clock; safety
never rests on them, but on the nonce that every fenced script compares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from postroom_server.domain.leases import Lease
from postroom_server.domain.storage import Nonce, Shard
from postroom_server.store import records
from postroom_server.store.connection import Connection
from postroom_server.store.keys import Keys, SiteKeys
from postroom_server.store.options import Options
from postroom_server.store.scripts.leases import LeaseAcquire, LeaseRelease, LeaseRenew, NodeBeat

FORGET_NODE_MS: Final = 3_600_000
"""After this silence a node is taken out of the list for good."""


class Leases:
    """Leases in Redis."""

    def __init__(self, connection: Connection, keys: Keys, options: Options) -> None:
        self._connection = connection
        self._keys = keys
        self._options = options

    async def acquire(self, shards: Sequence[Shard], nonce: Nonce, address: str) -> Mapping[Shard, int]:
        """Epochs of the shards that are ours now."""
        replies = await self._connection.run_many(
            [
                LeaseAcquire(
                    shard=self._keys.shard(shard), nonce=nonce, address=address, ttl_ms=self._options.lease_ms
                )
                for shard in shards
            ]
        )
        return {
            shard: int(reply[1]) for shard, reply in zip(shards, replies, strict=True) if reply[0] == b"OK"
        }

    async def renew(self, shards: Sequence[Shard], nonce: Nonce) -> frozenset[Shard]:
        """Those that are still ours."""
        replies = await self._connection.run_many(
            [
                LeaseRenew(shard=self._keys.shard(shard), nonce=nonce, ttl_ms=self._options.lease_ms)
                for shard in shards
            ]
        )
        return frozenset(shard for shard, reply in zip(shards, replies, strict=True) if reply[0] == b"OK")

    async def release(self, shards: Sequence[Shard], nonce: Nonce) -> None:
        """Gives leases back; those of others are left alone."""
        await self._connection.run_many(
            [LeaseRelease(shard=self._keys.shard(shard), nonce=nonce) for shard in shards]
        )

    async def owners(self, shards: Sequence[Shard]) -> Mapping[Shard, Lease]:
        """Who holds them now."""
        replies = await self._connection.batch(
            [("HMGET", self._keys.shard(shard).lease, "n", "e", "a") for shard in shards]
        )
        return {
            shard: Lease(shard=shard, nonce=Nonce(nonce.decode()), epoch=int(epoch), address=address.decode())
            for shard, (nonce, epoch, address) in zip(shards, replies, strict=True)
            if nonce is not None
        }

    async def beat(self, nonce: Nonce, address: str, seen: Mapping[str, str]) -> None:
        """This node is alive; `seen` is shown by GetServerInfo (name, version, startTime, …)."""
        record = records.encode_heartbeat(address, seen)
        await self._connection.run(NodeBeat(nonce=nonce, record=record, forget_ms=FORGET_NODE_MS))

    async def nodes(self) -> Mapping[Nonce, Mapping[str, str]]:
        """Nodes whose heartbeat is fresh: what they said, and their `address`."""
        (seconds, _), beats = await self._connection.batch((("TIME",), ("HGETALL", SiteKeys.nodes)))
        oldest = int(seconds) * 1_000 - self._options.node_fresh_ms
        fresh = {}
        for nonce, beat in beats.items():
            ms, _, record = beat.partition(b" ")
            if int(ms) >= oldest:
                fresh[Nonce(nonce.decode())] = records.decode_heartbeat(record)
        return fresh

    async def leave(self, nonce: Nonce) -> None:
        """This node is going."""
        await self._connection.do("HDEL", SiteKeys.nodes, nonce)
