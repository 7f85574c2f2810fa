"""Shards among nodes: taken over, handed over, given up in time; accounts come, change and go while their node runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import structlog
from postroom_server.domain.accounts import State
from postroom_server.ids import AccountId

from tests.fixtures.eventually import eventually
from tests.fixtures.live import LiveNode, all_backends, make_node
from tests.fixtures.store import home, open_store
from tests.fixtures.valkey import Valkey

LEASE_SECONDS = 1.5
OPTIONS = {"lease_ms": int(LEASE_SECONDS * 1000), "node_fresh_ms": int(LEASE_SECONDS * 1000)}


class Nodes:
    """Nodes of one store with short leases, each with connections of its own."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey
        self._ends: list = []
        self.all: list[LiveNode] = []

    async def start(self) -> LiveNode:
        store = await open_store(self._valkey, **OPTIONS)
        backends = all_backends(store)
        node = make_node(store, await backends.__aenter__(), lease_seconds=LEASE_SECONDS)
        self._ends.append((node, backends, store))
        self.all.append(node)
        return node

    async def end(self) -> None:
        for node, backends, store in self._ends:
            await node.stop()
            await backends.__aexit__(None, None, None)
            await store.aclose()


@pytest.fixture
async def nodes(valkey: Valkey) -> AsyncIterator[Nodes]:
    made = Nodes(valkey)
    try:
        yield made
    finally:
        await made.end()


def runs(node: LiveNode) -> set[str]:
    return {worker.account.id for worker in node.supervisor.workers()}


async def test_the_accounts_of_a_node_that_dies_are_run_by_another_within_the_lease(nodes):
    dying = await nodes.start()
    names = [f"a{n}" for n in range(6)]
    for name in names:
        await dying.add(name)
    await dying.connected(*names)
    before = {name: await dying.kinds(name) for name in names}
    await dying.crash()
    began = time.monotonic()
    heir = await nodes.start()
    await eventually(lambda: runs(heir) == set(names), within=LEASE_SECONDS + 3)
    assert time.monotonic() - began < LEASE_SECONDS + 3
    await heir.submit("a0", "a1@example.org")

    async def seen() -> bool:
        return (await heir.kinds("a1")).count("message_added") == 1

    await eventually(seen)
    for name in names[2:]:
        assert await heir.kinds(name) == before[name], "a takeover alone is no change"


async def test_a_node_that_leaves_gives_its_shards_back_at_once(nodes):
    first = await nodes.start()
    await first.add("ann")
    await first.connected("ann")
    second = await nodes.start()
    await first.stop()
    await eventually(lambda: runs(second) == {"ann"}, within=LEASE_SECONDS)


async def test_a_node_that_comes_gets_its_share_and_nothing_is_told_twice(nodes):
    first = await nodes.start()
    names = [f"a{n}" for n in range(24)]
    for name in names:
        await first.add(name)
    await first.connected(*names)
    second = await nodes.start()
    await eventually(lambda: len(runs(second)) >= 3, within=15)

    async def settled() -> bool:
        return runs(first) | runs(second) == set(names) and not runs(first) & runs(second)

    await eventually(settled)
    for name in names:
        await first.submit(name, "a0@example.org", subject=f"from {name}")

    async def all_there() -> bool:
        return (await second.kinds("a0")).count("message_added") > len(names)

    await eventually(all_there, within=15)
    subjects = [
        change.message_added.message.subject
        for change in await second.changes("a0")
        if change.HasField("message_added") and change.message_added.message.subject.startswith("from")
    ]
    assert len(subjects) == len(names) + 1, "one of each in the inbox, one copy of a0's own"
    leases = await first.store.leases.owners([home(name) for name in names])
    assert {one.nonce for one in leases.values()} == {first.ownership.nonce, second.ownership.nonce}


async def test_a_node_that_cannot_reach_the_store_for_a_lease_acts_no_more_and_comes_back(nodes, valkey):
    node = await nodes.start()
    await node.add("ann")
    await node.add("ben")
    await node.connected("ann", "ben")
    shard = home("ann")
    assert node.ownership.valid(shard)
    valkey.pause()
    try:
        began = time.monotonic()
        await eventually(lambda: not node.ownership.valid(shard), within=LEASE_SECONDS)
        assert time.monotonic() - began <= LEASE_SECONDS
        await asyncio.sleep(LEASE_SECONDS)
        assert not node.ownership.valid(shard)
    finally:
        valkey.resume()
    await eventually(lambda: runs(node) == {"ann", "ben"}, within=10)
    await node.submit("ann", "ben@example.org")

    async def seen() -> bool:
        return (await node.kinds("ben")).count("message_added") == 1

    await eventually(seen, within=10)


async def test_an_account_can_be_deleted_as_soon_as_it_is_there(live):
    for n in range(5):
        await live.add(f"a{n}")
        await live.accounts.delete(live.call(), AccountId(f"a{n}"))
        await eventually(lambda: runs(live) == set(), within=2.0)


async def worker_of(node: LiveNode, name: str) -> object:
    return await node.supervisor.worker(AccountId(name), asyncio.get_running_loop().time() + 5)


async def test_a_worker_starts_again_for_a_new_password_and_not_for_a_label(live):
    await live.add("ann")
    await live.connected("ann")
    first = await worker_of(live, "ann")
    account, _ = await live.accounts.get(AccountId("ann"))
    labelled = replace(account, labels={"team": "red"}, display_name="Ann")
    await live.accounts.update(labelled, expected_revision=account.revision, secrets={})
    assert await worker_of(live, "ann") is first
    account, _ = await live.accounts.get(AccountId("ann"))
    await live.accounts.update(account, expected_revision=account.revision, secrets={"imap.password": "new"})
    assert await worker_of(live, "ann") is not first
    await live.connected("ann")


async def test_a_paused_account_is_left_alone_until_it_is_resumed(live):
    await live.add("ann")
    await live.add("ben")
    await live.connected("ann", "ben")
    for paused, state in ((True, State.PAUSED), (False, State.CONNECTED)):
        account, _ = await live.accounts.get(AccountId("ann"))
        changed = replace(account, paused=paused, revision=account.revision + 1)
        await live.accounts.update(changed, expected_revision=account.revision, secrets={})
        await live.reaches("ann", state)
        if paused:
            await live.submit("ben", "ann@example.org")

    async def seen() -> bool:
        return (await live.kinds("ann")).count("message_added") == 1

    await eventually(seen)


async def test_what_a_call_binds_to_its_log_is_not_in_the_log_of_the_worker_that_it_started(live):
    with (
        structlog.contextvars.bound_contextvars(method="CreateAccount"),
        structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines,
    ):
        await live.add("ann")
        await live.connected("ann")
    states = [line for line in lines if line["event"] == "account state"]
    assert states
    assert not [line for line in states if "method" in line]
