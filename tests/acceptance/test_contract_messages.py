"""Mailboxes, messages, searches and downloads, as contract.md has them, on a sandbox account and on a real IMAP server."""

from __future__ import annotations

import secrets
from typing import Any, Final

import psutil
import pytest

from tests.fixtures.dovecot import Dovecot
from tests.fixtures.eventually import eventually
from tests.fixtures.mail import imap_account, letter, message_id
from tests.fixtures.postroom import Up
from tests.fixtures.rest import Rest, refused
from tests.fixtures.rpc import Rpc

TEXT: Final = "Words of the body, to be found.\n"
FILE: Final = "hello world"
BIG_BYTES: Final = 25 * 1024 * 1024
MEGABYTE: Final = 1024 * 1024


async def send(rest: Rest, sender: str, to: str, subject: str, **fields: Any) -> None:
    composed = {"to": [{"address": to, "displayName": "Ben"}], "subject": subject, "text": TEXT, **fields}
    await rest.post(f"/v1/{sender}/submissions", {"submission": {"composed": composed}})


async def arrived(rest: Rest, account: str, count: int) -> list[dict[str, Any]]:
    """The inbox, newest first, once it holds `count` messages."""

    async def page() -> list[dict[str, Any]] | None:
        found = (await rest.get(f"/v1/{account}/mailboxes/inbox/messages")).get("messages", [])
        return found if len(found) >= count else None

    return await eventually(page, within=15.0) or []


@pytest.fixture
async def inbox(rest: Rest) -> tuple[str, str, list[dict[str, Any]]]:
    """(account, address of the sender, three messages: with an attachment, plain, plain; newest first)."""
    sender, account = await rest.account(sandbox={}), await rest.account(sandbox={})
    to = (await rest.get(f"/v1/{account}"))["account"]["email"]
    own = (await rest.get(f"/v1/{sender}"))["account"]["email"]
    await send(rest, sender, to, "Nr 1")
    await arrived(rest, account, 1)
    await send(rest, sender, to, "Nr 2 ü")
    await arrived(rest, account, 2)
    attachment = {"filename": "ä b.txt", "contentType": "text/plain", "content": "aGVsbG8gd29ybGQ="}
    await send(
        rest, sender, to, "Nr 3", attachments=[attachment], headers=[{"name": "X-Colour", "value": "red"}]
    )
    return account, own, await arrived(rest, account, 3)


async def test_mailboxes_are_found_by_id_and_by_role(rest: Rest, rpc: Rpc) -> None:
    account = await rest.account(sandbox={})
    listed = (await rest.get(f"/v1/{account}/mailboxes?withCounts=true"))["mailboxes"]
    assert {one["role"] for one in listed} >= {"inbox", "drafts", "sent", "trash", "junk", "archive"}
    for one in listed:
        ident = one["name"].removeprefix(f"{account}/mailboxes/")
        assert ident.startswith("m")
        assert one["messageCount"] == 0
        by_role = (await rest.get(f"/v1/{account}/mailboxes/{one['role']}"))["mailbox"]
        assert by_role["name"] == one["name"] == (await rest.get(f"/v1/{one['name']}"))["mailbox"]["name"]
    found = await rpc.refused("MailboxService/GetMailbox", name=f"{account}/mailboxes/important")
    assert (found.code, found.reason) == ("NOT_FOUND", "MAILBOX_NOT_FOUND")


@pytest.mark.parametrize(
    ("mailbox", "status", "reason"),
    [
        ("nope", 404, "MAILBOX_NOT_FOUND"),
        ("INBOX", 404, "MAILBOX_NOT_FOUND"),
        ("m1", 404, "MAILBOX_NOT_FOUND"),
        ("mAAAAAAAA", 404, "MAILBOX_NOT_FOUND"),
        ("-", 400, "REQUEST_INVALID"),
        ("m%0d%0aX", 400, "REQUEST_INVALID"),
        ("m%22", 400, "REQUEST_INVALID"),
        ("m" + "x" * 200, 400, "REQUEST_INVALID"),
    ],
)
async def test_a_mailbox_that_is_none_is_refused(mailbox: str, status: int, reason: str, rest: Rest) -> None:
    account = await rest.account(sandbox={})
    refused(await rest.call("GET", f"/v1/{account}/mailboxes/{mailbox}"), status, reason)
    refused(await rest.call("GET", f"/v1/{account}/mailboxes/{mailbox}/messages"), status, reason)


