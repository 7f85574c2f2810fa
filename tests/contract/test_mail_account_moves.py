"""The ports MessageMover, MailboxEditor and MessageLocator, one suite for every provider that has them.

Where a message's key is for life it stays the same through every move; where mailboxes number their messages the answer
says the new one. The truth is what `changes()` shows of both mailboxes afterwards.
"""

from __future__ import annotations

import random

import pytest
from postroom_server.domain.flags import SEEN, Flag
from postroom_server.domain.keys import ItemKey, MailboxKey
from postroom_server.domain.ports import (
    ItemEdit,
    ItemResult,
    MailAccount,
    MailboxEditor,
    Membership,
    MessageMover,
    Numbering,
    Outcome,
)
from postroom_server.errors import DeadlineExceeded, MailboxExists, MailboxNotFound, RequestInvalid

from tests.contract.calls import keys_in, read
from tests.contract.letters import letter
from tests.contract.mirror import mirror_of
from tests.fixtures.worlds import World, call, key_of, mailbox_row

PLAIN = letter("plain")


@pytest.fixture
def mover(account: MailAccount) -> MessageMover:
    if account.mover is None:
        pytest.skip("capability: messages cannot be moved here")
    return account.mover


@pytest.fixture
def editor(account: MailAccount) -> MailboxEditor:
    if account.mailbox_editor is None:
        pytest.skip("capability: mailboxes cannot be changed here")
    return account.mailbox_editor


async def all_of(results) -> dict[ItemKey, ItemResult]:
    return {one.key: one async for one in results}


async def test_a_moved_message_is_in_one_mailbox_and_not_in_the_other(account, world, mover):
    """Its flags and bytes go along, and the result's key is the one that changes() names."""
    await world.put(PLAIN.raw, flags=["$seen"])
    await world.put(PLAIN.raw)
    moved, stays = await keys_in(account)
    results = await all_of(mover.move(call(), [moved], None, await key_of(account, "Sent")))
    assert results[moved].outcome is Outcome.DONE
    assert await keys_in(account) == [stays]
    assert await keys_in(account, "Sent") == [results[moved].new_key]
    if account.capabilities.numbering is Numbering.SLOT:
        assert results[moved].new_key == moved
    (summary,) = [one async for one in account.summaries(call(), [results[moved].new_key])]
    assert summary.flags == {SEEN}
    assert await read(await account.source(call(), results[moved].new_key)) == PLAIN.raw


async def test_moving_again_changes_nothing(account, world, mover):
    """It is there already."""
    await world.put(PLAIN.raw, "Sent")
    (key,) = await keys_in(account, "Sent")
    results = await all_of(mover.move(call(), [key], None, await key_of(account, "Sent")))
    assert results[key].outcome is Outcome.UNCHANGED
    assert await keys_in(account, "Sent") == [key]


async def test_items_that_are_gone_do_not_stop_the_others(account, world, mover):
    """One result per key, in every verb."""
    numbers = [await world.put(PLAIN.raw) for _ in range(3)]
    keys = await keys_in(account)
    await world.expunge([numbers[1]])
    to = await key_of(account, "Sent")
    results = await all_of(mover.copy(call(), keys, to))
    assert [results[key].outcome for key in keys] == [Outcome.DONE, Outcome.GONE, Outcome.DONE]
    results = await all_of(mover.delete(call(), keys, permanent=True))
    assert [results[key].outcome for key in keys] == [Outcome.DONE, Outcome.GONE, Outcome.DONE]
    results = await all_of(mover.move(call(), [*keys, ItemKey(b"nonsense-key")], None, to))
    assert {one.outcome for one in results.values()} == {Outcome.GONE}


async def test_a_copy_is_a_message_of_its_own_or_the_message_itself(account, world, mover):
    """By whether a message may be in many mailboxes."""
    await world.put(PLAIN.raw)
    (key,) = await keys_in(account)
    results = await all_of(mover.copy(call(), [key], await key_of(account, "Sent")))
    assert await keys_in(account) == [key]
    assert await keys_in(account, "Sent") == [results[key].new_key]
    assert (results[key].new_key == key) is (account.capabilities.membership is Membership.MANY)
    await all_of(mover.delete(call(), [results[key].new_key], permanent=True))
    assert bool(await keys_in(account)) is (account.capabilities.membership is Membership.ONE)


async def test_what_is_deleted_is_in_the_trash_and_then_gone(account, world, mover):
    """Twice is for good, once is enough when it is meant so."""
    await world.put(PLAIN.raw)
    (key,) = await keys_in(account)
    first = (await all_of(mover.delete(call(), [key], permanent=False)))[key]
    assert (await keys_in(account), await keys_in(account, "Trash")) == ([], [first.new_key])
    second = await all_of(mover.delete(call(), [first.new_key], permanent=False))
    assert [(one.outcome, one.new_key) for one in second.values()] == [(Outcome.DONE, None)]
    assert await keys_in(account, "Trash") == []


async def test_nothing_moves_to_a_mailbox_that_is_none(account, world, mover):
    """MailboxNotFound, and everything is where it was."""
    await world.put(PLAIN.raw)
    keys = await keys_in(account)
    for run in (
        mover.move(call(), keys, None, MailboxKey(b"nope")),
        mover.copy(call(), keys, MailboxKey(b"nope")),
    ):
        with pytest.raises(MailboxNotFound):
            await all_of(run)
    assert await keys_in(account) == keys


async def test_a_move_whose_deadline_has_passed_moves_nothing(account, world, mover):
    """DeadlineExceeded at once."""
    await world.put(PLAIN.raw)
    keys = await keys_in(account)
    to = await key_of(account, "Sent")
    with pytest.raises(DeadlineExceeded):
        await all_of(mover.move(call(-0.001), keys, None, to))
    assert await keys_in(account) == keys


