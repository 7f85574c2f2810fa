"""What changed in a sandbox account since a cursor, page by page; and the hints that say to look.

It owns the reading of history and refuses truth in hints: they may be lost, and at most one per scope is pending.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from postroom_server.backends.sandbox.deadlines import within
from postroom_server.backends.sandbox.positions import cursor_at, read_cursor
from postroom_server.backends.sandbox.shapes import Shape
from postroom_server.domain.keys import ScopeId
from postroom_server.domain.ports import PAGE_ROWS, Call, K, Observations, ProviderCursor, Wakeup
from postroom_server.domain.sandbox_store import ANY, SandboxState, SandboxStore
from postroom_server.errors import PostroomError, ProviderCursorExpired, ProviderUnreachable
from postroom_server.ids import AccountId

SOURCE: Final = "sandbox"


async def read_whole(
    call: Call, store: SandboxStore, account: AccountId, shape: Shape[K], scope: ScopeId
) -> Observations[K]:
    """The whole scope. Raises MailboxNotFound."""
    mailbox = shape.mailbox_of(scope)
    snapshot = await within(call, store.snapshot(account))
    rows = [row for row in snapshot.rows if mailbox == ANY or mailbox in row.mailboxes]
    state = snapshot.state
    return shape.whole(scope, state.epoch, rows, cursor_at(state.epoch, state.modseq))


async def read_since(
    call: Call,
    store: SandboxStore,
    account: AccountId,
    shape: Shape[K],
    scope: ScopeId,
    since: ProviderCursor,
) -> AsyncIterator[Observations[K]]:
    """Pages since a cursor, up to where the account stood when the first was read.

    Raises:
        ProviderCursorExpired: Before the first page: another epoch, or a place that history does not reach.
    """
    epoch, at = read_cursor(since)
    page = await within(call, store.history(account, at - shape.repeats, PAGE_ROWS))
    if not page.expired:
        at -= shape.repeats
    elif shape.repeats:
        page = await within(call, store.history(account, at, PAGE_ROWS))
    if page.epoch != epoch:
        raise ProviderCursorExpired(shape.expired)
    if page.expired:
        raise ProviderCursorExpired(shape.forgotten)
    end = page.modseq
    while not page.expired:
        steps = page.steps[: end - at]
        at += len(steps)
        last = at >= end or not steps
        yield shape.steps(scope, epoch, steps, cursor_at(epoch, at) if last else None)
        if last:
            return
        page = await within(call, store.history(account, at, PAGE_ROWS))
    yield shape.steps(scope, epoch, (), cursor_at(epoch, at))


def is_current(state: SandboxState, modseq: int, cursor: ProviderCursor | None) -> bool:
    """Whether nothing can have changed since the cursor in a scope whose last change was at `modseq`.

    A cursor that history will soon have left behind is not current either, so that it is read before it expires.
    """
    if cursor is None:
        return False
    try:
        epoch, at = read_cursor(cursor)
    except ProviderCursorExpired:
        return False
    remembered = state.modseq - state.floor
    old = remembered > PAGE_ROWS and at - state.floor < remembered // 2
    return epoch == state.epoch and modseq <= at and not old


@asynccontextmanager
async def watch(
    store: SandboxStore, account: AccountId, shape: Shape[K], scopes: Sequence[ScopeId]
) -> AsyncIterator[AsyncIterator[Wakeup]]:
    """Hints of the store for these scopes, while the context is open."""
    pending = _Pending(frozenset(scopes), shape)
    async with store.hints(account) as numbers:
        pump = asyncio.create_task(pending.fill(numbers, store, account), name=f"sandbox hints of {account}")
        try:
            yield pending.drain()
        finally:
            pump.cancel()
            await asyncio.wait({pump})


class _Pending:
    """Scopes that have changed and were not looked at: a set, however many hints come.

    What is no scope that was asked for, such as a mailbox made since, asks for a look at everything.
    """

    def __init__(self, wanted: frozenset[ScopeId], shape: Shape[K]) -> None:
        self._wanted, self._scope_of = wanted, shape.scope_of
        self._scopes: set[ScopeId] = set()
        self._all = False
        self._stirred = asyncio.Event()
        self._failure: PostroomError | None = None

    async def fill(self, numbers: AsyncIterator[int], store: SandboxStore, account: AccountId) -> None:
        """Runs until the hints end or the account goes offline; what ended them is told to the reader."""
        try:
            async for number in numbers:
                if number == ANY and (await store.state(account)).offline:
                    break
                scope = None if number == ANY else self._scope_of(number)
                if scope in self._wanted:
                    self._scopes.add(scope)
                else:
                    self._all = True
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
            if self._scopes or self._all:
                scopes = frozenset() if self._all else frozenset(self._scopes)
                self._scopes.clear()
                self._all = False
                yield Wakeup(scopes=scopes, source=SOURCE)
            if self._failure is not None:
                raise self._failure
