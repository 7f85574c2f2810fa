"""Accounts on a real Dovecot: what cannot be reached says why, what changed is told once, what did not is not told."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from dataclasses import replace

import pytest
from google.protobuf.json_format import MessageToDict
from postroom_server.domain.accounts import Kind, MailServer, Security, State
from postroom_server.ids import AccountId

from tests.fixtures.checker import check
from tests.fixtures.dovecot import PASSWORD, Dovecot, free_ports
from tests.fixtures.eventually import eventually
from tests.fixtures.live import LiveNode, all_backends, make_node
from tests.fixtures.mail import letter, message_id, postman

ANN = AccountId("ann")
MESSAGE_KINDS = {"message_added", "message_removed", "flags_changed"}
OLD, BURST = 2_000, 3_000


async def add(node: LiveNode, dovecot: Dovecot, user: str, name: str = "ann", **changes: object) -> None:
    """Registers an account of the server; `port`, `security` and `password` replace what is right."""
    port = changes.pop("port", dovecot.imap_port)
    security = changes.pop("security", Security.NONE)
    password = changes.pop("password", PASSWORD)
    imap = MailServer(host="127.0.0.1", port=port, security=security, username=user)
    await node.add(name, kind=Kind.IMAP, imap=imap, secrets={"imap.password": password}, **changes)


async def of_kind(node: LiveNode, kind: str, name: str = "ann") -> list:
    return [getattr(change, kind) for change in await node.changes(name) if change.HasField(kind)]


async def comes(node: LiveNode, kind: str, count: int = 1, *, within: float = 10) -> list:
    async def there() -> list | None:
        found = await of_kind(node, kind)
        return found if len(found) >= count else None

    return await eventually(there, within=within)


async def message_changes(node: LiveNode, name: str = "ann") -> Counter[str]:
    return Counter(kind for kind in await node.kinds(name) if kind in MESSAGE_KINDS)


async def error_of(node: LiveNode) -> str:
    error = (await node.accounts.get(ANN))[1].error
    return f"{error.reason} {error.message}" if error else ""


async def test_a_wrong_password_is_told_at_once(live, dovecot, mail_user):
    await add(live, dovecot, mail_user, password="wrong")
    await live.reaches("ann", State.AUTH_FAILED, within=8)
    account, _ = await live.accounts.get(ANN)
    await live.accounts.update(
        account, expected_revision=account.revision, secrets={"imap.password": PASSWORD}
    )
    await live.connected("ann")


async def test_a_closed_port_is_told_at_once_with_its_reason(live, dovecot, mail_user):
    await add(live, dovecot, mail_user, port=free_ports(1)[0])
    await live.reaches("ann", State.UNREACHABLE, within=5)
    assert "PROVIDER_UNREACHABLE" in await error_of(live)


async def test_a_certificate_that_nobody_vouches_for_is_refused(live, dovecot, mail_user):
    await add(live, dovecot, mail_user, port=dovecot.imaps_port, security=Security.TLS)
    await live.reaches("ann", State.UNREACHABLE, within=5)
    assert "certificate" in (await error_of(live)).lower()


async def test_what_changed_while_the_server_was_away_is_told_once_and_quickly(live, own_dovecot):
    user = own_dovecot.new_user()
    with postman(own_dovecot, user) as hands:
        for _ in range(5):
            hands.deliver()
    await add(live, own_dovecot, user)
    await live.connected("ann")
    with postman(own_dovecot, user) as hands:
        hands.deliver()
    await comes(live, "message_added")
    own_dovecot.kill()
    await live.reaches("ann", State.DISCONNECTED, within=8)
    own_dovecot.start()
    own_dovecot.store(user, [1, 2], r"+FLAGS (\Seen)")
    own_dovecot.expunge(user, [3])
    with postman(own_dovecot, user) as hands:
        hands.deliver()
    began = time.monotonic()
    await comes(live, "message_added", 2)
    assert time.monotonic() - began <= 3.0
    await comes(live, "flags_changed", 2)
    await comes(live, "message_removed")
    await live.connected("ann")
    found = await message_changes(live)
    assert found == {"message_added": 2, "flags_changed": 2, "message_removed": 1}


async def test_a_server_that_comes_back_unchanged_changes_no_message(live, own_dovecot):
    user = own_dovecot.new_user()
    with postman(own_dovecot, user) as hands:
        for _ in range(20):
            hands.deliver()
    await add(live, own_dovecot, user)
    await live.connected("ann")
    for _ in range(2):
        own_dovecot.kill()
        await live.reaches("ann", State.DISCONNECTED, within=8)
        own_dovecot.start()
        await live.connected("ann", within=5)
    assert not await message_changes(live)


async def test_mailboxes_that_another_client_makes_renames_and_deletes_are_told(live, dovecot, mail_user):
    await add(live, dovecot, mail_user)
    await live.connected("ann")
    dovecot.create(mail_user, "Plans")
    (made,) = await comes(live, "mailbox_added", within=30)
    dovecot.append(mail_user, letter(message_id(), to=mail_user), "Plans")
    await comes(live, "message_added", within=45)
    dovecot.delete(mail_user, "Plans")
    (gone,) = await comes(live, "mailbox_removed", within=45)
    assert gone.mailbox == made.mailbox.name
    assert await message_changes(live) == {"message_added": 1, "message_removed": 1}


async def test_numbers_dealt_anew_are_one_reset_and_no_flood(live, dovecot, mail_user):
    for _ in range(30):
        dovecot.append(mail_user, letter(message_id(), to=mail_user))
    await add(live, dovecot, mail_user)
    await live.connected("ann")
    dovecot.renumber(mail_user)
    with postman(dovecot, mail_user) as hands:
        hands.deliver()
    await comes(live, "mailbox_reset", within=45)
    with postman(dovecot, mail_user) as hands:
        mid = hands.deliver()

    async def announced() -> bool:
        found = await of_kind(live, "message_added")
        return any(one.message.internet_message_id == mid for one in found)

    await eventually(announced, within=30)
    assert len(await of_kind(live, "mailbox_reset")) == 1
    assert len(await of_kind(live, "message_added")) <= 2


async def test_only_the_watched_mailboxes_are_in_the_feed(live, dovecot, mail_user):
    dovecot.create(mail_user, "Other")
    await add(live, dovecot, mail_user, watched_mailboxes=("INBOX",))
    await live.connected("ann")
    dovecot.append(mail_user, letter(message_id(), to=mail_user), "Other")
    with postman(dovecot, mail_user) as hands:
        mid = hands.deliver()
    (found,) = await comes(live, "message_added")
    assert found.message.internet_message_id == mid


@pytest.mark.timeout(120)
async def test_thousands_that_were_there_are_silent_and_thousands_that_come_are_told_once(
    live, dovecot, mail_user
):
    with dovecot.session(mail_user, "") as link:
        for _ in range(OLD):
            link.append("INBOX", None, None, letter(message_id(), to=mail_user))
    await add(live, dovecot, mail_user)
    await live.connected("ann", within=20)
    assert not await message_changes(live)

    def burst() -> list[str]:
        with postman(dovecot, mail_user) as hands:
            return [hands.deliver() for _ in range(BURST)]

    delivered = await asyncio.to_thread(burst)
    found = await comes(live, "message_added", BURST, within=45)
    assert sorted(one.message.internet_message_id for one in found) == sorted(delivered)


@pytest.mark.chaos
@pytest.mark.timeout(120)
async def test_nodes_that_die_in_the_middle_of_reading_lose_nothing_and_tell_nothing_twice(
    store, dovecot, mail_user
):
    rnd = random.Random(11)
    async with all_backends(store) as backends:
        node = make_node(store, backends)
        await add(node, dovecot, mail_user, watched_mailboxes=("INBOX",))
        await node.connected("ann")
        delivered: list[str] = []

        def some() -> None:
            with postman(dovecot, mail_user) as hands:
                delivered.extend(hands.deliver() for _ in range(60))
            uids = sorted(dovecot.truth(mail_user))
            dovecot.store(mail_user, rnd.sample(uids, 10), r"+FLAGS (\Flagged)")

        for _ in range(10):
            work = asyncio.create_task(asyncio.to_thread(some))
            await asyncio.sleep(rnd.uniform(0.0, 0.4))
            await node.crash()
            await store.leases.release(list(range(store.identity.shard_count)), node.ownership.nonce)
            node = make_node(store, backends)
            await work
        try:
            await comes(node, "message_added", len(delivered), within=30)
            inbox = next(
                name for one in await of_kind(node, "message_added") for name in one.message.mailboxes
            )
            report = None

            async def true() -> bool:
                nonlocal report
                frames = [{"change": MessageToDict(one)} for one in await node.changes("ann")]
                report = check(frames, {inbox: await asyncio.to_thread(truth, dovecot, mail_user)})
                return report.ok

            try:
                await eventually(true, within=15)
            except AssertionError:
                pytest.fail(str(report))
        finally:
            await node.stop()


def truth(dovecot: Dovecot, user: str) -> dict[str, frozenset[str]]:
    """Message-ID -> flags, in the feed's spelling."""
    flags = dovecot.truth(user)
    found: dict[str, frozenset[str]] = {}
    with dovecot.session(user) as link:
        for row in link.uid("FETCH", "1:*", "(UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")[1]:
            if isinstance(row, tuple):
                uid = int(row[0].partition(b"UID ")[2].split()[0])
                mid = row[1].partition(b"<")[2].partition(b">")[0].decode()
                found[mid] = frozenset(one.replace("\\", "$").lower() for one in flags[uid])
    return found


async def test_a_paused_account_has_no_connection_and_catches_up_when_it_is_resumed(live, dovecot, mail_user):
    await add(live, dovecot, mail_user)
    await live.connected("ann")
    for paused, state in ((True, State.PAUSED), (False, State.CONNECTED)):
        account, _ = await live.accounts.get(ANN)
        changed = replace(account, paused=paused, revision=account.revision + 1)
        await live.accounts.update(changed, expected_revision=account.revision, secrets={})
        await live.reaches("ann", state)
        if paused:
            with postman(dovecot, mail_user) as hands:
                hands.deliver()
    await comes(live, "message_added")
