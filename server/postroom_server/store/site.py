"""SiteStore: what all nodes of one store agree on, and whether this server may hold it.

It owns the founding record and the checks at start, and refuses a store that it could damage or that could lose mail.
"""

from __future__ import annotations

import time
import uuid
from typing import Final

from postroom_server.domain.shards import SHARD_COUNTS
from postroom_server.domain.site import Site
from postroom_server.store.connection import Connection
from postroom_server.store.keys import DATA_VERSION
from postroom_server.store.options import Options
from postroom_server.store.scripts.leases import SiteFound
from postroom_server.store.secrets import CannotOpen, Keyring

_PROOF: Final = b"postroom"
_NOBODY: Final = "-"
"""Stands where an account's id stands in what is sealed; no account has this id."""


class StoreUnfit(Exception):
    """The store cannot be used by this server as it is configured; the message says why."""


class Sites:
    """The founding record in Redis."""

    def __init__(self, connection: Connection, keyring: Keyring) -> None:
        self._connection = connection
        self._keyring = keyring

    async def site(self, shard_count: int) -> Site:
        """Reads the site, or founds it with this shard count.

        Raises StoreUnfit for a schema newer than ours, another shard count and a key that is not the store's.
        """
        if shard_count not in SHARD_COUNTS:
            raise StoreUnfit(f"the number of shards is one of {SHARD_COUNTS}, not {shard_count}")
        proof = self._keyring.seal(_PROOF, account=_NOBODY, field="proof")
        found = SiteFound(
            store_id=uuid.uuid4().hex, shard_count=shard_count, schema=DATA_VERSION, proof=proof
        )
        _, store_id, shards, schema, sealed = await self._connection.run(found)
        site = Site(store_id=store_id.decode(), shard_count=int(shards), schema=int(schema))
        if site.schema > DATA_VERSION:
            raise StoreUnfit(f"the store has schema {site.schema}, this server knows {DATA_VERSION}")
        if site.shard_count != shard_count:
            raise StoreUnfit(f"the store was founded with {site.shard_count} shards, not {shard_count}")
        try:
            self._keyring.open(sealed, account=_NOBODY, field="proof")
        except CannotOpen:
            raise StoreUnfit("the key is not the one that the store's secrets are sealed under") from None
        return site

    async def ping(self) -> float:
        """Seconds that the store took to answer. Raises StoreUnavailable."""
        began = time.monotonic()
        await self._connection.do("PING")
        return time.monotonic() - began

    async def check_server(self, options: Options) -> None:
        """Raises StoreUnfit for a server that evicts keys or keeps nothing over a restart."""
        memory, persistence = await self._connection.batch((("INFO", "memory"), ("INFO", "persistence")))
        policy = memory.get("maxmemory_policy", "noeviction")
        if not options.allow_volatile and policy != "noeviction":
            raise StoreUnfit(f"maxmemory-policy is {policy}; it must be noeviction, or mail is lost")
        if not options.allow_volatile and not persistence.get("aof_enabled"):
            raise StoreUnfit("appendonly is off; without it a restart loses accounts and accepted mail")
        if options.require_fsync:
            _, value = await self._connection.do("CONFIG", "GET", "appendfsync")
            if value != b"always":
                raise StoreUnfit("appendfsync is not `always`, which this durability demands")
