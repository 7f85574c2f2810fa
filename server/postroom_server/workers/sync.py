"""Sync of one account: brings the snapshot up to the provider and commits what changed.

It owns the round: list the mailboxes, ask each scope what changed since its position, diff, fetch the summaries of what
is new, commit slice by slice. It refuses to know where hints come from (the account worker does) and how a provider finds
changes (the backend does). A crash at any point loses nothing: what was not committed is found again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Final, Protocol, cast

import structlog
from pyroaring import BitMap

from postroom_server.domain.changes import Cause, ResetReason
from postroom_server.domain.keys import ItemKey, NumberedKeys, ScopeId, item_key, split_key
from postroom_server.domain.mailboxes import MAX_MAILBOXES, Mailbox, MailboxRecord, MailboxRow
from postroom_server.domain.messages import Summary
from postroom_server.domain.ports import Call, Clock, Lane, MailAccount, Numbered, Numbering, ProviderCursor
from postroom_server.domain.storage import Chunk, Position
from postroom_server.domain.sync import SpaceDiff, diff, marks_of, slices, span_bits, touched, without
from postroom_server.errors import MailboxNotFound, ProviderCursorExpired
from postroom_server.workers.causes import Causes, Filed
from postroom_server.workers.entries import REMOTE, RESYNC, Entries
from postroom_server.workers.ledger import Ledger, LedgerMoved, Patch
from postroom_server.workers.slot_commits import SlotCommits
from postroom_server.workers.slots import SlotSync

ENTRY_BATCH: Final = 200
"""Entries per commit."""
SILENT_BATCH: Final = 2_000
"""Rows per commit of a first reading, which announces nothing."""
ROUND_SECONDS: Final = 120.0
READING_SECONDS: Final = 900.0
"""Bound of one reading of a scope, from nothing or from its position."""
MAX_MOVES: Final = 5
"""Times that a scope's reading starts again because the store moved under it."""

log = structlog.get_logger(__name__)


