"""The Python client against a real server: calls, errors by reason, pages, downloads, and the watch that goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import postroom
import pytest
import trustme
from postroom import errors
from postroom.v1 import account_pb2, account_service_pb2, error_reason_pb2, message_service_pb2
from postroom.watch import State
from postroom_server.domain.changes import ResetReason
from postroom_server.errors import AccountPaused, CursorExpired
from postroom_server.workers.frames import EndFrame, ResetFrame

from tests.fixtures.eventually import eventually
from tests.fixtures.serving import ADMIN, ServedNode, a_message
from tests.unit.services.test_changes import entry

GET = account_service_pb2.GetAccountRequest(name="accounts/ada")


@pytest.fixture
async def client(served: ServedNode) -> AsyncIterator[postroom.Postroom]:
    async with postroom.connect(served.address, ADMIN) as client:
        yield client


async def create(client: postroom.Postroom, name: str) -> account_pb2.Account:
    given = account_pb2.Account(email=f"{name}@example.com", sandbox=account_pb2.SandboxSettings())
    request = account_service_pb2.CreateAccountRequest(account_id=name, account=given)
    return (await client.accounts.CreateAccount(request)).account


def test_there_is_a_class_for_every_reason_of_the_contract() -> None:
    reasons = set(error_reason_pb2.ErrorReason.keys()) - {"ERROR_REASON_UNSPECIFIED"}
    classes = {
        kind.reason for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "reason")
    }
    assert classes - {""} == reasons


async def test_a_call_answers_and_an_error_has_its_class(client: postroom.Postroom) -> None:
    with pytest.raises(errors.AccountNotFound) as caught:
        await client.accounts.GetAccount(GET)
    assert caught.value.code is grpc.StatusCode.NOT_FOUND
    assert caught.value.metadata == {"account": "accounts/ada"}
    made = await create(client, "ada")
    assert (await client.accounts.GetAccount(GET)).account == made


async def test_a_refused_field_is_named(client: postroom.Postroom) -> None:
    with pytest.raises(errors.RequestInvalid) as caught:
        await client.accounts.GetAccount(account_service_pb2.GetAccountRequest(name="ada"))
    assert [field for field, _ in caught.value.violations] == ["name"]


async def test_a_wrong_token_is_refused(served: ServedNode) -> None:
    async with postroom.connect(f"http://{served.address}", "prm_nobody-secret") as client:
        with pytest.raises(errors.TokenInvalid):
            await client.accounts.GetAccount(GET)
        with pytest.raises(errors.TokenInvalid):
            await anext(client.watch("accounts/ada"))


async def test_a_deadline_ends_a_call(served: ServedNode, client: postroom.Postroom) -> None:
    served.commands.waiting = asyncio.Event()
    request = message_service_pb2.GetMessageRequest(name="accounts/ada/messages/AQAB")
    with pytest.raises(errors.DeadlineExceeded):
        await client.messages.GetMessage(request, timeout=0.1)


async def test_a_call_that_is_cancelled_is_cancelled_at_the_server(
    served: ServedNode, client: postroom.Postroom
) -> None:
    served.commands.waiting = asyncio.Event()
    request = message_service_pb2.GetMessageRequest(name="accounts/ada/messages/AQAB")
    running = asyncio.ensure_future(client.messages.GetMessage(request))
    await eventually(lambda: served.commands.calls)
    running.cancel()
    await eventually(lambda: served.commands.cancelled == 1)
    assert running.cancelled()


async def test_nobody_there_is_an_error_without_a_reason() -> None:
    async with ServedNode().running() as gone:
        address = gone.address
    async with postroom.connect(address, ADMIN) as client:
        with pytest.raises(postroom.PostroomError) as caught:
            await client.accounts.GetAccount(GET, timeout=0.5)
    assert caught.value.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    assert caught.value.transient or isinstance(caught.value, errors.DeadlineExceeded)


async def test_a_repeatable_call_is_made_again_when_its_server_is_back(served: ServedNode) -> None:
    await served.stop()
    async with postroom.connect(served.address, ADMIN) as client:
        waiting = asyncio.ensure_future(client.accounts.GetAccount(GET, timeout=10))
        await eventually(lambda: not waiting.done())
        other = ServedNode(accounts=served.accounts)
        other.listen = served.address
        async with other.running():
            with pytest.raises(errors.AccountNotFound):
                await waiting
    await served.start()


async def test_every_row_of_a_listing_comes_page_by_page(client: postroom.Postroom) -> None:
    for number in range(5):
        await create(client, f"a{number}")
    request = account_service_pb2.ListAccountsRequest(page_size=2)
    rows = [row.name async for row in client.pages(client.accounts.ListAccounts, request)]
    assert rows == [f"accounts/a{number}" for number in range(5)]
    assert request.page_token == ""


async def test_a_download_is_whole_or_an_error(served: ServedNode, client: postroom.Postroom) -> None:
    served.commands.messages[a_message().id] = a_message()
    name = "accounts/ada/messages/AQAB"
    assert await client.download(f"{name}/attachments/2") == served.commands.attachment_bytes
    assert await client.download(name) == served.commands.attachment_bytes
    served.commands.fail_after = 500
    with pytest.raises(errors.MessageNotFound):
        await client.download(name)


async def test_a_server_with_tls_is_reached_by_https_and_by_its_roots() -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    node = ServedNode()
    node.credentials = grpc.ssl_server_credentials(
        [(certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())]
    )
    roots = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    async with node.running():
        address = f"https://localhost:{node.address.rpartition(':')[2]}"
        async with postroom.connect(address, ADMIN, credentials=roots) as client:
            with pytest.raises(errors.AccountNotFound):
                await client.accounts.GetAccount(GET)
        async with postroom.connect(address, ADMIN) as client:
            with pytest.raises(postroom.PostroomError) as caught:
                await client.accounts.GetAccount(GET, timeout=0.5)
            assert not isinstance(caught.value, errors.AccountNotFound)


# --- the watch ---------------------------------------------------------------------------------------------------


async def take(watch: postroom.Watch, count: int) -> list[int]:
    return [(await anext(watch)).sequence for _ in range(count)]


async def test_changes_come_with_their_cursor(served: ServedNode, client: postroom.Postroom) -> None:
    async with client.watch("accounts/a1", start="EARLIEST") as watch:
        served.feed.frames.put_nowait(entry(1))
        change = await anext(watch)
        assert change.message_added.message.subject == "Hello"
        assert (watch.cursor, change.cursor, watch.state) == ("c0", "c1", State.LIVE)
        assert watch.head_cursor == "head"


async def test_a_watch_goes_on_at_another_server_from_its_cursor_and_repeats_nothing(
    served: ServedNode,
) -> None:
    states: list[State] = []
    async with postroom.connect(served.address, ADMIN) as client:
        watch = client.watch("accounts/a1", on_state=states.append)
        for sequence in (1, 2):
            served.feed.frames.put_nowait(entry(sequence))
        assert await take(watch, 2) == [1, 2]
        await served.stop()
        reading = asyncio.ensure_future(take(watch, 1))
        await eventually(lambda: watch.state is State.CONNECTING)
        other = ServedNode()
        other.listen = served.address
        other.feed.frames.put_nowait(entry(2))
        other.feed.frames.put_nowait(entry(3))
        async with other.running():
            assert await reading == [3]
            assert other.feed.watches[-1].cursor == "c2"
        await watch.aclose()
    assert states[-1] is State.CLOSED
    await served.start()


async def test_a_drained_server_is_left_and_the_watch_goes_on(
    served: ServedNode, client: postroom.Postroom
) -> None:
    watch = client.watch("accounts/a1")
    served.feed.frames.put_nowait(entry(1))
    served.feed.frames.put_nowait(EndFrame(cursor="c1", reason="SERVER_DRAINING", retry_after=0.01))
    assert await take(watch, 1) == [1]
    reading = asyncio.ensure_future(take(watch, 1))
    await eventually(lambda: len(served.feed.watches) == 2)
    served.feed.frames.put_nowait(entry(2))
    assert await reading == [2]
    assert served.feed.watches[1].cursor == "c1"
    await eventually(lambda: served.feed.open == 1)


async def test_a_silent_stream_is_given_up_and_opened_again(
    served: ServedNode, client: postroom.Postroom
) -> None:
    watch = client.watch("accounts/a1", heartbeat=5)
    watch._heartbeat = 0.05
    served.feed.frames.put_nowait(entry(1))
    assert await take(watch, 1) == [1]
    reading = asyncio.ensure_future(take(watch, 1))
    await eventually(lambda: len(served.feed.watches) >= 2)
    await eventually(lambda: served.feed.open <= 1)
    watch._heartbeat = 5
    served.feed.frames.put_nowait(entry(2))
    assert await asyncio.wait_for(reading, 5) == [2]


async def test_a_reset_is_raised_and_the_same_watch_goes_on(
    served: ServedNode, client: postroom.Postroom
) -> None:
    watch = client.watch("accounts/a1")
    served.feed.frames.put_nowait(ResetFrame(cursor="c9", account=None, reason=ResetReason.STORE_ROLLED_BACK))
    served.feed.frames.put_nowait(entry(10))
    with pytest.raises(postroom.FeedReset) as caught:
        await anext(watch)
    assert (caught.value.scope, caught.value.why, caught.value.cursor) == (
        "accounts/-",
        "STORE_ROLLED_BACK",
        "c9",
    )
    assert await take(watch, 1) == [10]


async def test_what_waiting_does_not_cure_is_raised_at_once(
    served: ServedNode, client: postroom.Postroom
) -> None:
    for failure, kind in (
        (CursorExpired(earliestCursor="e"), errors.CursorExpired),
        (AccountPaused(), errors.AccountPaused),
    ):

        async def refuse(options: Any, failure: Any = failure) -> Any:
            raise failure
            yield

        served.feed.watch = refuse  # type: ignore[assignment]
        watch = client.watch("accounts/a1", cursor="old")
        with pytest.raises(kind):
            await anext(watch)
        assert watch.state is State.CLOSED
        with pytest.raises(StopAsyncIteration):
            await anext(watch)


async def test_an_end_for_good_is_raised(served: ServedNode, client: postroom.Postroom) -> None:
    watch = client.watch("accounts/a1")
    served.feed.frames.put_nowait(EndFrame(cursor="c4", reason="ACCOUNT_REMOVED"))
    with pytest.raises(postroom.WatchEnded) as caught:
        await anext(watch)
    assert (caught.value.why, caught.value.cursor) == ("ACCOUNT_REMOVED", "c4")


async def test_patience_has_an_end_where_one_is_asked_for() -> None:
    async with ServedNode().running() as gone:
        address = gone.address
    async with postroom.connect(address, ADMIN) as client:
        watch = client.watch("accounts/a1", patience=0.3)
        with pytest.raises(postroom.PostroomError):
            await asyncio.wait_for(anext(watch), 10)


async def test_a_read_that_is_given_up_loses_nothing(served: ServedNode, client: postroom.Postroom) -> None:
    watch = client.watch("accounts/a1")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(watch), 0.2)
    served.feed.frames.put_nowait(entry(1))
    assert await take(watch, 1) == [1]
    assert len(served.feed.watches) == 1


async def test_a_watch_that_is_closed_leaves_nothing_at_the_server(
    served: ServedNode, client: postroom.Postroom
) -> None:
    watches = [client.watch("accounts/a1") for _ in range(5)]
    reading = [asyncio.ensure_future(anext(watch)) for watch in watches]
    await eventually(lambda: served.feed.open == 5)
    for one in reading:
        one.cancel()
    for watch in watches:
        await watch.aclose()
    await eventually(lambda: served.feed.open == 0)