@pytest.mark.parametrize(
    "path",
    [
        "mailboxes",
        "mailboxes/inbox",
        "mailboxes/inbox/messages",
        "messages/AAAA",
        "submissions",
        "messages/AAAA/source",
    ],
)
async def test_all_accounts_are_no_account_where_one_is_needed(path: str, rest: Rest) -> None:
    refused(await rest.call("GET", f"/v1/accounts/-/{path}"), 400, "REQUEST_INVALID")
    refused(await rest.call("GET", f"/v1/accounts/nobody/{path}"), 404, "ACCOUNT_NOT_FOUND")


async def test_ids_of_another_account_are_unknown(rest: Rest, inbox: tuple[str, str, list[Any]]) -> None:
    account, _, messages = inbox
    other = await rest.account(sandbox={})
    mailbox = messages[0]["mailboxes"][0].replace(account, other)
    refused(await rest.call("GET", f"/v1/{mailbox}"), 404, "MAILBOX_NOT_FOUND")
    name = messages[0]["name"].replace(account, other)
    for suffix in ("", "/source", "/attachments/2/content"):
        refused(await rest.call("GET", f"/v1/{name}{suffix}"), 404, "MESSAGE_NOT_FOUND")
    for verb, fields in (("batchGet", {}), ("modify", {"addFlags": ["$seen"]})):
        reply = await rest.call("POST", f"/v1/{account}/messages:{verb}", {"names": [name], **fields})
        assert refused(reply, 400, "REQUEST_INVALID").fields == ["names[0]"]
    reply = await rest.call(
        "POST", f"/v1/{account}:searchMessages", {"mailboxes": [f"{other}/mailboxes/inbox"]}
    )
    assert refused(reply, 400, "REQUEST_INVALID").fields == ["mailboxes[0]"]


async def test_a_listing_shows_what_the_view_says_and_pages(
    rest: Rest, inbox: tuple[str, str, list[Any]]
) -> None:
    account, _, messages = inbox
    path = f"/v1/{account}/mailboxes/inbox/messages"
    assert [one["subject"] for one in messages] == ["Nr 3", "Nr 2 ü", "Nr 1"]
    assert not any(messages[0][key] for key in ("preview", "headers", "text", "html"))
    full = (await rest.get(f"{path}?view=FULL&pageSize=1"))["messages"][0]
    assert full["text"].replace("\r\n", "\n").startswith(TEXT.strip())
    assert full["preview"] == TEXT.strip()
    assert {"name": "x-colour", "value": "red"} in full["headers"]
    seen, token = [], ""
    while True:
        page = await rest.get(f"{path}?pageSize=1&pageToken={token}")
        seen += [one["name"] for one in page["messages"]]
        token = page["nextPageToken"]
        if not token:
            break
    assert seen == [one["name"] for one in messages]
    assert refused(await rest.call("GET", f"{path}?pageSize=-1"), 400, "REQUEST_INVALID").fields == [
        "pageSize"
    ]
    assert (await rest.call("GET", f"{path}?pageSize=1000000")).status == 200
    for query, reason in (
        ("view=SOME", "REQUEST_INVALID"),
        ("view=7", "REQUEST_INVALID"),
        ("pageToken=AAAA", "PAGE_TOKEN_INVALID"),
    ):
        refused(await rest.call("GET", f"{path}?{query}"), 400, reason)
    first = (await rest.get(f"{path}?pageSize=1"))["nextPageToken"]
    refused(
        await rest.call("GET", f"/v1/{account}/mailboxes/sent/messages?pageToken={first}"),
        400,
        "PAGE_TOKEN_INVALID",
    )


