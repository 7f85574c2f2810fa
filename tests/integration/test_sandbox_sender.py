"""Sending between sandbox accounts on a real store: who gets it, who does not exist, what a lost answer means."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from postroom_server.backends.sandbox import SandboxSender
from postroom_server.domain.outbox import SmtpEnvelope
from postroom_server.domain.sandbox_store import Refusal
from postroom_server.domain.senders import OutgoingMessage
from postroom_server.errors import (
    DeadlineExceeded,
    MessageTooLarge,
    OutcomeUnknown,
    ProviderUnreachable,
    RecipientsRefused,
)
from postroom_server.ids import AccountId
from postroom_server.store import Keyring, Options, Store

from tests.fixtures.clock import HandClock
from tests.fixtures.valkey import Valkey
from tests.fixtures.worlds import call, stopped

RAW = b"From: ann@sandbox.test\r\nTo: bob@sandbox.test\r\nSubject: hello\r\n\r\nhello\r\n"
INBOX = 1
MOST = 5


def message(*recipients: str, raw: bytes = RAW) -> OutgoingMessage:
    envelope = SmtpEnvelope(sender="ann@sandbox.test", recipients=recipients)
    return OutgoingMessage(raw=raw, envelope=envelope, internet_message_id="1@sandbox.test")


@pytest.fixture
async def store(valkey: Valkey) -> AsyncIterator[Store]:
    options = Options(sandbox_messages=MOST)
    async with await Store.open(valkey.url, Keyring(bytes(32)), shard_count=64, options=options) as opened:
        for name in ("ann", "bob", "carol"):
            await opened.sandbox.open(AccountId(name), f"{name}@sandbox.test")
        yield opened


@pytest.fixture
def sender(store: Store, clock: HandClock) -> SandboxSender:
    return SandboxSender(store.sandbox, clock)


async def inbox(store: Store, name: str) -> list[bytes | None]:
    account = AccountId(name)
    return [await store.sandbox.raw(account, row.number) for row in await store.sandbox.rows(account, INBOX)]


async def test_every_known_recipient_gets_the_bytes(sender, store):
    """Whatever the case of the address; the sender keeps no copy, the outbox files one."""
    async with sender.prepare(call(), message("BOB@sandbox.test", "carol@Sandbox.test")) as transaction:
        assert transaction.refused == {}
        receipt = await transaction.commit(call())
    assert [reply.code for reply in receipt.recipients.values()] == [250, 250]
    assert await inbox(store, "bob") == await inbox(store, "carol") == [RAW]
    assert await inbox(store, "ann") == []
    assert not sender.traits.files_sent_copy


async def test_an_unknown_address_is_refused_and_the_others_get_it(sender, store):
    """550 5.1.1, as a mail server says it, before anything is sent."""
    async with sender.prepare(call(), message("bob@sandbox.test", "eve@mail.test")) as transaction:
        assert list(transaction.refused) == ["eve@mail.test"]
        receipt = await transaction.commit(call())
    refused = receipt.recipients["eve@mail.test"]
    assert (refused.code, refused.enhanced_status, refused.text) == (550, "5.1.1", "no such sandbox address")
    assert refused.permanent
    assert receipt.recipients["bob@sandbox.test"].accepted
    assert await inbox(store, "bob") == [RAW]


async def test_nobody_left_is_an_error_with_every_reply(sender):
    """The outbox learns each recipient's reply from it."""
    with pytest.raises(RecipientsRefused, match="no such sandbox address") as caught:
        async with sender.prepare(call(), message("eve@mail.test")):
            pass
    assert caught.value.replies["eve@mail.test"].code == 550


async def test_leaving_without_commit_sends_nothing(sender, store):
    """`commit` is the only step that can send."""
    async with sender.prepare(call(), message("bob@sandbox.test")):
        pass
    assert await inbox(store, "bob") == []


async def test_a_full_mailbox_is_a_temporary_refusal(sender, store):
    """452 4.2.2: the outbox tries that recipient again, the others have it."""
    for _ in range(MOST):
        await store.sandbox.append(AccountId("bob"), INBOX, RAW, frozenset(), HandClock().now())
    async with sender.prepare(call(), message("bob@sandbox.test", "carol@sandbox.test")) as transaction:
        receipt = await transaction.commit(call())
    full = receipt.recipients["bob@sandbox.test"]
    assert (full.code, full.permanent, full.accepted) == (452, False, False)
    assert await inbox(store, "carol") == [RAW]


async def test_an_account_that_goes_in_between_is_unknown(sender, store):
    """Between envelope and commit anything may happen."""
    async with sender.prepare(call(), message("bob@sandbox.test")) as transaction:
        await store.sandbox.drop(AccountId("bob"))
        receipt = await transaction.commit(call())
    assert receipt.recipients["bob@sandbox.test"].code == 550


async def test_a_store_that_is_silent_at_the_commit_leaves_the_outcome_unknown(sender, valkey):
    """Before it nothing was sent: DeadlineExceeded; at it nobody knows: OutcomeUnknown."""
    with stopped([valkey.pid]), pytest.raises(DeadlineExceeded):
        async with sender.prepare(call(0.1), message("bob@sandbox.test")):
            pass
    async with sender.prepare(call(), message("bob@sandbox.test")) as transaction:
        with stopped([valkey.pid]), pytest.raises(OutcomeUnknown):
            await transaction.commit(call(0.1))


async def test_what_is_too_large_is_refused_before_the_envelope(sender):
    """The bound of the sandbox is known without asking."""
    with pytest.raises(MessageTooLarge):
        async with sender.prepare(call(), message("bob@sandbox.test", raw=b"x" * (32 * 1024 * 1024 + 1))):
            pass


async def test_the_sender_answers_when_it_is_asked_to(sender):
    """verify() sends nothing and close() may be called twice."""
    await sender.verify(call())
    await sender.close()
    await sender.close()


async def test_an_account_whose_sends_are_refused_says_so_for_every_recipient(store, clock):
    """So many times as were asked for; nobody gets anything."""
    ann = AccountId("ann")
    sender = SandboxSender(store.sandbox, clock, ann)
    await store.sandbox.refuse_sends(ann, Refusal(code=451, enhanced_status="4.3.0", text="later"), 2)
    for _ in range(2):
        with pytest.raises(RecipientsRefused) as caught:
            async with sender.prepare(call(), message("bob@sandbox.test", "carol@sandbox.test")):
                pass
        replies = caught.value.replies
        assert {(one.code, one.enhanced_status, one.text) for one in replies.values()} == {
            (451, "4.3.0", "later")
        }
        assert set(replies) == {"bob@sandbox.test", "carol@sandbox.test"}
    async with sender.prepare(call(), message("bob@sandbox.test")) as transaction:
        await transaction.commit(call())
    assert await inbox(store, "bob") == [RAW]


async def test_an_account_that_is_offline_sends_nothing_and_receives(store, clock):
    """Its own way out is cut, not that of others to it."""
    ann = AccountId("ann")
    await store.sandbox.go_offline(ann, None)
    with pytest.raises(ProviderUnreachable):
        async with SandboxSender(store.sandbox, clock, ann).prepare(call(), message("bob@sandbox.test")):
            pass
    other = SandboxSender(store.sandbox, clock, AccountId("bob"))
    async with other.prepare(call(), message("ann@sandbox.test")) as transaction:
        await transaction.commit(call())
    assert (await inbox(store, "ann"), await inbox(store, "bob")) == ([RAW], [])
