"""The chain as callers meet it: who is let in, in which order refusals come, and what they say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from postroom.v1 import account_pb2, account_service_pb2, error_reason_pb2, mailbox_service_pb2
from postroom_server import errors
from postroom_server.domain.ownership import Local, Remote
from postroom_server.domain.tokens import SCOPES
from postroom_server.ids import AccountId
from postroom_server.services.contract import methods
from postroom_server.services.errors import CODES, to_proto
from postroom_server.services.interceptors.owner import NEED_OWNER
from postroom_server.services.policy import POLICIES, Reach

from tests.fixtures.eventually import eventually
from tests.fixtures.serving import NOW, ServedNode, a_message, bearer

GET_ACCOUNT = "/postroom.v1.AccountService/GetAccount"
LIST_MAILBOXES = "/postroom.v1.MailboxService/ListMailboxes"


async def call(
    node: ServedNode,
    method: str,
    request: Message | None = None,
    metadata: Sequence[Any] = (),
    **options: Any,
) -> Any:
    """One call of any method that has one request; the last answer."""
    descriptor = methods()[method].descriptor
    raw = b"" if request is None else request.SerializeToString()
    answer: Any = None
    parse = GetMessageClass(descriptor.output_type).FromString
    if descriptor.server_streaming:
        stream: Any = node.channel.unary_stream(method, response_deserializer=parse)(
            raw, metadata=metadata, **options
        )
        try:
            async for first in stream:
                answer = first
                break
        finally:
            stream.cancel()
        return answer
    if descriptor.client_streaming:
        return await node.channel.stream_unary(method, response_deserializer=parse)(  # type: ignore[misc]
            iter([raw]), metadata=metadata, **options
        )
    return await node.channel.unary_unary(method, response_deserializer=parse)(  # type: ignore[misc]
        raw, metadata=metadata, **options
    )


async def refused(
    node: ServedNode,
    method: str,
    request: Message | None = None,
    metadata: Sequence[Any] = (),
    **options: Any,
) -> tuple[grpc.StatusCode, str, dict[str, Any]]:
    """(code, reason, details) of a call that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(node, method, request, metadata, **options)
    return caught.value.code(), *details(caught.value)


def details(error: grpc.aio.AioRpcError) -> tuple[str, dict[str, Any]]:
    status = rpc_status.from_call(error)
    assert status is not None, f"{error.code()} {error.details()!r} carries no details"
    found: dict[str, Any] = {"message": status.message}
    reason = ""
    for one in status.details:
        info, bad, retry = (
            error_details_pb2.ErrorInfo(),
            error_details_pb2.BadRequest(),
            error_details_pb2.RetryInfo(),
        )
        if one.Unpack(info):
            reason = info.reason
            assert info.domain == "postroom"
            found["metadata"] = dict(info.metadata)
        elif one.Unpack(bad):
            found["fields"] = [violation.field for violation in bad.field_violations]
        elif one.Unpack(retry):
            found["retry"] = retry.retry_delay.ToTimedelta().total_seconds()
    return reason, found


def a_request(method: str, account: str) -> Message:
    """A request that names the account where the method's HTTP rule wants it, with an id behind it as needed."""
    fact = methods()[method]
    request = GetMessageClass(fact.descriptor.input_type)()
    if method.endswith("/CreateAccount"):
        request.account_id = account  # type: ignore[attr-defined]
        return request
    value: Any = request
    *path, last = fact.account_field.split(".")
    for name in path:
        value = getattr(value, name)
    setattr(value, last, f"accounts/{account}/whatever/x")
    return request


def test_every_reason_has_a_code_and_stands_in_the_contract() -> None:
    classes: list[type[errors.PostroomError]] = [errors.PostroomError]
    for one in classes:
        classes.extend(one.__subclasses__())
    reasons = {one.reason for one in classes}
    contract = set(error_reason_pb2.ErrorReason.keys()) - {"ERROR_REASON_UNSPECIFIED"}
    assert reasons == set(CODES)
    assert reasons == contract


def test_only_our_own_caller_is_told_unauthenticated_or_permission_denied() -> None:
    """Design: contract, Errors."""
    ours = {"TOKEN_MISSING", "TOKEN_INVALID", "SCOPE_DENIED"}
    told = {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}
    assert {reason for reason, code in CODES.items() if code in told} == ours


def test_every_method_has_a_policy_and_no_policy_is_left_over() -> None:
    assert set(POLICIES) == set(methods())


def test_the_owner_table_names_methods_of_the_contract_with_an_account() -> None:
    for name in NEED_OWNER:
        assert methods()[name].account_field, name


def test_a_method_about_one_account_names_it() -> None:
    for name, policy in POLICIES.items():
        if policy.reach is Reach.ACCOUNT and not name.endswith("/CreateAccount"):
            assert methods()[name].account_field, name


