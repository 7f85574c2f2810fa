"""The ledger of one account: what its owner knows to be in the store, and the one road by which it writes there.

It owns compare-and-set against the store: a commit that lost a race with a submission takes its sequence and is sent
again; one whose outcome is unknown is decided by reading, never assumed (ownership algorithm, steps 6-8). It refuses to
write when the node may no longer act for the shard. Callers hold `lock` from what they read to what they commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import structlog

from postroom_server.domain.accounts import Status
from postroom_server.domain.mailboxes import MailboxRecord
from postroom_server.domain.storage import (
    AccountHead,
    Bucket,
    Chunk,
    Commit,
    KeyChunk,
    Nonce,
    Position,
    SnapshotStore,
)
from postroom_server.domain.sync import Marks
from postroom_server.errors import AccountGone, Conflict, Fenced, StoreFull, StoreUnavailable
from postroom_server.ids import AccountId
from postroom_server.telemetry.metrics import Metrics

MAX_RACES: Final = 50
"""Races with submissions that one commit bears before it gives up."""
KEPT_CHUNKS: Final = 4
"""Chunks of an account that are kept in memory: those at the end of its busiest mailboxes."""
MAX_KEPT_MEMBERS: Final = 4_096
STORE_RETRY_SECONDS: Final = 0.25
STORE_FULL_SECONDS: Final = 2.0

_T = TypeVar("_T")

log = structlog.get_logger(__name__)


class LedgerMoved(Exception):
    """The store is elsewhere than we thought: what was read before is void, start the round again."""


@dataclass(slots=True, kw_only=True)
class Patch:
    """What one commit writes; see `storage.Commit`. Positions are given as they shall be, None = removed."""

    positions: dict[int, Position | None] = field(default_factory=dict)
    chunks: dict[tuple[int, int], Chunk] = field(default_factory=dict)
    key_chunks: dict[tuple[int, int], KeyChunk] = field(default_factory=dict)
    buckets: dict[tuple[int, int], Bucket] = field(default_factory=dict)
    mailboxes: dict[int, MailboxRecord | None] = field(default_factory=dict)
    marks: Marks | None = None
    status: Status | None = None
    counters: tuple[int, int] | None = None
    entries: list[bytes] = field(default_factory=list)


class Ledger:
    """The owner's view of one account in the store."""

    def __init__(
        self,
        account: AccountId,
        snapshots: SnapshotStore,
        nonce: Nonce,
        may_write: Callable[[], bool],
        metrics: Metrics,
    ) -> None:
        self.account = account
        self.lock = asyncio.Lock()
        self._snapshots = snapshots
        self.nonce = nonce
        self._may_write = may_write
        self._metrics = metrics
        self._kept: dict[tuple[int, int], Chunk | None] = {}
        self.writes = 0
        """Grows with every commit and every reading of all: what was read at another number may be void."""
        self.positions: dict[int, Position] = {}
        self.mailboxes: dict[int, MailboxRecord] = {}
        self.marks = Marks()
        self.status = Status()
        self.counters = (1, 1)
        self.sequence = 0
        self.incarnation = ""

    def __repr__(self) -> str:
        return f"<Ledger {self.account} {self.incarnation}/{self.sequence} {self.status.state}>"

    async def load(self) -> None:
        """Reads everything again; waits while the store does not answer. Raises AccountGone."""
        head = await self._answered(self._snapshots.head)
        if head is None:
            raise AccountGone(self.account)
        self.positions = dict(head.positions)
        self.mailboxes = dict(head.mailboxes)
        self.marks = Marks(head.marks)
        self.status = head.status
        self.counters = (head.next_mailbox, head.next_space)
        self.sequence, self.incarnation = head.sequence, head.incarnation
        self._kept.clear()
        self.writes += 1

    async def chunks(self, space: int, indexes: Sequence[int] | None) -> Mapping[int, Chunk]:
        """Chunks of a space, None: all of them. They are not changed, but replaced by a commit.

        Those used last are kept, as new mail always meets the same: nobody but us writes them under our lease, and a
        commit that finds the store elsewhere forgets them.
        """
        if indexes is None:
            return await self._snapshots.all_chunks(self.account, space)
        found = {index: self._kept[space, index] for index in indexes if (space, index) in self._kept}
        missing = [index for index in indexes if index not in found]
        if missing:
            before = self.writes
            read = await self._snapshots.chunks(self.account, space, missing)
            found.update((index, read.get(index)) for index in missing)
            if before != self.writes:
                return {index: chunk for index, chunk in found.items() if chunk is not None}
        for index, chunk in found.items():
            self._keep((space, index), chunk)
        return {index: chunk for index, chunk in found.items() if chunk is not None}

    async def key_chunks(self, space: int, indexes: Sequence[int]) -> Mapping[int, KeyChunk]:
        """Pieces of a slot table, keys by slot."""
        return await self._snapshots.key_chunks(self.account, space, indexes) if indexes else {}

    async def buckets(self, space: int, indexes: Sequence[int]) -> Mapping[int, Bucket]:
        """Pieces of a slot table, slots by hash."""
        return await self._snapshots.buckets(self.account, space, indexes) if indexes else {}

    @property
    def messages(self) -> Position | None:
        """The position of the space of all messages, where we number them; None where the provider does, or before."""
        return next((one for one in self.positions.values() if one.mailbox == 0), None)

    def position_of(self, record: MailboxRecord) -> Position | None:
        """The position that tells how far the mailbox was read; None: not at all."""
        return self.positions.get(record.space) if record.space else self.messages

    def _keep(self, place: tuple[int, int], chunk: Chunk | None) -> None:
        self._kept.pop(place, None)
        if chunk is None or len(chunk.members) <= MAX_KEPT_MEMBERS:
            self._kept[place] = chunk
        while len(self._kept) > KEPT_CHUNKS:
            del self._kept[next(iter(self._kept))]

    def deal(self, patch: Patch, *, mailboxes: int = 0, spaces: int = 0) -> tuple[int, int]:
        """Numbers for new mailboxes and spaces, the first of each; they are taken when the patch is committed."""
        next_mailbox, next_space = patch.counters or self.counters
        patch.counters = (next_mailbox + mailboxes, next_space + spaces)
        return next_mailbox, next_space

    async def commit(self, patch: Patch) -> None:
        """Writes the patch or raises; the caller holds `lock`.

        Raises:
            Fenced: We do not own the account any more.
            AccountGone: It was deleted.
            LedgerMoved: The store was elsewhere; the ledger has been read again.
        """
        for _ in range(MAX_RACES):
            if not self._may_write():
                raise Fenced
            try:
                self.sequence = await self._snapshots.commit(self._step(patch))
            except Fenced:
                self._metrics.fenced.inc()
                raise
            except Conflict as conflict:
                self._metrics.commits.labels("conflict").inc()
                if (
                    conflict.incarnation == self.incarnation
                    and not conflict.field
                    and conflict.sequence > self.sequence
                ):
                    self.sequence = conflict.sequence
                    continue
                await self.load()
                raise LedgerMoved from conflict
            except StoreFull:
                log.warning("the store is full, the commit waits")
                await asyncio.sleep(STORE_FULL_SECONDS)
                continue
            except StoreUnavailable:
                self._metrics.commits.labels("unknown").inc()
                if not await self._landed(patch):
                    continue
            self._metrics.commits.labels("done").inc()
            self._adopt(patch)
            return
        raise LedgerMoved

    def _step(self, patch: Patch) -> Commit:
        return Commit(
            account=self.account,
            nonce=self.nonce,
            incarnation=self.incarnation,
            sequence=self.sequence,
            positions={space: (self.positions.get(space), new) for space, new in patch.positions.items()},
            chunks=patch.chunks,
            key_chunks=patch.key_chunks,
            buckets=patch.buckets,
            mailboxes=patch.mailboxes,
            marks=(self.marks.names, patch.marks.names)
            if patch.marks is not None and patch.marks.names != self.marks.names
            else None,
            counters=patch.counters,
            status=(self.status, patch.status) if patch.status is not None else None,
            entries=patch.entries,
        )

    async def _landed(self, patch: Patch) -> bool:
        """After an unknown outcome: whether the patch is in the store. Raises LedgerMoved when neither can be said."""
        head = await self._answered(self._snapshots.head)
        if head is None:
            raise AccountGone(self.account)
        if head.incarnation != self.incarnation or head.sequence < self.sequence:
            await self.load()
            raise LedgerMoved
        tried = self._compare(patch, head, new=True)
        before = self._compare(patch, head, new=False)
        if tried and not before:
            self.sequence = head.sequence
            return True
        if before and not tried:
            self.sequence = head.sequence
            return False
        await self.load()
        raise LedgerMoved

    def _compare(self, patch: Patch, head: AccountHead, *, new: bool) -> bool:
        """Whether the store shows the patch's new (or old) values; every patch moves a position or the status.

        Chunks and pieces of a slot table come with the position of their space, so that it tells of them too.
        """
        for space, position in patch.positions.items():
            if head.positions.get(space) != (position if new else self.positions.get(space)):
                return False
        if patch.status is not None and head.status != (patch.status if new else self.status):
            return False
        if patch.counters is not None:
            return (head.next_mailbox, head.next_space) == (patch.counters if new else self.counters)
        return True

    def _adopt(self, patch: Patch) -> None:
        self.writes += 1
        for space, position in patch.positions.items():
            if position is None:
                for place in [one for one in self._kept if one[0] == space]:
                    del self._kept[place]
        for place, chunk in patch.chunks.items():
            if place in self._kept:
                self._keep(place, chunk if chunk.members else None)
        _merge(self.positions, patch.positions)
        _merge(self.mailboxes, patch.mailboxes)
        if patch.marks is not None:
            self.marks = patch.marks
        if patch.status is not None:
            self.status = patch.status
        if patch.counters is not None:
            self.counters = patch.counters

    async def _answered(self, read: Callable[[AccountId], object]) -> AccountHead | None:
        """What the store says, however long it is away; ends when the shard is no longer ours."""
        while True:
            try:
                return await read(self.account)  # type: ignore[misc,no-any-return]
            except StoreUnavailable:
                if not self._may_write():
                    raise Fenced from None
                await asyncio.sleep(STORE_RETRY_SECONDS)


def _merge(into: dict[int, _T], new: Mapping[int, _T | None]) -> None:
    for key, value in new.items():
        if value is None:
            into.pop(key, None)
        else:
            into[key] = value
