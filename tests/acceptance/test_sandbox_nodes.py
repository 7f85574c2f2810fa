"""Sandbox accounts over several nodes: every call on every node, a node that is killed amid moves, faults seen by all."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import aiohttp
import pytest

from tests.fixtures.eventually import eventually
from tests.fixtures.postroom import Up
from tests.fixtures.rest import Rest
from tests.fixtures.rpc import Rpc, channel_to
from tests.fixtures.sandboxes import LASTING, PROFILES, changes, deliver, named, raw_letter

LETTERS = 40
GIVE_UP_AFTER = 40.0


@pytest.fixture
def two_nodes() -> Any:
    up = Up("--nodes", "2")
    try:
        up.start()
        yield up
    finally:
        up.close()


async def test_every_call_works_on_every_node(web: aiohttp.ClientSession, two_nodes: Up) -> None:
    rest = Rest(web, two_nodes.url, two_nodes.token)
    account = await rest.account(sandbox={"profile": "GRAPH"})
    raw = raw_letter("large") + b"x" * 500_000
    for turn, node in enumerate(two_nodes.up["nodes"]):
        async with channel_to(node["address"]) as channel:
            rpc = Rpc(channel, two_nodes.token)
            came = await rpc.call("SandboxService/DeliverMessage", name=account, raw=raw_letter(f"m{turn}"))
            made = await rpc.call(
                "MailboxService/CreateMailbox", parent=account, mailbox={"path": f"Box {turn}"}
            )
            moved = await rpc.call(
                "MessageService/MoveMessages",
                parent=account,
                names=[came.message.name],
                destination=made.mailbox.name,
            )
            assert [one.result for one in moved.results] == [came.message.name]
            filed = await rpc.upload(
                "MessageService/UploadMessage",
                [
                    rpc.request("MessageService/UploadMessage", parent=made.mailbox.name),
                    rpc.request("MessageService/UploadMessage", content={"data": raw}),
                ],
            )
            assert filed.message.mailboxes == [made.mailbox.name]
            assert (await rest.call("GET", f"/v1/{filed.message.name}/source")).body == raw
            await rpc.call("SandboxService/InjectFault", name=account, expire_cursors={})
            await rpc.call("SandboxService/InjectFault", name=account, offline={})
            await rest.state(account, "UNREACHABLE", within=30.0)
            await rpc.call("SandboxService/ClearFaults", name=account)
            await rest.state(account, "CONNECTED", within=30.0)


@pytest.mark.chaos
@pytest.mark.timeout(150)
@pytest.mark.parametrize("profile", PROFILES)
async def test_a_node_that_dies_amid_moves_loses_and_doubles_nothing(
    profile: str, web: aiohttp.ClientSession, watch: Any
) -> None:
    """What a killed node did not tell is told by the next: each message is in one mailbox, and the feed leads there."""
    up = Up()
    try:
        up.start()
        rest = Rest(web, up.url, up.token)
        account = await rest.account(sandbox={"profile": profile})
        watcher = await watch(rest, account)
        for turn in range(LETTERS):
            await deliver(rest, account, f"m{turn}")
        names = [
            one["messageAdded"]["message"]["name"]
            for one in await changes(watcher, "messageAdded", count=LETTERS)
        ]
        moving = asyncio.create_task(move_all(rest, account, names))
        await eventually(lambda: len(moved_ones(watcher)) >= LETTERS // 4, within=GIVE_UP_AFTER)
        old = up.kill("node")
        await asyncio.to_thread(up.wait_replaced, "node", old)
        await moving
        await settle(rest, account)
        truth = {box: set(await whole(rest, account, box)) for box in ("inbox", "junk")}
        assert truth["inbox"] == set()
        assert truth["junk"] == {f"m{turn}" for turn in range(LETTERS)}
        junk = await named(rest, account, "junk")

        async def led_there() -> bool:
            return replayed(watcher) == {name: {junk} for name in truth["junk"]}

        await eventually(led_there, within=GIVE_UP_AFTER)
        if profile in LASTING:
            assert len(watcher.added()) == len(set(watcher.added())) == LETTERS
    finally:
        up.close()


async def move_all(rest: Rest, account: str, names: list[str]) -> None:
    """Moves one by one, each asked again until it is answered."""
    for name in names:
        for _ in range(200):
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                reply = await rest.call(
                    "POST", f"/v1/{account}/messages:move", {"names": [name], "to": "junk"}
                )
                if reply.status == 200:
                    break
            await asyncio.sleep(0.1)


async def settle(rest: Rest, account: str) -> None:
    """Returns when the account is connected again."""

    async def connected() -> bool:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError, AssertionError):
            await rest.state(account, "CONNECTED", within=1.0)
            return True
        return False

    await eventually(connected, within=GIVE_UP_AFTER)


async def whole(rest: Rest, account: str, mailbox: str) -> list[str]:
    found = await rest.get(f"/v1/{account}/mailboxes/{mailbox}/messages?pageSize=1000")
    return [one["internetMessageId"].partition("@")[0] for one in found.get("messages", [])]


def moved_ones(watcher: Any) -> list[Any]:
    return [*watcher.of("messageMoved"), *watcher.of("messageRemoved"), *watcher.of("mailboxesChanged")]


def replayed(watcher: Any) -> dict[str, set[str]]:
    """Mailboxes of each message, by the changes alone; every step has to fit what was before."""
    where: dict[str, set[str]] = {}
    called: dict[str, str] = {}
    for change in (one["change"] for one in watcher.frames if "change" in one):
        if "messageAdded" in change:
            message = change["messageAdded"]["message"]
            assert message["name"] not in where, "added twice"
            where[message["name"]] = set(message["mailboxes"])
            called[message["name"]] = message["internetMessageId"].partition("@")[0]
        elif "messageMoved" in change:
            fact = change["messageMoved"]
            assert fact["from"] in where[fact["message"]], "moved from where it was not"
            where[fact["message"]] = where[fact["message"]] - {fact["from"]} | {fact["to"]}
        elif "mailboxesChanged" in change:
            where[change["mailboxesChanged"]["message"]] = set(change["mailboxesChanged"]["mailboxes"])
        elif "messageRemoved" in change:
            del where[change["messageRemoved"]["message"]]
    return {called[name]: boxes for name, boxes in where.items()}