class Sync:
    """The sync side of one account; one task drives it."""

    def __init__(self, ledger: Ledger, entries: Entries, clock: Clock) -> None:
        self.ledger = ledger
        self._entries = entries
        self._clock = clock
        self.causes = Causes()
        self.slots = SlotSync(SlotCommits(ledger, entries, self.causes, clock), self._relist)
        self._shown: Mailboxes | None = None
        self._listing = asyncio.Lock()
        """Held from asking for the mailboxes to settling them, so that no older list comes after a newer one."""

    # --- causes -------------------------------------------------------------------------------------------------

    def editing(self, space: int, numbers: Iterable[int], request_id: str) -> AbstractContextManager[None]:
        """While open, changes of these messages are put down to the call that makes them."""
        return self.causes.editing(space, numbers, request_id)

    def filing(
        self, record: MailboxRecord, internet_message_id: str, request_id: str
    ) -> AbstractContextManager[Filed]:
        """A message with this Message-ID that is new in the mailbox is put down to the call that files it."""
        return self.causes.filing(record.number, internet_message_id, request_id)

    def arranging(
        self, request_id: str, *, to: Sequence[str] = (), of: Sequence[str] = ()
    ) -> AbstractContextManager[None]:
        """While open, changes of mailboxes are put down to the call that makes them, whoever lists them first."""
        return self.causes.arranging(request_id, to=to, of=of)

    # --- mailboxes ----------------------------------------------------------------------------------------------

    def record_of(self, scope: ScopeId) -> MailboxRecord | None:
        """The mailbox of a scope."""
        return next((one for one in self.ledger.mailboxes.values() if one.row.scope == scope), None)

    def by_space(self, space: int) -> MailboxRecord | None:
        """The mailbox whose messages are numbered in this space now."""
        return next((one for one in self.ledger.mailboxes.values() if one.space == space and space), None)

    async def list_mailboxes(self, mail: MailAccount, shown: Mailboxes) -> None:
        """Brings the kept mailboxes up to the provider's list."""
        self._shown = shown
        call = Call(deadline=_deadline(ROUND_SECONDS), lane=Lane.SYNC)
        slotted = mail.capabilities.numbering is Numbering.SLOT
        async with self._listing:
            rows = (await mail.list_mailboxes(call, counts=False))[:MAX_MAILBOXES]
            async with self.ledger.lock:
                gone = await self._settle_mailboxes(rows, shown, begins_empty=mail.capabilities.begins_empty)
                causes = [self.causes.of_mailbox(record.row.path, REMOTE) for record in gone]
                if not slotted:
                    for record, cause in zip(gone, causes, strict=True):
                        await self._forget(record, cause)
        if slotted:
            for record, cause in zip(gone, causes, strict=True):
                await self.slots.emptied(mail, record, call, cause)
                async with self.ledger.lock:
                    if record.number in self.ledger.mailboxes:
                        await self._drop(record, cause)

    async def _relist(self, mail: MailAccount) -> None:
        if self._shown is not None:
            await self.list_mailboxes(mail, self._shown)

    async def _settle_mailboxes(
        self, rows: Sequence[MailboxRow], shown: Mailboxes, *, begins_empty: bool
    ) -> list[MailboxRecord]:
        """Adds and renames; answers the mailboxes that are gone."""
        ledger = self.ledger
        known = {record.row.key: record for record in ledger.mailboxes.values()}
        baseline = ledger.counters == (1, 1)
        patch = Patch()
        fresh = [row for row in rows if row.key not in known]
        number, _ = ledger.deal(patch, mailboxes=len(fresh)) if fresh else (0, 0)
        for row in fresh:
            record = MailboxRecord(number=number, row=_kept(row), announce=begins_empty or not baseline)
            patch.mailboxes[number] = record
            if not baseline:
                cause = self.causes.of_mailbox(row.path, REMOTE)
                patch.entries.append(self._entries.mailbox_added(shown.show(record), number, cause))
            number += 1
        for row in rows:
            old = known.pop(row.key, None)
            if old is not None and old.row != _kept(row):
                patch.mailboxes[old.number] = replace(old, row=_kept(row))
                if old.row.path != row.path:
                    cause = self.causes.of_mailbox(old.row.path, REMOTE)
                    patch.entries.append(self._entries.mailbox_renamed(old, row, cause, ledger.sequence))
        if patch.mailboxes:
            await ledger.commit(patch)
        return list(known.values())

    async def _forget(self, record: MailboxRecord, cause: Cause) -> None:
        """The mailbox is gone: its messages are removed, then it is."""
        position = self.ledger.positions.get(record.space)
        chunks = dict(await self.ledger.chunks(record.space, None)) if position is not None else {}
        for index, chunk in sorted(chunks.items()):
            assert position is not None
            for piece in _pieces(chunk.members):
                left = chunks[index].members - piece
                kept = {mark: numbers & left for mark, numbers in chunks[index].marks.items()}
                chunks[index] = Chunk(members=left, marks=kept)
                position = replace(
                    position, count=position.count - len(piece), revision=position.revision + 1
                )
                patch = Patch(
                    positions={record.space: position}, chunks={(record.space, index): chunks[index]}
                )
                for number in piece:
                    place = (record.space, number)
                    patch.entries.append(self._entries.message_removed((record.number,), place, cause))
                await self.ledger.commit(patch)
        await self._drop(record, cause)

    async def _drop(self, record: MailboxRecord, cause: Cause) -> None:
        """The last of a mailbox: its record and its position."""
        last = Patch(mailboxes={record.number: None}, entries=[self._entries.mailbox_removed(record, cause)])
        if record.space in self.ledger.positions:
            last.positions[record.space] = None
        await self.ledger.commit(last)

    # --- messages -----------------------------------------------------------------------------------------------

    async def read(self, mail: MailAccount, scope: ScopeId, *, settled: bool) -> None:
        """Brings one scope up to the provider; `settled`: the account was read to its end before."""
        if mail.capabilities.numbering is Numbering.SLOT:
            await self.slots.read(mail, scope, settled=settled)
            return
        for _ in range(MAX_MOVES):
            record = self.record_of(scope)
            if record is None:
                return
            try:
                await self._read(mail, record, scope)
                return
            except LedgerMoved:
                continue
            except ProviderCursorExpired as expired:
                await self._reset(record, ResetReason(expired.kind))
            except MailboxNotFound:
                return
        raise LedgerMoved

    async def _reset(self, record: MailboxRecord, reason: ResetReason) -> None:
        """The position is of no use any more: the mailbox is read whole. Its messages stay, if their numbers hold."""
        async with self.ledger.lock:
            position = self.ledger.positions.get(record.space)
            if reason is not ResetReason.UIDVALIDITY_CHANGED and position is not None:
                revision = position.revision + 1
                again = Patch(positions={record.space: replace(position, cursor=b"", revision=revision)})
                again.entries.append(self._entries.mailbox_reset(record, reason, revision))
                await self.ledger.commit(again)
                return
            chunks = await self.ledger.chunks(record.space, None)
            patch = Patch(
                positions={record.space: None},
                chunks={(record.space, index): Chunk() for index in chunks},
                mailboxes={record.number: replace(record, space=0, epoch=0, announce=False)},
                entries=[self._entries.mailbox_reset(record, reason)],
            )
            await self.ledger.commit(patch)

    async def _read(self, mail: MailAccount, record: MailboxRecord, scope: ScopeId) -> None:
        position = self.ledger.positions.get(record.space) if record.space else None
        since = position.cursor if position is not None and position.cursor else None
        complete = position is not None and position.fresh_ms > 0
        silent = not record.announce and since is None and not complete
        cause = RESYNC if complete and since is None else REMOTE
        call = Call(deadline=_deadline(READING_SECONDS), lane=Lane.SYNC if since else Lane.BULK)
        seen = BitMap()
        pages = mail.changes(call, scope, ProviderCursor(since) if since else None)
        async for page in cast("AsyncIterator[Numbered]", pages):
            if page.whole:
                seen |= page.present.numbers
            observed = replace(page, whole=False)
            if page.whole and page.cursor is not None:
                observed = replace(observed, gone=await self._missing(record, page, seen))
            for piece in slices(observed, SILENT_BATCH if silent else ENTRY_BATCH):
                record = await self._apply(mail, call, record, piece, cause, silent=silent)

    async def _missing(self, record: MailboxRecord, page: Numbered, seen: BitMap) -> NumberedKeys:
        """What the snapshot holds and a complete reading did not show."""
        members = BitMap()
        if record.space:
            for chunk in (await self.ledger.chunks(record.space, None)).values():
                members |= chunk.members
        return replace(page.gone, numbers=(page.gone.numbers | members) - seen)

    async def _apply(
        self,
        mail: MailAccount,
        call: Call,
        record: MailboxRecord,
        piece: Numbered,
        cause: Cause,
        *,
        silent: bool,
    ) -> MailboxRecord:
        """Commits one slice; returns the record, which the first one gives its space."""
        summaries: Mapping[int, Summary] = {}
        if not silent:
            piece, summaries = await self._summaries(mail, call, record, piece)
        async with self.ledger.lock:
            record = self.ledger.mailboxes.get(record.number, record)
            patch = Patch()
            if not record.space:
                _, space = self.ledger.deal(patch, spaces=1)
                record = replace(record, space=space, epoch=piece.epoch)
                patch.mailboxes[record.number] = record
            elif piece.epoch != record.epoch:
                raise ProviderCursorExpired(ResetReason.UIDVALIDITY_CHANGED)
            if await self._fill(patch, record, piece, summaries, cause, silent=silent):
                await self.ledger.commit(patch)
        return record

    async def _summaries(
        self, mail: MailAccount, call: Call, record: MailboxRecord, piece: Numbered
    ) -> tuple[Numbered, Mapping[int, Summary]]:
        """Summaries of what is new in the slice; what is gone again by now leaves the slice."""
        fresh = piece.present.numbers
        if record.space and fresh:
            position = self.ledger.positions.get(record.space)
            bits = position.span_bits if position else 10
            for chunk in (await self.ledger.chunks(record.space, sorted(touched(piece, bits)))).values():
                fresh = fresh - chunk.members
        if not fresh:
            return piece, {}
        found = {split_key(key)[2]: summary for key, summary in piece.summaries.items()}
        wanted: list[ItemKey] = [
            item_key(piece.scope, piece.epoch, number) for number in fresh if number not in found
        ]
        if wanted:
            async for summary in mail.summaries(call, wanted):
                found[split_key(summary.key)[2]] = summary
        return without(piece, BitMap(number for number in fresh if number not in found)), found

    async def _fill(
        self,
        patch: Patch,
        record: MailboxRecord,
        piece: Numbered,
        summaries: Mapping[int, Summary],
        cause: Cause,
        *,
        silent: bool,
    ) -> bool:
        """Puts the slice's differences into the patch; False when there is nothing to write."""
        ledger, space = self.ledger, record.space
        position = ledger.positions.get(space) or Position(
            space=space, mailbox=record.number, epoch=record.epoch, span_bits=_span(piece)
        )
        marks = ledger.marks.copy()
        chunks = await ledger.chunks(space, sorted(touched(piece, position.span_bits)))
        found = diff(chunks, piece, marks, position.span_bits)
        moved = piece.cursor is not None and piece.cursor != position.cursor
        if found.empty and not moved:
            return False
        highest = piece.present.numbers.max() if piece.present.numbers else 0
        revision = position.revision + 1
        patch.marks = marks
        patch.chunks = {(space, index): chunk for index, chunk in found.chunks.items()}
        patch.positions[space] = replace(
            position,
            count=position.count + len(found.added) - len(found.removed),
            next_number=max(position.next_number, highest + 1),
            cursor=piece.cursor if piece.cursor is not None else position.cursor,
            revision=revision,
            fresh_ms=self._now_ms() if piece.cursor is not None else position.fresh_ms,
        )
        if not silent:
            self._announce(patch, record, found, summaries, patch.positions[space] or position, cause)
        return True

    def _announce(
        self,
        patch: Patch,
        record: MailboxRecord,
        found: SpaceDiff,
        summaries: Mapping[int, Summary],
        position: Position,
        otherwise: Cause,
    ) -> None:
        bits, revision = position.span_bits, position.revision
        marks, space, make = patch.marks, record.space, self._entries
        assert marks is not None
        for number in found.added:
            summary = summaries[number]
            flags = marks.flags(marks_of(found.chunks[number >> bits], number))
            cause = self.causes.of_added((record.number,), summary.internet_message_id, otherwise)
            patch.entries.append(make.message_added((record.number,), (space, number), summary, flags, cause))
        for number, change in sorted(found.changed.items()):
            place = (space, number)
            before, after = marks.flags(change.before), marks.flags(change.after)
            patch.entries.append(
                make.flags_changed(place, before, after, self.causes.of(place, otherwise), revision)
            )
        for number in found.removed:
            patch.entries.append(
                make.message_removed(
                    (record.number,), (space, number), self.causes.of((space, number), otherwise)
                )
            )

    async def edited(self, record: MailboxRecord, piece: Numbered) -> None:
        """Commits what a call of ours has just done, so that it is in the feed before the provider's echo."""
        async with self.ledger.lock:
            patch = Patch()
            if await self._fill(patch, record, piece, {}, REMOTE, silent=False):
                await self.ledger.commit(patch)

    def _now_ms(self) -> int:
        return int(self._clock.now().timestamp() * 1000)


class Mailboxes(Protocol):
    """How a mailbox's record is shown."""

    def show(self, record: MailboxRecord) -> Mailbox:
        """The mailbox under its public id."""
        ...


def _deadline(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


def _kept(row: MailboxRow) -> MailboxRow:
    """The row without what changes by itself."""
    return replace(row, messages=None, unseen=None)


def _pieces(numbers: BitMap) -> Iterator[BitMap]:
    return (numbers[start : start + ENTRY_BATCH] for start in range(0, len(numbers), ENTRY_BATCH))


def _span(piece: Numbered) -> int:
    numbers = piece.present.numbers
    return span_bits(len(numbers), numbers.max() + 1) if numbers else span_bits(0, 1)
