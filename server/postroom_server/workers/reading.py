"""Places in the log: of one account (incarnation, sequence) and of all accounts (a place per shard).

It owns the arithmetic of places and what a gap is; it refuses waiting (`feed`) and the forms of cursors
(`domain.cursors`). A cursor for all accounts stays small: whenever every shard was read to its end, all of them stand
behind the store's own time, which is one number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from postroom_server.domain.changes import ResetReason
from postroom_server.domain.cursors import AccountPlace, Cursors, ShardPlace, SitePlace, behind
from postroom_server.domain.shards import shard_of
from postroom_server.domain.storage import FeedLog, FeedPage, Pointer, PointerId, Shard
from postroom_server.errors import AccountNotFound, CursorExpired
from postroom_server.ids import AccountId
from postroom_server.workers.frames import EntryFrame, ResetFrame, StartFrom, WatchOptions

PAGE: Final = 200
"""Entries that one look reads of an account."""
POINTERS: Final = 100
"""Commits that one look reads of a shard."""

Frames = list[EntryFrame | ResetFrame]


class Ended(Exception):
    """The feed is over.

    Args:
        reason: As the end frame says it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class AccountReading:
    """A place in one account's feed."""

    def __init__(self, feed: FeedLog, cursors: Cursors, account: AccountId, shard_count: int) -> None:
        self._feed, self._cursors, self._account = feed, cursors, account
        self.shards: frozenset[Shard] | None = frozenset({shard_of(account, shard_count)})
        self._place = AccountPlace(incarnation="0", sequence=0)
        self._more = False

    @property
    def cursor(self) -> str:
        """The place as it is now."""
        return self._at(self._place.sequence)

    def _at(self, sequence: int) -> str:
        place = AccountPlace(incarnation=self._place.incarnation, sequence=sequence)
        return self._cursors.account(self._account, place)

    async def start(self, options: WatchOptions) -> None:
        """Takes the place that the options name. Raises CursorExpired, AccountNotFound and what reading a cursor raises."""
        place = self._cursors.read_account(self._account, options.cursor) if options.cursor else None
        page = await self._feed.read(self._account, place.sequence + 1 if place else 1, 1)
        if page is None:
            raise AccountNotFound(account=self._account)
        if place is None:
            sequence = page.head if options.start is StartFrom.NOW else page.low - 1
            self._place = AccountPlace(incarnation=page.incarnation, sequence=sequence)
            return
        self._place = place
        if place.incarnation == page.incarnation and place.sequence + 1 < page.low:
            raise CursorExpired(earliestCursor=self._at(page.low - 1))

    async def more(self, limit: int, dirty: set[Shard] | None) -> Frames:
        """The next page of entries; a reset where the log is not what the place says."""
        if dirty is not None and not dirty and not self._more:
            return []
        count = min(limit, PAGE) if limit else PAGE
        page = await self._feed.read(self._account, self._place.sequence + 1, count)
        if page is None:
            raise Ended("ACCOUNT_REMOVED")
        reset = self._gap(page)
        if reset is not None:
            self._more = True
            return [reset]
        frames: Frames = []
        for offset, entry in enumerate(page.entries):
            sequence = page.first + offset
            frames.append(
                EntryFrame(cursor=self._at(sequence), account=self._account, sequence=sequence, entry=entry)
            )
        if frames:
            self._place = AccountPlace(
                incarnation=page.incarnation, sequence=page.first + len(page.entries) - 1
            )
        self._more = bool(frames)
        return frames

    def _gap(self, page: FeedPage) -> ResetFrame | None:
        place = self._place
        if place.incarnation != page.incarnation or place.sequence > page.head:
            reason = ResetReason.STORE_ROLLED_BACK
        elif place.sequence + 1 < page.low:
            reason = ResetReason.RETENTION
        else:
            return None
        self._place = AccountPlace(incarnation=page.incarnation, sequence=page.low - 1)
        return ResetFrame(cursor=self.cursor, account=self._account, reason=reason)

    async def checkpoint(self) -> tuple[str, str, str, int, float]:
        """See `feed.Reading`."""
        page = await self._feed.read(self._account, self._place.sequence + 1, 0)
        if page is None:
            return self.cursor, self.cursor, self.cursor, 0, 0.0
        kept = page.head - page.low + 1
        lag = max(page.head - self._place.sequence, 0)
        return self.cursor, self._at(page.head), self._at(page.low - 1), lag, lag / kept if kept > 0 else 0.0


