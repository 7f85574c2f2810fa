"""The store ports: accounts, snapshots, feed and outbox, as the workers and services need them.

It owns the shapes that cross between workers and the store and refuses key names and encodings. Every write that
matters is one atomic script; those of the owner are fenced by the lease's nonce and raise Fenced, Conflict or
AccountGone. A write whose outcome is unknown raises StoreUnavailable: read again and compare, never assume.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import NewType, Protocol

from pyroaring import BitMap

from postroom_server.domain.accounts import Account, Status
from postroom_server.domain.keys import ItemKey
from postroom_server.domain.mailboxes import MailboxRecord
from postroom_server.domain.outbox import Submission, SubmissionState
from postroom_server.ids import AccountId, SubmissionId

Shard = NewType("Shard", int)
Nonce = NewType("Nonce", str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where the snapshot of one space stands. `revision` grows with every commit, so that no two are equal.

    `mailbox` 0: the space of all the account's messages, where we number them ourselves; the positions of its scopes then
    have spaces of their own, without messages.
    `span_bits`: a chunk covers 2**span_bits numbers.
    """

    space: int
    mailbox: int
    epoch: int
    span_bits: int = 10
    count: int = 0
    next_number: int = 1
    cursor: bytes = b""
    revision: int = 0
    fresh_ms: int = 0
    """When the scope was last known to be complete, Unix milliseconds."""


@dataclass(slots=True)
class Chunk:
    """Messages of 2**span_bits numbers of one space: members, and per mark number those that carry it."""

    members: BitMap = field(default_factory=BitMap)
    marks: dict[int, BitMap] = field(default_factory=dict)


@dataclass(slots=True)
class KeyChunk:
    """Keys of some slots of one space, by slot (`domain.slot_table`)."""

    keys: dict[int, ItemKey] = field(default_factory=dict)


@dataclass(slots=True)
class Bucket:
    """Slots of one space whose keys' hashes fall together, each with 32 bits of its hash (`domain.slot_table`)."""

    prints: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountHead:
    """The owner's starting point: what the store knows of an account's sync."""

    incarnation: str
    sequence: int
    low: int
    positions: Mapping[int, Position]
    marks: tuple[str, ...]
    """Names of marks by number; only ever appended to."""
    mailboxes: Mapping[int, MailboxRecord]
    next_mailbox: int
    next_space: int
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One step of an account: everything or nothing. `expect_*` are compared with the store.

    `positions`: space -> (expected, new); None = absent before / removed. `mailboxes`: number -> record, None = removed.
    `chunks`: (space, chunk index) -> chunk; an empty one is removed. `marks`: the whole table when it grew, else None.
    `entries`: encoded changes, oldest first.
    """

    account: AccountId
    nonce: Nonce
    incarnation: str
    sequence: int
    positions: Mapping[int, tuple[Position | None, Position | None]] = field(default_factory=dict)
    chunks: Mapping[tuple[int, int], Chunk] = field(default_factory=dict)
    key_chunks: Mapping[tuple[int, int], KeyChunk] = field(default_factory=dict)
    buckets: Mapping[tuple[int, int], Bucket] = field(default_factory=dict)
    """As `chunks`: (space, index) -> content; what is empty is removed."""
    mailboxes: Mapping[int, MailboxRecord | None] = field(default_factory=dict)
    marks: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    """(expected, new)."""
    counters: tuple[int, int] | None = None
    """(next_mailbox, next_space) after the step, when it dealt numbers out."""
    status: tuple[Status, Status] | None = None
    """(expected, new)."""
    entries: Sequence[bytes] = ()


class SnapshotStore(Protocol):
    """Snapshots, positions and the fenced commit; used by the account's owner."""

    async def head(self, account: AccountId) -> AccountHead | None:
        """None: there is no such account."""
        ...

    async def chunks(self, account: AccountId, space: int, indexes: Sequence[int]) -> Mapping[int, Chunk]:
        """Those of the chunks that exist."""
        ...

    async def all_chunks(self, account: AccountId, space: int) -> Mapping[int, Chunk]:
        """Every chunk of a space."""
        ...

    async def key_chunks(
        self, account: AccountId, space: int, indexes: Sequence[int]
    ) -> Mapping[int, KeyChunk]:
        """Those of the pieces of keys that exist."""
        ...

    async def buckets(self, account: AccountId, space: int, indexes: Sequence[int]) -> Mapping[int, Bucket]:
        """Those of the buckets that exist."""
        ...

    async def commit(self, commit: Commit) -> int:
        """The new sequence. Raises Fenced, Conflict, AccountGone, StoreFull, StoreUnavailable (outcome unknown)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """An account to be registered, its secrets in clear (sealed by the store) and its first entry."""

    account: Account
    secrets: Mapping[str, str] = field(repr=False)
    entry: bytes
    request_id: str = ""
    fingerprint: str = ""


class AccountStore(Protocol):
    """Account records; any node may use it."""

    async def create(self, new: NewAccount) -> AccountId:
        """The id: of the new account, or of the one that the same request made.

        Raises AccountExists, RequestIdReused, StoreFull.
        """
        ...

    async def get(self, account: AccountId) -> tuple[Account, Status] | None:
        """Record and status."""
        ...

    async def get_many(self, accounts: Sequence[AccountId]) -> Sequence[tuple[Account, Status]]:
        """Those that exist, in order."""
        ...

    async def page(self, after: str, limit: int) -> Sequence[AccountId]:
        """Ids greater than `after`, in order."""
        ...

    async def in_shard(self, shard: Shard) -> Sequence[AccountId]:
        """All accounts of one shard."""
        ...

    async def update(
        self, account: Account, *, expected_revision: int, secrets: Mapping[str, str | None] | None = None
    ) -> Account:
        """Replaces the record (compare-and-set on the revision); None removes a secret. Raises EtagMismatch."""
        ...

    async def probed(self, account: AccountId, nonce: Nonce, capabilities: Mapping[str, object]) -> None:
        """Notes what the account's provider can; the revision stays. Raises Fenced, AccountGone, StoreFull."""
        ...

    async def secrets(self, account: AccountId) -> Mapping[str, str]:
        """The secrets in clear; never logged, never returned to a caller."""
        ...

    async def delete(self, account: AccountId, nonce: Nonce, incarnation: str, entry: bytes) -> None:
        """The last entry, then the grave; nothing of the account is left after 60 s. Raises Fenced, AccountGone."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPage:
    """Entries `first`, `first + 1`, … of one account as of one instant. `low` is the earliest one that is kept.

    `removed`: the account was deleted; nothing will come behind `head`.
    """

    incarnation: str
    low: int
    head: int
    first: int
    entries: Sequence[bytes]
    removed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class PointerId:
    """Place in a shard's reading order."""

    ms: int
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """One commit in a shard's reading order: entries last - count + 1 … last of the account.

    `total` counts all changes of the shard up to here; `entry` is set when the entry itself must outlive the account.
    """

    id: PointerId
    account: AccountId
    last: int
    count: int
    total: int
    entry: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardOrder:
    """Ends of a shard's reading order; `earliest` is None when nothing was trimmed."""

    head: PointerId
    total: int
    earliest: PointerId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRead:
    """Pointers per shard, and how far the reading is complete.

    `complete_ms`: for every shard that answered with fewer than `count` pointers, none with a smaller or equal `ms` will
    ever come (the store's own TIME, taken before the reading in the same round trip, less 1 ms; on several masters the
    smallest).
    """

    pointers: Mapping[Shard, Sequence[Pointer]]
    complete_ms: int


