"""FeedLog: dense sequences, pages as of one instant, an order of each shard, bounded retention."""

from __future__ import annotations

import pytest
from postroom_server.domain.storage import Commit, FeedPage, PointerId, Shard
from postroom_server.ids import AccountId
from postroom_server.store import Store

from tests.fixtures.eventually import eventually
from tests.fixtures.store import OWNER, SHARDS, home, make_new_submission, open_store, register
from tests.fixtures.valkey import Valkey

ANN, BOB = AccountId("ann"), AccountId("bob")
START = PointerId(ms=0, n=0)


async def write(store: Store, account: AccountId, *entries: bytes) -> int:
    """Commits entries as the owner."""
    head = await store.snapshots.head(account)
    assert head is not None
    return await store.snapshots.commit(
        Commit(
            account=account,
            nonce=OWNER,
            incarnation=head.incarnation,
            sequence=head.sequence,
            entries=entries,
        )
    )


async def page(store: Store, first: int, count: int = 1_000) -> FeedPage:
    found = await store.feed.read(ANN, first, count)
    assert found is not None
    return found


async def test_pages_are_dense_and_bounded(store: Store) -> None:
    await register(store)
    await write(store, ANN, *(b"%d" % n for n in range(2, 11)))
    assert (await page(store, 3, 2)).entries == [b"3", b"4"]
    assert (await page(store, 9)).entries == [b"9", b"10"]
    behind = await page(store, 11)
    assert (behind.entries, behind.head, behind.low, behind.first) == ([], 10, 1, 11)
    assert (await page(store, 0)).entries == []


async def test_several_accounts_are_read_in_one_round_trip(store: Store) -> None:
    await register(store, "ann")
    await register(store, "bob")
    ann, nobody, bob = await store.feed.read_many([(ANN, 1, 5), (AccountId("nobody"), 1, 5), (BOB, 1, 5)])
    assert nobody is None
    assert ann is not None
    assert bob is not None
    assert (ann.entries, bob.entries) == ([b"added ann"], [b"added bob"])


async def test_entries_may_hold_any_bytes(store: Store) -> None:
    await register(store)
    every = bytes(range(256)) * 3
    await write(store, ANN, every, b"\0", b"x")
    assert (await page(store, 2)).entries == [every, b"\0", b"x"]


async def test_the_order_of_a_shard_points_at_every_entry_once(store: Store) -> None:
    await register(store)
    await write(store, ANN, b"2", b"3")
    await store.outbox.submit(make_new_submission())
    await write(store, ANN, b"5")
    shard = home("ann")
    read = await store.feed.order({shard: START}, 10)
    pointers = read.pointers[shard]
    assert [(one.last, one.count, one.total) for one in pointers] == [
        (1, 1, 1),
        (3, 2, 3),
        (4, 1, 4),
        (5, 1, 5),
    ]
    assert {one.account for one in pointers} == {"ann"}
    assert sorted(pointers, key=lambda one: one.id) == list(pointers)
    assert read.complete_ms >= pointers[0].id.ms - 1
    after = await store.feed.order({shard: pointers[1].id, Shard((shard + 1) % SHARDS): START}, 1)
    assert after.pointers == {shard: [pointers[2]], Shard((shard + 1) % SHARDS): []}
    behind = PointerId(ms=pointers[-1].id.ms, n=2**63 - 1)
    assert (await store.feed.order({shard: behind}, 10)).pointers[shard] == []


async def test_reading_no_shard_tells_how_far_reading_is_complete(store: Store) -> None:
    read = await store.feed.order({}, 10)
    assert read.pointers == {}
    assert read.complete_ms > 0


async def test_what_is_written_after_a_reading_lies_behind_its_completeness(store: Store) -> None:
    """The bound of OrderRead: nothing with a smaller or equal ms ever comes."""
    await register(store)
    shard = home("ann")
    for n in range(50):
        read = await store.feed.order({shard: START}, 1_000)
        await write(store, ANN, b"%d" % n)
        head = (await store.feed.heads([shard]))[shard].head
        assert head.ms > read.complete_ms


async def test_ends_of_the_order(store: Store) -> None:
    empty = (await store.feed.heads([Shard(0)]))[Shard(0)]
    assert (empty.head, empty.total, empty.earliest) == (START, 0, None)
    await register(store)
    await write(store, ANN, b"2", b"3")
    shard = home("ann")
    ends = (await store.feed.heads([shard]))[shard]
    last = (await store.feed.order({shard: START}, 10)).pointers[shard][-1]
    assert (ends.head, ends.total, ends.earliest) == (last.id, 3, None)


async def test_old_entries_go_by_size_and_the_reader_is_told(valkey: Valkey) -> None:
    async with await open_store(valkey, feed_bytes=1_000) as store:
        await register(store)
        for n in range(60):
            await write(store, ANN, b"%092d" % n)
        found = await page(store, 1)
        assert found.entries == []
        assert (found.head, found.low) == (61, 52)
        kept = await page(store, found.low)
        assert kept.entries == [b"%092d" % n for n in range(50, 60)]
        assert (await page(store, found.low - 1)).entries == []


async def test_one_entry_stays_however_large(valkey: Valkey) -> None:
    async with await open_store(valkey, feed_bytes=10) as store:
        await register(store)
        await write(store, ANN, b"x" * 100)
        assert (await page(store, 2)).entries == [b"x" * 100]


async def test_large_steps_cannot_outrun_the_trim(valkey: Valkey) -> None:
    async with await open_store(valkey, feed_bytes=10_000) as store:
        await register(store)
        for _ in range(20):
            await write(store, ANN, *[b"y" * 92] * 200)
        found = await page(store, 1)
        assert found.head - found.low + 1 == 100


async def test_old_entries_and_pointers_go_by_age(valkey: Valkey) -> None:
    async with await open_store(valkey, feed_age_ms=1) as store:
        await register(store)
        await eventually(lambda: _trimmed(store, to=2), within=2)
        assert (await page(store, 1)).low > 1


async def _trimmed(store: Store, *, to: int) -> bool:
    await write(store, ANN, b"next")
    return (await page(store, 1)).low >= to


async def test_a_trimmed_order_tells_its_earliest_place(valkey: Valkey) -> None:
    """Trimming is by whole nodes of the stream (100 entries), so it takes some writing to see it."""
    async with await open_store(valkey, feed_age_ms=1) as store:
        await register(store)
        shard = home("ann")

        async def cut() -> bool:
            for _ in range(50):
                await write(store, ANN, b"next")
            return (await store.feed.heads([shard]))[shard].earliest is not None

        await eventually(cut, within=5)
        ends = (await store.feed.heads([shard]))[shard]
        first = (await store.feed.order({shard: START}, 1)).pointers[shard][0]
        assert ends.earliest == first.id
        assert first.total > first.count


async def test_occupied_names_each_shard_that_holds_an_account(store: Store) -> None:
    assert await store.feed.occupied() == []
    await register(store, "ann")
    await register(store, "bob")
    assert await store.feed.occupied() == sorted({home("ann"), home("bob")})


@pytest.mark.parametrize("count", [1, 999, 1_000])
async def test_a_page_is_never_longer_than_asked(store: Store, count: int) -> None:
    await register(store)
    await write(store, ANN, *[b"z"] * 1_000)
    assert len((await page(store, 1, count)).entries) == count
