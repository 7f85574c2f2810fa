"""What callers do to sandbox accounts from outside: mail that arrives, and faults.

It owns the rule that no other account can be played with, and the wait until a delivered message is in the feed; it
refuses the store, which is behind the port SandboxPlay.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from postroom_server.domain.accounts import Account, Kind
from postroom_server.domain.flags import Flag
from postroom_server.domain.keys import ItemKey, MailboxKey
from postroom_server.domain.mailboxes import MailboxRecord, Role
from postroom_server.domain.messages import Message
from postroom_server.domain.ports import Call, Clock
from postroom_server.domain.sandbox_play import SandboxPlay
from postroom_server.domain.sandbox_store import Refusal
from postroom_server.domain.storage import AccountStore
from postroom_server.errors import AccountGone, AccountNotFound, CapabilityMissing, Fenced, PostroomError
from postroom_server.ids import AccountId, MailboxId
from postroom_server.workers.account import AccountWorker
from postroom_server.workers.filing import Filing, arrival
from postroom_server.workers.ledger import LedgerMoved
from postroom_server.workers.places import record_of
from postroom_server.workers.supervisor import Supervisor

KEPT_BACK_SECONDS: Final = 1.0
"""Of a call's time, kept for its answer when the account does not come to look."""


class Sandboxes:
    """Sandbox accounts as the world sees them."""

    def __init__(
        self, accounts: AccountStore, supervisor: Supervisor, play: SandboxPlay, filing: Filing, clock: Clock
    ) -> None:
        self._accounts, self._supervisor = accounts, supervisor
        self._play, self._filing, self._clock = play, filing, clock

    async def deliver(
        self,
        call: Call,
        account: AccountId,
        mailbox: MailboxId,
        raw: bytes,
        flags: frozenset[Flag],
        received: datetime | None,
    ) -> Message | None:
        """Lets a message arrive; the message as the feed has told it, None where the account did not come to look.

        On the node that owns the account. Raises MailboxNotFound, ProviderFull, MessageTooLarge, CapabilityMissing.
        """
        found = await self._sandbox(account)
        worker = await self._supervisor.worker(account, call.deadline)
        role = next((one for one in Role if one.value == mailbox), None)
        where: MailboxKey | Role = role or record_of(worker, mailbox).row.key
        try:
            key = await self._play.deliver(found, where, raw, flags, received or self._clock.now())
        except AccountGone:
            raise AccountNotFound(account=account) from None
        early = replace(call, deadline=call.deadline - KEPT_BACK_SECONDS)
        try:
            async with asyncio.timeout_at(early.deadline):
                return await self._arrived(early, worker, mailbox, key)
        except (TimeoutError, PostroomError, LedgerMoved, Fenced):
            return None

    async def _arrived(
        self, call: Call, worker: AccountWorker, mailbox: MailboxId, key: ItemKey
    ) -> Message | None:
        mail = await worker.ready(call)
        record: MailboxRecord = record_of(worker, mailbox)
        found = await arrival(call, worker, mail, record, key)
        return await self._filing.shown(call, worker.account.id, found)

    async def refuse_sends(self, account: AccountId, refusal: Refusal, count: int) -> None:
        """The next `count` messages that the account sends are refused."""
        await self._play.refuse_sends(await self._sandbox(account), refusal, count)

    async def go_offline(self, account: AccountId, seconds: float | None) -> None:
        """The account's provider cannot be reached for so long; None: until the faults are cleared."""
        until = None if seconds is None else self._clock.now() + timedelta(seconds=seconds)
        await self._play.go_offline(await self._sandbox(account), until)

    async def expire_cursors(self, account: AccountId) -> None:
        """The account is read whole."""
        await self._play.expire_cursors(await self._sandbox(account))

    async def clear_faults(self, call: Call, account: AccountId) -> None:
        """The account's provider works again, and the account, on the node that owns it, tries at once."""
        await self._play.clear_faults(await self._sandbox(account))
        (await self._supervisor.worker(account, call.deadline)).retry()

    async def _sandbox(self, account: AccountId) -> Account:
        found = await self._accounts.get(account)
        if found is None:
            raise AccountNotFound(account=account)
        if found[0].kind is not Kind.SANDBOX:
            raise CapabilityMissing("This is not a sandbox account.", capability="sandbox")
        return found[0]
