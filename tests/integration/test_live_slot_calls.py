"""What calls of ours do on accounts whose messages keep their keys: told at once as the call's, and not again by its echo."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

import pytest
from postroom_server.backends.sandbox.positions import lasting_key
from postroom_server.domain.accounts import SandboxProfile
from postroom_server.domain.flags import FLAGGED, Flag
from postroom_server.domain.keys import ItemKey, ItemKeys, ScopeId
from postroom_server.domain.mailboxes import Role
from postroom_server.domain.messages import ByteStream, Message
from postroom_server.domain.ports import Call, ItemEdit, ItemResult, Location, Observations, Outcome
from postroom_server.domain.sandbox_store import SandboxEdit
from postroom_server.domain.storage import Bucket
from postroom_server.errors import MessageNotFound, ProviderUnreachable
from postroom_server.ids import MailboxId, MessageId
from postroom_server.store import Store
from postroom_server.workers.commands import Commands
from postroom_server.workers.editing import Editing, MailboxUpdate
from postroom_server.workers.entries import REMOTE
from postroom_server.workers.filing import Filing
from postroom_server.workers.places import find
from postroom_server.workers.slot_commits import Look
from pyroaring import BitMap

from tests.fixtures.live import LiveNode
from tests.fixtures.slots import (
    ANN,
    Ann,
    letter,
    looked,
    message_of,
    open_ann,
    short,
)


async def test_own_edits_are_in_the_feed_at_once_with_the_calls_name_and_only_once(ann: Ann) -> None:
    await ann.arrive("one")
    (added,) = await ann.told(1)
    message = MessageId(message_of(added).rpartition("/")[2])
    call = replace(ann.node.call(), request_id="r-1")
    (result,) = await ann.node.commands.modify(
        call, ANN, [message], add=frozenset({Flag("$seen")}), remove=frozenset()
    )
    assert result.outcome is Outcome.DONE
    at_once = await ann.node.changes("ann", cursor=ann.cursor)
    assert [one.WhichOneof("fact") for one in at_once] == ["flags_changed"]
    (flags,) = await ann.told(1)
    assert (flags.cause.kind, flags.cause.request_id) == (flags.cause.API, "r-1")


async def test_own_labels_are_told_as_the_calls(labels: Ann) -> None:
    await labels.arrive("one")
    (added,) = await labels.told(1)
    message = MessageId(message_of(added).rpartition("/")[2])
    call = replace(labels.node.call(), request_id="r-2")
    await labels.node.commands.modify(
        call,
        ANN,
        [message],
        add=frozenset({Flag("$flagged")}),
        remove=frozenset(),
        enter=[MailboxId("sent")],
        leave=[MailboxId("inbox")],
    )
    at_once = await labels.node.changes("ann", cursor=labels.cursor)
    assert len(at_once) == 2
    changes = await labels.told(2)
    names = await labels.ids()
    assert sorted(map(str, [short(one, names) for one in changes])) == [
        "('flags', ['$flagged'])",
        "('moved', 'inbox', 'sent')",
    ]
    assert {(one.cause.kind, one.cause.request_id) for one in changes} == {(changes[0].cause.API, "r-2")}


async def test_own_moves_and_removals_change_nothing_when_they_echo(ann: Ann) -> None:
    """As the moving commands do it: note the cause, ask the provider, bring the snapshot up."""
    await ann.arrive("one")
    (added,) = await ann.told(1)
    worker = await ann.node.supervisor.worker(ANN, ann.node.call().deadline)
    mail = await worker.ready(ann.node.call())
    place = await find(worker, MessageId(message_of(added).rpartition("/")[2]))
    keys = {one.row.path[-1].lower(): one.row.key for one in worker.ledger.mailboxes.values()}
    assert mail.mover is not None
    with worker.sync.editing(place.space, [place.number], "r-3"):
        async for item in mail.mover.move(ann.node.call(), [place.key], keys["inbox"], keys["sent"]):
            assert item.outcome is Outcome.DONE
        await worker.sync.slots.moved(BitMap([place.number]), keys["inbox"], keys["sent"])
    (moved,) = await ann.told(1)
    assert short(moved, await ann.ids()) == ("moved", "inbox", "sent")
    assert (moved.cause.kind, moved.cause.request_id) == (moved.cause.API, "r-3")
    with worker.sync.editing(place.space, [place.number], "r-4"):
        async for _ in mail.mover.delete(ann.node.call(), [place.key], permanent=True):
            pass
        await worker.sync.slots.removed(BitMap([place.number]))
    (gone,) = await ann.told(1)
    assert short(gone, await ann.ids()) == ("removed", "sent")
    assert gone.cause.request_id == "r-4"
    with pytest.raises(MessageNotFound):
        await find(worker, MessageId(message_of(added).rpartition("/")[2]))


async def test_an_own_message_is_told_when_it_is_filed_and_once(ann: Ann) -> None:
    worker = await ann.node.supervisor.worker(ANN, ann.node.call().deadline)
    mail = await worker.ready(ann.node.call())
    record = next(one for one in worker.ledger.mailboxes.values() if one.row.role is Role.DRAFTS)
    raw = letter("draft")

    async def chunks() -> AsyncIterator[bytes]:
        yield raw

    stream = ByteStream(content_type="message/rfc822", size_bytes=len(raw), exact=True, chunks=chunks())
    with worker.sync.filing(record, "draft@example.org", "r-5"):
        key = await mail.append(ann.node.call(), record.row.key, stream, frozenset(), None)
        assert key is not None
        ids = await worker.sync.slots.arrived(mail, ann.node.call(), [key], "r-5")
    (added,) = await ann.told(1)
    assert short(added, await ann.ids()) == ("added", "draft", "drafts")
    assert (added.cause.kind, added.cause.request_id) == (added.cause.API, "r-5")
    assert message_of(added).endswith(ids[key])


async def test_a_page_that_is_older_than_an_own_move_does_not_undo_it(folders: Ann) -> None:
    """The folder was read, then the call moved the message, then the reading is committed: the call is the newer one."""
    number = await folders.arrive("one")
    (added,) = await folders.told(1)
    worker = await folders.node.supervisor.worker(ANN, folders.node.call().deadline)
    mail = await worker.ready(folders.node.call())
    place = await find(worker, MessageId(message_of(added).rpartition("/")[2]))
    keys = {one.row.path[-1].lower(): one.row.key for one in worker.ledger.mailboxes.values()}
    with worker.sync.slots.commits.view() as view:
        await folders.move(number, "sent")
        await worker.sync.slots.moved(BitMap([place.number]), None, keys["sent"])
        late = Observations(
            scope=ScopeId(keys["inbox"]),
            epoch=1,
            present=ItemKeys(keys=(place.key,)),
            gone=ItemKeys(),
            gone_final=False,
        )
        located = [Location(key=place.key, mailboxes=(keys["inbox"],))]
        inbox = next(one.number for one in worker.ledger.mailboxes.values() if one.row.key == keys["inbox"])
        look = Look(page=late, home=inbox, located=located, view=view, cause=REMOTE)
        _, again = await worker.sync.slots.commits.take(look)
    assert again == [place.key]
    assert mail.locator is not None
    (moved,) = await folders.told(1)
    assert short(moved, await folders.ids()) == ("moved", "inbox", "sent")


async def test_what_calls_do_to_mailboxes_is_told_as_theirs(ann: Ann) -> None:
    """Made, renamed, removed with its messages: once, with the call's name, whoever lists the mailboxes first."""
    call = replace(ann.node.call(), request_id="r-6")
    editing = Editing(ann.node.supervisor)
    made = await editing.create(call, ANN, "Work", subscribed=True)
    await editing.update(call, ANN, made.id, MailboxUpdate(path="Play"))
    changes = await ann.told(2)
    assert [one.WhichOneof("fact") for one in changes] == ["mailbox_added", "mailbox_renamed"]
    assert {one.cause.request_id for one in changes} == {"r-6"}
    rows = await ann.store.sandbox.mailboxes(ANN)
    ann.boxes["play"] = next(one.number for one in rows if one.path == ("Play",))
    await ann.arrive("one", "play")
    await ann.told(1)
    await editing.delete(call, ANN, made.id)
    gone = await ann.node.changes("ann", cursor=ann.cursor)
    assert gone[-1].WhichOneof("fact") == "mailbox_removed"
    assert gone[-1].cause.request_id == "r-6"
    assert len(await ann.told(len(gone))) == len(gone)


