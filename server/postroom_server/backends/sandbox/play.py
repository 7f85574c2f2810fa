"""The outside world of sandbox accounts; see `domain.sandbox_play`.

It owns the step from keys to the store's numbers and refuses waiting: what it does is seen by the account as any change is.
"""

from __future__ import annotations

from datetime import datetime

from postroom_server.backends.sandbox.positions import mailbox_number
from postroom_server.backends.sandbox.shapes import shape_of
from postroom_server.domain.accounts import Account
from postroom_server.domain.flags import Flag
from postroom_server.domain.keys import ItemKey, MailboxKey
from postroom_server.domain.mailboxes import Role
from postroom_server.domain.sandbox_store import Refusal, SandboxStore
from postroom_server.errors import MailboxNotFound
from postroom_server.ids import AccountId


class OutsideWorld:
    """Writes to the store beside the account."""

    __slots__ = ("_store",)

    def __init__(self, store: SandboxStore) -> None:
        self._store = store

    async def deliver(
        self,
        account: Account,
        mailbox: MailboxKey | Role,
        raw: bytes,
        flags: frozenset[Flag],
        received: datetime,
    ) -> ItemKey:
        """Lets a message arrive. Raises MailboxNotFound, MessageTooLarge, ProviderFull."""
        number = await self._number(account.id, mailbox)
        state = await self._store.state(account.id)
        new = await self._store.append(account.id, number, raw, frozenset(map(str, flags)), received)
        return shape_of(account.profile).key(state.epoch, new, number)

    async def _number(self, account: AccountId, mailbox: MailboxKey | Role) -> int:
        if not isinstance(mailbox, Role):
            return mailbox_number(mailbox)
        for one in await self._store.mailboxes(account):
            if one.role == mailbox:
                return one.number
        raise MailboxNotFound(mailbox=mailbox)

    async def refuse_sends(self, account: Account, refusal: Refusal, count: int) -> None:
        """The next `count` messages that it sends are refused."""
        await self._store.refuse_sends(account.id, refusal, count)

    async def go_offline(self, account: Account, until: datetime | None) -> None:
        """Its provider cannot be reached until then; None: until the faults are cleared."""
        await self._store.go_offline(account.id, until)

    async def expire_cursors(self, account: Account) -> None:
        """Its provider forgets the history that its cursors lead into."""
        await self._store.expire_history(account.id)

    async def clear_faults(self, account: Account) -> None:
        """Its provider works again."""
        await self._store.clear_faults(account.id)
