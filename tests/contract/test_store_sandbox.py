"""SandboxStore: numbered mailboxes whose every change is one step and grows their modseq."""

from __future__ import annotations

import asyncio

import pytest
from postroom_server.domain.mailboxes import Role
from postroom_server.domain.sandbox_store import SandboxMailbox, SandboxRow
from postroom_server.errors import AccountGone, MailboxNotFound, MessageTooLarge, ProviderFull
from postroom_server.ids import AccountId
from postroom_server.store import Store

from tests.fixtures.store import NOON, OWNER, open_store, register
from tests.fixtures.valkey import Valkey

ANN, BOB = AccountId("ann"), AccountId("bob")
NONE: frozenset[str] = frozenset()


async def mailbox(store: Store, number: int = 1) -> SandboxMailbox:
    return (await store.sandbox.mailboxes(ANN))[number - 1]


async def test_a_new_account_has_its_mailboxes(store: Store) -> None:
    await store.sandbox.open(ANN, "Ann@sandbox.example")
    boxes = await store.sandbox.mailboxes(ANN)
    assert [(one.number, one.path, one.role) for one in boxes] == [
        (1, ("INBOX",), Role.INBOX),
        (2, ("Drafts",), Role.DRAFTS),
        (3, ("Sent",), Role.SENT),
        (4, ("Junk",), Role.JUNK),
        (5, ("Trash",), Role.TRASH),
        (6, ("Archive",), Role.ARCHIVE),
    ]
    assert {(one.next_uid, one.modseq, one.messages, one.unseen) for one in boxes} == {(1, 1, 0, 0)}
    assert 0 < boxes[0].epoch < 2**32


async def test_opening_again_changes_nothing(store: Store) -> None:
    await store.sandbox.open(ANN, "ann@sandbox.example")
    await store.sandbox.append(ANN, 1, b"raw", NONE, NOON)
    before = await store.sandbox.mailboxes(ANN)
    await store.sandbox.open(ANN, "ann@sandbox.example")
    assert await store.sandbox.mailboxes(ANN) == before


async def test_messages_are_kept_as_given(store: Store) -> None:
    await store.sandbox.open(ANN, "ann@sandbox.example")
    raw = bytes(range(256))
    assert await store.sandbox.append(ANN, 1, raw, frozenset({"$seen", "ünïcode"}), NOON) == 1
    assert await store.sandbox.append(ANN, 1, b"", NONE, NOON) == 2
    assert await store.sandbox.append(ANN, 3, b"sent", NONE, NOON) == 1
    assert await store.sandbox.rows(ANN, 1) == [
        SandboxRow(uid=1, modseq=2, flags=frozenset({"$seen", "ünïcode"}), received=NOON, size_bytes=256),
        SandboxRow(uid=2, modseq=3, flags=NONE, received=NOON, size_bytes=0),
    ]
    assert await store.sandbox.raw(ANN, 1, 1) == raw
    assert await store.sandbox.raw(ANN, 1, 2) == b""
    assert await store.sandbox.raw(ANN, 1, 3) is None
    inbox = await mailbox(store)
    assert (inbox.next_uid, inbox.modseq, inbox.messages, inbox.unseen) == (3, 3, 2, 1)


async def test_rows_come_oldest_first_beyond_nine(store: Store) -> None:
    await store.sandbox.open(ANN, "ann@sandbox.example")
    for _ in range(12):
        await store.sandbox.append(ANN, 1, b"x", NONE, NOON)
    assert [row.uid for row in await store.sandbox.rows(ANN, 1)] == list(range(1, 13))


async def test_flags_change_by_difference_and_only_a_change_counts(store: Store) -> None:
    await store.sandbox.open(ANN, "ann@sandbox.example")
    for _ in range(3):
        await store.sandbox.append(ANN, 1, b"x", frozenset({"b"}), NOON)
    after = await store.sandbox.set_flags(ANN, 1, [1, 3, 9], frozenset({"a", "c"}), frozenset({"b"}))
    assert after == {1: frozenset({"a", "c"}), 3: frozenset({"a", "c"})}
    assert [row.modseq for row in await store.sandbox.rows(ANN, 1)] == [5, 3, 5]
    again = await store.sandbox.set_flags(ANN, 1, [1, 3], frozenset({"a"}), NONE)
    assert again == after
    assert (await mailbox(store)).modseq == 5
    assert await store.sandbox.set_flags(ANN, 1, [2], NONE, frozenset({"b"})) == {2: NONE}


async def test_a_flag_is_one_word(store: Store) -> None:
    await store.sandbox.open(ANN, "ann@sandbox.example")
    for wrong in ("", "two words", "x" * 257, "line\nbreak"):
        with pytest.raises(ValueError, match="not a flag"):
            await store.sandbox.append(ANN, 1, b"x", frozenset({wrong}), NOON)


