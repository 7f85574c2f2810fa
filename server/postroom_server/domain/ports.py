"""The provider port: what a backend must offer, small Protocols grouped by what a caller can do.

It owns the shapes that cross between workers and providers and refuses anything provider-shaped: UIDs, labels and change
keys stay behind the opaque bytes. Rules that every implementation keeps (the contract suite proves them):

* Deadline: every await inside ends by `Call.deadline` (monotonic clock); waiting for a pool place counts. A method returns
  no later than deadline + 250 ms, with DeadlineExceeded. There is no default deadline inside a backend.
* Cancellation is re-raised. Reads free their connection within 1 s. A write whose first byte is out is shielded for up to
  5 s so that its result is recorded, then it is UNKNOWN; untried items are NOT_TRIED.
* Retries live in the worker; inside a backend exactly one: a read on a kept connection that the far end had closed.
* Results are per item. Pages hold at most 1,000 rows.
* Reading never changes a flag.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from typing import Final, Generic, NewType, Protocol, TypeAlias, TypeVar

from postroom_server.domain.flags import Flag
from postroom_server.domain.keys import ItemKey, ItemKeys, MailboxKey, NumberedKeys, ScopeId
from postroom_server.domain.mailboxes import MailboxRow
from postroom_server.domain.messages import ByteStream, Content, Summary
from postroom_server.domain.search import SearchPage, SearchQuery
from postroom_server.errors import PostroomError

PAGE_ROWS: Final = 1_000
MAX_PROVIDER_CURSOR: Final = 4_096

ProviderCursor = NewType("ProviderCursor", bytes)
"""Position in one scope, at most 4 KiB, opaque; two different positions never have equal bytes."""


K = TypeVar("K", NumberedKeys, ItemKeys)


class Lane(Enum):
    """How urgent a call is; the smaller number goes first."""

    INTERACTIVE = 0
    SYNC = 1
    BULK = 2


class Membership(Enum):
    """How many mailboxes a message may be in."""

    ONE = 1
    MANY = 2


class Numbering(Enum):
    """Who numbers the messages: the provider (UIDs, a space per mailbox), or we (slots, one space per account)."""

    PROVIDER = 1
    SLOT = 2


class Outcome(Enum):
    """What became of one item of a batch."""

    DONE = 1
    UNCHANGED = 2
    GONE = 3
    REFUSED = 4
    UNKNOWN = 5
    NOT_TRIED = 6


class MarkKind(StrEnum):
    """What a mark says of a message: a flag, or (label providers) a mailbox."""

    FLAG = "flag"
    MAILBOX = "mailbox"


Mark = tuple[MarkKind, str]


def mailbox_mark(key: MailboxKey) -> Mark:
    """The mark of being in a mailbox, as a provider with labels gives it."""
    return (MarkKind.MAILBOX, key.decode("latin-1"))


def marked_mailbox(mark: Mark) -> MailboxKey:
    """The mailbox of such a mark."""
    return MailboxKey(mark[1].encode("latin-1"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Until when, how urgently, for whom: first argument of every method. `deadline` is on the loop's monotonic scale."""

    deadline: float
    lane: Lane = Lane.INTERACTIVE
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """Probed when the account connects; the only way to ask what its backend can."""

    membership: Membership = Membership.ONE
    numbering: Numbering = Numbering.PROVIDER
    """SLOT: an item key is the message's for life, whatever mailbox it is in."""
    one_scope: bool = False
    """All mailboxes share one scope, so one position covers the account."""
    push: AbstractSet[str] = frozenset()
    settable_flags: AbstractSet[Flag] = frozenset()
    keywords: bool = True
    search: Mapping[str, str] = field(default_factory=dict)
    """Condition field -> EXACT, SUBSTRING or WORD; absent: the server cannot answer it."""
    append: str = "ANY"
    permanent_delete: bool = True
    send_only: bool = False
    begins_empty: bool = False
    """The account was made by its registration: all mail in it came later, and is news."""
    max_source_bytes: int = 0
    provider: Mapping[str, str] = field(default_factory=dict)
    """In the provider's own words, for people only."""

    def shown(self) -> dict[str, object]:
        """As JSON-ready values, in the names of the contract."""
        return {
            "membership": self.membership.name,
            "push": sorted(self.push),
            "settableFlags": sorted(self.settable_flags),
            "keywords": self.keywords,
            "search": dict(sorted(self.search.items())),
            "append": self.append,
            "permanentDelete": self.permanent_delete,
            "sendOnly": self.send_only,
            "raw": dict(sorted(self.provider.items())),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Wakeup:
    """A hint to look: may be lost, doubled, early, late; never carries truth. No scopes = look at all of them."""

    scopes: frozenset[ScopeId]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations(Generic[K]):
    """What the provider shows of one scope, column by column. Facts, never changes.

    `present` were seen now; unknown ones among them are new. `on` / `off` say which of the scope's keys carry a mark: for
    kinds in `absolute`, `on` is the whole truth about `present`. `gone` have left the scope. `whole`: `present` is the
    complete scope, so that what is missing is gone. `gone_final` False: `gone` have left this scope and may be in another
    one; `MessageLocator.locate` says. Where the scope is one mailbox, `present` are in it. `cursor` comes on the last page
    only.
    """

    scope: ScopeId
    epoch: int
    present: K
    on: Mapping[Mark, K] = field(default_factory=dict)
    off: Mapping[Mark, K] = field(default_factory=dict)
    absolute: frozenset[MarkKind] = frozenset()
    gone: K
    gone_final: bool = True
    whole: bool = False
    summaries: Mapping[ItemKey, Summary] = field(default_factory=dict)
    cursor: ProviderCursor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where a message is now; no mailboxes = gone for good."""

    key: ItemKey
    mailboxes: tuple[MailboxKey, ...]


Numbered: TypeAlias = Observations[NumberedKeys]
"""What a provider shows that numbers its messages."""
Keyed: TypeAlias = Observations[ItemKeys]
"""What a provider shows whose keys are for life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemResult:
    """What became of one key; `new_key` where it lives now under another one."""

    key: ItemKey
    outcome: Outcome
    new_key: ItemKey | None = None
    error: PostroomError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemEdit:
    """A difference of flags and mailboxes, never a whole state."""

    add_flags: frozenset[Flag] = frozenset()
    remove_flags: frozenset[Flag] = frozenset()
    add_mailboxes: frozenset[MailboxKey] = frozenset()
    remove_mailboxes: frozenset[MailboxKey] = frozenset()


class MailboxCatalog(Protocol):
    """The account's mailboxes."""

    async def list_mailboxes(self, call: Call, *, counts: bool) -> Sequence[MailboxRow]:
        """All mailboxes; with `counts` also messages and unseen."""
        ...


class ChangeSource(Protocol):
    """What changed at the provider."""

    def wakeups(self, scopes: Sequence[ScopeId]) -> AbstractAsyncContextManager[AsyncIterator[Wakeup]]:
        """Keeps the provider's push alive (IDLE, NOTIFY) for as long as the context is open.

        At most one hint per scope is pending. The iterator raises a ProviderError when the connection is lost.
        """
        ...

    async def stale(self, call: Call, known: Mapping[ScopeId, ProviderCursor | None]) -> Sequence[ScopeId]:
        """Cheapest look at all scopes: which may have changed. May name too many, never too few."""
        ...

    def changes(
        self, call: Call, scope: ScopeId, since: ProviderCursor | None
    ) -> AsyncIterator[Numbered] | AsyncIterator[Keyed]:
        """Pages since the cursor, or the whole scope for None.

        Raises:
            ProviderCursorExpired: Before the first page, or not at all.
            MailboxNotFound: The scope is gone.
        """
        ...


class MessageReader(Protocol):
    """Reading messages."""

    def summaries(self, call: Call, keys: Sequence[ItemKey]) -> AsyncIterator[Summary]:
        """In any order; a key that is gone is left out."""
        ...

    async def content(self, call: Call, key: ItemKey, *, text_budget: int) -> Content:
        """Headers, text and html, each text cut to `text_budget` bytes of UTF-8. Raises MessageNotFound."""
        ...

    async def source(self, call: Call, key: ItemKey) -> ByteStream:
        """The RFC 5322 bytes. Raises MessageNotFound before the first chunk."""
        ...

    async def part(self, call: Call, key: ItemKey, part_id: str) -> ByteStream:
        """One part, decoded. Raises MessageNotFound or AttachmentNotFound before the first chunk."""
        ...


class MessageSearcher(Protocol):
    """Searching one mailbox."""

    async def search(self, call: Call, query: SearchQuery, after: bytes | None) -> SearchPage:
        """One page, newest first. Raises RequestInvalid for what cannot be asked and CapabilityMissing."""
        ...


class MessageWriter(Protocol):
    """Changing messages: one result per key as it becomes known."""

    def modify(self, call: Call, keys: Sequence[ItemKey], edit: ItemEdit) -> AsyncIterator[ItemResult]:
        """Flags and mailboxes by difference."""
        ...

    async def append(
        self,
        call: Call,
        to: MailboxKey,
        source: ByteStream,
        flags: frozenset[Flag],
        received: datetime | None,
    ) -> ItemKey | None:
        """Stores a message; the new key where the provider tells it. `source.size_bytes` must be known."""
        ...


class MessageLocator(Protocol):
    """Where messages went, for providers whose scopes tell only that one has left."""

    async def locate(self, call: Call, keys: Sequence[ItemKey]) -> Sequence[Location]:
        """One location per key, in the order of the keys."""
        ...


class MailboxEditor(Protocol):
    """Changing the account's mailboxes. The new row comes back, so that it is known before the next listing."""

    async def create_mailbox(self, call: Call, path: Sequence[str]) -> MailboxRow:
        """Makes a mailbox and what lacks above it. Raises MailboxExists, RequestInvalid (`path`)."""
        ...

    async def rename_mailbox(self, call: Call, key: MailboxKey, path: Sequence[str]) -> MailboxRow:
        """Moves a mailbox, with all beneath it, to another path. Raises MailboxNotFound, MailboxExists, RequestInvalid."""
        ...

    async def subscribe_mailbox(self, call: Call, key: MailboxKey, *, on: bool) -> None:
        """Subscribes to a mailbox or not. Raises MailboxNotFound."""
        ...

    async def delete_mailbox(self, call: Call, key: MailboxKey) -> None:
        """Removes a mailbox and the messages that are in no other one. Raises MailboxNotFound, RequestInvalid."""
        ...


class MessageMover(Protocol):
    """Moving, copying and removing messages: one result per key as it becomes known."""

    def move(
        self, call: Call, keys: Sequence[ItemKey], source: MailboxKey | None, to: MailboxKey
    ) -> AsyncIterator[ItemResult]:
        """Into `to` and out of `source` (None: out of every other mailbox)."""
        ...

    def copy(self, call: Call, keys: Sequence[ItemKey], to: MailboxKey) -> AsyncIterator[ItemResult]:
        """A copy in `to` under a key of its own; where a message may be in many mailboxes, the message itself is put in."""
        ...

    def delete(self, call: Call, keys: Sequence[ItemKey], *, permanent: bool) -> AsyncIterator[ItemResult]:
        """Into the trash; for good if `permanent` or if it is there already."""
        ...


class MailAccount(MailboxCatalog, ChangeSource, MessageReader, MessageSearcher, MessageWriter, Protocol):
    """One account at its provider. Pools, sessions and SELECT state are inside; the worker never sees a connection."""

    @property
    def capabilities(self) -> Capabilities:
        """As probed when it was opened."""
        ...

    @property
    def locator(self) -> MessageLocator | None:
        """None where no scope is ever left provisionally."""
        ...

    @property
    def mailbox_editor(self) -> MailboxEditor | None:
        """None where mailboxes cannot be changed."""
        ...

    @property
    def mover(self) -> MessageMover | None:
        """None where messages cannot be moved."""
        ...

    async def close(self) -> None:
        """Ends every connection; safe to call twice."""
        ...


class Clock(Protocol):
    """Wall clock; intervals are measured on the loop's monotonic clock."""

    def now(self) -> datetime:
        """The time now, in UTC."""
        ...