async def test_no_method_answers_without_a_token(served: ServedNode) -> None:
    for method in methods():
        assert (await refused(served, method))[:2] == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING"), (
            method
        )


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("Basic YTpi", "TOKEN_MISSING"),
        ("Bearer", "TOKEN_MISSING"),
        ("Bearer prm_unknown-secret", "TOKEN_INVALID"),
        ("Bearer short", "TOKEN_INVALID"),
        ("Bearer " + "x" * 5000, "TOKEN_INVALID"),
        ("Bearer a b", "TOKEN_INVALID"),
    ],
)
async def test_an_unusable_token_is_refused_before_anything_is_read(
    served: ServedNode, header: str, reason: str
) -> None:
    code, told, _ = await refused(served, GET_ACCOUNT, metadata=(("authorization", header),))
    assert (code, told) == (grpc.StatusCode.UNAUTHENTICATED, reason)


async def test_an_expired_token_is_refused(served: ServedNode) -> None:
    token = served.tokens.add("prm_expiring", "admin")
    (key,) = [key for key, one in served.tokens.by_hash.items() if one.id == token.id]
    served.tokens.by_hash[key] = replace(token, expire_time=NOW - timedelta(days=1))
    assert (await refused(served, GET_ACCOUNT, metadata=bearer("prm_expiring")))[1] == "TOKEN_INVALID"


async def test_every_method_refuses_every_scope_that_is_not_its_own(served: ServedNode) -> None:
    """Threats T15."""
    for scope in SCOPES - {"admin"}:
        served.tokens.add(f"prm_scope-{scope}", scope)
    for method, policy in POLICIES.items():
        for scope in SCOPES - {"admin", policy.scope.value}:
            code, reason, told = await refused(served, method, metadata=bearer(f"prm_scope-{scope}"))
            assert (code, reason) == (grpc.StatusCode.PERMISSION_DENIED, "SCOPE_DENIED"), (method, scope)
            assert told["metadata"] == {"scope": policy.scope.value}


async def test_a_bound_token_is_refused_for_every_other_account_and_for_all_of_them(
    served: ServedNode,
) -> None:
    """The same answer whether the account exists or not (threats T15, T36)."""
    served.tokens.add("prm_bound-secret", "admin", accounts=["mine"])
    await served.accounts.create(an_account("theirs"), {}, request_id="", fingerprint="")
    for method, policy in POLICIES.items():
        if policy.reach is Reach.FREE:
            continue
        if policy.reach is Reach.SITE:
            assert (await refused(served, method, metadata=bearer("prm_bound-secret")))[1] == "SCOPE_DENIED"
            continue
        answers = [
            await refused(served, method, a_request(method, account), bearer("prm_bound-secret"))
            for account in ("theirs", "nobodys", "-")
            if not (account == "-" and method.endswith("/CreateAccount"))
        ]
        assert {answer[:2] for answer in answers} == {(grpc.StatusCode.PERMISSION_DENIED, "SCOPE_DENIED")}, (
            method
        )
        assert all(answer[2] == answers[0][2] for answer in answers)


def an_account(name: str) -> Any:
    from postroom_server.services.convert.accounts import settings_from_proto

    given = account_pb2.Account(email=f"{name}@example.com", sandbox=account_pb2.SandboxSettings())
    return settings_from_proto(given, AccountId(name), NOW).account


async def test_token_comes_before_scope_before_account_before_body(served: ServedNode) -> None:
    served.tokens.add("prm_reader-secret", "messages.read", accounts=["mine"])
    served.tokens.add("prm_writer-secret", "accounts.write", accounts=["mine"])
    method = "/postroom.v1.AccountService/UpdateAccount"
    bad = account_service_pb2.UpdateAccountRequest(
        account=account_pb2.Account(name="accounts/theirs", email="not an address")
    )
    assert (await refused(served, method, bad, bearer("prm_nobody-secret")))[1] == "TOKEN_INVALID"
    assert (await refused(served, method, bad, bearer("prm_reader-secret")))[1] == "SCOPE_DENIED"
    assert (await refused(served, method, bad, bearer("prm_writer-secret")))[1] == "SCOPE_DENIED"
    await served.accounts.create(an_account("mine"), {}, request_id="", fingerprint="")
    bad.account.name = "accounts/mine"
    code, reason, told = await refused(served, method, bad, bearer("prm_writer-secret"))
    assert (code, reason, told["fields"]) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "REQUEST_INVALID",
        ["account.email"],
    )


