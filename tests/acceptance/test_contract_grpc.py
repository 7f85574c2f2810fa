"""What a gRPC caller is told: codes with their details, limits of messages and metadata, and what else the port serves."""

from __future__ import annotations

import secrets
from typing import Any, Final

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.fixtures.dovecot import Dovecot
from tests.fixtures.mail import imap_account
from tests.fixtures.postroom import Up, free_port
from tests.fixtures.rest import Rest, refused
from tests.fixtures.rpc import CALL_SECONDS, Rpc, refusal

MEGABYTE: Final = 1024 * 1024
VERIFY: Final = "AccountService/VerifyAccount"


def settings(dovecot: Dovecot, user: str, **changes: Any) -> dict[str, Any]:
    """The fields of an Account message that reaches this user's mail."""
    return {
        "email": user,
        "imap": {
            "host": dovecot.host, "port": dovecot.imap_port, "security": "NONE",
            "username": user, "password": "pass", **changes,
        },
    }  # fmt: skip


async def verified(rpc: Rpc, account: dict[str, Any]) -> tuple[int, str]:
    """(code, reason) of the IMAP row of VerifyAccount's answer; (0, "") where it works."""
    answer = await rpc.call(VERIFY, account=account)
    row = next(one for one in answer.results if one.Protocol.Name(one.protocol) == "IMAP")
    if row.ok:
        return 0, ""
    info = error_details_pb2.ErrorInfo()
    assert row.error.details[0].Unpack(info)
    return row.error.code, info.reason


async def test_each_wrong_setting_has_its_row(
    rpc: Rpc, dovecot: Dovecot, mail_user: str, wrong_certificate: int
) -> None:
    failed_precondition, unavailable = 9, 14
    for changes, wanted in (
        ({}, (0, "")),
        ({"password": "wrong"}, (failed_precondition, "CREDENTIALS_REJECTED")),
        ({"username": "nobody-here", "password": "x"}, (failed_precondition, "CREDENTIALS_REJECTED")),
        ({"host": "no-such-host.invalid"}, (unavailable, "PROVIDER_UNREACHABLE")),
        ({"port": free_port()}, (unavailable, "PROVIDER_UNREACHABLE")),
        ({"port": wrong_certificate, "security": "TLS"}, (unavailable, "PROVIDER_UNREACHABLE")),
        ({"security": "TLS"}, (unavailable, "PROVIDER_UNREACHABLE")),
    ):
        assert await verified(rpc, settings(dovecot, mail_user, **changes)) == wanted, changes


async def test_a_rejected_login_is_a_state_of_the_account_not_of_the_caller(
    rest: Rest, rpc: Rpc, dovecot: Dovecot, mail_user: str
) -> None:
    for password, port, state, wanted in (
        ("wrong", dovecot.imap_port, "AUTH_FAILED", ("FAILED_PRECONDITION", "CREDENTIALS_REJECTED")),
        ("pass", free_port(), "UNREACHABLE", ("UNAVAILABLE", "PROVIDER_UNREACHABLE")),
    ):
        ident = f"g{secrets.token_hex(5)}"
        account = imap_account(dovecot, mail_user, password=password, port=port)
        await rest.post("/v1/accounts", {"accountId": ident, "account": account})
        await rest.state(f"accounts/{ident}", state)
        found = await rpc.refused("MailboxService/ListMailboxes", parent=f"accounts/{ident}")
        assert (found.code, found.reason) == wanted
        assert found.retry is (found.code == "UNAVAILABLE")
        shown = await rpc.call("AccountService/GetAccount", name=f"accounts/{ident}")
        assert shown.account.last_error.reason == wanted[1]
        (await rest.call("DELETE", f"/v1/accounts/{ident}")).ok()


async def test_a_mailbox_name_with_a_line_break_is_refused(
    rest: Rest, rpc: Rpc, dovecot: Dovecot, mail_user: str
) -> None:
    """Threats T02: over gRPC nothing in front of the node looks at names."""
    account = await rest.account(**imap_account(dovecot, mail_user))
    for mailbox in ("m\r\nX DELETE INBOX", "inbox\n", "m\0", 'm"', "m{5}"):
        found = await rpc.refused("MailboxService/GetMailbox", name=f"{account}/mailboxes/{mailbox}")
        assert (found.code, found.reason, found.fields) == ("INVALID_ARGUMENT", "REQUEST_INVALID", ("name",))
        found = await rpc.refused("MessageService/ListMessages", parent=f"{account}/mailboxes/{mailbox}")
        assert (found.code, found.fields) == ("INVALID_ARGUMENT", ("parent",))
        request = rpc.request("MessageService/SearchMessages", parent=account, mailboxes=[mailbox])
        found = await rpc.refused("MessageService/SearchMessages", request)
        assert (found.code, found.fields) == ("INVALID_ARGUMENT", ("mailboxes[0]",))
    assert (await rpc.call("MailboxService/ListMailboxes", parent=account)).mailboxes


async def test_text_that_is_not_utf8_is_the_callers_fault(rpc: Rpc) -> None:
    call = rpc.channel.unary_unary("/postroom.v1.AccountService/GetAccount")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(
            b"\x0a\x02\xff\xfe", metadata=(("authorization", f"Bearer {rpc.token}"),), timeout=CALL_SECONDS
        )
    found = refusal(caught.value)
    assert (found.code, found.reason) == ("INVALID_ARGUMENT", "REQUEST_INVALID")


