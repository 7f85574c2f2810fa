"""DownloadAccountLog: what was said to the provider can be read, followed, and holds no secret and no text of a message."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import grpc
import pytest

from tests.fixtures.dovecot import Dovecot
from tests.fixtures.eventually import eventually
from tests.fixtures.mail import imap_account, letter, message_id
from tests.fixtures.postroom import Up
from tests.fixtures.rest import Rest, lines, refused
from tests.fixtures.rpc import Rpc, channel_to
from tests.fixtures.smtpd import Smtpd

CANARY = "canary-password-log-8vq"
TEXT = "canary-text-log-k2m"
SUBJECT = "canary-subject-log-z9p"
FOLLOW_SECONDS = 15


async def dialogue(rest: Rest, account: str, query: str = "") -> list[dict[str, Any]]:
    reply = await rest.call("GET", f"/v1/{account}/log{query}")
    assert reply.status == 200, reply.body
    assert reply.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in reply.body.splitlines()]


async def test_a_sandbox_account_shows_what_it_did(rest: Rest) -> None:
    account = await rest.account(sandbox={})
    shown = await dialogue(rest, account)
    assert {"time", "session", "direction", "text"} == set(shown[0])
    assert {line["direction"] for line in shown} == {"SENT", "RECEIVED", "EVENT"}
    assert {line["session"].partition("-")[0] for line in shown} == {"account", "sandbox"}
    texts = [line["text"] for line in shown]
    assert "MAILBOXES" in texts
    assert "CONNECTED" in texts
    assert [line["time"] for line in shown] == sorted(line["time"] for line in shown)
    assert await dialogue(rest, account, "?maxLines=2") == shown[-2:]


async def test_what_was_said_to_real_servers_is_shown_without_secrets(
    rest: Rest, dovecot: Dovecot, mail_user: str, smtpd: Smtpd
) -> None:
    settings = imap_account(dovecot, mail_user, smtp_port=smtpd.port)
    settings["smtp"]["password"] = CANARY
    account = await rest.account(**settings)
    raw = letter(message_id(), to=mail_user, subject=SUBJECT, text=TEXT)
    await asyncio.to_thread(dovecot.deliver, mail_user, raw)
    listing = f"/v1/{account}/mailboxes/inbox/messages"

    async def arrived() -> str | None:
        rows = (await rest.get(listing))["messages"]
        return rows[0]["name"] if rows else None

    message = await eventually(arrived, within=10)
    assert TEXT in (await rest.get(f"/v1/{message}?view=FULL"))["message"]["text"]
    assert TEXT.encode() in (await rest.call("GET", f"/v1/{message}/source")).body
    await rest.post(
        f"/v1/{account}:searchMessages",
        {"mailboxes": ["inbox"], "filter": {"condition": {"subject": SUBJECT, "text": TEXT}}},
    )
    composed = {"to": [{"address": "ben@mail.test"}], "subject": SUBJECT, "text": TEXT}
    await rest.post(f"/v1/{account}/submissions", {"submission": {"composed": composed}})

    async def sent() -> list[dict[str, Any]] | None:
        shown = await dialogue(rest, account)
        return shown if any(line["text"] == "." for line in shown) else None

    shown = await eventually(sent, within=10)
    assert shown is not None
    kinds = {line["session"].partition("-")[0] for line in shown}
    assert kinds == {"account", "pool", "watch", "smtp"}
    texts = [line["text"] for line in shown]
    assert any(text.endswith("AUTHENTICATE PLAIN ***") for text in texts)
    assert "AUTH PLAIN ***" in texts
    assert "RCPT TO:<ben@mail.test>" in texts
    assert any("BODY[" in text and " bytes}" in text for text in texts)
    whole = "\n".join(texts)
    assert [word for word in (CANARY, TEXT, SUBJECT, "cGFzcw") if word in whole] == []


async def test_a_refused_login_shows_why_and_not_with_what(
    rest: Rest, dovecot: Dovecot, mail_user: str
) -> None:
    ident = f"a{secrets.token_hex(5)}"
    settings = imap_account(dovecot, mail_user, password=CANARY)
    await rest.post("/v1/accounts", {"accountId": ident, "account": settings})
    await rest.state(f"accounts/{ident}", "AUTH_FAILED")
    texts = [line["text"] for line in await dialogue(rest, f"accounts/{ident}")]
    assert any("NO [AUTHENTICATIONFAILED]" in text for text in texts)
    assert "AUTH_FAILED: CREDENTIALS_REJECTED" in texts
    assert CANARY not in "\n".join(texts)


async def test_a_closed_port_is_told(rest: Rest) -> None:
    ident = f"a{secrets.token_hex(5)}"
    server = {"host": "127.0.0.1", "port": 1, "security": "NONE", "username": "a", "password": CANARY}
    await rest.post("/v1/accounts", {"accountId": ident, "account": {"email": "a@mail.test", "imap": server}})
    await rest.state(f"accounts/{ident}", "UNREACHABLE")
    texts = [line["text"] for line in await dialogue(rest, f"accounts/{ident}")]
    assert "connects to 127.0.0.1 at 127.0.0.1, port 1" in texts
    assert "cannot connect: connection refused" in texts
    assert any(text.startswith("tries again in ") for text in texts)


async def wait_for(found: AsyncIterator[bytes], text: str) -> None:
    async with asyncio.timeout(FOLLOW_SECONDS):
        async for line in found:
            if text in json.loads(line)["text"]:
                return
    raise AssertionError(f"the stream ended without {text}")


async def test_who_follows_sees_new_lines_over_rest(rest: Rest, web: aiohttp.ClientSession) -> None:
    account = await rest.account(sandbox={})
    path = f"{rest.url}/v1/{account}/log?follow=true&maxLines=1"
    async with web.get(path, headers=rest.headers()) as answer:
        assert answer.status == 200
        composed = {"to": [{"address": f"{account.removeprefix('accounts/')}@sandbox.test"}], "text": TEXT}
        await rest.post(f"/v1/{account}/submissions", {"submission": {"composed": composed}})
        await wait_for(lines(answer.content), "APPEND OK")


async def test_who_follows_sees_new_lines_over_grpc(rest: Rest, rpc: Rpc) -> None:
    account = await rest.account(sandbox={})
    stream = rpc.stream("AccountService/DownloadAccountLog", name=account, follow=True, max_lines=1)
    first = await anext(stream)
    assert (first.body.content_type, first.body.data) == ("application/x-ndjson", b"")

    async def said() -> AsyncIterator[bytes]:
        async for piece in stream:
            for line in piece.body.data.splitlines():
                yield line

    await rest.post(f"/v1/{account}:pause", {})
    await wait_for(said(), "PAUSED")
    await stream.aclose()


async def test_who_follows_is_let_go_with_his_token(rest: Rest, rpc: Rpc) -> None:
    """Within five seconds of its revocation (promise F29), also while nothing is said."""
    account = await rest.account(sandbox={})
    made = await rest.post("/v1/tokens", {"token": {"scopes": ["accounts.write"], "accounts": [account]}})
    follower = Rpc(rpc.channel, made["secret"])
    stream = follower.stream("AccountService/DownloadAccountLog", name=account, follow=True)
    await anext(stream)
    assert b"CONNECTED" in (await anext(stream)).body.data
    await rest.call("DELETE", f"/v1/{made['token']['name']}")

    async def listen() -> None:
        async for _ in stream:
            pass

    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await asyncio.wait_for(listen(), 7.0)
    assert ended.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_it_is_forwarded_to_the_owner_and_followed_there(web: aiohttp.ClientSession) -> None:
    up = Up("--nodes", "2")
    try:
        up.start()
        rest = Rest(web, up.url, up.token)
        account = await rest.account(sandbox={})
        for node in up.up["nodes"]:
            async with channel_to(node["address"]) as channel:
                rpc = Rpc(channel, up.token)
                kept = [one async for one in rpc.stream("AccountService/DownloadAccountLog", name=account)]
                assert b"CONNECTED" in b"".join(one.body.data for one in kept)
                stream = rpc.stream("AccountService/DownloadAccountLog", name=account, follow=True)
                await anext(stream)
                assert b"CONNECTED" in (await anext(stream)).body.data
                await stream.aclose()
    finally:
        up.close()


async def test_refusals(rest: Rest, rpc: Rpc) -> None:
    refused(await rest.call("GET", "/v1/accounts/nobody/log"), 404, "ACCOUNT_NOT_FOUND")
    account = await rest.account(sandbox={})
    reply = refused(await rest.call("GET", f"/v1/{account}/log?maxLines=-1"), 400, "REQUEST_INVALID")
    assert reply.fields == ["maxLines"]
    refusal = await rpc.refused("AccountService/DownloadAccountLog", name="accounts/nobody", follow=True)
    assert (refusal.code, refusal.reason) == ("NOT_FOUND", "ACCOUNT_NOT_FOUND")


async def test_the_dialogue_of_a_deleted_account_is_gone(rest: Rest) -> None:
    account = await rest.account(sandbox={})
    ident = account.removeprefix("accounts/")
    (await rest.call("DELETE", f"/v1/{account}")).ok()
    refused(await rest.call("GET", f"/v1/{account}/log"), 404, "ACCOUNT_NOT_FOUND")
    await rest.post(
        "/v1/accounts", {"accountId": ident, "account": {"email": "x@sandbox.test", "sandbox": {}}}
    )
    await rest.state(account, "CONNECTED")
    shown = await dialogue(rest, account)
    assert next(line["session"] for line in shown if line["session"].startswith("account")) == "account-1"
    assert sum(line["text"] == "CONNECTED" for line in shown) == 1
