"""Live accounts whose messages keep their keys: labels and folders come and go, and the feed tells each change once."""

from __future__ import annotations

import pytest
from postroom_server.domain.messages import View
from postroom_server.domain.sandbox_store import SandboxEdit
from postroom_server.errors import MessageNotFound
from postroom_server.ids import MessageId
from postroom_server.store import Store

from tests.fixtures.live import make_node, sandbox_backends
from tests.fixtures.slots import (
    ANN,
    Ann,
    letter,
    listed_again,
    looked,
    message_of,
    short,
)


async def test_a_new_message_is_told_and_can_be_read(ann: Ann) -> None:
    await ann.arrive("one")
    assert await ann.facts(1) == [("added", "one", "inbox")]
    (found,) = await ann.listed("inbox")
    boxes = await ann.mailboxes()
    assert found.mailboxes == (boxes["inbox"].id,)
    got = await ann.node.commands.get_message(ann.node.call(), ANN, found.id, view=View.FULL, text_budget=100)
    assert (got.id, got.text, got.mailboxes) == (found.id, "Hi\n", found.mailboxes)
    source = await ann.node.commands.source(ann.node.call(), ANN, found.id)
    assert b"".join([piece async for piece in source.chunks]) == letter("one")
    assert (boxes["inbox"].row.messages, boxes["inbox"].row.unseen) == (1, 1)


async def test_labels_come_and_go(labels: Ann) -> None:
    number = await labels.arrive("one")
    (added,) = await labels.told(1)
    await labels.label(number, add="drafts")
    assert await labels.facts(1) == [("mailboxes", ["drafts"], [], ["inbox", "drafts"])]
    (found,) = await labels.listed("drafts")
    assert len(found.mailboxes) == 2
    await labels.label(number, remove="inbox", flags="$seen")
    assert sorted(await labels.facts(2)) == [("flags", ["$seen"]), ("mailboxes", [], ["inbox"], ["drafts"])]
    await labels.label(number, add="inbox", remove="drafts")
    (moved,) = await labels.told(1)
    assert short(moved, await labels.ids()) == ("moved", "drafts", "inbox")
    assert moved.message_moved.evidence == moved.message_moved.SERVER
    assert message_of(added) == message_of(moved)
    assert message_of(added).endswith(found.id)


async def test_an_archived_message_is_in_no_mailbox_but_all(labels: Ann) -> None:
    """All is every message that is not in the trash or junk; no change speaks of it."""
    number, other = await labels.arrive("one"), await labels.arrive("two")
    await labels.told(2)
    await labels.label(number, remove="inbox")
    assert await labels.facts(1) == [("mailboxes", [], ["inbox"], [])]
    assert await labels.subjects("inbox") == ["two"]
    assert await labels.subjects("all mail") == ["two", "one"]
    (_, found) = await labels.listed("all mail")
    assert found.mailboxes == ()
    await labels.label(number, add="trash")
    assert await labels.facts(1) == [("mailboxes", ["trash"], [], ["trash"])]
    await labels.label(other, add="junk", remove="inbox")
    assert await labels.facts(1) == [("moved", "inbox", "junk")]
    assert await labels.subjects("all mail") == []
    await labels.store.sandbox.delete(ANN, [number])
    assert await labels.facts(1) == [("removed", "trash")]
    assert (await labels.mailboxes())["junk"].row.messages == 1


async def test_a_move_is_told_once_under_the_same_id(ann: Ann) -> None:
    number = await ann.arrive("one")
    (added,) = await ann.told(1)
    await ann.move(number, "trash")
    (moved,) = await ann.told(1)
    assert short(moved, await ann.ids()) == ("moved", "inbox", "trash")
    assert message_of(moved) == message_of(added)
    (found,) = await ann.listed("trash")
    assert message_of(added).endswith(found.id)
    assert await ann.listed("inbox") == []


async def test_there_and_back_again_is_nothing_or_two_moves(ann: Ann) -> None:
    """A to B to A: whatever was seen of it, the feed ends where the provider is, and no message is doubled."""
    number = await ann.arrive("one")
    await ann.told(1)
    for to in ("drafts", "inbox"):
        await ann.move(number, to)

    async def at_rest() -> None:
        await looked(await ann.node.supervisor.worker(ANN, ann.node.call().deadline))

    await at_rest()
    found = [short(one, await ann.ids()) for one in await ann.node.changes("ann", cursor=ann.cursor)]
    assert found in ([], [("moved", "inbox", "drafts"), ("moved", "drafts", "inbox")])
    assert await ann.subjects("inbox") == ["one"]
    assert await ann.subjects("drafts") == []


