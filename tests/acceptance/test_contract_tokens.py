"""Who may do what: every method of the contract with every scope, bound tokens, and tokens as a resource (threats T15, T36)."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from typing import Any, Final

import grpc
import pytest
from google.protobuf.message import Message
from postroom_server.domain.tokens import SCOPES
from postroom_server.services.contract import Method, methods
from postroom_server.services.policy import Reach, policy_of

from tests.fixtures.rest import Rest, refused
from tests.fixtures.rpc import PACKAGE, Rpc, refusal

METHODS: Final = sorted(name.removeprefix(PACKAGE) for name in methods())
MATRIX: Final = sorted({*SCOPES})


def about(rpc: Rpc, name: str, account: str) -> Message:
    """A request of a method that names this account and is of no use otherwise."""
    method: Method = methods()[f"{PACKAGE}{name}"]
    request = rpc.request(name)
    if name == "AccountService/CreateAccount":
        request.account_id = account.removeprefix("accounts/")  # type: ignore[attr-defined]
    elif method.account_field:
        *parents, field = method.account_field.split(".")
        target: Any = request
        for parent in parents:
            target = getattr(target, parent)
        setattr(target, field, account)
    return request


async def answer(rpc: Rpc, name: str, request: Message, secret: str) -> tuple[str, str, str]:
    """(code, reason, sentence) of a call; OK where it is served."""
    try:
        await rpc.call(name, request, token=secret)
    except grpc.aio.AioRpcError as error:
        found = refusal(error)
        return found.code, found.reason, found.message
    return "OK", "", ""


@pytest.fixture
async def by_scope(rest: Rest) -> AsyncIterator[dict[str, str]]:
    """A secret per scope."""
    made = {scope: await rest.post("/v1/tokens", {"token": {"scopes": [scope]}}) for scope in MATRIX}
    yield {scope: one["secret"] for scope, one in made.items()}
    for one in made.values():
        await rest.call("DELETE", f"/v1/{one['token']['name']}")


def test_every_method_has_a_policy() -> None:
    assert [name for name in methods() if policy_of(name) is None] == []


@pytest.mark.parametrize("name", METHODS)
async def test_a_method_asks_for_its_scope_and_no_other(
    name: str, rpc: Rpc, by_scope: dict[str, str]
) -> None:
    """Order of refusal: a token without the scope is refused before the request is looked at."""
    policy = policy_of(f"{PACKAGE}{name}")
    assert policy is not None
    request = about(rpc, name, "accounts/there-is-no-such-account")
    if name == "AccountService/CreateAccount":
        request.ClearField("account")
    for scope, secret in by_scope.items():
        code, reason, _ = await answer(rpc, name, request, secret)
        if scope in (policy.scope.value, "admin"):
            assert code not in ("PERMISSION_DENIED", "UNAUTHENTICATED"), f"{scope}: {code} {reason}"
        else:
            assert (code, reason) == ("PERMISSION_DENIED", "SCOPE_DENIED"), scope
    assert (await answer(rpc, name, request, ""))[:2] == ("UNAUTHENTICATED", "TOKEN_MISSING")
    assert (await answer(rpc, name, request, "x" * 43))[:2] == ("UNAUTHENTICATED", "TOKEN_INVALID")


async def test_a_bound_token_learns_nothing_of_other_accounts(rest: Rest, rpc: Rpc) -> None:
    """The same answer for an account that exists, one that does not, and all of them."""
    own, other = await rest.account(sandbox={}), await rest.account(sandbox={})
    secret = (await rest.post("/v1/tokens", {"token": {"scopes": ["admin"], "accounts": [own]}}))["secret"]
    for name in METHODS:
        policy = policy_of(f"{PACKAGE}{name}")
        assert policy is not None
        if policy.reach is Reach.FREE:
            continue
        answers = {
            await answer(rpc, name, about(rpc, name, account), secret)
            for account in (other, "accounts/nobody", "accounts/-")
            if not (name == "AccountService/CreateAccount" and account == "accounts/-")
        }
        assert {one[:2] for one in answers} == {("PERMISSION_DENIED", "SCOPE_DENIED")}, name
        assert len(answers) == 1, name
    assert (await rest.call("GET", f"/v1/{own}", token=secret)).status == 200
    refused(
        await rest.call("POST", "/v1/accounts", {"account": {"sandbox": {}}}, token=secret),
        403,
        "SCOPE_DENIED",
    )


async def test_a_token_gives_no_more_than_it_has(rest: Rest) -> None:
    own, other = await rest.account(sandbox={}), await rest.account(sandbox={})
    made = await rest.post(
        "/v1/tokens", {"token": {"scopes": ["tokens.admin", "messages.read"], "accounts": [own]}}
    )
    secret = made["secret"]
    for token in (
        {"scopes": ["admin"], "accounts": [own]},
        {"scopes": ["messages.send"], "accounts": [own]},
        {"scopes": ["messages.read"]},
        {"scopes": ["messages.read"], "accounts": [own, other]},
    ):
        refused(await rest.call("POST", "/v1/tokens", {"token": token}, token=secret), 403, "SCOPE_DENIED")
    body = {"token": {"scopes": ["messages.read"], "accounts": [own]}}
    assert (await rest.call("POST", "/v1/tokens", body, token=secret)).status == 200
    refused(await rest.call("GET", "/v1/tokens", token=secret), 403, "SCOPE_DENIED")
    refused(await rest.call("DELETE", f"/v1/{made['token']['name']}", token=secret), 403, "SCOPE_DENIED")


async def test_a_token_is_shown_without_its_secret(rest: Rest) -> None:
    display = secrets.token_hex(6)
    token = {
        "displayName": display,
        "scopes": ["server.read", "changes.read"],
        "expireTime": "2099-01-01T00:00:00Z",
    }
    made = await rest.post("/v1/tokens", {"token": token})
    assert made["secret"].startswith("prm_")
    assert (await rest.call("GET", "/v1/server", token=made["secret"])).status == 200
    name = made["token"]["name"]
    shown = await rest.call("GET", f"/v1/{name}")
    assert made["secret"].encode() not in shown.body
    assert shown.ok()["token"]["displayName"] == display
    assert shown.json["token"]["scopes"] == ["changes.read", "server.read"]
    assert shown.json["token"]["lastUseTime"]
    listed = await rest.call("GET", "/v1/tokens?pageSize=1000")
    assert name in [one["name"] for one in listed.ok()["tokens"]]
    assert made["secret"].encode() not in listed.body
    (await rest.call("DELETE", f"/v1/{name}")).ok()
    refused(await rest.call("GET", f"/v1/{name}"), 404, "TOKEN_NOT_FOUND")
    refused(await rest.call("DELETE", f"/v1/{name}"), 404, "TOKEN_NOT_FOUND")
    refused(await rest.call("GET", "/v1/server", token=made["secret"]), 401, "TOKEN_INVALID")


@pytest.mark.parametrize(
    ("token", "field"),
    [
        (None, "token"),
        ({}, "token.scopes"),
        ({"scopes": ["nope"]}, "token.scopes[0]"),
        ({"scopes": ["admin"] * 11}, "token.scopes"),
        ({"scopes": ["admin"], "accounts": ["x"]}, "token.accounts[0]"),
        ({"scopes": ["admin"], "accounts": ["accounts/-"]}, "token.accounts[0]"),
        ({"scopes": ["admin"], "accounts": [f"accounts/a{n}" for n in range(1_001)]}, "token.accounts"),
        ({"scopes": ["admin"], "expireTime": "2020-01-01T00:00:00Z"}, "token.expireTime"),
        ({"scopes": ["admin"], "displayName": "x" * 129}, "token.displayName"),
        ({"scopes": ["admin"], "displayName": "a\nb"}, "token.displayName"),
        ({"scopes": ["admin"], "secret": "mine"}, "token.secret"),
    ],
)
async def test_a_token_that_cannot_be_is_refused(
    token: dict[str, Any] | None, field: str, rest: Rest
) -> None:
    reply = await rest.call("POST", "/v1/tokens", {} if token is None else {"token": token})
    assert refused(reply, 400, "REQUEST_INVALID").fields == [field]


async def test_tokens_page(rest: Rest) -> None:
    for _ in range(3):
        await rest.post("/v1/tokens", {"token": {"scopes": ["server.read"]}})
    seen: list[str] = []
    token = ""
    while True:
        page = await rest.get(f"/v1/tokens?pageSize=2&pageToken={token}")
        assert len(page["tokens"]) <= 2
        seen += [one["name"] for one in page["tokens"]]
        token = page["nextPageToken"]
        if not token:
            break
    assert len(seen) == len(set(seen)) >= 4
    assert refused(await rest.call("GET", "/v1/tokens?pageSize=-1"), 400, "REQUEST_INVALID").fields == [
        "pageSize"
    ]
