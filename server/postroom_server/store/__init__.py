"""Redis adapters of the store ports; nothing else in the server imports redis.

It owns every key, script and encoding of what is kept, and refuses rules: what a change or a state means is the domain's.

    keys        every key                      connection  the one door to the server
    scripts     one .lua per atomic change     hints       which shards have just been written to
    records     domain shapes <-> bytes        secrets     sealing
    accounts · snapshots · feed · outbox · leases · tokens · site · sandbox: one adapter per port
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from postroom_server.domain.site import Site
from postroom_server.domain.storage import Nonce, Shard
from postroom_server.store.accounts import Accounts
from postroom_server.store.connection import Connection
from postroom_server.store.feed import Feed
from postroom_server.store.hints import Hints
from postroom_server.store.keys import DATA_VERSION, Keys, SiteKeys
from postroom_server.store.leases import Leases
from postroom_server.store.options import Options
from postroom_server.store.outbox import Outbox
from postroom_server.store.sandbox import Sandbox
from postroom_server.store.secrets import CannotOpen, Keyring
from postroom_server.store.site import Sites, StoreUnfit
from postroom_server.store.snapshots import Snapshots
from postroom_server.store.tokens import Tokens

__all__ = ["DATA_VERSION", "CannotOpen", "Keyring", "Options", "Store", "StoreUnfit", "release"]


class Store:
    """Every store port of one site, over one pool of connections. Made by `open`.

    `identity` is the site as it was found or founded.
    """

    def __init__(self, connection: Connection, keyring: Keyring, identity: Site, options: Options) -> None:
        keys = Keys(identity.shard_count)
        self._connection = connection
        self._hints = Hints(connection)
        self.identity = identity
        self.options = options
        self.accounts = Accounts(connection, keys, keyring, options)
        self.snapshots = Snapshots(connection, keys, options)
        self.feed = Feed(connection, keys, self._hints)
        self.outbox = Outbox(connection, keys, keyring, options, self.feed)
        self.leases = Leases(connection, keys, options)
        self.tokens = Tokens(connection)
        self.site = Sites(connection, keyring)
        self.sandbox = Sandbox(connection, keys, options, self._hints)

    @classmethod
    async def open(
        cls, url: str, keyring: Keyring, *, shard_count: int, options: Options | None = None
    ) -> Self:
        """Connects, checks the server, and reads or founds the site. Raises StoreUnavailable, StoreUnfit."""
        options = options or Options()
        connection = Connection(url, options)
        try:
            site = Sites(connection, keyring)
            await site.check_server(options)
            return cls(connection, keyring, await site.site(shard_count), options)
        except BaseException:
            await connection.aclose()
            raise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def ping(self) -> float:
        """Seconds that the store took to answer. Raises StoreUnavailable."""
        return await self.site.ping()

    async def aclose(self) -> None:
        """Ends every connection; safe to call twice."""
        await self._hints.aclose()
        await self._connection.aclose()


async def release(url: str, nonce: Nonce) -> int:
    """Gives back what a dead process holds; the number of shards. Needs no key. Raises StoreUnavailable."""
    connection = Connection(url, Options())
    try:
        shards = await connection.do("HGET", SiteKeys.site, "shards")
        if shards is None:
            return 0
        leases = Leases(connection, Keys(int(shards)), Options())
        found = await leases.owners([Shard(one) for one in range(int(shards))])
        held = [shard for shard, lease in found.items() if lease.nonce == nonce]
        await leases.release(held, nonce)
        await leases.leave(nonce)
        return len(held)
    finally:
        await connection.aclose()


if TYPE_CHECKING:
    from postroom_server.domain import leases, sandbox_store, site, storage, tokens

    def _every_port_is_kept(store: Store) -> None:
        """Read by the type checker only."""
        accounts: storage.AccountStore = store.accounts
        snapshots: storage.SnapshotStore = store.snapshots
        feed: storage.FeedLog = store.feed
        outbox: storage.OutboxStore = store.outbox
        lease_store: leases.LeaseStore = store.leases
        token_store: tokens.TokenStore = store.tokens
        site_store: site.SiteStore = store.site
        sandbox: sandbox_store.SandboxStore = store.sandbox
        del accounts, snapshots, feed, outbox, lease_store, token_store, site_store, sandbox
