"""Callers' commands on a live account that this node owns: list, read, search, change.

It owns what is asked of the provider for each; it refuses connections, retries, the diff, and the way from public names
to the provider's keys (`places`). Each command first waits until the account is ready, within the call's deadline, and ends by that deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from pyroaring import BitMap

from postroom_server.domain.flags import Flag
from postroom_server.domain.keys import ItemKey, NumberedKeys, ScopeId
from postroom_server.domain.mailboxes import Mailbox, MailboxRecord, Role
from postroom_server.domain.messages import AttachmentStream, ByteStream, Message, Summary, View
from postroom_server.domain.ports import (
    Call,
    ItemEdit,
    MailAccount,
    MarkKind,
    Membership,
    Numbered,
    Observations,
    Outcome,
)
from postroom_server.domain.search import Coverage, Filter, SearchQuery
from postroom_server.errors import (
    AttachmentNotFound,
    MailboxNotFound,
    MembershipSingle,
    MessageNotFound,
    NotImplementedYet,
    PageTokenInvalid,
    PostroomError,
)
from postroom_server.ids import AccountId, AttachmentId, MailboxId, MessageId
from postroom_server.workers import places, slot_commits
from postroom_server.workers.account import AccountWorker
from postroom_server.workers.causes import api
from postroom_server.workers.ledger import LedgerMoved
from postroom_server.workers.places import Place
from postroom_server.workers.supervisor import Supervisor

FULL_AT_ONCE: Final = 4
"""Messages of a listing whose text is read at the same time."""
LIST_TEXT_BUDGET: Final = 64 * 1024
"""Bytes of each text in a listing with view FULL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePage:
    """Messages newest first; `next` is (space, number) of the last row, None at the end."""

    messages: Sequence[Message]
    next: tuple[int, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """Messages newest first, who answered, where to go on, and how many there are where it is known."""

    messages: Sequence[Message]
    coverage: Sequence[Coverage]
    next: bytes | None
    total: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageResult:
    """What became of one message of a batch."""

    message: MessageId
    outcome: Outcome
    error: PostroomError | None


class Commands:
    """Commands on accounts of this node."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    async def _open(self, call: Call, account: AccountId) -> tuple[AccountWorker, MailAccount]:
        worker = await self._supervisor.worker(account, call.deadline)
        return worker, await worker.ready(call)

    # --- mailboxes ----------------------------------------------------------------------------------------------

    async def list_mailboxes(self, call: Call, account: AccountId, *, counts: bool) -> Sequence[Mailbox]:
        """All mailboxes, ordered by path; with `counts` asked of the provider."""
        worker, mail = await self._open(call, account)
        live = {row.key: row for row in await mail.list_mailboxes(call, counts=True)} if counts else {}
        shown = []
        for record in worker.ledger.mailboxes.values():
            mailbox = worker.show(record)
            row = live.get(record.row.key)
            if row is not None:
                mailbox = replace(mailbox, row=replace(mailbox.row, messages=row.messages, unseen=row.unseen))
            shown.append(mailbox)
        return sorted(shown, key=lambda one: (one.row.role is not Role.INBOX, one.row.path))

    async def get_mailbox(self, call: Call, account: AccountId, mailbox: MailboxId) -> Mailbox:
        """One mailbox by id or role, with counts."""
        worker, _ = await self._open(call, account)
        wanted = worker.entries.mailbox_id(places.record_of(worker, mailbox))
        for one in await self.list_mailboxes(call, account, counts=True):
            if one.id == wanted:
                return one
        raise MailboxNotFound(mailbox=mailbox)

    # --- reading ------------------------------------------------------------------------------------------------

    async def list_messages(
        self,
        call: Call,
        account: AccountId,
        mailbox: MailboxId,
        *,
        view: View,
        limit: int,
        after: tuple[int, int] | None,
    ) -> MessagePage:
        """One page in arrival order, newest first; arrivals during paging shift nothing."""
        worker, mail = await self._open(call, account)
        record = places.selectable(worker, mailbox)
        space = places.space_of(worker, record)
        if after is not None and after[0] != space:
            raise PageTokenInvalid
        found = await places.newest(worker, record, limit + 1, after[1] if after else None)
        more, found = len(found) > limit, found[:limit]
        keys = [place.key for place in found]
        messages = await self._messages(call, worker, mail, keys, view)
        return MessagePage(messages=messages, next=(space, found[-1].number) if more else None)

    async def _messages(
        self,
        call: Call,
        worker: AccountWorker,
        mail: MailAccount,
        keys: Sequence[ItemKey],
        view: View,
    ) -> list[Message]:
        """Messages of some keys, in their order; those that are gone are left out."""
        found: dict[ItemKey, Summary] = {}
        if keys:
            async for summary in mail.summaries(call, keys):
                found[summary.key] = summary
        ordered = [found[key] for key in keys if key in found]
        if view is View.BASIC:
            return await places.public(worker, mail, call, ordered)
        gate = asyncio.Semaphore(FULL_AT_ONCE)

        async def whole(summary: Summary) -> Message | None:
            async with gate:
                try:
                    return await self._content(call, worker, mail, summary.key, LIST_TEXT_BUDGET)
                except MessageNotFound:
                    return None

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(whole(summary)) for summary in ordered]
        return [message for task in tasks if (message := task.result()) is not None]

    async def get_message(
        self, call: Call, account: AccountId, message: MessageId, *, view: View, text_budget: int
    ) -> Message:
        """One message; each text is cut to `text_budget` bytes."""
        worker, mail = await self._open(call, account)
        key = (await places.find(worker, message)).key
        if view is View.FULL:
            return await self._content(call, worker, mail, key, text_budget)
        for found in await self._messages(call, worker, mail, [key], view):
            return found
        raise MessageNotFound(message=message)

    async def _content(
        self, call: Call, worker: AccountWorker, mail: MailAccount, key: ItemKey, budget: int
    ) -> Message:
        content = await mail.content(call, key, text_budget=budget)
        shown = await places.public(worker, mail, call, (content.summary,))
        if not shown:
            raise MessageNotFound
        return replace(
            shown[0],
            headers=content.headers,
            text=content.text,
            html=content.html,
            truncated=content.truncated,
            full=True,
        )

    async def source(self, call: Call, account: AccountId, message: MessageId) -> ByteStream:
        """The message's RFC 5322 bytes."""
        worker, mail = await self._open(call, account)
        return await mail.source(call, (await places.find(worker, message)).key)

    async def attachment(
        self, call: Call, account: AccountId, message: MessageId, attachment: AttachmentId
    ) -> AttachmentStream:
        """One attachment, decoded."""
        worker, mail = await self._open(call, account)
        key = (await places.find(worker, message)).key
        for found in await self._messages(call, worker, mail, [key], View.BASIC):
            for part in found.summary.parts:
                if part.id == attachment:
                    return AttachmentStream(
                        id=attachment, part=part, stream=await mail.part(call, key, part.id)
                    )
            raise AttachmentNotFound(attachment=attachment)
        raise MessageNotFound(message=message)

    async def search(
        self,
        call: Call,
        account: AccountId,
        mailboxes: Sequence[MailboxId],
        filter: Filter,  # noqa: A002 - the contract's word
        *,
        view: View,
        limit: int,
        after: bytes | None,
    ) -> SearchResult:
        """One page of what matches in one mailbox, newest first."""
        if len(mailboxes) != 1:
            raise NotImplementedYet("A search is of exactly one mailbox for now.")
        worker, mail = await self._open(call, account)
        record = places.selectable(worker, mailboxes[0])
        query = SearchQuery(mailbox=record.row.key, filter=filter, limit=limit)
        page = await mail.search(call, query, after)
        messages = await self._messages(call, worker, mail, page.keys, view)
        return SearchResult(messages=messages, coverage=page.coverage, next=page.next, total=page.total)

    # --- changing -----------------------------------------------------------------------------------------------

    async def modify(
        self,
        call: Call,
        account: AccountId,
        messages: Sequence[MessageId],
        *,
        add: frozenset[Flag],
        remove: frozenset[Flag],
        enter: Sequence[MailboxId] = (),
        leave: Sequence[MailboxId] = (),
    ) -> Sequence[MessageResult]:
        """Adds and removes flags, and mailboxes where a message may be in several.

        Returns:
            One result per message, in the caller's order.

        Raises:
            MembershipSingle: Mailboxes are named, and a message is in exactly one here.
        """
        worker, mail = await self._open(call, account)
        if (enter or leave) and mail.capabilities.membership is Membership.ONE:
            raise MembershipSingle
        edit = ItemEdit(
            add_flags=add,
            remove_flags=remove,
            add_mailboxes=frozenset(places.selectable(worker, one).row.key for one in enter),
            remove_mailboxes=frozenset(places.selectable(worker, one).row.key for one in leave),
        )
        results: dict[MessageId, MessageResult] = {}
        by_space: dict[int, dict[MessageId, Place]] = {}
        for message in messages:
            try:
                place = await places.find(worker, message)
                by_space.setdefault(place.space, {})[message] = place
            except MessageNotFound as gone:
                results[message] = MessageResult(message=message, outcome=Outcome.GONE, error=gone)
        for space, found in by_space.items():
            results.update(await self._modify(call, worker, mail, space, found, edit))
        return [results[message] for message in messages]

    async def _modify(
        self,
        call: Call,
        worker: AccountWorker,
        mail: MailAccount,
        space: int,
        found: Mapping[MessageId, Place],
        edit: ItemEdit,
    ) -> Mapping[MessageId, MessageResult]:
        results = {
            message: MessageResult(message=message, outcome=Outcome.NOT_TRIED, error=None)
            for message in found
        }
        by_key = {place.key: (message, place) for message, place in found.items()}
        done = BitMap()
        told = _Told(worker, mail, call, next(iter(found.values())))
        numbers = [place.number for place in found.values()]
        with worker.sync.editing(space, numbers, call.request_id), worker.sync.slots.commits.view() as view:
            try:
                async for item in mail.modify(call, list(by_key), edit):
                    message, place = by_key[item.key]
                    results[message] = MessageResult(message=message, outcome=item.outcome, error=item.error)
                    if item.outcome is Outcome.DONE:
                        done.add(place.number)
            finally:
                await told.bring_up(done, edit, view)
        return results


class _Told:
    """How the snapshot learns what a call has done to messages of one space; made before the provider is asked."""

    __slots__ = ("_before", "_call", "_mail", "_record", "_worker")

    def __init__(self, worker: AccountWorker, mail: MailAccount, call: Call, place: Place) -> None:
        self._worker, self._mail, self._call, self._record = worker, mail, call, place.record
        self._before = worker.ledger.positions.get(place.space)

    async def bring_up(self, done: BitMap, edit: ItemEdit, view: slot_commits.View) -> None:
        """The snapshot learns what was done, and sync has a look: it may not have been all.

        Where sync has read meanwhile, it may know of later changes: then the provider is asked instead.
        """
        worker, record, call = self._worker, self._record, self._call
        if record is None:
            if done:
                slots = worker.sync.slots
                doubtful = await slots.changed(done, edit, api(call.request_id), view)
                with suppress(PostroomError, LedgerMoved):
                    await slots.arrived(self._mail, call, doubtful, call.request_id)
            worker.look()
            return
        scope = ScopeId(record.row.key)
        if done and worker.ledger.positions.get(record.space) == self._before:
            await worker.sync.edited(record, _edited(record, done, edit))
        elif done:
            with suppress(PostroomError, LedgerMoved):
                await worker.sync.read(self._mail, scope, settled=True)
        worker.look(frozenset({scope}))


def _edited(record: MailboxRecord, numbers: BitMap, edit: ItemEdit) -> Numbered:
    scope = ScopeId(record.row.key)
    keys = NumberedKeys(scope=scope, epoch=record.epoch, numbers=numbers)
    nothing = replace(keys, numbers=BitMap())
    return Observations(
        scope=scope,
        epoch=record.epoch,
        present=nothing,
        on={(MarkKind.FLAG, flag): keys for flag in edit.add_flags},
        off={(MarkKind.FLAG, flag): keys for flag in edit.remove_flags},
        gone=nothing,
    )
