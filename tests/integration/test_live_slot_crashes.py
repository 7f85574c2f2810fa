"""Nodes that die, and answers that are lost, on accounts whose messages keep their keys: told once all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from postroom_server.domain.accounts import State
from postroom_server.domain.sandbox_store import SandboxEdit
from postroom_server.domain.storage import Commit
from postroom_server.errors import StoreUnavailable
from postroom_server.store import Store
from postroom_server.workers import slot_commits

from tests.fixtures.live import LiveNode, make_node, sandbox_backends
from tests.fixtures.slots import (
    ANN,
    Ann,
)
from tests.fixtures.store import open_store
from tests.fixtures.valkey import Valkey

LEASE_SECONDS = 1.5
OPTIONS = {"lease_ms": int(LEASE_SECONDS * 1000), "node_fresh_ms": int(LEASE_SECONDS * 1000)}


@pytest.fixture
async def store(valkey: Valkey) -> AsyncIterator[Store]:
    """A store with short leases."""
    async with await open_store(valkey, **OPTIONS) as opened:
        yield opened


@pytest.fixture
async def live(store: Store) -> AsyncIterator[LiveNode]:
    async with sandbox_backends(store) as backends:
        node = make_node(store, backends, lease_seconds=LEASE_SECONDS)
        try:
            yield node
        finally:
            await node.stop()


@pytest.mark.parametrize("written", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("fatal", [1, 2, 3])
async def test_a_crash_at_any_commit_tells_everything_once(
    ann: Ann, store: Store, monkeypatch: pytest.MonkeyPatch, fatal: int, written: bool
) -> None:
    """A node that dies before or just after a commit of several: the next one tells what is left, and nothing twice."""
    monkeypatch.setattr(slot_commits, "TOLD_CHANGES", 3)
    numbers = [await ann.arrive(f"m{number}") for number in range(12)]
    await ann.told(12)
    commit, commits, dead = store.snapshots.commit, 0, asyncio.Event()

    async def dying(step: Commit) -> int:
        nonlocal commits
        commits += 1
        if commits == fatal:
            if written:
                await commit(step)
            dead.set()
            await asyncio.Event().wait()
        return await commit(step)

    monkeypatch.setattr(store.snapshots, "commit", dying)
    await store.sandbox.edit(ANN, numbers[6:9], SandboxEdit(add_flags=frozenset({"$seen"})))
    for number in numbers[:6]:
        await ann.move(number, "sent")
    await store.sandbox.delete(ANN, numbers[9:])
    await asyncio.wait_for(dead.wait(), 10)
    await ann.node.crash()
    monkeypatch.setattr(store.snapshots, "commit", commit)
    async with sandbox_backends(store) as backends:
        node = ann.node = make_node(store, backends, lease_seconds=LEASE_SECONDS)
        try:
            await node.reaches("ann", State.CONNECTED, within=30)
            facts = sorted(map(str, await ann.facts(12)))
            assert facts == sorted(
                ["('moved', 'inbox', 'sent')"] * 6
                + ["('flags', ['$seen'])"] * 3
                + ["('removed', 'inbox')"] * 3
            )
            assert sorted(await ann.subjects("sent")) == [f"m{number}" for number in range(6)]
        finally:
            await node.stop()


async def test_answers_that_are_lost_are_decided_by_reading(
    ann: Ann, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every commit fails once before it is written and once after it: what landed is known, and nothing is told twice."""
    numbers = [await ann.arrive(f"m{number}") for number in range(4)]
    await ann.told(4)
    commit, tries = store.snapshots.commit, 0

    async def losing(step: Commit) -> int:
        nonlocal tries
        tries += 1
        if tries % 3 == 1:
            raise StoreUnavailable
        await commit(step)
        raise StoreUnavailable

    monkeypatch.setattr(store.snapshots, "commit", losing)
    for number in numbers[:2]:
        await ann.move(number, "sent")
    await store.sandbox.delete(ANN, numbers[2:])
    await ann.arrive("new")
    assert sorted(map(str, await ann.facts(5))) == sorted(
        ["('moved', 'inbox', 'sent')"] * 2 + ["('removed', 'inbox')"] * 2 + ["('added', 'new', 'inbox')"]
    )
    assert tries >= 2, "one that was not written, one whose answer was lost"