async def test_one_message_and_several(rest: Rest, inbox: tuple[str, str, list[Any]]) -> None:
    account, own, messages = inbox
    name = messages[0]["name"]
    found = (await rest.get(f"/v1/{name}"))["message"]
    assert found["from"] == [{"displayName": "", "address": own}]
    assert found["attachments"][0]["filename"] == "ä b.txt"
    assert (await rest.get(f"/v1/{name}?view=BASIC"))["message"]["text"] == ""
    cut = (await rest.get(f"/v1/{name}?textBudgetBytes=5"))["message"]
    assert (cut["text"], cut["textTruncated"]) == ("Words", True)
    assert refused(
        await rest.call("GET", f"/v1/{name}?textBudgetBytes=-1"), 400, "REQUEST_INVALID"
    ).fields == ["textBudgetBytes"]
    refused(await rest.call("GET", f"/v1/{account}/messages/AAAA"), 404, "MESSAGE_NOT_FOUND")
    batch = f"/v1/{account}/messages:batchGet"
    answer = await rest.post(batch, {"names": [name, f"{account}/messages/AAAA", messages[1]["name"]]})
    assert [one["name"] for one in answer["messages"]] == [name, messages[1]["name"]]
    assert answer["missing"] == [f"{account}/messages/AAAA"]
    for names, field in (([], "names"), (["x"], "names[0]"), ([name] * 1_001, "names")):
        assert refused(await rest.call("POST", batch, {"names": names}), 400, "REQUEST_INVALID").fields == [
            field
        ]


async def test_flags_change_message_by_message(rest: Rest, inbox: tuple[str, str, list[Any]]) -> None:
    account, _, messages = inbox
    names = [one["name"] for one in messages]
    path = f"/v1/{account}/messages:modify"
    gone = f"{account}/messages/AAAA"
    results = (
        await rest.post(path, {"names": [names[0], gone, names[1]], "addFlags": ["$seen", "my-word"]})
    )["results"]
    assert [one["name"] for one in results] == [names[0], gone, names[1]]
    assert results[1]["error"]["details"][0]["reason"] == "MESSAGE_NOT_FOUND"
    assert "error" not in results[0]
    assert set((await rest.get(f"/v1/{names[0]}"))["message"]["flags"]) == {"$seen", "my-word"}
    await rest.post(path, {"names": [names[0]], "removeFlags": ["my-word", "$flagged"]})
    assert (await rest.get(f"/v1/{names[0]}"))["message"]["flags"] == ["$seen"]
    for body, field in (
        ({}, "addFlags"),
        ({"names": names}, "addFlags"),
        ({"addFlags": ["$seen"]}, "names"),
        ({"names": names, "addFlags": ["a b"]}, "addFlags[0]"),
        ({"names": names, "addFlags": ["$seen", "a\r\nb"]}, "addFlags[1]"),
        ({"names": names, "addFlags": [""]}, "addFlags[0]"),
        ({"names": names, "removeFlags": ["x" * 200]}, "removeFlags[0]"),
        ({"names": names * 400, "addFlags": ["$seen"]}, "names"),
        ({"names": ["x"], "addFlags": ["$seen"]}, "names[0]"),
    ):
        assert refused(await rest.call("POST", path, body), 400, "REQUEST_INVALID").fields == [field], body


