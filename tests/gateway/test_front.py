"""The one port: gRPC, gRPC-Web, CORS, health, deadlines, and what the gateway says itself."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import struct
from pathlib import Path

import aiohttp
import grpc
import pytest
import yaml
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from postroom.v1 import account_service_pb2, account_service_pb2_grpc
from postroom_server.app.envoy import GatewayOptions, GatewayUnusable, gateway_folder, render
from postroom_server.errors import AccountNotFound, Internal

from tests.fixtures.echo_node import EchoNode, running_echo_node
from tests.fixtures.envoy import Gateway, running_gateway
from tests.fixtures.eventually import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

GET_ACCOUNT = "/postroom.v1.AccountService/GetAccount"
REQUEST = account_service_pb2.GetAccountRequest(name="accounts/a")
APP = "https://app.example.com"


def preflight(origin: str) -> dict[str, str]:
    return {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }


async def test_grpc_passes(echo_node: EchoNode, gateway: Gateway):
    async with grpc.aio.insecure_channel(gateway.address) as channel:
        stub = account_service_pb2_grpc.AccountServiceStub(channel)
        await stub.GetAccount(REQUEST, timeout=7, metadata=(("authorization", "Bearer x"),))

    assert echo_node.last.request == REQUEST
    assert echo_node.last.metadata["authorization"] == "Bearer x"
    assert 5 < echo_node.last.seconds_left < 7.1, "gRPC rounds the time that is left"


async def test_a_refusal_over_grpc_carries_its_details(echo_node: EchoNode, gateway: Gateway):
    async def refused(_request, _context):
        raise AccountNotFound(account="accounts/a")

    with echo_node.answering("AccountService.GetAccount", refused):
        async with grpc.aio.insecure_channel(gateway.address) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await account_service_pb2_grpc.AccountServiceStub(channel).GetAccount(REQUEST)

    info = error_details_pb2.ErrorInfo()
    assert rpc_status.from_call(caught.value).details[0].Unpack(info)
    assert (info.reason, info.domain, dict(info.metadata)) == (
        "ACCOUNT_NOT_FOUND",
        "postroom",
        {"account": "accounts/a"},
    )


async def test_a_refusal_over_rest_carries_its_details(echo_node: EchoNode, gateway: Gateway):
    async def refused(_request, _context):
        raise AccountNotFound(account="accounts/a")

    with echo_node.answering("AccountService.GetAccount", refused):
        reply = await gateway.raw("GET", "/v1/accounts/a")

    assert reply.status == 404
    assert reply.json["details"] == [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "ACCOUNT_NOT_FOUND",
            "domain": "postroom",
            "metadata": {"account": "accounts/a"},
        }
    ]


async def test_an_unknown_method_over_grpc_is_unimplemented(gateway: Gateway):
    """Reflection too, where the node does not serve it."""
    async with grpc.aio.insecure_channel(gateway.address) as channel:
        for method in (
            "/postroom.v1.AccountService/Nope",
            "/nope.Service/Nope",
            "/grpc.reflection.v1.ServerReflection/X",
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await channel.unary_unary(method)(b"")
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED, method


async def test_a_large_message_passes_over_grpc(echo_node: EchoNode, gateway: Gateway):
    name = "x" * (30 << 20)
    options = (("grpc.max_send_message_length", 64 << 20),)
    async with grpc.aio.insecure_channel(gateway.address, options=options) as channel:
        stub = account_service_pb2_grpc.AccountServiceStub(channel)
        await stub.GetAccount(account_service_pb2.GetAccountRequest(name=name))

    assert len(echo_node.last.request.name) == len(name)


@pytest.mark.parametrize("text", [False, True], ids=["binary", "text"])
async def test_grpc_web_passes(echo_node: EchoNode, gateway: Gateway, text):
    message = REQUEST.SerializeToString()
    sent = struct.pack(">BI", 0, len(message)) + message
    kind = "application/grpc-web-text" if text else "application/grpc-web+proto"
    body = base64.b64encode(sent) if text else sent

    reply = await gateway.raw(
        "POST", GET_ACCOUNT, body, {"content-type": kind, "accept": kind, "x-grpc-web": "1"}
    )

    # Each frame is base64 of its own: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md
    frames = re.findall(rb"[A-Za-z0-9+/]+={0,2}", reply.body) if text else []
    received = b"".join(map(base64.b64decode, frames)) if text else reply.body
    assert reply.status == 200
    assert b"grpc-status:0" in received.replace(b" ", b"")
    assert echo_node.last.request == REQUEST


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1:8081", "http://localhost"])
async def test_browsers_of_this_machine_may_call(gateway: Gateway, origin):
    reply = await gateway.raw("OPTIONS", "/v1/accounts", None, preflight(origin))

    assert reply.status == 200
    assert reply.headers["access-control-allow-origin"] == origin
    assert "authorization" in reply.headers["access-control-allow-headers"]
    assert "PATCH" in reply.headers["access-control-allow-methods"]


async def test_a_page_sees_what_its_checks_need(gateway: Gateway):
    """The size that a download announces, and the details of an error that comes without a body."""
    reply = await gateway.raw("GET", "/v1/accounts/a", None, {"origin": "http://localhost:3000"})

    exposed = reply.headers["access-control-expose-headers"]
    assert "x-content-length" in exposed
    assert "grpc-status-details-bin" in exposed


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://localhost.evil.example", "http://127.0.0.1.evil", "null"]
)
async def test_a_foreign_origin_may_not(gateway: Gateway, origin):
    reply = await gateway.raw("OPTIONS", "/v1/accounts", None, preflight(origin))
    called = await gateway.raw("GET", "/v1/accounts", None, {"origin": origin})

    assert "access-control-allow-origin" not in reply.headers
    assert "access-control-allow-origin" not in called.headers


async def test_named_origins_replace_those_of_this_machine(echo_node: EchoNode):
    async with running_gateway(echo_node.address, cors_origins=(APP,)) as other:
        allowed = await other.raw("OPTIONS", "/v1/accounts", None, preflight(APP))
        refused = await other.raw("OPTIONS", "/v1/accounts", None, preflight("http://localhost:3000"))

    assert allowed.headers["access-control-allow-origin"] == APP
    assert "access-control-allow-origin" not in refused.headers


async def test_a_call_without_deadline_has_none_at_the_node(echo_node: EchoNode, gateway: Gateway):
    """The node gives it its own, 30 s; a bound of the gateway's must not look like the caller's."""
    await gateway.raw("GET", "/v1/accounts/a")
    without = echo_node.last.seconds_left
    await gateway.raw("GET", "/v1/accounts/a", None, {"grpc-timeout": "5S"})

    assert without is None
    assert 3 < echo_node.last.seconds_left <= 5


async def test_a_deadline_that_passes_is_504_as_a_status(echo_node: EchoNode, gateway: Gateway):
    async def slow(_request, _context):
        await asyncio.Event().wait()

    with echo_node.answering("AccountService.GetAccount", slow):
        reply = await gateway.raw("GET", "/v1/accounts/a", None, {"grpc-timeout": "100m"})

    assert reply.status == 504, reply.body
    assert reply.json["code"] == 4


async def test_every_answer_has_a_request_id_of_ours(echo_node: EchoNode, gateway: Gateway):
    reply = await gateway.raw("GET", "/v1/accounts/a", None, {"x-request-id": "chosen"})

    assert reply.headers["x-request-id"] == echo_node.last.metadata["x-request-id"] != ""
    assert reply.headers["server"] == "postroom"
    assert not [name for name in reply.headers if name.startswith("x-envoy-")]


async def test_headers_with_underscores_are_refused(gateway: Gateway):
    """`x_postroom_hop` and `x-postroom-hop` are one header to some servers."""
    reply = await gateway.raw("GET", "/v1/accounts/a", None, {"x_postroom_hop": "1"})

    assert reply.status == 400


@pytest.mark.parametrize(
    "head",
    [
        b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}x",
        b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"content-length: -1\r\n\r\n",
    ],
)
async def test_an_ambiguous_length_is_refused(echo_node: EchoNode, gateway: Gateway, head):
    """Request smuggling: RFC 9112 section 6.3."""
    before = len(echo_node.seen)

    reply = await gateway.exchange(b"POST /v1/accounts HTTP/1.1\r\nhost: x\r\n" + head, "POST")

    assert reply.status in {400, 501}
    assert len(echo_node.seen) == before


async def test_too_large_headers_are_431(gateway: Gateway):
    reply = await gateway.raw("GET", "/v1/accounts/a", None, {"x-large": "x" * 100_000})

    assert reply.status == 431


async def test_health_is_that_of_the_nodes(tmp_path: Path):
    async with running_echo_node(tmp_path) as node, running_gateway(node.address) as gateway:
        assert (await gateway.raw("GET", "/healthz")).status == 200
        async with grpc.aio.insecure_channel(node.address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            assert (
                await stub.Check(health_pb2.HealthCheckRequest())
            ).status == health_pb2.HealthCheckResponse.SERVING
    assert not await gateway.healthy()


async def test_a_node_that_is_gone_is_503_and_used_again_when_it_is_back(tmp_path: Path):
    """A quarter of a second after its return at most: health checks of a node that is out are quick."""
    for name in ("before", "after"):
        (tmp_path / name).mkdir()
    place = tmp_path / "node"
    place.symlink_to("before")
    async with (
        running_echo_node(tmp_path / "before") as node,
        running_gateway(f"unix://{place}/node.sock") as gateway,
    ):
        assert (await gateway.raw("GET", "/v1/accounts/a")).status == 200
        await node.stop()
        refused = await gateway.raw("GET", "/v1/accounts/a")
        await eventually(lambda: _is(gateway, 503))
        async with running_echo_node(tmp_path / "after") as again:
            place.unlink()
            place.symlink_to("after")
            await eventually(lambda: _is(gateway, 200), within=1.0)
            answered = await gateway.raw("GET", "/v1/accounts/b")
            assert answered.status == 200, answered.body
            assert again.last.request.name == "accounts/b"

    assert refused.status == 503
    assert refused.json["code"] == 14
    assert refused.reason == "NODE_UNAVAILABLE"
    assert refused.json["details"][1]["retryDelay"] == "1s"
    assert b"sock" not in refused.body


async def _is(gateway: Gateway, status: int) -> bool:
    return (await gateway.raw("GET", "/healthz")).status == status


async def test_a_call_goes_to_the_node_that_is_left(tmp_path: Path):
    """Of two nodes, the one that vanished costs no call: what never arrived is tried at the other."""
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    async with (
        running_echo_node(tmp_path / "1") as one,
        running_echo_node(tmp_path / "2") as two,
        running_gateway(one.address, two.address) as gateway,
    ):
        await one.stop()
        replies = [await gateway.raw("POST", "/v1/accounts/a/submissions", b"{}") for _ in range(20)]

    assert {reply.status for reply in replies} == {200}
    assert len(two.seen) == 20


@pytest.mark.parametrize(
    "order", [{}, {"x-envoy-retry-on": "5xx", "x-envoy-max-retries": "3"}], ids=["plain", "asked"]
)
async def test_a_refusal_of_our_own_is_not_repeated(echo_node: EchoNode, gateway: Gateway, order):
    """A submission whose node failed may have been carried out: the gateway never sends it again."""
    calls = []

    async def failed(_request, _context):
        calls.append(1)
        raise Internal

    with echo_node.answering("SubmissionService.SubmitMessage", failed):
        reply = await gateway.raw("POST", "/v1/accounts/a/submissions", b"{}", order)

    assert reply.status == 500
    assert len(calls) == 1


async def test_the_admin_interface_is_a_socket_of_its_own(gateway: Gateway):
    connector = aiohttp.UnixConnector(str(gateway.admin))
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get("http://admin/ready") as reply,
    ):
        assert reply.status == 200
    assert (await gateway.raw("GET", "/ready")).status == 404


async def test_what_is_rendered_differs_in_addresses_and_paths_only():
    text = render(
        GatewayOptions(listen="127.0.0.1:8080", admin="127.0.0.1:9901", nodes=("127.0.0.1:50051",)),
    )
    prefix = f"{gateway_folder()}/"

    committed = yaml.safe_load((gateway_folder() / "envoy.yaml").read_text())
    assert json.loads(text.replace(prefix, "gateway/")) == committed


@pytest.mark.parametrize("origin", ["app.example.com", "https://app.example.com/path", "https://*", ""])
async def test_an_origin_that_is_none_is_refused(origin):
    options = GatewayOptions(listen="127.0.0.1:1", admin="127.0.0.1:2", nodes=(), cors_origins=(origin,))

    with pytest.raises(GatewayUnusable):
        render(options)
