"""The workers on a real store, with sandbox accounts: register, send, see, change, delete."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime

from postroom_server.domain.accounts import State
from postroom_server.domain.flags import FLAGGED
from postroom_server.domain.messages import View
from postroom_server.domain.outbox import SubmissionState
from postroom_server.domain.ports import Outcome
from postroom_server.ids import AccountId, MailboxId
from postroom_server.workers.frames import CheckpointFrame, EndFrame, EntryFrame, StartFrom, WatchOptions
from postroom_server.workers.outbox import ITEMS_AT_ONCE

from tests.fixtures.eventually import eventually
from tests.fixtures.live import make_node, sandbox_backends

ANN, BEN = AccountId("ann"), AccountId("ben")
INBOX = MailboxId("inbox")


async def relayed(node, account, item):
    async def final() -> bool:
        return (await node.submissions.get(account, item.id)).state is SubmissionState.RELAYED

    await eventually(final, within=10)


async def test_a_new_account_connects_and_its_feed_begins_with_it(live):
    await live.add("ann")
    await live.connected("ann")
    assert await live.kinds("ann") == ["account_added", "account_state_changed", "account_state_changed"]


async def test_what_one_sends_the_other_sees_once_and_a_copy_is_filed(live):
    await live.add("ann")
    await live.add("ben")
    await live.connected("ann", "ben")
    item = await live.submit("ann", "ben@example.org", subject="Lunch?")
    await relayed(live, ANN, item)

    async def seen() -> bool:
        return "message_added" in await live.kinds("ben") and "message_added" in await live.kinds("ann")

    await eventually(seen, within=10)
    arrived = [change for change in await live.changes("ben") if change.HasField("message_added")]
    assert [change.message_added.message.subject for change in arrived] == ["Lunch?"]
    states = [
        c.submission_changed.submission.state
        for c in await live.changes("ann")
        if c.HasField("submission_changed")
    ]
    assert len(states) == 2
    filed = [change for change in await live.changes("ann") if change.HasField("message_added")]
    assert len(filed) == 1
    sent = await live.submissions.get(ANN, item.id)
    assert sent.sent_message == filed[0].message_added.message.name


async def test_flags_set_by_a_call_are_told_once_with_its_request(live):
    await live.add("ann")
    await live.add("ben")
    await live.connected("ann", "ben")
    await live.submit("ann", "ben@example.org")

    async def listed():
        return (
            await live.commands.list_messages(live.call(), BEN, INBOX, view=View.BASIC, limit=10, after=None)
        ).messages

    async def there() -> bool:
        return bool(await listed())

    await eventually(there, within=10)
    (message,) = await listed()
    results = await live.commands.modify(
        live.call(), BEN, [message.id], add=frozenset({FLAGGED}), remove=frozenset()
    )
    assert [one.outcome for one in results] == [Outcome.DONE]
    changes = [change for change in await live.changes("ben") if change.HasField("flags_changed")]
    assert [list(change.flags_changed.added) for change in changes] == [["$flagged"]]
    (again,) = await listed()
    assert FLAGGED in again.summary.flags


async def test_a_watch_of_all_accounts_follows_from_a_cursor_and_ends_in_band(live):
    await live.add("ann")
    await live.connected("ann")
    frames: list = []

    async def follow() -> None:
        async for frame in live.feed.watch(WatchOptions(account=None, start=StartFrom.NOW)):
            frames.append(frame)

    watching = asyncio.create_task(follow())
    await eventually(lambda: bool(frames), within=5)
    assert isinstance(frames[0], CheckpointFrame)
    await live.add("ben")
    await live.connected("ben")
    await eventually(lambda: sum(isinstance(frame, EntryFrame) for frame in frames) >= 3, within=5)
    live.tailer.stop()
    await asyncio.wait_for(watching, 5)
    assert isinstance(frames[-1], EndFrame)
    assert {frame.account for frame in frames if isinstance(frame, EntryFrame)} == {BEN}


async def test_a_deleted_account_says_so_last_and_leaves_nothing(live, valkey):
    await live.add("ann")
    await live.connected("ann")
    await live.accounts.delete(live.call(), ANN)
    changes = await live.changes(None)
    assert str(changes[-1].WhichOneof("fact")) == "account_removed"
    assert not [worker for worker in live.supervisor.workers() if worker.account.id == ANN]


async def test_a_store_that_is_killed_costs_time_and_nothing_else(live, valkey):
    """The store is here the provider too, so that a message whose handing over it did not answer is honestly in doubt."""
    await live.add("ann")
    await live.add("ben")
    await live.connected("ann", "ben")
    items = [
        await live.submit("ann", "ben@example.org", subject=f"n{n}", request_id=f"r{n}") for n in range(20)
    ]
    await valkey.restart()

    async def states() -> dict[str, SubmissionState]:
        found = [await live.submissions.get(ANN, item.id) for item in items]
        return {one.subject: one.state for one in found}

    async def settled() -> bool:
        return set((await states()).values()) <= {SubmissionState.RELAYED, SubmissionState.IN_DOUBT}

    await eventually(settled, within=15)
    relayed_ones = {
        subject for subject, state in (await states()).items() if state is SubmissionState.RELAYED
    }
    assert len(relayed_ones) >= len(items) - ITEMS_AT_ONCE

    async def arrived() -> list[str]:
        changes = [change for change in await live.changes("ben") if change.HasField("message_added")]
        return sorted(change.message_added.message.subject for change in changes)

    async def all_there() -> bool:
        return relayed_ones <= set(await arrived())

    await eventually(all_there, within=15)
    assert len(await arrived()) == len(set(await arrived()))
    assert await live.state("ann") is State.CONNECTED


async def test_mail_to_an_account_that_no_node_runs_yet_is_kept_and_told(store):
    """Address and feed are there as soon as the account is: its worker may begin later, on another node."""
    async with sandbox_backends(store) as backends:
        first = make_node(store, backends)
        await first.ownership.leave()
        await first.add("ben")
        assert not first.supervisor.workers()
        assert await store.sandbox.find("ben@example.org") == BEN
        raw = b"From: ann@example.org\r\nSubject: early\r\n\r\nHello.\r\n"
        await store.sandbox.append(BEN, 1, raw, frozenset(), datetime.now(UTC))
        await first.crash()
        second = make_node(store, backends)
        try:
            await second.connected("ben")
            told = [one for one in await second.changes("ben") if one.HasField("message_added")]
            assert [one.message_added.message.subject for one in told] == ["early"]
        finally:
            await second.stop()


async def test_an_account_can_be_deleted_at_any_moment_of_its_beginning(live):
    """A cancellation that is lost while the worker starts would leave it running, and the deletion waiting for it."""
    moments = random.Random(5)
    for number in range(500):
        await live.add(f"x{number}")
        await asyncio.sleep(moments.random() * 0.016)
        async with asyncio.timeout(5):
            await live.accounts.delete(live.call(5), AccountId(f"x{number}"))
    assert not live.supervisor.workers()
