"""A store that dies, stalls or is full: what was answered is kept, what was not is said to be unknown, nothing is half done."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import replace

import pytest
from postroom_server.domain.storage import Chunk, Commit, PointerId, Position
from postroom_server.errors import Conflict, StoreFull, StoreUnavailable
from postroom_server.ids import AccountId, SubmissionId
from postroom_server.store import Store
from pyroaring import BitMap

from tests.fixtures.eventually import eventually
from tests.fixtures.store import (
    NOON,
    OWNER,
    home,
    make_account,
    make_new,
    make_new_submission,
    open_store,
    register,
)
from tests.fixtures.valkey import Valkey

ANN = AccountId("ann")
FIRST = Position(space=1, mailbox=1, epoch=1, revision=1)


async def first_step(store: Store) -> Commit:
    head = await register(store)
    return Commit(
        account=ANN,
        nonce=OWNER,
        incarnation=head.incarnation,
        sequence=head.sequence,
        positions={1: (None, FIRST)},
        chunks={(1, 0): Chunk(members=BitMap([1, 2]))},
        entries=[b"one"],
    )


async def test_everything_that_was_answered_outlives_kill_9(valkey: Valkey, store: Store) -> None:
    """F13; the scripts are forgotten by the server and sent again with their text."""
    step = await first_step(store)
    await store.snapshots.commit(step)
    raw = os.urandom(1_000_000)
    await store.outbox.submit(make_new_submission(raw=raw, request_id="r-1"))
    await valkey.restart()
    assert await valkey.do("SCRIPT", "EXISTS", _sha("commit")) == [False]
    head = await store.snapshots.head(ANN)
    assert head is not None
    assert (head.sequence, head.positions) == (3, {1: FIRST})
    assert await store.accounts.secrets(ANN) == {"imap.password": "hunter2"}
    assert await store.outbox.body(ANN, SubmissionId("s1")) == raw
    again = await store.outbox.submit(make_new_submission("s2", raw=raw, request_id="r-1"))
    assert again.duplicate
    assert (await store.feed.order({home("ann"): PointerId(ms=0, n=0)}, 10)).pointers[home("ann")][
        -1
    ].last == 3
    assert await store.leases.renew([home("ann")], OWNER) == {home("ann")}
    later = Commit(account=ANN, nonce=OWNER, incarnation=head.incarnation, sequence=3, entries=[b"two"])
    assert await store.snapshots.commit(later) == 4


def _sha(name: str) -> str:
    from postroom_server.store.scripts import load

    return load(name).sha


async def test_a_server_that_is_away_is_said_at_once_and_used_again_when_it_is_back(
    valkey: Valkey, store: Store
) -> None:
    await register(store)
    await valkey.kill()
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await store.accounts.get(ANN)
        with pytest.raises(StoreUnavailable):
            await store.feed.read_many([(ANN, 1, 1)])
    await valkey.start()
    assert await store.accounts.get(ANN) is not None
    assert await store.ping() < 5


async def test_a_stalled_server_makes_the_outcome_unknown_and_the_step_is_then_found_by_reading(
    valkey: Valkey,
) -> None:
    """F16: a commit whose reply never came has landed; its position says so. It is never sent a second time."""
    async with await open_store(valkey, command_s=0.2) as store:
        step = await first_step(store)
        await store.snapshots.commit(step)
        second = replace(FIRST, revision=2)
        later = replace(step, sequence=2, positions={1: (FIRST, second)}, entries=[b"two"])
        valkey.pause()
        try:
            with pytest.raises(StoreUnavailable):
                await store.snapshots.commit(later)
        finally:
            valkey.resume()

        async def landed() -> bool:
            head = await store.snapshots.head(ANN)
            return head is not None and head.positions == {1: second}

        await eventually(landed)
        with pytest.raises(Conflict):
            await store.snapshots.commit(later)
        page = await store.feed.read(ANN, 1, 10)
        assert page is not None
        assert page.entries == [b"added ann", b"one", b"two"]


async def test_a_full_store_refuses_writes_whole_and_keeps_leases_and_reads(
    valkey: Valkey, store: Store
) -> None:
    """F15: none half accepted; leases, steps to an end and deletions go on."""
    step = await first_step(store)
    await store.outbox.submit(make_new_submission())
    await store.sandbox.open(ANN, "ann@sandbox.example")
    step = replace(step, sequence=2)
    before = await valkey.keys()
    await valkey.do("CONFIG", "SET", "maxmemory", "1")
    for refused in (
        store.snapshots.commit(step),
        store.outbox.submit(make_new_submission("s2")),
        store.accounts.create(make_new("bob")),
        store.accounts.update(make_account(), expected_revision=1),
        store.sandbox.append(ANN, 1, b"x", frozenset(), NOON),
    ):
        with pytest.raises(StoreFull):
            await refused
    assert await store.leases.renew([home("ann")], OWNER) == {home("ann")}
    assert await store.leases.acquire([home("ann")], OWNER, "node:1") == {home("ann"): 1}
    await store.leases.beat(OWNER, "a:1", {})
    assert len(await store.outbox.take(ANN, OWNER, 5_000, 5)) == 1
    page = await store.feed.read(ANN, 1, 10)
    assert page is not None
    assert page.entries == [b"added ann", b"queued s1"]
    await valkey.do("CONFIG", "SET", "maxmemory", "0")
    assert set(await valkey.keys()) - set(before) == {"pr:nodes"}
    assert await store.snapshots.commit(step) == 3


async def test_more_callers_than_connections_wait_their_turn(valkey: Valkey) -> None:
    async with await open_store(valkey, connections=2) as store:
        await register(store)
        found = await asyncio.gather(*(store.accounts.get(ANN) for _ in range(500)))
        assert all(one is not None for one in found)
        clients = (await valkey.do("CLIENT", "LIST")).splitlines()
        assert len(clients) <= 3


async def test_a_cancelled_call_does_not_spoil_the_connection_for_the_next(valkey: Valkey) -> None:
    async with await open_store(valkey, connections=1) as store:
        await register(store)
        for delay in range(20):
            task = asyncio.create_task(store.feed.read(ANN, 1, 10))
            for _ in range(delay):
                await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            found = await store.accounts.get(ANN)
            assert found is not None
            assert found[0].id == ANN
