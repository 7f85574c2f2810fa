"""One sandbox account behind the provider port: what is listed, read, searched and changed goes to the store.

It owns the shape "mailboxes and UIDs, a position per mailbox" and refuses to hold a session: every call reads the store
as it is. Messages are parsed by the parser that is handed in, never in the loop.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Final

from postroom_server.backends.sandbox import changes, matching, reading
from postroom_server.backends.sandbox.deadlines import within
from postroom_server.backends.sandbox.positions import mailbox_key, mailbox_number, place_of, scope_of
from postroom_server.backends.sandbox.writing import MAX_MESSAGE_BYTES, Writer
from postroom_server.domain.flags import SYSTEM_FLAGS, Flag
from postroom_server.domain.keys import ItemKey, MailboxKey, ScopeId, by_scope, item_key
from postroom_server.domain.mailboxes import MailboxRow, Role, RoleSource
from postroom_server.domain.messages import ByteStream, Content, Summary
from postroom_server.domain.mime import part_bytes
from postroom_server.domain.ports import (
    PAGE_ROWS,
    Call,
    Capabilities,
    Clock,
    ItemEdit,
    ItemResult,
    Numbered,
    ProviderCursor,
    Wakeup,
)
from postroom_server.domain.sandbox_store import SandboxMailbox, SandboxRow, SandboxStore
from postroom_server.domain.search import SearchPage, SearchQuery
from postroom_server.errors import AttachmentNotFound, MailboxNotFound, MessageNotFound, PageTokenInvalid
from postroom_server.ids import AccountId

NO_TEXT: Final = 0
SEARCHED_TEXT: Final = 1024 * 1024
"""Bytes of each text that a search looks through."""
PUSH: Final = frozenset({"SANDBOX"})
_PAGE: Final = struct.Struct(">II")
"""(epoch, UID of the last key) of a search's page."""

CAPABILITIES: Final = Capabilities(
    push=PUSH,
    settable_flags=SYSTEM_FLAGS,
    keywords=True,
    search=dict(matching.FIELDS.values()),
    append="ANY",
    permanent_delete=True,
    begins_empty=True,
    max_source_bytes=MAX_MESSAGE_BYTES,
    provider={"sandbox": "mailboxes and UIDs"},
)