async def test_labels_come_and_go_by_difference(account, world):
    """Where a message may be in many mailboxes; in none it is still there."""
    if account.capabilities.membership is Membership.ONE:
        pytest.skip("capability: a message is in one mailbox here")
    await world.put(PLAIN.raw)
    (key,) = await keys_in(account)
    inbox, sent, junk = [await key_of(account, path) for path in ("INBOX", "Sent", "Junk")]
    edit = ItemEdit(add_mailboxes=frozenset({sent, junk}), remove_mailboxes=frozenset({inbox}))
    assert (await all_of(account.modify(call(), [key], edit)))[key].outcome is Outcome.DONE
    (summary,) = [one async for one in account.summaries(call(), [key])]
    assert set(summary.mailboxes) == {sent, junk}
    assert (await keys_in(account), await keys_in(account, "Sent")) == ([], [key])
    away = ItemEdit(remove_mailboxes=frozenset({sent, junk}))
    await all_of(account.modify(call(), [key], away))
    (summary,) = [one async for one in account.summaries(call(), [key])]
    assert summary.mailboxes == ()


async def test_what_has_left_a_folder_can_be_located(account: MailAccount, world: World) -> None:
    """Gone is not final where a scope does not say where to; every key is answered, in order."""
    if account.locator is None or account.mover is None:
        pytest.skip("capability: what leaves a scope is gone here")
    for _ in range(3):
        await world.put(PLAIN.raw)
    mirror = await mirror_of(account)
    await mirror.look(call())
    stays, moves, goes = keys = await keys_in(account)
    sent = await key_of(account, "Sent")
    await all_of(account.mover.move(call(), [moves], None, sent))
    await all_of(account.mover.delete(call(), [goes], permanent=True))
    pages = [page async for page in account.changes(call(), mirror.scope, mirror.cursor)]
    assert {key for page in pages for key in page.gone} == {moves, goes}
    assert not any(page.gone_final for page in pages)
    found = await account.locator.locate(call(), [*keys, ItemKey(b"?")])
    inbox = await key_of(account)
    assert [(one.key, one.mailboxes) for one in found] == [
        (stays, (inbox,)),
        (moves, (sent,)),
        (goes, ()),
        (ItemKey(b"?"), ()),
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_following_a_busy_account_never_loses_the_truth(account, world, mover, seed):
    """A random walk of arrivals, moves, copies, flags and removals over three mailboxes, looked at now and then."""
    chance = random.Random(seed)
    paths = ("INBOX", "Sent", "Trash")
    mirrors = {path: await mirror_of(account, path) for path in paths}
    many = account.capabilities.membership is Membership.MANY

    async def is_the_truth() -> None:
        for path, mirror in mirrors.items():
            assert await mirror.look(call()) == dict(await world.truth(path)), path

    for _ in range(60):
        path = chance.choice(paths)
        other = await key_of(account, chance.choice(paths))
        keys = await keys_in(account, path)
        some = chance.sample(keys, min(len(keys), chance.randrange(1, 4)))
        match chance.choice(("put", "put", "move", "move", "copy", "flag", "delete", "label")):
            case "put":
                await world.put(PLAIN.raw, path, flags=chance.sample(("$seen", "a", "b"), 2))
            case "move":
                await all_of(mover.move(call(), some, None, other))
            case "copy":
                await all_of(mover.copy(call(), some, other))
            case "delete":
                await all_of(mover.delete(call(), some, permanent=chance.random() < 0.5))
            case "flag":
                added, removed = chance.sample((Flag("a"), Flag("b"), SEEN), 2)
                edit = ItemEdit(add_flags=frozenset({added}), remove_flags=frozenset({removed}))
                await all_of(account.modify(call(), some, edit))
            case "label" if many:
                edit = ItemEdit(add_mailboxes=frozenset({other}))
                await all_of(account.modify(call(), some, edit))
        if chance.random() < 0.4:
            await is_the_truth()
    await is_the_truth()


async def test_a_mailbox_is_made_renamed_and_deleted(account, world, editor):
    """With its levels; its key stays, and so does what is in it."""
    made = await editor.create_mailbox(call(), ["Kunden", "Grüße"])
    assert (made.path, made.selectable) == (("Kunden", "Grüße"), True)
    assert (await mailbox_row(account, "Kunden/Grüße")).key == made.key
    await world.put(PLAIN.raw, "Kunden/Grüße")
    before = await keys_in(account, "Kunden/Grüße")
    renamed = await editor.rename_mailbox(call(), (await key_of(account, "Kunden")), ["Neu"])
    assert renamed.path == ("Neu",)
    assert await keys_in(account, "Neu/Grüße") == before
    with pytest.raises(MailboxExists):
        await editor.create_mailbox(call(), ["Neu", "Grüße"])
    await editor.subscribe_mailbox(call(), made.key, on=False)
    assert (await mailbox_row(account, "Neu/Grüße")).subscribed is False
    await editor.delete_mailbox(call(), made.key)
    with pytest.raises(MailboxNotFound):
        await editor.delete_mailbox(call(), made.key)
    assert ("Neu", "Grüße") not in {row.path for row in await account.list_mailboxes(call(), counts=False)}


async def test_a_mailbox_with_a_role_stays(account, editor):
    """And a path that is none is refused by name."""
    for path in ("INBOX", "Trash"):
        with pytest.raises(RequestInvalid):
            await editor.delete_mailbox(call(), await key_of(account, path))
    with pytest.raises(RequestInvalid) as caught:
        await editor.create_mailbox(call(), ["a", ""])
    assert caught.value.violations[0][0] == "path"
