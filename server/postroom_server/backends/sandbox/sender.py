"""Sending between sandbox accounts: an address of another one gets the message into its inbox, no other is known.

It owns the replies of such a next hop, spelled as SMTP spells them (RFC 5321 section 4.2, RFC 3463), and refuses to let
anything leave the server.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from postroom_server.backends.sandbox.deadlines import OFFLINE, within
from postroom_server.backends.sandbox.shapes import MAX_MESSAGE_BYTES
from postroom_server.domain.mailboxes import Role
from postroom_server.domain.ports import Call, Clock
from postroom_server.domain.sandbox_store import SandboxStore
from postroom_server.domain.senders import (
    OutgoingMessage,
    RecipientReply,
    SenderTraits,
    SendReceipt,
    SendTransaction,
)
from postroom_server.errors import (
    AccountGone,
    DeadlineExceeded,
    MessageTooLarge,
    OutcomeUnknown,
    ProviderFull,
    ProviderUnreachable,
    RecipientsRefused,
    StoreUnavailable,
)
from postroom_server.ids import AccountId

DELIVERED: Final = RecipientReply(code=250, enhanced_status="2.1.5", text="delivered")
UNKNOWN_ADDRESS: Final = RecipientReply(code=550, enhanced_status="5.1.1", text="no such sandbox address")
NO_INBOX: Final = RecipientReply(code=550, enhanced_status="5.2.1", text="the sandbox account has no inbox")
FULL: Final = RecipientReply(code=452, enhanced_status="4.2.2", text="the sandbox mailbox is full")
TAKEN: Final = "250 2.0.0 taken"


class SandboxSender:
    """Sends for one account; there is no connection to keep."""

    traits = SenderTraits(envelope=True, files_sent_copy=False, max_bytes=MAX_MESSAGE_BYTES)

    def __init__(self, store: SandboxStore, clock: Clock, account: AccountId | None = None) -> None:
        """`account` is whose faults are heeded; None: nobody's."""
        self._store, self._clock, self._account = store, clock, account

    @asynccontextmanager
    async def prepare(self, call: Call, message: OutgoingMessage) -> AsyncIterator[SendTransaction]:
        """Looks every address up.

        Raises RecipientsRefused when none is known or the account's sends are to be refused, MessageTooLarge, and
        ProviderUnreachable while the account is offline.
        """
        if len(message.raw) > MAX_MESSAGE_BYTES:
            raise MessageTooLarge(maxBytes=str(MAX_MESSAGE_BYTES))
        await self._fail(call, message)
        found = await within(call, self._find(message.envelope.recipients))
        known = {address: account for address, account in found.items() if account is not None}
        refused = {address: UNKNOWN_ADDRESS for address in found if address not in known}
        if not known:
            nobody = RecipientsRefused(UNKNOWN_ADDRESS.text)
            nobody.replies = refused
            raise nobody
        yield _Transaction(self._store, self._clock, message.raw, known, refused)

    async def _fail(self, call: Call, message: OutgoingMessage) -> None:
        """Plays the faults that were set."""
        if self._account is None:
            return
        if (await within(call, self._store.state(self._account))).offline:
            raise ProviderUnreachable(OFFLINE, stage="connect")
        refusal = await within(call, self._store.take_refusal(self._account))
        if refusal is not None:
            reply = RecipientReply(
                code=refusal.code, enhanced_status=refusal.enhanced_status, text=refusal.text
            )
            refused = RecipientsRefused(refusal.text)
            refused.replies = dict.fromkeys(message.envelope.recipients, reply)
            raise refused

    async def _find(self, addresses: tuple[str, ...]) -> dict[str, AccountId | None]:
        return {address: await self._store.find(address) for address in addresses}

    async def verify(self, call: Call) -> None:
        """There is nothing to log in to; the store answers."""
        await within(call, self._find(("",)))

    async def close(self) -> None:
        """Nothing to end."""


class _Transaction:
    """A message whose envelope was given."""

    def __init__(
        self,
        store: SandboxStore,
        clock: Clock,
        raw: bytes,
        known: Mapping[str, AccountId],
        refused: Mapping[str, RecipientReply],
    ) -> None:
        self._store, self._clock, self._raw, self._known = store, clock, raw, known
        self.refused = refused

    async def commit(self, call: Call) -> SendReceipt:
        """Delivers to every known address, once per account."""
        try:
            replies = await within(call, self._deliver())
        except (DeadlineExceeded, StoreUnavailable) as error:
            raise OutcomeUnknown from error
        return SendReceipt(recipients={**self.refused, **replies}, reply=TAKEN, enhanced_status="2.0.0")

    async def _deliver(self) -> dict[str, RecipientReply]:
        replies: dict[AccountId, RecipientReply] = {}
        for account in self._known.values():
            if account not in replies:
                replies[account] = await self._deliver_to(account)
        return {address: replies[account] for address, account in self._known.items()}

    async def _deliver_to(self, account: AccountId) -> RecipientReply:
        try:
            for mailbox in await self._store.mailboxes(account):
                if mailbox.role == Role.INBOX:
                    now = self._clock.now()
                    await self._store.append(account, mailbox.number, self._raw, frozenset(), now)
                    return DELIVERED
        except ProviderFull:
            return FULL
        except AccountGone:
            return UNKNOWN_ADDRESS
        return NO_INBOX
