"""WatchChanges and ListChanges over a real server: frames, ends, revocation, and who holds whom back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from postroom.v1 import change_service_pb2 as pb
from postroom.v1 import message_pb2
from postroom_server.domain.changes import (
    AccountRemoved,
    Cause,
    CauseKind,
    Change,
    FlagsChanged,
    MessageAdded,
    ResetReason,
)
from postroom_server.domain.flags import SEEN
from postroom_server.errors import CursorExpired, StoreUnavailable
from postroom_server.ids import AccountId, MailboxId, MessageId
from postroom_server.services.convert.changes import decode_change, encode_change, passes
from postroom_server.workers.frames import EndFrame, EntryFrame, ResetFrame, StartFrom, WatchOptions

from tests.fixtures.eventually import eventually
from tests.fixtures.serving import NOW, ServedNode, a_message, bearer

WATCH = "/postroom.v1.ChangeService/WatchChanges"
LIST = "/postroom.v1.ChangeService/ListChanges"
A1 = AccountId("a1")


def change(fact: Any, account: str = "a1") -> Change:
    return Change(
        account=AccountId(account),
        change_id="id1",
        detect_time=NOW,
        cause=Cause(kind=CauseKind.API, request_id="r1"),
        fact=fact,
    )


def entry(sequence: int, fact: Any = None) -> EntryFrame:
    made = encode_change(change(fact or MessageAdded(message=a_message())))
    return EntryFrame(cursor=f"c{sequence}", account=A1, sequence=sequence, entry=made)


class Watching:
    """A stream that is read one frame at a time."""

    def __init__(self, node: ServedNode, request: pb.WatchChangesRequest, secret: str) -> None:
        self.call: Any = node.channel.unary_stream(
            WATCH,
            request_serializer=pb.WatchChangesRequest.SerializeToString,
            response_deserializer=pb.WatchChangesResponse.FromString,
        )(request, metadata=bearer(secret))

    async def next(self) -> pb.WatchChangesResponse | None:
        frame = await self.call.read()
        return None if frame is grpc.aio.EOF else frame


@pytest.fixture
async def watch(served: ServedNode) -> AsyncIterator[Any]:
    opened: list[Watching] = []

    def open_watch(secret: str = "prm_watcher-secret", **fields: Any) -> Watching:
        served.tokens.add(secret, "changes.read", name="watcher")
        opened.append(Watching(served, pb.WatchChangesRequest(**{"parent": "accounts/a1", **fields}), secret))
        return opened[-1]

    yield open_watch
    for one in opened:
        one.call.cancel()


async def test_frames_come_in_order_with_cursor_and_sequence(served: ServedNode, watch: Any) -> None:
    stream = watch()
    first = await stream.next()
    assert first.WhichOneof("frame") == "checkpoint"
    assert (first.cursor, first.checkpoint.accounts.total) == ("c0", 1)
    for sequence in (1, 2):
        served.feed.frames.put_nowait(entry(sequence))
    got = [await stream.next() for _ in range(2)]
    assert [one.cursor for one in got] == ["c1", "c2"]
    assert [one.change.sequence for one in got] == [1, 2]
    assert got[0].change.message_added.message.name == "accounts/a1/messages/AQAB"
    assert got[0].change.message_added.message.preview == ""
    assert got[0].change.cause.request_id == "r1"


async def test_a_reset_and_the_end_are_frames(served: ServedNode, watch: Any) -> None:
    stream = watch()
    await stream.next()
    served.feed.frames.put_nowait(ResetFrame(cursor="c5", account=None, reason=ResetReason.STORE_ROLLED_BACK))
    served.feed.frames.put_nowait(EndFrame(cursor="c5", reason="SERVER_DRAINING", retry_after=0.5))
    reset, end = await stream.next(), await stream.next()
    assert (reset.reset.scope, reset.reset.reason) == ("accounts/-", 7)
    assert pb.StreamEnd.Reason.Name(end.end.reason) == "DRAINING"
    assert end.end.retry_after.nanos == 500_000_000


async def test_a_revoked_token_ends_its_stream_in_band(served: ServedNode, watch: Any) -> None:
    """Feed promises F29, F32."""
    stream = watch()
    await stream.next()
    served.feed.frames.put_nowait(entry(1))
    await stream.next()
    await served.tokens.revoke(next(one.id for one in served.tokens.by_hash.values() if one.id == "watcher"))
    served.authenticator.forget("watcher")  # type: ignore[arg-type]
    end = await stream.next()
    assert pb.StreamEnd.Reason.Name(end.end.reason) == "TOKEN_REVOKED"
    assert end.cursor == "c1"
    assert await stream.next() is None
    await eventually(lambda: served.feed.open == 0)


async def test_what_breaks_a_running_stream_is_said_in_an_end_frame(served: ServedNode, watch: Any) -> None:
    for failure, reason in ((StoreUnavailable(), "STORE_UNAVAILABLE"), (ValueError("x"), "INTERNAL")):
        stream = watch()
        await stream.next()
        served.feed.frames.put_nowait(failure)
        end = await stream.next()
        assert pb.StreamEnd.Reason.Name(end.end.reason) == reason
        assert (end.cursor, end.end.HasField("retry_after")) == ("c0", True)


async def test_what_breaks_a_stream_before_its_first_frame_is_a_status(
    served: ServedNode, watch: Any
) -> None:
    async def refuse(options: WatchOptions) -> Any:
        raise CursorExpired(earliestCursor="early")
        yield

    served.feed.watch = refuse  # type: ignore[assignment]
    stream = watch(cursor="old")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stream.next()
    assert caught.value.code() is grpc.StatusCode.OUT_OF_RANGE


async def test_a_reader_that_leaves_ends_the_feed_behind_it(served: ServedNode, watch: Any) -> None:
    streams = [watch() for _ in range(20)]
    for stream in streams:
        await stream.next()
    assert served.feed.open == 20
    for stream in streams:
        stream.call.cancel()
    await eventually(lambda: served.feed.open == 0)


async def test_the_options_reach_the_feed(served: ServedNode, watch: Any) -> None:
    stream = watch(
        kinds=["MESSAGE_ADDED"],
        mailboxes=["accounts/a1/mailboxes/mAAA"],
        heartbeat_interval=Duration(seconds=7),
        start_from="EARLIEST",
    )
    await stream.next()
    (options,) = served.feed.watches
    assert options == WatchOptions(
        account=A1,
        start=StartFrom.EARLIEST,
        kinds=frozenset({"MESSAGE_ADDED"}),
        mailboxes=frozenset({MailboxId("mAAA")}),
        heartbeat=7.0,
    )


@pytest.mark.parametrize(
    ("fields", "reason", "at"),
    [
        ({"heartbeat_interval": Duration(seconds=4)}, "REQUEST_INVALID", "heartbeatInterval"),
        ({"heartbeat_interval": Duration(seconds=61)}, "REQUEST_INVALID", "heartbeatInterval"),
        ({"kinds": [77]}, "REQUEST_INVALID", "kinds[0]"),
        ({"kinds": [0]}, "REQUEST_INVALID", "kinds[0]"),
        ({"mailboxes": ["accounts/b2/mailboxes/mAAA"]}, "REQUEST_INVALID", "mailboxes[0]"),
        ({"cursor": "x" * 9000}, "CURSOR_MALFORMED", None),
        ({"partition": {"count": -1}}, "REQUEST_INVALID", "partition"),
        ({"consumer": "consumers/c1"}, "NOT_IMPLEMENTED", "consumer"),
        ({"start_from": "SNAPSHOT"}, "NOT_IMPLEMENTED", "from"),
        ({"label_selector": "a=b"}, "NOT_IMPLEMENTED", "labelSelector"),
    ],
)
async def test_what_cannot_be_watched_is_refused_by_name(
    watch: Any, fields: dict[str, Any], reason: str, at: str | None
) -> None:
    from tests.unit.services.test_chain import details

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await watch(**fields).next()
    told, found = details(caught.value)
    assert (told, found["metadata"].get("field")) == (reason, at)


async def test_a_list_answers_changes_and_where_to_go_on(served: ServedNode) -> None:
    served.feed.entries = [entry(1), entry(2)]
    request = pb.ListChangesRequest(parent="accounts/-", max_changes=1, wait=Duration(seconds=3))
    ask: Any = served.channel.unary_unary(LIST, response_deserializer=pb.ListChangesResponse.FromString)
    answer = await ask(request.SerializeToString(), metadata=bearer())
    assert [one.cursor for one in answer.changes] == ["c1"]
    assert (answer.cursor, answer.head_cursor, answer.earliest_cursor) == ("c1", "c1", "c0")
    assert served.feed.watches[0].account is None


async def test_a_slow_reader_holds_the_feed_back(served: ServedNode, watch: Any) -> None:
    """Feed promises F24: what waits for one reader is bounded."""
    stream = watch()
    await stream.next()
    big = entry(1, MessageAdded(message=a_message(subject="x" * 50_000)))
    for _ in range(2_000):
        served.feed.frames.put_nowait(big)
    sizes: list[int] = []

    def at_rest() -> bool:
        sizes.append(served.feed.frames.qsize())
        return len(sizes) > 10 and sizes[-1] == sizes[-10]

    await eventually(at_rest)
    assert sizes[-1] > 1_000, "the feed was drained although nobody read"


# --- the stored form ---------------------------------------------------------------------------------------------


def test_the_same_change_makes_the_same_bytes_and_comes_back_whole() -> None:
    """Feed promises F3."""
    made = change(MessageAdded(message=a_message()))
    assert encode_change(made) == encode_change(made)
    back = decode_change(encode_change(made), "cur", A1, 7)
    assert (back.cursor, back.sequence, back.account, back.change_id) == ("cur", 7, "accounts/a1", "id1")
    message = back.message_added.message
    assert message.attachments[0] == message_pb2.Attachment(
        name="accounts/a1/messages/AQAB/attachments/2",
        filename="p.png",
        content_type="image/png",
        encoded_size_bytes=1368,
    )
    assert not message.text


def test_a_filter_hides_kinds_and_other_mailboxes_and_never_what_concerns_none() -> None:
    added = encode_change(change(MessageAdded(message=a_message())))
    removed = encode_change(change(AccountRemoved()))
    flags = encode_change(
        change(
            FlagsChanged(
                message=MessageId("AQAB"),
                added=frozenset({SEEN}),
                removed=frozenset(),
                flags=frozenset({SEEN}),
            )
        )
    )
    by_kind = WatchOptions(account=A1, kinds=frozenset({"FLAGS_CHANGED"}))
    assert [passes(one, by_kind) for one in (added, removed, flags)] == [False, False, True]
    elsewhere = WatchOptions(account=A1, mailboxes=frozenset({MailboxId("mBBB")}))
    assert [passes(one, elsewhere) for one in (added, removed, flags)] == [False, True, True]
    here = WatchOptions(account=A1, mailboxes=frozenset({MailboxId("mAAA")}))
    assert passes(added, here)
