"""Calls of the scripts of sandbox accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from postroom_server.store.keys import AccountKeys, SiteKeys
from postroom_server.store.scripts import Script, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOpen(Script):
    """Replies GONE or OK former-address."""

    file: ClassVar[str] = "sandbox_open"

    account: AccountKeys
    address: str
    mailboxes: int

    def keys(self) -> Sequence[str]:
        """Meta, the sandbox and the removed accounts."""
        return (self.account.meta, self.account.sandbox, self.account.shard.gone)

    def args(self) -> Sequence[Value]:
        """As sandbox_open.lua says."""
        return (self.address, self.mailboxes, self.account.account)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxAppend(Script):
    """Replies GONE, MAILBOX, FULL or OK uid."""

    file: ClassVar[str] = "sandbox_append"

    account: AccountKeys
    mailbox: int
    received_us: int
    flags: str
    most: int
    raw: bytes = field(repr=False)

    def keys(self) -> Sequence[str]:
        """The sandbox, the mailbox and the hints."""
        one = self.account
        return (one.sandbox, one.sandbox_rows(self.mailbox), one.sandbox_hints)

    def args(self) -> Sequence[Value]:
        """As sandbox_append.lua says."""
        raws = self.account.sandbox_raw_prefix(self.mailbox)
        return (self.mailbox, raws, len(self.raw), self.received_us, self.flags, self.most, self.raw)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxFlags(Script):
    """Replies GONE, MAILBOX or OK (uid flags)*."""

    file: ClassVar[str] = "sandbox_flags"

    account: AccountKeys
    mailbox: int
    add: Sequence[str]
    remove: Sequence[str]
    uids: Sequence[int]

    def keys(self) -> Sequence[str]:
        """The sandbox, the mailbox and the hints."""
        one = self.account
        return (one.sandbox, one.sandbox_rows(self.mailbox), one.sandbox_hints)

    def args(self) -> Sequence[Value]:
        """As sandbox_flags.lua says."""
        return (self.mailbox, len(self.add), *self.add, len(self.remove), *self.remove, *self.uids)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxRemove(Script):
    """Replies GONE, MAILBOX or OK uid*."""

    file: ClassVar[str] = "sandbox_remove"

    account: AccountKeys
    mailbox: int
    uids: Sequence[int]

    def keys(self) -> Sequence[str]:
        """The sandbox, the mailbox and the hints."""
        one = self.account
        return (one.sandbox, one.sandbox_rows(self.mailbox), one.sandbox_hints)

    def args(self) -> Sequence[Value]:
        """As sandbox_remove.lua says."""
        return (self.mailbox, self.account.sandbox_raw_prefix(self.mailbox), *self.uids)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxDrop(Script):
    """Replies NONE or OK address."""

    file: ClassVar[str] = "sandbox_drop_account"

    account: AccountKeys
    mailboxes: int

    def keys(self) -> Sequence[str]:
        """The sandbox."""
        return (self.account.sandbox,)

    def args(self) -> Sequence[Value]:
        """As sandbox_drop_account.lua says."""
        return (self.account.sandbox_prefix, self.mailboxes)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressRelease(Script):
    """Replies NONE or OK."""

    file: ClassVar[str] = "address_release"

    address: str
    account: str

    def keys(self) -> Sequence[str]:
        """The index of addresses."""
        return (SiteKeys.addresses,)

    def args(self) -> Sequence[Value]:
        """As address_release.lua says."""
        return (self.address, self.account)
