"""Calls of the scripts that commit and read snapshots, and read feeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from postroom_server.store.keys import AccountKeys
from postroom_server.store.scripts import Script, Value
from postroom_server.store.scripts.accounts import FeedLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitStep(Script):
    """Everything is encoded; empty bytes mean absent. Replies FENCED, GONE, CONFLICT … or OK sequence."""

    file: ClassVar[str] = "commit"

    account: AccountKeys
    nonce: str
    incarnation: str
    sequence: int
    limits: FeedLimits
    counters: tuple[int, int] | None
    fields: Sequence[tuple[str, Value, Value]]
    """(field of meta, expected, new)."""
    chunks: Sequence[tuple[str, bytes]]
    mailboxes: Sequence[tuple[int, bytes]]
    entries: Sequence[bytes]

    def keys(self) -> Sequence[str]:
        """Keys of the account and its shard."""
        one, shard = self.account, self.account.shard
        return (shard.lease, one.meta, one.snap, one.names, one.feed, shard.order, shard.total)

    def args(self) -> Sequence[Value]:
        """As commit.lua says."""
        args: list[Value] = [self.nonce, self.account.account, self.incarnation, self.sequence]
        args += [self.limits.age_ms, self.limits.bytes, *(self.counters or ("", "")), len(self.fields)]
        for field in self.fields:
            args += field
        args.append(len(self.chunks))
        for name, chunk in self.chunks:
            args += (name, chunk)
        args.append(len(self.mailboxes))
        for number, record in self.mailboxes:
            args += (number, record)
        return [*args, *self.entries]


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRead(Script):
    """Replies field, value, … of one space."""

    file: ClassVar[str] = "snapshot_read"

    account: AccountKeys
    prefix: str

    def keys(self) -> Sequence[str]:
        """The snapshot."""
        return (self.account.snap,)

    def args(self) -> Sequence[Value]:
        """As snapshot_read.lua says."""
        return (self.prefix,)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedRead(Script):
    """Replies GONE, or OK or (deleted) DEAD with incarnation low sequence entry*."""

    file: ClassVar[str] = "feed_read"

    account: AccountKeys
    first: int
    count: int

    def keys(self) -> Sequence[str]:
        """Meta and feed."""
        return (self.account.meta, self.account.feed)

    def args(self) -> Sequence[Value]:
        """As feed_read.lua says."""
        return (self.first, self.count)
