"""A kind of provider as a whole: opening accounts, their credentials, and where the server may connect to.

It owns what the wiring gives a backend and what it gets of it; the rules of `domain.ports` hold here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from postroom_server.domain.accounts import Account
from postroom_server.domain.ports import Call, MailAccount
from postroom_server.domain.senders import MailSender


class CredentialSource(Protocol):
    """Asked for each connection; a backend keeps nothing."""

    async def password(self, server: str) -> tuple[str, str] | None:
        """(user, password) for `imap` or `smtp`; None when the account has no password there."""
        ...

    async def access_token(self, server: str) -> tuple[str, str] | None:
        """(user, OAuth2 access token), None when the account has none."""
        ...


class Egress(Protocol):
    """The rule of where this server may connect to (threats T01)."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """IP addresses to try in order, each checked; connect to these and to nothing else.

        Raises:
            AddressDenied: Some address of the host is not allowed.
            ProviderUnreachable: The name cannot be resolved (`stage="dns"`).
        """
        ...


class ProviderBackend(Protocol):
    """One per kind of account; made by the wiring."""

    async def open(self, call: Call, account: Account, credentials: CredentialSource) -> MailAccount:
        """Connects, authenticates and probes. Raises ProviderUnreachable, CredentialsRejected, ProviderThrottled."""
        ...

    async def registered(self, account: Account) -> None:
        """Makes what must be there before the account is told to exist; safe to repeat. Connects nowhere."""
        ...

    def sender(self, account: Account, credentials: CredentialSource) -> MailSender | None:
        """How the account sends; None when it cannot."""
        ...