@pytest.mark.parametrize("kind", ["sandbox", "imap"])
async def test_each_condition_of_a_search_finds_what_it_says(
    kind: str, rest: Rest, inbox: tuple[str, str, list[Any]], dovecot: Dovecot, mail_user: str
) -> None:
    account, own, messages = inbox
    if kind == "imap":
        source = [await rest.call("GET", f"/v1/{one['name']}/source") for one in messages]
        for one in reversed(source):
            dovecot.deliver(mail_user, one.body)
        account = await rest.account(**imap_account(dovecot, mail_user))
        messages = await arrived(rest, account, 3)
    await rest.post(
        f"/v1/{account}/messages:modify", {"names": [messages[0]["name"]], "addFlags": ["$flagged"]}
    )
    mid = messages[1]["internetMessageId"]
    conditions: list[tuple[dict[str, Any], int]] = [
        ({"from": own}, 3), ({"to": "Ben"}, 3), ({"cc": "x"}, 0), ({"bcc": "x"}, 0), ({"subject": "nr 1"}, 1),
        ({"subject": "ü"}, 1), ({"body": "to be found"}, 3), ({"text": "Words of"}, 3), ({"text": "nowhere"}, 0),
        ({"header": {"name": "X-Colour", "value": "red"}}, 1), ({"header": {"name": "X-Colour"}}, 1),
        ({"hasFlag": "$flagged"}, 1), ({"notFlag": "$flagged"}, 2),
        ({"after": "2020-01-01T00:00:00Z"}, 3), ({"before": "2020-01-01T00:00:00Z"}, 0),
        ({"sentAfter": "2020-01-01T00:00:00Z"}, 3), ({"sentBefore": "2020-01-01T00:00:00Z"}, 0),
        ({"minSize": 1}, 3), ({"maxSize": 1}, 0), ({"hasAttachment": True}, 1), ({"hasAttachment": False}, 2),
        ({"threadId": messages[2]["threadId"]}, 1), ({"internetMessageId": mid}, 1), ({"internetMessageId": f"<{mid}>"}, 1),
        ({"subject": "Nr", "hasFlag": "$flagged"}, 1), ({}, 3),
    ]  # fmt: skip
    able = (await rest.get(f"/v1/{account}"))["account"]["capabilities"]["search"]
    for condition, count in conditions:
        body = {"mailboxes": ["inbox"], "filter": {"condition": condition}}
        reply = await rest.call("POST", f"/v1/{account}:searchMessages", body)
        if condition.keys() - able.keys():
            refused(reply, 400, "CAPABILITY_MISSING")
            continue
        answer = reply.ok()
        assert len(answer["messages"]) == count, condition
        told = {one["condition"].rpartition(".")[2] for one in answer["coverage"]}
        assert told == set(condition), condition
        assert all(one["complete"] for one in answer["coverage"]), condition


async def test_a_search_refuses_what_it_cannot_ask(rest: Rest) -> None:
    account = await rest.account(sandbox={})
    path = f"/v1/{account}:searchMessages"
    deep: dict[str, Any] = {"condition": {"subject": "x"}}
    for _ in range(30):
        deep = {"operator": "NOT", "filters": [deep]}
    for given, field in (
        ({"condition": {"subject": "a\r\nb"}}, "filter.condition.subject"),
        ({"condition": {"subject": "x" * 5_000}}, "filter.condition.subject"),
        ({"condition": {"header": {"name": "a b"}}}, "filter.condition.header.name"),
        ({"condition": {"hasFlag": "a b"}}, "filter.condition.hasFlag"),
        ({"condition": {"minSize": -1}}, "filter.condition.minSize"),
        ({"condition": {"uid": "5:1"}}, "filter.condition.uid"),
        ({"condition": {"uid": "x"}}, "filter.condition.uid"),
        ({"operator": "AND"}, "filter.filters"),
        (
            {"operator": "OR", "filters": [{"condition": {"subjct": "x"}}]},
            "filter.filters[0].condition.subjct",
        ),
        ({"operator": "OR", "filters": [{"condition": {"subject": "x"}}] * 1_000}, None),
        (deep, None),
    ):
        reply = refused(
            await rest.call("POST", path, {"mailboxes": ["inbox"], "filter": given}), 400, "REQUEST_INVALID"
        )
        assert field is None or reply.fields == [field]
    for body in (
        {"mailboxes": ["Inbox"]},
        {"mailboxes": ["inbox"], "pageSize": -1},
        {"mailboxes": ["inbox"], "accounts": [account]},
    ):
        refused(await rest.call("POST", path, body), 400, "REQUEST_INVALID")
    body = {"mailboxes": ["inbox"], "filter": {"condition": {"rawQuery": "ALL"}}}
    refused(await rest.call("POST", path, body), 400, "CAPABILITY_MISSING")
    refused(
        await rest.call("POST", "/v1/accounts/nobody:searchMessages", {"mailboxes": ["inbox"]}),
        404,
        "ACCOUNT_NOT_FOUND",
    )


