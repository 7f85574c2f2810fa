"""The Python client against a real server: calls, errors by reason, pages, downloads, uploads. The watch: test_watch.py."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib
import io
import pickle
import pkgutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import postroom
import pytest
import trustme
from google.api.httpbody_pb2 import HttpBody
from google.rpc import error_details_pb2, status_pb2
from postroom import errors, v1
from postroom.calls_table import RULES
from postroom.statuses import from_status
from postroom.v1 import account_pb2, account_service_pb2, error_reason_pb2, message_service_pb2
from postroom.v1.account_service_pb2 import GetAccountResponse
from postroom.v1.export_service_pb2 import DownloadExportResponse
from postroom.v1.message_append_pb2 import AppendMessageRequest
from postroom.v1.message_batch_pb2 import CopyMessagesRequest
from postroom.v1.message_service_pb2 import GetMessageSourceResponse
from postroom.v1.submission_service_pb2 import SubmitMessageRequest, SubmitMessageResponse
from postroom_server.errors import OutcomeUnknown, ProviderUnreachable, RecipientsRefused, StoreUnavailable
from postroom_server.errors import PostroomError as ServerError

from tests.fixtures.eventually import eventually
from tests.fixtures.scripted_feed import ScriptedFeed
from tests.fixtures.serving import ADMIN, ServedNode, a_message

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


def test_errors_are_copied_as_other_processes_do() -> None:
    wrong = errors.RequestInvalid("no", code=grpc.StatusCode.INVALID_ARGUMENT, violations=[("a", "b")])
    copied = pickle.loads(pickle.dumps(wrong))
    assert (str(copied), copied.code, copied.violations) == ("no", wrong.code, wrong.violations)
    reset = pickle.loads(pickle.dumps(errors.FeedReset("accounts/a", "RETENTION", "c1")))
    assert (reset.scope, reset.why, reset.cursor) == ("accounts/a", "RETENTION", "c1")
    ended = pickle.loads(pickle.dumps(errors.WatchEnded("REPLACED", "c1")))
    assert (ended.why, ended.cursor) == ("REPLACED", "c1")


def test_a_callers_own_class_takes_the_place_of_none() -> None:
    class AccountNotFound(errors.AccountNotFound):
        pass

    class Mine(errors.AccountNotFound):
        pass

    info = error_details_pb2.ErrorInfo(reason="ACCOUNT_NOT_FOUND", domain="postroom")
    status = status_pb2.Status(code=5)
    status.details.add().Pack(info)
    assert type(from_status(status)) is errors.AccountNotFound
    assert (Mine.reason, AccountNotFound.reason) == ("ACCOUNT_NOT_FOUND", "ACCOUNT_NOT_FOUND")


async def test_details_that_are_none_leave_the_code(feed: ScriptedFeed) -> None:
    async def answer(request: Any, context: Any) -> GetAccountResponse:
        context.set_trailing_metadata((("grpc-status-details-bin", b"\xff\xff"),))
        await context.abort(grpc.StatusCode.NOT_FOUND, "gone")
        raise AssertionError

    feed.node.answers["AccountService.GetAccount"] = answer
    async with postroom.connect(feed.address, ADMIN) as client:
        with pytest.raises(postroom.PostroomError, match="gone") as caught:
            await client.accounts.GetAccount(GET)
    assert caught.value.code is grpc.StatusCode.NOT_FOUND


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


async def test_a_deadline_that_never_comes_is_none(client: postroom.Postroom) -> None:
    for timeout in (float("inf"), 1e12):
        with pytest.raises(errors.AccountNotFound):
            await client.accounts.GetAccount(GET, timeout=timeout)


async def test_closing_ends_calls_also_over_a_connection_that_was_left(feed: ScriptedFeed) -> None:
    begun = asyncio.Event()

    async def answer(request: Any, context: Any) -> AsyncIterator[GetMessageSourceResponse]:
        begun.set()
        await asyncio.Event().wait()
        yield GetMessageSourceResponse()

    feed.node.answers["MessageService.GetMessageSource"] = answer
    client = postroom.connect(feed.address, ADMIN)
    loading = asyncio.ensure_future(client.download("accounts/a/messages/m"))
    await begun.wait()
    client._connection.leave(client._connection.channel)
    await client.accounts.GetAccount(GET)
    await client.aclose()
    with pytest.raises(postroom.PostroomError):
        await asyncio.wait_for(loading, 2)


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


async def test_what_goes_to_this_machine_goes_through_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readline())
        writer.close()

    async with await asyncio.start_server(proxy, "127.0.0.1", 0) as listening:
        place = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        for name in ("grpc_proxy", "https_proxy", "http_proxy"):
            monkeypatch.setenv(name, place)
        for name in ("no_grpc_proxy", "no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        for address in ("127.0.0.1:1", "http://localhost:1", "https://127.0.0.1:1"):
            async with postroom.connect(address, ADMIN) as client:
                with pytest.raises(postroom.PostroomError):
                    await client.accounts.GetAccount(GET, timeout=0.3)
        assert heard == []
        async with postroom.connect("mail.example", ADMIN) as client:
            with pytest.raises(postroom.PostroomError):
                await client.accounts.GetAccount(GET, timeout=0.3)
        assert heard[0].startswith(b"CONNECT mail.example:443 ")


async def test_a_client_that_is_closed_says_so(feed: ScriptedFeed) -> None:
    client = postroom.connect(feed.address, ADMIN)
    await client.aclose()
    await client.aclose()
    watch = client.watch("accounts/a")
    for asked in (client.accounts.GetAccount(GET), anext(watch), client.download("accounts/a/messages/m")):
        with pytest.raises(postroom.PostroomError, match="the client is closed") as caught:
            await asked
        assert caught.value.code is grpc.StatusCode.CANCELLED
    assert watch.state is postroom.State.CLOSED


async def test_a_connection_may_take_its_time(feed: ScriptedFeed) -> None:
    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65_536):
            writer.write(piece)
        writer.close()

    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(1.5)
        with contextlib.suppress(ConnectionError):
            onwards = await asyncio.open_unix_connection(feed.address.removeprefix("unix://"))
            await asyncio.gather(pour(reader, onwards[1]), pour(onwards[0], writer))

    async with await asyncio.start_server(slowly, "127.0.0.1", 0) as far:
        address = f"127.0.0.1:{far.sockets[0].getsockname()[1]}"
        async with postroom.connect(address, ADMIN) as client:
            await client.accounts.GetAccount(GET, timeout=8)


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


@pytest.mark.parametrize(
    ("request_id", "error", "calls"),
    [
        ("", StoreUnavailable, 1),
        ("r1", StoreUnavailable, 3),
        ("r1", ProviderUnreachable, 1),
        ("r1", OutcomeUnknown, 1),
        ("r1", RecipientsRefused, 1),
    ],
)
async def test_a_write_is_made_again_only_with_a_request_id_and_only_if_it_reached_no_provider(
    feed: ScriptedFeed, request_id: str, error: type[ServerError], calls: int
) -> None:
    failures, seen = [error(), error()], []

    async def answer(request: Any, context: Any) -> SubmitMessageResponse:
        seen.append((request, context.time_remaining()))
        if failures:
            failure = failures.pop()
            failure.retry_after = 0.01
            raise failure
        return SubmitMessageResponse()

    feed.node.answers["SubmissionService.SubmitMessage"] = answer
    async with postroom.connect(feed.address, ADMIN) as client:
        request = SubmitMessageRequest(parent="accounts/ada", request_id=request_id)
        if calls > 1:
            await client.submissions.SubmitMessage(request)
        else:
            with pytest.raises(postroom.PostroomError) as refused:
                await client.submissions.SubmitMessage(request)
            assert refused.value.told == error().reason
    assert [request for request, _ in seen] == [request] * calls
    assert all(25 < left < 31 for _, left in seen)


async def test_what_is_not_safe_to_repeat_is_made_once_and_a_given_deadline_wins(feed: ScriptedFeed) -> None:
    left: list[float] = []

    async def refuse(request: Any, context: Any) -> Any:
        left.append(context.time_remaining())
        raise StoreUnavailable

    for method in (
        "MessageService.CopyMessages",
        "MessageService.AppendMessage",
        "MessageService.GetMessage",
    ):
        feed.node.answers[method] = refuse
    async with postroom.connect(feed.address, ADMIN) as client:
        with pytest.raises(errors.StoreUnavailable):
            await client.messages.CopyMessages(CopyMessagesRequest())
        with pytest.raises(errors.StoreUnavailable):
            await client.messages.AppendMessage(AppendMessageRequest(), timeout=7)
        with pytest.raises(errors.StoreUnavailable):
            await client.messages.GetMessage(message_service_pb2.GetMessageRequest(), timeout=0.5)
    assert [round(one) for one in left[:2]] == [30, 7]
    assert len(left) == 3, "RetryInfo says a second, the deadline is nearer"


async def test_every_service_of_the_contract_is_an_attribute(feed: ScriptedFeed) -> None:
    modules = [
        importlib.import_module(f"postroom.v1.{one.name}") for one in pkgutil.iter_modules(v1.__path__)
    ]
    services = {
        name: service
        for module in modules
        if hasattr(module, "DESCRIPTOR")
        for name, service in module.DESCRIPTOR.services_by_name.items()
    }
    async with postroom.connect(feed.address, ADMIN) as client:
        stubs = {
            type(one).__name__: one for one in vars(client).values() if type(one).__name__.endswith("Stub")
        }
        assert set(stubs) == {f"{name}Stub" for name in services}
        for name, service in services.items():
            for method in service.methods:
                assert getattr(stubs[f"{name}Stub"], method.name)
                assert f"/{service.full_name}/{method.name}" in RULES


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


@pytest.mark.parametrize(
    ("length", "digest", "damaged"),
    [
        ("8", hashlib.sha256(b"abcdefgh").hexdigest(), False),
        (None, None, False),
        ("9", None, True),
        ("7", hashlib.sha256(b"abcdefgh").hexdigest(), True),
        ("8", hashlib.sha256(b"abcdefgx").hexdigest(), True),
    ],
)
async def test_a_download_is_compared_with_what_was_announced(
    feed: ScriptedFeed, length: str | None, digest: str | None, damaged: bool
) -> None:
    async def answer(request: Any, context: Any) -> AsyncIterator[GetMessageSourceResponse]:
        if length is not None:
            await context.send_initial_metadata((("x-content-length", length),))
        for piece in (b"abcd", b"efgh"):
            yield GetMessageSourceResponse(body=HttpBody(data=piece))
        if digest is not None:
            context.set_trailing_metadata((("x-content-sha256", digest),))

    feed.node.answers["MessageService.GetMessageSource"] = answer
    target = io.BytesIO()
    async with postroom.connect(feed.address, ADMIN) as client:
        if damaged:
            with pytest.raises(postroom.DownloadDamaged):
                await client.download("accounts/a/messages/m", target)
        else:
            assert await client.download("accounts/a/messages/m", target) == b""
            assert target.getvalue() == await client.download("accounts/a/messages/m") == b"abcdefgh"


async def test_an_export_is_downloaded_by_its_name(feed: ScriptedFeed) -> None:
    async def answer(request: Any, context: Any) -> AsyncIterator[DownloadExportResponse]:
        yield DownloadExportResponse(body=HttpBody(data=request.name.encode()))

    feed.node.answers["ExportService.DownloadExport"] = answer
    async with postroom.connect(feed.address, ADMIN) as client:
        assert await client.download("accounts/a/exports/e") == b"accounts/a/exports/e"


async def in_pieces(raw: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(raw), size):
        yield raw[start : start + size]


async def test_a_message_is_uploaded_from_bytes_a_file_and_pieces(
    served: ServedNode, client: postroom.Postroom
) -> None:
    account = await create(client, "ada")
    raw = b"From: ada@example.com\r\nTo: bob@example.com\r\nMessage-ID: <x@example.com>\r\n\r\n"
    raw += b"0123456789abcdef\r\n" * 50_000
    later = datetime.now(UTC) + timedelta(hours=2)
    for source in (raw, io.BytesIO(raw), in_pieces(raw, 700_000), in_pieces(raw, 1_000)):
        made = await client.upload(account.name, source, send_time=later)
        assert made.send_time.ToDatetime(UTC) == later
    assert {one.split(b"\r\n\r\n", 1)[1] for one in served.submissions.raws.values()} == {
        raw.split(b"\r\n\r\n", 1)[1]
    }
    again = [await client.upload(account.name, raw, request_id="r1") for _ in range(2)]
    assert again[0] == again[1]
    with pytest.raises(errors.RequestIdReused):
        await client.upload(account.name, raw + b"more", request_id="r1")


async def test_an_upload_that_fails_says_whose_fault_it_is(
    served: ServedNode, client: postroom.Postroom
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"From: ada@example.com\r\n"
        raise LookupError("the source is gone")

    account = await create(client, "ada")
    with pytest.raises(LookupError, match="the source is gone"):
        await client.upload(account.name, broken())
    with pytest.raises(errors.AccountNotFound):
        await client.upload("accounts/nobody", b"x" * 3_000_000)
    with pytest.raises(postroom.PostroomError):
        await client.upload(account.name, b"")
    with pytest.raises(ValueError):
        await client.upload(account.name, b"x", send_time=datetime.now())  # noqa: DTZ005 - that is what is refused
    assert not served.submissions.raws


async def test_a_refusal_in_the_midst_of_an_upload_is_the_servers_word(feed: ScriptedFeed) -> None:
    async def answer(requests: AsyncIterator[Any], context: Any) -> Any:
        await anext(aiter(requests))
        await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "enough")

    feed.node.answers["SubmissionService.UploadSubmission"] = answer
    raw = bytes(4_000_000)
    async with postroom.connect(feed.address, ADMIN) as client:
        for _ in range(30):
            with pytest.raises(postroom.PostroomError, match="enough") as caught:
                await client.upload("accounts/a", raw)
            assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_an_upload_that_is_cancelled_leaves_nothing(
    served: ServedNode, client: postroom.Postroom
) -> None:
    account = await create(client, "ada")
    asked = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"From: ada@example.com\r\n"
        asked.set()
        await asyncio.Event().wait()

    running = asyncio.ensure_future(client.upload(account.name, endless()))
    await asyncio.wait_for(asked.wait(), 5)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    await eventually(lambda: not [one for one in asyncio.all_tasks() if "_noting" in repr(one)])
    assert not served.submissions.raws


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
