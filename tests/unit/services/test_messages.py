"""MessageService over a real server: pages, views, downloads with ranges, batches."""

from __future__ import annotations

import hashlib
from typing import Any

import grpc
import pytest
from postroom.v1 import message_batch_pb2, message_service_pb2, search_pb2
from postroom_server.domain.messages import View
from postroom_server.ids import AccountId
from postroom_server.services.convert.messages import message_to_proto
from postroom_server.services.interceptors.errors import ErrorsInterceptor

from tests.fixtures.eventually import eventually
from tests.fixtures.serving import ServedNode, a_message, bearer
from tests.unit.services.test_chain import call, refused

SERVICE = "/postroom.v1.MessageService/"
NAME = "accounts/a1/messages/AQAB/attachments/2"


async def download(served: ServedNode, **headers: str) -> tuple[bytes, dict[str, Any], Any]:
    served.commands.messages[a_message().id] = a_message()
    fields: dict[str, Any] = {key: int(headers.pop(key)) for key in ("offset", "length") if key in headers}
    request = message_service_pb2.DownloadAttachmentRequest(name=NAME, **fields)
    stream: Any = served.channel.unary_stream(
        SERVICE + "DownloadAttachment",
        response_deserializer=message_service_pb2.DownloadAttachmentResponse.FromString,
    )(request.SerializeToString(), metadata=bearer(**headers))
    pieces = [one.body async for one in stream]
    found = dict(await stream.initial_metadata()) | dict(await stream.trailing_metadata())
    return b"".join(one.data for one in pieces), found, pieces


async def test_a_page_token_goes_on_and_belongs_to_its_mailbox(served: ServedNode) -> None:
    for number in range(5):
        served.commands.messages[a_message(f"AQA{number}").id] = a_message(f"AQA{number}")
    request = message_service_pb2.ListMessagesRequest(parent="accounts/a1/mailboxes/inbox", page_size=2)
    seen: list[str] = []
    for _ in range(3):
        page = await call(served, SERVICE + "ListMessages", request, bearer())
        seen += [one.name for one in page.messages]
        request.page_token = page.next_page_token
    assert seen == [f"accounts/a1/messages/AQA{number}" for number in range(5)]
    assert request.page_token == ""
    request.page_token = (
        await call(
            served,
            SERVICE + "ListMessages",
            message_service_pb2.ListMessagesRequest(parent="accounts/a1/mailboxes/sent", page_size=2),
            bearer(),
        )
    ).next_page_token
    assert (await refused(served, SERVICE + "ListMessages", request, bearer()))[1] == "PAGE_TOKEN_INVALID"


@pytest.mark.parametrize("token", ["x", "AAAA", "é", "=" * 10, "A" * 3000])
async def test_a_page_token_of_nobody_is_refused(served: ServedNode, token: str) -> None:
    request = message_service_pb2.ListMessagesRequest(parent="accounts/a1/mailboxes/inbox", page_token=token)
    code, reason, _ = await refused(served, SERVICE + "ListMessages", request, bearer())
    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID")


async def test_a_negative_page_size_is_refused(served: ServedNode) -> None:
    request = message_service_pb2.ListMessagesRequest(parent="accounts/a1/mailboxes/inbox", page_size=-1)
    assert (await refused(served, SERVICE + "ListMessages", request, bearer()))[2]["fields"] == ["pageSize"]


def test_the_view_basic_has_no_texts() -> None:
    basic = message_to_proto(AccountId("a1"), a_message(), View.BASIC)
    full = message_to_proto(AccountId("a1"), a_message(), View.FULL)
    assert (basic.preview, basic.text, len(basic.headers)) == ("", "", 0)
    assert (full.preview, full.text, len(full.headers)) == ("Hello there", "Hello there", 1)
    assert basic.from_addresses[0].address == "ann@example.com"


