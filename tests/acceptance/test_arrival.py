"""Mail that arrives at the provider appears once at every kind of reader, and what is read agrees with the provider."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.fixtures.checker import check
from tests.fixtures.dovecot import Dovecot
from tests.fixtures.eventually import eventually
from tests.fixtures.mail import imap_account, letter, message_id, postman
from tests.fixtures.postroom import Up
from tests.fixtures.rest import NDJSON, SSE, Rest

ARRIVES_WITHIN = 5.0
SETTLES_WITHIN = 10.0


async def test_a_mail_appears_once_at_the_python_client_as_ndjson_and_as_sse(
    postroom: Up, rest: Rest, watch: Any, read: Any, dovecot: Dovecot, mail_user: str
) -> None:
    account = await rest.account(**imap_account(dovecot, mail_user))
    readers = [
        await watch(rest, account, NDJSON),
        await watch(rest, account, SSE),
        await read(postroom, account),
    ]
    with postman(dovecot, mail_user) as post:
        for number in range(5):
            await asyncio.to_thread(post.deliver, f"Letter {number}")
    for reader in readers:
        await eventually(lambda reader=reader: len(reader.added()) >= 5, within=ARRIVES_WITHIN)
        assert reader.added() == post.delivered


async def test_the_feed_applied_in_order_gives_what_the_provider_holds(
    rest: Rest, watch: Any, dovecot: Dovecot, mail_user: str
) -> None:
    """Feed promise F4, over arrivals, flags, a move and an expunge by another client."""
    dovecot.create(mail_user, "Archive")
    account = await rest.account(**imap_account(dovecot, mail_user))
    watcher = await watch(rest, account)
    kept, moved, gone = message_id(), message_id(), message_id()
    uids = [dovecot.append(mail_user, letter(one, to=mail_user)) for one in (kept, moved, gone)]
    await eventually(lambda: len(watcher.added()) == 3, within=SETTLES_WITHIN)
    dovecot.store(mail_user, uids[:1], r"+FLAGS (\Seen \Flagged)")
    dovecot.move(mail_user, uids[1:2], "Archive")
    dovecot.expunge(mail_user, uids[2:])
    boxes = {row["path"]: row["name"] for row in (await rest.get(f"/v1/{account}/mailboxes"))["mailboxes"]}
    truth = {
        boxes["INBOX"]: {kept: frozenset({"$seen", "$flagged"})},
        boxes["Archive"]: {moved: frozenset[str]()},
    }

    def agrees() -> bool:
        report = check(watcher.frames, truth)
        assert report.ok, str(report)
        return True

    await eventually(agrees, within=30.0)


async def test_a_reader_that_comes_back_with_its_cursor_misses_nothing_and_sees_nothing_twice(
    rest: Rest, watch: Any, dovecot: Dovecot, mail_user: str
) -> None:
    """Feed promise F12, with a reader that stops between two mails."""
    account = await rest.account(**imap_account(dovecot, mail_user))
    first = await watch(rest, account)
    with postman(dovecot, mail_user) as post:
        early = post.deliver()
        await eventually(lambda: first.added() == [early], within=ARRIVES_WITHIN)
        cursor = first.of("messageAdded")[0]["cursor"]
        late = [post.deliver() for _ in range(3)]
    found: list[str] = []

    async def caught_up() -> bool:
        nonlocal cursor
        page = await rest.get(f"/v1/{account}/changes?cursor={cursor}&kinds=MESSAGE_ADDED&wait=2s")
        found.extend(one["messageAdded"]["message"]["internetMessageId"] for one in page.get("changes", []))
        cursor = page["cursor"]
        return len(found) >= len(late)

    await eventually(caught_up, within=SETTLES_WITHIN)
    assert found == late


async def test_what_a_change_names_can_be_read_at_once(
    rest: Rest, watch: Any, dovecot: Dovecot, mail_user: str
) -> None:
    account = await rest.account(**imap_account(dovecot, mail_user))
    watcher = await watch(rest, account)
    with postman(dovecot, mail_user) as post:
        post.deliver("To be read")
    change = await eventually(lambda: watcher.of("messageAdded"), within=ARRIVES_WITHIN)
    name = change[0]["messageAdded"]["message"]["name"]
    message = (await rest.get(f"/v1/{name}?view=FULL"))["message"]
    assert message["text"].strip() == "Hello."
    source = await rest.call("GET", f"/v1/{name}/source")
    assert source.status == 200
    assert post.delivered[0].encode() in source.body


async def test_an_account_is_answered_at_once_and_calls_wait_until_it_is_ready(
    rest: Rest, dovecot: Dovecot, mail_user: str
) -> None:
    with postman(dovecot, mail_user) as post:
        post.deliver()
    began = time.monotonic()
    ident = mail_user.partition("@")[0]
    made = await rest.post("/v1/accounts", {"accountId": ident, "account": imap_account(dovecot, mail_user)})
    assert time.monotonic() - began < 2.0
    assert made["account"]["state"] == "CONNECTING"
    listed = await rest.get(f"/v1/accounts/{ident}/mailboxes/inbox/messages")
    assert [row["internetMessageId"] for row in listed["messages"]] == post.delivered
