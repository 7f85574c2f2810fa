"""Changing sandbox mailboxes: flags by difference, and new messages.

It owns what is told of each item and refuses retries. A write that the deadline cut is UNKNOWN; items that were not begun
are NOT_TRIED; when nothing at all was begun the call fails.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Final

from postroom_server.backends.sandbox.deadlines import within
from postroom_server.backends.sandbox.positions import mailbox_number, scope_of
from postroom_server.domain.flags import Flag
from postroom_server.domain.keys import ItemKey, MailboxKey, ScopeId, by_scope, item_key
from postroom_server.domain.messages import ByteStream
from postroom_server.domain.ports import Call, ItemEdit, ItemResult, Outcome
from postroom_server.domain.sandbox_store import SandboxStore
from postroom_server.errors import (
    DeadlineExceeded,
    MailboxNotFound,
    MembershipSingle,
    MessageTooLarge,
    OutcomeUnknown,
    PostroomError,
    RequestInvalid,
)
from postroom_server.ids import AccountId

MAX_MESSAGE_BYTES: Final = 32 * 1024 * 1024


class Writer:
    """Writes to the mailboxes of one account."""

    __slots__ = ("_account", "_store")

    def __init__(self, store: SandboxStore, account: AccountId) -> None:
        self._store, self._account = store, account

    async def modify(self, call: Call, keys: Sequence[ItemKey], edit: ItemEdit) -> AsyncIterator[ItemResult]:
        """One result per key, mailbox by mailbox. Raises MembershipSingle for an edit of mailboxes."""
        if edit.add_mailboxes or edit.remove_mailboxes:
            raise MembershipSingle
        begun = False
        for (scope, epoch), uids in by_scope(keys).items():
            try:
                results = await self._edit(call, scope, epoch, uids, edit)
            except DeadlineExceeded as error:
                if not begun:
                    raise
                results = _all(scope, epoch, uids, Outcome.NOT_TRIED, error)
            begun = True
            for result in results:
                yield result

    async def _edit(
        self, call: Call, scope: ScopeId, epoch: int, uids: Sequence[int], edit: ItemEdit
    ) -> list[ItemResult]:
        number = await self._current(call, scope, epoch)
        if number is None:
            return _all(scope, epoch, uids, Outcome.GONE)
        rows = await within(call, self._rows(number))
        add, remove = frozenset(map(str, edit.add_flags)), frozenset(map(str, edit.remove_flags))
        try:
            after = await within(call, self._set_flags(number, uids, add, remove))
        except DeadlineExceeded as error:
            return _all(scope, epoch, uids, Outcome.UNKNOWN, error)
        return [
            ItemResult(
                key=item_key(scope, epoch, uid),
                outcome=Outcome.GONE
                if uid not in after
                else Outcome.UNCHANGED
                if after[uid] == rows.get(uid)
                else Outcome.DONE,
            )
            for uid in uids
        ]

    async def _current(self, call: Call, scope: ScopeId, epoch: int) -> int | None:
        """The number of the mailbox, None when it or its epoch is gone."""
        try:
            number = mailbox_number(scope)
        except MailboxNotFound:
            return None
        return number if await self._epoch(call, number) == epoch else None

    async def _epoch(self, call: Call, number: int) -> int | None:
        mailboxes = await within(call, self._mailboxes())
        return mailboxes.get(number)

    async def _mailboxes(self) -> dict[int, int]:
        return {one.number: one.epoch for one in await self._store.mailboxes(self._account)}

    async def _rows(self, number: int) -> dict[int, frozenset[str]]:
        return {row.uid: row.flags for row in await self._store.rows(self._account, number)}

    async def _set_flags(
        self, number: int, uids: Sequence[int], add: frozenset[str], remove: frozenset[str]
    ) -> dict[int, frozenset[str]]:
        return dict(await self._store.set_flags(self._account, number, uids, add, remove))

    async def append(
        self,
        call: Call,
        to: MailboxKey,
        source: ByteStream,
        flags: frozenset[Flag],
        received: datetime,
    ) -> ItemKey:
        """Stores a message and returns its key.

        Raises:
            MailboxNotFound, MessageTooLarge, ProviderFull: Nothing was stored.
            OutcomeUnknown: The deadline passed while it was being stored.
        """
        number = mailbox_number(to)
        epoch = await self._epoch(call, number)
        if epoch is None:
            raise MailboxNotFound
        raw = await within(call, _collect(source))
        try:
            uid = await within(call, self._append(number, raw, flags, received))
        except DeadlineExceeded as error:
            raise OutcomeUnknown from error
        return item_key(scope_of(number), epoch, uid)

    async def _append(self, number: int, raw: bytes, flags: frozenset[Flag], received: datetime) -> int:
        return await self._store.append(self._account, number, raw, frozenset(map(str, flags)), received)


def _all(
    scope: ScopeId,
    epoch: int,
    uids: Sequence[int],
    outcome: Outcome,
    error: PostroomError | None = None,
) -> list[ItemResult]:
    return [ItemResult(key=item_key(scope, epoch, uid), outcome=outcome, error=error) for uid in uids]


async def _collect(source: ByteStream) -> bytes:
    if source.size_bytes is not None and source.size_bytes > MAX_MESSAGE_BYTES:
        raise MessageTooLarge(maxBytes=str(MAX_MESSAGE_BYTES))
    raw = bytearray()
    async for chunk in source.chunks:
        raw += chunk
        if len(raw) > MAX_MESSAGE_BYTES:
            raise MessageTooLarge(maxBytes=str(MAX_MESSAGE_BYTES))
    if source.size_bytes is not None and len(raw) != source.size_bytes:
        raise RequestInvalid("", f"the message has {len(raw)} bytes, {source.size_bytes} were announced")
    return bytes(raw)
