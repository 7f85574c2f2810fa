"""What changed in a sandbox mailbox: rows against a cursor, as observations; and the hints that say to look.

It owns the change side of the port and refuses truth in hints: they may be lost, and at most one per mailbox is pending.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from pyroaring import BitMap

from postroom_server.backends.sandbox.positions import Place, checked_place, mailbox_number, scope_of
from postroom_server.domain.keys import NumberedKeys, ScopeId
from postroom_server.domain.ports import Mark, MarkKind, Numbered, Observations, ProviderCursor, Wakeup
from postroom_server.domain.sandbox_store import SandboxMailbox, SandboxRow, SandboxStore
from postroom_server.errors import PostroomError, ProviderCursorExpired, ProviderUnreachable
from postroom_server.ids import AccountId

SOURCE: Final = "sandbox"


def observe(mailbox: SandboxMailbox, rows: Sequence[SandboxRow], since: ProviderCursor | None) -> Numbered:
    """Everything, or what is different from `since` on.

    Rows that are younger than the mailbox's own reading are left for the next look, so that the cursor covers exactly
    what was shown. Removals leave no row: where some are missing, every UID without one is named as gone.

    Raises:
        ProviderCursorExpired: The cursor has no meaning in this mailbox any more.
    """
    place = None if since is None else checked_place(since, mailbox)
    known = [row for row in rows if row.uid < mailbox.next_uid]
    shown = known if place is None else [row for row in known if row.modseq > place.modseq]
    scope, epoch = scope_of(mailbox.number), mailbox.epoch
    gone = BitMap()
    if place is not None:
        old = BitMap(row.uid for row in known if row.uid < place.next_uid)
        if len(old) != place.messages:
            gone = BitMap(range(1, place.next_uid)) - old
    here = Place(epoch=epoch, modseq=mailbox.modseq, next_uid=mailbox.next_uid, messages=len(known))
    return Observations(
        scope=scope,
        epoch=epoch,
        present=NumberedKeys(scope=scope, epoch=epoch, numbers=BitMap(row.uid for row in shown)),
        on=_marks(scope, epoch, shown),
        absolute=frozenset({MarkKind.FLAG}),
        gone=NumberedKeys(scope=scope, epoch=epoch, numbers=gone),
        whole=place is None,
        cursor=here.cursor(),
    )


def is_current(mailbox: SandboxMailbox | None, cursor: ProviderCursor | None) -> bool:
    """Whether nothing can have changed since the cursor."""
    if mailbox is None or cursor is None:
        return False
    try:
        place = checked_place(cursor, mailbox)
    except ProviderCursorExpired:
        return False
    return place.modseq == mailbox.modseq


def _marks(scope: ScopeId, epoch: int, rows: Sequence[SandboxRow]) -> dict[Mark, NumberedKeys]:
    numbers: dict[str, BitMap] = {}
    for row in rows:
        for flag in row.flags:
            numbers.setdefault(flag, BitMap()).add(row.uid)
    return {
        (MarkKind.FLAG, flag): NumberedKeys(scope=scope, epoch=epoch, numbers=uids)
        for flag, uids in numbers.items()
    }


@asynccontextmanager
async def watch(
    store: SandboxStore, account: AccountId, scopes: Sequence[ScopeId]
) -> AsyncIterator[AsyncIterator[Wakeup]]:
    """Hints of the store for these scopes, while the context is open."""
    wanted = frozenset(map(mailbox_number, scopes))
    pending = _Pending()
    async with store.hints(account) as numbers:
        pump = asyncio.create_task(pending.fill(numbers, wanted), name=f"sandbox hints of {account}")
        try:
            yield pending.drain()
        finally:
            pump.cancel()
            await asyncio.wait({pump})


class _Pending:
    """Mailboxes that have changed and were not looked at: a set, however many hints come."""

    def __init__(self) -> None:
        self._numbers: set[int] = set()
        self._stirred = asyncio.Event()
        self._failure: PostroomError | None = None

    async def fill(self, numbers: AsyncIterator[int], wanted: frozenset[int]) -> None:
        """Runs until the hints end; what ended them is told to the reader."""
        try:
            async for number in numbers:
                if number in wanted:
                    self._numbers.add(number)
                    self._stirred.set()
        except PostroomError as error:
            self._failure = ProviderUnreachable(str(error), stage="closed")
        finally:
            self._failure = self._failure or ProviderUnreachable(stage="closed")
            self._stirred.set()

    async def drain(self) -> AsyncIterator[Wakeup]:
        """All that is pending, in one wake-up. Raises ProviderUnreachable when the hints have ended."""
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            if self._numbers:
                scopes = frozenset(map(scope_of, self._numbers))
                self._numbers.clear()
                yield Wakeup(scopes=scopes, source=SOURCE)
            if self._failure is not None:
                raise self._failure