async def test_downloads_answer_ranges_and_conditions(
    rest: Rest, rpc: Rpc, inbox: tuple[str, str, list[Any]]
) -> None:
    name = (await rest.get(f"/v1/{inbox[2][0]['name']}"))["message"]["attachments"][0]["name"]
    path = f"/v1/{name}/content"
    whole = await rest.call("GET", path)
    assert (whole.status, whole.body.decode(), whole.headers["content-length"]) == (200, FILE, str(len(FILE)))
    assert whole.headers["content-disposition"].startswith("attachment;")
    assert whole.headers["x-content-type-options"] == "nosniff"
    tag = whole.headers["etag"]
    for headers, status, body in (
        ({"range": "bytes=0-4"}, 206, "hello"), ({"range": "bytes=-5"}, 206, "world"), ({"range": "bytes=6-"}, 206, "world"),
        ({"range": "bytes=6-900"}, 206, "world"), ({"range": "bytes=900-"}, 416, ""), ({"range": "bytes=-0"}, 416, ""),
        ({"range": "bytes=5-2"}, 200, FILE), ({"range": "bytes=0-1,3-4"}, 200, FILE), ({"range": "lines=1-2"}, 200, FILE),
        ({"if-none-match": tag}, 304, ""), ({"if-none-match": f'"x", W/{tag}'}, 304, ""), ({"if-none-match": "*"}, 304, ""),
        ({"if-none-match": '"x"'}, 200, FILE), ({"range": "bytes=0-4", "if-range": tag}, 206, "hello"),
        ({"range": "bytes=0-4", "if-range": '"x"'}, 200, FILE),
    ):  # fmt: skip
        reply = await rest.call("GET", path, headers=headers)
        assert (reply.status, reply.body.decode()) == (status, body), headers
    assert (await rest.call("GET", f"{path}?offset=6&length=3")).body == b"wor"
    assert (await rest.call("GET", f"{path}?offset=900")).body == b""
    for query in ("offset=-1", "length=-1"):
        refused(await rest.call("GET", f"{path}?{query}"), 400, "REQUEST_INVALID")
    refused(
        await rest.call("GET", f"{path.replace('attachments/', 'attachments/9')}"),
        404,
        "ATTACHMENT_NOT_FOUND",
    )
    piece = await rpc.call("MessageService/DownloadAttachment", name=name, offset=6, length=5)
    assert piece.body.data == b"world"


async def test_a_large_source_streams_in_constant_memory(
    rest: Rest, postroom: Up, dovecot: Dovecot, mail_user: str
) -> None:
    mid = message_id()
    line = secrets.token_hex(38) + "\r\n"
    text = line * (BIG_BYTES // len(line))
    dovecot.deliver(mail_user, letter(mid, to=mail_user, text=text))
    account = await rest.account(**imap_account(dovecot, mail_user))
    name = (await arrived(rest, account, 1))[0]["name"]
    node = psutil.Process(postroom.pid("node"))
    before, tail, size, most = node.memory_info().rss, b"", 0, 0
    async with rest.session.get(f"{rest.url}/v1/{name}/source", headers=rest.headers()) as answer:
        assert answer.status == 200
        async for chunk in answer.content.iter_chunked(MEGABYTE):
            tail = (tail + chunk)[-MEGABYTE:]
            size += len(chunk)
            most = max(most, node.memory_info().rss)
        assert size == int(answer.headers["content-length"])
    assert size > BIG_BYTES
    assert text.encode()[-1_000:] in tail
    assert most - before < 16 * MEGABYTE