async def test_a_message_that_a_call_and_the_sync_find_at_once_is_told_once(ann: Ann) -> None:
    """The sync has looked the key up and found nothing; before it commits, a call has given the message its slot."""
    await ann.arrive("one")
    await ann.told(1)
    worker = await ann.node.supervisor.worker(ANN, ann.node.call().deadline)
    mail = await worker.ready(ann.node.call())
    looked_up, go_on = asyncio.Event(), asyncio.Event()
    buckets = worker.ledger.buckets

    async def late(space: int, indexes: Sequence[int]) -> Mapping[int, Bucket]:
        found = await buckets(space, indexes)
        if not looked_up.is_set():
            looked_up.set()
            await go_on.wait()
        return found

    worker.ledger.buckets = late  # type: ignore[method-assign]
    number = await ann.arrive("two")
    (inbox,) = [one for one in await ann.store.sandbox.mailboxes(ANN) if one.number == ann.boxes["inbox"]]
    key = lasting_key(inbox.epoch, number)
    await looked_up.wait()
    ids = await worker.sync.slots.arrived(mail, ann.node.call(), [key])
    go_on.set()
    (added,) = await ann.told(1)
    assert message_of(added).endswith(ids[key])


@pytest.mark.parametrize("profile", list(SandboxProfile))
@pytest.mark.parametrize("seen_between", [False, True])
async def test_a_call_that_was_overtaken_does_not_tell_what_is_no_longer_so(
    live: LiveNode, store: Store, profile: SandboxProfile, seen_between: bool
) -> None:
    """The call flags the message, somebody else takes the flag away, sync reads both, then the call tells what it did."""
    ann = await open_ann(live, store, profile)
    number = await ann.arrive("one")
    (added,) = await ann.told(1)
    message = MessageId(message_of(added).rpartition("/")[2])
    worker = await ann.node.supervisor.worker(ANN, ann.node.call().deadline)
    mail = await worker.ready(ann.node.call())
    modify = mail.modify

    async def overtaken(call: Call, keys: Sequence[ItemKey], edit: ItemEdit) -> AsyncIterator[ItemResult]:
        async for item in modify(call, keys, edit):
            if seen_between:
                await looked(worker)
            away = SandboxEdit(remove_flags=frozenset({"$flagged"}))
            await ann.store.sandbox.edit(ANN, [number], away)
            await looked(worker)
            yield item

    mail.modify = overtaken  # type: ignore[method-assign]
    await ann.node.commands.modify(
        ann.node.call(), ANN, [message], add=frozenset({FLAGGED}), remove=frozenset()
    )
    await looked(worker)
    changes = await ann.node.changes("ann", cursor=ann.cursor)
    last = list(changes[-1].flags_changed.flags) if changes else []
    assert "$flagged" not in last
    assert len(changes) in (0, 2)


class _Unreadable(Commands):
    """Reads no message."""

    async def get_message(self, *_: object, **__: object) -> Message:
        raise ProviderUnreachable("gone", stage="closed")


@pytest.mark.parametrize("profile", list(SandboxProfile))
async def test_a_message_that_was_filed_and_cannot_be_read_is_filed(
    live: LiveNode, store: Store, profile: SandboxProfile
) -> None:
    """The provider goes away between the message and its summary: an error would have the caller file it again."""
    ann = await open_ann(live, store, profile)
    filing = Filing(live.supervisor, _Unreadable(live.supervisor))
    made = await filing.append(
        live.call(), ANN, MailboxId("drafts"), letter("draft"),
        internet_message_id="draft@example.org", flags=frozenset(), received=None,
    )  # fmt: skip
    assert made is None
    (added,) = await ann.told(1, settle=False)
    assert added.message_added.message.subject == "draft"
