"""Calls of the scripts of leases, heartbeats and the site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from postroom_server.store.keys import ShardKeys, SiteKeys
from postroom_server.store.scripts import Script, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseAcquire(Script):
    """Replies HELD or OK epoch."""

    file: ClassVar[str] = "lease_acquire"

    shard: ShardKeys
    nonce: str
    address: str
    ttl_ms: int

    def keys(self) -> Sequence[str]:
        """Lease and epoch."""
        return (self.shard.lease, self.shard.epoch)

    def args(self) -> Sequence[Value]:
        """As lease_acquire.lua says."""
        return (self.nonce, self.address, self.ttl_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRenew(Script):
    """Replies LOST or OK."""

    file: ClassVar[str] = "lease_renew"

    shard: ShardKeys
    nonce: str
    ttl_ms: int

    def keys(self) -> Sequence[str]:
        """The lease."""
        return (self.shard.lease,)

    def args(self) -> Sequence[Value]:
        """As lease_renew.lua says."""
        return (self.nonce, self.ttl_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRelease(Script):
    """Replies LOST or OK."""

    file: ClassVar[str] = "lease_release"

    shard: ShardKeys
    nonce: str

    def keys(self) -> Sequence[str]:
        """The lease."""
        return (self.shard.lease,)

    def args(self) -> Sequence[Value]:
        """As lease_release.lua says."""
        return (self.nonce,)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeBeat(Script):
    """Replies OK."""

    file: ClassVar[str] = "node_beat"

    nonce: str
    record: bytes
    forget_ms: int

    def keys(self) -> Sequence[str]:
        """The nodes."""
        return (SiteKeys.nodes,)

    def args(self) -> Sequence[Value]:
        """As node_beat.lua says."""
        return (self.nonce, self.record, self.forget_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFound(Script):
    """Replies OK store-id shard-count schema proof."""

    file: ClassVar[str] = "site_found"

    store_id: str
    shard_count: int
    schema: int
    proof: bytes

    def keys(self) -> Sequence[str]:
        """The site."""
        return (SiteKeys.site,)

    def args(self) -> Sequence[Value]:
        """As site_found.lua says."""
        return (self.store_id, self.shard_count, self.schema, self.proof)
