"""The watch connection: hears of changes as they happen, and calls never interrupt it.

Owns IDLE (RFC 2177) and NOTIFY (RFC 5465). With NOTIFY one connection hears of every mailbox; without, of one, and the
rest is found by `stale()`. Refuses truth: what it hears becomes hints, at most one pending per mailbox. Between two
rounds of IDLE it lends its session for short questions (`ask`), so that an account at rest has one connection only.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, TypeVar

from postroom_server.backends.imap.refusals import Refused
from postroom_server.backends.imap.session import Endpoint, Session, open_session
from postroom_server.backends.imap.wire.data import List, MailboxStatus, Vanished
from postroom_server.backends.imap.wire.encoder import Argument, Atom, Mailbox
from postroom_server.backends.imap.wire.fetch import Fetch
from postroom_server.backends.imap.wire.responses import Exists, Expunge, Response, Status
from postroom_server.domain.keys import ScopeId
from postroom_server.domain.ports import Wakeup
from postroom_server.errors import PostroomError, ProviderUnreachable

__all__ = ["Watch"]

RENEW_SECONDS = 540.0
"""IDLE is begun anew after so long: servers and middleboxes forget a silent connection after ten to thirty minutes."""
STEP_SECONDS = 30.0
"""How long one step of the watch (begin IDLE, end it, NOTIFY) may take."""
REST_SECONDS = 5.0
"""Pause before the next round where a server ends IDLE by itself."""
MAX_NOTIFY_MAILBOXES = 1_000
"""More are watched as "all personal ones"."""
MAX_QUESTIONS = 8
"""Questions that wait for the session."""

T = TypeVar("T")
Question = tuple[Callable[[Session], Awaitable[Any]], "asyncio.Future[Any]"]


class Watch:
    """Hears of changes in some mailboxes; `run` once, as a task.

    Args:
        endpoint: Where to connect.
        scopes: Mailboxes by name; INBOX, else the first by name, is the one that IDLE watches.
        leader: Takes the hints of this watch, and its failure, for its own.
    """

    def __init__(self, endpoint: Endpoint, scopes: Iterable[ScopeId], leader: Watch | None = None) -> None:
        self._endpoint = endpoint
        self._scopes = frozenset(scopes)
        self._leader = leader
        self._session: Session | None = None
        self._pending: set[ScopeId] = set()
        self._all_pending = False
        self._news = asyncio.Event()
        self._break = asyncio.Event()
        self._questions: list[Question] = []
        self._everywhere = False
        self._deaf = True
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.failure: PostroomError | None = None

    def __repr__(self) -> str:
        return f"<Watch {'NOTIFY' if self._everywhere else 'IDLE'} of {len(self._scopes)}, pending {len(self._pending)}>"

    @property
    def main(self) -> ScopeId:
        """The mailbox that is selected."""
        inbox = ScopeId(b"INBOX")
        return inbox if inbox in self._scopes or not self._scopes else min(self._scopes)

    @property
    def everywhere(self) -> bool:
        """Whether it hears of every mailbox at once."""
        return self._everywhere

    @property
    def source(self) -> str:
        """How it hears: NOTIFY or IDLE."""
        return "NOTIFY" if self._everywhere else "IDLE"

    # --- hints

    def hear(self, response: Response) -> None:
        """Turn one untagged response into a hint."""
        if self._deaf:
            return
        match response:
            case Exists() | Expunge() | Vanished() | Fetch():
                self.hint(self.main)
            case MailboxStatus(name=name):
                self.hint(ScopeId(name))
            case List():
                self.hint(None)
            case Status(code="NOTIFICATIONOVERFLOW"):
                self._everywhere = False
                self.hint(None)
                self._break.set()
            case _:
                pass

    def hint(self, scope: ScopeId | None) -> None:
        """Note that a mailbox may have changed; None: look at all of them."""
        if self._leader is not None:
            self._leader.hint(scope)
        elif scope is None:
            self._all_pending = True
        elif scope in self._scopes:
            self._pending.add(scope)
        else:
            return
        self._news.set()

    def give_up(self, error: PostroomError) -> None:
        """Tell the reader of the hints that something of them is missing from now on."""
        self.failure = self.failure or error
        self._news.set()

    async def hints(self) -> AsyncIterator[Wakeup]:
        """Yield hints as they come, coalesced.

        Raises:
            PostroomError: The watch has failed.
        """
        while True:
            await self._news.wait()
            self._news.clear()
            if self._all_pending:
                self._all_pending = False
                yield Wakeup(scopes=frozenset(), source=self.source)
            if self._pending:
                scopes, self._pending = frozenset(self._pending), set()
                yield Wakeup(scopes=scopes, source=self.source)
            if self.failure is not None:
                raise self.failure

    # --- questions

    @property
    def open(self) -> bool:
        """Whether questions can be asked."""
        return self._session is not None and self.failure is None and len(self._questions) < MAX_QUESTIONS

    async def ask(self, work: Callable[[Session], Awaitable[T]]) -> T:
        """Return what `work` reads on the watch's session, between two rounds of IDLE.

        Raises:
            ProviderUnreachable: The watch has failed meanwhile.
        """
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._questions.append((work, answer))
        self._break.set()
        return await answer

    async def _answer(self, session: Session) -> None:
        while self._questions:
            work, answer = self._questions.pop(0)
            session.current = False
            if answer.done():
                continue
            try:
                found = await work(session)
            except (PostroomError, Refused) as error:
                if not answer.done():
                    answer.set_exception(error)
                if session.connection.failed:
                    raise
            except BaseException:
                answer.cancel()
                raise
            else:
                if not answer.done():
                    answer.set_result(found)

    # --- the connection

    async def run(self) -> None:
        """Watch until cancelled, or until the connection fails: `failure` then says why."""
        try:
            await self._run()
        except Refused as refused:
            self.failure = refused.error
        except PostroomError as error:
            self.failure = error
        finally:
            gone = self.failure or ProviderUnreachable("the watch has ended", stage="closed")
            if self._session is not None:
                self._session.connection.drop()
            for _, answer in self._questions:
                if not answer.done():
                    answer.set_exception(gone)
                    answer.exception()
            if not self.ready.done():
                self.ready.set_exception(gone)
                self.ready.exception()
            self._news.set()
            if self._leader is not None and self.failure is not None:
                self._leader.give_up(self.failure)

    def _soon(self) -> float:
        return asyncio.get_running_loop().time() + STEP_SECONDS

    async def _run(self) -> None:
        session = await open_session(self._endpoint, deadline=self._soon(), use="watch")
        self._session = session
        connection = session.connection
        own = connection.protocol.listener

        def listen(response: Response) -> None:
            if own is not None:
                own(response)
            self.hear(response)

        connection.listen(listen, self._break.set)
        await session.select(self.main, deadline=self._soon(), examine=True)
        if session.can("NOTIFY") and self._leader is None:
            await self._notify(session)
        self._deaf = False
        self.ready.set_result(None)
        while True:
            if session.can("IDLE"):
                await self._idle(session)
            else:
                await self._wait_for_break(RENEW_SECONDS)
                await connection.run("NOOP", deadline=self._soon())
            self._break.clear()
            await self._answer(session)

    async def _notify(self, session: Session) -> None:
        """Ask for notices of every watched mailbox; without them the watch goes on with one."""
        quiet = Atom("MessageExpunge")
        events: list[Argument] = [Atom("MessageNew"), quiet, Atom("FlagChange")]
        others = [Mailbox(name) for name in sorted(self._scopes - {self.main})]
        where: list[Argument] = [Atom("personal")]
        if 0 < len(others) <= MAX_NOTIFY_MAILBOXES:
            where = [Atom("mailboxes"), others[0] if len(others) == 1 else others]
        groups: list[Argument] = [[Atom("selected"), events]]
        if others:
            groups.append([*where, events])
        groups.append([Atom("personal"), [Atom("MailboxName"), Atom("SubscriptionChange")]])
        try:
            await session.connection.run("NOTIFY", Atom("SET"), *groups, deadline=self._soon())
        except Refused:
            return
        self._everywhere = True

    async def _wait_for_break(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._break.wait()

    async def _idle(self, session: Session) -> None:
        """One round of IDLE: until something wants the session, or it is time to begin anew."""
        connection = session.connection
        idling = asyncio.Event()

        def go_on(_text: bytes) -> None:
            idling.set()

        exchange = await connection.send("IDLE", deadline=self._soon(), answer=go_on)

        def ended(_done: object) -> None:
            idling.set()
            self._break.set()

        exchange.done.add_done_callback(ended)
        try:
            async with asyncio.timeout(STEP_SECONDS):
                await idling.wait()
            connection.set_patience(exchange, patient=True)
            await self._wait_for_break(RENEW_SECONDS)
            connection.set_patience(exchange, patient=False)
            ended_by_itself = exchange.done.done()
            if not ended_by_itself:
                connection.write_line(b"DONE")
            await connection.finish(exchange, deadline=self._soon())
            if ended_by_itself and not self._questions:
                self._break.clear()
                await self._wait_for_break(REST_SECONDS)
        except TimeoutError as late:
            raise ProviderUnreachable("the server does not answer IDLE", stage="timeout") from late
        finally:
            if not exchange.done.done():
                connection.drop()
