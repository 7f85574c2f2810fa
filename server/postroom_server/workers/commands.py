"""Callers' commands on a live account that this node owns: list, read, search, change.

It owns the way from public names to the provider's keys and back; it refuses connections, retries and the diff. Each
command first waits until the account is ready, within the call's deadline, and ends by that deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pyroaring import BitMap

from postroom_server.domain.flags import Flag
from postroom_server.domain.identity import BadId
from postroom_server.domain.keys import ItemKey, NumberedKeys, ScopeId, item_key, split_key
from postroom_server.domain.mailboxes import Mailbox, MailboxRecord, Role
from postroom_server.domain.messages import AttachmentStream, ByteStream, Message, Summary, View
from postroom_server.domain.ports import (
    Call,
    ItemEdit,
    MailAccount,
    MarkKind,
    Numbered,
    Observations,
    Outcome,
)
from postroom_server.domain.search import Coverage, Filter, SearchQuery
from postroom_server.errors import (
    AttachmentNotFound,
    MailboxNotFound,
    MailboxNotSelectable,
    MessageNotFound,
    NotImplementedYet,
    PageTokenInvalid,
    PostroomError,
)
from postroom_server.ids import AccountId, AttachmentId, MailboxId, MessageId
from postroom_server.workers.account import AccountWorker
from postroom_server.workers.supervisor import Supervisor

CHUNKS_PER_LOOK: Final = 32
"""Chunks of a snapshot that one look from the newest end loads."""
FULL_AT_ONCE: Final = 4
"""Messages of a listing whose text is read at the same time."""
LIST_TEXT_BUDGET: Final = 64 * 1024
"""Bytes of each text in a listing with view FULL."""

_ROLES: Final[Mapping[str, Role]] = {role.value: role for role in Role}


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
        wanted = worker.entries.mailbox_id(_record(worker, mailbox))
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
        record = _selectable(worker, mailbox)
        if after is not None and after[0] != record.space:
            raise PageTokenInvalid
        numbers = await _newest(worker, record, limit + 1, after[1] if after else None)
        more = len(numbers) > limit
        numbers = numbers[:limit]
        keys = [_key(record, number) for number in numbers]
        messages = await self._messages(call, worker, mail, keys, view)
        return MessagePage(messages=messages, next=(record.space, numbers[-1]) if more else None)

    async def _messages(
        self,
        call: Call,
        worker: AccountWorker,
        mail: MailAccount,
        keys: Sequence[ItemKey],
        view: View,
    ) -> list[Message]:
        """Messages of some keys of one mailbox, in their order; those that are gone are left out."""
        found: dict[ItemKey, Summary] = {}
        if keys:
            async for summary in mail.summaries(call, keys):
                found[summary.key] = summary
        ordered = [found[key] for key in keys if key in found]
        if view is View.BASIC:
            return [_public(worker, summary) for summary in ordered]
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
        key = _find(worker, message)
        if view is View.FULL:
            return await self._content(call, worker, mail, key, text_budget)
        for found in await self._messages(call, worker, mail, [key], view):
            return found
        raise MessageNotFound(message=message)

    async def _content(
        self, call: Call, worker: AccountWorker, mail: MailAccount, key: ItemKey, budget: int
    ) -> Message:
        content = await mail.content(call, key, text_budget=budget)
        return replace(
            _public(worker, content.summary),
            headers=content.headers,
            text=content.text,
            html=content.html,
            truncated=content.truncated,
            full=True,
        )

    async def source(self, call: Call, account: AccountId, message: MessageId) -> ByteStream:
        """The message's RFC 5322 bytes."""
        worker, mail = await self._open(call, account)
        return await mail.source(call, _find(worker, message))

    async def attachment(
        self, call: Call, account: AccountId, message: MessageId, attachment: AttachmentId
    ) -> AttachmentStream:
        """One attachment, decoded."""
        worker, mail = await self._open(call, account)
        key = _find(worker, message)
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
        record = _selectable(worker, mailboxes[0])
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
    ) -> Sequence[MessageResult]:
        """Adds and removes flags: one result per message, in the caller's order."""
        worker, mail = await self._open(call, account)
        results: dict[MessageId, MessageResult] = {}
        by_record: dict[int, dict[ItemKey, MessageId]] = {}
        for message in messages:
            try:
                record, key = _place(worker, message)
                by_record.setdefault(record.number, {})[key] = message
            except MessageNotFound as gone:
                results[message] = MessageResult(message=message, outcome=Outcome.GONE, error=gone)
        edit = ItemEdit(add_flags=add, remove_flags=remove)
        for number, keys in by_record.items():
            record = worker.ledger.mailboxes[number]
            results.update(await self._modify(call, worker, mail, record, keys, edit))
        return [results[message] for message in messages]

    async def _modify(
        self,
        call: Call,
        worker: AccountWorker,
        mail: MailAccount,
        record: MailboxRecord,
        keys: Mapping[ItemKey, MessageId],
        edit: ItemEdit,
    ) -> Mapping[MessageId, MessageResult]:
        results = {
            message: MessageResult(message=message, outcome=Outcome.NOT_TRIED, error=None)
            for message in keys.values()
        }
        numbers = [split_key(key)[2] for key in keys]
        done = BitMap()
        with worker.sync.editing(record.space, numbers, call.request_id):
            try:
                async for item in mail.modify(call, list(keys), edit):
                    message = keys[item.key]
                    results[message] = MessageResult(message=message, outcome=item.outcome, error=item.error)
                    if item.outcome is Outcome.DONE:
                        done.add(split_key(item.key)[2])
            finally:
                if done:
                    await worker.sync.edited(record, _edited(record, done, edit))
                worker.look(frozenset({ScopeId(record.row.key)}))
        return results


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


