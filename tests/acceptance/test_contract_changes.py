"""The feed's contract as a caller meets it: starts, filters, cursors, bounds, and how a stream ends."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from tests.fixtures.rest import NDJSON, SSE, Rest, lines, refused
from tests.fixtures.rpc import Rpc

REVOKED_WITHIN: Final = 5.0
"""Seconds from the end of a token to the end of its streams."""


async def feed(rest: Rest, account: str, query: str = "from=EARLIEST") -> dict[str, Any]:
    found: dict[str, Any] = await rest.get(f"/v1/{account}/changes?{query}")
    return found


def kinds(page: dict[str, Any]) -> list[str]:
    """The fact of each change, by its JSON name."""
    beside = {"cursor", "account", "sequence", "changeId", "detectTime", "cause"}
    return [next(iter(change.keys() - beside)) for change in page["changes"]]


@pytest.fixture
async def account(rest: Rest) -> str:
    """A sandbox account with one message that arrived and was flagged."""
    name = await rest.account(sandbox={})
    email = (await rest.get(f"/v1/{name}"))["account"]["email"]
    composed = {"to": [{"address": email}], "subject": "s", "text": "t"}
    await rest.post(f"/v1/{name}/submissions", {"submission": {"composed": composed}})
    page = await feed(rest, name, "from=EARLIEST&kinds=MESSAGE_ADDED&mailboxes=inbox&wait=10s")
    message = next(one for one in page["changes"] if "messageAdded" in one)["messageAdded"]["message"]["name"]
    await rest.post(f"/v1/{name}/messages:modify", {"names": [message], "addFlags": ["$seen"]})
    seen = await feed(rest, name, "from=EARLIEST&kinds=FLAGS_CHANGED&wait=10s")
    assert seen["changes"][0]["cause"]["kind"] == "API"
    return name


async def test_a_page_goes_on_from_the_one_before(rest: Rest, account: str) -> None:
    whole = await feed(rest, account)
    pieces: list[dict[str, Any]] = []
    query = "from=EARLIEST"
    while True:
        page = await feed(rest, account, f"{query}&maxChanges=2")
        assert len(page["changes"]) <= 2
        if not page["changes"]:
            break
        pieces += page["changes"]
        query = f"cursor={page['cursor']}"
    assert [one["changeId"] for one in pieces] == [one["changeId"] for one in whole["changes"]]
    assert [int(one["sequence"]) for one in pieces] == list(range(1, len(pieces) + 1))
    for change in whole["changes"]:
        rest_of = await feed(rest, account, f"cursor={change['cursor']}")
        assert len(rest_of["changes"]) == len(pieces) - int(change["sequence"])
    assert (await feed(rest, account, ""))["changes"] == []


async def test_filters_choose_kinds_and_mailboxes(rest: Rest, account: str) -> None:
    assert kinds(await feed(rest, account, "from=EARLIEST&kinds=FLAGS_CHANGED")) == ["flagsChanged"]
    both = await feed(rest, account, "from=EARLIEST&kinds=FLAGS_CHANGED&kinds=ACCOUNT_ADDED")
    assert kinds(both) == ["accountAdded", "flagsChanged"]
    inbox = (await rest.get(f"/v1/{account}/mailboxes/inbox"))["mailbox"]["name"]
    query = "from=EARLIEST&kinds=MESSAGE_ADDED"
    by_name = await feed(rest, account, f"{query}&mailboxes={inbox}")
    assert [one["messageAdded"]["message"]["mailboxes"] for one in by_name["changes"]] == [[inbox]]
    for role in ("inbox", f"{account}/mailboxes/inbox"):
        assert (await feed(rest, account, f"{query}&mailboxes={role}"))["changes"] == by_name["changes"]
    assert (await feed(rest, account, f"{query}&mailboxes=drafts"))["changes"] == []
    reply = await rest.call("GET", f"/v1/{account}/changes?mailboxes=important")
    refused(reply, 404, "MAILBOX_NOT_FOUND")


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("maxChanges=-1", ["maxChanges"]),
        ("wait=-1s", ["wait"]),
        ("partition.count=-1", ["partition"]),
        ("kinds=KIND_UNSPECIFIED", ["kinds[0]"]),
        ("kinds=NOPE", []),
        ("from=SOMEWHERE", []),
        ("from=7", []),
        ("fromTime=yesterday", []),
        ("wait=soon", []),
        ("heartbeatInterval=5s", []),
        ("cursor=x&from=EARLIEST", []),
        ("mailboxes=accounts/other/mailboxes/inbox", ["mailboxes[0]"]),
        ("mailboxes=INBOX%0d%0a", ["mailboxes[0]"]),
    ],
)
async def test_a_list_that_cannot_be_is_refused(query: str, fields: list[str], rest: Rest) -> None:
    account = await rest.account(sandbox={})
    assert (
        refused(await rest.call("GET", f"/v1/{account}/changes?{query}"), 400, "REQUEST_INVALID").fields
        == fields
    )


@pytest.mark.parametrize(
    "query", ["heartbeatInterval=4s", "heartbeatInterval=61s", "heartbeatInterval=-5s", "maxChanges=1"]
)
async def test_a_watch_out_of_bounds_is_refused_before_it_begins(query: str, rest: Rest) -> None:
    account = await rest.account(sandbox={})
    refused(await rest.call("GET", f"/v1/{account}/changes:watch?{query}"), 400, "REQUEST_INVALID")


async def test_a_feed_of_nobody_is_not_found(rest: Rest, rpc: Rpc) -> None:
    for path in ("changes", "changes:watch"):
        refused(await rest.call("GET", f"/v1/accounts/nobody/{path}"), 404, "ACCOUNT_NOT_FOUND")
    found = await rpc.refused("ChangeService/WatchChanges", parent="accounts/nobody")
    assert (found.code, found.reason) == ("NOT_FOUND", "ACCOUNT_NOT_FOUND")


async def test_cursors_that_are_not_of_this_feed_are_told_apart(rest: Rest, rpc: Rpc, account: str) -> None:
    other = await rest.account(sandbox={})
    own = (await feed(rest, account))["cursor"]
    foreign = (await feed(rest, other))["cursor"]
    all_of_them = (await feed(rest, "accounts/-", "maxChanges=1"))["cursor"]
    changed = own[:-3] + ("AAA" if own[-3:] != "AAA" else "BBB")
    for place, cursor, reason in (
        (account, "x", "CURSOR_MALFORMED"),
        (account, "A" * 9_000, "CURSOR_MALFORMED"),
        (account, changed, "CURSOR_MALFORMED"),
        (account, foreign, "CURSOR_FOREIGN"),
        (account, all_of_them, "CURSOR_FOREIGN"),
        ("accounts/-", own, "CURSOR_FOREIGN"),
    ):
        for path in ("changes", "changes:watch"):
            refused(await rest.call("GET", f"/v1/{place}/{path}?cursor={cursor}"), 400, reason)
        found = await rpc.refused("ChangeService/ListChanges", parent=place, cursor=cursor)
        assert (found.code, found.reason) == ("INVALID_ARGUMENT", reason)


async def test_a_list_waits_for_the_first_change_and_no_longer(rest: Rest, account: str) -> None:
    cursor = (await feed(rest, account, ""))["cursor"]
    began = time.monotonic()
    assert (await feed(rest, account, f"cursor={cursor}&wait=0.3s"))["changes"] == []
    assert time.monotonic() - began >= 0.3
    waiting = asyncio.create_task(feed(rest, account, f"cursor={cursor}&wait=20s"))
    (await rest.call("POST", f"/v1/{account}:pause", {})).ok()
    page = await asyncio.wait_for(waiting, 10.0)
    assert kinds(page) == ["accountStateChanged"]
    assert page["changes"][0]["accountStateChanged"]["state"] == "PAUSED"


@pytest.mark.parametrize("accept", [NDJSON, SSE])
async def test_a_quiet_stream_is_told_that_nothing_was_missed(accept: str, rest: Rest) -> None:
    account = await rest.account(sandbox={})
    path = f"{rest.url}/v1/{account}/changes:watch?heartbeatInterval=5s"
    times: list[float] = []
    async with rest.session.get(path, headers={**rest.headers(), "accept": accept}) as answer:
        assert answer.headers["content-type"].startswith(accept)
        async for line in lines(answer.content):
            times.append(time.monotonic())
            frame = json.loads(line.removeprefix(b"data: "))
            assert frame["cursor"]
            assert frame["checkpoint"]["headCursor"] == frame["cursor"]
            if len(times) == 2:
                break
    assert times[1] - times[0] <= 5.5


async def until_end(
    rest: Rest, account: str, secret: str, opened: asyncio.Semaphore | None = None
) -> tuple[dict[str, Any], float]:
    """The end frame of a stream that was opened with `secret`, and when it came; `opened` is released at the first frame."""
    headers = {"authorization": f"Bearer {secret}"}
    path = f"{rest.url}/v1/{account}/changes:watch"
    async with rest.session.get(path, headers=headers) as answer:
        assert answer.status == 200
        frame: dict[str, Any] = {}
        async for line in lines(answer.content):
            if opened is not None and not frame:
                opened.release()
            frame = json.loads(line)
    return frame["end"], time.monotonic()


async def test_a_revoked_token_ends_its_streams(rest: Rest) -> None:
    account = await rest.account(sandbox={})
    made = await rest.post("/v1/tokens", {"token": {"scopes": ["changes.read"], "accounts": [account]}})
    opened = asyncio.Semaphore(0)
    reading = [asyncio.create_task(until_end(rest, account, made["secret"], opened)) for _ in range(3)]
    for _ in reading:
        await asyncio.wait_for(opened.acquire(), 10.0)
    (await rest.call("DELETE", f"/v1/{made['token']['name']}")).ok()
    revoked = time.monotonic()
    refused(await rest.call("GET", f"/v1/{account}/changes", token=made["secret"]), 401, "TOKEN_INVALID")
    for end, at in await asyncio.wait_for(asyncio.gather(*reading), 2 * REVOKED_WITHIN):
        assert end["reason"] == "TOKEN_REVOKED"
        assert at - revoked <= REVOKED_WITHIN


async def test_an_expired_token_ends_its_streams(rest: Rest) -> None:
    account = await rest.account(sandbox={})
    expires = datetime.now(UTC) + timedelta(seconds=2)
    body = {"scopes": ["changes.read"], "expireTime": expires.isoformat().replace("+00:00", "Z")}
    secret = (await rest.post("/v1/tokens", {"token": body}))["secret"]
    end, _ = await asyncio.wait_for(until_end(rest, account, secret), 3 * REVOKED_WITHIN)
    assert end["reason"] == "TOKEN_REVOKED"
    assert timedelta(0) <= datetime.now(UTC) - expires <= timedelta(seconds=REVOKED_WITHIN)
    refused(await rest.call("GET", f"/v1/{account}/changes", token=secret), 401, "TOKEN_INVALID")


async def test_the_last_change_of_an_account_is_its_removal(rest: Rest) -> None:
    account = await rest.account(sandbox={})
    everything = (await feed(rest, "accounts/-", ""))["cursor"]
    secret = (await rest.post("/v1/tokens", {"token": {"scopes": ["changes.read"]}}))["secret"]
    opened = asyncio.Semaphore(0)
    reading = asyncio.create_task(until_end(rest, account, secret, opened))
    await asyncio.wait_for(opened.acquire(), 10.0)
    (await rest.call("DELETE", f"/v1/{account}")).ok()
    end, _ = await asyncio.wait_for(reading, 10.0)
    assert end["reason"] == "ACCOUNT_REMOVED"
    page = await feed(rest, "accounts/-", f"cursor={everything}&kinds=ACCOUNT_REMOVED&wait=10s")
    assert account in [one["account"] for one in page["changes"]]
