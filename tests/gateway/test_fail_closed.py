"""What a node does when the gateway's half of a check is missing, and what direct callers cannot forge."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from postroom.v1 import (
    account_service_pb2,
    account_service_pb2_grpc,
    submission_service_pb2,
    submission_service_pb2_grpc,
)
from postroom_server.services.interceptors.edge import JSON_BODY, ORIGINAL_PATH

from tests.fixtures.echo_node import EchoNode
from tests.fixtures.envoy import Gateway
from tests.fixtures.eventually import eventually
from tests.fixtures.rest import Rest

pytestmark = pytest.mark.asyncio(loop_scope="session")

SUBMIT = "/v1/accounts/a/submissions"
REQUEST = submission_service_pb2.SubmitMessageRequest(parent="accounts/a")


async def refusal(node: EchoNode, *metadata: tuple[str, str | bytes]) -> grpc.StatusCode:
    """The code of a submission that goes to the node directly."""
    async with grpc.aio.insecure_channel(node.address) as channel:
        stub = submission_service_pb2_grpc.SubmissionServiceStub(channel)
        try:
            await stub.SubmitMessage(REQUEST, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            return error.code()
    return grpc.StatusCode.OK


async def test_a_rest_call_without_its_body_is_refused(echo_node: EchoNode, gateway: Gateway):
    """The gateway's script lets a request through when it fails; the node does not."""
    before = len(echo_node.seen)

    assert await refusal(echo_node, (ORIGINAL_PATH, SUBMIT)) is grpc.StatusCode.INTERNAL
    assert len(echo_node.seen) == before


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        (SUBMIT, b"", "OK"),
        (SUBMIT, b"{}", "OK"),
        (SUBMIT, b'{"nope": 1}', "INVALID_ARGUMENT"),
        (f"{SUBMIT}?", b"{}", "OK"),
        (f"{SUBMIT}?&", b"{}", "OK"),
        (f"{SUBMIT}?x", b"{}", "INVALID_ARGUMENT"),
        ("/v1/accounts/b/submissions", b"{}", "INVALID_ARGUMENT"),
        ("/v1/accounts", b"{}", "INVALID_ARGUMENT"),
        ("", b"{}", "INVALID_ARGUMENT"),
    ],
)
async def test_path_and_body_must_be_those_of_the_call(
    echo_node: EchoNode, gateway: Gateway, path, body, code
):
    assert (await refusal(echo_node, (ORIGINAL_PATH, path), (JSON_BODY, body))).name == code


async def test_a_call_over_grpc_needs_no_body(echo_node: EchoNode, gateway: Gateway):
    assert await refusal(echo_node) is grpc.StatusCode.OK


async def test_a_name_that_is_not_utf8_is_refused_over_grpc_too(echo_node: EchoNode, gateway: Gateway):
    async with grpc.aio.insecure_channel(echo_node.address) as channel:
        call = channel.unary_unary("/postroom.v1.AccountService/GetAccount")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(b"\x0a\x01\xff")

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "Decode" not in caught.value.details()


async def test_a_caller_that_leaves_cancels_its_call(echo_node: EchoNode, edge: Rest):
    began, ended = asyncio.Event(), asyncio.Event()

    async def slow(_request, _context):
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with echo_node.answering("AccountService.GetAccount", slow):
        async with asyncio.TaskGroup() as group:
            call = group.create_task(edge.call("GET", "/v1/accounts/a"))
            await began.wait()
            call.cancel()
        await eventually(ended.is_set)


async def test_a_cancelled_call_over_grpc_is_cancelled_at_the_node(echo_node: EchoNode, gateway: Gateway):
    began, ended = asyncio.Event(), asyncio.Event()

    async def slow(_request, _context):
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with echo_node.answering("AccountService.GetAccount", slow):
        async with grpc.aio.insecure_channel(gateway.address) as channel:
            stub = account_service_pb2_grpc.AccountServiceStub(channel)
            call = stub.GetAccount(account_service_pb2.GetAccountRequest(name="accounts/a"))
            waiting = asyncio.ensure_future(call.code())
            await began.wait()
            call.cancel()
            assert await waiting is grpc.StatusCode.CANCELLED
        await eventually(ended.is_set)


async def test_a_slow_request_head_is_cut(gateway: Gateway):
    """Slowloris: the head has ten seconds; here it is only seen that the connection does not hold a stream open."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(b"GET /v1/accounts HTTP/1.1\r\nhost: x\r\n")
    await writer.drain()
    async with asyncio.timeout(15):
        received = await reader.read()
    writer.close()

    assert received.startswith(b"HTTP/1.1 408")
