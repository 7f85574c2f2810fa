"""Opening sandbox accounts: no credentials, no network, one store.

It owns the making of accounts and senders and refuses other kinds' settings.
"""

from __future__ import annotations

from typing import Final

from postroom_server.backends.sandbox.account import SandboxAccount
from postroom_server.backends.sandbox.deadlines import OFFLINE, within
from postroom_server.backends.sandbox.dialogue import told
from postroom_server.backends.sandbox.reading import MessageParser
from postroom_server.backends.sandbox.sender import SandboxSender
from postroom_server.backends.sandbox.shapes import Numbers, shape_of
from postroom_server.domain.accounts import Account
from postroom_server.domain.dialogue import DialogueSource, no_dialogue
from postroom_server.domain.ports import Call, Clock, MailAccount
from postroom_server.domain.providers import CredentialSource
from postroom_server.domain.sandbox_store import SandboxStore
from postroom_server.domain.senders import MailSender
from postroom_server.errors import ProviderUnreachable

DOMAIN: Final = "sandbox.invalid"
"""Domain of the address that an account without one gets (RFC 2606 section 2)."""


def address_of(account: Account) -> str:
    """The address that reaches a sandbox account."""
    return account.email or f"{account.id}@{DOMAIN}"


class SandboxBackend:
    """Opens sandbox accounts; see `providers.ProviderBackend`. `dialogues` take what the accounts do."""

    def __init__(
        self,
        store: SandboxStore,
        parser: MessageParser,
        clock: Clock,
        *,
        dialogues: DialogueSource = no_dialogue,
    ) -> None:
        self._store, self._parser, self._clock = store, parser, clock
        self._dialogues = dialogues

    async def open(self, call: Call, account: Account, credentials: CredentialSource) -> MailAccount:
        """Makes the account's mailboxes if they are missing. Raises ProviderUnreachable while it is offline."""
        await within(call, self.registered(account))
        store = self._told(account)
        if (await within(call, store.state(account.id))).offline:
            raise ProviderUnreachable(OFFLINE, stage="connect")
        shape = shape_of(account.profile)
        if isinstance(shape, Numbers):
            return SandboxAccount(account.id, store, self._parser, self._clock, shape)
        return SandboxAccount(account.id, store, self._parser, self._clock, shape)

    async def registered(self, account: Account) -> None:
        """Makes the mailboxes and files the address: mail may come as soon as the account is known."""
        await self._store.open(account.id, address_of(account), account.profile)

    def sender(self, account: Account, credentials: CredentialSource) -> MailSender | None:
        """Sends to other sandbox accounts."""
        return SandboxSender(self._told(account), self._clock, account.id)

    def _told(self, account: Account) -> SandboxStore:
        return told(self._store, self._dialogues(account.id).session("sandbox"))
