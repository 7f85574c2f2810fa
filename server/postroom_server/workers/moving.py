"""Callers' moves, copies and removals of messages, and changes of their mailboxes, on a live account that this node owns.

It owns the way from public names to the provider's keys and back, one result per message, and brings what was done into
the feed with the caller's request id before it answers; it refuses to know where a provider keeps messages.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Final

from pyroaring import BitMap

from postroom_server.domain.changes import Cause
from postroom_server.domain.keys import ItemKey, ScopeId, split_key
from postroom_server.domain.mailboxes import MailboxRecord
from postroom_server.domain.ports import (
    Call,
    ItemResult,
    MailAccount,
    MessageMover,
    Numbering,
    Outcome,
)
from postroom_server.errors import CapabilityMissing, MessageNotFound, NotImplementedYet, PostroomError
from postroom_server.ids import AccountId, MailboxId, MessageId
from postroom_server.workers.account import AccountWorker
from postroom_server.workers.causes import Filed, api
from postroom_server.workers.commands import MessageResult
from postroom_server.workers.ledger import LedgerMoved
from postroom_server.workers.places import Place, find, record_of, selectable
from postroom_server.workers.slot_commits import View
from postroom_server.workers.supervisor import Supervisor

FILED_AT_ONCE: Final = 64
"""Messages of one call whose arrival is put down to it, where a move gives them other keys; the rest is told as found."""

Run = Callable[[Sequence[ItemKey]], AsyncIterator[ItemResult]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved(MessageResult):
    """What became of one message; `result` is its name afterwards, or its copy's, None where there is none or not yet."""

    result: MessageId | None = None


@dataclass(slots=True, kw_only=True)
class _Batch:
    """The messages of one call as they were found, and what became of them."""

    worker: AccountWorker
    mail: MailAccount
    call: Call
    order: Sequence[MessageId]
    places: dict[ItemKey, tuple[MessageId, Place]] = field(default_factory=dict)
    results: dict[MessageId, Moved] = field(default_factory=dict)
    items: list[ItemResult] = field(default_factory=list)
    filed: list[Filed] = field(default_factory=list)
    view: View | None = None
    """What was said of these messages by others since the call began."""

    @property
    def slots(self) -> bool:
        """Whether a message keeps its key wherever it goes."""
        return self.mail.capabilities.numbering is Numbering.SLOT

    @property
    def cause(self) -> Cause:
        """What its changes are put down to."""
        return api(self.call.request_id)

    def of(self, *outcomes: Outcome) -> list[ItemResult]:
        """Items of these outcomes."""
        return [item for item in self.items if item.outcome in outcomes]

    def numbers(self, items: Sequence[ItemResult]) -> BitMap:
        """Numbers of these items in the account's space."""
        return BitMap(self.places[item.key][1].number for item in items)


class Moving:
    """Moves, copies and removals on accounts of this node."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    async def move(
        self,
        call: Call,
        account: AccountId,
        messages: Sequence[MessageId],
        to: MailboxId,
        source: MailboxId | None,
    ) -> Sequence[Moved]:
        """Into `to` and out of `source`, out of every other mailbox without one. Raises MailboxNotFound."""
        batch, mover = await self._begin(call, account, messages)
        target = selectable(batch.worker, to)
        origin = record_of(batch.worker, source).row.key if source is not None else None

        async def learn(batch: _Batch) -> None:
            done = batch.numbers(batch.of(Outcome.DONE))
            slots = batch.worker.sync.slots
            await _look(batch, await slots.moved(done, origin, target.row.key, batch.cause, batch.view))

        return await _run(batch, lambda keys: mover.move(call, keys, origin, target.row.key), learn, target)

    async def copy(
        self, call: Call, account: AccountId, messages: Sequence[MessageId], to: MailboxId
    ) -> Sequence[Moved]:
        """A copy in `to`; with labels, the message itself is put in. Raises MailboxNotFound, ProviderFull."""
        batch, mover = await self._begin(call, account, messages)
        target = selectable(batch.worker, to)

        async def learn(batch: _Batch) -> None:
            keys = [item.new_key for item in batch.of(Outcome.DONE) if item.new_key is not None]
            ids = await batch.worker.sync.slots.arrived(batch.mail, call, keys, call.request_id)
            for item in batch.of(Outcome.DONE):
                if item.new_key is not None:
                    _name(batch, item, ids.get(item.new_key))

        return await _run(batch, lambda keys: mover.copy(call, keys, target.row.key), learn, target)

    async def delete(
        self, call: Call, account: AccountId, messages: Sequence[MessageId], *, permanent: bool
    ) -> Sequence[Moved]:
        """Into the trash; for good if `permanent` or if they are there already. Raises CapabilityMissing."""
        batch, mover = await self._begin(call, account, messages)
        if permanent and not batch.mail.capabilities.permanent_delete:
            raise CapabilityMissing(capability="permanentDelete")
        trash = None if permanent else record_of(batch.worker, MailboxId("trash"))

        async def learn(batch: _Batch) -> None:
            done, slots = batch.of(Outcome.DONE), batch.worker.sync.slots
            gone = [item for item in done if item.new_key is None]
            if trash is not None and len(gone) < len(done):
                kept = [item for item in done if item.new_key is not None]
                key = trash.row.key
                await _look(batch, await slots.moved(batch.numbers(kept), None, key, batch.cause, batch.view))
            if gone:
                await slots.removed(batch.numbers(gone), batch.cause)

        results = await _run(batch, lambda keys: mover.delete(call, keys, permanent=permanent), learn, trash)
        for item in batch.of(Outcome.DONE):
            if item.new_key is None:
                _name(batch, item, None)
        return [batch.results[one.message] for one in results]

    async def _begin(
        self, call: Call, account: AccountId, messages: Sequence[MessageId]
    ) -> tuple[_Batch, MessageMover]:
        worker = await self._supervisor.worker(account, call.deadline)
        mail = await worker.ready(call)
        if mail.mover is None:
            raise NotImplementedYet(
                "Messages of this kind of account cannot be moved, copied or deleted yet."
            )
        batch = _Batch(worker=worker, mail=mail, call=call, order=messages)
        for message in messages:
            try:
                place = await find(worker, message)
            except MessageNotFound as gone:
                batch.results[message] = Moved(message=message, outcome=Outcome.GONE, error=gone)
                continue
            batch.places[place.key] = message, place
            batch.results[message] = Moved(message=message, outcome=Outcome.NOT_TRIED, error=None)
        return batch, mail.mover


async def _run(
    batch: _Batch,
    run: Run,
    learn: Callable[[_Batch], Awaitable[None]],
    target: MailboxRecord | None,
) -> Sequence[Moved]:
    """Does it, brings it into the feed, and says what became of each message in the caller's order."""
    if batch.places:
        with ExitStack() as causes:
            await _put_down(batch, target, causes)
            if batch.slots:
                batch.view = causes.enter_context(batch.worker.sync.slots.commits.view())
            try:
                async for item in run(list(batch.places)):
                    batch.items.append(item)
                    _note(batch, item)
            finally:
                if batch.slots:
                    await _learn(batch, learn)
                else:
                    await _read(batch, target)
    return [batch.results[message] for message in batch.order]