class SiteReading:
    """A place in the feeds of all accounts."""

    def __init__(self, feed: FeedLog, cursors: Cursors) -> None:
        self._feed, self._cursors = feed, cursors
        self.shards: frozenset[Shard] | None = None
        self._base = 0
        self._places: dict[Shard, ShardPlace] = {}
        self._unread: set[Shard] = set()

    @property
    def cursor(self) -> str:
        """The place as it is now."""
        return self._cursors.site(SitePlace(base_ms=self._base, shards=self._places))

    def _of(self, shard: Shard) -> ShardPlace:
        return self._places.get(shard, behind(self._base))

    async def start(self, options: WatchOptions) -> None:
        """Takes the place that the options name. Raises CursorExpired and what reading a cursor raises."""
        occupied = await self._feed.occupied()
        if options.cursor:
            place = self._cursors.read_site(options.cursor)
            self._base, self._places = place.base_ms, dict(place.shards)
            await self._refuse_expired(occupied)
            return
        if options.start is StartFrom.EARLIEST:
            return
        read = await self._feed.order({shard: PointerId(ms=0, n=0) for shard in occupied[:1]}, 1)
        self._base = read.complete_ms
        for shard, order in (await self._feed.heads(occupied)).items():
            if order.head.ms > self._base:
                self._places[shard] = ShardPlace(at=order.head)

    async def _refuse_expired(self, occupied: Sequence[Shard]) -> None:
        for shard, order in (await self._feed.heads(occupied)).items():
            if order.earliest is not None and self._of(shard).at < order.earliest and self._of(shard).at.ms:
                earliest = self._cursors.site(SitePlace(base_ms=0))
                raise CursorExpired(earliestCursor=earliest)

    async def more(self, limit: int, dirty: set[Shard] | None) -> Frames:
        """The next commits of the dirty shards, merged by time; of all shards when `dirty` is None."""
        whole = dirty is None
        shards = set(await self._feed.occupied()) if dirty is None else set(dirty)
        shards |= self._unread
        if not shards:
            return []
        count = min(max(limit // len(shards), 1), POINTERS) if limit else POINTERS
        read = await self._feed.order({shard: self._of(shard).at for shard in shards}, count)
        self._unread = {shard for shard, found in read.pointers.items() if len(found) >= count}
        frames: Frames = []
        work = [(pointer, shard) for shard, found in read.pointers.items() for pointer in found]
        work.sort(key=lambda one: one[0].id)
        taken = 0
        kept: list[tuple[Pointer, Shard]] = []
        for pointer, shard in work:
            if limit and taken >= limit:
                self._unread.add(shard)
                continue
            kept.append((pointer, shard))
            taken += pointer.count
        pages = await self._feed.read_many(self._wants(kept))
        for (pointer, shard), page in zip(kept, pages, strict=True):
            frames += self._frames(pointer, shard, page)
        if whole and not self._unread:
            self._settle(read.complete_ms)
        return frames

    def _wants(self, work: Sequence[tuple[Pointer, Shard]]) -> list[tuple[AccountId, int, int]]:
        """What to read of each commit; the first one of a shard may have been handed over in part."""
        skips = {shard: place.skip for shard, place in self._places.items()}
        wants = []
        for pointer, shard in work:
            skip = skips.pop(shard, 0)
            wants.append((pointer.account, pointer.last - pointer.count + 1 + skip, pointer.count - skip))
        return wants

    def _frames(self, pointer: Pointer, shard: Shard, page: FeedPage | None) -> Frames:
        """The frames of one commit; afterwards the shard stands behind it."""
        before = self._of(shard)
        first = pointer.last - pointer.count + 1 + before.skip
        frames: Frames = []
        entries: Sequence[bytes] = page.entries if page is not None and page.first == first else ()
        if pointer.entry is not None and not entries:
            entries = (pointer.entry,)
        trimmed = page is not None and page.low > first
        for offset, entry in enumerate(entries):
            done = before.skip + offset + 1
            self._places[shard] = (
                ShardPlace(at=pointer.id) if done >= pointer.count else ShardPlace(at=before.at, skip=done)
            )
            frames.append(
                EntryFrame(cursor=self.cursor, account=pointer.account, sequence=first + offset, entry=entry)
            )
        self._places[shard] = ShardPlace(at=pointer.id)
        if trimmed and pointer.entry is None:
            frames.append(
                ResetFrame(cursor=self.cursor, account=pointer.account, reason=ResetReason.RETENTION)
            )
        return frames

    def _settle(self, complete_ms: int) -> None:
        """Every shard was read to its end: all that is not beyond the store's time stands at it."""
        self._base = max(self._base, complete_ms)
        self._places = {
            shard: place for shard, place in self._places.items() if place.skip or place.at.ms > self._base
        }

    async def checkpoint(self) -> tuple[str, str, str, int, float]:
        """See `feed.Reading`."""
        occupied = await self._feed.occupied()
        lag = 0
        found = await self._feed.heads(occupied)
        first = await self._feed.order({shard: self._of(shard).at for shard in occupied}, 1)
        for shard, order in found.items():
            ahead = first.pointers.get(shard)
            if ahead:
                lag += order.total - ahead[0].total + ahead[0].count - self._of(shard).skip
        if not lag and not self._unread:
            self._settle(first.complete_ms)
        base = max(self._base, first.complete_ms)
        heads = {shard: ShardPlace(at=order.head) for shard, order in found.items() if order.head.ms > base}
        head = self._cursors.site(SitePlace(base_ms=base, shards=heads))
        return self.cursor, head, self._cursors.site(SitePlace(base_ms=0)), lag, 0.0
