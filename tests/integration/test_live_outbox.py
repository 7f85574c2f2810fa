"""The outbox against a real SMTP server that refuses, cuts and stalls: each message once, or in doubt and shown."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from postroom_server.domain.accounts import Kind, MailServer, Security, SentCopy
from postroom_server.domain.outbox import RecipientState, Submission, SubmissionState
from postroom_server.errors import RequestIdReused
from postroom_server.ids import AccountId
from postroom_server.workers.outbox import ITEMS_AT_ONCE
from postroom_server.workers.sending import CRASHED, MAX_CRASHES

from tests.fixtures.dovecot import PASSWORD, Dovecot, free_ports
from tests.fixtures.eventually import eventually
from tests.fixtures.live import LiveNode, all_backends, make_node
from tests.fixtures.smtpd import Smtpd
from tests.fixtures.store import open_store
from tests.fixtures.valkey import Valkey

ANN = AccountId("ann")
QUEUED, SENDING, RETRYING = SubmissionState.QUEUED, SubmissionState.SENDING, SubmissionState.RETRYING
RELAYED, FAILED, IN_DOUBT = SubmissionState.RELAYED, SubmissionState.FAILED, SubmissionState.IN_DOUBT
LEASE_SECONDS = 1.5


async def add_sender(node: LiveNode, smtp_port: int | None, name: str = "ann", **changes: object) -> None:
    """An account that can send; its IMAP server is away."""
    smtp = MailServer(host="127.0.0.1", port=smtp_port, security=Security.NONE) if smtp_port else None
    away = MailServer(host="127.0.0.1", port=free_ports(1)[0], security=Security.NONE)
    fields = {"imap": away, "smtp": smtp, "secrets": {"imap.password": PASSWORD}, **changes}
    await node.add(name, kind=Kind.IMAP, **fields)


async def get(node: LiveNode, item: Submission) -> Submission:
    return await node.submissions.get(item.account, item.id)


async def reaches(
    node: LiveNode, item: Submission, *states: SubmissionState, within: float = 10
) -> Submission:
    async def there() -> Submission | None:
        found = await get(node, item)
        return found if found.state in states else None

    return await eventually(there, within=within)


async def told(node: LiveNode, item: Submission) -> list[str]:
    """States of the submission as the feed told them."""
    shown = [
        change.submission_changed.submission
        for change in await node.changes(item.account)
        if change.HasField("submission_changed")
    ]
    names = [type(one).State.Name(one.state) for one in shown if one.name.endswith(f"/{item.id}")]
    return [name.removeprefix("STATE_") for name in names]


def copies(smtpd: Smtpd) -> Counter[bytes]:
    """How often each message was taken, by its Message-ID."""
    return Counter(
        next(line for line in one.raw.split(b"\r\n") if line.startswith(b"Message-ID"))
        for one in smtpd.messages
    )


@pytest.fixture
async def pair(valkey: Valkey) -> AsyncIterator[tuple[LiveNode, LiveNode]]:
    """Two nodes of one store with short leases."""
    options = {"lease_ms": int(LEASE_SECONDS * 1000), "node_fresh_ms": int(LEASE_SECONDS * 1000)}
    async with (
        await open_store(valkey, **options) as one,
        await open_store(valkey, **options) as two,
        all_backends(one) as first,
        all_backends(two) as second,
    ):
        nodes = (
            make_node(one, first, lease_seconds=LEASE_SECONDS),
            make_node(two, second, lease_seconds=LEASE_SECONDS),
        )
        try:
            yield nodes
        finally:
            for node in nodes:
                await node.stop()


def owner(pair: tuple[LiveNode, LiveNode]) -> tuple[LiveNode, LiveNode]:
    """The node that runs ann, and the other one."""
    first, second = pair
    return pair if first.supervisor.workers() else (second, first)


async def test_a_message_is_relayed_once_and_told_twice(live, scripted_smtpd):
    await add_sender(live, scripted_smtpd.port)
    item = await live.submit("ann", "ben@example.org")
    done = await reaches(live, item, RELAYED)
    assert [one.state for one in done.recipients] == [RecipientState.RELAYED]
    assert await told(live, item) == ["QUEUED", "RELAYED"]
    assert [one.recipients for one in scripted_smtpd.messages] == [("ben@example.org",)]
    assert done.sent_copy_error == ""


async def test_a_temporary_refusal_is_tried_again_at_the_time_it_tells(live, scripted_smtpd):
    scripted_smtpd.switches.replies["MAIL"] = "451 4.3.0 later"
    await add_sender(live, scripted_smtpd.port)
    item = await live.submit("ann", "ben@example.org")
    waiting = await reaches(live, item, RETRYING)
    assert waiting.attempts[-1].reply.startswith("451")
    delay = (waiting.next_attempt_time - waiting.update_time).total_seconds()
    assert 24 <= delay <= 36
    live.clock.forward(40)

    async def tried_twice() -> bool:
        found = await get(live, item)
        return found.state is RETRYING and found.attempt_count == 2

    await eventually(tried_twice, within=8)
    del scripted_smtpd.switches.replies["MAIL"]
    live.clock.forward(80)
    done = await reaches(live, item, RELAYED, within=8)
    assert [attempt.reply[:3] for attempt in done.attempts] == ["451", "451", "250"]
    assert await told(live, item) == ["QUEUED", "RETRYING", "RETRYING", "RELAYED"]
    assert len(scripted_smtpd.messages) == 1


async def test_a_final_refusal_fails_with_the_servers_words(live, scripted_smtpd):
    scripted_smtpd.switches.replies["."] = "554 5.7.1 not from you"
    await add_sender(live, scripted_smtpd.port)
    item = await live.submit("ann", "ben@example.org")
    done = await reaches(live, item, FAILED)
    assert "not from you" in done.attempts[-1].reply
    assert done.recipients[0].state is RecipientState.FAILED
    assert await told(live, item) == ["QUEUED", "FAILED"]


async def test_one_refused_recipient_of_three_costs_the_others_nothing(live, scripted_smtpd):
    scripted_smtpd.switches.refuse_rcpt["b@example.org"] = "550 5.1.1 who"
    await add_sender(live, scripted_smtpd.port)
    item = await live.submit("ann", "a@example.org", "b@example.org", "c@example.org")
    done = await reaches(live, item, RELAYED)
    assert [one.state.value for one in done.recipients] == ["RELAYED", "FAILED", "RELAYED"]
    assert "who" in done.recipients[1].reply
    assert [one.recipients for one in scripted_smtpd.messages] == [("a@example.org", "c@example.org")]


async def test_only_the_recipient_that_was_put_off_is_tried_again(live, scripted_smtpd):
    scripted_smtpd.switches.refuse_rcpt["b@example.org"] = "450 4.2.1 busy"
    await add_sender(live, scripted_smtpd.port)
    item = await live.submit("ann", "a@example.org", "b@example.org", "c@example.org")
    waiting = await reaches(live, item, RETRYING)
    assert [one.state.value for one in waiting.recipients] == ["RELAYED", "PENDING", "RELAYED"]
    scripted_smtpd.switches.refuse_rcpt.clear()
    live.clock.forward(40)
    done = await reaches(live, item, RELAYED, within=8)
    assert {one.state for one in done.recipients} == {RecipientState.RELAYED}
    taken = Counter(name for one in scripted_smtpd.messages for name in one.recipients)
    assert taken == {"a@example.org": 1, "b@example.org": 1, "c@example.org": 1}


async def test_what_was_relayed_to_some_is_relayed_when_the_rest_expires(live, scripted_smtpd):
    scripted_smtpd.switches.refuse_rcpt["b@example.org"] = "450 4.2.1 busy"
    await add_sender(live, scripted_smtpd.port)
    item = await live.submit("ann", "a@example.org", "b@example.org")
    await reaches(live, item, RETRYING)
    live.clock.forward(25 * 3600)
    done = await reaches(live, item, RELAYED, FAILED, within=8)
    assert done.state is RELAYED
    assert [one.state.value for one in done.recipients] == ["RELAYED", "FAILED"]


async def test_a_server_that_is_away_is_tried_again_until_the_message_expires(live):
    await add_sender(live, free_ports(1)[0])
    item = await live.submit("ann", "ben@example.org")
    waiting = await reaches(live, item, RETRYING)
    assert waiting.next_attempt_time is not None
    live.clock.forward(25 * 3600)
    await reaches(live, item, FAILED, within=8)


async def test_an_answer_that_is_lost_after_the_final_dot_leaves_the_message_in_doubt_for_good(
    live, scripted_smtpd
):
    scripted_smtpd.switches.drop_after_dot = True
    await add_sender(live, scripted_smtpd.port)
    item = await live.submit("ann", "ben@example.org")
    await reaches(live, item, IN_DOUBT)

    async def shown() -> bool:
        return await told(live, item) == ["QUEUED", "IN_DOUBT"]

    await eventually(shown)
    scripted_smtpd.switches.drop_after_dot = False
    for _ in range(2):
        live.clock.forward(8 * 24 * 3600)
        marker = await live.submit("ann", "marker@example.org")
        await reaches(live, marker, RELAYED)
    assert await told(live, item) == ["QUEUED", "IN_DOUBT"]
    assert (await get(live, item)).state is IN_DOUBT
    assert sum("ben@example.org" in one.recipients for one in scripted_smtpd.messages) == 1


async def test_twenty_submits_of_one_request_are_one_message(live, scripted_smtpd):
    await add_sender(live, scripted_smtpd.port)
    message_ids = await asyncio.gather(
        *(live.submit("ann", "ben@example.org", subject="same", request_id="r1") for _ in range(20))
    )
    assert len({one.id for one in message_ids}) == 1
    await reaches(live, message_ids[0], RELAYED)
    with pytest.raises(RequestIdReused):
        await live.submit("ann", "ben@example.org", subject="other", request_id="r1")
    again = await live.submit("ann", "ben@example.org", subject="same", request_id="r1")
    assert again.state is RELAYED
    assert len(scripted_smtpd.messages) == 1


async def test_a_scheduled_message_waits_for_its_time(live, scripted_smtpd):
    await add_sender(live, scripted_smtpd.port)
    due = live.clock.now() + timedelta(seconds=1.5)
    item = await live.submit("ann", "ben@example.org", send_time=due)
    assert item.state is SubmissionState.SCHEDULED
    now = await live.submit("ann", "now@example.org")
    await reaches(live, now, RELAYED)
    assert (await get(live, item)).state is SubmissionState.SCHEDULED
    done = await reaches(live, item, RELAYED, within=5)
    assert due <= done.update_time <= due + timedelta(seconds=1)


async def test_an_account_that_cannot_send_says_so(live):
    await add_sender(live, None)
    item = await live.submit("ann", "ben@example.org")
    done = await reaches(live, item, FAILED)
    assert done.attempts[-1].reply == "the account has no way to send"


async def test_some_messages_of_one_account_are_on_their_way_at_once_and_never_more(live, scripted_smtpd):
    scripted_smtpd.switches.stall_on.add("RCPT")
    await add_sender(live, scripted_smtpd.port)
    items = [await live.submit("ann", f"r{n}@example.org") for n in range(3 * ITEMS_AT_ONCE)]

    async def sending() -> int:
        return Counter([(await get(live, one)).state for one in items])[SENDING]

    async def full() -> bool:
        return await sending() == ITEMS_AT_ONCE

    await eventually(full)
    scripted_smtpd.switches.stall_on.clear()
    scripted_smtpd.cut()
    for item in items:
        await reaches(live, item, RELAYED, RETRYING)
    assert set(copies(scripted_smtpd).values()) == {1}


async def test_a_slow_account_holds_up_no_other(live, scripted_smtpd):
    with Smtpd() as stuck:
        stuck.switches.stall_on.add("MAIL")
        await add_sender(live, stuck.port, "slow")
        await add_sender(live, scripted_smtpd.port)
        for n in range(10):
            await live.submit("slow", f"s{n}@example.org")
        items = [await live.submit("ann", f"a{n}@example.org") for n in range(20)]
        for item in items:
            await reaches(live, item, RELAYED, within=5)


async def test_a_restarted_worker_cuts_no_message_that_is_on_its_way(live, scripted_smtpd):
    scripted_smtpd.switches.delay["."] = 1.0
    await add_sender(live, scripted_smtpd.port)
    item = await live.submit("ann", "ben@example.org")
    await reaches(live, item, IN_DOUBT)
    account, _ = await live.accounts.get(ANN)
    await live.accounts.update(
        account, expected_revision=account.revision, secrets={"imap.password": "another"}
    )
    await reaches(live, item, RELAYED, within=5)


async def test_a_drain_waits_for_the_message_that_is_on_its_way_and_starts_none(live, scripted_smtpd):
    scripted_smtpd.switches.delay["."] = 0.5
    await add_sender(live, scripted_smtpd.port)
    item = await live.submit("ann", "ben@example.org")
    await reaches(live, item, IN_DOUBT)
    late = [await live.submit("ann", f"late{n}@example.org") for n in range(3)]
    await live.outbox.drain(5)
    states = [(await get(live, one)).state for one in (item, *late)]
    assert set(states) <= {RELAYED, QUEUED}
    assert states[0] is RELAYED


async def test_a_node_that_dies_before_the_message_is_handed_over_leaves_it_to_the_next(pair, scripted_smtpd):
    scripted_smtpd.switches.stall_on.add("RCPT")
    await add_sender(pair[0], scripted_smtpd.port)
    item = await pair[0].submit("ann", "ben@example.org")
    await reaches(pair[0], item, SENDING)
    await eventually(lambda: any(line.startswith(b"RCPT") for line in scripted_smtpd.dialogue))
    dying, other = owner(pair)
    await dying.crash()
    scripted_smtpd.switches.stall_on.clear()
    done = await reaches(other, item, RELAYED, within=15)
    assert [attempt.reply[:3] for attempt in done.attempts[-1:]] == ["250"]
    assert [attempt.reply for attempt in done.attempts[:-1]] == [CRASHED]
    assert len(scripted_smtpd.messages) == 1


async def test_a_node_that_dies_after_the_message_is_handed_over_leaves_it_in_doubt(pair, scripted_smtpd):
    scripted_smtpd.switches.stall_on.add(".")
    await add_sender(pair[0], scripted_smtpd.port)
    item = await pair[0].submit("ann", "ben@example.org")
    await reaches(pair[0], item, IN_DOUBT)
    await eventually(lambda: b"DATA" in scripted_smtpd.dialogue)
    dying, other = owner(pair)
    await dying.crash()
    scripted_smtpd.switches.stall_on.clear()

    async def shown() -> bool:
        return await told(other, item) == ["QUEUED", "IN_DOUBT"]

    await eventually(shown, within=15)
    assert scripted_smtpd.dialogue.count(b"DATA") == 1


async def test_a_message_that_ends_process_after_process_is_put_aside(store, scripted_smtpd):
    scripted_smtpd.switches.stall_on.add("MAIL")
    async with all_backends(store) as backends:
        item: Submission | None = None
        for _ in range(MAX_CRASHES):
            node = make_node(store, backends)
            if item is None:
                await add_sender(node, scripted_smtpd.port)
                item = await node.submit("ann", "ben@example.org")
            seen = len(scripted_smtpd.dialogue)
            await eventually(lambda seen=seen: len(scripted_smtpd.dialogue) > seen, within=10)
            await node.ownership.leave()
            await node.crash()
        node = make_node(store, backends)
        try:
            done = await reaches(node, item, FAILED, within=10)
            assert {attempt.reply for attempt in done.attempts} == {CRASHED}
        finally:
            await node.stop()


@pytest.mark.parametrize("seconds", [0.5, 3.0])
async def test_a_store_that_stands_still_in_the_middle_doubles_nothing(pair, valkey, scripted_smtpd, seconds):
    scripted_smtpd.switches.delay["MAIL"] = 0.02
    await add_sender(pair[0], scripted_smtpd.port)
    items = [await pair[0].submit("ann", f"r{n}@example.org") for n in range(30)]
    await eventually(lambda: len(scripted_smtpd.messages) >= 5, within=15)
    valkey.pause()
    await asyncio.sleep(seconds)
    valkey.resume()
    for item in items:
        await reaches(pair[1], item, RELAYED, IN_DOUBT, within=15)
    assert set(copies(scripted_smtpd).values()) == {1}
    doubtful = [one for one in items if (await get(pair[1], one)).state is IN_DOUBT]
    assert len(doubtful) <= ITEMS_AT_ONCE


async def test_a_store_that_is_killed_in_the_middle_doubles_nothing(live, valkey, scripted_smtpd):
    await add_sender(live, scripted_smtpd.port)
    items = [await live.submit("ann", f"r{n}@example.org") for n in range(40)]
    await eventually(lambda: len(scripted_smtpd.messages) >= 5, within=15)
    await valkey.restart()
    for item in items:
        await reaches(live, item, RELAYED, within=10)
    assert set(copies(scripted_smtpd).values()) == {1}
    assert len(scripted_smtpd.messages) == 40


async def with_dovecot(node: LiveNode, dovecot: Dovecot, smtpd: Smtpd, **changes: object) -> str:
    """Ann, whose mail is on a real IMAP server with a mailbox for what she sends."""
    user = dovecot.new_user()
    with dovecot.session(user, "") as link:
        names = [line.decode() for line in link.list()[1]]
    if not any("\\Sent" in name for name in names):
        dovecot.create(user, "Sent")
    imap = MailServer(host="127.0.0.1", port=dovecot.imap_port, security=Security.NONE, username=user)
    fields = {"mailbox_roles": {"sent": "Sent"}, **changes}
    await add_sender(node, smtpd.port, imap=imap, **fields)
    await node.connected("ann")
    return user


async def test_the_copy_is_filed_once_and_told_as_the_calls_doing(live, dovecot, scripted_smtpd):
    user = await with_dovecot(live, dovecot, scripted_smtpd)
    item = await live.submit("ann", "ben@example.org", request_id="r7")
    await reaches(live, item, RELAYED)

    async def filed() -> list:
        return [change for change in await live.changes("ann") if change.HasField("message_added")]

    await eventually(filed)
    (copy,) = await filed()
    assert copy.cause.request_id == "r7"
    done = await get(live, item)
    assert done.sent_message in {"", copy.message_added.message.name}
    assert len(dovecot.truth(user, "Sent")) == 1


async def test_a_copy_that_cannot_be_filed_is_told_and_costs_nothing_else(live, scripted_smtpd):
    await add_sender(live, scripted_smtpd.port, sent_copy=SentCopy.ALWAYS)
    item = await live.submit("ann", "ben@example.org")

    async def told_so() -> bool:
        found = await get(live, item)
        return found.state is RELAYED and bool(found.sent_copy_error)

    await eventually(told_so)
    assert len(scripted_smtpd.messages) == 1


async def test_many_messages_of_one_account_leave_quickly_each_once_with_its_copy(
    live, dovecot, scripted_smtpd
):
    user = await with_dovecot(live, dovecot, scripted_smtpd)
    items = [await live.submit("ann", f"r{n}@example.org") for n in range(100)]
    for item in items:
        await reaches(live, item, RELAYED, within=20)

    async def all_told() -> bool:
        kinds = [change.WhichOneof("fact") for change in await live.changes("ann")]
        return kinds.count("message_added") == 100

    await eventually(all_told, within=15)
    assert set(copies(scripted_smtpd).values()) == {1}
    assert len(dovecot.truth(user, "Sent")) == 100
