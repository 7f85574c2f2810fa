"""SandboxStore: the mail of sandbox accounts, whose provider is this server itself.

It owns mailboxes, messages, their history and the index of addresses, and refuses to parse mail. Every write is one
script; every change of a message grows the account's modseq by one and is remembered, up to a bound. All keys but the
index lie in the account's slot and go with the account.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from datetime import datetime
from typing import Final

from postroom_server.domain.accounts import SandboxProfile
from postroom_server.domain.mailboxes import MAX_PATH_BYTES, Role
from postroom_server.domain.sandbox_store import (
    ANY,
    Refusal,
    SandboxEdit,
    SandboxHistory,
    SandboxMailbox,
    SandboxResult,
    SandboxRow,
    SandboxSnapshot,
    SandboxState,
)
from postroom_server.errors import AccountGone, MessageTooLarge
from postroom_server.ids import AccountId
from postroom_server.store import records, sandbox_rows
from postroom_server.store.connection import Connection
from postroom_server.store.hints import Hints, Listener
from postroom_server.store.keys import Keys, SiteKeys
from postroom_server.store.options import Options
from postroom_server.store.sandbox_checks import MAX_MAILBOXES, checked_flags, checked_path, refuse
from postroom_server.store.scripts.sandbox import (
    AddressRelease,
    SandboxAppend,
    SandboxChange,
    SandboxDelete,
    SandboxDrop,
    SandboxFault,
    SandboxMailboxChange,
    SandboxOpen,
    SandboxRefusalTake,
    SandboxSince,
)

MAILBOXES: Final[Sequence[tuple[str, Role]]] = (
    ("INBOX", Role.INBOX),
    ("Drafts", Role.DRAFTS),
    ("Sent", Role.SENT),
    ("Junk", Role.JUNK),
    ("Trash", Role.TRASH),
    ("Archive", Role.ARCHIVE),
)
"""Mailboxes of every sandbox account, numbered from 1."""
LABELS: Final[Sequence[tuple[str, Role]]] = (*MAILBOXES[:-1], ("All Mail", Role.ALL))
"""Those of an account with labels, where what is in the archive is in no other mailbox."""


class Sandbox:
    """Sandbox accounts in Redis."""

    def __init__(self, connection: Connection, keys: Keys, options: Options, hints: Hints) -> None:
        self._connection = connection
        self._keys = keys
        self._hints = hints
        self._message_bytes = options.message_bytes
        self._most = options.sandbox_messages

    # --- accounts and addresses

    async def open(
        self, account: AccountId, address: str, profile: SandboxProfile = SandboxProfile.IMAP
    ) -> None:
        """Makes the account's mailboxes if they are missing and files its address. Raises AccountGone.

        An address that another sandbox account holds stays with that one.
        """
        address = address.lower()
        boxes = LABELS if profile is SandboxProfile.GMAIL else MAILBOXES
        reply = await self._connection.run(
            SandboxOpen(
                account=self._keys.account(account),
                address=address,
                profile=profile,
                mailboxes=[(role, path) for path, role in boxes],
            )
        )
        refuse(reply[0])
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

    async def drop(self, account: AccountId) -> None:
        """Removes every key of the account and its address; safe to call twice."""
        reply = await self._connection.run(SandboxDrop(account=self._keys.account(account)))
        if reply[0] == b"OK":
            await self._connection.run(AddressRelease(address=reply[1].decode(), account=account))

    # --- reading

    async def state(self, account: AccountId) -> SandboxState:
        """The account as a whole. Raises AccountGone."""
        keys = self._keys.account(account)
        facts, clock = await self._connection.batch([("HGETALL", keys.sandbox), ("TIME",)])
        return _state(facts, clock)

    async def mailboxes(self, account: AccountId) -> Sequence[SandboxMailbox]:
        """All mailboxes, as of one instant. Raises AccountGone."""
        keys = self._keys.account(account)
        facts, clock, boxes, rows = await self._connection.batch(
            [
                ("HGETALL", keys.sandbox),
                ("TIME",),
                ("HGETALL", keys.sandbox_mailboxes),
                ("HGETALL", keys.sandbox_messages),
            ],
            atomic=True,
        )
        return sandbox_rows.mailboxes(_state(facts, clock), boxes, _rows(rows))

    async def snapshot(self, account: AccountId) -> SandboxSnapshot:
        """Everything as of one instant. Raises AccountGone."""
        keys = self._keys.account(account)
        facts, clock, rows = await self._connection.batch(
            [("HGETALL", keys.sandbox), ("TIME",), ("HGETALL", keys.sandbox_messages)], atomic=True
        )
        return SandboxSnapshot(state=_state(facts, clock), rows=_rows(rows))

    async def history(self, account: AccountId, since: int, most: int) -> SandboxHistory:
        """At most so many steps since a modseq. Raises AccountGone."""
        status, *reply = await self._connection.run(
            SandboxSince(account=self._keys.account(account), modseq=since, most=most)
        )
        refuse(status)
        epoch, modseq, *steps = reply
        return SandboxHistory(
            epoch=int(epoch),
            modseq=int(modseq),
            steps=[sandbox_rows.step(one) for one in steps],
            expired=status == b"EXPIRED",
        )

    async def rows(self, account: AccountId, mailbox: int) -> Sequence[SandboxRow]:
        """All messages of one mailbox, or of ANY, oldest first, without their bytes."""
        found = _rows(await self._connection.do("HGETALL", self._keys.account(account).sandbox_messages))
        return [row for row in found if mailbox == ANY or mailbox in row.mailboxes]

    async def messages(self, account: AccountId, numbers: Sequence[int]) -> Mapping[int, SandboxRow]:
        """Those of these messages that are there."""
        if not numbers:
            return {}
        found = await self._connection.do("HMGET", self._keys.account(account).sandbox_messages, *numbers)
        return {
            number: sandbox_rows.message(b"%d" % number, row)
            for number, row in zip(numbers, found, strict=True)
            if row is not None
        }

    async def raw(self, account: AccountId, number: int) -> bytes | None:
        """The bytes of one message, None when it is gone."""
        keys = self._keys.account(account)
        row = await self._connection.do("HGET", keys.sandbox_messages, number)
        if row is None:
            return None
        where = f"{keys.sandbox_raw_prefix}{sandbox_rows.raw_number(row).decode()}"
        raw: bytes | None = await self._connection.do("GET", where)
        return raw

    # --- messages

    async def append(
        self, account: AccountId, mailbox: int, raw: bytes, flags: frozenset[str], received: datetime
    ) -> int:
        """Stores one message, returns its number.

        Raises ProviderFull, MessageTooLarge, MailboxNotFound, AccountGone.
        """
        if len(raw) > self._message_bytes:
            raise MessageTooLarge(limit=str(self._message_bytes))
        reply = await self._connection.run(
            SandboxAppend(
                account=self._keys.account(account),
                mailbox=mailbox,
                received_us=records.microseconds(received),
                flags=" ".join(checked_flags(flags)),
                most=self._most,
                raw=raw,
            )
        )
        refuse(reply[0])
        return int(reply[1])

    async def edit(
        self, account: AccountId, numbers: Sequence[int], edit: SandboxEdit, *, mailbox: int = ANY
    ) -> Sequence[SandboxResult]:
        """Flags and mailboxes by difference. Raises MailboxNotFound, AccountGone."""
        return await self._change(
            SandboxChange(
                account=self._keys.account(account),
                verb="edit",
                messages=numbers,
                most=self._most,
                within=mailbox,
                add=checked_flags(edit.add_flags),
                remove=checked_flags(edit.remove_flags),
                enter=sorted(edit.enter),
                leave=sorted(edit.leave),
            )
        )

    async def move(
        self,
        account: AccountId,
        numbers: Sequence[int],
        to: int,
        *,
        mailbox: int = ANY,
        source: int = ANY,
    ) -> Sequence[SandboxResult]:
        """Into `to` and out of `source`. Raises MailboxNotFound, AccountGone."""
        return await self._change(
            SandboxChange(
                account=self._keys.account(account),
                verb="move",
                messages=numbers,
                most=self._most,
                within=mailbox,
                origin=source,
                target=to,
            )
        )

    async def copy(
        self, account: AccountId, numbers: Sequence[int], to: int, *, mailbox: int = ANY
    ) -> Sequence[SandboxResult]:
        """A copy in `to`, all or none. Raises MailboxNotFound, ProviderFull, AccountGone."""
        return await self._change(
            SandboxChange(
                account=self._keys.account(account),
                verb="copy",
                messages=numbers,
                most=self._most,
                within=mailbox,
                target=to,
            )
        )

    async def delete(
        self, account: AccountId, numbers: Sequence[int], *, mailbox: int = ANY, trash: int = ANY
    ) -> Sequence[SandboxResult]:
        """Into the trash, for good if it is there already; for good without a trash. Raises AccountGone."""
        return await self._change(
            SandboxDelete(
                account=self._keys.account(account),
                verb="delete",
                messages=numbers,
                most=self._most,
                within=mailbox,
                target=trash,
            )
        )

    async def _change(self, script: SandboxChange) -> Sequence[SandboxResult]:
        status, *flat = await self._connection.run(script)
        refuse(status)
        return sandbox_rows.results(flat)

    # --- mailboxes

    async def create_mailbox(self, account: AccountId, path: Sequence[str]) -> int:
        """Makes a mailbox and what lacks above it. Raises MailboxExists, RequestInvalid, AccountGone."""
        return await self._change_mailbox(account, "create", ANY, checked_path(path))

    async def rename_mailbox(self, account: AccountId, mailbox: int, path: Sequence[str]) -> None:
        """With all beneath it. Raises MailboxNotFound, MailboxExists, RequestInvalid, AccountGone."""
        await self._change_mailbox(account, "rename", mailbox, checked_path(path))

    async def subscribe_mailbox(self, account: AccountId, mailbox: int, *, on: bool) -> None:
        """Raises MailboxNotFound, AccountGone."""
        await self._change_mailbox(account, "subscribe", mailbox, "1" if on else "0")

    async def delete_mailbox(self, account: AccountId, mailbox: int) -> None:
        """With its messages; with labels they stay. Raises MailboxNotFound, RequestInvalid, AccountGone."""
        await self._change_mailbox(account, "delete", mailbox, "")

    async def _change_mailbox(self, account: AccountId, verb: str, mailbox: int, path: str) -> int:
        status, *reply = await self._connection.run(
            SandboxMailboxChange(
                account=self._keys.account(account),
                verb=verb,
                mailbox=mailbox,
                path=path,
                most=MAX_MAILBOXES,
                longest=MAX_PATH_BYTES,
            )
        )
        refuse(status)
        return int(reply[0])

    # --- faults

    async def go_offline(self, account: AccountId, until: datetime | None) -> None:
        """From now on until then, or until the faults are cleared. Raises AccountGone."""
        end = sandbox_rows.FOREVER_MS if until is None else records.microseconds(until) // 1000
        await self._fault(account, "offline", str(end))

    async def refuse_sends(self, account: AccountId, refusal: Refusal, count: int) -> None:
        """The next `count` messages that it sends. Raises AccountGone."""
        await self._fault(account, "refuse", sandbox_rows.refusal_words(refusal, count))

    async def expire_history(self, account: AccountId) -> None:
        """No modseq that was known so far is known any more. Raises AccountGone."""
        await self._fault(account, "expire")

    async def clear_faults(self, account: AccountId) -> None:
        """Neither offline nor refusing. Raises AccountGone."""
        await self._fault(account, "clear")

    async def _fault(self, account: AccountId, verb: str, value: str = "") -> None:
        reply = await self._connection.run(
            SandboxFault(account=self._keys.account(account), verb=verb, value=value)
        )
        refuse(reply[0])

    async def take_refusal(self, account: AccountId) -> Refusal | None:
        """The refusal of what is being sent, used up by this."""
        reply = await self._connection.run(SandboxRefusalTake(account=self._keys.account(account)))
        return sandbox_rows.refusal(reply[1]) if reply[0] == b"OK" else None

    # --- hints

    def hints(self, account: AccountId) -> AbstractAsyncContextManager[AsyncIterator[int]]:
        """Numbers of mailboxes that have just changed; may lose some. ANY: the account itself, or after a gap."""
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
        for number in (ANY,) if gap else numbers:
            yield number


def _state(facts: Mapping[bytes, bytes], clock: tuple[int, int]) -> SandboxState:
    if not facts:
        raise AccountGone
    seconds, micros = clock
    return sandbox_rows.state(facts, seconds * 1000 + micros // 1000)


def _rows(found: Mapping[bytes, bytes]) -> list[SandboxRow]:
    return [
        sandbox_rows.message(number, row)
        for number, row in sorted(found.items(), key=lambda one: int(one[0]))
    ]
