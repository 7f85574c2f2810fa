"""One sandbox account behind the provider port: what is listed, read, searched and changed goes to the store.

It owns what is the same for every kind of provider that it can be (`shapes` owns the rest) and refuses to hold a session:
every call reads the store as it is. Messages are parsed by the parser that is handed in, never in the loop.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Final, Generic

from postroom_server.backends.sandbox import changes, matching, reading
from postroom_server.backends.sandbox.deadlines import OFFLINE, within
from postroom_server.backends.sandbox.editing import Editor, Locator
from postroom_server.backends.sandbox.positions import Place, mailbox_number
from postroom_server.backends.sandbox.shapes import Shape
from postroom_server.backends.sandbox.writing import Writer
from postroom_server.domain.flags import Flag
from postroom_server.domain.keys import ItemKey, MailboxKey, ScopeId
from postroom_server.domain.mailboxes import MailboxRow, Role
from postroom_server.domain.messages import ByteStream, Content, Summary
from postroom_server.domain.mime import part_bytes
from postroom_server.domain.ports import (
    PAGE_ROWS,
    Call,
    Capabilities,
    Clock,
    ItemEdit,
    ItemResult,
    K,
    Observations,
    ProviderCursor,
    Wakeup,
)
from postroom_server.domain.sandbox_store import ANY, SandboxMailbox, SandboxRow, SandboxState, SandboxStore
from postroom_server.domain.search import SearchPage, SearchQuery
from postroom_server.errors import (
    AttachmentNotFound,
    MailboxNotFound,
    MessageNotFound,
    PageTokenInvalid,
    ProviderUnreachable,
)
from postroom_server.ids import AccountId

NO_TEXT: Final = 0
SEARCHED_TEXT: Final = 1024 * 1024
"""Bytes of each text that a search looks through."""
_PAGE: Final = struct.Struct(">II")
"""(epoch, number of the last message) of a search's page."""


