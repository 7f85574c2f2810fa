"""Sync of an account whose messages we number: its pages become observations of one space, whatever its scopes are.

It owns the readings of scopes, the questions that a page raises (what is new, where did it go), and what calls of ours
have done; it refuses the translation (`domain.slots`) and the commits (`slot_commits`). A page is a view of the past: what
was committed of a message since the view began is not overwritten by it, the message is looked at again instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

from pyroaring import BitMap

from postroom_server.domain import slots
from postroom_server.domain.changes import Cause, ResetReason
from postroom_server.domain.keys import ItemKey, ItemKeys, MailboxKey, ScopeId
from postroom_server.domain.mailboxes import MailboxRecord
from postroom_server.domain.messages import Summary
from postroom_server.domain.ports import (
    PAGE_ROWS,
    Call,
    ItemEdit,
    Keyed,
    Lane,
    Location,
    MailAccount,
    Observations,
    ProviderCursor,
)
from postroom_server.domain.slots import UnknownMailbox
from postroom_server.errors import MailboxNotFound, ProviderCursorExpired
from postroom_server.ids import MessageId
from postroom_server.workers.causes import api
from postroom_server.workers.entries import REMOTE, RESYNC
from postroom_server.workers.ledger import LedgerMoved, Patch
from postroom_server.workers.slot_commits import Cursor, Look, SlotCommits, View

READING_SECONDS: Final = 900.0
"""Bound of one reading of a scope, from nothing or from its position."""
GATHERED_ROWS: Final = 10_000
"""Rows of a complete reading that are taken together, because each commit touches most of the table's buckets."""
TOLD_ROWS: Final = 200
"""New messages that are summarised and told together."""
MAX_AGAIN: Final = 5
"""Times that a reading starts again because the store moved under it, or a look because somebody else was faster."""

