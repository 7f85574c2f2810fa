"""OutboxStore: accepted once per request id, moved by comparison, bounded, sealed, and dropped when final."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from datetime import timedelta

import pytest
from postroom_server.domain.outbox import Attempt, Recipient, RecipientState, Submission, SubmissionState
from postroom_server.domain.storage import Nonce, Step
from postroom_server.errors import AccountGone, Fenced, Internal, MessageTooLarge, OutboxFull, RequestIdReused
from postroom_server.ids import AccountId, SubmissionId
from postroom_server.store import Store
from postroom_server.store.outbox import CHUNK_BYTES, DUE_AGAIN_MS, TAKE_AGAIN_MS

from tests.fixtures.store import (
    NOON,
    OWNER,
    home,
    make_new_submission,
    make_submission,
    open_store,
    register,
)
from tests.fixtures.valkey import Valkey

ANN = AccountId("ann")
SHARD = home("ann")
S1 = SubmissionId("s1")
State = SubmissionState


def step(
    submission: Submission, before: tuple[State, int], due_ms: int | None, entry: bytes | None = None
) -> Step:
    """A move from (state, attempt) to what `submission` says."""
    return Step(
        nonce=OWNER,
        expected_state=before[0],
        expected_attempt=before[1],
        submission=submission,
        due_ms=due_ms,
        entry=entry,
    )


async def entries(store: Store) -> list[bytes]:
    page = await store.feed.read(ANN, 1, 100)
    assert page is not None
    return list(page.entries)


async def test_a_submission_is_read_as_it_was_accepted(store: Store) -> None:
    await register(store)
    full = make_submission(
        state=State.SCHEDULED,
        recipients=(
            Recipient(address="bob@example.net", state=RecipientState.FAILED, reply="550 no"),
            Recipient(address="cy@example.net"),
        ),
        attempts=(Attempt(time=NOON, reply="451 later", enhanced_status="4.7.1"), Attempt(time=NOON)),
        request_id="r-1",
        send_time=NOON + timedelta(days=1),
        next_attempt_time=NOON + timedelta(days=1),
        relayed_message_id="<other@example.org>",
        sent_message="accounts/ann/messages/m1",
        sent_copy_error="no room",
    )
    accepted = await store.outbox.submit(replace(make_new_submission(), submission=full))
    assert (accepted.submission, accepted.duplicate) == (full, False)
    assert await store.outbox.get(ANN, S1) == full
    assert await store.outbox.get(ANN, SubmissionId("s2")) is None
    assert await entries(store) == [b"added ann", b"queued s1"]


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 9 * CHUNK_BYTES + 5])
async def test_a_body_is_read_back_whole(store: Store, size: int) -> None:
    await register(store)
    raw = os.urandom(size)
    await store.outbox.submit(make_new_submission(raw=raw))
    assert await store.outbox.body(ANN, S1) == raw
    assert await store.outbox.body(ANN, SubmissionId("s2")) is None
    await finish(store, "s1")
    assert await store.outbox.body(ANN, S1) is None


async def test_fifty_callers_with_one_request_id_make_one_submission(store: Store) -> None:
    """F26: the same submit at once over several nodes."""
    await register(store)
    accepted = await asyncio.gather(
        *(store.outbox.submit(make_new_submission(f"s{n}", request_id="r-1")) for n in range(50))
    )
    assert len({one.submission.id for one in accepted}) == 1
    assert sum(not one.duplicate for one in accepted) == 1
    assert len(await store.outbox.page(ANN, "", 100, frozenset())) == 1
    assert len(await entries(store)) == 2


async def test_bodies_of_refused_submits_are_not_left_behind(valkey: Valkey, store: Store) -> None:
    await register(store)
    await asyncio.gather(
        *(store.outbox.submit(make_new_submission(f"s{n}", request_id="r-1")) for n in range(20))
    )
    assert len(await valkey.keys("*:body:*")) == 1


async def test_a_request_id_with_another_body_is_refused(store: Store) -> None:
    """F27: never a second item, never a silent replay."""
    await register(store)
    await store.outbox.submit(make_new_submission(request_id="r-1"))
    with pytest.raises(RequestIdReused):
        await store.outbox.submit(replace(make_new_submission("s2", request_id="r-1"), fingerprint="other"))
    assert await store.outbox.get(ANN, SubmissionId("s2")) is None


async def test_a_request_id_belongs_to_its_account(store: Store) -> None:
    await register(store, "ann")
    await register(store, "bob")
    first = await store.outbox.submit(make_new_submission("s1", "ann", request_id="r-1"))
    second = await store.outbox.submit(make_new_submission("s2", "bob", request_id="r-1"))
    assert (first.duplicate, second.duplicate) == (False, False)


async def test_an_account_that_is_not_there_takes_nothing(valkey: Valkey, store: Store) -> None:
    with pytest.raises(AccountGone):
        await store.outbox.submit(make_new_submission())
    assert await valkey.keys("*a:ann:*") == []


async def test_limits_refuse_and_leave_nothing_behind(valkey: Valkey) -> None:
    async with await open_store(valkey, outbox_items=2, outbox_bytes=100, message_bytes=80) as store:
        await register(store)
        with pytest.raises(MessageTooLarge):
            await store.outbox.submit(make_new_submission(raw=b"x" * 81))
        await store.outbox.submit(make_new_submission("s1", raw=b"x" * 60))
        with pytest.raises(OutboxFull):
            await store.outbox.submit(make_new_submission("s2", raw=b"x" * 60))
        await store.outbox.submit(make_new_submission("s3", raw=b"x" * 40))
        with pytest.raises(OutboxFull):
            await store.outbox.submit(make_new_submission("s4", raw=b""))
        assert len(await valkey.keys("*:body:*")) == 2
        await finish(store, "s1")
        await store.outbox.submit(make_new_submission("s5", raw=b"x" * 60))


async def finish(store: Store, name: str, state: SubmissionState = State.RELAYED) -> None:
    """Sends one due item to its end."""
    taken = {one.id: one for one in await store.outbox.take(ANN, OWNER, 1_000_000, 10)}
    item = taken[SubmissionId(name)]
    done = replace(item, state=state)
    assert await store.outbox.step(
        step(done, (item.state, item.attempt_count), None, b"done " + name.encode())
    )


async def test_the_way_of_a_submission(store: Store) -> None:
    await register(store)
    await store.outbox.submit(make_new_submission())
    assert await store.outbox.next_due([SHARD]) == 1_000
    assert await store.outbox.due(SHARD, OWNER, 999, 10) == []
    assert await store.outbox.due(SHARD, OWNER, 1_000, 10) == [ANN]
    assert await store.outbox.next_due([SHARD]) == 1_000 + DUE_AGAIN_MS

    (sending,) = await store.outbox.take(ANN, OWNER, 1_000, 10)
    assert sending == replace(make_submission(), state=State.SENDING, attempt_count=1)
    assert await store.outbox.get(ANN, S1) == sending
    assert await store.outbox.next_due([SHARD]) == 1_000 + TAKE_AGAIN_MS

    retrying = replace(sending, state=State.RETRYING, next_attempt_time=NOON)
    assert await store.outbox.step(step(retrying, (State.SENDING, 1), 2_000, b"retrying"))
    assert await store.outbox.next_due([SHARD]) == 2_000
    (sending,) = await store.outbox.take(ANN, OWNER, 2_000, 10)
    assert (sending.state, sending.attempt_count) == (State.SENDING, 2)

    doubtful = replace(sending, state=State.IN_DOUBT)
    assert await store.outbox.step(step(doubtful, (State.SENDING, 2), 3_000))
    assert await store.outbox.take(ANN, OWNER, 3_000, 10) == [doubtful]
    assert await store.outbox.body(ANN, S1) is not None

    relayed = replace(doubtful, state=State.RELAYED)
    assert await store.outbox.step(step(relayed, (State.IN_DOUBT, 2), None, b"relayed"))
    assert await store.outbox.get(ANN, S1) == relayed
    assert await store.outbox.body(ANN, S1) is None
    assert await store.outbox.next_due([SHARD]) is None
    assert await store.outbox.take(ANN, OWNER, 9_000_000, 10) == []
    assert await entries(store) == [b"added ann", b"queued s1", b"retrying", b"relayed"]


async def test_a_step_lands_once_and_only_from_where_the_item_is(store: Store) -> None:
    await register(store)
    await store.outbox.submit(make_new_submission())
    (sending,) = await store.outbox.take(ANN, OWNER, 1_000, 10)
    done = step(replace(sending, state=State.RELAYED), (State.SENDING, 1), None, b"relayed")
    assert await store.outbox.step(done)
    assert not await store.outbox.step(done)
    assert not await store.outbox.step(step(sending, (State.SENDING, 2), 5))
    assert await entries(store) == [b"added ann", b"queued s1", b"relayed"]


async def test_every_move_is_fenced(store: Store) -> None:
    head = await register(store)
    await store.outbox.submit(make_new_submission())
    zombie = Nonce("zombie")
    with pytest.raises(Fenced):
        await store.outbox.due(SHARD, zombie, 1_000, 10)
    with pytest.raises(Fenced):
        await store.outbox.take(ANN, zombie, 1_000, 10)
    (sending,) = await store.outbox.take(ANN, OWNER, 1_000, 10)
    done = step(replace(sending, state=State.RELAYED), (State.SENDING, 1), None)
    with pytest.raises(Fenced):
        await store.outbox.step(replace(done, nonce=zombie))
    await store.accounts.delete(ANN, OWNER, head.incarnation, b"removed")
    with pytest.raises(AccountGone):
        await store.outbox.step(done)


async def test_due_accounts_take_turns(store: Store) -> None:
    """Fairness is by account: many items of one account cost the others one place in the row."""
    names = [name for name in (f"user{n}" for n in range(2_000)) if home(name) == SHARD][:3]
    for at, name in enumerate(names):
        await register(store, name)
        for n in range(5):
            new = make_new_submission(f"{name}-{n}", name)
            await store.outbox.submit(replace(new, due_ms=1_000 + at))
    assert await store.outbox.due(SHARD, OWNER, 2_000, 2) == names[:2]
    assert await store.outbox.due(SHARD, OWNER, 2_000, 2) == names[2:]
    taken = await store.outbox.take(AccountId(names[0]), OWNER, 2_000, 2)
    assert [one.id for one in taken] == [f"{names[0]}-0", f"{names[0]}-1"]
    assert await store.outbox.due(SHARD, OWNER, 2_000, 5) == [names[0]]


async def test_items_come_oldest_first(store: Store) -> None:
    await register(store)
    for name, due_ms in (("s1", 3), ("s2", 1), ("s3", 2), ("s4", 99)):
        await store.outbox.submit(replace(make_new_submission(name), due_ms=due_ms))
    assert [one.id for one in await store.outbox.take(ANN, OWNER, 50, 10)] == ["s2", "s3", "s1"]
    assert await store.outbox.next_due([SHARD]) == 99


async def test_pages_are_newest_first_and_filtered(store: Store) -> None:
    await register(store)
    for n in range(9):
        await store.outbox.submit(make_new_submission(f"s{n}"))
    await finish(store, "s4", State.FAILED)

    async def ids(after: str, limit: int, *states: SubmissionState) -> list[str]:
        return [one.id for one in await store.outbox.page(ANN, after, limit, frozenset(states))]

    assert await ids("", 4) == ["s8", "s7", "s6", "s5"]
    assert await ids("s5", 4) == ["s4", "s3", "s2", "s1"]
    assert await ids("s1", 4) == ["s0"]
    assert await ids("", 2, State.FAILED) == ["s4"]
    assert await ids("", 2, State.FAILED, State.SENDING) == ["s8", "s7"]
    assert await ids("s5", 3, State.SENDING) == ["s3", "s2", "s1"]
    assert await ids("", 100, State.QUEUED) == []
    assert await store.outbox.page(AccountId("nobody"), "", 5, frozenset()) == []


async def test_a_final_submission_and_its_request_id_are_remembered_then_forgotten(
    valkey: Valkey, store: Store
) -> None:
    await register(store)
    await store.outbox.submit(make_new_submission(request_id="r-1"))
    await finish(store, "s1")
    again = await store.outbox.submit(make_new_submission("s2", request_id="r-1"))
    assert (again.duplicate, again.submission.state) == (True, State.RELAYED)
    keys = store.accounts._keys.account(ANN)
    for key in (keys.item(S1), keys.request("r-1")):
        assert 24 * 3_600_000 < await valkey.do("PTTL", key) <= 25 * 3_600_000
    await valkey.do("DEL", keys.item(S1), keys.request("r-1"))
    assert await store.outbox.page(ANN, "", 5, frozenset()) == []
    assert await valkey.do("ZCARD", keys.subs) == 0
    assert not (await store.outbox.submit(make_new_submission("s3", request_id="r-1"))).duplicate


async def test_a_body_that_was_tampered_with_is_not_sent(valkey: Valkey, store: Store) -> None:
    await register(store)
    await store.outbox.submit(make_new_submission(raw=os.urandom(2 * CHUNK_BYTES)))
    body = store.accounts._keys.account(ANN).body(S1)
    chunks = await valkey.do("LRANGE", body, 0, -1)
    await valkey.do("LSET", body, 0, chunks[1])
    with pytest.raises(Internal):
        await store.outbox.body(ANN, S1)
    await valkey.do("LSET", body, 0, chunks[0])
    await valkey.do("RPOP", body)
    with pytest.raises(Internal):
        await store.outbox.body(ANN, S1)


async def test_the_same_submission_offered_again_is_the_same_one(valkey: Valkey, store: Store) -> None:
    """Without a request id: whoever does not know the outcome may offer the very same submission again."""
    await register(store)
    new = make_new_submission(raw=os.urandom(2 * CHUNK_BYTES))
    await store.outbox.submit(new)
    again = await store.outbox.submit(new)
    assert (again.duplicate, again.submission) == (True, new.submission)
    assert await store.outbox.body(ANN, S1) == new.raw
    assert await valkey.do("PTTL", store.accounts._keys.account(ANN).body(S1)) == -1
    assert await entries(store) == [b"added ann", b"queued s1"]


async def test_a_body_that_was_left_half_written_begins_anew(valkey: Valkey, store: Store) -> None:
    await register(store)
    new = make_new_submission(raw=os.urandom(3 * CHUNK_BYTES))
    keys = store.accounts._keys.account(ANN)
    await store.outbox._upload(keys, make_new_submission(raw=b"old"))
    await store.outbox._upload(keys, new)
    assert await valkey.do("LLEN", keys.body(S1)) == 3
    assert 0 < await valkey.do("PTTL", keys.body(S1)) <= 600_000
    await store.outbox.submit(new)
    assert await store.outbox.body(ANN, S1) == new.raw


async def test_a_submit_that_is_cut_off_never_loses_an_accepted_body(valkey: Valkey, store: Store) -> None:
    """Whatever moment the caller leaves at: an accepted item has its body, and one that was not accepted has no item."""
    await register(store)
    for turns in range(40):
        new = make_new_submission(f"s{turns}")
        task = asyncio.create_task(store.outbox.submit(new))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(0)
    for item in await store.outbox.page(ANN, "", 100, frozenset()):
        assert await store.outbox.body(ANN, item.id) == b"Subject: hello\r\n\r\n"
