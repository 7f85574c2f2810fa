"""Commits of an account whose messages we number: from a page and what was asked about it to patches and entries.

It owns what stands between a view of the provider and the store: the slots that are dealt out, the diff, the entries, and
whether somebody else wrote of a message meanwhile. It refuses to ask the provider. All of it happens under the ledger's
lock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from pyroaring import BitMap

from postroom_server.domain import slots
from postroom_server.domain.changes import Cause
from postroom_server.domain.keys import ItemKey, MailboxKey
from postroom_server.domain.messages import Summary
from postroom_server.domain.ports import Clock, Keyed, Location, Numbered, ProviderCursor
from postroom_server.domain.slots import Ground, SlotPage
from postroom_server.domain.storage import Chunk, Position
from postroom_server.domain.sync import (
    MIN_SPAN_BITS,
    MarkDiff,
    SpaceDiff,
    concerned,
    diff,
    mailboxes,
    marks_of,
    only,
    touched,
)
from postroom_server.workers.causes import Causes
from postroom_server.workers.entries import REMOTE, Entries
from postroom_server.workers.ledger import Ledger, LedgerMoved, Patch
from postroom_server.workers.slot_index import SlotIndex

TOLD_CHANGES: Final = 200
"""Messages per commit that tells of them."""
MAX_MOVES: Final = 5
"""Times that what a call has done is committed again because the store moved under it."""
MAX_ABSENT: Final = 1_000
"""Mailboxes that are remembered as gone."""
SILENT_CHANGES: Final = 10_000
"""Messages per commit that tells nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where a scope's cursor is kept: at a mailbox's position, or (None) at that of the messages."""

    record: int | None


class View:
    """What was committed by others since somebody began to look: it is newer than what he saw.

    `overtaken` are messages of which something has changed, `shown` all of which something was said.
    """

    __slots__ = ("overtaken", "shown")

    def __init__(self) -> None:
        self.overtaken, self.shown = BitMap(), BitMap()


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A page on its way into the store, with what was asked about it.

    `home`: the mailbox that the page speaks of, None if of all. `ground`: what was known when it was asked about it.
    `quiet`: nothing of it is news; `quiet_new`: new messages are none.
    """

    page: Keyed
    home: int | None = None
    ground: Ground | None = None
    located: Sequence[Location] = ()
    summaries: Mapping[ItemKey, Summary] = field(default_factory=dict)
    cursor: Cursor | None = None
    view: View
    cause: Cause
    quiet: bool = False
    quiet_new: bool = False


@dataclass(slots=True, kw_only=True)
class _Telling:
    """What one observation tells, beside itself."""

    dealt: Mapping[int, ItemKey] = field(default_factory=dict)
    summaries: Mapping[ItemKey, Summary] = field(default_factory=dict)
    cursor: Cursor | None = None
    cause: Cause = REMOTE
    quiet: bool = False
    quiet_new: bool = False
    chunks: dict[int, Chunk] = field(default_factory=dict)
    """The chunks as the last commit left them."""


