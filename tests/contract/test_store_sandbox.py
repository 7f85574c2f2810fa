"""SandboxStore: every change is one step, is remembered and grows the account's modseq."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from postroom_server.domain.accounts import SandboxProfile
from postroom_server.domain.mailboxes import Role
from postroom_server.domain.sandbox_store import (
    ANY,
    Deed,
    Refusal,
    SandboxEdit,
    SandboxMailbox,
    SandboxRow,
    SandboxStep,
)
from postroom_server.errors import (
    AccountGone,
    MailboxExists,
    MailboxNotFound,
    MessageTooLarge,
    ProviderFull,
    RequestInvalid,
)
from postroom_server.ids import AccountId
from postroom_server.store import Store
from postroom_server.store.scripts import sandbox_lib

from tests.fixtures.eventually import eventually
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
    assert {(one.modseq, one.messages, one.unseen, one.subscribed) for one in boxes} == {(1, 0, 0, True)}
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
    assert await store.sandbox.append(ANN, 3, b"sent", NONE, NOON) == 3
    flags = frozenset({"$seen", "ünïcode"})
    inside = frozenset({1})
    first = SandboxRow(number=1, modseq=2, mailboxes=inside, flags=flags, received=NOON, size_bytes=256)
    second = SandboxRow(number=2, modseq=3, mailboxes=inside, flags=NONE, received=NOON, size_bytes=0)
    assert await store.sandbox.rows(ANN, 1) == [first, second]
    assert await store.sandbox.messages(ANN, [2, 9]) == {2: second}
    assert await store.sandbox.raw(ANN, 1) == raw
    assert await store.sandbox.raw(ANN, 2) == b""
    assert await store.sandbox.raw(ANN, 4) is None
    inbox = await mailbox(store)
    assert (inbox.modseq, inbox.messages, inbox.unseen) == (3, 2, 1)
    state = await store.sandbox.state(ANN)
    assert (state.modseq, state.floor, state.next_number, state.offline) == (4, 1, 4, False)


@pytest.mark.parametrize("profile", list(SandboxProfile))
async def test_a_message_of_before_1970_is_one_like_any_other(
    valkey: Valkey, store: Store, profile: SandboxProfile
) -> None:
    await store.sandbox.open(ANN, "ann@sandbox.example", profile)
    long_ago = datetime(1960, 1, 1, 0, 0, 0, 5, tzinfo=UTC)
    number = await store.sandbox.append(ANN, 1, b"raw", NONE, long_ago)
    edit = SandboxEdit(add_flags=frozenset({"$seen"}))
    (edited,) = await store.sandbox.edit(ANN, [number], edit)
    (copied,) = await store.sandbox.copy(ANN, [number], 2)
    (moved,) = await store.sandbox.move(ANN, [number], 3)
    assert [one.deed for one in (edited, copied, moved)] == [Deed.DONE] * 3
    rows = await store.sandbox.rows(ANN, ANY)
    assert {one.received for one in rows} == {long_ago}
    await store.sandbox.drop(ANN)
    assert await valkey.keys("*ann*") == []


async def test_rows_come_oldest_first_beyond_nine(store: Store) -> None:
    await store.sandbox.open(ANN, "ann@sandbox.example")
    for _ in range(12):
        await store.sandbox.append(ANN, 1, b"x", NONE, NOON)
    assert [row.number for row in await store.sandbox.rows(ANN, 1)] == list(range(1, 13))


async def test_flags_change_by_difference_and_only_a_change_counts(store: Store) -> None:
    await store.sandbox.open(ANN, "ann@sandbox.example")
    for _ in range(3):
        await store.sandbox.append(ANN, 1, b"x", frozenset({"b"}), NOON)
    edit = SandboxEdit(add_flags=frozenset({"a", "c"}), remove_flags=frozenset({"b"}))
    after = await store.sandbox.edit(ANN, [1, 3, 9], edit)
    assert [(one.number, one.deed, one.flags) for one in after] == [
        (1, Deed.DONE, {"a", "c"}),
        (3, Deed.DONE, {"a", "c"}),
        (9, Deed.GONE, NONE),
    ]
    assert [row.modseq for row in await store.sandbox.rows(ANN, 1)] == [5, 3, 6]
    again = await store.sandbox.edit(ANN, [1, 3], SandboxEdit(add_flags=frozenset({"a"})))
    assert {one.deed for one in again} == {Deed.UNCHANGED}
    assert (await mailbox(store)).modseq == 6
    (last,) = await store.sandbox.edit(ANN, [2], SandboxEdit(remove_flags=frozenset({"b"})), mailbox=1)
    assert (last.deed, last.flags) == (Deed.DONE, NONE)
    (elsewhere,) = await store.sandbox.edit(ANN, [2], SandboxEdit(add_flags=frozenset({"b"})), mailbox=2)
    assert elsewhere.deed is Deed.GONE


async def test_a_message_has_a_bounded_number_of_flags(store: Store) -> None:
    await store.sandbox.open(ANN, "ann@sandbox.example")
    await store.sandbox.append(ANN, 1, b"x", frozenset({"kept"}), NOON)
    many = frozenset(f"f{number}" for number in range(128))
    (refused,) = await store.sandbox.edit(ANN, [1], SandboxEdit(add_flags=many))
    assert refused.deed is Deed.REFUSED
    assert (await store.sandbox.messages(ANN, [1]))[1].flags == {"kept"}


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
    deeds = [one.deed for one in await store.sandbox.delete(ANN, [3, 1, 7])]
    assert deeds == [Deed.DONE, Deed.DONE, Deed.GONE]
    assert [one.deed for one in await store.sandbox.delete(ANN, [1])] == [Deed.GONE]
    assert await store.sandbox.raw(ANN, 1) is None
    inbox = await mailbox(store)
    assert (inbox.messages, inbox.modseq) == (1, 6)
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
        await store.sandbox.delete(ANN, [1])
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
    await store.sandbox.append(ANN, 1, b"x", NONE, NOON)
    for refused in (
        store.sandbox.move(ANN, [1], 7),
        store.sandbox.copy(ANN, [1], 99),
        store.sandbox.delete(ANN, [1], trash=99),
        store.sandbox.edit(ANN, [1], SandboxEdit(enter=frozenset({8}))),
        store.sandbox.delete_mailbox(ANN, 7),
        store.sandbox.rename_mailbox(ANN, 7, ["New"]),
        store.sandbox.subscribe_mailbox(ANN, 7, on=False),
    ):
        with pytest.raises(MailboxNotFound):
            await refused
    assert (await store.sandbox.messages(ANN, [1]))[1].mailboxes == {1}


async def test_hints_name_the_mailbox_that_changed(store: Store) -> None:
    await store.sandbox.open(ANN, "ann@sandbox.example")
    await store.sandbox.open(BOB, "bob@sandbox.example")
    async with asyncio.timeout(5), store.sandbox.hints(ANN) as hints:
        assert await anext(hints) == ANY
        await store.sandbox.append(BOB, 4, b"x", NONE, NOON)
        await store.sandbox.append(ANN, 3, b"x", NONE, NOON)
        assert await anext(hints) == 3
        await store.sandbox.edit(ANN, [1], SandboxEdit(add_flags=frozenset({"a"})))
        assert await anext(hints) == 3
        await store.sandbox.delete(ANN, [1])
        assert await anext(hints) == 3


# --- moving, copying, deleting


async def opened(store: Store, profile: SandboxProfile, count: int = 2) -> list[int]:
    """An account of this profile with messages in its inbox."""
    await store.sandbox.open(ANN, "ann@sandbox.example", profile)
    return [await store.sandbox.append(ANN, 1, b"raw", frozenset({"a"}), NOON) for _ in range(count)]


async def inside(store: Store, *numbers: int) -> list[set[int]]:
    rows = await store.sandbox.messages(ANN, numbers)
    return [set(rows[number].mailboxes) for number in numbers]


async def test_a_message_that_is_moved_has_another_number_where_mailboxes_number(store: Store) -> None:
    one, two = await opened(store, SandboxProfile.IMAP)
    moved, stays = await store.sandbox.move(ANN, [one, 99], 5)
    assert (moved.deed, moved.new_number, stays.deed) == (Deed.DONE, 3, Deed.GONE)
    assert await store.sandbox.messages(ANN, [one]) == {}
    row = (await store.sandbox.messages(ANN, [3]))[3]
    assert (row.mailboxes, row.flags, row.received) == ({5}, {"a"}, NOON)
    assert await store.sandbox.raw(ANN, 3) == b"raw"
    (again,) = await store.sandbox.move(ANN, [3], 5)
    assert (again.deed, again.new_number) == (Deed.UNCHANGED, 3)
    (wrong,) = await store.sandbox.move(ANN, [two], 5, mailbox=2)
    assert wrong.deed is Deed.GONE


async def test_a_message_that_is_moved_keeps_its_number_in_folders(store: Store) -> None:
    one, two = await opened(store, SandboxProfile.GRAPH)
    moved, _ = await store.sandbox.move(ANN, [one, two], 6)
    assert (moved.deed, moved.new_number) == (Deed.DONE, one)
    assert await inside(store, one, two) == [{6}, {6}]


async def test_labels_are_left_one_by_one_or_all(store: Store) -> None:
    one, two = await opened(store, SandboxProfile.GMAIL)
    await store.sandbox.edit(ANN, [one, two], SandboxEdit(enter=frozenset({2, 3})))
    await store.sandbox.move(ANN, [one], 5, source=1)
    await store.sandbox.move(ANN, [two], 5)
    assert await inside(store, one, two) == [{2, 3, 5}, {5}]
    await store.sandbox.edit(ANN, [one], SandboxEdit(leave=frozenset({2, 3, 5}), enter=frozenset({6})))
    assert await inside(store, one) == [set()], "the virtual mailbox is no place of its own"
    await store.sandbox.move(ANN, [two], 6)
    assert await inside(store, two) == [set()]


async def test_the_virtual_mailbox_counts_what_is_neither_trash_nor_junk(store: Store) -> None:
    one, two = await opened(store, SandboxProfile.GMAIL)
    await store.sandbox.move(ANN, [one], 4)
    everything = (await store.sandbox.mailboxes(ANN))[5]
    assert (everything.path, everything.role, everything.messages) == (("All Mail",), Role.ALL, 1)
    assert await store.sandbox.append(ANN, 6, b"x", NONE, NOON) == two + 1
    assert await inside(store, two + 1) == [set()]


@pytest.mark.parametrize("profile", [SandboxProfile.IMAP, SandboxProfile.GRAPH])
async def test_copies_share_their_bytes_until_the_last_is_gone(
    valkey: Valkey, store: Store, profile: SandboxProfile
) -> None:
    (one,) = await opened(store, profile, 1)
    first, second = [(await store.sandbox.copy(ANN, [one], box))[0].new_number for box in (5, 5)]
    assert (first, second) == (2, 3)
    assert len(await valkey.keys("*sbx:raw:*")) == 1
    await store.sandbox.delete(ANN, [one])
    assert await store.sandbox.raw(ANN, 2) == await store.sandbox.raw(ANN, 3) == b"raw"
    await store.sandbox.delete(ANN, [2, 3])
    assert await valkey.keys("*sbx:raw:*") == await valkey.keys("*sbx:ref*") == []
    assert (await store.sandbox.mailboxes(ANN))[4].messages == 0


async def test_a_copy_with_labels_is_one_more_mailbox(store: Store) -> None:
    (one,) = await opened(store, SandboxProfile.GMAIL, 1)
    (copied,) = await store.sandbox.copy(ANN, [one], 3)
    assert (copied.deed, copied.new_number) == (Deed.DONE, one)
    assert await inside(store, one) == [{1, 3}]


async def test_copies_are_made_all_or_none(valkey: Valkey) -> None:
    async with await open_store(valkey, sandbox_messages=3) as store:
        one, two = await opened(store, SandboxProfile.GRAPH)
        with pytest.raises(ProviderFull):
            await store.sandbox.copy(ANN, [one, two], 3)
        assert len(await store.sandbox.rows(ANN, ANY)) == 2
        await store.sandbox.copy(ANN, [one, 77], 3)


@pytest.mark.parametrize("profile", list(SandboxProfile))
async def test_what_is_deleted_goes_by_the_trash(store: Store, profile: SandboxProfile) -> None:
    (one,) = await opened(store, profile, 1)
    (first,) = await store.sandbox.delete(ANN, [one], trash=5)
    assert first.new_number is not None
    assert await inside(store, first.new_number) == [{5}]
    (second,) = await store.sandbox.delete(ANN, [first.new_number], trash=5)
    assert (second.deed, second.new_number) == (Deed.DONE, None)
    assert await store.sandbox.rows(ANN, ANY) == []
    assert (await store.sandbox.state(ANN)).modseq == (await store.sandbox.snapshot(ANN)).state.modseq


# --- history


async def test_every_step_is_remembered_in_its_order(store: Store) -> None:
    (one,) = await opened(store, SandboxProfile.GMAIL, 1)
    start = (await store.sandbox.state(ANN)).modseq
    await store.sandbox.edit(ANN, [one], SandboxEdit(add_flags=frozenset({"b"}), enter=frozenset({3})))
    await store.sandbox.delete(ANN, [one])
    history = await store.sandbox.history(ANN, start, 10)
    assert (history.modseq, history.expired) == (start + 2, False)
    assert history.steps == [
        SandboxStep(
            number=one,
            before=frozenset({1}),
            after=frozenset({1, 3}),
            flags_before=frozenset({"a"}),
            flags=frozenset({"a", "b"}),
        ),
        SandboxStep(
            number=one,
            before=frozenset({1, 3}),
            after=None,
            flags_before=frozenset({"a", "b"}),
            flags=NONE,
        ),
    ]
    assert (await store.sandbox.history(ANN, start, 1)).steps == history.steps[:1]
    assert (await store.sandbox.history(ANN, start + 2, 10)).steps == []
    assert (await store.sandbox.history(ANN, start + 3, 10)).expired


async def test_history_is_bounded_and_can_be_forgotten(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_lib, "HISTORY_RECORDS", 3)
    await opened(store, SandboxProfile.IMAP, 5)
    state = await store.sandbox.state(ANN)
    assert (state.modseq, state.floor) == (6, 3)
    assert (await store.sandbox.history(ANN, 2, 10)).expired
    assert [one.number for one in (await store.sandbox.history(ANN, 3, 10)).steps] == [3, 4, 5]
    await store.sandbox.expire_history(ANN)
    assert (await store.sandbox.history(ANN, 6, 10)).expired, "the newest position too"
    assert {one.modseq for one in await store.sandbox.mailboxes(ANN)} == {7}
    assert (await store.sandbox.history(ANN, 7, 10)).steps == []


# --- mailboxes


async def paths(store: Store) -> dict[str, int]:
    return {"/".join(one.path): one.number for one in await store.sandbox.mailboxes(ANN)}


async def test_a_mailbox_is_made_with_what_lacks_above_it(store: Store) -> None:
    await opened(store, SandboxProfile.IMAP, 0)
    assert await store.sandbox.create_mailbox(ANN, ["A", "B b", "C"]) == 9
    assert await store.sandbox.create_mailbox(ANN, ["A", "D"]) == 10
    assert {"A": 7, "A/B b": 8, "A/B b/C": 9, "A/D": 10}.items() <= (await paths(store)).items()
    with pytest.raises(MailboxExists):
        await store.sandbox.create_mailbox(ANN, ["A"])
    with pytest.raises(MailboxExists):
        await store.sandbox.create_mailbox(ANN, ["inbox"])
    for wrong in ([], [""], ["a", ""], ["a/b"], [" a"], ["a\r\nb"], ["x" * 1_001]):
        with pytest.raises(RequestInvalid, match="path"):
            await store.sandbox.create_mailbox(ANN, wrong)


async def test_a_mailbox_is_renamed_with_all_beneath_it(store: Store) -> None:
    await opened(store, SandboxProfile.IMAP, 0)
    for path in (["A"], ["A", "B"], ["A b"], ["Z"]):
        await store.sandbox.create_mailbox(ANN, path)
    before = await paths(store)
    await store.sandbox.rename_mailbox(ANN, before["A"], ["New", "A"])
    after = await paths(store)
    assert (after["New/A"], after["New/A/B"], after["A b"]) == (before["A"], before["A/B"], before["A b"])
    assert "New" in after
    with pytest.raises(MailboxExists):
        await store.sandbox.rename_mailbox(ANN, before["A"], ["Z"])
    with pytest.raises(RequestInvalid, match="path"):
        await store.sandbox.rename_mailbox(ANN, before["A"], ["New", "A", "In"])
    with pytest.raises(RequestInvalid, match="path"):
        await store.sandbox.rename_mailbox(ANN, before["A"], ["x" * 999])
    with pytest.raises(RequestInvalid, match="name"):
        await store.sandbox.rename_mailbox(ANN, 1, ["Elsewhere"])
    assert await paths(store) == after


@pytest.mark.parametrize("profile", list(SandboxProfile))
async def test_a_mailbox_is_deleted_with_what_is_only_in_it(store: Store, profile: SandboxProfile) -> None:
    await opened(store, profile, 0)
    number = await store.sandbox.create_mailbox(ANN, ["A"])
    message = await store.sandbox.append(ANN, number, b"x", NONE, NOON)
    inner = await store.sandbox.create_mailbox(ANN, ["A", "B"])
    with pytest.raises(RequestInvalid, match="name"):
        await store.sandbox.delete_mailbox(ANN, number)
    await store.sandbox.delete_mailbox(ANN, inner)
    await store.sandbox.delete_mailbox(ANN, number)
    left = await store.sandbox.messages(ANN, [message])
    assert bool(left) is (profile is SandboxProfile.GMAIL)
    assert all(row.mailboxes == NONE for row in left.values())
    with pytest.raises(RequestInvalid, match="name"):
        await store.sandbox.delete_mailbox(ANN, 5)
    assert await store.sandbox.create_mailbox(ANN, ["A"]) == 9, "numbers are not used again"


async def test_a_sandbox_holds_a_bounded_number_of_mailboxes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postroom_server.store.sandbox.MAX_MAILBOXES", 8)
    await opened(store, SandboxProfile.IMAP, 0)
    await store.sandbox.create_mailbox(ANN, ["A"])
    with pytest.raises(ProviderFull):
        await store.sandbox.create_mailbox(ANN, ["B", "C"])
    assert "B" not in await paths(store)


# --- faults


async def test_an_account_is_offline_until_then_or_until_cleared(store: Store) -> None:
    await opened(store, SandboxProfile.IMAP, 0)
    now = datetime.now(UTC)
    await store.sandbox.go_offline(ANN, now + timedelta(milliseconds=300))
    assert (await store.sandbox.state(ANN)).offline

    async def back() -> bool:
        return not (await store.sandbox.state(ANN)).offline

    await eventually(back)
    await store.sandbox.go_offline(ANN, None)
    await store.sandbox.append(ANN, 1, b"mail still arrives", NONE, NOON)
    await store.sandbox.open(ANN, "ann@sandbox.example")
    assert (await store.sandbox.state(ANN)).offline
    await store.sandbox.clear_faults(ANN)
    assert await back()


async def test_refusals_are_used_up_one_by_one(store: Store) -> None:
    await opened(store, SandboxProfile.IMAP, 0)
    refusal = Refusal(code=451, enhanced_status="", text="not now, please")
    await store.sandbox.refuse_sends(ANN, refusal, 2)
    assert [await store.sandbox.take_refusal(ANN) for _ in range(3)] == [refusal, refusal, None]
    await store.sandbox.refuse_sends(ANN, refusal, 9)
    await store.sandbox.clear_faults(ANN)
    assert await store.sandbox.take_refusal(ANN) is None
    with pytest.raises(AccountGone):
        await store.sandbox.refuse_sends(BOB, refusal, 1)
