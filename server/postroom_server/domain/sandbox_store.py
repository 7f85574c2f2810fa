"""The sandbox's store port: where the accounts of `backends/sandbox` live.

It owns the shapes that cross between the sandbox backend and the store and refuses what is a backend's: searching,
parsing and the identity of messages.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final, Protocol

from postroom_server.domain.accounts import SandboxProfile
from postroom_server.ids import AccountId

ANY: Final = 0
"""The mailbox number that means: whatever mailbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxState:
    """An account as a whole. `modseq` counts every change of a message; history reaches back to `floor`."""

    profile: SandboxProfile
    epoch: int
    modseq: int
    floor: int
    next_number: int
    offline: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxMailbox:
    """One mailbox; `modseq` is that of the last change in it. A virtual one holds no messages of its own."""

    number: int
    path: tuple[str, ...]
    role: str | None
    subscribed: bool
    epoch: int
    modseq: int
    messages: int
    unseen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxRow:
    """One message without its bytes; `modseq` is that of its last change. Numbers grow with arrival."""

    number: int
    modseq: int
    mailboxes: frozenset[int]
    flags: frozenset[str]
    received: datetime
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSnapshot:
    """Everything as of one instant, the messages oldest first."""

    state: SandboxState
    rows: Sequence[SandboxRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxStep:
    """What happened to one message; None for mailboxes: it is not there."""

    number: int
    before: frozenset[int] | None
    after: frozenset[int] | None
    flags_before: frozenset[str]
    flags: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxHistory:
    """Steps since a modseq, one modseq each; `modseq` is where the account stands now.

    `expired`: the account does not know that modseq, or no longer.
    """

    epoch: int
    modseq: int
    steps: Sequence[SandboxStep]
    expired: bool = False


class Deed(Enum):
    """What became of one message of a change."""

    DONE = "D"
    UNCHANGED = "U"
    GONE = "G"
    REFUSED = "R"
    """It would have too many flags."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxResult:
    """What became of one message; `new_number` is its number afterwards, or its copy's, None when there is none."""

    number: int
    deed: Deed
    new_number: int | None
    flags: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxEdit:
    """A difference of flags and, on accounts with labels, of mailboxes."""

    add_flags: frozenset[str] = frozenset()
    remove_flags: frozenset[str] = frozenset()
    enter: frozenset[int] = frozenset()
    leave: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An SMTP reply to what is sent; `enhanced_status` may be empty."""

    code: int
    enhanced_status: str
    text: str


class SandboxStore(Protocol):
    """Where sandbox accounts live: see `backends/sandbox`. Every write is one atomic step.

    Mailboxes and messages are known by numbers that are never used again. Where a method takes `mailbox`, messages that
    are not in it are gone; ANY takes them wherever they are. Each raises AccountGone.
    """

    async def open(
        self, account: AccountId, address: str, profile: SandboxProfile = SandboxProfile.IMAP
    ) -> None:
        """Makes the account's mailboxes if they are missing and files its address."""
        ...

    async def state(self, account: AccountId) -> SandboxState:
        """The account as a whole."""
        ...

    async def mailboxes(self, account: AccountId) -> Sequence[SandboxMailbox]:
        """All mailboxes, by number."""
        ...

    async def snapshot(self, account: AccountId) -> SandboxSnapshot:
        """Everything as of one instant."""
        ...

    async def history(self, account: AccountId, since: int, most: int) -> SandboxHistory:
        """At most so many steps since a modseq."""
        ...

    async def rows(self, account: AccountId, mailbox: int) -> Sequence[SandboxRow]:
        """All messages of one mailbox, or of ANY, oldest first."""
        ...

    async def messages(self, account: AccountId, numbers: Sequence[int]) -> Mapping[int, SandboxRow]:
        """Those of these messages that are there."""
        ...

    async def raw(self, account: AccountId, number: int) -> bytes | None:
        """The bytes of one message, None when it is gone."""
        ...

    async def append(
        self, account: AccountId, mailbox: int, raw: bytes, flags: frozenset[str], received: datetime
    ) -> int:
        """Stores one message, returns its number. Raises ProviderFull beyond the limits, MailboxNotFound."""
        ...

    async def edit(
        self, account: AccountId, numbers: Sequence[int], edit: SandboxEdit, *, mailbox: int = ANY
    ) -> Sequence[SandboxResult]:
        """Flags and mailboxes by difference. Raises MailboxNotFound."""
        ...

    async def move(
        self,
        account: AccountId,
        numbers: Sequence[int],
        to: int,
        *,
        mailbox: int = ANY,
        source: int = ANY,
    ) -> Sequence[SandboxResult]:
        """Into `to` and out of `source`. Raises MailboxNotFound."""
        ...

    async def copy(
        self, account: AccountId, numbers: Sequence[int], to: int, *, mailbox: int = ANY
    ) -> Sequence[SandboxResult]:
        """A copy in `to`; with labels, the message itself. All or none. Raises MailboxNotFound, ProviderFull."""
        ...

    async def delete(
        self, account: AccountId, numbers: Sequence[int], *, mailbox: int = ANY, trash: int = ANY
    ) -> Sequence[SandboxResult]:
        """Into the trash, for good if it is there already; for good without a trash."""
        ...

    async def create_mailbox(self, account: AccountId, path: Sequence[str]) -> int:
        """Makes a mailbox and what lacks above it, returns its number. Raises MailboxExists, RequestInvalid."""
        ...

    async def rename_mailbox(self, account: AccountId, mailbox: int, path: Sequence[str]) -> None:
        """With all beneath it. Raises MailboxNotFound, MailboxExists, RequestInvalid."""
        ...

    async def subscribe_mailbox(self, account: AccountId, mailbox: int, *, on: bool) -> None:
        """Raises MailboxNotFound."""
        ...

    async def delete_mailbox(self, account: AccountId, mailbox: int) -> None:
        """With its messages; with labels they stay. Raises MailboxNotFound, RequestInvalid."""
        ...

    async def go_offline(self, account: AccountId, until: datetime | None) -> None:
        """From now on until then, None until the faults are cleared."""
        ...

    async def refuse_sends(self, account: AccountId, refusal: Refusal, count: int) -> None:
        """The next `count` messages that it sends."""
        ...

    async def expire_history(self, account: AccountId) -> None:
        """No modseq that was known so far is known any more."""
        ...

    async def clear_faults(self, account: AccountId) -> None:
        """Neither offline nor refusing."""
        ...

    async def take_refusal(self, account: AccountId) -> Refusal | None:
        """The refusal of what is being sent, used up by this."""
        ...

    async def find(self, address: str) -> AccountId | None:
        """The sandbox account that receives mail for this address."""
        ...

    def hints(self, account: AccountId) -> AbstractAsyncContextManager[AsyncIterator[int]]:
        """Numbers of mailboxes that have just changed, ANY for the account itself; may lose some."""
        ...
