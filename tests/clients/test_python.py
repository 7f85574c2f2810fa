"""The Python client against a running Postroom: settings, tokens, a watch through the death of its server."""

from __future__ import annotations

import asyncio
import io
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import postroom as client_package
import pytest
from postroom import errors, testing
from postroom.v1 import account_care_pb2, account_pb2, account_service_pb2, message_pb2, token_pb2
from postroom.v1.change_pb2 import Change
from postroom.v1.composed_message_pb2 import ComposedMessage
from postroom.v1.mailbox_service_pb2 import ListMailboxesRequest
from postroom.v1.message_batch_pb2 import ModifyMessagesRequest
from postroom.v1.search_pb2 import SearchCondition, SearchFilter, SearchMessagesRequest
from postroom.v1.submission_pb2 import Submission
from postroom.v1.submission_service_pb2 import SubmitMessageRequest
from postroom.v1.token_service_pb2 import CreateTokenRequest, RevokeTokenRequest

from tests.fixtures.eventually import eventually
from tests.fixtures.postroom import Up


@pytest.fixture
async def client(postroom: Up) -> AsyncIterator[client_package.Postroom]:
    async with client_package.connect(postroom.grpc_address, postroom.token) as client:
        yield client


async def sandbox(client: client_package.Postroom, **fields: Any) -> account_pb2.Account:
    name = f"py-{uuid.uuid4().hex[:10]}"
    given = account_pb2.Account(email=f"{name}@sandbox.test", sandbox=account_pb2.SandboxSettings(), **fields)
    request = account_service_pb2.CreateAccountRequest(account_id=name, account=given)
    return (await client.accounts.CreateAccount(request)).account


async def send(
    client: client_package.Postroom, account: account_pb2.Account, subject: str, **fields: Any
) -> str:
    composed = ComposedMessage(to=[message_pb2.Address(address=account.email)], subject=subject, text="Hello")
    composed.MergeFrom(ComposedMessage(**fields))
    request = SubmitMessageRequest(
        parent=account.name, submission=Submission(composed=composed), request_id=str(uuid.uuid4())
    )
    return (await client.submissions.SubmitMessage(request)).submission.name


async def added(watch: client_package.Watch, subject: str) -> message_pb2.Message:
    async with asyncio.timeout(30):
        async for change in watch:
            if change.HasField("message_added") and change.message_added.message.subject == subject:
                return change.message_added.message
    raise AssertionError("the feed ended")


async def test_a_message_arrives_is_found_marked_and_downloaded(client: client_package.Postroom) -> None:
    account = await sandbox(client)
    content = os.urandom(300_000)
    attachment = ComposedMessage.OutgoingAttachment(filename="data.bin", content=content)
    async with client.watch(
        account.name, start="EARLIEST", kinds=["MESSAGE_ADDED", "FLAGS_CHANGED"]
    ) as watch:
        await send(client, account, "Lunch", attachments=[attachment])
        message = await added(watch, "Lunch")
        mailboxes = (
            await client.mailboxes.ListMailboxes(ListMailboxesRequest(parent=account.name))
        ).mailboxes
        assert {one.role for one in mailboxes} >= {"inbox", "sent", "trash"}
        found = await client.messages.SearchMessages(
            SearchMessagesRequest(
                parent=account.name,
                mailboxes=["inbox"],
                filter=SearchFilter(condition=SearchCondition(subject="lunch")),
            )
        )
        assert [one.subject for one in found.messages] == ["Lunch"]
        assert await client.download(message.attachments[0].name) == content
        await client.messages.ModifyMessages(
            ModifyMessagesRequest(parent=account.name, names=[message.name], add_flags=["$seen"])
        )
        async with asyncio.timeout(30):
            async for change in watch:
                if change.HasField("flags_changed"):
                    assert list(change.flags_changed.added) == ["$seen"]
                    break


