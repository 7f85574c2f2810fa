"""The command connections of one account: few, opened when needed, closed when nobody needs them.

Owns how many there are, who gets one next (lanes), and that a session in doubt is never handed on. Refuses the watch
connection, which is nobody's to borrow. The sync and bulk lanes never hold all places, so that a caller waits for another
caller at most and never for the end of a long reading.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from postroom_server.backends.imap.connection import until
from postroom_server.backends.imap.refusals import Refused
from postroom_server.backends.imap.session import Endpoint, Session, open_session
from postroom_server.domain.ports import Call, Lane
from postroom_server.errors import ProviderUnreachable

__all__ = ["Pool"]

CONNECTIONS = 2
"""Command connections of one account."""
LINGER_SECONDS = 60.0
"""How long an unused connection stays open."""
DRAIN_SECONDS = 1.5
"""How long a connection may take to end an abandoned command before its place is free again."""
GOODBYE_SECONDS = 1.0
"""How long closing may take."""

T = TypeVar("T")


class Pool:
    """Lends sessions; see the module. `size` is at least 1; with 1 the lanes share it."""

    def __init__(self, endpoint: Endpoint, size: int = CONNECTIONS) -> None:
        self._endpoint = endpoint
        self._size = size
        self._idle: list[Session] = []
        self._busy = 0
        self._behind = 0
        self._lent: dict[Session, Lane] = {}
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    def __repr__(self) -> str:
        return f"<Pool busy={self._busy} idle={len(self._idle)} waiting={len(self._waiting)}>"

    @contextlib.asynccontextmanager
    async def session(
        self, call: Call, mailbox: bytes | None = None, *, fresh: bool = False
    ) -> AsyncIterator[Session]:
        """Lend a session for as long as the context is open.

        Args:
            call: Its deadline bounds waiting and connecting; its lane decides who is next.
            mailbox: A session that has it selected is preferred.
            fresh: Only a new connection will do.

        Raises:
            PostroomError: DeadlineExceeded, or why there is no connection.
        """
        session = await self.take(call, mailbox, fresh=fresh)
        try:
            yield session
        finally:
            self.give_back(session)

    async def run(self, call: Call, mailbox: bytes | None, work: Callable[[Session], Awaitable[T]]) -> T:
        """Return what `work` reads; once more on a new connection if the far end had closed the kept one.

        Raises:
            PostroomError: As of `work`; its refusals are mapped.
        """
        for fresh in (False, True):
            async with self.session(call, mailbox, fresh=fresh) as session:
                kept = session.used_at > 0
                try:
                    return await work(session)
                except Refused as refused:
                    raise refused.error from refused
                except ProviderUnreachable:
                    if not kept:
                        raise
        raise AssertionError("a new connection was kept")

    async def take(self, call: Call, mailbox: bytes | None = None, *, fresh: bool = False) -> Session:
        """Lend a session without a context; `give_back` must follow."""
        async with until(call.deadline, "pool"):
            await self._place(call.lane)
        try:
            if self._closed:
                raise ProviderUnreachable("the account is closed here", stage="closed")
            session = None if fresh else self._pick(mailbox)
            if session is None:
                session = await open_session(self._endpoint, deadline=call.deadline)
        except BaseException:
            self._free(call.lane)
            raise
        self._lent[session] = call.lane
        return session

    def _has_place(self, lane: int) -> bool:
        if self._busy >= self._size:
            return False
        return lane == Lane.INTERACTIVE.value or self._behind < max(1, self._size - 1)

    def _occupy(self, lane: int) -> None:
        self._busy += 1
        self._behind += lane != Lane.INTERACTIVE.value

    async def _place(self, lane: Lane) -> None:
        ahead = any(other <= lane.value and not turn.done() for other, _, turn in self._waiting)
        if self._has_place(lane.value) and not ahead:
            self._occupy(lane.value)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (lane.value, next(self._order), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._free(lane)
            raise

    def _free(self, lane: Lane) -> None:
        """Give a place back, and on to whoever is next."""
        self._busy -= 1
        self._behind -= lane is not Lane.INTERACTIVE
        while self._waiting:
            waiting, _, turn = self._waiting[0]
            if turn.done():
                heapq.heappop(self._waiting)
            elif self._has_place(waiting):
                heapq.heappop(self._waiting)
                self._occupy(waiting)
                turn.set_result(None)
            else:
                return

    def _pick(self, mailbox: bytes | None) -> Session | None:
        """Take an idle session, the one where the mailbox is selected if there is one, else the last used."""
        self._idle = [session for session in self._idle if session.connection.settled]
        if not self._idle:
            return None
        for session in self._idle:
            if session.selected is not None and session.selected.name == mailbox:
                break
        else:
            session = self._idle[-1]
        self._idle.remove(session)
        return session

    def give_back(self, session: Session) -> None:
        """Take a session back; one in doubt is drained or thrown away before its place is free."""
        lane = self._lent.pop(session)
        if session.connection.settled and not self._closed:
            self._keep(session)
        elif session.connection.failed or self._closed:
            session.connection.drop()
        else:
            self._spawn(self._drain(session, lane))
            return
        self._free(lane)

    def _keep(self, session: Session) -> None:
        loop = asyncio.get_running_loop()
        session.used_at, session.current = loop.time(), False
        self._idle.append(session)
        if self._sweeper is None:
            self._sweeper = loop.call_later(LINGER_SECONDS, self._sweep)

    async def _drain(self, session: Session, lane: Lane) -> None:
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_SECONDS):
                    await session.connection.drained()
            if session.connection.settled and not self._closed:
                self._keep(session)
            else:
                session.connection.drop()
        finally:
            self._free(lane)

    def _sweep(self) -> None:
        """Close what nobody has used for a while."""
        loop = asyncio.get_running_loop()
        self._sweeper = None
        old = [session for session in self._idle if loop.time() - session.used_at >= LINGER_SECONDS - 0.1]
        self._idle = [session for session in self._idle if session not in old]
        for session in old:
            self._spawn(session.connection.close(deadline=loop.time() + GOODBYE_SECONDS))
        if self._idle:
            first = min(session.used_at for session in self._idle)
            self._sweeper = loop.call_at(first + LINGER_SECONDS, self._sweep)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        assert isinstance(task, asyncio.Task)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End every connection and refuse new ones; safe to call twice. Lent sessions end when they come back."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        deadline = asyncio.get_running_loop().time() + GOODBYE_SECONDS
        idle, self._idle = self._idle, []
        try:
            await asyncio.gather(*(session.connection.close(deadline=deadline) for session in idle))
        finally:
            for session in idle:
                session.connection.drop()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
