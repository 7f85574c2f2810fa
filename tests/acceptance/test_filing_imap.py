"""Messages that are filed on a real IMAP server, and what such an account cannot do yet."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fixtures.dovecot import Dovecot
from tests.fixtures.mail import imap_account
from tests.fixtures.rest import Rest, refused
from tests.fixtures.rpc import Rpc
from tests.fixtures.sandboxes import changes, encoded, listed, raw_letter


@pytest.fixture
async def account(rest: Rest, dovecot: Dovecot, mail_user: str) -> str:
    return await rest.account(**imap_account(dovecot, mail_user))


async def test_a_filed_message_has_its_name_and_is_put_down_to_its_call(
    rest: Rest, account: str, watch: Any
) -> None:
    watcher = await watch(rest, account)
    raw = raw_letter("filed")
    body = {"raw": encoded(raw), "flags": ["$draft", "$seen"], "receiveTime": "2021-01-01T00:00:00Z"}
    reply = await rest.call("POST", f"/v1/{account}/mailboxes/drafts/messages", body)
    message = reply.ok()["message"]
    assert (message["flags"], message["receiveTime"]) == (["$draft", "$seen"], "2021-01-01T00:00:00Z")
    assert (await rest.call("GET", f"/v1/{message['name']}/source")).body == raw
    (told,) = await changes(watcher, "messageAdded")
    assert told["messageAdded"]["message"]["name"] == message["name"]
    assert told["cause"] == {"kind": "API", "requestId": reply.headers["x-request-id"]}


async def test_a_large_message_is_uploaded(rest: Rest, account: str) -> None:
    raw = raw_letter("large") + b"x" * 2_000_000 + b"\r\n"
    path = f"/v1/{account}/mailboxes/drafts/messages:upload"
    message = (await rest.call("POST", path, raw=raw, headers={"content-type": "message/rfc822"})).ok()[
        "message"
    ]
    assert (await rest.call("GET", f"/v1/{message['name']}/source")).body == raw
    assert await listed(rest, account, "drafts") == ["large"]


async def test_what_comes_later_says_so(rest: Rest, rpc: Rpc, account: str) -> None:
    body = {"raw": encoded(raw_letter("one"))}
    message = (await rest.post(f"/v1/{account}/mailboxes/inbox/messages", body))["message"]["name"]
    for path, fields in (
        ("messages:move", {"names": [message], "to": "trash"}),
        ("messages:copy", {"names": [message], "to": "trash"}),
        ("messages:delete", {"names": [message]}),
        ("mailboxes", {"mailbox": {"path": "New"}}),
    ):
        refused(await rest.call("POST", f"/v1/{account}/{path}", fields), 501, "NOT_IMPLEMENTED")
    found = await rpc.refused("SandboxService/DeliverMessage", name=account, raw=raw_letter("x"))
    assert (found.code, found.reason) == ("FAILED_PRECONDITION", "CAPABILITY_MISSING")
    assert await listed(rest, account, "inbox") == ["one"]