def _note(batch: _Batch, item: ItemResult) -> None:
    message, _ = batch.places[item.key]
    same = message if item.outcome in (Outcome.DONE, Outcome.UNCHANGED) else None
    moved = Moved(message=message, outcome=item.outcome, error=item.error, result=same)
    batch.results[message] = moved


def _name(batch: _Batch, item: ItemResult, result: MessageId | None) -> None:
    message, _ = batch.places[item.key]
    batch.results[message] = Moved(message=message, outcome=item.outcome, error=item.error, result=result)


async def _put_down(batch: _Batch, target: MailboxRecord | None, causes: ExitStack) -> None:
    """While `causes` is open, what happens to these messages is put down to the call."""
    sync, request = batch.worker.sync, batch.call.request_id
    by_space: dict[int, list[int]] = {}
    for _, place in batch.places.values():
        by_space.setdefault(place.space, []).append(place.number)
    for space, numbers in by_space.items():
        causes.enter_context(sync.editing(space, numbers, request))
    if target is None or batch.slots or len(batch.places) > FILED_AT_ONCE:
        return
    async for summary in batch.mail.summaries(batch.call, list(batch.places)):
        filing = sync.filing(target, summary.internet_message_id, request)
        batch.filed.append(causes.enter_context(filing))


async def _look(batch: _Batch, keys: Sequence[ItemKey]) -> None:
    """At messages of which more was said than what the call did."""
    with suppress(PostroomError, LedgerMoved):
        await batch.worker.sync.slots.arrived(batch.mail, batch.call, keys, batch.call.request_id)


async def _learn(batch: _Batch, learn: Callable[[_Batch], Awaitable[None]]) -> None:
    """What was done, into the snapshot and the feed; what is not known is looked at."""
    if batch.of(Outcome.DONE):
        await learn(batch)
    doubtful = [item.key for item in batch.of(Outcome.UNKNOWN)]
    if doubtful or not batch.items:
        batch.worker.look()


async def _read(batch: _Batch, target: MailboxRecord | None) -> None:
    """Numbered accounts: reads the mailboxes, so that what left and what came is in the feed."""
    worker = batch.worker
    records = {place.record.number: place.record for _, place in batch.places.values() if place.record}
    if target is not None:
        records[target.number] = target
    for record in records.values():
        scope = ScopeId(record.row.key)
        try:
            await worker.sync.read(batch.mail, scope, settled=True)
        except (PostroomError, LedgerMoved):
            worker.look(frozenset({scope}))
            continue
        if record is target:
            for filed in batch.filed:
                filed.told = True
    current = target and worker.ledger.mailboxes.get(target.number)
    for item in batch.of(Outcome.DONE):
        if item.new_key is None:
            continue
        _, epoch, number = split_key(item.new_key)
        there = current is not None and current.space and current.epoch == epoch
        _name(batch, item, worker.entries.message_id(current.space, number) if there and current else None)
