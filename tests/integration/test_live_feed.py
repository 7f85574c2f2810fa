"""Reading the feed over a real store: every cursor is a place to go on from, gaps are told, ends are said."""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from postroom_server.domain.accounts import State
from postroom_server.domain.changes import (
    AccountStateChanged,
    Cause,
    CauseKind,
    Change,
    FlagsChanged,
    ResetReason,
    change_id,
)
from postroom_server.domain.cursors import Cursors
from postroom_server.domain.flags import SEEN
from postroom_server.domain.storage import Commit
from postroom_server.errors import (
    AccountNotFound,
    CursorExpired,
    CursorForeign,
    CursorMalformed,
    StoreUnavailable,
)
from postroom_server.ids import AccountId, MessageId
from postroom_server.services.convert.changes import encode_change, passes
from postroom_server.store import Store
from postroom_server.workers.feed import FeedReader
from postroom_server.workers.frames import (
    CheckpointFrame,
    EndFrame,
    EntryFrame,
    ResetFrame,
    StartFrom,
    WatchOptions,
)
from postroom_server.workers.tailer import Tailer

from tests.fixtures.eventually import eventually
from tests.fixtures.live import WallClock
from tests.fixtures.store import KEY, OWNER, SHARDS, home, make_new, open_store

HISTORIES = 12
STEPS = 25


