"""LeaseStore, TokenStore and SiteStore."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest
from postroom_server.domain.leases import Lease
from postroom_server.domain.storage import Nonce, Shard
from postroom_server.domain.tokens import Token
from postroom_server.errors import StoreUnavailable
from postroom_server.ids import AccountId, TokenId
from postroom_server.store import Keyring, Options, Store, StoreUnfit, release

from tests.fixtures.eventually import eventually
from tests.fixtures.store import KEY, NOON, OWNER, SHARDS, open_store
from tests.fixtures.valkey import Valkey

ONE, TWO, THREE = Shard(1), Shard(2), Shard(3)
OTHER = Nonce("owner-2")


async def test_a_lease_has_one_holder(store: Store) -> None:
    assert await store.leases.acquire([ONE, TWO], OWNER, "a:1") == {ONE: 1, TWO: 1}
    assert await store.leases.acquire([TWO, THREE], OTHER, "b:1") == {THREE: 1}
    assert await store.leases.acquire([ONE], OWNER, "a:1") == {ONE: 1}
    assert await store.leases.owners([ONE, TWO, THREE, Shard(4)]) == {
        ONE: Lease(shard=ONE, nonce=OWNER, epoch=1, address="a:1"),
        TWO: Lease(shard=TWO, nonce=OWNER, epoch=1, address="a:1"),
        THREE: Lease(shard=THREE, nonce=OTHER, epoch=1, address="b:1"),
    }
    assert await store.leases.renew([ONE, TWO, THREE], OWNER) == {ONE, TWO}
    assert await store.leases.acquire([], OWNER, "a:1") == {}


async def test_a_release_takes_only_ones_own(store: Store) -> None:
    await store.leases.acquire([ONE], OWNER, "a:1")
    await store.leases.release([ONE], OTHER)
    assert ONE in await store.leases.owners([ONE])
    await store.leases.release([ONE, TWO], OWNER)
    assert await store.leases.owners([ONE]) == {}
    assert await store.leases.acquire([ONE], OTHER, "b:1") == {ONE: 2}


async def test_a_lease_that_is_not_renewed_ends_and_its_epoch_grows(valkey: Valkey) -> None:
    async with await open_store(valkey, lease_ms=50) as store:
        await store.leases.acquire([ONE], OWNER, "a:1")

        async def taken() -> int | None:
            return (await store.leases.acquire([ONE], OTHER, "b:1")).get(ONE)

        assert await eventually(taken, within=2) == 2
        assert await store.leases.renew([ONE], OWNER) == frozenset()


async def test_nodes_are_those_that_beat(valkey: Valkey) -> None:
    async with await open_store(valkey, node_fresh_ms=1_500) as store:
        await store.leases.beat(OWNER, "a:1", {"name": "one", "version": "1.0"})
        await store.leases.beat(OTHER, "b:1", {})
        assert await store.leases.nodes() == {
            OWNER: {"name": "one", "version": "1.0", "address": "a:1"},
            OTHER: {"address": "b:1"},
        }
        await store.leases.leave(OTHER)
        assert set(await store.leases.nodes()) == {OWNER}

        async def silent() -> bool:
            return await store.leases.nodes() == {}

        await eventually(silent, within=5)


async def test_a_node_that_has_been_silent_for_long_is_forgotten(valkey: Valkey, store: Store) -> None:
    await valkey.do("HSET", "pr:nodes", "ghost", b"1000 x")
    await store.leases.beat(OWNER, "a:1", {})
    assert await valkey.do("HKEYS", "pr:nodes") == [OWNER.encode()]


def make_token(name: str = "t1") -> Token:
    return Token(
        id=TokenId(name),
        display_name="Ö",
        scopes=frozenset({"messages.read", "admin"}),
        accounts=frozenset({AccountId("ann"), AccountId("bob")}),
        create_time=NOON,
        expire_time=NOON + timedelta(days=1),
    )


def sha(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


async def test_a_token_is_found_by_its_secret_until_it_is_revoked(store: Store) -> None:
    token = make_token()
    await store.tokens.create(token, sha("secret"))
    assert await store.tokens.by_secret(sha("secret")) == token
    assert await store.tokens.get(token.id) == token
    assert await store.tokens.by_secret(sha("other")) is None
    await store.tokens.touch(token.id, NOON)
    used = replace(token, last_use_time=NOON.replace(microsecond=123_000))
    assert await store.tokens.by_secret(sha("secret")) == used
    assert await store.tokens.revoke(token.id)
    assert not await store.tokens.revoke(token.id)
    await store.tokens.touch(token.id, NOON)
    assert await store.tokens.by_secret(sha("secret")) is None
    assert await store.tokens.get(token.id) is None
    assert await store.tokens.page("", 10) == []


async def test_a_token_that_is_replaced_loses_its_secret(store: Store) -> None:
    await store.tokens.create(make_token(), sha("first"))
    plain = Token(
        id=TokenId("t1"), display_name="", scopes=frozenset(), accounts=frozenset(), create_time=NOON
    )
    await store.tokens.create(plain, sha("second"))
    assert await store.tokens.by_secret(sha("first")) is None
    assert await store.tokens.by_secret(sha("second")) == plain


async def test_tokens_are_listed_by_id(store: Store) -> None:
    for name in ("t3", "t1", "t2"):
        await store.tokens.create(make_token(name), sha(name))
    assert [one.id for one in await store.tokens.page("", 2)] == ["t1", "t2"]
    assert [one.id for one in await store.tokens.page("t2", 2)] == ["t3"]


async def test_a_site_is_founded_once(valkey: Valkey, store: Store) -> None:
    async with await open_store(valkey) as second:
        assert second.identity == store.identity == await store.site.site(SHARDS)
    assert store.identity.shard_count == SHARDS


async def test_a_store_of_another_shape_is_refused(valkey: Valkey, store: Store) -> None:
    with pytest.raises(StoreUnfit, match="64 shards, not 256"):
        await Store.open(valkey.url, Keyring(KEY), shard_count=256)
    with pytest.raises(StoreUnfit, match="one of"):
        await Store.open(valkey.url, Keyring(KEY), shard_count=7)
    with pytest.raises(StoreUnfit, match="key is not the one"):
        await Store.open(valkey.url, Keyring(b"x" * 32), shard_count=SHARDS)
    await valkey.do("HSET", "pr:site", "schema", "999")
    with pytest.raises(StoreUnfit, match="schema 999"):
        await Store.open(valkey.url, Keyring(KEY), shard_count=SHARDS)


async def test_a_server_that_could_lose_mail_is_refused(valkey: Valkey) -> None:
    await valkey.do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    with pytest.raises(StoreUnfit, match="noeviction"):
        await open_store(valkey)
    await valkey.do("CONFIG", "SET", "maxmemory-policy", "noeviction")
    with pytest.raises(StoreUnfit, match="appendfsync"):
        await open_store(valkey, require_fsync=True)
    await valkey.do("CONFIG", "SET", "appendfsync", "always")
    await (await open_store(valkey, require_fsync=True)).aclose()
    await valkey.do("CONFIG", "SET", "appendonly", "no")
    with pytest.raises(StoreUnfit, match="appendonly"):
        await open_store(valkey)
    await (await open_store(valkey, allow_volatile=True)).aclose()


async def test_no_server_is_store_unavailable() -> None:
    with pytest.raises(StoreUnavailable):
        await Store.open("unix:///nowhere.sock", Keyring(KEY), shard_count=SHARDS)
    with pytest.raises(ValueError, match="URL begins with"):
        await Store.open("http://localhost", Keyring(KEY), shard_count=SHARDS, options=Options())


async def test_leases_of_a_dead_node_are_released_by_its_nonce(valkey: Valkey, store: Store) -> None:
    await store.leases.acquire([ONE, TWO], OWNER, "a:1")
    await store.leases.acquire([THREE], OTHER, "b:1")
    await store.leases.beat(OWNER, "a:1", {})
    assert await release(valkey.url, OWNER) == 2
    assert set(await store.leases.owners([ONE, TWO, THREE])) == {THREE}
    assert await store.leases.nodes() == {}
    assert await release(valkey.url, OWNER) == 0


async def test_a_release_on_a_store_that_was_never_founded_does_nothing(valkey: Valkey) -> None:
    assert await release(valkey.url, OWNER) == 0
    assert await valkey.keys() == []
