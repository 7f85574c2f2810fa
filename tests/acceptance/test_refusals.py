"""What a caller does wrong is answered clearly: status, reason and field of the contract, and nothing is done.

contract.md's chapter "Errors": order of refusal is token, scope, account, body; UNAUTHENTICATED and PERMISSION_DENIED speak of
our caller only, never of the provider's login.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Any

import pytest

from tests.fixtures.dovecot import Dovecot
from tests.fixtures.mail import imap_account
from tests.fixtures.postroom import free_port
from tests.fixtures.rest import Rest, refused

MEGABYTE = 1024 * 1024


async def verify(rest: Rest, account: dict[str, Any]) -> dict[str, Any]:
    """The IMAP row of VerifyAccount's answer."""
    answer = await rest.post("/v1/accounts:verify", {"account": account})
    return next(row for row in answer["results"] if row["protocol"] == "IMAP")


def row_reason(row: dict[str, Any]) -> str:
    """The reason in a result's error."""
    return next(one["reason"] for one in row["error"]["details"] if "reason" in one)


async def test_right_settings_are_verified_and_nothing_is_stored(
    rest: Rest, dovecot: Dovecot, mail_user: str
) -> None:
    row = await verify(rest, imap_account(dovecot, mail_user))
    assert row["ok"], row
    listed = await rest.get(f"/v1/accounts?email={mail_user}")
    assert listed.get("accounts", []) == []


async def test_a_wrong_password_is_the_providers_refusal_not_ours(
    rest: Rest, dovecot: Dovecot, mail_user: str
) -> None:
    row = await verify(rest, imap_account(dovecot, mail_user, password="wrong"))
    assert row_reason(row) == "CREDENTIALS_REJECTED"
    ident = f"a{secrets.token_hex(5)}"
    account = imap_account(dovecot, mail_user, password="wrong")
    await rest.post("/v1/accounts", {"accountId": ident, "account": account})
    found = await rest.state(f"accounts/{ident}", "AUTH_FAILED")
    assert found["lastError"]["reason"] == "CREDENTIALS_REJECTED"
    reply = await rest.call("GET", f"/v1/accounts/{ident}/mailboxes")
    refused(reply, 400, "CREDENTIALS_REJECTED")


async def test_a_corrected_password_connects_the_account(
    rest: Rest, dovecot: Dovecot, mail_user: str
) -> None:
    ident = f"a{secrets.token_hex(5)}"
    await rest.post(
        "/v1/accounts", {"accountId": ident, "account": imap_account(dovecot, mail_user, password="wrong")}
    )
    await rest.state(f"accounts/{ident}", "AUTH_FAILED")
    change = {"account": {"imap": {"password": "pass"}}}["account"]
    (await rest.call("PATCH", f"/v1/accounts/{ident}?updateMask=imap.password", change)).ok()
    await rest.state(f"accounts/{ident}", "CONNECTED")


@pytest.mark.parametrize(
    ("changes", "stage"),
    [({"host": "no-such-host.invalid"}, "dns"), ({"port": 0}, "tcp")],
    ids=["wrong host", "closed port"],
)
async def test_a_server_that_is_not_there_is_named_with_the_stage_that_failed(
    changes: dict[str, Any], stage: str, rest: Rest, dovecot: Dovecot, mail_user: str
) -> None:
    changes = {"port": free_port()} if "port" in changes else changes
    row = await verify(rest, imap_account(dovecot, mail_user, **changes))
    assert row_reason(row) == "PROVIDER_UNREACHABLE"
    metadata = next(one["metadata"] for one in row["error"]["details"] if "reason" in one)
    assert metadata["stage"] == stage
    ident = f"a{secrets.token_hex(5)}"
    await rest.post(
        "/v1/accounts", {"accountId": ident, "account": imap_account(dovecot, mail_user, **changes)}
    )
    found = await rest.state(f"accounts/{ident}", "UNREACHABLE")
    assert found["lastError"]["reason"] == "PROVIDER_UNREACHABLE"
    refused(await rest.call("GET", f"/v1/accounts/{ident}/mailboxes"), 503, "PROVIDER_UNREACHABLE")


async def test_a_certificate_that_nobody_vouches_for_is_refused(
    rest: Rest, dovecot: Dovecot, mail_user: str, wrong_certificate: int
) -> None:
    row = await verify(rest, imap_account(dovecot, mail_user, security="TLS", port=wrong_certificate))
    assert row_reason(row) == "PROVIDER_UNREACHABLE"
    assert next(one["metadata"] for one in row["error"]["details"] if "reason" in one)["stage"] == "tls"