class Writer:
    """The owner of some accounts, who writes entries that tell themselves apart."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.written: dict[AccountId, list[bytes]] = defaultdict(list)
        self._heads: dict[AccountId, tuple[str, int]] = {}

    async def register(self, name: str) -> AccountId:
        await self.store.accounts.create(make_new(name))
        await self.store.leases.acquire([home(name)], OWNER, "node:1")
        account = AccountId(name)
        head = await self.store.snapshots.head(account)
        assert head is not None
        self._heads[account] = head.incarnation, head.sequence
        self.written[account].append(f"added {name}".encode())
        return account

    async def write(self, account: AccountId, count: int, *, size: int = 8) -> None:
        _, sequence = self._heads[account]
        entries = [f"{account}/{sequence + n + 1}".encode().ljust(size, b".") for n in range(count)]
        await self.put(account, entries)

    async def put(self, account: AccountId, entries: list[bytes]) -> None:
        incarnation, sequence = self._heads[account]
        head = await self.store.snapshots.commit(
            Commit(account=account, nonce=OWNER, incarnation=incarnation, sequence=sequence, entries=entries)
        )
        self._heads[account] = incarnation, head
        self.written[account] += entries

    async def delete(self, account: AccountId) -> None:
        incarnation, _ = self._heads.pop(account)
        await self.store.accounts.delete(account, OWNER, incarnation, b"removed")
        self.written[account].append(b"removed")

    @property
    def alive(self) -> list[AccountId]:
        return list(self._heads)


class Readers:
    """Feed readers of a node."""

    def __init__(self, store: Store) -> None:
        self.tailer = Tailer(store.feed)
        cursors = Cursors(KEY, store.identity.store_id)
        self.feed = FeedReader(store.feed, self.tailer, cursors, WallClock(), SHARDS, passes)

    async def rest(
        self, account: AccountId | None, cursor: str, limit: int = 10_000
    ) -> tuple[list[EntryFrame], str]:
        options = WatchOptions(account=account, cursor=cursor, start=StartFrom.EARLIEST)
        listed = await self.feed.list(options, limit=limit, wait=0)
        assert listed.reset is None
        assert len(listed.entries) <= limit
        return list(listed.entries), listed.cursor


@pytest.fixture
async def writer(store: Store) -> Writer:
    return Writer(store)


@pytest.fixture
async def readers(store: Store) -> AsyncIterator[Readers]:
    made = Readers(store)
    task = asyncio.create_task(made.tailer.run())
    try:
        yield made
    finally:
        made.tailer.stop()
        task.cancel()
        await asyncio.wait([task])


def by_account(frames: list[EntryFrame]) -> dict[AccountId, list[bytes]]:
    found: dict[AccountId, list[bytes]] = defaultdict(list)
    for frame in frames:
        found[frame.account].append(frame.entry)
    return dict(found)


def by_shard(frames: list[EntryFrame]) -> dict[int, list[tuple[AccountId, int]]]:
    found: dict[int, list[tuple[AccountId, int]]] = defaultdict(list)
    for frame in frames:
        found[home(frame.account)].append((frame.account, frame.sequence))
    return dict(found)


async def random_history(writer: Writer, readers: Readers, rnd: random.Random, seed: int) -> list[EntryFrame]:
    """What a reader of all accounts recorded while accounts came, changed and went."""
    frames: list[EntryFrame] = []
    cursor = ""
    for step in range(STEPS):
        dice = rnd.random()
        mine = [one for one in writer.alive if one.startswith(f"h{seed}-")]
        if not mine or dice < 0.2:
            await writer.register(f"h{seed}-{step}")
        elif dice < 0.25 and len(mine) > 1:
            await writer.delete(rnd.choice(mine))
        else:
            await writer.write(rnd.choice(mine), rnd.choice((1, 1, 2, 3, 7)))
        if rnd.random() < 0.5:
            some, cursor = await readers.rest(None, cursor, limit=rnd.choice((1, 2, 5, 50)))
            frames += some
    while True:
        some, cursor = await readers.rest(None, cursor, limit=rnd.choice((1, 3, 50)))
        if not some:
            return frames
        frames += some


@pytest.mark.parametrize("seed", range(HISTORIES))
async def test_every_cursor_of_all_accounts_is_a_place_to_go_on_from(writer, readers, seed):
    frames = await random_history(writer, readers, random.Random(seed), seed)
    assert by_account(frames) == dict(writer.written)
    for at, frame in enumerate(frames):
        rest, _ = await readers.rest(None, frame.cursor)
        assert by_shard(rest) == by_shard(frames[at + 1 :]), f"after frame {at}"


async def test_every_cursor_of_one_account_is_a_place_to_go_on_from(writer, readers):
    ann, ben = await writer.register("ann"), await writer.register("ben")
    for count in (1, 3, 200, 450, 1):
        await writer.write(ann, count)
        await writer.write(ben, 2)
    frames, _ = await readers.rest(ann, "")
    assert [frame.entry for frame in frames] == writer.written[ann]
    assert [frame.sequence for frame in frames] == list(range(1, len(frames) + 1))
    for at in (*range(10), 199, 200, 201, 400, 649, len(frames) - 2, len(frames) - 1):
        rest, _ = await readers.rest(ann, frames[at].cursor)
        assert [frame.sequence for frame in rest] == [frame.sequence for frame in frames[at + 1 :]]


async def test_nothing_is_lost_while_shards_come_into_use_and_a_reader_keeps_starting_again(writer, readers):
    """A reader that resumes from each checkpoint, as short streams do, against accounts in ever new shards."""
    seen: list[EntryFrame] = []
    done = asyncio.Event()

    async def read() -> None:
        cursor = ""
        while True:
            last = done.is_set()
            frames, cursor = await readers.rest(None, cursor)
            seen.extend(frames)
            if last and not frames:
                return

    reading = [asyncio.create_task(read())]
    for number in range(60):
        account = await writer.register(f"u{number}")
        await writer.write(account, 1 + number % 3)
    done.set()
    await asyncio.wait_for(reading[0], 20)
    assert by_account(seen) == dict(writer.written)


@asynccontextmanager
async def watching(readers: Readers, **options: object) -> AsyncIterator[list]:
    """The frames of a watch that goes on in the background."""
    frames: list = []

    async def follow() -> None:
        async for frame in readers.feed.watch(WatchOptions(**options)):
            frames.append(frame)

    task = asyncio.create_task(follow())
    try:
        await eventually(lambda: task.done() or bool(frames))
        yield frames
    finally:
        task.cancel()
        await asyncio.wait([task])


def entries(frames: list) -> list[bytes]:
    return [frame.entry for frame in frames if isinstance(frame, EntryFrame)]


async def test_a_watch_of_all_accounts_sees_each_entry_once_with_cursors_to_go_on_from(writer, readers):
    rnd = random.Random(3)
    accounts = [await writer.register(f"w{n}") for n in range(8)]
    async with watching(readers, account=None, start=StartFrom.EARLIEST, heartbeat=5.0) as frames:
        for _ in range(150):
            await writer.write(rnd.choice(accounts), rnd.choice((1, 1, 4)))
        total = sum(map(len, writer.written.values()))
        await eventually(lambda: len(entries(frames)) >= total, within=10)
    recorded = [frame for frame in frames if isinstance(frame, EntryFrame)]
    assert by_account(recorded) == dict(writer.written)
    for frame in rnd.sample(recorded, 40):
        rest, _ = await readers.rest(None, frame.cursor)
        assert by_shard(rest) == by_shard(recorded[recorded.index(frame) + 1 :])


async def test_fifty_watchers_of_one_account_see_the_same(writer, readers):
    ann = await writer.register("ann")
    watches = [watching(readers, account=ann, start=StartFrom.NOW, heartbeat=5.0) for _ in range(50)]
    seen = [await one.__aenter__() for one in watches]
    try:
        for count in (1, 5, 20):
            await writer.write(ann, count)
        await eventually(lambda: all(len(entries(frames)) == 26 for frames in seen), within=10)
        assert all(entries(frames) == writer.written[ann][1:] for frames in seen)
    finally:
        for one in watches:
            await one.__aexit__(None, None, None)


async def test_a_quiet_watch_says_so_in_time_and_its_cursor_moves(writer, readers):
    ann = await writer.register("ann")
    began = time.monotonic()
    async with watching(readers, account=ann, start=StartFrom.NOW, heartbeat=1.0) as frames:
        await eventually(lambda: len(frames) >= 4, within=5)
    assert time.monotonic() - began < 4.0
    assert all(isinstance(frame, CheckpointFrame) for frame in frames)


@pytest.mark.parametrize("of_all", [False, True])
async def test_a_reader_that_was_behind_is_told_when_it_has_caught_up(writer, readers, of_all):
    ann = await writer.register("ann")
    await writer.write(ann, 450)
    account = None if of_all else ann
    async with watching(readers, account=account, start=StartFrom.EARLIEST, heartbeat=60.0) as frames:
        await eventually(lambda: len(frames) == 453)
        await writer.write(ann, 1)
        await eventually(lambda: len(frames) == 454)
    first, *changes, caught_up, new = frames
    assert isinstance(first, CheckpointFrame)
    assert first.lag_changes == 451
    assert isinstance(caught_up, CheckpointFrame)
    assert caught_up.lag_changes == 0
    assert entries([*changes, new]) == writer.written[ann]


async def test_a_reader_at_the_head_is_told_so_once(writer, readers):
    ann = await writer.register("ann")
    async with watching(readers, account=ann, start=StartFrom.NOW, heartbeat=60.0) as frames:
        await writer.write(ann, 1)
        await eventually(lambda: entries(frames))
    assert [getattr(frame, "lag_changes", None) for frame in frames] == [0, None]


def flags_entry(account: AccountId, number: int) -> bytes:
    fact = FlagsChanged(
        message=MessageId(f"m{number}"), added=frozenset({SEEN}), removed=frozenset(), flags=frozenset({SEEN})
    )
    return encoded(account, number, fact)


def encoded(account: AccountId, number: int, fact: object) -> bytes:
    return encode_change(
        Change(
            account=account,
            change_id=change_id(account, "n", number),
            detect_time=datetime.now(UTC),
            cause=Cause(kind=CauseKind.REMOTE),
            fact=fact,  # type: ignore[arg-type]
        )
    )


async def test_a_filter_hides_changes_and_moves_the_cursor_past_them(writer, readers):
    ann = await writer.register("ann")
    _, start = await readers.rest(ann, "")
    states = encoded(ann, 1_000, AccountStateChanged(state=State.CONNECTED, error=None))
    await writer.put(ann, [*[flags_entry(ann, n) for n in range(30)], states])
    kinds = frozenset({"ACCOUNT_STATE_CHANGED"})
    async with watching(readers, account=ann, cursor=start, kinds=kinds, heartbeat=1.0) as frames:
        await eventually(lambda: len(entries(frames)) == 1)
        await writer.put(ann, [flags_entry(ann, n) for n in range(30, 60)])
        last, _ = await readers.rest(ann, "")
        await eventually(lambda: frames[-1].cursor == last[-1].cursor, within=5)
    assert entries(frames) == [states]
    everything, _ = await readers.rest(ann, start)
    assert len(everything) == 61


async def test_a_slow_watcher_holds_up_nobody_and_misses_nothing(writer, readers):
    ann = await writer.register("ann")
    slow = readers.feed.watch(WatchOptions(account=ann, start=StartFrom.EARLIEST, heartbeat=60.0))
    first = await anext(slow)
    assert isinstance(first, CheckpointFrame)
    async with watching(readers, account=ann, start=StartFrom.EARLIEST) as frames:
        for _ in range(20):
            await writer.write(ann, 100)
        await eventually(lambda: len(entries(frames)) == 2_001, within=10)
    late = [await anext(slow) for _ in range(2_001)]
    await slow.aclose()
    assert entries(late) == writer.written[ann]


async def test_a_watch_of_a_deleted_account_ends_with_its_last_change_and_says_why(writer, readers):
    ann = await writer.register("ann")
    async with watching(readers, account=ann, start=StartFrom.EARLIEST) as frames:
        await writer.delete(ann)
        await eventually(lambda: isinstance(frames[-1], EndFrame), within=5)
    assert entries(frames) == [b"added ann", b"removed"]
    assert frames[-1].reason == "ACCOUNT_REMOVED"


async def test_watches_end_in_band_when_the_node_drains_and_go_on_from_their_end(writer, readers):
    ann = await writer.register("ann")
    async with (
        watching(readers, account=ann, start=StartFrom.EARLIEST) as one,
        watching(readers, account=None, start=StartFrom.EARLIEST) as all_of_them,
    ):
        await eventually(lambda: entries(one) and entries(all_of_them))
        readers.tailer.stop()
        await eventually(
            lambda: isinstance(one[-1], EndFrame) and isinstance(all_of_them[-1], EndFrame), within=3
        )
    assert {one[-1].reason, all_of_them[-1].reason} == {"DRAINING"}
    readers.tailer.stopping = False
    await writer.write(ann, 2)
    assert len((await readers.rest(ann, one[-1].cursor))[0]) == 2
    assert len((await readers.rest(None, all_of_them[-1].cursor))[0]) == 2


async def test_a_cursor_behind_what_is_kept_is_refused_with_the_earliest_one(valkey):
    async with await open_store(valkey, feed_bytes=4_000) as store:
        writer, readers = Writer(store), Readers(store)
        ann = await writer.register("ann")
        frames, _ = await readers.rest(ann, "")
        for _ in range(10):
            await writer.write(ann, 10, size=100)
        with pytest.raises(CursorExpired) as refused:
            await readers.rest(ann, frames[0].cursor)
        kept, _ = await readers.rest(ann, refused.value.metadata["earliestCursor"])
        assert kept
        assert [frame.entry for frame in kept] == writer.written[ann][-len(kept) :]


async def test_what_is_trimmed_before_a_watcher_came_to_it_is_told_as_a_reset(valkey):
    async with await open_store(valkey, feed_bytes=4_000) as store:
        writer, readers = Writer(store), Readers(store)
        ann = await writer.register("ann")
        for account in (ann, None):
            watch = readers.feed.watch(WatchOptions(account=account, start=StartFrom.NOW, heartbeat=60.0))
            assert isinstance(await anext(watch), CheckpointFrame)
            for _ in range(10):
                await writer.write(ann, 10, size=100)
            resets, kept = [], []
            while len(kept) < 10 or kept[-1] != writer.written[ann][-1]:
                frame = await anext(watch)
                (resets if isinstance(frame, ResetFrame) else kept).append(
                    frame if isinstance(frame, ResetFrame) else getattr(frame, "entry", b"")
                )
            await watch.aclose()
            assert {one.reason for one in resets} == {ResetReason.RETENTION}
            assert {one.account for one in resets} == {ann}
            assert [one for one in kept if one] == writer.written[ann][-len([one for one in kept if one]) :]


async def test_an_account_made_anew_is_a_new_feed_for_who_knew_the_old_one(writer, readers):
    ann = await writer.register("ann")
    await writer.write(ann, 3)
    old, cursor = await readers.rest(ann, "")
    await writer.delete(ann)
    await writer.register("ann")
    options = WatchOptions(account=ann, cursor=cursor)
    listed = await readers.feed.list(options, limit=100, wait=0)
    assert listed.reset is not None
    assert listed.reset.reason is ResetReason.STORE_ROLLED_BACK
    new, _ = await readers.rest(ann, listed.cursor)
    assert [frame.entry for frame in new] == [b"added ann"]
    assert new[0].sequence > old[-1].sequence


async def test_cursors_of_others_and_broken_ones_are_refused(writer, readers):
    ann, ben = await writer.register("ann"), await writer.register("ben")
    _, cursor = await readers.rest(ann, "")
    _, everything = await readers.rest(None, "")
    for account, given, error in (
        (ben, cursor, CursorForeign),
        (None, cursor, CursorForeign),
        (ann, everything, CursorForeign),
        (ann, cursor[:-2], CursorMalformed),
        (ann, "x", CursorMalformed),
        (AccountId("nobody"), "", AccountNotFound),
    ):
        with pytest.raises(error):
            await readers.rest(account, given)


async def test_a_watch_survives_a_store_that_is_killed(writer, readers, valkey):
    ann = await writer.register("ann")
    async with watching(readers, account=None, start=StartFrom.EARLIEST) as frames:
        for _ in range(3):
            await writer.write(ann, 2)
            await valkey.restart()
        await writer.write(ann, 1)
        await eventually(lambda: len(entries(frames)) == len(writer.written[ann]), within=10)
    assert entries(frames) == writer.written[ann]


class Faltering:
    """A feed log whose store is away for one answer: the second one about the ends of the shards."""

    def __init__(self, feed: Any) -> None:
        self._feed, self.asked = feed, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._feed, name)

    async def heads(self, shards: Any) -> Any:
        self.asked += 1
        if self.asked == 2:
            raise StoreUnavailable
        return await self._feed.heads(shards)


async def test_a_watch_survives_a_store_that_is_away_when_it_says_that_it_has_caught_up(
    writer, readers, store
):
    await writer.register("ann")
    feed = Faltering(store.feed)
    faltering = FeedReader(
        feed, readers.tailer, Cursors(KEY, store.identity.store_id), WallClock(), SHARDS, passes
    )
    frames = faltering.watch(WatchOptions(account=None, start=StartFrom.EARLIEST))
    try:
        told = [await anext(frames) for _ in range(3)]
    finally:
        await frames.aclose()
    assert feed.asked == 3
    assert [type(one) for one in told] == [CheckpointFrame, EntryFrame, CheckpointFrame]
    assert told[-1].lag_changes == 0