class SandboxAccount:
    """An open sandbox account; see `ports.MailAccount`."""

    capabilities = CAPABILITIES
    locator = None
    mailbox_editor = None
    mover = None

    def __init__(
        self, account: AccountId, store: SandboxStore, parser: reading.MessageParser, clock: Clock
    ) -> None:
        self._id, self._store, self._parser, self._clock = account, store, parser, clock
        self._writer = Writer(store, account)

    def __repr__(self) -> str:
        return f"<SandboxAccount {self._id}>"

    async def close(self) -> None:
        """Nothing to end."""

    # --- mailboxes and changes

    async def list_mailboxes(self, call: Call, *, counts: bool) -> Sequence[MailboxRow]:
        """All mailboxes, by number."""
        found = await within(call, self._mailboxes())
        return [_mailbox_row(one, counts=counts) for one in found.values()]

    def wakeups(self, scopes: Sequence[ScopeId]) -> AbstractAsyncContextManager[AsyncIterator[Wakeup]]:
        """Hints of the store, coalesced."""
        return changes.watch(self._store, self._id, scopes)

    async def stale(self, call: Call, known: Mapping[ScopeId, ProviderCursor | None]) -> Sequence[ScopeId]:
        """Scopes that are not where the cursor says, or that are gone."""
        found = {
            scope_of(number): mailbox for number, mailbox in (await within(call, self._mailboxes())).items()
        }
        return [scope for scope, cursor in known.items() if not changes.is_current(found.get(scope), cursor)]

    async def changes(
        self, call: Call, scope: ScopeId, since: ProviderCursor | None
    ) -> AsyncIterator[Numbered]:
        """One page: a mailbox of the sandbox holds no more."""
        mailbox = await self._mailbox(call, mailbox_number(scope))
        yield changes.observe(mailbox, await within(call, self._rows(mailbox.number)), since)

    # --- reading

    async def summaries(self, call: Call, keys: Sequence[ItemKey]) -> AsyncIterator[Summary]:
        """In the order of the keys, mailbox by mailbox."""
        found = await within(call, self._mailboxes())
        for (scope, epoch), uids in by_scope(keys).items():
            mailbox = next((one for one in found.values() if scope_of(one.number) == scope), None)
            if mailbox is None or mailbox.epoch != epoch:
                continue
            rows = {row.uid: row for row in await within(call, self._rows(mailbox.number))}
            for uid in uids:
                row = rows.get(uid)
                raw = None if row is None else await within(call, self._raw(mailbox.number, uid))
                if row is not None and raw is not None:
                    parsed = await within(call, self._parse(raw, NO_TEXT))
                    yield reading.summary(parsed, item_key(scope, epoch, uid), row)

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
        mailbox = await self._mailbox(call, mailbox_number(query.mailbox))
        below = _page_end(after, mailbox)
        rows = [row for row in await within(call, self._rows(mailbox.number)) if row.uid < below]
        limit = min(query.limit, PAGE_ROWS)
        scope, found = scope_of(mailbox.number), list[ItemKey]()
        last = 0
        for row in reversed(rows):
            key = item_key(scope, mailbox.epoch, row.uid)
            if not await matching.holds(query.filter, row, self._reader(call, key, row)):
                continue
            if len(found) == limit:
                end = _PAGE.pack(mailbox.epoch, last)
                return SearchPage(keys=found, coverage=coverage, next=end, total=None)
            found.append(key)
            last = row.uid
        total = len(found) if after is None else None
        return SearchPage(keys=found, coverage=coverage, next=None, total=total)

    def _reader(self, call: Call, key: ItemKey, row: SandboxRow) -> matching.Reader:
        kept: list[Content] = []

        async def read() -> Content:
            if not kept:
                _, raw = await self._find(call, key)
                parsed = await within(call, self._parse(raw, SEARCHED_TEXT))
                kept.append(reading.content(parsed, key, row))
            return kept[0]

        return read

    # --- writing

    def modify(self, call: Call, keys: Sequence[ItemKey], edit: ItemEdit) -> AsyncIterator[ItemResult]:
        """Flags by difference; see `writing`."""
        return self._writer.modify(call, keys, edit)

    async def append(
        self,
        call: Call,
        to: MailboxKey,
        source: ByteStream,
        flags: frozenset[Flag],
        received: datetime | None,
    ) -> ItemKey | None:
        """Stores a message, received now unless it is said."""
        return await self._writer.append(call, to, source, flags, received or self._clock.now())

    # --- the store

    async def _mailboxes(self) -> dict[int, SandboxMailbox]:
        return {one.number: one for one in await self._store.mailboxes(self._id)}

    async def _rows(self, mailbox: int) -> Sequence[SandboxRow]:
        return await self._store.rows(self._id, mailbox)

    async def _raw(self, mailbox: int, uid: int) -> bytes | None:
        return await self._store.raw(self._id, mailbox, uid)

    async def _parse(self, raw: bytes, text_budget: int) -> reading.ParsedMessage:
        return await self._parser.parse(raw, text_budget=text_budget)

    async def _decode(self, raw: bytes, part_id: str) -> bytes | None:
        return await asyncio.to_thread(part_bytes, raw, part_id)

    async def _mailbox(self, call: Call, number: int) -> SandboxMailbox:
        mailbox = (await within(call, self._mailboxes())).get(number)
        if mailbox is None:
            raise MailboxNotFound
        return mailbox

    async def _find(self, call: Call, key: ItemKey) -> tuple[SandboxRow, bytes]:
        number, epoch, uid = place_of(key)
        mailbox = (await within(call, self._mailboxes())).get(number)
        if mailbox is None or mailbox.epoch != epoch:
            raise MessageNotFound
        row = next((one for one in await within(call, self._rows(number)) if one.uid == uid), None)
        raw = None if row is None else await within(call, self._raw(number, uid))
        if row is None or raw is None:
            raise MessageNotFound
        return row, raw


def _mailbox_row(mailbox: SandboxMailbox, *, counts: bool) -> MailboxRow:
    role = None if mailbox.role is None else Role(mailbox.role)
    return MailboxRow(
        key=mailbox_key(mailbox.number),
        path=mailbox.path,
        role=role,
        role_source=None if role is None else RoleSource.SERVER,
        scope=scope_of(mailbox.number),
        subscribed=True,
        messages=mailbox.messages if counts else None,
        unseen=mailbox.unseen if counts else None,
    )


def _page_end(after: bytes | None, mailbox: SandboxMailbox) -> int:
    """UIDs of the page are below this one. Raises PageTokenInvalid."""
    if after is None:
        return mailbox.next_uid
    if len(after) != _PAGE.size:
        raise PageTokenInvalid
    epoch, uid = _PAGE.unpack(after)
    if epoch != mailbox.epoch:
        raise PageTokenInvalid
    return int(uid)
