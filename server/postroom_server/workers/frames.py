"""Frames of the feed as the reader makes them, before services write them in the contract's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from postroom_server.domain.changes import ResetReason
from postroom_server.ids import AccountId, MailboxId


class StartFrom(Enum):
    """Where a watch without a cursor begins."""

    NOW = 1
    EARLIEST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """What is watched. `account` None: all accounts. Empty filters let everything pass. `heartbeat` in seconds."""

    account: AccountId | None
    cursor: str = ""
    start: StartFrom = StartFrom.NOW
    from_time: datetime | None = None
    kinds: frozenset[str] = frozenset()
    mailboxes: frozenset[MailboxId] = frozenset()
    heartbeat: float = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFrame:
    """One change: its encoded form without cursor and sequence, and the cursor behind it."""

    cursor: str
    account: AccountId
    sequence: int
    entry: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointFrame:
    """Nothing was missed up to `cursor`. Lag in changes; `retention_used` in 0..1."""

    cursor: str
    head_cursor: str
    earliest_cursor: str
    server_time: datetime
    lag_changes: int
    retention_used: float
    connected: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetFrame:
    """List again: `account` None = everything that is watched."""

    cursor: str
    account: AccountId | None
    reason: ResetReason


@dataclass(frozen=True, slots=True, kw_only=True)
class EndFrame:
    """The last frame of every stream; resume from `cursor`, after `retry_after` seconds where it is given."""

    cursor: str
    reason: str
    retry_after: float | None = None


Frame = EntryFrame | CheckpointFrame | ResetFrame | EndFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedList:
    """One answer of ListChanges."""

    entries: Sequence[EntryFrame]
    cursor: str
    head_cursor: str
    earliest_cursor: str
    reset: ResetFrame | None