async def test_a_watch_goes_on_through_the_death_of_a_node_and_of_the_gateway(
    postroom: Up, client: client_package.Postroom
) -> None:
    account = await sandbox(client)
    seen: list[str] = []

    async def follow(watch: client_package.Watch) -> None:
        async for change in watch:
            if change.HasField("message_added") and change.message_added.message.mailboxes[0] == inbox:
                seen.append(change.message_added.message.subject)

    await eventually(lambda: state(client, account.name, account_pb2.Account.CONNECTED), within=20)
    mailboxes = (await client.mailboxes.ListMailboxes(ListMailboxesRequest(parent=account.name))).mailboxes
    inbox = next(one.name for one in mailboxes if one.role == "inbox")
    async with client.watch(account.name, start="EARLIEST") as watch:
        following = asyncio.create_task(follow(watch))
        for number, part in enumerate(("", "node", "", "gateway", "")):
            if part:
                postroom.kill(part)
            await insist(lambda subject=str(number): send(client, account, subject))  # type: ignore[misc]
            await eventually(lambda wanted=number + 1: len(seen) >= wanted, within=20)  # type: ignore[misc]
        assert seen == ["0", "1", "2", "3", "4"]
        following.cancel()


async def insist(step: Any) -> Any:
    """A write that is made again while nobody can take it."""

    async def once() -> Any:
        try:
            return await step()
        except client_package.PostroomError as error:
            if not (error.transient or isinstance(error, errors.DeadlineExceeded)):
                raise
            return None

    return await eventually(once, within=20)


async def state(client: client_package.Postroom, name: str, wanted: int) -> bool:
    found = await client.accounts.GetAccount(account_service_pb2.GetAccountRequest(name=name))
    return bool(found.account.state == wanted)


async def test_an_account_is_paused_refuses_and_is_resumed(client: client_package.Postroom) -> None:
    account = await sandbox(client)
    await eventually(lambda: state(client, account.name, account_pb2.Account.CONNECTED), within=20)
    await client.accounts.PauseAccount(account_care_pb2.PauseAccountRequest(name=account.name))
    await eventually(lambda: state(client, account.name, account_pb2.Account.PAUSED), within=20)
    with pytest.raises(errors.AccountPaused):
        await client.mailboxes.ListMailboxes(ListMailboxesRequest(parent=account.name))
    await client.accounts.ResumeAccount(account_care_pb2.ResumeAccountRequest(name=account.name))
    answer = await client.mailboxes.ListMailboxes(ListMailboxesRequest(parent=account.name))
    assert answer.mailboxes


async def test_a_large_message_is_uploaded_once(client: client_package.Postroom) -> None:
    account = await sandbox(client)
    raw = f"From: {account.email}\r\nTo: {account.email}\r\nSubject: Large\r\n\r\n".encode()
    raw += b"".join(b"%070d\r\n" % number for number in range(40_000))
    made = [await client.upload(account.name, io.BytesIO(raw), request_id="large") for _ in range(2)]
    assert made[0].name == made[1].name
    async with client.watch(account.name, start="EARLIEST") as watch:
        message = await added(watch, "Large")
    assert (await client.download(message.name)).endswith(raw[-1_000_000:])


async def test_a_reader_is_told_when_it_has_caught_up(client: client_package.Postroom) -> None:
    account = await testing.sandbox_account(client)
    await send(client, account, "Old")
    async with client.watch(account.name, start="EARLIEST") as watch:
        await added(watch, "Old")
    states: list[str] = []
    subjects: list[str] = []

    async def note(change: Change) -> None:
        subjects.append(change.message_added.message.subject)

    async with client.watch(
        account.name, start="EARLIEST", on_state=lambda one: states.append(one.value)
    ) as watch:
        reading = asyncio.ensure_future(watch.each(note))
        await eventually(lambda: watch.state is client_package.State.LIVE)
        assert (watch.lag_changes, "Old" in subjects) == (0, True)
        await send(client, account, "New")
        await eventually(lambda: "New" in subjects)
    await asyncio.wait_for(reading, 5)
    assert states == ["catching_up", "live", "closed"]


