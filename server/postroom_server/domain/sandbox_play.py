"""The outside world of sandbox accounts: mail that arrives, and a provider that fails.

It owns that port, which no other kind of account has, and refuses the account's own side (`ports.MailAccount`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from postroom_server.domain.accounts import Account
from postroom_server.domain.flags import Flag
from postroom_server.domain.keys import ItemKey, MailboxKey
from postroom_server.domain.mailboxes import Role
from postroom_server.domain.sandbox_store import Refusal


class SandboxPlay(Protocol):
    """What somebody outside can do to a sandbox account, also while it is offline. Each raises AccountGone."""

    async def deliver(
        self,
        account: Account,
        mailbox: MailboxKey | Role,
        raw: bytes,
        flags: frozenset[Flag],
        received: datetime,
    ) -> ItemKey:
        """Lets a message arrive. Raises MailboxNotFound, MessageTooLarge, ProviderFull."""
        ...

    async def refuse_sends(self, account: Account, refusal: Refusal, count: int) -> None:
        """The next `count` messages that it sends are refused."""
        ...

    async def go_offline(self, account: Account, until: datetime | None) -> None:
        """Its provider cannot be reached until then; None: until the faults are cleared."""
        ...

    async def expire_cursors(self, account: Account) -> None:
        """Its provider forgets the history that its cursors lead into."""
        ...

    async def clear_faults(self, account: Account) -> None:
        """Its provider works again."""
        ...
