"""Accounts, as contract.md has them: every field, every refusal, over REST and over gRPC."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from tests.fixtures.dovecot import Dovecot
from tests.fixtures.mail import imap_account
from tests.fixtures.rest import Reply, Rest, refused
from tests.fixtures.rpc import Rpc

SANDBOX: dict[str, Any] = {"email": "someone@sandbox.test", "sandbox": {}}


def fresh() -> str:
    return f"c{secrets.token_hex(5)}"


async def create(rest: Rest, account: dict[str, Any], **fields: Any) -> Reply:
    return await rest.call("POST", "/v1/accounts", {"account": account, **fields})


async def patch(rest: Rest, account: str, mask: str, body: dict[str, Any]) -> Reply:
    query = f"?updateMask={mask}" if mask else ""
    return await rest.call("PATCH", f"/v1/{account}{query}", body)


async def test_every_field_of_an_account_is_kept_and_shown(rest: Rest) -> None:
    given = {
        **SANDBOX,
        "sandbox": {"profile": "GRAPH"},
        "displayName": "Some One",
        "labels": {"team": "a", "tier": "1"},
        "mailboxRoles": {"archive": "Old"},
        "watchedMailboxes": ["inbox", "Work/Projects"],
        "liveMailboxes": ["inbox"],
        "sentCopy": "NEVER",
    }
    ident = fresh()
    made = (await create(rest, given, accountId=ident)).ok()["account"]
    assert made["name"] == f"accounts/{ident}"
    assert made["createTime"]
    found = (await rest.get(f"/v1/accounts/{ident}"))["account"]
    assert {key: found[key] for key in given} == given
    assert found["etag"]


async def test_an_account_without_an_id_gets_one(rest: Rest) -> None:
    made = (await create(rest, SANDBOX)).ok()["account"]
    assert made["name"].removeprefix("accounts/")
    (await rest.call("DELETE", f"/v1/{made['name']}")).ok()
    refused(await rest.call("GET", f"/v1/{made['name']}"), 404, "ACCOUNT_NOT_FOUND")
    refused(await rest.call("DELETE", f"/v1/{made['name']}"), 404, "ACCOUNT_NOT_FOUND")


@pytest.mark.parametrize("ident", ["-", ".", "..", "a b", "a:b", "a{b}", "*", "é", "a\n", "a/b", "x" * 129])
async def test_an_id_out_of_the_grammar_is_refused_by_name(ident: str, rest: Rest, rpc: Rpc) -> None:
    """Threats T16: a name that could be misread in a key, a path or a log is never accepted."""
    assert refused(await create(rest, SANDBOX, accountId=ident), 400, "REQUEST_INVALID").fields == [
        "accountId"
    ]
    found = await rpc.refused("AccountService/GetAccount", name=f"accounts/{ident}")
    assert (found.code, found.reason, found.fields) == ("INVALID_ARGUMENT", "REQUEST_INVALID", ("name",))


@pytest.mark.parametrize("ident", ["a", "A.b_c-d@e+f", "9", "x" * 128, "mailboxes", "user@example.com"])
async def test_an_id_of_the_grammar_is_the_callers(ident: str, rest: Rest, rpc: Rpc) -> None:
    (await create(rest, SANDBOX, accountId=ident)).ok()
    found = await rpc.call("AccountService/GetAccount", name=f"accounts/{ident}")
    assert found.account.name == f"accounts/{ident}"
    (await rest.call("DELETE", f"/v1/accounts/{ident.replace('+', '%2B')}")).ok()


@pytest.mark.parametrize(
    ("account", "field"),
    [
        (None, "account"),
        ({}, "account"),
        ({"email": "x@sandbox.test"}, "account"),
        ({"sandbox": {}}, "account.email"),
        ({**SANDBOX, "email": "nobody"}, "account.email"),
        ({**SANDBOX, "email": "a@b.test\r\nx"}, "account.email"),
        ({**SANDBOX, "displayName": "a\nb"}, "account.displayName"),
        ({**SANDBOX, "displayName": "x" * 300}, "account.displayName"),
        ({**SANDBOX, "labels": {"": "x"}}, "account.labels"),
        ({**SANDBOX, "labels": {"a": "x" * 256}}, "account.labels.a"),
        ({**SANDBOX, "labels": {f"k{n}": "x" for n in range(100)}}, "account.labels"),
        ({**SANDBOX, "mailboxRoles": {"nope": "x"}}, "account.mailboxRoles"),
        ({**SANDBOX, "watchedMailboxes": ["a\r\nb"]}, "account.watchedMailboxes[0]"),
        ({**SANDBOX, "imap": {"host": "h.test"}}, "account.imap"),
        ({"email": "x@y.test", "imap": {}}, "account.imap.host"),
        ({"email": "x@y.test", "imap": {"host": "a b"}}, "account.imap.host"),
        ({"email": "x@y.test", "imap": {"host": "h.test\r\n"}}, "account.imap.host"),
        ({"email": "x@y.test", "imap": {"host": "h.test", "port": 65_536}}, "account.imap.port"),
        ({"email": "x@y.test", "imap": {"host": "h.test", "port": -1}}, "account.imap.port"),
        ({"email": "x@y.test", "imap": {"host": "h.test", "security": 9}}, "account.imap.security"),
        ({"email": "x@y.test", "imap": {"host": "h.test", "username": "a\0"}}, "account.imap.username"),
        ({"email": "x@y.test", "imap": {"host": "h.test", "password": "a\r\nb"}}, "account.imap.password"),
        ({"email": "x@y.test", "smtp": {"host": "h.test", "password": "x" * 20_000}}, "account.smtp.password"),
    ],
)  # fmt: skip
async def test_a_field_that_cannot_be_is_named(
    account: dict[str, Any] | None, field: str, rest: Rest
) -> None:
    ident = fresh()
    body = {"accountId": ident} if account is None else {"accountId": ident, "account": account}
    for path in ("/v1/accounts", "/v1/accounts:verify"):
        sent = body if path == "/v1/accounts" else {k: v for k, v in body.items() if k == "account"}
        assert refused(await rest.call("POST", path, sent), 400, "REQUEST_INVALID").fields == [field], path
    refused(await rest.call("GET", f"/v1/accounts/{ident}"), 404, "ACCOUNT_NOT_FOUND")


@pytest.mark.parametrize("backend", ["gmail", "graph"])
async def test_a_backend_that_is_not_served_yet_says_so(backend: str, rest: Rest) -> None:
    refused(await create(rest, {"email": "a@b.test", backend: {}}), 501, "NOT_IMPLEMENTED")


async def test_creating_again_with_a_request_id_makes_one_account(rest: Rest) -> None:
    wanted = secrets.token_hex(8)
    first = (await create(rest, SANDBOX, requestId=wanted)).ok()["account"]["name"]
    again = (await create(rest, SANDBOX, requestId=wanted)).ok()["account"]["name"]
    assert first == again
    other = {**SANDBOX, "displayName": "Else"}
    refused(await create(rest, other, requestId=wanted), 409, "REQUEST_ID_REUSED")
    refused(await create(rest, SANDBOX, requestId=wanted, accountId=fresh()), 409, "REQUEST_ID_REUSED")
    for bad in ("a b", "x" * 129, "é"):
        assert refused(await create(rest, SANDBOX, requestId=bad), 400, "REQUEST_INVALID").fields == [
            "requestId"
        ]


async def test_a_listing_pages_filters_and_refuses(rest: Rest) -> None:
    label = secrets.token_hex(4)
    names = []
    for number in range(5):
        account = {
            **SANDBOX,
            "email": f"{label}-{number}@sandbox.test",
            "labels": {"set": label, "n": str(number)},
        }
        names.append((await create(rest, account)).ok()["account"]["name"])
    seen: list[str] = []
    token = ""
    while True:
        page = await rest.get(f"/v1/accounts?labelSelector=set%3D{label}&pageSize=2&pageToken={token}")
        assert len(page["accounts"]) <= 2
        seen += [one["name"] for one in page["accounts"]]
        token = page["nextPageToken"]
        if not token:
            break
    assert sorted(seen) == sorted(names)
    one = await rest.get(f"/v1/accounts?labelSelector=set%3D{label},n!%3D3&email={label.upper()}-")
    assert len(one["accounts"]) == 4
    assert len((await rest.get(f"/v1/accounts?email={label}-3"))["accounts"]) == 1
    token = (await rest.get("/v1/accounts?pageSize=1"))["nextPageToken"]
    refused(await rest.call("GET", f"/v1/accounts?email=x&pageToken={token}"), 400, "PAGE_TOKEN_INVALID")
    refused(await rest.call("GET", f"/v1/tokens?pageToken={token}"), 400, "PAGE_TOKEN_INVALID")
    for query, field in (("pageSize=-1", ["pageSize"]), ("labelSelector==", ["labelSelector"])):
        assert (
            refused(await rest.call("GET", f"/v1/accounts?{query}"), 400, "REQUEST_INVALID").fields == field
        )
    for query in ("pageSize=x", "states=NOPE", "states=99", "nope=1"):
        refused(await rest.call("GET", f"/v1/accounts?{query}"), 400, "REQUEST_INVALID")
    assert (await rest.call("GET", "/v1/accounts?pageSize=100000")).status == 200


@pytest.mark.parametrize(
    "mask",
    ["nope", "imap.pasword", "state", "name", "capabilities", "display-name", "imap.*", "*,email", "etag"],
)
async def test_a_mask_path_that_cannot_be_changed_is_refused(mask: str, rest: Rest) -> None:
    account = await rest.account(sandbox={})
    reply = refused(await patch(rest, account, mask, {"displayName": "x"}), 400, "REQUEST_INVALID")
    assert reply.fields == ["updateMask"]
    assert (await rest.get(f"/v1/{account}"))["account"]["displayName"] == ""


async def test_an_update_changes_what_the_mask_names_and_nothing_else(rest: Rest) -> None:
    account = await rest.account(sandbox={}, displayName="Old", labels={"a": "b"})
    reply = await patch(rest, account, "displayName", {"displayName": "New", "labels": {"x": "y"}})
    assert reply.ok()["account"]["displayName"] == "New"
    assert reply.json["account"]["labels"] == {"a": "b"}
    assert (await patch(rest, account, "", {"displayName": "Newer"})).ok()["account"]["labels"] == {"a": "b"}
    assert (await patch(rest, account, "labels", {})).ok()["account"]["labels"] == {}
    refused(await patch(rest, account, "", {"gmail": {}}), 400, "REQUEST_INVALID")
    assert refused(await patch(rest, account, "email", {}), 400, "REQUEST_INVALID").fields == [
        "account.email"
    ]
    refused(await patch(rest, "accounts/nobody", "displayName", {}), 404, "ACCOUNT_NOT_FOUND")
    refused(await patch(rest, "accounts/-", "displayName", {}), 400, "REQUEST_INVALID")


async def test_a_name_in_the_body_that_differs_from_the_path_is_refused(rest: Rest) -> None:
    account, other = await rest.account(sandbox={}), await rest.account(sandbox={})
    refused(
        await patch(rest, account, "displayName", {"name": other, "displayName": "x"}), 400, "REQUEST_INVALID"
    )
    (await patch(rest, account, "displayName", {"name": account, "displayName": "y"})).ok()
    for query in (f"name={other}", f"n%61me={other}", "name="):
        refused(await rest.call("DELETE", f"/v1/{account}?{query}"), 400, "REQUEST_INVALID")
    query = "?updateMask=displayName&account.displayName=z"
    refused(await rest.call("PATCH", f"/v1/{account}{query}", {}), 400, "REQUEST_INVALID")
    assert (await rest.get(f"/v1/{other}"))["account"]["displayName"] == ""
    assert (await rest.get(f"/v1/{account}"))["account"]["displayName"] == "y"


async def test_an_etag_guards_against_a_lost_update(rest: Rest, rpc: Rpc) -> None:
    account = await rest.account(sandbox={})
    etag = (await rest.get(f"/v1/{account}"))["account"]["etag"]
    changed = (await patch(rest, account, "displayName", {"displayName": "1", "etag": etag})).ok()
    assert changed["account"]["etag"] != etag
    refused(
        await patch(rest, account, "displayName", {"displayName": "2", "etag": etag}), 409, "ETAG_MISMATCH"
    )
    request = rpc.request("AccountService/UpdateAccount", account={"name": account, "etag": etag})
    request.update_mask.paths.append("display_name")  # type: ignore[attr-defined]
    found = await rpc.refused("AccountService/UpdateAccount", request)
    assert (found.code, found.reason) == ("ABORTED", "ETAG_MISMATCH")


async def test_a_secret_is_never_read_back_and_what_is_read_does_not_overwrite_it(
    rest: Rest, dovecot: Dovecot, mail_user: str
) -> None:
    """A masked or empty secret that comes back with the rest of an account leaves the stored one alone."""
    account = await rest.account(**imap_account(dovecot, mail_user))
    shown = (await rest.get(f"/v1/{account}"))["account"]
    assert shown["imap"]["password"] == ""
    answers = [await patch(rest, account, "", {**{k: shown[k] for k in ("email", "imap", "labels")}})]
    answers.append(await patch(rest, account, "imap", {"imap": shown["imap"]}))
    answers.append(
        await patch(rest, account, "displayName", {"displayName": "n", "imap": {"password": "wrong"}})
    )
    for answer in answers:
        assert answer.ok()["account"]["imap"]["password"] == ""
    (await rest.call("POST", f"/v1/{account}:pause", {})).ok()
    await rest.state(account, "PAUSED")
    (await rest.call("POST", f"/v1/{account}:resume", {})).ok()
    await rest.state(account, "CONNECTED")


async def test_a_kept_password_is_never_sent_to_another_host(
    rest: Rest, dovecot: Dovecot, mail_user: str
) -> None:
    account = await rest.account(**imap_account(dovecot, mail_user))
    reply = await patch(rest, account, "imap.host", {"imap": {"host": "localhost"}})
    assert refused(reply, 400, "REQUEST_INVALID").fields == ["account.imap.password"]


async def test_a_paused_account_says_so_until_it_is_resumed(rest: Rest, rpc: Rpc) -> None:
    account = await rest.account(sandbox={})
    (await rest.call("POST", f"/v1/{account}:pause", {})).ok()
    await rest.state(account, "PAUSED")
    refused(await rest.call("GET", f"/v1/{account}/mailboxes"), 400, "ACCOUNT_PAUSED")
    found = await rpc.refused("MailboxService/ListMailboxes", parent=account)
    assert (found.code, found.reason) == ("FAILED_PRECONDITION", "ACCOUNT_PAUSED")
    (await rest.call("POST", f"/v1/{account}:pause", {})).ok()
    (await rest.call("POST", f"/v1/{account}:resume", {})).ok()
    await rest.state(account, "CONNECTED")
    for verb in ("pause", "resume"):
        refused(await rest.call("POST", f"/v1/accounts/nobody:{verb}", {}), 404, "ACCOUNT_NOT_FOUND")
        refused(await rest.call("POST", f"/v1/accounts/-:{verb}", {}), 400, "REQUEST_INVALID")
        refused(await rest.call("POST", f"/v1/{account}:{verb}", {"why": "x"}), 400, "REQUEST_INVALID")
