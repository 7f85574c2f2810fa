"""Opens IMAP accounts.

Owns what all accounts share: TLS context, egress rule, whether plain connections are allowed, how an account sends.
Refuses to know SMTP: the sender comes from whoever wires the server together.
"""

from __future__ import annotations

from collections.abc import Callable

from postroom_server.backends.imap.account import ImapAccount, capabilities_of
from postroom_server.backends.imap.pool import CONNECTIONS, Pool
from postroom_server.backends.imap.session import Endpoint
from postroom_server.backends.imap.tls import client_context, shrink_tls_buffers
from postroom_server.domain.accounts import Account
from postroom_server.domain.dialogue import DialogueSource, no_dialogue
from postroom_server.domain.ports import Call
from postroom_server.domain.providers import CredentialSource, Egress
from postroom_server.domain.senders import MailSender
from postroom_server.errors import Internal

__all__ = ["ImapBackend"]

MakeSender = Callable[[Account, CredentialSource], MailSender | None]


class ImapBackend:
    """Implements `ProviderBackend`.

    Args:
        egress: Where connections may go.
        make_sender: How an account sends; None: IMAP accounts only read.
        ca_file: PEM file of further authorities.
        plaintext_allowed: Whether accounts may ask for connections without TLS.
        connections: Command connections per account.
        dialogues: Take what the accounts' connections say.
    """

    def __init__(
        self,
        egress: Egress,
        make_sender: MakeSender | None = None,
        *,
        ca_file: str = "",
        plaintext_allowed: bool = False,
        connections: int = CONNECTIONS,
        dialogues: DialogueSource = no_dialogue,
    ) -> None:
        self._egress = egress
        self._make_sender = make_sender
        self._tls = client_context(ca_file)
        self._plaintext_allowed = plaintext_allowed
        self._connections = connections
        self._dialogues = dialogues
        shrink_tls_buffers()

    async def open(self, call: Call, account: Account, credentials: CredentialSource) -> ImapAccount:
        """Connects, authenticates and probes.

        Raises:
            PostroomError: ProviderUnreachable, CredentialsRejected, ProviderThrottled, by what failed.
        """
        if account.imap is None:
            raise Internal("an IMAP account without a server")
        endpoint = Endpoint(
            server=account.imap,
            egress=self._egress,
            credentials=credentials,
            tls=self._tls,
            plaintext_allowed=self._plaintext_allowed,
            dialogue=self._dialogues(account.id),
        )
        pool = Pool(endpoint, self._connections)
        try:
            async with pool.session(call) as session:
                capabilities = capabilities_of(session)
        except BaseException:
            await pool.close()
            raise
        return ImapAccount(endpoint, pool, capabilities, account.live_mailboxes)

    async def registered(self, account: Account) -> None:
        """Nothing has to be there: the account lives at its server."""

    def sender(self, account: Account, credentials: CredentialSource) -> MailSender | None:
        """How the account sends; None when it cannot."""
        return self._make_sender(account, credentials) if self._make_sender is not None else None
