"""From public names to the provider's keys and back, on an account that this node owns.

It owns both ways of numbering: by the provider, a space per mailbox, where a key follows from its place; and by us, one
space of slots, where the table tells. It refuses to ask the provider, except for messages that it shows before sync does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pyroaring import BitMap

from postroom_server.domain.identity import BadId
from postroom_server.domain.keys import ItemKey, ScopeId, item_key, split_key
from postroom_server.domain.mailboxes import MailboxRecord, Role
from postroom_server.domain.messages import Message, Summary
from postroom_server.domain.ports import Call, MailAccount, Numbering
from postroom_server.domain.storage import Chunk, Position
from postroom_server.domain.sync import MAILBOX_MARKS
from postroom_server.errors import MailboxNotFound, MailboxNotSelectable, MessageNotFound
from postroom_server.ids import MailboxId, MessageId
from postroom_server.workers.account import AccountWorker

CHUNKS_PER_LOOK: Final = 32
"""Chunks of a snapshot that one look from the newest end loads."""
_ROLES: Final[Mapping[str, Role]] = {role.value: role for role in Role}
_HIDDEN: Final = frozenset({Role.TRASH, Role.JUNK})
"""Mailboxes whose messages are not in the virtual mailbox of all messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a message is numbered, and its key. `record` is its mailbox; None where it may be in any."""

    space: int
    number: int
    key: ItemKey
    record: MailboxRecord | None


# --- mailboxes ----------------------------------------------------------------------------------------------------


def record_of(worker: AccountWorker, mailbox: MailboxId) -> MailboxRecord:
    """The record of a mailbox by id or role. Raises MailboxNotFound."""
    records = worker.ledger.mailboxes
    role = _ROLES.get(mailbox)
    if role is not None:
        found = _with_role(worker, role)
        if found is None:
            raise MailboxNotFound(f"The account has no mailbox with the role {mailbox}.", mailbox=mailbox)
        return found
    try:
        return records[worker.entries.identity.mailbox_number(worker.account.id, mailbox)]
    except (BadId, KeyError):
        raise MailboxNotFound(mailbox=mailbox[:64]) from None


def _with_role(worker: AccountWorker, role: Role) -> MailboxRecord | None:
    records = sorted(worker.ledger.mailboxes.values(), key=lambda one: one.number)
    return next((one for one in records if worker.show(one).row.role is role), None)


def selectable(worker: AccountWorker, mailbox: MailboxId) -> MailboxRecord:
    """The same of a mailbox that may hold messages. Raises MailboxNotFound, MailboxNotSelectable."""
    record = record_of(worker, mailbox)
    if record.row.scope is None or not record.row.selectable:
        raise MailboxNotSelectable(mailbox=mailbox)
    return record


# --- messages -----------------------------------------------------------------------------------------------------


async def find(worker: AccountWorker, message: MessageId) -> Place:
    """Where a message is. Raises MessageNotFound."""
    try:
        space, number = worker.entries.identity.place(worker.account.id, message)
    except BadId:
        raise MessageNotFound(message=message[:64]) from None
    messages = worker.ledger.messages
    if messages is not None and messages.space == space:
        keys = await worker.sync.slots.index.keys((number,))
        if number not in keys:
            raise MessageNotFound(message=message)
        return Place(space=space, number=number, key=keys[number], record=None)
    record = worker.sync.by_space(space)
    if record is None:
        raise MessageNotFound(message=message)
    return Place(space=space, number=number, key=_key(record, number), record=record)


def _key(record: MailboxRecord, number: int) -> ItemKey:
    return item_key(ScopeId(record.row.key), record.epoch, number)


async def public(
    worker: AccountWorker, mail: MailAccount, call: Call, summaries: Sequence[Summary]
) -> list[Message]:
    """Messages under their public names, in order; those that are gone by now are left out."""
    if mail.capabilities.numbering is Numbering.SLOT:
        return await _public_slots(worker, mail, call, summaries)
    found: list[Message] = []
    for summary in summaries:
        scope, epoch, number = split_key(summary.key)
        record = worker.sync.record_of(scope)
        if record is not None and record.epoch == epoch:
            place = record.space, number
            found.append(worker.entries.message((record.number,), place, summary))
    return found


async def _public_slots(
    worker: AccountWorker, mail: MailAccount, call: Call, summaries: Sequence[Summary]
) -> list[Message]:
    """The same with slots: what sync has not seen yet gets its slot now, and is told."""
    index = worker.sync.slots.index
    keys = [summary.key for summary in summaries]
    slots = await index.slots(keys)
    unknown = [key for key in keys if key not in slots]
    if unknown:
        await worker.sync.slots.arrived(mail, call, unknown)
        slots |= await index.slots(unknown)
    messages = worker.ledger.messages
    if messages is None:
        return []
    numbers = {one.row.key: one.number for one in worker.ledger.mailboxes.values() if not one.row.virtual}
    return [
        worker.entries.message(
            [numbers[key] for key in summary.mailboxes if key in numbers],
            (messages.space, slots[summary.key]),
            summary,
        )
        for summary in summaries
        if summary.key in slots
    ]


# --- listings -----------------------------------------------------------------------------------------------------


def space_of(worker: AccountWorker, record: MailboxRecord) -> int:
    """The space in which the messages of a mailbox are numbered, 0 for none yet."""
    messages = worker.ledger.messages
    return record.space if messages is None else messages.space


async def newest(worker: AccountWorker, record: MailboxRecord, limit: int, before: int | None) -> list[Place]:
    """At most `limit` places of the mailbox's snapshot with numbers below `before`, the largest first."""
    messages = worker.ledger.messages
    position = messages or worker.ledger.positions.get(record.space)
    if position is None:
        return []
    numbers = await _largest(worker, position, record, limit, before)
    if messages is None:
        keys = {number: _key(record, number) for number in numbers}
    else:
        keys = await worker.sync.slots.index.keys(numbers)
    owner = None if messages is not None else record
    return [
        Place(space=position.space, number=number, key=keys[number], record=owner)
        for number in numbers
        if number in keys
    ]


async def _largest(
    worker: AccountWorker, position: Position, record: MailboxRecord, limit: int, before: int | None
) -> list[int]:
    bits = position.span_bits
    top = (min(before, position.next_number) if before is not None else position.next_number) - 1
    index = top >> bits
    numbers: list[int] = []
    while index >= 0 and len(numbers) < limit:
        wanted = list(range(index, max(index - CHUNKS_PER_LOOK, -1), -1))
        found = await worker.ledger.chunks(position.space, wanted)
        for one in wanted:
            if one in found:
                inside = _inside(worker, position, record, found[one])
                numbers.extend(number for number in reversed(inside) if number <= top)
            if len(numbers) >= limit:
                break
        index -= CHUNKS_PER_LOOK
    return numbers[:limit]


def _inside(worker: AccountWorker, position: Position, record: MailboxRecord, chunk: Chunk) -> BitMap:
    """Those of a chunk that are in the mailbox."""
    if position.mailbox:
        return chunk.members
    if not record.row.virtual:
        return chunk.marks.get(MAILBOX_MARKS + record.number, BitMap())
    hidden = BitMap()
    for one in worker.ledger.mailboxes.values():
        if one.row.role in _HIDDEN:
            hidden |= chunk.marks.get(MAILBOX_MARKS + one.number, BitMap())
    return chunk.members - hidden