async def test_a_filter_of_a_thousand_levels_is_refused(rpc: Rpc) -> None:
    raw = b""
    for _ in range(1_000):
        size, length = len(raw), b""
        while size > 127:
            length += bytes((size & 127 | 128,))
            size >>= 7
        raw = b"\x12" + length + bytes((size,)) + raw
    head = rpc.request("MessageService/SearchMessages", parent="accounts/nobody").SerializeToString()
    size, length = len(raw), b""
    while size > 127:
        length += bytes((size & 127 | 128,))
        size >>= 7
    field = rpc.request("MessageService/SearchMessages").DESCRIPTOR.fields_by_name["filter"].number
    call = rpc.channel.unary_unary("/postroom.v1.MessageService/SearchMessages")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(
            head + bytes((field << 3 | 2,)) + length + bytes((size,)) + raw,
            metadata=(("authorization", f"Bearer {rpc.token}"),),
            timeout=CALL_SECONDS,
        )
    assert caught.value.code().name in ("INVALID_ARGUMENT", "NOT_FOUND")


async def test_a_message_over_the_limit_is_refused_and_one_beneath_is_served(rest: Rest, rpc: Rpc) -> None:
    account = await rest.account(sandbox={})
    email = (await rest.get(f"/v1/{account}"))["account"]["email"]
    head = f"From: <{email}>\r\nTo: <{email}>\r\n\r\n".encode()
    line = b"x" * 76 + b"\r\n"
    name = "SubmissionService/SubmitMessage"
    small = rpc.request(name, parent=account, submission={"raw": head + line * (20 * MEGABYTE // len(line))})
    assert (await rpc.call(name, small)).submission.name
    over = rpc.request(name, parent=account, submission={"raw": head + line * (34 * MEGABYTE // len(line))})
    found = await rpc.refused(name, over)
    assert (found.code, found.reason) == ("INVALID_ARGUMENT", "MESSAGE_TOO_LARGE")
    large = rpc.request(name, parent=account, submission={"raw": head + line * (40 * MEGABYTE // len(line))})
    assert (await rpc.refused(name, large)).code == "RESOURCE_EXHAUSTED"
    assert (await rpc.call("AccountService/GetAccount", name=account)).account.name == account


async def test_metadata_of_ours_is_not_taken_from_a_caller(rest: Rest, rpc: Rpc) -> None:
    """Threats T23: what the gateway tells a node in headers, only the gateway tells it."""
    account = await rest.account(sandbox={})
    forged = {
        "x-envoy-original-path": "/v1/accounts/other", "x-postroom-hop": "1", "x-postroom-account": "a",
        "x-postroom-caller": "admin",
    }  # fmt: skip
    for headers in ({key: value} for key, value in forged.items()):
        reply = await rest.call("GET", f"/v1/{account}", headers=headers)
        assert reply.ok()["account"]["name"] == account
        refused(await rest.call("GET", f"/v1/{account}", headers=headers, token=""), 401, "TOKEN_MISSING")
    reply = await rest.call(
        "POST", "/v1/accounts", {"acountId": "x"}, headers={"x-postroom-json-bin": "e30="}
    )
    assert refused(reply, 400, "REQUEST_INVALID").fields == ["acountId"]


async def test_a_method_that_there_is_not_says_so(rpc: Rpc) -> None:
    metadata = (("authorization", f"Bearer {rpc.token}"),)
    for method in ("/postroom.v1.AccountService/NoSuchMethod", "/postroom.v1.NoSuchService/Get"):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await rpc.channel.unary_unary(method)(b"", metadata=metadata, timeout=CALL_SECONDS)
        assert caught.value.code().name == "UNIMPLEMENTED"
    found = await rpc.refused("ThreadService/ListThreads", parent="accounts/a")
    assert (found.code, found.reason) == ("UNIMPLEMENTED", "NOT_IMPLEMENTED")


async def test_the_server_tells_of_itself(rest: Rest, rpc: Rpc, postroom: Up) -> None:
    await rest.account(sandbox={})
    found = await rpc.call("ServerService/GetServerInfo")
    assert found.version
    assert found.shard_count == 256
    assert found.retention.seconds == 7 * 24 * 3_600
    assert found.retention_account_bytes == 8 * MEGABYTE
    node = found.nodes[0]
    assert node.name
    assert node.address == postroom.up["nodes"][0]["address"]
    assert node.shards >= 1
    assert node.start_time.seconds


async def test_health_needs_no_token(rest: Rest, rpc: Rpc) -> None:
    assert (await rest.call("GET", "/healthz", token="")).status == 200
    check = health_pb2_grpc.HealthStub(rpc.channel).Check
    answer = await check(health_pb2.HealthCheckRequest(), timeout=CALL_SECONDS)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_reflection_is_there_in_development(rpc: Rpc) -> None:
    requests = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    call = reflection_pb2_grpc.ServerReflectionStub(rpc.channel).ServerReflectionInfo(
        requests, timeout=CALL_SECONDS
    )
    async for answer in call:
        names = {one.name for one in answer.list_services_response.service}
        assert "postroom.v1.AccountService" in names
        break
    call.cancel()