class FeedLog(Protocol):
    """Reading the feed; any node."""

    async def read(self, account: AccountId, first: int, count: int) -> FeedPage | None:
        """One page, as of one instant; None: no such account (any more)."""
        ...

    async def read_many(self, wants: Sequence[tuple[AccountId, int, int]]) -> Sequence[FeedPage | None]:
        """Several pages in one round trip: (account, first, count)."""
        ...

    async def order(self, shards: Mapping[Shard, PointerId], count: int) -> OrderRead:
        """Pointers after the given places, at most `count` per shard, in one round trip."""
        ...

    async def heads(self, shards: Sequence[Shard]) -> Mapping[Shard, ShardOrder]:
        """Ends of the reading orders."""
        ...

    def hints(self) -> AbstractAsyncContextManager[AsyncIterator[Shard]]:
        """Shards that have just been written to; hints may be lost. After a gap every shard is to be read."""
        ...

    async def occupied(self) -> Sequence[Shard]:
        """Shards that hold or held an account; may name too many, never too few."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSubmission:
    """A submission to be accepted: item, body and first entry."""

    submission: Submission
    raw: bytes = field(repr=False)
    entry: bytes
    fingerprint: str
    due_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What became of a submit: the item, and whether an earlier call had made it."""

    submission: Submission
    duplicate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One move of a submission: compare-and-set on (state, attempt), with its entry, by the shard's owner.

    `due_ms` None: the state is final; the body is dropped and the item kept for KEEP_FINAL_SECONDS.
    `entry` None: nothing to announce.
    """

    nonce: Nonce
    expected_state: SubmissionState
    expected_attempt: int
    submission: Submission
    due_ms: int | None
    entry: bytes | None


class OutboxStore(Protocol):
    """Submissions: accepted by any node, moved by the owner of the shard."""

    async def submit(self, new: NewSubmission) -> Accepted:
        """Durable when it returns. Raises AccountGone, RequestIdReused, OutboxFull, StoreFull.

        With StoreUnavailable the outcome is unknown; the same request id tells.
        """
        ...

    async def get(self, account: AccountId, submission: SubmissionId) -> Submission | None:
        """The item as it is."""
        ...

    async def page(
        self, account: AccountId, after: str, limit: int, states: frozenset[SubmissionState]
    ) -> Sequence[Submission]:
        """Newest first, ids smaller than `after` (empty: from the newest); empty `states`: all."""
        ...

    async def body(self, account: AccountId, submission: SubmissionId) -> bytes | None:
        """The message, None when it is no longer kept."""
        ...

    async def due(self, shard: Shard, nonce: Nonce, now_ms: int, limit: int) -> Sequence[AccountId]:
        """Accounts with something due, longest waiting first; each goes to the back of the row. Raises Fenced."""
        ...

    async def next_due(self, shards: Sequence[Shard]) -> int | None:
        """When the next account of these shards is due, Unix milliseconds."""
        ...

    async def take(self, account: AccountId, nonce: Nonce, now_ms: int, limit: int) -> Sequence[Submission]:
        """Due items, oldest first. Raises Fenced.

        QUEUED, RETRYING and SCHEDULED ones are SENDING now, the attempt counted before it is made; those in any other
        state come as they are, for the owner to decide.
        """
        ...

    async def step(self, step: Step) -> bool:
        """False: the item was not where it was expected to be. Raises Fenced, AccountGone."""
        ...

    def hints(self) -> AbstractAsyncContextManager[AsyncIterator[Shard]]:
        """Shards whose outbox has something new; hints may be lost."""
        ...
