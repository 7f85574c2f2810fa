"""Callers' new messages: put into a mailbox of a live account that this node owns, without being sent.

It owns the way into the feed with the caller's request id, so that the message has its name when the call is answered,
where the provider tells its key; it refuses to compose.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from postroom_server.domain.flags import Flag
from postroom_server.domain.keys import ItemKey, ScopeId, split_key
from postroom_server.domain.mailboxes import MailboxRecord
from postroom_server.domain.messages import CHUNK_BYTES, ByteStream, Message, View
from postroom_server.domain.ports import Call, MailAccount, Numbering
from postroom_server.errors import Fenced, PostroomError
from postroom_server.ids import AccountId, MailboxId, MessageId
from postroom_server.workers.account import AccountWorker
from postroom_server.workers.causes import Filed
from postroom_server.workers.commands import Commands
from postroom_server.workers.ledger import LedgerMoved
from postroom_server.workers.places import selectable
from postroom_server.workers.supervisor import Supervisor


class Filing:
    """Messages that callers put into mailboxes of accounts of this node."""

    def __init__(self, supervisor: Supervisor, commands: Commands) -> None:
        self._supervisor, self._commands = supervisor, commands

    async def append(
        self,
        call: Call,
        account: AccountId,
        mailbox: MailboxId,
        raw: bytes,
        *,
        internet_message_id: str,
        flags: frozenset[Flag],
        received: datetime | None,
    ) -> Message | None:
        """Stores a message; the message as it lies there, None where it has no name yet.

        Raises MailboxNotFound, MailboxNotSelectable, MessageTooLarge, ProviderFull, OutcomeUnknown.
        """
        worker = await self._supervisor.worker(account, call.deadline)
        mail = await worker.ready(call)
        record = selectable(worker, mailbox)
        with worker.sync.filing(record, internet_message_id, call.request_id) as filed:
            key = await mail.append(call, record.row.key, stream_of(raw), flags, received)
            found = await arrival(call, worker, mail, record, key, filed)
        return await self.shown(call, account, found)

    async def shown(self, call: Call, account: AccountId, message: MessageId | None) -> Message | None:
        """The message in the view BASIC; None when it is gone again or cannot be read now: it is stored all the same."""
        if message is None:
            return None
        try:
            return await self._commands.get_message(call, account, message, view=View.BASIC, text_budget=0)
        except (PostroomError, LedgerMoved, Fenced):
            return None


async def arrival(
    call: Call,
    worker: AccountWorker,
    mail: MailAccount,
    record: MailboxRecord,
    key: ItemKey | None,
    filed: Filed | None = None,
) -> MessageId | None:
    """The name of a message that has just come into a mailbox, after it has entered the feed; by a call if it is `filed`."""
    scope = ScopeId(record.row.scope or record.row.key)
    try:
        if mail.capabilities.numbering is Numbering.SLOT:
            if key is None:
                worker.look(frozenset({scope}))
                return None
            request_id = filed.request_id if filed is not None else ""
            found = await worker.sync.slots.arrived(mail, call, [key], request_id)
            _note_told(filed)
            return found.get(key)
        await worker.sync.read(mail, scope, settled=True)
        _note_told(filed)
    except (PostroomError, LedgerMoved, Fenced):
        worker.look(frozenset({scope}))
        return None
    current = worker.ledger.mailboxes.get(record.number)
    if key is None or current is None or not current.space:
        return None
    _, epoch, number = split_key(key)
    return worker.entries.message_id(current.space, number) if epoch == current.epoch else None


def _note_told(filed: Filed | None) -> None:
    if filed is not None:
        filed.told = True


def stream_of(raw: bytes) -> ByteStream:
    """Bytes that are at hand, in chunks."""

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(raw), CHUNK_BYTES):
            yield raw[start : start + CHUNK_BYTES]

    return ByteStream(content_type="message/rfc822", size_bytes=len(raw), exact=True, chunks=chunks())