class SandboxAccount(Generic[K]):
    """An open sandbox account; see `ports.MailAccount`."""

    def __init__(
        self,
        account: AccountId,
        store: SandboxStore,
        parser: reading.MessageParser,
        clock: Clock,
        shape: Shape[K],
    ) -> None:
        self._id, self._store, self._parser, self._clock = account, store, parser, clock
        self._shape: Shape[K] = shape
        self._writer = Writer(store, account, shape)
        self.mailbox_editor = Editor(store, account, shape)
        self.mover = self._writer
        self.locator = Locator(store, account, shape) if shape.provisional else None

    def __repr__(self) -> str:
        return f"<SandboxAccount {self._id}>"

    @property
    def capabilities(self) -> Capabilities:
        """Those of its kind."""
        return self._shape.capabilities

    async def close(self) -> None:
        """Nothing to end."""

    # --- mailboxes and changes

    async def list_mailboxes(self, call: Call, *, counts: bool) -> Sequence[MailboxRow]:
        """All mailboxes, by number."""
        await self._online(call)
        return [
            reading.mailbox_row(one, self._shape.scope_of(one.number), counts=counts)
            for one in await within(call, self._store.mailboxes(self._id))
        ]

    def wakeups(self, scopes: Sequence[ScopeId]) -> AbstractAsyncContextManager[AsyncIterator[Wakeup]]:
        """Hints of the store, coalesced."""
        return changes.watch(self._store, self._id, self._shape, scopes)

    async def stale(self, call: Call, known: Mapping[ScopeId, ProviderCursor | None]) -> Sequence[ScopeId]:
        """Scopes that are not where the cursor says, or that are gone."""
        state = await self._online(call)
        found = {one.number: one.modseq for one in await within(call, self._store.mailboxes(self._id))}
        found[ANY] = state.modseq
        return [
            scope
            for scope, cursor in known.items()
            if not changes.is_current(
                state, found.get(self._shape.mailbox_of(scope), state.modseq + 1), cursor
            )
        ]

    async def changes(
        self, call: Call, scope: ScopeId, since: ProviderCursor | None
    ) -> AsyncIterator[Observations[K]]:
        """The whole scope in one page, or what happened since the cursor."""
        await self._online(call)
        number = self._shape.mailbox_of(scope)
        if number != ANY:
            await self._mailbox(call, number)
        if since is None:
            yield await changes.read_whole(call, self._store, self._id, self._shape, scope)
            return
        async for page in changes.read_since(call, self._store, self._id, self._shape, scope, since):
            yield page

    # --- reading

    async def summaries(self, call: Call, keys: Sequence[ItemKey]) -> AsyncIterator[Summary]:
        """In the order of the keys."""
        epoch = (await self._online(call)).epoch
        for start in range(0, len(keys), PAGE_ROWS):
            page = keys[start : start + PAGE_ROWS]
            for key, row in (await self._rows_of(call, epoch, page)).items():
                raw = await within(call, self._store.raw(self._id, row.number))
                if raw is not None:
                    yield reading.summary(await within(call, self._parse(raw, NO_TEXT)), key, row)

    async def content(self, call: Call, key: ItemKey, *, text_budget: int) -> Content:
        """The whole message, its texts cut to the budget."""
        row, raw = await self._find(call, key)
        return reading.content(await within(call, self._parse(raw, text_budget)), key, row)

    async def source(self, call: Call, key: ItemKey) -> ByteStream:
        """The bytes as they were stored."""
        _, raw = await self._find(call, key)
        return reading.stream("message/rfc822", raw)

    async def part(self, call: Call, key: ItemKey, part_id: str) -> ByteStream:
        """One attachment, decoded."""
        _, raw = await self._find(call, key)
        parsed = await within(call, self._parse(raw, NO_TEXT))
        part = next((one for one in parsed.parts if one.section == part_id), None)
        decoded = None if part is None else await within(call, self._decode(raw, part_id))
        if part is None or decoded is None:
            raise AttachmentNotFound
        return reading.stream(part.content_type, decoded)

    # --- searching

    async def search(self, call: Call, query: SearchQuery, after: bytes | None) -> SearchPage:
        """Newest first; `total` is known when one page holds everything."""
        coverage = matching.coverage(query.filter)
        state = await self._online(call)
        mailbox = await self._mailbox(call, mailbox_number(query.mailbox))
        below = _page_end(after, state)
        limit = min(query.limit, PAGE_ROWS)
        found = list[ItemKey]()
        last = 0
        for row in reversed(await self._rows(call, mailbox)):
            key = self._shape.key(state.epoch, row.number, mailbox.number)
            if row.number >= below or not await matching.holds(
                query.filter, row, self._reader(call, key, row)
            ):
                continue
            if len(found) == limit:
                end = _PAGE.pack(state.epoch, last)
                return SearchPage(keys=found, coverage=coverage, next=end, total=None)
            found.append(key)
            last = row.number
        total = len(found) if after is None else None
        return SearchPage(keys=found, coverage=coverage, next=None, total=total)

    def _reader(self, call: Call, key: ItemKey, row: SandboxRow) -> matching.Reader:
        kept: list[Content] = []

        async def read() -> Content:
            if not kept:
                raw = await within(call, self._store.raw(self._id, row.number))
                parsed = await within(call, self._parse(raw or b"", SEARCHED_TEXT))
                kept.append(reading.content(parsed, key, row))
            return kept[0]

        return read

    # --- writing

    async def modify(self, call: Call, keys: Sequence[ItemKey], edit: ItemEdit) -> AsyncIterator[ItemResult]:
        """Flags and mailboxes by difference; see `writing`."""
        await self._online(call)
        async for result in self._writer.modify(call, keys, edit):
            yield result

    async def append(
        self,
        call: Call,
        to: MailboxKey,
        source: ByteStream,
        flags: frozenset[Flag],
        received: datetime | None,
    ) -> ItemKey | None:
        """Stores a message, received now unless it is said."""
        await self._online(call)
        return await self._writer.append(call, to, source, flags, received or self._clock.now())

    # --- the store

    async def _online(self, call: Call) -> SandboxState:
        """The account as a whole. Raises ProviderUnreachable while it is offline."""
        state = await within(call, self._store.state(self._id))
        if state.offline:
            raise ProviderUnreachable(OFFLINE, stage="connect")
        return state

    async def _rows(self, call: Call, mailbox: SandboxMailbox) -> Sequence[SandboxRow]:
        if mailbox.role != Role.ALL:
            return await within(call, self._store.rows(self._id, mailbox.number))
        hidden = {
            one.number
            for one in await within(call, self._store.mailboxes(self._id))
            if one.role in (Role.TRASH, Role.JUNK)
        }
        rows = await within(call, self._store.rows(self._id, ANY))
        return [row for row in rows if not row.mailboxes & hidden]

    async def _rows_of(self, call: Call, epoch: int, keys: Sequence[ItemKey]) -> dict[ItemKey, SandboxRow]:
        """Rows of the keys that are there."""
        places: dict[ItemKey, Place] = {}
        for key in keys:
            try:
                place = self._shape.place(key)
            except MessageNotFound:
                continue
            if place.epoch == epoch:
                places[key] = place
        numbers = [place.number for place in places.values()]
        rows = await within(call, self._store.messages(self._id, numbers))
        return {
            key: rows[place.number]
            for key, place in places.items()
            if place.number in rows
            and (place.mailbox == ANY or place.mailbox in rows[place.number].mailboxes)
        }

    async def _parse(self, raw: bytes, text_budget: int) -> reading.ParsedMessage:
        return await self._parser.parse(raw, text_budget=text_budget)

    async def _decode(self, raw: bytes, part_id: str) -> bytes | None:
        return await asyncio.to_thread(part_bytes, raw, part_id)

    async def _mailbox(self, call: Call, number: int) -> SandboxMailbox:
        for one in await within(call, self._store.mailboxes(self._id)):
            if one.number == number:
                return one
        raise MailboxNotFound

    async def _find(self, call: Call, key: ItemKey) -> tuple[SandboxRow, bytes]:
        epoch = (await self._online(call)).epoch
        row = (await self._rows_of(call, epoch, [key])).get(key)
        raw = None if row is None else await within(call, self._store.raw(self._id, row.number))
        if row is None or raw is None:
            raise MessageNotFound
        return row, raw


def _page_end(after: bytes | None, state: SandboxState) -> int:
    """Numbers of the page are below this one. Raises PageTokenInvalid."""
    if after is None:
        return state.next_number
    if len(after) != _PAGE.size:
        raise PageTokenInvalid
    epoch, number = _PAGE.unpack(after)
    if epoch != state.epoch:
        raise PageTokenInvalid
    return int(number)
