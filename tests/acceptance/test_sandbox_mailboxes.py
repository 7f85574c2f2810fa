"""Mailboxes of sandbox accounts of every profile: made, renamed, subscribed to, deleted, and what the feed says."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.fixtures.rest import Rest, refused
from tests.fixtures.rpc import Rpc
from tests.fixtures.sandboxes import changes, deliver, listed, mailboxes, named


async def make(rest: Rest, account: str, path: str) -> dict[str, Any]:
    answer = await rest.post(f"/v1/{account}/mailboxes", {"mailbox": {"path": path, "subscribed": True}})
    found: dict[str, Any] = answer["mailbox"]
    return found


async def test_a_mailbox_is_made_with_the_levels_above_it(rest: Rest, account: str, watch: Any) -> None:
    watcher = await watch(rest, account)
    reply = await rest.call(
        "POST", f"/v1/{account}/mailboxes", {"mailbox": {"path": "Kunden/Grüße & Co/2026"}}
    )
    made = reply.ok()["mailbox"]
    assert (made["path"], made["displayName"]) == ("Kunden/Grüße & Co/2026", "2026")
    assert not made["subscribed"]
    assert {"Kunden", "Kunden/Grüße & Co", made["path"]} <= (await mailboxes(rest, account)).keys()
    told = await changes(watcher, "mailboxAdded", count=3)
    assert {one["mailboxAdded"]["mailbox"]["path"] for one in told} >= {"Kunden", made["path"]}
    assert {one["cause"]["requestId"] for one in told} == {reply.headers["x-request-id"]}
    again = await rest.call("POST", f"/v1/{account}/mailboxes", {"mailbox": {"path": made["path"]}})
    refused(again, 409, "MAILBOX_EXISTS")


async def test_mailboxes_that_several_calls_make_at_once_are_put_down_to_each(
    rest: Rest, account: str, watch: Any
) -> None:
    watcher = await watch(rest, account)
    paths = [f"Q{number}/inner" for number in range(8)]
    replies = await asyncio.gather(
        *(rest.call("POST", f"/v1/{account}/mailboxes", {"mailbox": {"path": path}}) for path in paths)
    )
    made = {reply.ok()["mailbox"]["path"]: reply.headers["x-request-id"] for reply in replies}
    told = await changes(watcher, "mailboxAdded", count=16)
    seen = {one["mailboxAdded"]["mailbox"]["path"]: one["cause"]["requestId"] for one in told}
    assert seen == made | {path.partition("/")[0]: request for path, request in made.items()}


async def test_mail_comes_to_a_new_mailbox(rest: Rest, account: str, watch: Any) -> None:
    made = await make(rest, account, "Orders")
    watcher = await watch(rest, account)
    message = await deliver(rest, account, "order", mailbox=made["name"])
    assert message["mailboxes"] == [made["name"]]
    (told,) = await changes(watcher, "messageAdded")
    assert told["messageAdded"]["message"]["mailboxes"] == [made["name"]]


async def test_a_renamed_mailbox_keeps_its_id_and_its_mail(
    rest: Rest, rpc: Rpc, account: str, watch: Any
) -> None:
    made, inner = await make(rest, account, "A"), await make(rest, account, "A/B")
    message = await deliver(rest, account, "one", mailbox=inner["name"])
    watcher = await watch(rest, account)
    reply = await rest.call("PATCH", f"/v1/{made['name']}", {"path": "Z/New"})
    assert reply.ok()["mailbox"]["name"] == made["name"]
    rows = await mailboxes(rest, account)
    assert (rows["Z/New"]["name"], rows["Z/New/B"]["name"]) == (made["name"], inner["name"])
    assert "A" not in rows
    told = await changes(watcher, "mailboxRenamed", count=2)
    renamed = {one["mailboxRenamed"]["mailbox"]: one["mailboxRenamed"]["newPath"] for one in told}
    assert renamed == {made["name"]: "Z/New", inner["name"]: "Z/New/B"}
    assert {one["cause"]["kind"] for one in told} == {"API"}
    assert (await rest.get(f"/v1/{message['name']}"))["message"]["mailboxes"] == [inner["name"]]
    changed = await rpc.call(
        "MailboxService/UpdateMailbox",
        mailbox={"name": inner["name"], "display_name": "C"},
        update_mask={"paths": ["display_name"]},
    )
    assert changed.mailbox.path == "Z/New/C"


async def test_a_subscription_is_changed_and_an_old_etag_is_refused(rest: Rest, account: str) -> None:
    made = await make(rest, account, "List")
    reply = await rest.call(
        "PATCH", f"/v1/{made['name']}?updateMask=subscribed", {"subscribed": False, "etag": made["etag"]}
    )
    changed = reply.ok()["mailbox"]
    assert (changed["subscribed"], made["subscribed"]) == (False, True)
    assert changed["etag"] != made["etag"]
    late = await rest.call("PATCH", f"/v1/{made['name']}", {"path": "Other", "etag": made["etag"]})
    refused(late, 409, "ETAG_MISMATCH")


async def test_a_deleted_mailbox_takes_its_mail_along(
    rest: Rest, account: str, profile: str, watch: Any
) -> None:
    """With labels the mail stays."""
    made = await make(rest, account, "Gone")
    message = await deliver(rest, account, "one", mailbox=made["name"])
    watcher = await watch(rest, account)
    reply = await rest.call("DELETE", f"/v1/{made['name']}")
    assert reply.status == 200
    (told,) = await changes(watcher, "mailboxRemoved")
    assert told["mailboxRemoved"]["mailbox"] == made["name"]
    assert told["cause"] == {"kind": "API", "requestId": reply.headers["x-request-id"]}
    refused(await rest.call("GET", f"/v1/{made['name']}"), 404, "MAILBOX_NOT_FOUND")
    refused(await rest.call("DELETE", f"/v1/{made['name']}"), 404, "MAILBOX_NOT_FOUND")
    if profile == "GMAIL":
        assert await listed(rest, account, "all") == ["one"]
        assert (await changes(watcher, "mailboxesChanged"))[0]["mailboxesChanged"]["mailboxes"] == []
    else:
        (gone,) = await changes(watcher, "messageRemoved")
        assert gone["messageRemoved"]["message"] == message["name"]
        refused(await rest.call("GET", f"/v1/{message['name']}"), 404, "MESSAGE_NOT_FOUND")


async def test_what_cannot_be_names_the_field(rest: Rest, account: str) -> None:
    made = await make(rest, account, "Upper/Lower")
    upper = (await mailboxes(rest, account))["Upper"]["name"]
    inbox = await named(rest, account, "inbox")
    for path in ("", "a//b", "/a", "a/", " a", "a\tb", "a\x00b", "x" * 1_001):
        reply = await rest.call("POST", f"/v1/{account}/mailboxes", {"mailbox": {"path": path}})
        assert refused(reply, 400, "REQUEST_INVALID").fields == ["mailbox.path"], path
    for where, body, field in (
        (upper, {"path": "Upper/Lower/Inside"}, "mailbox.path"),
        (inbox, {"path": "Elsewhere"}, "mailbox.name"),
        (upper, {}, "updateMask"),
        (f"{upper}?updateMask=role", {"role": "sent"}, "updateMask"),
        (upper, {"path": "New", "displayName": "Old"}, "mailbox.displayName"),
        (upper, {"displayName": "a/b"}, "mailbox.displayName"),
    ):
        reply = await rest.call("PATCH", f"/v1/{where}", body)
        assert refused(reply, 400, "REQUEST_INVALID").fields == [field], body
    for where in (inbox, upper):
        reply = await rest.call("DELETE", f"/v1/{where}")
        assert refused(reply, 400, "REQUEST_INVALID").fields == ["name"]
    refused(await rest.call("PATCH", f"/v1/{upper}", {"path": "Drafts"}), 409, "MAILBOX_EXISTS")
    assert (await mailboxes(rest, account))["Upper/Lower"]["name"] == made["name"]


async def test_the_inbox_is_one_whatever_its_case(rest: Rest, account: str) -> None:
    """RFC 3501 section 5.1."""
    reply = await rest.call("POST", f"/v1/{account}/mailboxes", {"mailbox": {"path": "inbox"}})
    refused(reply, 409, "MAILBOX_EXISTS")
    made = await make(rest, account, "inbox/Inner")
    assert made["path"] == "INBOX/Inner"
