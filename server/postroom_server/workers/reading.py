"""Places in the log: of one account (incarnation, sequence) and of all accounts (a place per shard).

It owns the arithmetic of places and what a gap is; it refuses waiting (`feed`) and the forms of cursors
(`domain.cursors`). A cursor for all accounts stays small: whenever every shard was read to its end, all of them stand
behind the store's own time, which is one number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from postroom_server.domain.changes import ResetReason
from postroom_server.domain.cursors import AccountPlace, Cursors, ShardPlace, SitePlace, behind
from postroom_server.domain.shards import shard_of
from postroom_server.domain.storage import FeedLog, FeedPage, OrderRead, Pointer, Shard
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
        if page.removed and not frames:
            raise Ended("ACCOUNT_REMOVED")
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
    """A place in the feeds of all accounts.

    What settles a place is a time of the store's that was taken before it was asked which shards there are: a shard that
    is not named then holds nothing up to that time.
    """

    def __init__(self, feed: FeedLog, cursors: Cursors) -> None:
        self._feed, self._cursors = feed, cursors
        self.shards: frozenset[Shard] | None = None
        self._base = 0
        self._places: dict[Shard, ShardPlace] = {}
        self._totals: dict[Shard, int] = {}
        self._unread: set[Shard] = set()

    @property
    def cursor(self) -> str:
        """The place as it is now."""
        return self._cursors.site(SitePlace(base_ms=self._base, shards=self._places))

    def _of(self, shard: Shard) -> ShardPlace:
        return self._places.get(shard, behind(self._base))

    async def _occupied(self) -> tuple[int, Sequence[Shard]]:
        """A time, and every shard that held anything by then."""
        until = (await self._feed.order({}, 1)).complete_ms
        return until, await self._feed.occupied()

    async def start(self, options: WatchOptions) -> None:
        """Takes the place that the options name. Raises CursorExpired and what reading a cursor raises."""
        until, occupied = await self._occupied()
        if options.cursor:
            place = self._cursors.read_site(options.cursor)
            self._base, self._places = place.base_ms, dict(place.shards)
            await self._refuse_expired(occupied)
            return
        if options.start is StartFrom.EARLIEST:
            return
        self._base = until
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
        until = 0
        if dirty is None:
            until, occupied = await self._occupied()
            shards = set(occupied)
        else:
            shards = dirty | self._unread
        if not shards:
            return []
        count = min(max(limit // len(shards), 1), POINTERS) if limit else POINTERS
        read = await self._feed.order({shard: self._of(shard).at for shard in shards}, count)
        unread = {shard for shard, found in read.pointers.items() if len(found) >= count}
        work = self._work(read, limit, unread)
        pages = await self._feed.read_many([(one.pointer.account, one.first, one.count) for one in work])
        frames: Frames = []
        for one, page in zip(work, pages, strict=True):
            frames += self._frames(one, page)
        self._unread = unread
        if dirty is None and not unread:
            self._settle(until)
        return frames

    def _work(self, read: OrderRead, limit: int, unread: set[Shard]) -> list[_Work]:
        """What to read of each commit, at most `limit` entries in all; what is left over makes its shard unread.

        The first commit of a shard may have been handed over in part.
        """
        commits = [(pointer, shard) for shard, found in read.pointers.items() for pointer in found]
        commits.sort(key=lambda one: one[0].id)
        skips = {shard: place.skip for shard, place in self._places.items()}
        work: list[_Work] = []
        left = limit or sum(pointer.count for pointer, _ in commits)
        cut: set[Shard] = set()
        for pointer, shard in commits:
            if shard in cut:
                continue
            skip = skips.pop(shard, 0)
            count = min(pointer.count - skip, left)
            if count < pointer.count - skip:
                cut.add(shard)
            if count:
                work.append(_Work(pointer=pointer, shard=shard, skip=skip, count=count))
                left -= count
        unread |= cut
        return work

    def _frames(self, work: _Work, page: FeedPage | None) -> Frames:
        """The frames of one commit, or of a part; afterwards the shard stands behind them."""
        pointer, shard = work.pointer, work.shard
        before = self._of(shard)
        frames: Frames = []
        entries: Sequence[bytes] = page.entries if page is not None and page.first == work.first else ()
        if pointer.entry is not None and not entries:
            entries = (pointer.entry,)
        last = pointer.total - pointer.count
        if self._totals.get(shard, last) != last and not work.skip:
            frames.append(ResetFrame(cursor=self.cursor, account=None, reason=ResetReason.RETENTION))
        for offset, entry in enumerate(entries):
            self._stand(shard, before, pointer, work.skip + offset + 1)
            frames.append(
                EntryFrame(
                    cursor=self.cursor, account=pointer.account, sequence=work.first + offset, entry=entry
                )
            )
        self._stand(shard, before, pointer, work.skip + work.count)
        if page is not None and page.low > work.first and pointer.entry is None:
            frames.append(
                ResetFrame(cursor=self.cursor, account=pointer.account, reason=ResetReason.RETENTION)
            )
        return frames

    def _stand(self, shard: Shard, before: ShardPlace, pointer: Pointer, done: int) -> None:
        """The shard stands behind this many entries of a commit."""
        if done >= pointer.count:
            self._places[shard] = ShardPlace(at=pointer.id)
            self._totals[shard] = pointer.total
        else:
            self._places[shard] = ShardPlace(at=before.at, skip=done)

    def _settle(self, until: int) -> None:
        """Every shard was read to its end: all that is not beyond the store's time stands at it."""
        self._base = max(self._base, until)
        self._places = {
            shard: place for shard, place in self._places.items() if place.skip or place.at.ms > self._base
        }

    async def checkpoint(self) -> tuple[str, str, str, int, float]:
        """See `feed.Reading`."""
        until, occupied = await self._occupied()
        found = await self._feed.heads(occupied)
        first = await self._feed.order({shard: self._of(shard).at for shard in occupied}, 1)
        lag = 0
        for shard, ahead in first.pointers.items():
            if ahead:
                total = max(found[shard].total, ahead[0].total)
                lag += total - ahead[0].total + ahead[0].count - self._of(shard).skip
        if not lag and not self._unread:
            self._settle(until)
        base = max(self._base, until)
        heads = {shard: ShardPlace(at=order.head) for shard, order in found.items() if order.head.ms > base}
        head = self._cursors.site(SitePlace(base_ms=base, shards=heads))
        return self.cursor, head, self._cursors.site(SitePlace(base_ms=0)), lag, 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What is read of one commit: `count` entries after the first `skip`."""

    pointer: Pointer
    shard: Shard
    skip: int
    count: int

    @property
    def first(self) -> int:
        """Sequence of the first of them."""
        return self.pointer.last - self.pointer.count + 1 + self.skip