@pytest.mark.parametrize("raw", [b"{", b"[]", b'{"accountId": "x",}', b'{"accountId": "\xff"}', b"\x00"])
async def test_a_body_that_is_not_json_is_a_bad_request(raw: bytes, rest: Rest) -> None:
    reply = await rest.call("POST", "/v1/accounts", raw=raw, headers={"content-type": "application/json"})
    assert reply.status == 400
    assert reply.json["code"] == 3


@pytest.mark.parametrize(
    ("path", "body", "word"),
    [
        (
            "/v1/accounts",
            {"acountId": "typo-1", "account": {"email": "t@sandbox.test", "sandbox": {}}},
            "acountId",
        ),
        (
            "/v1/accounts",
            {"accountId": "typo-2", "account": {"email": "t@sandbox.test", "sandbx": {}}},
            "sandbx",
        ),
        (
            "/v1/accounts",
            {"accountId": "typo-3", "account": {"email": "t@x.test", "imap": {"hots": "x"}}},
            "hots",
        ),
    ],
)
async def test_a_misspelt_field_is_named_and_nothing_is_done(
    path: str, body: dict[str, Any], word: str, rest: Rest
) -> None:
    reply = refused(await rest.call("POST", path, body), 400, "REQUEST_INVALID")
    assert word in json.dumps(reply.json)
    refused(
        await rest.call("GET", f"/v1/accounts/{body.get('accountId', 'typo-1')}"), 404, "ACCOUNT_NOT_FOUND"
    )


async def test_a_misspelt_field_of_a_submission_sends_nothing(rest: Rest) -> None:
    account = await rest.account(sandbox={})
    email = (await rest.get(f"/v1/{account}"))["account"]["email"]
    composed = {"to": [{"address": email, "dispalyName": "Me"}], "subject": "x", "text": "y"}
    reply = await rest.call("POST", f"/v1/{account}/submissions", {"submission": {"composed": composed}})
    refused(reply, 400, "REQUEST_INVALID")
    assert any("dispalyName" in one for one in reply.fields), reply.json
    reply = await rest.call(
        "POST",
        f"/v1/{account}/submissions",
        {"submission": {"composed": {"subject": "x"}, "sendTme": "2030-01-01T00:00:00Z"}},
    )
    refused(reply, 400, "REQUEST_INVALID")
    assert (await rest.get(f"/v1/{account}/submissions")).get("submissions", []) == []


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/accounts", "/v1/acounts", "/v1/accounts/a/b/c/d"])
async def test_an_unknown_path_is_not_found(path: str, rest: Rest) -> None:
    reply = await rest.call("GET", path)
    assert reply.status == 404
    assert reply.json["code"] == 5


async def test_the_token_is_asked_for_first(rest: Rest) -> None:
    refused(await rest.call("GET", "/v1/accounts", token=""), 401, "TOKEN_MISSING")
    refused(await rest.call("GET", "/v1/accounts", token="x" * 43), 401, "TOKEN_INVALID")
    refused(
        await rest.call("GET", "/v1/accounts", headers={"authorization": "Basic eA=="}, token=""),
        401,
        "TOKEN_MISSING",
    )
    unknown = await rest.call("POST", "/v1/accounts/nobody/submissions", {"submision": {}}, token="")
    refused(unknown, 401, "TOKEN_MISSING")


async def test_a_token_reaches_its_scopes_and_its_accounts_only(rest: Rest) -> None:
    own, other = await rest.account(sandbox={}), await rest.account(sandbox={})
    made = await rest.post(
        "/v1/tokens",
        {"token": {"displayName": "reader", "scopes": ["messages.read", "changes.read"], "accounts": [own]}},
    )
    secret = made["secret"]
    assert (await rest.call("GET", f"/v1/{own}/mailboxes", token=secret)).status == 200
    refused(await rest.call("GET", f"/v1/{other}/mailboxes", token=secret), 403, "SCOPE_DENIED")
    refused(await rest.call("GET", "/v1/accounts/-/changes", token=secret), 403, "SCOPE_DENIED")
    refused(await rest.call("GET", "/v1/accounts/nobody/mailboxes", token=secret), 403, "SCOPE_DENIED")
    body = {"submission": {"composed": {}}}
    refused(await rest.call("POST", f"/v1/{own}/submissions", body, token=secret), 403, "SCOPE_DENIED")
    refused(await rest.call("DELETE", f"/v1/{own}", token=secret), 403, "SCOPE_DENIED")
    (await rest.call("DELETE", f"/v1/{made['token']['name']}")).ok()


