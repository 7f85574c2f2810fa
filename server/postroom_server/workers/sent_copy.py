"""The copy in the sent mailbox: whether an account wants one, and filing it once.

It owns the look for an earlier copy after a crash and the cause that the new message gets in the feed. It refuses to
decide over the submission: what went wrong is told as an error, the message is out all the same.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from postroom_server.domain.accounts import SentCopy
from postroom_server.domain.flags import SEEN
from postroom_server.domain.keys import ScopeId, split_key
from postroom_server.domain.mailboxes import MailboxRecord, Role
from postroom_server.domain.messages import CHUNK_BYTES, ByteStream
from postroom_server.domain.outbox import Submission
from postroom_server.domain.ports import Call, MailAccount, Numbering
from postroom_server.domain.search import Condition, SearchQuery
from postroom_server.ids import message_name
from postroom_server.workers.account import AccountWorker


class MissingSentMailboxError(Exception):
    """The account has no mailbox for what was sent."""

    def __str__(self) -> str:
        return "the account has no mailbox with the role sent"


def wants_copy(worker: AccountWorker) -> bool:
    """Whether a copy is to be filed, by the account's setting and by what its server does by itself."""
    wanted = worker.account.sent_copy
    if wanted is not SentCopy.AUTO:
        return wanted is SentCopy.ALWAYS
    sender = worker.sender()
    return sender is not None and not sender.traits.files_sent_copy and _sent(worker) is not None


async def file_copy(
    worker: AccountWorker, call: Call, item: Submission, raw: bytes, received: datetime, *, again: bool
) -> str:
    """Files the copy.

    Args:
        worker: The account's.
        call: Bounds the whole of it.
        item: What was sent.
        raw: Its bytes.
        received: The time that the copy gets.
        again: It may have been filed before: it is looked for first.

    Returns:
        Its resource name, empty where that is not known.

    Raises:
        MissingSentMailboxError, PostroomError: It was not filed, or not surely.
    """
    record = _sent(worker)
    if record is None:
        raise MissingSentMailboxError
    mail = await worker.ready(call)
    if again and await _is_there(mail, call, record, item.internet_message_id):
        return ""
    with worker.sync.filing(record, item.internet_message_id, item.request_id) as filed:
        name = await _append(worker, mail, call, record, raw, received)
        filed.told = bool(name) and mail.capabilities.numbering is Numbering.SLOT
        worker.look(frozenset({ScopeId(record.row.key)}))
    return name


async def _append(
    worker: AccountWorker,
    mail: MailAccount,
    call: Call,
    record: MailboxRecord,
    raw: bytes,
    received: datetime,
) -> str:
    stream = ByteStream(content_type="message/rfc822", size_bytes=len(raw), exact=True, chunks=_chunks(raw))
    key = await mail.append(call, record.row.key, stream, frozenset({SEEN}), received)
    if key is not None and mail.capabilities.numbering is Numbering.SLOT:
        found = await worker.sync.slots.arrived(mail, call, (key,))
        return message_name(worker.account.id, found[key]) if key in found else ""
    if key is None or not record.space:
        return ""
    _, epoch, number = split_key(key)
    if epoch != record.epoch:
        return ""
    return message_name(worker.account.id, worker.entries.message_id(record.space, number))


def _sent(worker: AccountWorker) -> MailboxRecord | None:
    return next(
        (one for one in worker.ledger.mailboxes.values() if worker.show(one).row.role is Role.SENT), None
    )


async def _is_there(mail: MailAccount, call: Call, record: MailboxRecord, internet_message_id: str) -> bool:
    condition = Condition(internet_message_id=internet_message_id)
    query = SearchQuery(mailbox=record.row.key, filter=condition, limit=1)
    return bool((await mail.search(call, query, None)).keys)


async def _chunks(raw: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(raw), CHUNK_BYTES):
        yield raw[start : start + CHUNK_BYTES]
