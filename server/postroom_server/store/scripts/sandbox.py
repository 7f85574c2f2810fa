"""Calls of the scripts of sandbox accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from postroom_server.store.keys import AccountKeys, SiteKeys
from postroom_server.store.scripts import Script, Value, sandbox_lib

MAX_FLAGS: Final = 128
"""Flags of one message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOpen(Script):
    """Replies GONE or OK former-address."""

    file: ClassVar[str] = "sandbox_open"

    account: AccountKeys
    address: str
    profile: str
    mailboxes: Sequence[tuple[str, str]]
    """Role (or -) and path of each."""

    def keys(self) -> Sequence[str]:
        """Meta, the sandbox, its mailboxes and the removed accounts."""
        one = self.account
        return (one.meta, one.sandbox, one.sandbox_mailboxes, one.shard.gone)

    def args(self) -> Sequence[Value]:
        """As sandbox_open.lua says."""
        return (
            self.account.account,
            self.address,
            self.profile,
            *(word for one in self.mailboxes for word in one),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxAppend(sandbox_lib.Writing):
    """Replies GONE, MAILBOX, FULL or OK message."""

    file: ClassVar[str] = "sandbox_append"

    account: AccountKeys
    mailbox: int
    received_us: int
    flags: str
    most: int
    raw: bytes = field(repr=False)

    def own(self) -> Sequence[Value]:
        """As sandbox_append.lua says."""
        return (self.mailbox, len(self.raw), self.received_us, self.flags, self.most, self.raw)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxChange(sandbox_lib.Writing):
    """Replies GONE, MAILBOX, FULL or OK (message, deed, new message, flags)*."""

    file: ClassVar[str] = "sandbox_change"

    account: AccountKeys
    verb: str
    messages: Sequence[int]
    most: int
    within: int = 0
    origin: int = 0
    target: int = 0
    add: Sequence[str] = ()
    remove: Sequence[str] = ()
    enter: Sequence[int] = ()
    leave: Sequence[int] = ()

    def own(self) -> Sequence[Value]:
        """As sandbox_change.lua says."""
        lists: list[Value] = []
        for words in (self.add, self.remove, self.enter, self.leave):
            lists += [len(words), *words]
        one = (self.verb, self.within, self.origin, self.target, self.most, MAX_FLAGS)
        return (*one, *lists, *self.messages)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxDelete(SandboxChange):
    """Replies as SandboxChange; its verb is delete."""

    file: ClassVar[str] = "sandbox_delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSince(Script):
    """Replies GONE, EXPIRED epoch modseq or OK epoch modseq record*."""

    file: ClassVar[str] = "sandbox_since"

    account: AccountKeys
    modseq: int
    most: int

    def keys(self) -> Sequence[str]:
        """The sandbox and its history."""
        return (self.account.sandbox, self.account.sandbox_history)

    def args(self) -> Sequence[Value]:
        """As sandbox_since.lua says."""
        return (self.modseq, self.most)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxMailboxChange(sandbox_lib.Writing):
    """Replies GONE, MAILBOX, EXISTS, ROLE, INSIDE, CHILDREN, LONG, MANY or OK mailbox."""

    file: ClassVar[str] = "sandbox_mailbox"

    account: AccountKeys
    verb: str
    mailbox: int = 0
    path: str = ""
    most: int
    longest: int

    def own(self) -> Sequence[Value]:
        """As sandbox_mailbox.lua says."""
        return (self.verb, self.mailbox, self.path, self.most, self.longest)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxFault(sandbox_lib.Writing):
    """Replies GONE or OK."""

    file: ClassVar[str] = "sandbox_fault"

    account: AccountKeys
    verb: str
    value: str = ""

    def own(self) -> Sequence[Value]:
        """As sandbox_fault.lua says."""
        return (self.verb, self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxRefusalTake(Script):
    """Replies NONE or OK words."""

    file: ClassVar[str] = "sandbox_refusal"

    account: AccountKeys

    def keys(self) -> Sequence[str]:
        """The sandbox."""
        return (self.account.sandbox,)

    def args(self) -> Sequence[Value]:
        """None."""
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxDrop(Script):
    """Replies NONE or OK address."""

    file: ClassVar[str] = "sandbox_drop_account"

    account: AccountKeys

    def keys(self) -> Sequence[str]:
        """The sandbox."""
        return (self.account.sandbox,)

    def args(self) -> Sequence[Value]:
        """As sandbox_drop_account.lua says."""
        return (self.account.sandbox_prefix,)


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
