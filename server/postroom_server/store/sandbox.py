"""SandboxStore: the mail of sandbox accounts, whose provider is this server itself.

It owns mailboxes, messages and the index of addresses, and refuses to parse mail. Every write is one script; a mailbox's
modseq grows by one with each of them. All keys but the index lie in the account's slot and go with the account.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from datetime import datetime
from typing import Final

from postroom_server.domain.mailboxes import Role
from postroom_server.domain.sandbox_store import SandboxMailbox, SandboxRow
from postroom_server.errors import AccountGone, MailboxNotFound, MessageTooLarge, ProviderFull
from postroom_server.ids import AccountId
from postroom_server.store import records
from postroom_server.store.connection import Command, Connection
from postroom_server.store.hints import Hints, Listener
from postroom_server.store.keys import Keys, SiteKeys
from postroom_server.store.options import Options
from postroom_server.store.scripts.sandbox import (
    AddressRelease,
    SandboxAppend,
    SandboxDrop,
    SandboxFlags,
    SandboxOpen,
    SandboxRemove,
)

MAILBOXES: Final = (
    ("INBOX", Role.INBOX),
    ("Drafts", Role.DRAFTS),
    ("Sent", Role.SENT),
    ("Junk", Role.JUNK),
    ("Trash", Role.TRASH),
    ("Archive", Role.ARCHIVE),
)
"""Mailboxes of every sandbox account, numbered from 1."""
MAX_FLAG_BYTES: Final = 256
SEEN: Final = b"$seen"


class Sandbox:
    """Sandbox accounts in Redis."""

    def __init__(self, connection: Connection, keys: Keys, options: Options, hints: Hints) -> None:
        self._connection = connection
        self._keys = keys
        self._hints = hints
        self._message_bytes = options.message_bytes
        self._messages = options.sandbox_messages

    async def open(self, account: AccountId, address: str) -> None:
        """Makes the account's mailboxes if they are missing and files its address. Raises AccountGone.

        An address that another sandbox account holds stays with that one.
        """
        address = address.lower()
        reply = await self._connection.run(
            SandboxOpen(account=self._keys.account(account), address=address, mailboxes=len(MAILBOXES))
        )
        _refuse(reply[0], 0)
        former = reply[1].decode()
        if former and former != address:
            await self._connection.run(AddressRelease(address=former, account=account))
        if await self.find(address) is None:
            await self._connection.do("HSET", SiteKeys.addresses, address, account)

    async def find(self, address: str) -> AccountId | None:
        """The sandbox account that receives mail for this address."""
        address = address.lower()
        holder = await self._connection.do("HGET", SiteKeys.addresses, address)
        if holder is None:
            return None
        account = AccountId(holder.decode())
        filed = await self._connection.do("HGET", self._keys.account(account).sandbox, "a")
        return account if filed == address.encode() else None

    async def mailboxes(self, account: AccountId) -> Sequence[SandboxMailbox]:
        """All mailboxes, as of one instant. Raises AccountGone."""
        keys, numbers = self._keys.account(account), range(1, len(MAILBOXES) + 1)
        commands: list[Command] = [("HGETALL", keys.sandbox)]
        commands += [("HVALS", keys.sandbox_rows(number)) for number in numbers]
        facts, *rows = await self._connection.batch(commands, atomic=True)
        if not facts:
            raise AccountGone
        return [
            SandboxMailbox(
                number=number,
                path=(name,),
                role=role,
                epoch=int(facts[b"e"]),
                next_uid=int(facts[b"%d.next" % number]),
                modseq=int(facts[b"%d.mod" % number]),
                messages=len(messages),
                unseen=sum(SEEN not in row.split(b" ")[3:] for row in messages),
            )
            for number, (name, role), messages in zip(numbers, MAILBOXES, rows, strict=True)
        ]

    async def rows(self, account: AccountId, mailbox: int) -> Sequence[SandboxRow]:
        """All messages of one mailbox, oldest first, without their bytes."""
        found = await self._connection.do("HGETALL", self._keys.account(account).sandbox_rows(mailbox))
        return [_row(int(uid), row) for uid, row in sorted(found.items(), key=lambda one: int(one[0]))]

    async def raw(self, account: AccountId, mailbox: int, uid: int) -> bytes | None:
        """The bytes of one message, None when it is gone."""
        prefix = self._keys.account(account).sandbox_raw_prefix(mailbox)
        raw: bytes | None = await self._connection.do("GET", f"{prefix}{uid}")
        return raw

    async def append(
        self, account: AccountId, mailbox: int, raw: bytes, flags: frozenset[str], received: datetime
    ) -> int:
        """Stores one message, returns its UID. Raises ProviderFull, MessageTooLarge, MailboxNotFound, AccountGone."""
        if len(raw) > self._message_bytes:
            raise MessageTooLarge(limit=str(self._message_bytes))
        reply = await self._connection.run(
            SandboxAppend(
                account=self._keys.account(account),
                mailbox=mailbox,
                received_us=records.microseconds(received),
                flags=" ".join(sorted(_words(flags))),
                most=self._messages,
                raw=raw,
            )
        )
        _refuse(reply[0], mailbox)
        return int(reply[1])

    async def set_flags(
        self,
        account: AccountId,
        mailbox: int,
        uids: Sequence[int],
        add: frozenset[str],
        remove: frozenset[str],
    ) -> Mapping[int, frozenset[str]]:
        """Flags after the edit, per UID that exists. Raises MailboxNotFound, AccountGone."""
        status, *flat = await self._connection.run(
            SandboxFlags(
                account=self._keys.account(account),
                mailbox=mailbox,
                add=sorted(_words(add)),
                remove=sorted(_words(remove)),
                uids=uids,
            )
        )
        _refuse(status, mailbox)
        return {
            int(uid): frozenset(words.decode().split())
            for uid, words in zip(flat[::2], flat[1::2], strict=True)
        }

    async def remove(self, account: AccountId, mailbox: int, uids: Sequence[int]) -> Sequence[int]:
        """Removes messages, returns the UIDs that existed. Raises MailboxNotFound, AccountGone."""
        status, *removed = await self._connection.run(
            SandboxRemove(account=self._keys.account(account), mailbox=mailbox, uids=uids)
        )
        _refuse(status, mailbox)
        return [int(uid) for uid in removed]

    async def drop(self, account: AccountId) -> None:
        """Removes every key of the account and its address; safe to call twice."""
        reply = await self._connection.run(
            SandboxDrop(account=self._keys.account(account), mailboxes=len(MAILBOXES))
        )
        if reply[0] == b"OK":
            await self._connection.run(AddressRelease(address=reply[1].decode(), account=account))

    def hints(self, account: AccountId) -> AbstractAsyncContextManager[AsyncIterator[int]]:
        """Numbers of mailboxes that have just changed; may lose some. After a gap every mailbox comes."""
        return self._listen(self._keys.account(account).sandbox_hints)

    @asynccontextmanager
    async def _listen(self, channel: str) -> AsyncIterator[AsyncIterator[int]]:
        async with (
            self._hints.listen((channel,), lambda _, payload: int(payload)) as listener,
            aclosing(_heard(listener)) as numbers,
        ):
            yield numbers


async def _heard(listener: Listener[int]) -> AsyncGenerator[int, None]:
    while True:
        gap, numbers = await listener.wait()
        for number in range(1, len(MAILBOXES) + 1) if gap else numbers:
            yield number


def _refuse(status: bytes, mailbox: int) -> None:
    match status:
        case b"GONE":
            raise AccountGone
        case b"MAILBOX":
            raise MailboxNotFound(mailbox=str(mailbox))
        case b"FULL":
            raise ProviderFull("The sandbox account holds as many messages as it may.")


def _words(flags: frozenset[str]) -> frozenset[str]:
    for flag in flags:
        if not flag or len(flag.encode()) > MAX_FLAG_BYTES or any(one.isspace() for one in flag):
            raise ValueError(f"{flag[:40]!r} is not a flag")
    return flags


def _row(uid: int, stored: bytes) -> SandboxRow:
    modseq, size, received, *flags = stored.decode().split()
    return SandboxRow(
        uid=uid,
        modseq=int(modseq),
        flags=frozenset(flags),
        received=records.time_of(int(received)),
        size_bytes=int(size),
    )
