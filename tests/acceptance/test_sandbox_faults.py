"""The switches of sandbox accounts: sends that are refused, a provider that is away, a history that is forgotten."""

from __future__ import annotations

from typing import Any

from tests.fixtures.eventually import eventually
from tests.fixtures.rest import Rest, refused
from tests.fixtures.rpc import Rpc
from tests.fixtures.sandboxes import changes, deliver, encoded, facts, listed, raw_letter


async def inject(rest: Rest, account: str, **fault: Any) -> None:
    assert await rest.post(f"/v1/{account}:injectFault", fault) == {}


async def send(rest: Rest, account: str, to: str) -> str:
    address = (await rest.get(f"/v1/{to}"))["account"]["email"]
    composed = {"to": [{"address": address}], "subject": "Hello", "text": "Words."}
    answer = await rest.post(f"/v1/{account}/submissions", {"submission": {"composed": composed}})
    return str(answer["submission"]["name"])


async def reached(rest: Rest, submission: str, state: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        found: dict[str, Any] = (await rest.get(f"/v1/{submission}"))["submission"]
        return found if found["state"] == state else None

    found = await eventually(look, within=20.0)
    assert found is not None
    return found


async def test_sends_are_refused_for_good(rest: Rest) -> None:
    sender, receiver = await rest.account(sandbox={}), await rest.account(sandbox={})
    refusal = {"replyCode": 550, "enhancedStatus": "5.7.1", "text": "we do not want this"}
    await inject(rest, sender, refuseNextSends=refusal)
    failed = await reached(rest, await send(rest, sender, receiver), "FAILED")
    assert "we do not want this" in str(failed["attempts"])
    assert failed["attempts"][-1]["enhancedStatus"] == "5.7.1"
    await reached(rest, await send(rest, sender, receiver), "RELAYED")

    async def one() -> bool:
        return len(await listed(rest, receiver, "inbox")) == 1

    await eventually(one)


async def test_sends_are_refused_for_now(rest: Rest) -> None:
    sender, receiver = await rest.account(sandbox={}), await rest.account(sandbox={})
    await inject(rest, sender, refuseNextSends={"replyCode": 451, "count": 3})
    waiting = await reached(rest, await send(rest, sender, receiver), "RETRYING")
    assert "refused for now" in str(waiting["recipients"]) + str(waiting["attempts"])
    await rest.post(f"/v1/{sender}:clearFaults", {})
    await reached(rest, await send(rest, sender, receiver), "RELAYED")


async def test_an_account_that_is_offline_comes_back_and_has_lost_nothing(
    rest: Rest, account: str, watch: Any
) -> None:
    watcher = await watch(rest, account)
    await inject(rest, account, offline={})
    found = await rest.state(account, "UNREACHABLE", within=30.0)
    assert found["lastError"]["reason"] == "PROVIDER_UNREACHABLE"
    refused(await rest.call("GET", f"/v1/{account}/mailboxes"), 503, "PROVIDER_UNREACHABLE")
    answer = await rest.post(f"/v1/{account}:deliver", {"raw": encoded(raw_letter("meanwhile"))})
    assert answer == {}
    await rest.post(f"/v1/{account}:clearFaults", {})
    await rest.state(account, "CONNECTED", within=30.0)
    (told,) = await changes(watcher, "messageAdded")
    assert told["cause"]["kind"] == "REMOTE"
    assert await listed(rest, account, "inbox") == ["meanwhile"]


async def test_being_offline_ends_by_itself(rest: Rest, account: str, watch: Any) -> None:
    watcher = await watch(rest, account)
    await inject(rest, account, offline={"duration": "2s"})
    await changes(watcher, "accountStateChanged")
    await rest.state(account, "CONNECTED", within=30.0)
    assert (await deliver(rest, account, "one"))["name"]


async def test_a_forgotten_history_is_told_as_a_reset_and_nothing_else(
    rest: Rest, account: str, profile: str, watch: Any
) -> None:
    for turn in range(3):
        await deliver(rest, account, f"m{turn}")
    watcher = await watch(rest, account)
    await inject(rest, account, expireCursors={})
    reset = "accountReset" if profile == "GMAIL" else "mailboxReset"
    told = await changes(watcher, reset)
    expired = "DELTA_EXPIRED" if profile == "GRAPH" else "HISTORY_EXPIRED"
    assert {one[reset]["reason"] for one in told} == {expired}
    await deliver(rest, account, "after")
    await changes(watcher, "messageAdded")
    kinds = [kind for kind in facts(watcher) if kind != reset]
    assert kinds == ["messageAdded"]
    assert await listed(rest, account, "inbox") == ["after", "m2", "m1", "m0"]


async def test_faults_are_for_sandbox_accounts(rest: Rest, rpc: Rpc) -> None:
    imap = {"host": "127.0.0.1", "port": 1, "security": "NONE", "password": "x"}
    await rest.post(
        "/v1/accounts", {"accountId": "no-sandbox", "account": {"email": "a@b.test", "imap": imap}}
    )
    try:
        for verb, body in (
            ("deliver", {"raw": encoded(raw_letter("x"))}),
            ("injectFault", {"offline": {}}),
            ("clearFaults", {}),
        ):
            reply = await rest.call("POST", f"/v1/accounts/no-sandbox:{verb}", body)
            refused(reply, 400, "CAPABILITY_MISSING")
    finally:
        await rest.call("DELETE", "/v1/accounts/no-sandbox")
    found = await rpc.refused("SandboxService/ClearFaults", name="accounts/nobody")
    assert (found.code, found.reason) == ("NOT_FOUND", "ACCOUNT_NOT_FOUND")


async def test_a_fault_that_is_none_names_the_field(rest: Rest, rpc: Rpc) -> None:
    account = await rest.account(sandbox={})
    for body, field in (
        ({}, "refuseNextSends"),
        ({"refuseNextSends": {}}, "refuseNextSends.replyCode"),
        ({"refuseNextSends": {"replyCode": 250}}, "refuseNextSends.replyCode"),
        ({"refuseNextSends": {"replyCode": 600}}, "refuseNextSends.replyCode"),
        ({"refuseNextSends": {"replyCode": 451, "count": 1_001}}, "refuseNextSends.count"),
        ({"refuseNextSends": {"replyCode": 451, "count": -1}}, "refuseNextSends.count"),
        (
            {"refuseNextSends": {"replyCode": 451, "enhancedStatus": "5.1.1"}},
            "refuseNextSends.enhancedStatus",
        ),
        ({"refuseNextSends": {"replyCode": 451, "text": "two\r\nlines"}}, "refuseNextSends.text"),
        ({"refuseNextSends": {"replyCode": 451, "text": "x" * 501}}, "refuseNextSends.text"),
        ({"offline": {"duration": "-1s"}}, "offline.duration"),
        ({"offline": {"duration": "2592001s"}}, "offline.duration"),
    ):
        reply = await rest.call("POST", f"/v1/{account}:injectFault", body)
        assert refused(reply, 400, "REQUEST_INVALID").fields == [field], body
    found = await rpc.refused("SandboxService/InjectFault", name=account)
    assert (found.code, found.fields) == ("INVALID_ARGUMENT", ("refuseNextSends",))


async def test_a_token_needs_the_scope(rest: Rest) -> None:
    account = await rest.account(sandbox={})
    made = await rest.post("/v1/tokens", {"token": {"displayName": "reader", "scopes": ["messages.write"]}})
    secret = made["secret"]
    body = {"raw": encoded(raw_letter("x"))}
    assert (await rest.call("POST", f"/v1/{account}:deliver", body, token=secret)).status == 200
    reply = await rest.call("POST", f"/v1/{account}:injectFault", {"offline": {}}, token=secret)
    refused(reply, 403, "SCOPE_DENIED")
