"""The watch of the Python client, rule by rule, against a real gRPC server whose feed follows a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import postroom
import pytest
from postroom import errors
from postroom import watch as watching
from postroom.channel import WINDOW_BYTES, AnswerStream
from postroom.v1.account_service_pb2 import GetAccountRequest, GetAccountResponse
from postroom.v1.change_pb2 import Change
from postroom.v1.change_service_pb2 import WatchChangesRequest, WatchChangesResponse
from postroom.watch import FATAL, State, Watch
from postroom_server import errors as server_errors

from tests.fixtures.eventually import eventually
from tests.fixtures.scripted_feed import ScriptedFeed, change, checkpoint, end, reset

GET = GetAccountRequest(name="accounts/a")


@pytest.fixture
async def client(feed: ScriptedFeed) -> AsyncIterator[postroom.Postroom]:
    async with postroom.connect(feed.address, "token") as client:
        yield client


async def take(watch: Watch, count: int) -> list[int]:
    """Sequences of the next changes, each asked for after the one before."""
    return [(await anext(watch)).sequence for _ in range(count)]


async def enter(watch: Watch) -> Change:
    """Enters the loop, and leaves it at its first change."""
    async for one in watch:
        return one
    raise AssertionError("the watch was closed")


def unavailable(retry_after: float) -> server_errors.PostroomError:
    error = server_errors.StoreUnavailable()
    error.retry_after = retry_after
    return error


# --- what is asked for ---------------------------------------------------------------------------------------------


async def test_the_request_says_what_was_asked_for(feed: ScriptedFeed, client: postroom.Postroom) -> None:
    watch = client.watch(
        "accounts/a", start="EARLIEST", kinds=["MESSAGE_ADDED"], mailboxes=["inbox"], heartbeat=7.5
    )
    feed.say(change(1))
    await take(watch, 1)
    asked = feed.requests[0]
    assert (asked.parent, list(asked.kinds), list(asked.mailboxes)) == ("accounts/a", [1], ["inbox"])
    assert asked.start_from == WatchChangesRequest.StartFrom.EARLIEST
    assert (asked.heartbeat_interval.seconds, asked.heartbeat_interval.nanos) == (7, 500_000_000)


async def test_a_cursor_wins_over_a_start_and_words_that_nobody_knows_are_refused(
    feed: ScriptedFeed, client: postroom.Postroom
) -> None:
    feed.say(change(1))
    await take(client.watch("accounts/a", cursor="stored", start="EARLIEST"), 1)
    assert (feed.requests[0].cursor, feed.requests[0].WhichOneof("start")) == ("stored", "cursor")
    for wrong in ({"start": "TOMORROW"}, {"kinds": ["MESSAGE_READ"]}):
        with pytest.raises(ValueError):
            client.watch("accounts/a", **wrong)  # type: ignore[arg-type]


# --- rule 1: nothing is read ahead beyond the window ---------------------------------------------------------------


async def test_a_heartbeat_that_takes_no_time_is_refused(client: postroom.Postroom) -> None:
    for heartbeat in (0.0, -5.0):
        with pytest.raises(ValueError, match="heartbeat"):
            client.watch(heartbeat=heartbeat)


async def test_a_watch_that_is_not_read_stops_its_server_and_holds_up_no_other_call(
    feed: ScriptedFeed, client: postroom.Postroom
) -> None:
    count, padding = 3_000, "x" * 10_000
    watch = client.watch("accounts/a")
    feed.say(*(change(n, message_removed={"message": padding}) for n in range(1, count + 1)))
    assert await take(watch, 1) == [1]
    seen = 0

    async def stalled() -> bool:
        nonlocal seen
        before, seen = seen, feed.sent
        await client.accounts.GetAccount(GET, timeout=5)
        return before == seen > 1

    await eventually(stalled)
    assert feed.sent * len(padding) < 3 * WINDOW_BYTES
    for _ in range(20):
        await client.accounts.GetAccount(GET, timeout=5)
    assert await take(watch, count - 1) == list(range(2, count + 1))


# --- rule 2: finished ----------------------------------------------------------------------------------------------


async def test_a_change_is_finished_when_the_next_one_is_asked_for(
    feed: ScriptedFeed, client: postroom.Postroom
) -> None:
    watch = client.watch("accounts/a", cursor="c0")
    feed.say(change(1), change(2), checkpoint("c9"))
    first = await anext(watch)
    assert (first.cursor, watch.cursor) == ("c1", "c0")
    await anext(watch)
    assert watch.cursor == "c1"
    reading = asyncio.ensure_future(anext(watch))
    await eventually(lambda: watch.cursor == "c9")
    feed.say(change(10))
    assert ((await reading).sequence, watch.cursor) == (10, "c9")


async def stumble(watch: Watch, seen: list[int], at: int) -> None:
    """Enters the loop, and fails at a change."""
    async for one in watch:
        seen.append(one.sequence)
        if one.sequence == at:
            raise LookupError


async def test_a_loop_that_was_left_begins_with_the_same_change(
    feed: ScriptedFeed, client: postroom.Postroom
) -> None:
    watch = client.watch("accounts/a", cursor="c0")
    feed.say(change(1), change(2), change(3))
    assert (await enter(watch)).sequence == 1
    assert (await enter(watch)).sequence == 1
    seen: list[int] = []
    with pytest.raises(LookupError):
        await stumble(watch, seen, 2)
    assert (seen, watch.cursor) == ([1, 2], "c1")
    async for one in watch:
        seen.append(one.sequence)
        if one.sequence == 3:
            break
    assert (seen, watch.cursor, len(feed.requests)) == ([1, 2, 2, 3], "c2", 1)


async def test_with_a_handler_a_change_is_finished_when_it_returned(
    feed: ScriptedFeed, client: postroom.Postroom
) -> None:
    watch = client.watch("accounts/a", cursor="c0")
    feed.say(change(1), change(2), change(3))
    seen: list[tuple[int, str]] = []

    async def handle(one: Change) -> None:
        seen.append((one.sequence, watch.cursor))
        if len(seen) == 2:
            raise LookupError

    with pytest.raises(LookupError):
        await watch.each(handle)
    assert watch.cursor == "c1"
    reading = asyncio.ensure_future(watch.each(handle))
    await eventually(lambda: watch.cursor == "c3")
    assert seen == [(1, "c0"), (2, "c1"), (2, "c1"), (3, "c2")]
    await watch.aclose()
    await asyncio.wait_for(reading, 1)


async def test_what_was_not_finished_comes_again_from_another_server(
    feed: ScriptedFeed, client: postroom.Postroom
) -> None:
    watch = client.watch("accounts/a", cursor="c0")
    feed.say(change(1), change(2))
    assert await take(watch, 2) == [1, 2]
    feed.cut()
    assert (await enter(watch)).sequence == 2
    reading = asyncio.ensure_future(anext(watch))
    await eventually(lambda: len(feed.requests) == 2)
    assert feed.requests[1].cursor == "c2"
    feed.say(change(3))
    assert (await reading).sequence == 3


async def test_a_watch_is_read_by_one_task_at_a_time(feed: ScriptedFeed, client: postroom.Postroom) -> None:
    watch = client.watch("accounts/a")
    reading = asyncio.ensure_future(anext(watch))
    await eventually(lambda: feed.open)
    with pytest.raises(RuntimeError):
        await anext(watch)
    feed.say(change(1))
    assert (await reading).sequence == 1


# --- rules 3 to 5: one call at a time, watchdog, back-off ----------------------------------------------------------


async def test_the_old_call_is_cancelled_before_the_next_one_is_opened(
    feed: ScriptedFeed, client: postroom.Postroom
) -> None:
    watch = client.watch("accounts/a")
    opening, opened = watch._open, list[AnswerStream]()

    def checked(request: WatchChangesRequest) -> AnswerStream:
        assert all(one._closed for one in opened)
        opened.append(opening(request))
        return opened[-1]

    watch._open = checked
    feed.say(change(1), end("c1", "DRAINING"))
    feed.fail(unavailable(0.01))
    feed.cut()
    feed.say(change(2))
    assert await take(watch, 2) == [1, 2]
    assert len(opened) == 4
    await eventually(lambda: feed.open == 1)


async def test_a_silent_stream_is_left_and_what_a_handler_takes_does_not_count(
    feed: ScriptedFeed, client: postroom.Postroom
) -> None:
    watch = client.watch("accounts/a")
    watch._heartbeat = 0.1
    feed.say(change(1))
    await take(watch, 1)
    await asyncio.wait(
        [asyncio.ensure_future(asyncio.sleep(0.3))]
    )  # a handler that is slower than the watchdog
    reading = asyncio.ensure_future(anext(watch))
    feed.say(change(2))
    await reading
    assert len(feed.requests) == 1
    reading = asyncio.ensure_future(anext(watch))
    await eventually(lambda: len(feed.requests) >= 2)
    watch._heartbeat = 25.0
    await eventually(lambda: feed.open == 1)
    feed.say(change(3))
    assert (await reading).sequence == 3


async def test_a_silent_connection_is_left_and_other_calls_may_end_on_it(
    feed: ScriptedFeed, client: postroom.Postroom
) -> None:
    done, connection = asyncio.Event(), client._connection.channel

    async def slow(request: GetAccountRequest, context: object) -> GetAccountResponse:
        await done.wait()
        return GetAccountResponse()

    feed.node.answers["AccountService.GetAccount"] = slow
    calling = asyncio.ensure_future(client.accounts.GetAccount(GET))
    watches = [client.watch("accounts/a") for _ in range(3)]
    for watch in watches:
        watch._heartbeat = 0.1
    reading = [asyncio.ensure_future(anext(watch)) for watch in watches]
    await eventually(lambda: len(feed.requests) >= 6)
    assert client._connection.channel is not connection
    done.set()
    assert await calling == GetAccountResponse()
    for one in reading:
        one.cancel()
    await asyncio.wait(reading)
    await asyncio.wait_for(client.aclose(), 2)
    assert not client._connection._leaving


async def test_pauses_double_up_to_a_second_and_start_small_after_a_stream_that_lived(
    client: postroom.Postroom,
) -> None:
    watch, loop = client.watch("accounts/a"), asyncio.get_running_loop()

    def pause(at_least: float = 0.0) -> float:
        watch._back_off(at_least)
        return watch._not_before - loop.time()

    watch._opened_at = loop.time()
    pauses = [pause() for _ in range(12)]
    for number, one in enumerate(pauses):
        longest = min(1.0, 0.05 * 2**number)
        assert longest / 2 - 0.01 <= one <= longest
    assert 2.9 <= pause(3.0) <= 3.0
    watch._opened_at = loop.time() - watching.HEALTHY_SECONDS
    assert pause() <= 0.05


async def test_what_the_server_says_about_waiting_is_heeded(
    feed: ScriptedFeed, client: postroom.Postroom
) -> None:
    watch, loop = client.watch("accounts/a"), asyncio.get_running_loop()
    for say, least in (
        (lambda: feed.say(end("c1", "DRAINING", retry_after=0.6)), 0.3),
        (lambda: feed.fail(unavailable(0.4)), 0.4),
    ):
        reading = asyncio.ensure_future(anext(watch))
        await eventually(lambda: feed.open)
        opened, began = len(feed.requests), loop.time()
        say()
        await eventually(lambda opened=opened: len(feed.requests) > opened)  # type: ignore[misc]
        assert least <= loop.time() - began < least * 2 + 0.3
        feed.say(change(opened))
        await reading


async def test_patience_ends_with_the_last_error(feed: ScriptedFeed, client: postroom.Postroom) -> None:
    for _ in range(20):
        feed.fail(unavailable(0.05))
    watch = client.watch("accounts/a", patience=0.3)
    with pytest.raises(errors.StoreUnavailable):
        await asyncio.wait_for(anext(watch), 5)
    assert watch.state is State.CLOSED
    assert len(feed.requests) > 1


async def test_patience_is_not_stretched_by_a_server_that_asks_for_more(
    feed: ScriptedFeed, client: postroom.Postroom
) -> None:
    feed.fail(unavailable(60))
    with pytest.raises(errors.StoreUnavailable):
        await asyncio.wait_for(anext(client.watch("accounts/a", patience=0.2)), 5)


async def test_patience_also_ends_with_a_server_that_says_nothing(
    feed: ScriptedFeed, client: postroom.Postroom
) -> None:
    watch = client.watch("accounts/a", patience=0.2)
    with pytest.raises(postroom.PostroomError, match="silent"):
        await asyncio.wait_for(anext(watch), 5)


# --- rule 6: what ends a watch -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "refusal",
    [
        server_errors.TokenInvalid(),
        server_errors.ScopeDenied(scope="changes.read"),
        server_errors.RequestInvalid("parent", "is wrong"),
        server_errors.AccountNotFound(account="a"),
        server_errors.CursorExpired(earliestCursor="e"),
        server_errors.NotImplementedYet("not yet"),
        server_errors.AccountPaused(),
        server_errors.AccountExists(account="a"),
    ],
    ids=lambda error: error.reason,
)
async def test_what_waiting_does_not_cure_is_raised_at_once(
    feed: ScriptedFeed, client: postroom.Postroom, refusal: Exception
) -> None:
    feed.fail(refusal)
    watch = client.watch("accounts/a")
    with pytest.raises(postroom.PostroomError) as caught:
        await anext(watch)
    assert caught.value.code in FATAL
    assert watch.state is State.CLOSED
    with pytest.raises(StopAsyncIteration):
        await anext(watch)
    assert len(feed.requests) == 1


@pytest.mark.parametrize("why", ["DRAINING", "STORE_UNAVAILABLE", "INTERNAL", "REASON_UNSPECIFIED", 77])
async def test_after_an_end_that_is_not_for_good_the_next_stream_goes_on(
    feed: ScriptedFeed, client: postroom.Postroom, why: str | int
) -> None:
    watch = client.watch("accounts/a")
    feed.say(change(1), end("c5", why), change(6))
    assert await take(watch, 2) == [1, 6]
    assert feed.requests[1].cursor == "c5"


@pytest.mark.parametrize("why", ["REPLACED", "TOKEN_REVOKED", "ACCOUNT_REMOVED", "CONSUMER_CHANGED"])
async def test_an_end_for_good_is_raised(feed: ScriptedFeed, client: postroom.Postroom, why: str) -> None:
    watch = client.watch("accounts/a")
    feed.say(end("c4", why))
    with pytest.raises(postroom.WatchEnded) as caught:
        await anext(watch)
    assert (caught.value.why, caught.value.cursor, watch.state) == (why, "c4", State.CLOSED)


async def test_a_stream_that_stops_without_an_end_is_broken_and_gone_on_from_the_cursor(
    feed: ScriptedFeed, client: postroom.Postroom
) -> None:
    watch = client.watch("accounts/a")
    feed.say(change(1))
    feed.cut()
    feed.say(change(2))
    assert await take(watch, 2) == [1, 2]
    assert feed.requests[1].cursor == "c1"


# --- rule 7: reset -------------------------------------------------------------------------------------------------


async def test_a_reset_is_raised_once_and_the_same_watch_goes_on_after_it(
    feed: ScriptedFeed, client: postroom.Postroom
) -> None:
    watch = client.watch("accounts/a", cursor="c0")
    feed.say(change(1), reset("c7", "accounts/a", "STORE_ROLLED_BACK"), change(1))
    assert await take(watch, 1) == [1]
    with pytest.raises(postroom.FeedReset) as caught:
        await anext(watch)
    got = caught.value
    assert (got.scope, got.why, got.cursor) == ("accounts/a", "STORE_ROLLED_BACK", "c7")
    assert (watch.state, watch.cursor) == (State.RESET, "c1")
    assert (await enter(watch)).sequence == 1
    assert (watch.state, watch.cursor, len(feed.requests)) == (State.CATCHING_UP, "c7", 1)


# --- rule 8: repetitions and what is not known ---------------------------------------------------------------------


async def test_a_repeated_change_is_dropped_by_account_and_sequence(
    feed: ScriptedFeed, client: postroom.Postroom
) -> None:
    watch = client.watch("accounts/-")
    feed.say(
        change(5), change(5), change(4), change(4, account="accounts/b"), change(0), change(0), change(6)
    )
    got = [await anext(watch) for _ in range(5)]
    assert [(one.account, one.sequence) for one in got] == [
        ("accounts/a", 5),
        ("accounts/b", 4),
        ("accounts/a", 0),
        ("accounts/a", 0),
        ("accounts/a", 6),
    ]


async def test_what_is_remembered_of_an_account_is_forgotten_with_it_and_bounded(
    feed: ScriptedFeed, client: postroom.Postroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MAX_ACCOUNTS", 3)
    watch = client.watch("accounts/-")
    feed.say(change(5), change(6, account_removed={}), change(1))
    assert await take(watch, 3) == [5, 6, 1]
    feed.say(*(change(1, account=f"accounts/{n}") for n in range(5)))
    await take(watch, 5)
    assert list(watch._seen) == ["accounts/2", "accounts/3", "accounts/4"]


async def test_changes_and_frames_of_a_newer_server_are_handed_over_or_passed_by(
    feed: ScriptedFeed, client: postroom.Postroom
) -> None:
    unknown_fact = b"\xfa\x3e\x00"  # field 1007, a message without fields
    newer = Change.FromString(Change(account="accounts/a", sequence=2).SerializeToString() + unknown_fact)
    frame = WatchChangesResponse.FromString(
        WatchChangesResponse(cursor="c1").SerializeToString() + unknown_fact
    )
    watch = client.watch("accounts/a")
    without_place = WatchChangesResponse.FromString(unknown_fact)
    feed.say(frame, without_place, WatchChangesResponse(cursor="c2", change=newer))
    got = await anext(watch)
    assert (postroom.kind_of(got), got.sequence, watch.cursor) == ("UNKNOWN", 2, "c1")
    assert got == newer


def test_every_kind_of_the_contract_has_its_name() -> None:
    kinds = set(Change.Kind.keys()) - {"KIND_UNSPECIFIED"}
    facts = [one.name for one in Change.DESCRIPTOR.oneofs_by_name["fact"].fields]
    assert {postroom.kind_of(Change(**{fact: {}})) for fact in facts} == kinds
    assert postroom.kind_of(Change()) == "UNKNOWN"


# --- rule 9: it ends promptly, and leaves nothing ------------------------------------------------------------------


async def test_a_read_that_is_given_up_loses_nothing(feed: ScriptedFeed, client: postroom.Postroom) -> None:
    watch = client.watch("accounts/a")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(watch), 0.1)
    feed.say(change(1))
    assert await take(watch, 1) == [1]
    assert len(feed.requests) == 1


async def test_closing_ends_the_loop_of_another_task(feed: ScriptedFeed, client: postroom.Postroom) -> None:
    watch = client.watch("accounts/a")
    reading = asyncio.ensure_future(watch.each(lambda _: asyncio.sleep(0)))
    await eventually(lambda: feed.open)
    await watch.aclose()
    await asyncio.wait_for(reading, 1)
    await eventually(lambda: feed.open == 0)


async def test_closing_ends_the_wait_for_the_next_stream(
    feed: ScriptedFeed, client: postroom.Postroom
) -> None:
    watch = client.watch("accounts/a")
    feed.say(end("c1", "DRAINING", retry_after=60))
    reading = asyncio.ensure_future(watch.each(lambda _: asyncio.sleep(0)))
    await eventually(lambda: watch._not_before)
    await watch.aclose()
    await asyncio.wait_for(reading, 1)


async def test_nothing_is_left_of_watches_that_were_closed_or_cancelled(feed: ScriptedFeed) -> None:
    before = asyncio.all_tasks()
    async with postroom.connect(feed.address, "token") as client:
        watches = [client.watch("accounts/a") for _ in range(20)]
        reading = [asyncio.ensure_future(anext(one)) for one in watches]
        await eventually(lambda: feed.open == 20)
        for one in reading[:10]:
            one.cancel()
        for watch in watches[:15]:
            await watch.aclose()
        await eventually(lambda: feed.open == 5)
    await eventually(lambda: feed.open == 0)
    await eventually(lambda: all(one.done() for one in reading))
    assert all(one.cancelled() or isinstance(one.exception(), StopAsyncIteration) for one in reading)
    await eventually(lambda: all("Server" in repr(one) for one in asyncio.all_tasks() - before))


# --- states --------------------------------------------------------------------------------------------------------


async def test_each_state_is_told_once_as_it_is_entered(
    feed: ScriptedFeed, client: postroom.Postroom
) -> None:
    states: list[State] = []
    watch = client.watch("accounts/a", on_state=states.append)
    assert (watch.state, states) == (State.CONNECTING, [])
    feed.say(
        checkpoint("c0", 2), change(1), change(2), checkpoint("c2"), change(3), checkpoint("c3", 1), change(4)
    )
    await take(watch, 2)
    assert (watch.state, watch.lag_changes, watch.head_cursor) == (State.CATCHING_UP, 2, "head")
    await take(watch, 1)
    assert (watch.state, watch.lag_changes) == (State.LIVE, 0)
    await take(watch, 1)
    feed.say(
        checkpoint("c4"), reset("c5"), checkpoint("c5"), end("c5", "DRAINING"), checkpoint("c5"), change(6)
    )
    with pytest.raises(postroom.FeedReset):
        await anext(watch)
    await take(watch, 1)
    await watch.aclose()
    await watch.aclose()
    assert [one.value for one in states] == [
        *("catching_up", "live", "catching_up", "live", "reset"),
        *("catching_up", "live", "connecting", "catching_up", "live", "closed"),
    ]


async def test_a_watch_shows_itself(client: postroom.Postroom) -> None:
    shown = repr(client.watch("accounts/a", cursor="abc"))
    assert shown == "<Watch accounts/a connecting cursor=abc… lag=0>"