async def test_a_watch_that_is_not_read_holds_up_no_call_through_the_gateway(
    client: client_package.Postroom,
) -> None:
    account = await testing.sandbox_account(client)
    request = ListMailboxesRequest(parent=account.name)
    watches = [client.watch(account.name, start="EARLIEST") for _ in range(20)]
    for watch in watches:
        await anext(watch)
    for number in range(30):
        await send(client, account, f"Letter {number}")
    for _ in range(20):
        assert (await client.mailboxes.ListMailboxes(request, timeout=5)).mailboxes
    seen = [[change.sequence async for change in until(watch, "Letter 29")] for watch in watches]
    assert {tuple(one) for one in seen} == {tuple(seen[0])}
    assert seen[0] == list(range(1, seen[0][-1] + 1))


async def until(watch: client_package.Watch, subject: str) -> AsyncIterator[Change]:
    """The watch's changes up to the message with this subject."""
    async with asyncio.timeout(30):
        async for change in watch:
            yield change
            if change.message_added.message.subject == subject:
                return


async def test_an_account_is_changed_by_mask_and_listed_by_label(client: client_package.Postroom) -> None:
    mark = uuid.uuid4().hex
    account = await sandbox(client, labels={"mark": mark})
    request = account_service_pb2.UpdateAccountRequest(
        account=account_pb2.Account(name=account.name, display_name="Ada")
    )
    request.update_mask.paths.append("display_name")
    changed = (await client.accounts.UpdateAccount(request)).account
    assert (changed.display_name, changed.email, dict(changed.labels)) == (
        "Ada",
        account.email,
        {"mark": mark},
    )
    wanted = account_service_pb2.ListAccountsRequest(label_selector=f"mark={mark}", page_size=1)
    assert [one.name async for one in client.pages(client.accounts.ListAccounts, wanted)] == [account.name]


async def test_a_revoked_token_ends_calls_and_streams(postroom: Up, client: client_package.Postroom) -> None:
    account = await sandbox(client)
    made = await client.tokens.CreateToken(
        CreateTokenRequest(token=token_pb2.Token(scopes=["changes.read"], accounts=[account.name]))
    )
    async with client_package.connect(postroom.grpc_address, made.secret) as other:
        with pytest.raises(errors.ScopeDenied):
            await anext(other.watch("accounts/-"))
        watch = other.watch(account.name, start="EARLIEST")
        assert await anext(watch)
        await client.tokens.RevokeToken(RevokeTokenRequest(name=made.token.name))
        with pytest.raises((client_package.WatchEnded, errors.TokenInvalid)):
            await asyncio.wait_for(to_the_end(watch), 6)


async def to_the_end(watch: client_package.Watch) -> None:
    async for _ in watch:
        pass


@pytest.fixture
def two_nodes() -> Iterator[Up]:
    server = Up("--nodes", "2")
    try:
        server.start()
        yield server
    finally:
        server.close()


async def test_any_node_serves_any_account_also_while_one_dies(two_nodes: Up) -> None:
    """Calls and downloads reach the owner through whichever node takes them."""
    async with client_package.connect(two_nodes.grpc_address, two_nodes.token) as client:
        accounts = [await sandbox(client) for _ in range(8)]
        for account in accounts:
            await send(client, account, account.name)
        for account in accounts:
            async with client.watch(account.name, start="EARLIEST") as watch:
                message = await added(watch, account.name)
            assert len(await client.download(message.name)) > 100
        two_nodes.kill("node", 1)
        for account in accounts:
            answer = await client.mailboxes.ListMailboxes(
                ListMailboxesRequest(parent=account.name), timeout=20
            )
            assert answer.mailboxes
