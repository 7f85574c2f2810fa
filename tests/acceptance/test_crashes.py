"""A part is killed amid five hundred mails: every mail comes exactly once to every reader, and soon after the part is back.

Nobody lends a hand: the supervisor restarts the part, readers reconnect from their last cursor. Faults F13, F18 and F23 of
the failure model.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp
import pytest

from tests.fixtures.checker import check
from tests.fixtures.dovecot import Dovecot
from tests.fixtures.eventually import eventually
from tests.fixtures.mail import Postman, imap_account, postman
from tests.fixtures.postroom import Up
from tests.fixtures.rest import NDJSON, SSE, Rest

MAILS = 500
KILL_AFTER = 150
CAUGHT_UP_WITHIN = 3.0
GIVE_UP_AFTER = 40.0
IN_FLIGHT = 4


def deliver_all(post: Postman) -> float:
    """Delivers the mails and tells when the last one was handed over."""
    for number in range(MAILS):
        post.deliver(f"Letter {number}")
    return time.monotonic()


@pytest.mark.chaos
@pytest.mark.timeout(150)
@pytest.mark.parametrize("part", ["node", "gateway", "valkey"])
async def test_no_mail_is_lost_or_doubled_when_a_part_is_killed(
    part: str,
    own_postroom: Up,
    web: aiohttp.ClientSession,
    watch: Any,
    read: Any,
    dovecot: Dovecot,
    mail_user: str,
) -> None:
    rest = Rest(web, own_postroom.url, own_postroom.token)
    account = await rest.account(**imap_account(dovecot, mail_user))
    watchers = [await watch(rest, account, NDJSON), await watch(rest, "accounts/-", SSE)]
    python = await read(own_postroom, account)
    with postman(dovecot, mail_user) as post:
        delivery = asyncio.create_task(asyncio.to_thread(deliver_all, post))
        await eventually(lambda: len(post.delivered) >= KILL_AFTER, within=GIVE_UP_AFTER)
        old = own_postroom.kill(part)
        await asyncio.to_thread(own_postroom.wait_replaced, part, old)
        back = time.monotonic()
        last = max(back, await delivery)
    readers = [*watchers, python]
    for reader in readers:
        await eventually(lambda reader=reader: len(reader.added()) >= MAILS, within=GIVE_UP_AFTER)
    inbox = (await rest.get(f"/v1/{account}/mailboxes/inbox"))["mailbox"]["name"]
    truth = {inbox: dict.fromkeys(post.delivered, frozenset[str]())}
    for watcher in watchers:
        report = check([one for one in watcher.frames if concerns(one, account)], truth)
        assert report.ok, str(report)
        assert report.resets == []
    assert python.added() == watchers[0].added()
    late = max(reader.times[-1] for reader in readers) - last
    assert late <= CAUGHT_UP_WITHIN, (
        f"caught up {late:.1f} s after the part was back and the last mail delivered"
    )


def concerns(frame: dict[str, Any], account: str) -> bool:
    """Whether a frame of the stream of all accounts is about this one."""
    return "reset" in frame or frame.get("change", {}).get("account") == account


@pytest.mark.chaos
async def test_an_accepted_submission_survives_the_death_of_every_process(
    own_postroom: Up, web: aiohttp.ClientSession
) -> None:
    """Accepted is sent once or, where the crash cut the committing step, shown as in doubt: never lost, never twice."""
    rest = Rest(web, own_postroom.url, own_postroom.token)
    sender, receiver = await rest.account(sandbox={}), await rest.account(sandbox={})
    to = (await rest.get(f"/v1/{receiver}"))["account"]["email"]
    composed = {"to": [{"address": to}], "subject": "Survivor", "text": "Still here."}
    names = [
        (
            await rest.post(
                f"/v1/{sender}/submissions", {"requestId": f"s{n}", "submission": {"composed": composed}}
            )
        )["submission"]["name"]
        for n in range(20)
    ]
    own_postroom.kill("supervisor")
    await eventually(lambda: own_postroom.processes() == [], within=5.0)
    own_postroom.start()

    async def settled() -> dict[str, str]:
        found = {name: (await rest.get(f"/v1/{name}"))["submission"] for name in names}
        states = {one["internetMessageId"]: one["state"] for one in found.values()}
        assert set(states.values()) <= {"RELAYED", "IN_DOUBT"}, states
        return states

    states = await eventually(settled, within=GIVE_UP_AFTER)
    assert len(states) == len(names)
    relayed = {mid for mid, state in states.items() if state == "RELAYED"}
    assert len(states) - len(relayed) <= IN_FLIGHT

    async def received() -> bool:
        listed = await rest.get(f"/v1/{receiver}/mailboxes/inbox/messages?pageSize=100")
        found = [row["internetMessageId"] for row in listed["messages"]]
        assert len(found) == len(set(found))
        assert relayed <= set(found) <= set(states)
        return True

    await eventually(received, within=GIVE_UP_AFTER)
