"""Calls of the scripts of the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from postroom_server.ids import SubmissionId
from postroom_server.store.keys import AccountKeys, ShardKeys
from postroom_server.store.scripts import Script, Value
from postroom_server.store.scripts.accounts import FeedLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxLimits:
    """What one account's outbox may hold: items that are not final, bytes of their messages."""

    items: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyPut(Script):
    """Replies GONE, DUPLICATE, FULL, LOST or OK."""

    file: ClassVar[str] = "body_put"

    account: AccountKeys
    submission: SubmissionId
    size_bytes: int
    keep_ms: int
    limits: OutboxLimits
    number: int
    chunk: bytes

    def keys(self) -> Sequence[str]:
        """The body and what limits it."""
        one = self.account
        return (one.meta, one.body(self.submission), one.uploads, one.due, one.item(self.submission))

    def args(self) -> Sequence[Value]:
        """As body_put.lua says."""
        limits = (self.limits.items, self.limits.bytes)
        return (self.submission, self.size_bytes, self.keep_ms, *limits, self.number, self.chunk)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxSubmit(Script):
    """Replies GONE, MISMATCH, DUPLICATE submission, FULL, LOST or OK sequence."""

    file: ClassVar[str] = "outbox_submit"

    account: AccountKeys
    submission: SubmissionId
    request_id: str
    fingerprint: str
    due_ms: int
    state: str
    size_bytes: int
    chunks: int
    limits: OutboxLimits
    feed: FeedLimits
    record: bytes
    entry: bytes

    def keys(self) -> Sequence[str]:
        """Keys of the item, the account and its shard."""
        one, shard = self.account, self.account.shard
        item = one.item(self.submission)
        return (
            one.meta,
            item,
            one.request(self.request_id) if self.request_id else item,
            one.due,
            shard.due,
            one.subs,
            one.final,
            one.uploads,
            one.body(self.submission),
            one.feed,
            shard.order,
            shard.total,
            shard.outbox_hints,
        )

    def args(self) -> Sequence[Value]:
        """As outbox_submit.lua says."""
        return (
            self.account.account,
            self.submission,
            1 if self.request_id else 0,
            self.fingerprint,
            self.due_ms,
            self.state,
            self.size_bytes,
            self.chunks,
            self.limits.items,
            self.limits.bytes,
            self.feed.age_ms,
            self.feed.bytes,
            self.record,
            self.entry,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxDue(Script):
    """Replies FENCED or OK account*."""

    file: ClassVar[str] = "outbox_due"

    shard: ShardKeys
    nonce: str
    now_ms: int
    limit: int
    again_ms: int

    def keys(self) -> Sequence[str]:
        """Lease and row."""
        return (self.shard.lease, self.shard.due)

    def args(self) -> Sequence[Value]:
        """As outbox_due.lua says."""
        return (self.nonce, self.now_ms, self.limit, self.again_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxTake(Script):
    """Replies FENCED or OK (submission state attempt record)*."""

    file: ClassVar[str] = "outbox_take"

    account: AccountKeys
    nonce: str
    now_ms: int
    limit: int
    again_ms: int

    def keys(self) -> Sequence[str]:
        """Lease and due times."""
        return (self.account.shard.lease, self.account.due, self.account.shard.due)

    def args(self) -> Sequence[Value]:
        """As outbox_take.lua says."""
        one = self.account
        return (self.nonce, one.account, self.now_ms, self.limit, one.item_prefix, self.again_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxStep(Script):
    """Replies FENCED, GONE, CONFLICT or OK."""

    file: ClassVar[str] = "outbox_step"

    account: AccountKeys
    submission: SubmissionId
    nonce: str
    expected: tuple[str, int]
    """(state, attempt)."""
    new: tuple[str, int]
    due_ms: int | None
    keep_ms: int
    feed: FeedLimits
    record: bytes
    entry: bytes

    def keys(self) -> Sequence[str]:
        """Keys of the item, the account and its shard."""
        one, shard = self.account, self.account.shard
        return (
            shard.lease,
            one.meta,
            one.item(self.submission),
            one.due,
            shard.due,
            one.final,
            one.body(self.submission),
            one.feed,
            shard.order,
            shard.total,
            shard.outbox_hints,
        )

    def args(self) -> Sequence[Value]:
        """As outbox_step.lua says."""
        due = "" if self.due_ms is None else self.due_ms
        feed = (self.feed.age_ms, self.feed.bytes)
        who = (self.nonce, self.account.account, self.submission)
        return (*who, *self.expected, *self.new, due, self.keep_ms, *feed, self.record, self.entry)
