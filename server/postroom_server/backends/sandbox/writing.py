"""Changing the messages of a sandbox account: flags and mailboxes by difference, moves, copies, removals, new messages.

It owns what is told of each item and refuses retries. A write that the deadline cut is UNKNOWN; items that were not begun
are NOT_TRIED; when nothing at all was begun the call fails.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any, Final

from postroom_server.backends.sandbox.deadlines import within
from postroom_server.backends.sandbox.positions import Place, mailbox_number
from postroom_server.backends.sandbox.shapes import MAX_MESSAGE_BYTES, AnyShape
from postroom_server.domain.flags import Flag
from postroom_server.domain.keys import ItemKey, MailboxKey
from postroom_server.domain.mailboxes import Role
from postroom_server.domain.messages import ByteStream
from postroom_server.domain.ports import PAGE_ROWS, Call, ItemEdit, ItemResult, Membership, Outcome
from postroom_server.domain.sandbox_store import ANY, Deed, SandboxEdit, SandboxResult, SandboxStore
from postroom_server.errors import (
    DeadlineExceeded,
    MailboxNotFound,
    MembershipSingle,
    MessageNotFound,
    MessageTooLarge,
    OutcomeUnknown,
    PostroomError,
    RequestInvalid,
)
from postroom_server.ids import AccountId

OUTCOMES: Final = {
    Deed.DONE: Outcome.DONE,
    Deed.UNCHANGED: Outcome.UNCHANGED,
    Deed.GONE: Outcome.GONE,
    Deed.REFUSED: Outcome.REFUSED,
}

Step = Callable[[Sequence[int], int], Coroutine[Any, Any, Sequence[SandboxResult]]]
"""Changes these messages, which must be in this mailbox or ANY."""


class Writer:
    """Writes to one account; see `ports.MessageWriter` and `ports.MessageMover`."""

    __slots__ = ("_account", "_shape", "_store")

    def __init__(self, store: SandboxStore, account: AccountId, shape: AnyShape) -> None:
        self._store, self._account, self._shape = store, account, shape

    async def modify(self, call: Call, keys: Sequence[ItemKey], edit: ItemEdit) -> AsyncIterator[ItemResult]:
        """One result per key. Raises MembershipSingle for an edit of mailboxes where there are no labels."""
        if self._shape.capabilities.membership is Membership.ONE and (
            edit.add_mailboxes or edit.remove_mailboxes
        ):
            raise MembershipSingle
        wanted = SandboxEdit(
            add_flags=frozenset(map(str, edit.add_flags)),
            remove_flags=frozenset(map(str, edit.remove_flags)),
            enter=frozenset(map(mailbox_number, edit.add_mailboxes)),
            leave=frozenset(map(mailbox_number, edit.remove_mailboxes)),
        )

        async def step(numbers: Sequence[int], mailbox: int) -> Sequence[SandboxResult]:
            return await self._store.edit(self._account, numbers, wanted, mailbox=mailbox)

        async for result in self._each(call, keys, step):
            yield result

    async def move(
        self, call: Call, keys: Sequence[ItemKey], source: MailboxKey | None, to: MailboxKey
    ) -> AsyncIterator[ItemResult]:
        """One result per key. Raises MailboxNotFound."""
        target, origin = mailbox_number(to), ANY if source is None else mailbox_number(source)

        async def step(numbers: Sequence[int], mailbox: int) -> Sequence[SandboxResult]:
            return await self._store.move(self._account, numbers, target, mailbox=mailbox, source=origin)

        async for result in self._each(call, keys, step, target):
            yield result

    async def copy(self, call: Call, keys: Sequence[ItemKey], to: MailboxKey) -> AsyncIterator[ItemResult]:
        """One result per key. Raises MailboxNotFound, ProviderFull."""
        target = mailbox_number(to)

        async def step(numbers: Sequence[int], mailbox: int) -> Sequence[SandboxResult]:
            return await self._store.copy(self._account, numbers, target, mailbox=mailbox)

        async for result in self._each(call, keys, step, target):
            yield result

    async def delete(
        self, call: Call, keys: Sequence[ItemKey], *, permanent: bool
    ) -> AsyncIterator[ItemResult]:
        """One result per key."""
        trash = ANY if permanent else await within(call, self._trash())

        async def step(numbers: Sequence[int], mailbox: int) -> Sequence[SandboxResult]:
            return await self._store.delete(self._account, numbers, mailbox=mailbox, trash=trash)

        async for result in self._each(call, keys, step, trash):
            yield result

    async def _trash(self) -> int:
        for one in await self._store.mailboxes(self._account):
            if one.role == Role.TRASH:
                return one.number
        raise MailboxNotFound

    async def _each(
        self, call: Call, keys: Sequence[ItemKey], step: Step, target: int = ANY
    ) -> AsyncIterator[ItemResult]:
        epoch = (await within(call, self._store.state(self._account))).epoch
        begun = False
        for mailbox, group in self._groups(epoch, keys).items():
            for start in range(0, len(group), PAGE_ROWS):
                batch = group[start : start + PAGE_ROWS]
                try:
                    results = await self._batch(call, batch, mailbox, epoch, step, target)
                except DeadlineExceeded as error:
                    if not begun:
                        raise
                    results = _all(batch, Outcome.NOT_TRIED, error)
                begun = True
                for result in results:
                    yield result

    def _groups(self, epoch: int, keys: Sequence[ItemKey]) -> dict[int | None, list[tuple[ItemKey, Place]]]:
        """Keys per mailbox that they must be in; under None those that can be nowhere."""
        groups: dict[int | None, list[tuple[ItemKey, Place]]] = {}
        for key in keys:
            try:
                place = self._shape.place(key)
            except MessageNotFound:
                place = Place(epoch=0, number=0)
            groups.setdefault(place.mailbox if place.epoch == epoch else None, []).append((key, place))
        return groups

    async def _batch(
        self,
        call: Call,
        batch: Sequence[tuple[ItemKey, Place]],
        mailbox: int | None,
        epoch: int,
        step: Step,
        target: int,
    ) -> Sequence[ItemResult]:
        if mailbox is None:
            return _all(batch, Outcome.GONE)
        entered = False

        async def run() -> Sequence[SandboxResult]:
            nonlocal entered
            entered = True
            return await step([place.number for _, place in batch], mailbox)

        try:
            done = await within(call, run())
        except DeadlineExceeded as error:
            if not entered:
                raise
            return _all(batch, Outcome.UNKNOWN, error)
        return [self._result(key, epoch, one, target) for (key, _), one in zip(batch, done, strict=True)]

    def _result(self, key: ItemKey, epoch: int, one: SandboxResult, target: int) -> ItemResult:
        new_key = None
        if target != ANY and one.new_number is not None and one.deed is Deed.DONE:
            new_key = self._shape.key(epoch, one.new_number, target)
        error = RequestInvalid("addFlags", "makes too many flags") if one.deed is Deed.REFUSED else None
        return ItemResult(key=key, outcome=OUTCOMES[one.deed], new_key=new_key, error=error)

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
        epoch = (await within(call, self._store.state(self._account))).epoch
        raw = await within(call, _collect(source))
        words = frozenset(map(str, flags))
        try:
            new = await within(call, self._store.append(self._account, number, raw, words, received))
        except DeadlineExceeded as error:
            raise OutcomeUnknown from error
        return self._shape.key(epoch, new, number)


def _all(
    batch: Sequence[tuple[ItemKey, Place]], outcome: Outcome, error: PostroomError | None = None
) -> list[ItemResult]:
    return [ItemResult(key=key, outcome=outcome, error=error) for key, _ in batch]


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