async def test_moves_made_while_the_worker_was_away_are_told_as_moves(ann: Ann, store: Store) -> None:
    """What moved, was marked, came and went meanwhile is found by the next owner: each difference once."""
    keep, move, drop = [await ann.arrive(one) for one in ("keep", "move", "drop")]
    added = await ann.told(3)
    await ann.node.stop()
    await ann.move(move, "sent")
    await ann.move(keep, "drafts")
    await ann.move(keep, "inbox")
    await ann.label(keep, flags="$flagged") if ann.boxes.get("all mail") else await ann.store.sandbox.edit(
        ANN, [keep], SandboxEdit(add_flags=frozenset({"$flagged"}))
    )
    await store.sandbox.delete(ANN, [drop])
    await ann.arrive("new")
    async with sandbox_backends(store) as backends:
        node = ann.node = make_node(store, backends)
        try:
            await node.connected("ann")
            changes = await ann.told(4)
            assert sorted(map(str, [short(one, await ann.ids()) for one in changes])) == [
                "('added', 'new', 'inbox')",
                "('flags', ['$flagged'])",
                "('moved', 'inbox', 'sent')",
                "('removed', 'inbox')",
            ]
            moved = next(one for one in changes if one.WhichOneof("fact") == "message_moved")
            assert message_of(moved) == message_of(added[1])
            gone = message_of(added[2]).rpartition("/")[2]
            with pytest.raises(MessageNotFound):
                await node.commands.get_message(
                    node.call(), ANN, MessageId(gone), view=View.BASIC, text_budget=0
                )
        finally:
            await node.stop()


async def test_after_an_expired_history_only_true_differences_are_told(ann: Ann, store: Store) -> None:
    stay, move, drop = [await ann.arrive(one) for one in ("stay", "move", "drop")]
    await ann.told(3)
    await ann.node.stop()
    await ann.move(move, "sent")
    await store.sandbox.delete(ANN, [drop])
    await ann.arrive("new")
    await store.sandbox.expire_history(ANN)
    async with sandbox_backends(store) as backends:
        node = ann.node = make_node(store, backends)
        try:
            await node.connected("ann")
            worker = await node.supervisor.worker(ANN, node.call().deadline)
            await looked(worker)
            changes = await node.changes("ann", cursor=ann.cursor)
            names = await ann.ids()
            facts = [short(one, names) for one in changes]
            assert sorted(map(str, [one for one in facts if "reset" not in str(one[0])])) == [
                "('added', 'new', 'inbox')",
                "('moved', 'inbox', 'sent')",
                "('removed', 'inbox')",
            ]
            resets = [one for one in changes if "reset" in str(one.WhichOneof("fact"))]
            assert resets
            assert changes[0] == resets[0], "the reset is told first"
            for one in changes:
                assert one.cause.kind == one.cause.RESYNC
        finally:
            await node.stop()
    del stay


async def test_a_mailbox_that_is_deleted_takes_its_mark_along(labels: Ann, store: Store) -> None:
    work = await store.sandbox.create_mailbox(ANN, ["Work"])
    labels.boxes["work"] = work
    await listed_again(labels, 1)
    number = await labels.arrive("one")
    await labels.told(1)
    await labels.label(number, add="work")
    assert await labels.facts(1) == [("mailboxes", ["work"], [], ["inbox", "work"])]
    names = await labels.ids()
    await store.sandbox.delete_mailbox(ANN, work)
    changes = await listed_again(labels, 2)
    assert [one.WhichOneof("fact") for one in changes] == ["mailboxes_changed", "mailbox_removed"]
    assert short(changes[0], names) == ("mailboxes", [], ["work"], ["inbox"])
    assert await labels.subjects("all mail") == ["one"]


async def test_a_label_that_is_new_is_listed_before_its_messages_are_told(labels: Ann, store: Store) -> None:
    labels.boxes["work"] = await store.sandbox.create_mailbox(ANN, ["Work"])
    await labels.arrive("one", "work")
    first, second = await labels.told(2)
    assert first.WhichOneof("fact") == "mailbox_added"
    assert short(second, await labels.ids()) == ("added", "one", "work")


async def test_a_folder_that_is_deleted_takes_its_messages_along(folders: Ann, store: Store) -> None:
    folders.boxes["work"] = work = await store.sandbox.create_mailbox(ANN, ["Work"])
    await listed_again(folders, 1)
    number, other = await folders.arrive("one"), await folders.arrive("two")
    await folders.told(2)
    await folders.move(number, "work")
    names = await folders.ids()
    (moved,) = await folders.told(1)
    assert short(moved, names) == ("moved", "inbox", "work")
    await store.sandbox.delete_mailbox(ANN, work)
    changes = await listed_again(folders, 2)
    assert [short(one, names)[0] for one in changes] == ["removed", "mailbox_removed"]
    assert await folders.subjects("inbox") == ["two"]
    del other


async def test_a_renamed_mailbox_keeps_its_id_and_its_messages(ann: Ann, store: Store) -> None:
    ann.boxes["work"] = work = await store.sandbox.create_mailbox(ANN, ["Work"])
    await listed_again(ann, 1)
    await ann.arrive("one", "work")
    await ann.told(1)
    before = (await ann.mailboxes())["work"].id
    await store.sandbox.rename_mailbox(ANN, work, ["Play"])
    (renamed,) = await listed_again(ann, 1)
    assert (renamed.mailbox_renamed.old_path, renamed.mailbox_renamed.new_path) == ("Work", "Play")
    assert (await ann.mailboxes())["play"].id == before
    assert await ann.subjects("play") == ["one"]