@pytest.mark.parametrize(
    "name",
    ["accounts/", "accounts/{a}", "accounts/a*", "accounts/a:b", "accounts/..", "accounts/a\x00b", "x/a", ""],
)
async def test_a_name_that_is_none_is_named_as_the_field_at_fault(served: ServedNode, name: str) -> None:
    """Threats T16."""
    request = account_service_pb2.GetAccountRequest(name=name)
    code, reason, told = await refused(served, GET_ACCOUNT, request, bearer())
    assert (code, reason, told["fields"]) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID", ["name"])


async def test_what_is_not_served_yet_says_so_after_the_token_was_checked(served: ServedNode) -> None:
    for method in set(methods()) - served.registry.served:
        if methods()[method].descriptor.client_streaming or not methods()[method].account_field:
            continue
        code, reason, told = await refused(served, method, a_request(method, "a1"), bearer())
        assert (code, reason) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_IMPLEMENTED"), method
        assert told["metadata"]["method"] == method[1:]


async def test_an_unknown_method_is_refused_with_a_reason(served: ServedNode) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.channel.unary_unary("/postroom.v1.NoService/Nothing")(b"", metadata=bearer())  # type: ignore[misc]
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert details(caught.value)[0] == "NOT_IMPLEMENTED"


async def test_a_foreign_exception_is_told_as_internal_without_its_text(
    served: ServedNode, capsys: pytest.CaptureFixture[str]
) -> None:
    """Threats T18."""
    served.commands.error = RuntimeError("password=hunter2 of ann@example.com")
    request = mailbox_service_pb2.ListMailboxesRequest(parent="accounts/a1")
    code, reason, told = await refused(served, LIST_MAILBOXES, request, bearer(x_request_id="req-17"))
    assert (code, reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert told["metadata"] == {"requestId": "req-17"}
    assert "hunter2" not in json.dumps(told)


async def test_an_error_of_the_tree_carries_its_metadata_and_its_wait(served: ServedNode) -> None:
    failure = errors.ProviderThrottled("slow down", account="accounts/a1")
    failure.retry_after = 12.5
    served.commands.error = failure
    request = mailbox_service_pb2.ListMailboxesRequest(parent="accounts/a1")
    code, reason, told = await refused(served, LIST_MAILBOXES, request, bearer())
    assert (code, reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "PROVIDER_THROTTLED")
    assert told["metadata"] == {"account": "accounts/a1"}
    assert told["retry"] == 12.5


async def test_a_hostile_error_text_is_cut_and_has_no_control_characters() -> None:
    status = to_proto(errors.ProviderMisbehaved("a\r\nb\x00" + "x" * 5000 + "\ud800"))
    assert len(status.message) <= 1000
    assert not any(ord(one) < 32 for one in status.message)


async def test_a_call_ends_at_its_own_deadline_and_its_handler_is_cancelled(served: ServedNode) -> None:
    served.commands.waiting = asyncio.Event()
    request = mailbox_service_pb2.ListMailboxesRequest(parent="accounts/a1")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(served, LIST_MAILBOXES, request, bearer(), timeout=0.1)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await eventually(lambda: served.commands.cancelled == 1)


async def test_a_call_that_its_caller_leaves_cancels_the_handler(served: ServedNode) -> None:
    served.commands.waiting = asyncio.Event()
    request = mailbox_service_pb2.ListMailboxesRequest(parent="accounts/a1")
    running = served.channel.unary_stream(LIST_MAILBOXES)(request.SerializeToString(), metadata=bearer())
    await eventually(lambda: served.commands.calls)
    running.cancel()
    await eventually(lambda: served.commands.cancelled == 1)


async def test_a_token_is_looked_up_once_while_it_is_remembered(served: ServedNode) -> None:
    request = mailbox_service_pb2.ListMailboxesRequest(parent="accounts/a1")
    for _ in range(5):
        await call(served, LIST_MAILBOXES, request, bearer())
    assert served.tokens.lookups == 1


async def test_calls_are_counted_by_method_and_code_and_no_caller_makes_a_series(served: ServedNode) -> None:
    await refused(served, GET_ACCOUNT)
    with pytest.raises(grpc.aio.AioRpcError):
        await served.channel.unary_unary("/made.Up/Name")(b"")  # type: ignore[misc]
    shown = served.metrics.shown().decode()
    assert (
        'postroom_calls_total{code="UNAUTHENTICATED",method="postroom.v1.AccountService/GetAccount"} 1.0'
        in shown
    )
    assert "made.Up" not in shown
    assert 'postroom_refusals_total{reason="TOKEN_MISSING"} 1.0' in shown


# --- the road to the owner ---------------------------------------------------------------------------------------


async def test_a_call_is_relayed_to_the_owner_and_comes_back_whole(served: ServedNode) -> None:
    async with ServedNode().running() as owner:
        served.directory.owners[AccountId("a1")] = Remote(address=owner.address)
        request = mailbox_service_pb2.ListMailboxesRequest(parent="accounts/a1")
        answer = await call(served, LIST_MAILBOXES, request, bearer())
        assert [one.role for one in answer.mailboxes] == ["inbox"]
        assert owner.commands.calls == ["list_mailboxes"]
        assert served.commands.calls == []


async def test_the_owners_refusal_comes_back_with_its_details(served: ServedNode) -> None:
    async with ServedNode().running() as owner:
        owner.commands.error = errors.AccountPaused(account="accounts/a1")
        served.directory.owners[AccountId("a1")] = Remote(address=owner.address)
        request = mailbox_service_pb2.ListMailboxesRequest(parent="accounts/a1")
        code, reason, told = await refused(served, LIST_MAILBOXES, request, bearer())
        assert (code, reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ACCOUNT_PAUSED")
        assert told["metadata"] == {"account": "accounts/a1"}


async def test_the_owner_lets_in_nobody_that_it_does_not_know(served: ServedNode) -> None:
    async with ServedNode().running() as owner:
        served.tokens.add("prm_only-here", "admin")
        served.directory.owners[AccountId("a1")] = Remote(address=owner.address)
        request = mailbox_service_pb2.ListMailboxesRequest(parent="accounts/a1")
        assert (await refused(served, LIST_MAILBOXES, request, bearer("prm_only-here")))[1] == "TOKEN_INVALID"


async def test_a_cancelled_call_is_cancelled_at_the_owner(served: ServedNode) -> None:
    async with ServedNode().running() as owner:
        owner.commands.waiting = asyncio.Event()
        served.directory.owners[AccountId("a1")] = Remote(address=owner.address)
        request = mailbox_service_pb2.ListMailboxesRequest(parent="accounts/a1")
        running = served.channel.unary_stream(LIST_MAILBOXES)(request.SerializeToString(), metadata=bearer())
        await eventually(lambda: owner.commands.calls)
        running.cancel()
        await eventually(lambda: owner.commands.cancelled == 1)


async def test_a_call_during_a_takeover_waits_for_the_new_owner(served: ServedNode) -> None:
    served.directory.owners[AccountId("a1")] = None
    request = mailbox_service_pb2.ListMailboxesRequest(parent="accounts/a1")
    waiting = asyncio.create_task(call(served, LIST_MAILBOXES, request, bearer(), timeout=5))
    await eventually(lambda: served.directory.asked > 2)
    assert not waiting.done()
    served.directory.owners[AccountId("a1")] = Local()
    assert (await waiting).mailboxes


async def test_a_dead_owner_is_asked_for_again_until_another_one_has_the_account(served: ServedNode) -> None:
    async with ServedNode().running() as gone:
        dead = gone.address
    served.directory.owners[AccountId("a1")] = Remote(address=dead)
    request = mailbox_service_pb2.ListMailboxesRequest(parent="accounts/a1")
    waiting = asyncio.create_task(call(served, LIST_MAILBOXES, request, bearer(), timeout=5))
    await eventually(lambda: served.directory.forgotten > 0)
    served.directory.owners[AccountId("a1")] = Local()
    assert (await waiting).mailboxes


async def test_two_nodes_that_each_think_the_other_is_the_owner_do_not_play_ball(served: ServedNode) -> None:
    async with ServedNode().running() as other:
        served.directory.owners[AccountId("a1")] = Remote(address=other.address)
        other.directory.owners[AccountId("a1")] = Remote(address=served.address)
        request = mailbox_service_pb2.ListMailboxesRequest(parent="accounts/a1")
        code, reason, _ = await refused(served, LIST_MAILBOXES, request, bearer(), timeout=1)
        assert code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
        assert reason in ("OWNER_UNKNOWN", "DEADLINE_EXCEEDED")
        assert not other.commands.calls
        assert not served.commands.calls


async def test_a_download_is_relayed_with_its_headers_and_its_hash(served: ServedNode) -> None:
    async with ServedNode().running() as owner:
        owner.commands.messages[a_message().id] = a_message()
        served.directory.owners[AccountId("a1")] = Remote(address=owner.address)
        from postroom.v1 import message_service_pb2

        request = message_service_pb2.GetMessageSourceRequest(name="accounts/a1/messages/AQAB")
        stream = served.channel.unary_stream(
            "/postroom.v1.MessageService/GetMessageSource",
            response_deserializer=message_service_pb2.GetMessageSourceResponse.FromString,
        )(request.SerializeToString(), metadata=bearer())
        data = b"".join([one.body.data async for one in stream])
        assert data == owner.commands.attachment_bytes
        initial: Any = dict(await stream.initial_metadata() or ())
        trailing: Any = dict(await stream.trailing_metadata() or ())
        assert initial["x-content-length"] == "1000"
        assert len(trailing["x-content-sha256"]) == 64
