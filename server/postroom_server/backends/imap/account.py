"""One IMAP account behind the provider port.

Owns the pool of command connections and the watch; each verb's work is in a module of its own. Refuses retries but one
(a kept connection that the far end had closed) and holds nothing about messages: every call asks the server.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import TypeVar

from postroom_server.backends.imap import fetching, mailboxes, searching, writing
from postroom_server.backends.imap.changes import observe
from postroom_server.backends.imap.connection import until
from postroom_server.backends.imap.cursors import Position
from postroom_server.backends.imap.pool import Pool
from postroom_server.backends.imap.refusals import Refused
from postroom_server.backends.imap.session import Endpoint, Session
from postroom_server.backends.imap.watch import Watch
from postroom_server.backends.imap.wire.utf7 import decode_utf7
from postroom_server.domain.flags import SYSTEM_FLAGS, Flag
from postroom_server.domain.keys import ItemKey, MailboxKey, ScopeId
from postroom_server.domain.mailboxes import MailboxRow
from postroom_server.domain.messages import ByteStream, Content, Summary
from postroom_server.domain.ports import (
    Call,
    Capabilities,
    ItemEdit,
    ItemResult,
    Numbered,
    ProviderCursor,
    Wakeup,
)
from postroom_server.domain.search import SearchPage, SearchQuery
from postroom_server.errors import MessageTooLarge, ProviderCursorExpired

__all__ = ["ImapAccount", "capabilities_of"]

BLIND_EVERY_LOOKS = 5
"""Where the server counts no modifications, every so many looks name all mailboxes: changed flags do not show."""
MAX_LIVE_CONNECTIONS = 5
"""Further watch connections for mailboxes that are to be live, where the server has no NOTIFY."""
MAX_LIMIT_DIGITS = 15
"""A longer limit is none."""
MAX_SHOWN_CAPABILITIES = 100
"""Words of the server that are shown to people."""

T = TypeVar("T")


def capabilities_of(session: Session) -> Capabilities:
    """Return what the account can, as its first session found."""
    push = {name for name in ("IDLE", "NOTIFY") if session.can(name)}
    words = {"imap": " ".join(sorted(session.capabilities)[:MAX_SHOWN_CAPABILITIES])}
    return Capabilities(
        push=frozenset(push),
        settable_flags=SYSTEM_FLAGS,
        keywords=True,
        search=dict(searching.MATCHES),
        append="ANY",
        permanent_delete=True,
        max_source_bytes=_append_limit(session),
        provider={**words, **{f"id.{key}": value for key, value in session.server_id.items()}},
    )


def _append_limit(session: Session) -> int:
    """The largest message that the server takes (RFC 7889); 0: unknown."""
    digits = next((name[12:] for name in session.capabilities if name.startswith("APPENDLIMIT=")), "")
    return int(digits) if digits.isdecimal() and len(digits) <= MAX_LIMIT_DIGITS else 0


class ImapAccount:
    """See the module; implements `MailAccount`."""

    locator = None
    mailbox_editor = None
    mover = None

    def __init__(
        self, endpoint: Endpoint, pool: Pool, capabilities: Capabilities, live: Sequence[str] = ()
    ) -> None:
        self._endpoint = endpoint
        self._live = frozenset(live)
        self._live_keys: frozenset[bytes] = frozenset()
        self._pool = pool
        self._capabilities = capabilities
        self._watches: set[Watch] = set()
        self._looks = 0

    def __repr__(self) -> str:
        return f"<ImapAccount {self._endpoint.server.host} {self._pool!r}>"

    @property
    def capabilities(self) -> Capabilities:
        """As probed when it was opened."""
        return self._capabilities

    # --- mailboxes

    async def list_mailboxes(self, call: Call, *, counts: bool) -> Sequence[MailboxRow]:
        """All mailboxes; with `counts` also messages and unseen."""

        async def work(session: Session) -> Sequence[MailboxRow]:
            catalog = await mailboxes.list_mailboxes(session, counts=counts, deadline=call.deadline)
            return mailboxes.rows_of(catalog, counts=counts)

        rows = await self._ask(call, work)
        self._live_keys = frozenset(row.key for row in rows if row.role in self._live)
        return rows

    async def _ask(self, call: Call, work: Callable[[Session], Awaitable[T]]) -> T:
        """Put a short question about mailboxes: to the watch if there is one, else to a command connection."""
        watch = next((watch for watch in self._watches if watch.open), None)
        if watch is None:
            return await self._pool.run(call, None, work)
        async with until(call.deadline, "watch"):
            try:
                return await watch.ask(work)
            except Refused as refused:
                raise refused.error from refused

    # --- changes

    def wakeups(self, scopes: Sequence[ScopeId]) -> AbstractAsyncContextManager[AsyncIterator[Wakeup]]:
        """Keeps a watch connection open; entering waits until it listens."""
        return self._watching(scopes)

    @contextlib.asynccontextmanager
    async def _watching(self, scopes: Sequence[ScopeId]) -> AsyncIterator[AsyncIterator[Wakeup]]:
        main = Watch(self._endpoint, scopes)
        tasks = [asyncio.ensure_future(main.run())]
        try:
            await asyncio.shield(main.ready)
            self._watches.add(main)
            wanted = [] if main.everywhere else [scope for scope in scopes if self._is_live(scope, main.main)]
            others = [Watch(self._endpoint, [scope], main) for scope in wanted[:MAX_LIVE_CONNECTIONS]]
            tasks += [asyncio.ensure_future(watch.run()) for watch in others]
            await asyncio.gather(*(asyncio.shield(watch.ready) for watch in others))
            yield main.hints()
        finally:
            self._watches.discard(main)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def _is_live(self, scope: ScopeId, main: ScopeId) -> bool:
        """Whether the account asks for a connection that watches this mailbox alone."""
        return scope != main and (scope in self._live_keys or decode_utf7(scope) in self._live)

    async def stale(self, call: Call, known: Mapping[ScopeId, ProviderCursor | None]) -> Sequence[ScopeId]:
        """Compare STATUS numbers with the cursors; a mailbox that is gone is named too."""
        self._looks += 1
        positions = {scope: _position(cursor) for scope, cursor in known.items()}

        async def work(session: Session) -> Mapping[bytes, Mapping[str, int]]:
            return await mailboxes.read_numbers(session, list(known), deadline=call.deadline)

        numbers = await self._ask(call, work)
        blind = self._looks % BLIND_EVERY_LOOKS == 0
        found: list[ScopeId] = []
        for scope, position in positions.items():
            current = position is not None and position.is_current(numbers.get(scope, {}))
            if not current or (blind and position is not None and not position.modseq):
                found.append(scope)
        return found

    async def changes(
        self, call: Call, scope: ScopeId, since: ProviderCursor | None
    ) -> AsyncIterator[Numbered]:
        """Pages since the cursor, or the whole scope for None."""
        position = Position.unpack(since) if since is not None else None

        async def first(session: Session) -> list[Numbered]:
            return [page async for page in observe(session, scope, position, deadline=call.deadline)]

        for page in await self._pool.run(call, scope, first):
            yield page

    # --- messages

    def summaries(self, call: Call, keys: Sequence[ItemKey]) -> AsyncIterator[Summary]:
        """In the order of the keys, mailbox by mailbox."""
        return fetching.read_summaries(self._pool, call, keys)

    async def content(self, call: Call, key: ItemKey, *, text_budget: int) -> Content:
        """Headers, text and html."""
        return await fetching.read_content(self._pool, call, key, text_budget)

    async def source(self, call: Call, key: ItemKey) -> ByteStream:
        """The bytes as the server has them."""
        return await fetching.read_source(self._pool, call, key)

    async def part(self, call: Call, key: ItemKey, part_id: str) -> ByteStream:
        """One part, decoded as it passes."""
        return await fetching.read_part(self._pool, call, key, part_id)

    async def search(self, call: Call, query: SearchQuery, after: bytes | None) -> SearchPage:
        """One page, newest first."""
        return await searching.search(self._pool, call, query, after)

    def modify(self, call: Call, keys: Sequence[ItemKey], edit: ItemEdit) -> AsyncIterator[ItemResult]:
        """Flags by difference."""
        return writing.modify(self._pool, call, keys, edit)

    async def append(
        self,
        call: Call,
        to: MailboxKey,
        source: ByteStream,
        flags: frozenset[Flag],
        received: datetime | None,
    ) -> ItemKey | None:
        """Stores a message."""
        limit = self._capabilities.max_source_bytes
        if limit and source.size_bytes is not None and source.size_bytes > limit:
            raise MessageTooLarge(limitBytes=str(limit))
        return await writing.append(self._pool, call, to, source, flags, received)

    async def close(self) -> None:
        """Ends every command connection; the watch ends with its context."""
        await self._pool.close()


def _position(cursor: ProviderCursor | None) -> Position | None:
    try:
        return Position.unpack(cursor) if cursor is not None else None
    except ProviderCursorExpired:
        return None
