"""Which mailbox has a role, for those who do not run the account: a feed is read on any node.

It owns the look into the stored mailboxes and refuses to ask a provider; the owner's own answer is in `commands`.
"""

from __future__ import annotations

from typing import Final

from postroom_server.domain.identity import Identity
from postroom_server.domain.mailboxes import MailboxRecord, Role
from postroom_server.domain.storage import AccountStore, SnapshotStore
from postroom_server.errors import AccountNotFound, AccountNotReady, MailboxNotFound
from postroom_server.ids import AccountId, MailboxId

_ROLES: Final = {MailboxId(role.value): role for role in Role}


class MailboxRoles:
    """Turns roles into the ids of the mailboxes that have them."""

    __slots__ = ("_accounts", "_identity", "_snapshots")

    def __init__(self, accounts: AccountStore, snapshots: SnapshotStore, identity: Identity) -> None:
        self._accounts, self._snapshots, self._identity = accounts, snapshots, identity

    async def resolved(self, account: AccountId, mailboxes: frozenset[MailboxId]) -> frozenset[MailboxId]:
        """`mailboxes` with ids in the place of roles.

        Raises:
            AccountNotFound: There is no such account.
            AccountNotReady: Its mailboxes are not known yet.
            MailboxNotFound: It has no mailbox with one of the roles.
        """
        roles = mailboxes & _ROLES.keys()
        if not roles:
            return mailboxes
        found, head = await self._accounts.get(account), await self._snapshots.head(account)
        if found is None or head is None:
            raise AccountNotFound(account=account)
        if not head.mailboxes:
            raise AccountNotReady(state=head.status.state)
        records = sorted(head.mailboxes.values(), key=lambda one: one.number)
        ids = frozenset(
            self._identity.mailbox(account, _with(_ROLES[role], records, found[0].mailbox_roles.get(role)))
            for role in roles
        )
        return (mailboxes - roles) | ids


def _with(role: Role, records: list[MailboxRecord], chosen: str | None) -> int:
    """The number of the mailbox with a role; `chosen` is the path that the account's settings give it."""
    for record in records:
        if record.row.role is role or record.row.delimiter.join(record.row.path) == chosen:
            return record.number
    raise MailboxNotFound(f"The account has no mailbox with the role {role}.", mailbox=role.value)
