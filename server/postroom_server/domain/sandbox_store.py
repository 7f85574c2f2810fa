"""The sandbox's store port: where the accounts of `backends/sandbox` live.

It owns the shapes that cross between the sandbox backend and the store and refuses what is a backend's: searching,
parsing and the identity of messages.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from postroom_server.ids import AccountId


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxMailbox:
    """One mailbox of a sandbox account."""

    number: int
    path: tuple[str, ...]
    role: str | None
    epoch: int
    next_uid: int
    modseq: int
    messages: int
    unseen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxRow:
    """One message of a sandbox mailbox; `modseq` is that of its last change."""

    uid: int
    modseq: int
    flags: frozenset[str]
    received: datetime
    size_bytes: int


class SandboxStore(Protocol):
    """Where sandbox accounts live: see `backends/sandbox`. Every write is one atomic step.

    A mailbox is known by its number; its log counts every change of it (`modseq`).
    """

    async def open(self, account: AccountId, address: str) -> None:
        """Makes the account's mailboxes if they are missing and files its address."""
        ...

    async def mailboxes(self, account: AccountId) -> Sequence[SandboxMailbox]:
        """All mailboxes."""
        ...

    async def rows(self, account: AccountId, mailbox: int) -> Sequence[SandboxRow]:
        """All messages of one mailbox, oldest first, without their bytes."""
        ...

    async def raw(self, account: AccountId, mailbox: int, uid: int) -> bytes | None:
        """The bytes of one message, None when it is gone."""
        ...

    async def append(
        self, account: AccountId, mailbox: int, raw: bytes, flags: frozenset[str], received: datetime
    ) -> int:
        """Stores one message, returns its UID. Raises ProviderFull beyond the limits."""
        ...

    async def set_flags(
        self,
        account: AccountId,
        mailbox: int,
        uids: Sequence[int],
        add: frozenset[str],
        remove: frozenset[str],
    ) -> Mapping[int, frozenset[str]]:
        """Flags after the edit, per UID that exists."""
        ...

    async def remove(self, account: AccountId, mailbox: int, uids: Sequence[int]) -> Sequence[int]:
        """Removes messages, returns the UIDs that existed."""
        ...

    async def find(self, address: str) -> AccountId | None:
        """The sandbox account that receives mail for this address."""
        ...

    def hints(self, account: AccountId) -> AbstractAsyncContextManager[AsyncIterator[int]]:
        """Numbers of mailboxes that have just changed; may lose some."""
        ...