async def test_removed_messages_are_gone_and_their_uids_are_not_used_again(
    valkey: Valkey, store: Store
) -> None:
    await store.sandbox.open(ANN, "ann@sandbox.example")
    for _ in range(3):
        await store.sandbox.append(ANN, 1, b"x", NONE, NOON)
    assert await store.sandbox.remove(ANN, 1, [3, 1, 7]) == [3, 1]
    assert await store.sandbox.remove(ANN, 1, [1]) == []
    assert await store.sandbox.raw(ANN, 1, 1) is None
    inbox = await mailbox(store)
    assert (inbox.messages, inbox.modseq, inbox.next_uid) == (1, 5, 4)
    assert await store.sandbox.append(ANN, 1, b"x", NONE, NOON) == 4


async def test_limits(valkey: Valkey) -> None:
    async with await open_store(valkey, sandbox_messages=2, message_bytes=10) as store:
        await store.sandbox.open(ANN, "ann@sandbox.example")
        with pytest.raises(MessageTooLarge):
            await store.sandbox.append(ANN, 1, b"x" * 11, NONE, NOON)
        await store.sandbox.append(ANN, 1, b"x", NONE, NOON)
        await store.sandbox.append(ANN, 2, b"x", NONE, NOON)
        with pytest.raises(ProviderFull):
            await store.sandbox.append(ANN, 3, b"x", NONE, NOON)
        await store.sandbox.remove(ANN, 1, [1])
        await store.sandbox.append(ANN, 3, b"x", NONE, NOON)


async def test_an_address_is_found_in_any_case_and_stays_with_its_first_holder(store: Store) -> None:
    await store.sandbox.open(ANN, "Ann@Sandbox.Example")
    await store.sandbox.open(BOB, "ann@sandbox.example")
    assert await store.sandbox.find("ANN@sandbox.example") == ANN
    assert await store.sandbox.find("nobody@sandbox.example") is None
    await store.sandbox.open(ANN, "ann2@sandbox.example")
    assert await store.sandbox.find("ann@sandbox.example") is None
    assert await store.sandbox.find("ann2@sandbox.example") == ANN
    await store.sandbox.open(BOB, "ann@sandbox.example")
    assert await store.sandbox.find("ann@sandbox.example") == BOB


async def test_a_dropped_account_leaves_no_key(valkey: Valkey, store: Store) -> None:
    await store.sandbox.open(ANN, "ann@sandbox.example")
    for box in (1, 6):
        await store.sandbox.append(ANN, box, b"x", NONE, NOON)
    await store.sandbox.drop(ANN)
    await store.sandbox.drop(ANN)
    assert await valkey.keys("*ann*") == []
    assert await valkey.do("HLEN", "pr:{sbx}:addresses") == 0
    with pytest.raises(AccountGone):
        await store.sandbox.mailboxes(ANN)
    with pytest.raises(AccountGone):
        await store.sandbox.append(ANN, 1, b"x", NONE, NOON)
    assert await store.sandbox.rows(ANN, 1) == []


async def test_a_deleted_account_is_not_opened_again(store: Store) -> None:
    head = await register(store)
    await store.accounts.delete(ANN, OWNER, head.incarnation, b"removed")
    with pytest.raises(AccountGone):
        await store.sandbox.open(ANN, "ann@sandbox.example")


async def test_a_mailbox_that_is_not_there_is_said(store: Store) -> None:
    await store.sandbox.open(ANN, "ann@sandbox.example")
    with pytest.raises(MailboxNotFound):
        await store.sandbox.append(ANN, 7, b"x", NONE, NOON)
    with pytest.raises(MailboxNotFound):
        await store.sandbox.set_flags(ANN, 0, [1], NONE, NONE)
    with pytest.raises(MailboxNotFound):
        await store.sandbox.remove(ANN, 99, [1])


async def test_hints_name_the_mailbox_that_changed(store: Store) -> None:
    await store.sandbox.open(ANN, "ann@sandbox.example")
    await store.sandbox.open(BOB, "bob@sandbox.example")
    async with asyncio.timeout(5), store.sandbox.hints(ANN) as hints:
        assert [await anext(hints) for _ in range(6)] == [1, 2, 3, 4, 5, 6]
        await store.sandbox.append(BOB, 4, b"x", NONE, NOON)
        await store.sandbox.append(ANN, 3, b"x", NONE, NOON)
        assert await anext(hints) == 3
        await store.sandbox.set_flags(ANN, 3, [1], frozenset({"a"}), NONE)
        assert await anext(hints) == 3
        await store.sandbox.remove(ANN, 3, [1])
        assert await anext(hints) == 3