async def test_a_download_states_length_type_name_and_hash(served: ServedNode) -> None:
    data, found, pieces = await download(served)
    assert data == served.commands.attachment_bytes
    assert pieces[0].content_type == "image/png"
    assert found["x-content-length"] == "1000"
    assert found["x-content-sha256"] == hashlib.sha256(data).hexdigest()
    assert found["content-disposition"] == 'attachment; filename="p.png"'
    assert found["accept-ranges"] == "bytes"
    await eventually(lambda: served.commands.closed == 1)


@pytest.mark.parametrize(
    ("wanted", "status", "piece", "content_range"),
    [
        ("bytes=0-99", "206", (0, 100), "bytes 0-99/1000"),
        ("bytes=990-", "206", (990, 1000), "bytes 990-999/1000"),
        ("bytes=-10", "206", (990, 1000), "bytes 990-999/1000"),
        ("bytes=-5000", "206", (0, 1000), "bytes 0-999/1000"),
        ("bytes=500-9999", "206", (500, 1000), "bytes 500-999/1000"),
        ("bytes=1000-", "416", (0, 0), "bytes */1000"),
        ("bytes=-0", "416", (0, 0), "bytes */1000"),
        ("bytes=5-1", None, (0, 1000), None),
        ("bytes=0-1,5-6", None, (0, 1000), None),
        ("lines=0-1", None, (0, 1000), None),
        ("bytes=-", None, (0, 1000), None),
    ],
)
async def test_a_range_is_answered_as_http_has_it(
    served: ServedNode, wanted: str, status: str | None, piece: tuple[int, int], content_range: str | None
) -> None:
    """RFC 9110 section 14."""
    data, found, _ = await download(served, range=wanted)
    assert data == served.commands.attachment_bytes[slice(*piece)]
    assert found.get("x-http-status") == status
    assert found.get("content-range") == content_range


async def test_a_range_of_another_version_is_answered_in_full(served: ServedNode) -> None:
    data, found, _ = await download(served, range="bytes=0-9", if_range='"other"')
    assert (len(data), found.get("x-http-status")) == (1000, None)
    data, found, _ = await download(served, range="bytes=0-9", if_range=found["etag"])
    assert (len(data), found.get("x-http-status")) == (10, "206")


async def test_a_known_version_is_not_sent_again(served: ServedNode) -> None:
    _, found, _ = await download(served)
    data, again, _ = await download(served, if_none_match=found["etag"])
    assert (data, again["x-http-status"]) == (b"", "304")


async def test_offset_and_length_cut_the_piece_out(served: ServedNode) -> None:
    data, found, _ = await download(served, offset="250", length="500")
    assert data == served.commands.attachment_bytes[250:750]
    assert found["x-content-length"] == "500"


async def test_an_unknown_length_is_not_stated(served: ServedNode) -> None:
    served.commands.announced = False
    data, found, _ = await download(served, range="bytes=0-9")
    assert len(data) == 1000
    assert "accept-ranges" not in found


async def test_a_failure_before_the_first_byte_is_a_status_of_its_own(served: ServedNode) -> None:
    served.commands.fail_after = 0
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await download(served)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_failure_after_the_first_byte_aborts_a_grpc_call(served: ServedNode) -> None:
    served.commands.fail_after = 600
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await download(served)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_failure_after_the_first_byte_goes_silent_over_rest() -> None:
    """The gateway cannot tell such a caller an error, and an end would look like success."""
    sent: list[str] = []

    class Details:
        method = SERVICE + "DownloadAttachment"

    class Caller:
        def invocation_metadata(self) -> Any:
            return (("x-envoy-original-path", "/v1/x"),)

        async def abort_with_status(self, status: Any) -> None:
            sent.append("aborted")
            raise grpc.aio.AbortError

    async def breaks(request: Any, context: Any) -> Any:
        yield b"one"
        raise ValueError

    async def continuation(details: Any) -> Any:
        return grpc.unary_stream_rpc_method_handler(breaks)

    chain = ErrorsInterceptor(frozenset({Details.method}), silent_seconds=0.05)
    handler = await chain.intercept_service(continuation, Details)
    pieces: Any = handler.unary_stream(b"", Caller())
    assert await anext(pieces) == b"one"
    silence = __import__("asyncio").create_task(anext(pieces))
    await eventually(lambda: silence.done() or not sent)
    with pytest.raises(grpc.aio.AbortError):
        await silence
    assert sent == ["aborted"], "only after the silence"