@pytest.mark.parametrize(
    ("path", "size"), [("/v1/accounts", 40), ("/v1/accounts", 2), ("/v1/accounts/x/submissions", 40)]
)
async def test_a_body_over_the_limit_is_too_large(path: str, size: int, rest: Rest) -> None:
    raw = b'{"accountId": "' + b"x" * (size * MEGABYTE) + b'"}'
    reply = await rest.call("POST", path, raw=raw, headers={"content-type": "application/json"})
    assert reply.status == 413
    assert reply.json["code"]


async def test_a_mailbox_name_with_a_line_break_never_reaches_the_provider(
    rest: Rest, dovecot: Dovecot, mail_user: str
) -> None:
    account = await rest.account(**imap_account(dovecot, mail_user))
    injected = "m%0d%0aX%20DELETE%20INBOX"
    reply = await rest.call("GET", f"/v1/{account}/mailboxes/{injected}")
    assert reply.status in {400, 404}, reply.body
    reply = await rest.call(
        "POST",
        f"/v1/{account}:searchMessages",
        {"mailboxes": ["INBOX\r\nX LOGOUT"], "filter": {"condition": {"subject": "x"}}},
    )
    assert reply.status in {400, 404}, reply.body
    condition = {"subject": "x\r\nX LOGOUT"}
    reply = await rest.call(
        "POST", f"/v1/{account}:searchMessages", {"mailboxes": ["inbox"], "filter": {"condition": condition}}
    )
    assert reply.status in {200, 400}, reply.body
    assert "mailboxes" in await rest.get(f"/v1/{account}/mailboxes")


async def test_twenty_callers_with_one_request_id_send_one_message(rest: Rest) -> None:
    """Fault F26: the same submission at once from many callers is one submission for all of them."""
    sender, receiver = await rest.account(sandbox={}), await rest.account(sandbox={})
    email = (await rest.get(f"/v1/{receiver}"))["account"]["email"]
    body = {
        "requestId": "only-once",
        "submission": {"composed": {"to": [{"address": email}], "subject": "Once", "text": "."}},
    }
    replies = await asyncio.gather(*(rest.call("POST", f"/v1/{sender}/submissions", body) for _ in range(20)))
    assert {one.status for one in replies} == {200}, replies
    assert len({one.json["submission"]["name"] for one in replies}) == 1
    page = await rest.get(f"/v1/{receiver}/changes?from=EARLIEST&kinds=MESSAGE_ADDED&wait=10s")
    assert len(page["changes"]) == 1
    other = {**body, "submission": {"composed": {**body["submission"]["composed"], "subject": "Twice"}}}
    refused(await rest.call("POST", f"/v1/{sender}/submissions", other), 409, "REQUEST_ID_REUSED")
    listed = await rest.get(f"/v1/{receiver}/mailboxes/inbox/messages")
    assert len(listed["messages"]) == 1


async def test_an_account_id_is_taken_once(rest: Rest) -> None:
    account = await rest.account(sandbox={})
    body = {
        "accountId": account.removeprefix("accounts/"),
        "account": {"email": "other@sandbox.test", "sandbox": {}},
    }
    refused(await rest.call("POST", "/v1/accounts", body), 409, "ACCOUNT_EXISTS")


@pytest.mark.parametrize(
    ("cursor", "reason"), [("nonsense", "CURSOR_MALFORMED"), ("AAAA", "CURSOR_MALFORMED")]
)
async def test_a_cursor_that_is_not_ours_is_refused_before_the_stream_begins(
    cursor: str, reason: str, rest: Rest
) -> None:
    account = await rest.account(sandbox={})
    refused(await rest.call("GET", f"/v1/{account}/changes?cursor={cursor}"), 400, reason)
    refused(await rest.call("GET", f"/v1/{account}/changes:watch?cursor={cursor}"), 400, reason)


async def test_a_cursor_of_another_account_is_foreign(rest: Rest) -> None:
    one, other = await rest.account(sandbox={}), await rest.account(sandbox={})
    cursor = (await rest.get(f"/v1/{one}/changes?from=EARLIEST"))["cursor"]
    refused(await rest.call("GET", f"/v1/{other}/changes?cursor={cursor}"), 400, "CURSOR_FOREIGN")


async def test_a_method_that_is_not_served_yet_says_so(rest: Rest) -> None:
    account = await rest.account(sandbox={})
    refused(await rest.call("GET", f"/v1/{account}/threads"), 501, "NOT_IMPLEMENTED")