def _record(worker: AccountWorker, mailbox: MailboxId) -> MailboxRecord:
    """The record of a mailbox by id or role. Raises MailboxNotFound."""
    records = worker.ledger.mailboxes
    role = _ROLES.get(mailbox)
    if role is not None:
        for record in sorted(records.values(), key=lambda one: one.number):
            if worker.show(record).row.role is role:
                return record
        raise MailboxNotFound(f"The account has no mailbox with the role {mailbox}.", mailbox=mailbox)
    try:
        return records[worker.entries.identity.mailbox_number(worker.account.id, mailbox)]
    except (BadId, KeyError):
        raise MailboxNotFound(mailbox=mailbox[:64]) from None


def _selectable(worker: AccountWorker, mailbox: MailboxId) -> MailboxRecord:
    record = _record(worker, mailbox)
    if record.row.scope is None or not record.row.selectable:
        raise MailboxNotSelectable(mailbox=mailbox)
    return record


def _place(worker: AccountWorker, message: MessageId) -> tuple[MailboxRecord, ItemKey]:
    """Where a message is. Raises MessageNotFound."""
    try:
        space, number = worker.entries.identity.place(worker.account.id, message)
    except BadId:
        raise MessageNotFound(message=message[:64]) from None
    record = worker.sync.by_space(space)
    if record is None:
        raise MessageNotFound(message=message)
    return record, _key(record, number)


def _find(worker: AccountWorker, message: MessageId) -> ItemKey:
    return _place(worker, message)[1]


def _key(record: MailboxRecord, number: int) -> ItemKey:
    return item_key(ScopeId(record.row.key), record.epoch, number)


def _public(worker: AccountWorker, summary: Summary) -> Message:
    scope, epoch, number = split_key(summary.key)
    record = worker.sync.record_of(scope)
    if record is None or record.epoch != epoch:
        raise MessageNotFound
    return worker.entries.message((record.number,), (record.space, number), summary)


async def _newest(worker: AccountWorker, record: MailboxRecord, limit: int, before: int | None) -> list[int]:
    """At most `limit` numbers of the snapshot below `before`, the largest first."""
    position = worker.ledger.positions.get(record.space)
    if position is None:
        return []
    bits = position.span_bits
    top = (min(before, position.next_number) if before is not None else position.next_number) - 1
    index = top >> bits
    numbers: list[int] = []
    while index >= 0 and len(numbers) < limit:
        wanted = list(range(index, max(index - CHUNKS_PER_LOOK, -1), -1))
        found = await worker.ledger.chunks(record.space, wanted)
        for one in wanted:
            chunk = found.get(one)
            if chunk is not None:
                numbers.extend(number for number in reversed(chunk.members) if number <= top)
            if len(numbers) >= limit:
                break
        index -= CHUNKS_PER_LOOK
    return numbers[:limit]
