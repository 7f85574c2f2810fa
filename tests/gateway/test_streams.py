"""Watches, downloads and uploads: framing, ranges, broken transfers, back-pressure and the end of a call."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json

import aiohttp
import grpc
import pytest
from google.api import httpbody_pb2
from postroom.v1 import change_service_pb2, change_service_pb2_grpc, message_append_pb2, message_service_pb2
from postroom_server.errors import MessageNotFound

from tests.fixtures.echo_node import EchoNode
from tests.fixtures.envoy import Gateway
from tests.fixtures.eventually import eventually
from tests.fixtures.rest import Rest

pytestmark = pytest.mark.asyncio(loop_scope="session")

WATCH = "/v1/accounts/-/changes:watch"
CONTENT = "/v1/accounts/a/messages/m/attachments/1/content"
UPLOADS = ["/v1/accounts/a/submissions:upload", "/v1/accounts/a/mailboxes/inbox/messages:upload"]


def frame(cursor: str) -> change_service_pb2.WatchChangesResponse:
    return change_service_pb2.WatchChangesResponse(
        cursor=cursor, checkpoint=change_service_pb2.Checkpoint(head_cursor=cursor)
    )


async def three_frames(_request, _context):
    for number in range(3):
        yield frame(str(number))


async def test_a_watch_is_one_json_object_a_line(echo_node: EchoNode, gateway: Gateway):
    with echo_node.answering("ChangeService.WatchChanges", three_frames):
        reply = await gateway.raw("GET", WATCH)

    assert reply.headers["content-type"] == "application/json"
    assert [json.loads(line)["cursor"] for line in reply.body.splitlines()] == ["0", "1", "2"]
    assert reply.body.endswith(b"\n")


async def test_a_watch_is_server_sent_events_for_who_accepts_them(echo_node: EchoNode, gateway: Gateway):
    with echo_node.answering("ChangeService.WatchChanges", three_frames):
        reply = await gateway.raw("GET", WATCH, None, {"accept": "text/event-stream"})

    events = reply.body.split(b"\n\n")
    assert reply.headers["content-type"] == "text/event-stream"
    assert [json.loads(one.removeprefix(b"data: "))["cursor"] for one in events[:3]] == ["0", "1", "2"]
    assert events[3:] == [b""]


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_a_frame_arrives_while_the_watch_goes_on(echo_node: EchoNode, edge: Rest, accept):
    more = asyncio.Event()

    async def one_then_another(_request, _context):
        yield frame("first")
        await more.wait()
        yield frame("second")

    with echo_node.answering("ChangeService.WatchChanges", one_then_another):
        async with edge.session.get(edge.url + WATCH, headers={"accept": accept}) as reply:
            assert b"first" in await reply.content.readline()
            more.set()
            assert b"second" in await reply.content.read()


async def test_a_caller_that_leaves_ends_its_watch(echo_node: EchoNode, edge: Rest):
    ended = asyncio.Event()

    async def endless(_request, _context):
        try:
            yield frame("first")
            await asyncio.Event().wait()
        finally:
            ended.set()

    with echo_node.answering("ChangeService.WatchChanges", endless):
        reply = await edge.session.get(edge.url + WATCH)
        await reply.content.readline()
        reply.close()
        await eventually(ended.is_set)


async def test_a_refused_watch_is_a_status(echo_node: EchoNode, gateway: Gateway):
    async def refused(_request, _context):
        raise MessageNotFound
        yield

    with echo_node.answering("ChangeService.WatchChanges", refused):
        reply = await gateway.raw("GET", WATCH)

    assert reply.status == 404
    assert reply.json["message"] == "There is no such message, or no longer."
    assert reply.reason == "MESSAGE_NOT_FOUND"


def range_of(context) -> tuple[int, int] | None:
    wanted = dict(context.invocation_metadata()).get("range", "")
    if not wanted:
        return None
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    return int(first), int(last) + 1


CONTENT_BYTES = bytes(range(256)) * 4


async def download(_request, context):
    """What a real node does: 206 with the range it was asked for, 304 for the etag it was shown."""
    if dict(context.invocation_metadata()).get("if-none-match") == '"etag"':
        await context.send_initial_metadata((("x-http-status", "304"), ("etag", '"etag"')))
        yield message_service_pb2.DownloadAttachmentResponse(
            body=httpbody_pb2.HttpBody(content_type="image/png")
        )
        return
    wanted = range_of(context)
    content = CONTENT_BYTES if wanted is None else CONTENT_BYTES[slice(*wanted)]
    headers = [
        ("x-content-length", str(len(content))),
        ("accept-ranges", "bytes"),
        ("etag", '"etag"'),
        ("content-disposition", "attachment; filename*=UTF-8''%C3%A9.png"),
    ]
    if wanted is not None:
        headers += [
            ("x-http-status", "206"),
            ("content-range", f"bytes {wanted[0]}-{wanted[1] - 1}/{len(CONTENT_BYTES)}"),
        ]
    await context.send_initial_metadata(tuple(headers))
    for at in range(0, len(content), 256):
        body = httpbody_pb2.HttpBody(content_type="image/png", data=content[at : at + 256])
        yield message_service_pb2.DownloadAttachmentResponse(body=body)


async def test_a_download_states_its_type_and_length(echo_node: EchoNode, gateway: Gateway):
    with echo_node.answering("MessageService.DownloadAttachment", download):
        reply = await gateway.raw("GET", CONTENT)

    assert (reply.status, reply.body) == (200, CONTENT_BYTES)
    assert reply.headers["content-type"] == "image/png"
    assert reply.headers["content-length"] == "1024"
    assert reply.headers["content-disposition"] == "attachment; filename*=UTF-8''%C3%A9.png"
    assert "x-http-status" not in reply.headers
    assert "x-content-length" not in reply.headers


async def test_a_range_is_206(echo_node: EchoNode, gateway: Gateway):
    """RFC 9110 section 15.3.7."""
    with echo_node.answering("MessageService.DownloadAttachment", download):
        reply = await gateway.raw("GET", CONTENT, None, {"range": "bytes=100-299"})

    assert (reply.status, reply.body) == (206, CONTENT_BYTES[100:300])
    assert reply.headers["content-range"] == "bytes 100-299/1024"
    assert reply.headers["content-length"] == "200"


async def test_a_known_etag_is_304(echo_node: EchoNode, gateway: Gateway):
    """RFC 9110 section 15.4.5."""
    with echo_node.answering("MessageService.DownloadAttachment", download):
        reply = await gateway.raw("GET", CONTENT, None, {"if-none-match": '"etag"'})

    assert (reply.status, reply.body) == (304, b"")
    assert reply.headers["etag"] == '"etag"'


async def test_a_download_that_is_refused_keeps_its_status(echo_node: EchoNode, gateway: Gateway):
    async def refused(_request, _context):
        raise MessageNotFound
        yield

    with echo_node.answering("MessageService.DownloadAttachment", refused):
        reply = await gateway.raw("GET", CONTENT, None, {"range": "bytes=0-1"})

    assert reply.status == 404
    assert reply.reason == "MESSAGE_NOT_FOUND"


async def test_a_caller_cannot_choose_the_status(echo_node: EchoNode, gateway: Gateway):
    with echo_node.answering("MessageService.DownloadAttachment", download):
        reply = await gateway.raw("GET", CONTENT, None, {"x-http-status": "206", "x-content-length": "1"})

    assert (reply.status, reply.body) == (200, CONTENT_BYTES)


async def test_a_large_download_is_whole(echo_node: EchoNode, edge: Rest):
    """Larger than anything that is buffered on the way."""
    chunk = bytes(256 * 1024)
    count = 128

    async def large(_request, context):
        await context.send_initial_metadata((("x-content-length", str(len(chunk) * count)),))
        for _ in range(count):
            body = httpbody_pb2.HttpBody(content_type="application/pdf", data=chunk)
            yield message_service_pb2.DownloadAttachmentResponse(body=body)

    with echo_node.answering("MessageService.DownloadAttachment", large):
        reply = await edge.call("GET", CONTENT)

    assert len(reply.body) == len(chunk) * count


@pytest.mark.parametrize("path", UPLOADS)
async def test_an_upload_arrives_as_it_is_sent(echo_node: EchoNode, edge: Rest, path):
    """32 MiB: four times what a JSON body may hold, and never held by the gateway."""
    mail = bytes(range(256)) * 4096 * 32

    headers = {"content-type": "message/rfc822"}
    async with edge.session.post(edge.url + path, data=io.BytesIO(mail), headers=headers) as reply:
        assert reply.status == 200, await reply.read()

    chunks = echo_node.last.request
    assert (
        hashlib.sha256(b"".join(one.content.data for one in chunks)).digest() == hashlib.sha256(mail).digest()
    )
    assert chunks[0].content.content_type == "message/rfc822"
    assert chunks[0].parent.startswith("accounts/a")
    assert len(chunks) > 1


async def test_an_upload_is_handed_on_before_it_is_whole(echo_node: EchoNode, edge: Rest):
    arrived = asyncio.Event()

    async def receive(requests, _context):
        async for one in requests:
            if one.content.data:
                arrived.set()
        return message_append_pb2.UploadMessageResponse()

    async def halves():
        yield b"x" * 100_000
        await asyncio.wait_for(arrived.wait(), 10)
        yield b"y" * 100_000

    with echo_node.answering("MessageService.UploadMessage", receive):
        async with edge.session.post(edge.url + UPLOADS[1], data=halves()) as reply:
            assert reply.status == 200, await reply.read()


async def test_an_upload_takes_its_fields_by_query(echo_node: EchoNode, gateway: Gateway):
    reply = await gateway.raw(
        "POST", f"{UPLOADS[1]}?flags=$seen&flags=x&receiveTime=2026-11-22T10:00:00Z", b"From: a\r\n\r\n"
    )

    first = echo_node.last.request[0]
    assert reply.status == 200, reply.body
    assert list(first.flags) == ["$seen", "x"]
    assert first.receive_time.seconds == 1795341600


async def test_an_upload_that_breaks_off_is_cancelled(echo_node: EchoNode, edge: Rest):
    ended = asyncio.Event()

    async def receive(requests, _context):
        try:
            async for _ in requests:
                pass
        except asyncio.CancelledError:
            ended.set()
            raise
        return message_append_pb2.UploadMessageResponse()

    async def broken():
        yield b"x" * 10_000
        raise OSError("the caller's disk")

    with echo_node.answering("MessageService.UploadMessage", receive):
        with pytest.raises((OSError, aiohttp.ClientError)):
            await edge.session.post(edge.url + UPLOADS[1], data=broken())
        await eventually(ended.is_set)


async def test_a_watch_over_grpc_has_no_deadline_but_its_own(echo_node: EchoNode, gateway: Gateway):
    seen = []

    async def one(_request, context):
        seen.append(context.time_remaining())
        yield frame("first")

    with echo_node.answering("ChangeService.WatchChanges", one):
        async with grpc.aio.insecure_channel(gateway.address) as channel:
            stub = change_service_pb2_grpc.ChangeServiceStub(channel)
            call = stub.WatchChanges(change_service_pb2.WatchChangesRequest(parent="accounts/-"))
            cursors = [response.cursor async for response in call]

    assert cursors == ["first"]
    assert seen == [None]
