"""The site port: what all nodes of one store agree on.

It owns what is fixed when a store is founded and refuses what a node may decide by itself: see `settings.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What all nodes of one store agree on, fixed at its first start."""

    store_id: str
    shard_count: int
    schema: int


class SiteStore(Protocol):
    """The store as a whole."""

    async def site(self, shard_count: int) -> Site:
        """Reads the site, or founds it with this shard count. A schema newer than ours is refused."""
        ...

    async def ping(self) -> float:
        """Seconds that the store took to answer. Raises StoreUnavailable."""
        ...