Relist = Callable[[MailAccount], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """One reading of one scope."""

    mail: MailAccount
    call: Call
    cursor: Cursor
    home: int | None
    view: View
    cause: Cause
    quiet: bool
    quiet_new: bool


class SlotSync:
    """The sync side of an account with slots."""

    def __init__(self, commits: SlotCommits, relist: Relist) -> None:
        """`relist` brings the mailboxes up to the provider's list, when a page names one that is not known."""
        self.commits, self._relist = commits, relist
        self._ledger, self.index = commits.ledger, commits.index

    # --- readings -----------------------------------------------------------------------------------------------

    async def read(self, mail: MailAccount, scope: ScopeId, *, settled: bool) -> None:
        """Brings one scope up to the provider.

        Args:
            mail: The open account.
            scope: What is read.
            settled: Whether the account's first reading was over before. What it holds until then is not news, unless it
                began empty.
        """
        for _ in range(MAX_AGAIN):
            records = [one for one in self._ledger.mailboxes.values() if one.row.scope == scope]
            if not records:
                return
            try:
                await self._read(mail, records, scope, settled=settled)
                return
            except LedgerMoved:
                continue
            except UnknownMailbox as unknown:
                await self._list(mail, unknown.mailbox)
            except ProviderCursorExpired as expired:
                await self._reset(mail, records[0], ResetReason(expired.kind))
            except MailboxNotFound:
                return
        raise LedgerMoved

    async def _list(self, mail: MailAccount, mailbox: MailboxKey) -> None:
        await self._relist(mail)
        if mailbox not in self.commits.numbers():
            self.commits.not_listed(mailbox)

    async def _read(
        self, mail: MailAccount, records: Sequence[MailboxRecord], scope: ScopeId, *, settled: bool
    ) -> None:
        record, announce = records[0], all(one.announce for one in records)
        one_scope = mail.capabilities.one_scope
        position = self._ledger.messages if one_scope else self._ledger.positions.get(record.space)
        since = position.cursor if position is not None and position.cursor else None
        complete = position is not None and position.fresh_ms > 0
        call = Call(deadline=_now() + READING_SECONDS, lane=Lane.SYNC if since else Lane.BULK)
        with self.commits.view() as view:
            reading = _Reading(
                mail=mail,
                call=call,
                cursor=Cursor(record=None if one_scope else record.number),
                home=None if one_scope else record.number,
                view=view,
                cause=RESYNC if complete and since is None else REMOTE,
                quiet=not settled and not announce,
                quiet_new=not complete and not announce,
            )
            pages = mail.changes(call, scope, ProviderCursor(since) if since else None)
            seen = BitMap()
            async for page in _gathered(cast("AsyncIterator[Keyed]", pages)):
                await self._take(reading, page, seen)

    async def _reset(self, mail: MailAccount, record: MailboxRecord, reason: ResetReason) -> None:
        """The position is of no use any more: the scope is read whole, and only what differs is told."""
        entries = self.commits.entries
        async with self._ledger.lock:
            one_scope = mail.capabilities.one_scope
            position = self._ledger.messages if one_scope else self._ledger.positions.get(record.space)
            if position is None or not position.cursor:
                return
            revision = position.revision + 1
            patch = Patch(positions={position.space: replace(position, cursor=b"", revision=revision)})
            if one_scope:
                patch.entries.append(entries.account_reset(reason, revision))
            else:
                patch.entries.append(entries.mailbox_reset(record, reason, revision))
            await self._ledger.commit(patch)

    async def _take(self, reading: _Reading, page: Keyed, seen: BitMap) -> None:
        """Commits one page: in one piece, or in several if there is much to tell."""
        whole = page.whole
        page = replace(page, whole=False)
        if whole and page.cursor is not None:
            page = await self._with_missing(reading, page, seen)
        size, silent = GATHERED_ROWS, reading.quiet or reading.quiet_new
        if not silent and len(page.present) > TOLD_ROWS:
            known = await self.index.slots(page.present.keys)
            size = TOLD_ROWS if len(page.present) - len(known) > TOLD_ROWS else size
        for piece in slots.cut(page, size):
            seen |= await self._take_piece(reading, piece)

    async def _with_missing(self, reading: _Reading, page: Keyed, seen: BitMap) -> Keyed:
        """The last page of a complete reading, with what the snapshot holds and the reading did not show as gone."""
        position = self._ledger.messages
        if position is None:
            return page
        chunks = (await self._ledger.chunks(position.space, None)).values()
        expected = BitMap()
        if reading.home is None:
            for chunk in chunks:
                expected |= chunk.members
        else:
            expected |= slots.held(chunks).get(reading.home, BitMap())
        here = await self.index.slots(page.present.keys)
        missing = await self.index.keys(expected - seen - BitMap(here.values()))
        return replace(page, gone=ItemKeys(keys=(*page.gone.keys, *missing.values())))

    async def _take_piece(self, reading: _Reading, page: Keyed) -> BitMap:
        """Commits one piece of a page; answers the slots that it showed."""
        ground = await self.commits.ground(page, reading.home)
        located = await self._located(reading, slots.doubtful(page, ground))
        found: Mapping[ItemKey, Summary] = {}
        if not reading.quiet and not reading.quiet_new:
            fresh = [key for key in page.present if key not in ground.slots]
            found = await _summaries(reading.mail, reading.call, fresh, page.summaries)
            page = slots.less(page, (key for key in fresh if key not in found))
            if reading.home is not None:
                located += [
                    Location(key=key, mailboxes=one.mailboxes) for key, one in found.items() if one.mailboxes
                ]
        look = Look(
            page=page,
            home=reading.home,
            ground=ground,
            located=located,
            summaries=found,
            cursor=reading.cursor,
            view=reading.view,
            cause=reading.cause,
            quiet=reading.quiet,
            quiet_new=reading.quiet_new,
        )
        shown, disputed = await self.commits.take(look)
        if disputed:
            await self._look_again(reading.mail, reading.call, disputed, reading.cause)
        return shown

    async def _located(self, reading: _Reading, keys: Sequence[ItemKey]) -> list[Location]:
        """Where doubtful messages are; with no locator they are believed to be gone."""
        locator = reading.mail.locator
        if locator is None:
            return [Location(key=key, mailboxes=()) for key in keys]
        found: list[Location] = []
        for start in range(0, len(keys), PAGE_ROWS):
            found += await locator.locate(reading.call, keys[start : start + PAGE_ROWS])
        return found

    # --- single messages ----------------------------------------------------------------------------------------

    async def arrived(
        self, mail: MailAccount, call: Call, keys: Sequence[ItemKey], request_id: str = ""
    ) -> dict[ItemKey, MessageId]:
        """Looks at messages now and commits what differs: new ones, or those of which a call's outcome is unknown.

        Returns:
            The id of each one that is there.
        """
        await self._look_again(mail, call, keys, api(request_id) if request_id else REMOTE)
        position = self._ledger.messages
        found = await self.index.slots(keys)
        if position is None:
            return {}
        return {key: self.commits.entries.message_id(position.space, slot) for key, slot in found.items()}

    async def _look_again(self, mail: MailAccount, call: Call, keys: Iterable[ItemKey], cause: Cause) -> None:
        """Until nobody else has written of them between the look and its commit."""
        left = list(dict.fromkeys(keys))
        for _ in range(MAX_AGAIN):
            if not left:
                return
            with self.commits.view() as view:
                found = await _summaries(mail, call, left, {})
                page = slots.shown(left, {key: (one.flags, one.mailboxes) for key, one in found.items()})
                look = Look(page=page, summaries=found, view=view, cause=cause)
                try:
                    _, left = await self.commits.take(look)
                except LedgerMoved:
                    continue
                except UnknownMailbox as unknown:
                    await self._list(mail, unknown.mailbox)
        if left:
            raise LedgerMoved

    # --- what a call of ours has just done ----------------------------------------------------------------------

    async def changed(
        self, numbers: BitMap, edit: ItemEdit, cause: Cause = REMOTE, view: View | None = None
    ) -> Sequence[ItemKey]:
        """These messages have this difference of flags and mailboxes now; answers as `SlotCommits.told`."""
        return await self.commits.told(slots.edited(numbers, edit, self.commits.numbers()), cause, view)

    async def moved(
        self,
        numbers: BitMap,
        source: MailboxKey | None,
        to: MailboxKey,
        cause: Cause = REMOTE,
        view: View | None = None,
    ) -> Sequence[ItemKey]:
        """These messages are in `to` now and not in `source` any more (None: in no other mailbox); answers as `told`."""
        known = self.commits.numbers()
        left = list(known.values()) if source is None else [known.get(source, 0)]
        return await self.commits.told(slots.moved(numbers, known.get(to, 0), left), cause, view)

    async def removed(self, numbers: BitMap, cause: Cause = REMOTE) -> None:
        """These messages are gone for good."""
        await self.commits.told(slots.removed(numbers), cause)

    # --- mailboxes ----------------------------------------------------------------------------------------------

    async def emptied(self, mail: MailAccount, record: MailboxRecord, call: Call, cause: Cause) -> None:
        """A mailbox is gone: its messages are elsewhere, or gone too, or in one mailbox less."""
        position = self._ledger.messages
        if position is None:
            return
        chunks = await self._ledger.chunks(position.space, None)
        inside = slots.held(chunks.values()).get(record.number, BitMap())
        for start in range(0, len(inside), PAGE_ROWS):
            numbers = inside[start : start + PAGE_ROWS]
            if mail.locator is None:
                edit = ItemEdit(remove_mailboxes=frozenset((record.row.key,)))
                await self.commits.told(slots.edited(numbers, edit, self.commits.numbers()), cause)
            else:
                await self._left(mail, record, call, numbers, cause)

    async def _left(
        self, mail: MailAccount, record: MailboxRecord, call: Call, numbers: BitMap, cause: Cause
    ) -> None:
        """Messages have left a mailbox that is no more: each is where the provider says."""
        assert mail.locator is not None
        keys = tuple((await self.index.keys(numbers)).values())
        page: Keyed = Observations(
            scope=slots.ACCOUNT_SCOPE,
            epoch=slots.EPOCH,
            present=ItemKeys(),
            gone=ItemKeys(keys=keys),
            gone_final=False,
        )
        for _ in range(MAX_AGAIN):
            with self.commits.view() as view:
                located = [
                    replace(one, mailboxes=tuple(key for key in one.mailboxes if key != record.row.key))
                    for one in await mail.locator.locate(call, keys)
                ]
                look = Look(page=page, home=record.number, located=located, view=view, cause=cause)
                try:
                    _, disputed = await self.commits.take(look)
                except UnknownMailbox as unknown:
                    await self._list(mail, unknown.mailbox)
                    continue
            await self._look_again(mail, call, disputed, cause)
            return
        raise LedgerMoved


async def _gathered(pages: AsyncIterator[Keyed]) -> AsyncIterator[Keyed]:
    """The pages; those of a complete reading joined to larger ones."""
    pending: Keyed | None = None
    async for page in pages:
        if pending is not None:
            page = slots.joined(pending, page)  # noqa: PLW2901
        pending = page
        if not page.whole or page.cursor is not None or len(page.present) >= GATHERED_ROWS:
            yield page
            pending = None
    if pending is not None:
        yield pending


async def _summaries(
    mail: MailAccount, call: Call, keys: Sequence[ItemKey], given: Mapping[ItemKey, Summary]
) -> dict[ItemKey, Summary]:
    """Summaries of those of the keys that exist."""
    found = {key: given[key] for key in keys if key in given}
    wanted = [key for key in keys if key not in found]
    for start in range(0, len(wanted), PAGE_ROWS):
        async for summary in mail.summaries(call, wanted[start : start + PAGE_ROWS]):
            found[summary.key] = summary
    return found


def _now() -> float:
    return asyncio.get_running_loop().time()
