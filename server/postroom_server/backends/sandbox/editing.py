"""Changing the mailboxes of a sandbox account, and saying where its messages are.

It owns the step from keys to the store's numbers and refuses rules: the store's scripts hold them.
"""

from __future__ import annotations

from collections.abc import Sequence

from postroom_server.backends.sandbox.deadlines import within
from postroom_server.backends.sandbox.positions import mailbox_key, mailbox_number
from postroom_server.backends.sandbox.reading import mailbox_row
from postroom_server.backends.sandbox.shapes import AnyShape
from postroom_server.domain.keys import ItemKey, MailboxKey
from postroom_server.domain.mailboxes import MailboxRow
from postroom_server.domain.ports import Call, Location
from postroom_server.domain.sandbox_store import SandboxStore
from postroom_server.errors import MailboxNotFound, MessageNotFound
from postroom_server.ids import AccountId


class Editor:
    """Mailboxes of one account; see `ports.MailboxEditor`."""

    __slots__ = ("_account", "_shape", "_store")

    def __init__(self, store: SandboxStore, account: AccountId, shape: AnyShape) -> None:
        self._store, self._account, self._shape = store, account, shape

    async def create_mailbox(self, call: Call, path: Sequence[str]) -> MailboxRow:
        """Makes a mailbox and what lacks above it. Raises MailboxExists, RequestInvalid (`path`), ProviderFull."""
        number = await within(call, self._store.create_mailbox(self._account, path))
        return await self._row(call, number)

    async def rename_mailbox(self, call: Call, key: MailboxKey, path: Sequence[str]) -> MailboxRow:
        """With all beneath it. Raises MailboxNotFound, MailboxExists, RequestInvalid."""
        number = mailbox_number(key)
        await within(call, self._store.rename_mailbox(self._account, number, path))
        return await self._row(call, number)

    async def subscribe_mailbox(self, call: Call, key: MailboxKey, *, on: bool) -> None:
        """Raises MailboxNotFound."""
        await within(call, self._store.subscribe_mailbox(self._account, mailbox_number(key), on=on))

    async def delete_mailbox(self, call: Call, key: MailboxKey) -> None:
        """Raises MailboxNotFound; RequestInvalid for one with a role or with mailboxes beneath it."""
        await within(call, self._store.delete_mailbox(self._account, mailbox_number(key)))

    async def _row(self, call: Call, number: int) -> MailboxRow:
        for one in await within(call, self._store.mailboxes(self._account)):
            if one.number == number:
                return mailbox_row(one, self._shape.scope_of(number), counts=True)
        raise MailboxNotFound


class Locator:
    """Where messages of one account are; see `ports.MessageLocator`."""

    __slots__ = ("_account", "_shape", "_store")

    def __init__(self, store: SandboxStore, account: AccountId, shape: AnyShape) -> None:
        self._store, self._account, self._shape = store, account, shape

    async def locate(self, call: Call, keys: Sequence[ItemKey]) -> Sequence[Location]:
        """One location per key, in the order of the keys."""
        epoch = (await within(call, self._store.state(self._account))).epoch
        numbers = [self._number(key, epoch) for key in keys]
        rows = await within(call, self._store.messages(self._account, numbers))
        found = []
        for key, number in zip(keys, numbers, strict=True):
            row = rows.get(number)
            inside = () if row is None else tuple(map(mailbox_key, sorted(row.mailboxes)))
            found.append(Location(key=key, mailboxes=inside))
        return found

    def _number(self, key: ItemKey, epoch: int) -> int:
        try:
            place = self._shape.place(key)
        except MessageNotFound:
            return 0
        return place.number if place.epoch == epoch else 0
