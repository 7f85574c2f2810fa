"""Hints: nothing is missed without a gap being told, over a crash of the server and beside many listeners."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from postroom_server.domain.storage import Commit, Shard
from postroom_server.ids import AccountId
from postroom_server.store import Store

from tests.fixtures.eventually import eventually
from tests.fixtures.store import NOON, OWNER, home, make_new_submission, open_store, register
from tests.fixtures.valkey import Valkey

ANN, BOB = AccountId("ann"), AccountId("bob")


async def write(store: Store, account: AccountId = ANN) -> None:
    head = await store.snapshots.head(account)
    assert head is not None
    await store.snapshots.commit(
        Commit(
            account=account,
            nonce=OWNER,
            incarnation=head.incarnation,
            sequence=head.sequence,
            entries=[b"next"],
        )
    )


async def next_of(hints: AsyncIterator[Shard]) -> Shard:
    async with asyncio.timeout(5):
        return await anext(hints)


async def test_every_occupied_shard_comes_first_then_those_written_to(store: Store) -> None:
    await register(store, "ann")
    await register(store, "bob")
    both = sorted({home("ann"), home("bob")})
    async with store.feed.hints() as hints:
        assert [await next_of(hints) for _ in both] == both
        await write(store, BOB)
        assert await next_of(hints) == home("bob")
        await register(store, "carl")
        assert await next_of(hints) == home("carl")


async def test_a_submission_is_hinted_to_outboxes_and_feeds(store: Store) -> None:
    await register(store)
    async with store.outbox.hints() as outbox, store.feed.hints() as feed:
        assert await next_of(outbox) == await next_of(feed) == home("ann")
        await write(store)
        assert await next_of(feed) == home("ann")
        await store.outbox.submit(make_new_submission())
        assert await next_of(outbox) == await next_of(feed) == home("ann")


async def test_hints_that_nobody_took_are_kept_once(store: Store) -> None:
    await register(store)
    async with store.feed.hints() as hints:
        await next_of(hints)
        for _ in range(100):
            await write(store)
        (listener,) = set().union(*store._hints._listeners.values())
        await eventually(lambda: listener._items)
        assert len(listener._items) == 1


async def test_a_second_listener_hears_as_well_and_the_first_goes_on_after_it_left(store: Store) -> None:
    await register(store)
    async with store.feed.hints() as first:
        assert await next_of(first) == home("ann")
        async with store.feed.hints() as second:
            assert await next_of(second) == home("ann")
            await write(store)
            assert await next_of(first) == await next_of(second) == home("ann")
        await write(store)
        assert await next_of(first) == home("ann")


async def test_channels_that_nobody_wants_are_left(valkey: Valkey, store: Store) -> None:
    await store.sandbox.open(ANN, "ann@sandbox.example")
    async with store.sandbox.hints(ANN) as hints:
        async with asyncio.timeout(5):
            await anext(hints)
        assert await valkey.do("PUBSUB", "SHARDCHANNELS") != []

    async def left() -> bool:
        return await valkey.do("PUBSUB", "SHARDCHANNELS") == []

    await eventually(left)
    async with store.sandbox.hints(ANN) as hints:
        async with asyncio.timeout(5):
            assert await anext(hints) == 0
        await store.sandbox.append(ANN, 2, b"x", frozenset(), NOON)
        async with asyncio.timeout(5):
            assert await anext(hints) == 2


async def test_one_connection_serves_all_listeners(valkey: Valkey, store: Store) -> None:
    await register(store)
    async with store.feed.hints() as one, store.feed.hints() as two, store.outbox.hints() as three:
        for hints in (one, two, three):
            await next_of(hints)
        clients = (await valkey.do("CLIENT", "LIST")).splitlines()
        listening = [one for one in clients if b" ssub=0 " not in one]
        assert len(listening) == 1


async def test_a_crash_of_the_server_is_a_gap(valkey: Valkey) -> None:
    """What was written while nobody heard is found, because every occupied shard comes again."""
    async with await open_store(valkey) as store:
        await register(store, "ann")
        await register(store, "bob")
        both = sorted({home("ann"), home("bob")})
        async with store.feed.hints() as hints:
            assert [await next_of(hints) for _ in both] == both
            await valkey.restart()
            assert [await next_of(hints) for _ in both] == both
            await write(store)
            assert await next_of(hints) == home("ann")


async def test_closing_the_store_ends_its_task(valkey: Valkey) -> None:
    before = asyncio.all_tasks()
    store = await open_store(valkey)
    async with store.feed.hints():
        pass
    await store.aclose()
    await store.aclose()
    assert asyncio.all_tasks() == before