async def test_a_hostile_file_name_cannot_leave_its_header(served: ServedNode) -> None:
    from dataclasses import replace

    message = a_message()
    part = replace(message.summary.parts[0], filename='a"\r\nx-evil: 1/é.png')
    served.commands.messages[message.id] = replace(message, summary=replace(message.summary, parts=(part,)))
    request = message_service_pb2.DownloadAttachmentRequest(name=NAME)
    stream: Any = served.channel.unary_stream(SERVICE + "DownloadAttachment")(
        request.SerializeToString(), metadata=bearer()
    )
    async for _ in stream:
        pass
    found = dict(await stream.initial_metadata())
    assert "x-evil" not in found
    assert "\r" not in found["content-disposition"]
    assert found["content-disposition"].endswith("filename*=UTF-8''a%22%0D%0Ax-evil%3A%201%2F%C3%A9.png")


async def test_a_batch_tells_of_each_message(served: ServedNode) -> None:
    served.commands.messages[a_message().id] = a_message()
    names = ["accounts/a1/messages/AQAB", "accounts/a1/messages/GONE"]
    request = message_batch_pb2.ModifyMessagesRequest(parent="accounts/a1", names=names, add_flags=["$Seen"])
    answer = await call(served, SERVICE + "ModifyMessages", request, bearer())
    assert [one.name for one in answer.results] == names
    assert [one.HasField("error") for one in answer.results] == [False, True]
    assert answer.results[1].error.code == grpc.StatusCode.NOT_FOUND.value[0]


@pytest.mark.parametrize(
    ("fields", "reason", "at"),
    [
        ({"names": []}, "REQUEST_INVALID", "names"),
        ({"names": ["accounts/b2/messages/AQAB"]}, "REQUEST_INVALID", "names[0]"),
        ({"names": ["x"]}, "REQUEST_INVALID", "names[0]"),
        ({"add_flags": ["a b"]}, "REQUEST_INVALID", "addFlags[0]"),
        ({"add_flags": ["x\r\ny"]}, "REQUEST_INVALID", "addFlags[0]"),
        ({"add_flags": []}, "REQUEST_INVALID", "addFlags"),
        ({"remove_flags": ["$seen"]}, "REQUEST_INVALID", "removeFlags"),
        ({"add_mailboxes": ["nonsense"]}, "REQUEST_INVALID", "addMailboxes[0]"),
        ({"add_mailboxes": ["sent"], "remove_mailboxes": ["sent"]}, "REQUEST_INVALID", "removeMailboxes"),
        ({"filter": search_pb2.SearchFilter()}, "NOT_IMPLEMENTED", "filter"),
    ],
)
async def test_a_batch_that_makes_no_sense_is_refused_by_field(
    served: ServedNode, fields: dict[str, Any], reason: str, at: str | None
) -> None:
    given: dict[str, Any] = {"names": ["accounts/a1/messages/AQAB"], "add_flags": ["$seen"], **fields}
    request = message_batch_pb2.ModifyMessagesRequest(parent="accounts/a1", **given)
    _, told, found = await refused(served, SERVICE + "ModifyMessages", request, bearer())
    assert (told, found["metadata"].get("field")) == (reason, at)
    assert served.commands.calls == []


async def test_several_messages_are_got_and_the_missing_ones_named(served: ServedNode) -> None:
    served.commands.messages[a_message().id] = a_message()
    names = ["accounts/a1/messages/GONE", "accounts/a1/messages/AQAB"]
    request = message_service_pb2.BatchGetMessagesRequest(parent="accounts/a1", names=names)
    answer = await call(served, SERVICE + "BatchGetMessages", request, bearer())
    assert [one.name for one in answer.messages] == names[1:]
    assert list(answer.missing) == names[:1]