class SlotCommits:
    """The writing side of an account with slots."""

    def __init__(self, ledger: Ledger, entries: Entries, causes: Causes, clock: Clock) -> None:
        self.ledger, self.entries = ledger, entries
        self.index = SlotIndex(ledger)
        self._causes, self._clock = causes, clock
        self._views: list[View] = []
        self._absent: set[MailboxKey] = set()

    @contextmanager
    def view(self) -> Iterator[View]:
        """While open, notes what is committed by others."""
        view = View()
        self._views.append(view)
        try:
            yield view
        finally:
            self._views.remove(view)

    def numbers(self) -> dict[MailboxKey, int]:
        """Numbers of the mailboxes by key, 0 for virtual ones."""
        known = dict.fromkeys(self._absent, 0)
        known.update(
            (one.row.key, 0 if one.row.virtual else one.number) for one in self.ledger.mailboxes.values()
        )
        return known

    def not_listed(self, mailbox: MailboxKey) -> None:
        """A page named it, and the list that was asked for then did not: it is gone, and nothing is in it."""
        if len(self._absent) >= MAX_ABSENT:
            self._absent.clear()
        self._absent.add(mailbox)

    async def ground(self, page: Keyed, home: int | None) -> Ground:
        """What is known of the page's keys; whatever is committed while it is read makes it stale."""
        version = self.ledger.writes
        known = await self.index.slots(tuple(dict.fromkeys((*page.present.keys, *page.gone.keys))))
        chunks: Mapping[int, Chunk] = {}
        position = self.ledger.messages
        if position is not None and home is not None:
            wanted = sorted({slot >> position.span_bits for slot in known.values()})
            chunks = await self.ledger.chunks(position.space, wanted)
        return Ground(
            slots=known,
            next_slot=self.index.next_slot,
            numbers=self.numbers(),
            home=home,
            held=slots.held(chunks.values()),
            version=version,
        )

    async def take(self, look: Look) -> tuple[BitMap, list[ItemKey]]:
        """Commits a page.

        Returns:
            The slots that it shows, and keys of which somebody else has written meanwhile: look at them again.

        Raises:
            UnknownMailbox: A mailbox that is to be listed first; nothing was written.
            LedgerMoved: The store was elsewhere; what was not written is to be read again.
        """
        async with self.ledger.lock:
            ground = look.ground
            if ground is None or ground.version != self.ledger.writes:
                ground = await self.ground(look.page, look.home)
            page = slots.less(look.page, self._unsummarised(look, ground))
            translated = slots.translate(page, ground, look.located)
            observed = translated.observed
            disputed = concerned(observed) & look.view.overtaken
            if disputed:
                observed = only(observed, concerned(observed) - disputed)
            telling = _Telling(
                dealt=translated.dealt,
                summaries=look.summaries,
                cursor=look.cursor,
                cause=look.cause,
                quiet=look.quiet,
                quiet_new=look.quiet_new,
            )
            await self._commit(SlotPage(observed=observed, dealt=translated.dealt), telling, look.view)
            again = await self.index.keys(disputed)
        return translated.observed.present.numbers, list(again.values())

    async def told(
        self, observed: Numbered, cause: Cause = REMOTE, view: View | None = None
    ) -> Sequence[ItemKey]:
        """Commits what is known without a page: what a call of ours has done. Raises LedgerMoved after MAX_MOVES.

        Returns:
            Keys of which something else was said since the view began, earlier or later: look at them instead.
        """
        for left in reversed(range(MAX_MOVES)):
            try:
                async with self.ledger.lock:
                    doubtful = concerned(observed) & view.shown if view is not None else BitMap()
                    known = only(observed, concerned(observed) - doubtful) if doubtful else observed
                    await self._commit(SlotPage(observed=known), _Telling(cause=cause), view)
                    return list((await self.index.keys(doubtful)).values())
            except LedgerMoved:
                if not left:
                    raise
        return []

    def _unsummarised(self, look: Look, ground: Ground) -> list[ItemKey]:
        """New keys that would have to be told, but are not known well enough: they were there before the look began."""
        if look.quiet or look.quiet_new:
            return []
        return [key for key in look.page.present if key not in ground.slots and key not in look.summaries]

    # --- commits, under the lock ----------------------------------------------------------------------------------

    async def _commit(self, page: SlotPage, telling: _Telling, view: View | None) -> None:
        """Commits what an observation changes, in steps; the cursor with the last one."""
        observed = page.observed
        bits = self._position(Patch()).span_bits
        telling.chunks = dict(await self._chunks(sorted(touched(observed, bits))))
        changed = diff(telling.chunks, observed, self.ledger.marks.copy(), bits).numbers
        size = SILENT_CHANGES if telling.quiet else TOLD_CHANGES
        starts = range(0, max(len(changed), 1), size)
        for other in self._views:
            if other is not view:
                other.shown |= concerned(observed)
        for start in starts:
            numbers = changed[start : start + size]
            last = start == starts[-1]
            piece = replace(only(observed, numbers), cursor=observed.cursor if last else None)
            await self._step(piece, telling)
            for other in self._views:
                if other is not view:
                    other.overtaken |= numbers

    async def _chunks(self, indexes: Sequence[int]) -> Mapping[int, Chunk]:
        position = self.ledger.messages
        return {} if position is None else await self.ledger.chunks(position.space, indexes)

    def _position(self, patch: Patch) -> Position:
        """The position of the messages; made with the patch if there is none."""
        position = self.ledger.messages
        if position is None:
            _, space = self.ledger.deal(patch, spaces=1)
            position = Position(space=space, mailbox=0, epoch=slots.EPOCH, span_bits=MIN_SPAN_BITS)
        return position

    async def _step(self, piece: Numbered, telling: _Telling) -> None:
        """One commit, if there is anything to write."""
        patch, marks = Patch(), self.ledger.marks.copy()
        position = self._position(patch)
        found = diff(telling.chunks, piece, marks, position.span_bits)
        if not found.empty:
            revision = position.revision + 1
            dealt = {slot: telling.dealt[slot] for slot in found.added if slot in telling.dealt}
            following = max(position.next_number, *(slot + 1 for slot in dealt), 1)
            await self.index.rebind(patch, position.space, following, dealt, found.removed)
            patch.marks = marks
            patch.chunks = {(position.space, index): chunk for index, chunk in found.chunks.items()}
            position = replace(
                position,
                count=position.count + len(found.added) - len(found.removed),
                next_number=following,
                revision=revision,
            )
            patch.positions[position.space] = position
            if not telling.quiet:
                self._announce(patch, position, found, telling)
        if piece.cursor is not None and telling.cursor is not None:
            self._advance(patch, telling.cursor, piece.cursor, position)
        if patch.positions:
            await self.ledger.commit(patch)
            telling.chunks.update(found.chunks)

    def _advance(self, patch: Patch, kept: Cursor, cursor: ProviderCursor, messages: Position) -> None:
        """Puts the scope's new cursor into the patch, unless it is the old one."""
        if kept.record is None:
            position = messages
        else:
            record = self.ledger.mailboxes.get(kept.record)
            if record is None:
                return
            if not record.space:
                _, space = self.ledger.deal(patch, spaces=1)
                record = replace(record, space=space)
                patch.mailboxes[record.number] = record
            position = self.ledger.positions.get(record.space) or Position(
                space=record.space, mailbox=record.number, epoch=slots.EPOCH
            )
        if position.cursor == cursor:
            return
        written = position.space in patch.positions
        patch.positions[position.space] = replace(
            position,
            cursor=cursor,
            fresh_ms=int(self._clock.now().timestamp() * 1000),
            revision=position.revision + (not written),
        )

    def _announce(self, patch: Patch, position: Position, found: SpaceDiff, telling: _Telling) -> None:
        marks, space, bits, make = patch.marks, position.space, position.span_bits, self.entries
        assert marks is not None
        for slot in found.added if not telling.quiet_new else ():
            carried = marks_of(found.chunks[slot >> bits], slot)
            summary, inside = telling.summaries[telling.dealt[slot]], mailboxes(carried)
            cause = self._causes.of_added(inside, summary.internet_message_id, telling.cause)
            patch.entries.append(
                make.message_added(inside, (space, slot), summary, marks.flags(carried), cause)
            )
        for slot, change in sorted(found.changed.items()):
            self._announce_marks(patch, (space, slot), change, telling.cause, position.revision)
        for slot in found.removed:
            inside = mailboxes(marks_of(telling.chunks[slot >> bits], slot))
            cause = self._causes.of((space, slot), telling.cause)
            patch.entries.append(make.message_removed(inside, (space, slot), cause))

    def _announce_marks(
        self, patch: Patch, place: tuple[int, int], change: MarkDiff, otherwise: Cause, revision: int
    ) -> None:
        assert patch.marks is not None
        cause = self._causes.of(place, otherwise)
        was, now = mailboxes(change.before), mailboxes(change.after)
        if was != now:
            patch.entries.append(self.entries.mailboxes_changed(place, was, now, cause, revision))
        before, after = patch.marks.flags(change.before), patch.marks.flags(change.after)
        if before != after:
            patch.entries.append(self.entries.flags_changed(place, before, after, cause, revision))
