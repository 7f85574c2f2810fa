"""The outbox: takes what is due, sends it, and records what became of it, step by fenced step.

It owns the order that makes a submission once or in doubt, never silently twice: the attempt is counted before it is made,
IN_DOUBT is written before the committing step, and only then the final dot goes out. An item found SENDING was never
committed and is sent; one found IN_DOUBT may have been and is held for somebody to decide. It refuses transport
(`ports.MailSender`) and acceptance (`submissions`).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from postroom_server.domain.accounts import SentCopy
from postroom_server.domain.flags import SEEN
from postroom_server.domain.keys import ScopeId, split_key
from postroom_server.domain.mailboxes import MailboxRecord, Role
from postroom_server.domain.messages import CHUNK_BYTES, ByteStream
from postroom_server.domain.outbox import (
    EXPIRE_AFTER_SECONDS,
    MAX_ATTEMPTS_KEPT,
    MAX_REPLY_LENGTH,
    Attempt,
    Recipient,
    RecipientState,
    Submission,
    SubmissionState,
    check_transition,
    retry_delay,
)
from postroom_server.domain.ports import (
    Call,
    Clock,
    Lane,
    MailAccount,
    OutgoingMessage,
    RecipientReply,
    SendReceipt,
)
from postroom_server.domain.search import Condition, SearchQuery
from postroom_server.domain.storage import OutboxStore, Shard, Step
from postroom_server.errors import (
    AccountGone,
    Fenced,
    MessageTooLarge,
    OutcomeUnknown,
    PostroomError,
    RecipientsRefused,
    StoreUnavailable,
)
from postroom_server.ids import AccountId, SubmissionId, message_name
from postroom_server.telemetry.metrics import Metrics
from postroom_server.workers.account import AccountWorker
from postroom_server.workers.ownership import Ownership
from postroom_server.workers.supervisor import Supervisor

IDLE_SECONDS: Final = 5.0
"""Longest sleep between looks at what is due, as hints may be lost."""
ACCOUNTS_PER_LOOK: Final = 100
ITEMS_PER_TAKE: Final = 20
SENDING_ACCOUNTS: Final = 64
ATTEMPT_SECONDS: Final = 120.0
COPY_SECONDS: Final = 30.0
LOOK_AGAIN_SECONDS: Final = 3.0
"""When an item in flight comes up again: whoever flies it skips it, whoever took the shard over decides it."""
HELD_SECONDS: Final = 7 * 24 * 3600.0
"""How long an IN_DOUBT item rests before it is looked at again."""
STORE_PAUSE_SECONDS: Final = 0.25

log = structlog.get_logger(__name__)


class Outbox:
    """Sends for the shards of this node."""

    def __init__(
        self, store: OutboxStore, ownership: Ownership, supervisor: Supervisor, clock: Clock, metrics: Metrics
    ) -> None:
        self._store, self._ownership, self._supervisor, self._clock = store, ownership, supervisor, clock
        self._metrics = metrics
        self._dirty: set[Shard] = set()
        self._wake = asyncio.Event()
        self._busy: set[AccountId] = set()
        self._flying: set[SubmissionId] = set()
        self._gate = asyncio.Semaphore(SENDING_ACCOUNTS)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen())
            while True:
                try:
                    await self._look(group)
                except StoreUnavailable:
                    await asyncio.sleep(STORE_PAUSE_SECONDS)

    async def _listen(self) -> None:
        while True:
            try:
                async with self._store.hints() as hints:
                    async for shard in hints:
                        self._dirty.add(shard)
                        self._wake.set()
            except StoreUnavailable:
                await asyncio.sleep(STORE_PAUSE_SECONDS)

    async def _look(self, group: asyncio.TaskGroup) -> None:
        if not await self._woken():
            self._dirty |= self._ownership.shards
        shards, self._dirty = self._dirty & self._ownership.shards, set()
        for shard in shards:
            try:
                accounts = await self._store.due(
                    shard, self._ownership.nonce, self._now_ms(), ACCOUNTS_PER_LOOK
                )
            except Fenced:
                self._ownership.drop(shard)
                continue
            for account in accounts:
                if account not in self._busy:
                    self._busy.add(account)
                    group.create_task(self._send_account(account))

    async def _woken(self) -> bool:
        """Waits for a hint or for the next due time; True for a hint."""
        held = list(self._ownership.shards)
        next_due = await self._store.next_due(held) if held else None
        pause = (
            IDLE_SECONDS
            if next_due is None
            else min(max((next_due - self._now_ms()) / 1000, 0.0), IDLE_SECONDS)
        )
        try:
            async with asyncio.timeout(pause):
                await self._wake.wait()
        except TimeoutError:
            return False
        self._wake.clear()
        return True

    async def _send_account(self, account: AccountId) -> None:
        shard = self._supervisor.shard(account)
        try:
            async with self._gate:
                loop = asyncio.get_running_loop()
                worker = await self._supervisor.worker(account, loop.time() + ATTEMPT_SECONDS)
                nonce = self._ownership.nonce
                while items := await self._store.take(account, nonce, self._now_ms(), ITEMS_PER_TAKE):
                    for item in items:
                        await self._one(worker, shard, item)
        except Fenced:
            self._ownership.drop(shard)
        except (AccountGone, PostroomError) as error:
            log.info("the account's outbox is left for now", account=account, reason=type(error).__name__)
        except Exception:
            log.exception("the account's outbox failed", account=account)
        finally:
            self._busy.discard(account)

    async def _one(self, worker: AccountWorker, shard: Shard, item: Submission) -> None:
        if item.id in self._flying:
            return
        self._flying.add(item.id)
        try:
            with structlog.contextvars.bound_contextvars(account=item.account, submission=item.id):
                match item.state:
                    case SubmissionState.SENDING:
                        await self._send(worker, shard, item)
                    case SubmissionState.IN_DOUBT:
                        await self._hold(worker, item)
                    case SubmissionState.RELAYED:
                        await self._file(worker, item, await self._body(item), again=True)
                    case _:
                        log.error("an item is due in a state that nobody waits for", state=item.state)
        finally:
            self._flying.discard(item.id)

    # --- one attempt --------------------------------------------------------------------------------------------

    async def _send(self, worker: AccountWorker, shard: Shard, item: Submission) -> None:
        raw = await self._body(item)
        sender = worker.sender()
        if raw is None or sender is None:
            text = "the message is no longer kept" if raw is None else "the account has no way to send"
            await self._end(worker, item, SubmissionState.FAILED, text)
            return
        call = Call(deadline=asyncio.get_running_loop().time() + ATTEMPT_SECONDS, request_id=item.request_id)
        pending = tuple(one.address for one in item.recipients if one.state is RecipientState.PENDING)
        envelope = replace(item.envelope, recipients=pending)
        message = OutgoingMessage(raw=raw, envelope=envelope, internet_message_id=item.internet_message_id)
        current = item
        try:
            async with sender.prepare(call, message) as transaction:
                if not self._ownership.valid(shard):
                    return
                doubted = replace(item, state=SubmissionState.IN_DOUBT, update_time=self._clock.now())
                if not await self._step(worker, item, doubted, LOOK_AGAIN_SECONDS, announce=False):
                    return
                current = doubted
                receipt = await transaction.commit(call)
                receipt = replace(receipt, recipients={**transaction.refused, **receipt.recipients})
        except OutcomeUnknown:
            await self._hold(worker, current)
        except RecipientsRefused as refused:
            await self._settle(worker, current, _refused(refused, pending), raw)
        except MessageTooLarge as large:
            await self._end(worker, current, SubmissionState.FAILED, str(large))
        except StoreUnavailable:
            raise
        except PostroomError as error:
            await self._again(worker, current, str(error))
        else:
            await self._settle(worker, current, receipt, raw)

    async def _settle(
        self, worker: AccountWorker, item: Submission, receipt: SendReceipt, raw: bytes
    ) -> None:
        """Records the next hop's answer, recipient by recipient."""
        recipients = tuple(_told(one, receipt.recipients) for one in item.recipients)
        item = replace(item, recipients=recipients)
        states = {one.state for one in recipients}
        reply = receipt.reply or next((one.reply for one in recipients if one.reply), "")
        if RecipientState.PENDING in states:
            await self._again(worker, item, reply, receipt.enhanced_status)
        elif RecipientState.RELAYED in states:
            relayed = self._attempted(item, SubmissionState.RELAYED, reply, receipt.enhanced_status)
            wanted = self._wants_copy(worker)
            if await self._step(worker, item, relayed, LOOK_AGAIN_SECONDS if wanted else None) and wanted:
                await self._file(worker, relayed, raw, again=False)
        else:
            await self._end(worker, item, SubmissionState.FAILED, reply, receipt.enhanced_status)

    async def _again(self, worker: AccountWorker, item: Submission, reply: str, status: str = "") -> None:
        """Another try later, unless the item is too old."""
        now = self._clock.now()
        delay = retry_delay(item.attempt_count, random.random())
        start = item.send_time or item.create_time
        if (now - start).total_seconds() + delay > EXPIRE_AFTER_SECONDS:
            await self._end(worker, item, SubmissionState.FAILED, reply, status)
            return
        later = replace(
            self._attempted(item, SubmissionState.RETRYING, reply, status),
            next_attempt_time=now + timedelta(seconds=delay),
        )
        await self._step(worker, item, later, delay)

    async def _end(
        self, worker: AccountWorker, item: Submission, state: SubmissionState, reply: str, status: str = ""
    ) -> None:
        ended = self._attempted(item, state, reply, status)
        failed = tuple(
            replace(one, state=RecipientState.FAILED, reply=one.reply or reply[:MAX_REPLY_LENGTH])
            if one.state is RecipientState.PENDING
            else one
            for one in ended.recipients
        )
        await self._step(worker, item, replace(ended, recipients=failed), None)

    async def _hold(self, worker: AccountWorker, item: Submission) -> None:
        """Whether it was sent cannot be known: shown once, and kept for somebody to decide."""
        text = "the connection ended after the message was handed over, before the answer came"
        held = self._attempted(item, SubmissionState.IN_DOUBT, text, "")
        await self._step(worker, item, held, HELD_SECONDS)

    def _attempted(self, item: Submission, state: SubmissionState, reply: str, status: str) -> Submission:
        now = self._clock.now()
        attempt = Attempt(time=now, reply=reply[:MAX_REPLY_LENGTH], enhanced_status=status)
        return replace(
            item,
            state=state,
            attempts=(*item.attempts, attempt)[-MAX_ATTEMPTS_KEPT:],
            next_attempt_time=None,
            update_time=now,
        )

    async def _step(
        self,
        worker: AccountWorker,
        before: Submission,
        after: Submission,
        due_seconds: float | None,
        *,
        announce: bool = True,
    ) -> bool:
        """Writes one move; waits while the store is away, as nothing may go on without it."""
        if before.state is not after.state:
            check_transition(before.state, after.state)
        step = Step(
            nonce=self._ownership.nonce,
            expected_state=before.state,
            expected_attempt=before.attempt_count,
            submission=after,
            due_ms=None if due_seconds is None else self._now_ms() + int(due_seconds * 1000),
            entry=worker.entries.submission_changed(after) if announce else None,
        )
        while True:
            try:
                moved = await self._store.step(step)
                if moved and announce:
                    self._metrics.submissions.labels(after.state.value).inc()
                return moved
            except StoreUnavailable:
                if not self._ownership.valid(self._supervisor.shard(before.account)):
                    raise Fenced from None
                await asyncio.sleep(STORE_PAUSE_SECONDS)
                found = await self._found(before)
                if (
                    found is not None
                    and found.state is after.state
                    and found.update_time == after.update_time
                ):
                    return True

    async def _body(self, item: Submission) -> bytes | None:
        """The message; waits while the store is away, so that what was taken is not left lying."""
        while True:
            try:
                return await self._store.body(item.account, item.id)
            except StoreUnavailable:
                if not self._ownership.valid(self._supervisor.shard(item.account)):
                    raise Fenced from None
                await asyncio.sleep(STORE_PAUSE_SECONDS)

    async def _found(self, item: Submission) -> Submission | None:
        try:
            return await self._store.get(item.account, item.id)
        except StoreUnavailable:
            return None

    # --- the copy in the sent mailbox ---------------------------------------------------------------------------

    def _wants_copy(self, worker: AccountWorker) -> bool:
        wanted = worker.account.sent_copy
        sender = worker.sender()
        if wanted is SentCopy.AUTO:
            return sender is not None and not sender.traits.files_sent_copy and _sent(worker) is not None
        return wanted is SentCopy.ALWAYS

    async def _file(self, worker: AccountWorker, item: Submission, raw: bytes | None, *, again: bool) -> None:
        """Files the copy; whatever comes of it, the submission is final afterwards."""
        done = replace(item, update_time=self._clock.now())
        try:
            record = _sent(worker)
            if record is None or raw is None:
                raise MissingSentMailboxError
            call = Call(
                deadline=asyncio.get_running_loop().time() + COPY_SECONDS,
                lane=Lane.SYNC,
                request_id=item.request_id,
            )
            mail = await worker.ready(call)
            if not (again and await _is_there(mail, call, record, item.internet_message_id)):
                with worker.sync.filing(item.internet_message_id, item.request_id):
                    done = replace(done, sent_message=await self._append(worker, mail, call, record, raw))
                    worker.look(frozenset({ScopeId(record.row.key)}))
        except (PostroomError, MissingSentMailboxError) as error:
            done = replace(done, sent_copy_error=str(error)[:MAX_REPLY_LENGTH])
        await self._step(worker, item, done, None, announce=False)

    async def _append(
        self, worker: AccountWorker, mail: MailAccount, call: Call, record: MailboxRecord, raw: bytes
    ) -> str:
        stream = ByteStream(
            content_type="message/rfc822", size_bytes=len(raw), exact=True, chunks=_chunks(raw)
        )
        key = await mail.append(call, record.row.key, stream, frozenset({SEEN}), _now(self._clock))
        if key is None or not record.space:
            return ""
        _, epoch, number = split_key(key)
        if epoch != record.epoch:
            return ""
        return message_name(worker.account.id, worker.entries.message_id(record.space, number))

    def _now_ms(self) -> int:
        return int(self._clock.now().timestamp() * 1000)


class MissingSentMailboxError(Exception):
    """The account has no mailbox for what was sent."""

    def __str__(self) -> str:
        return "the account has no mailbox with the role sent"


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


def _now(clock: Clock) -> datetime:
    return clock.now()


def _told(recipient: Recipient, replies: Mapping[str, RecipientReply]) -> Recipient:
    reply = replies.get(recipient.address)
    if reply is None or recipient.state is not RecipientState.PENDING:
        return recipient
    text = f"{reply.code} {reply.enhanced_status} {reply.text}".replace("  ", " ")[:MAX_REPLY_LENGTH]
    if reply.accepted:
        return replace(recipient, state=RecipientState.RELAYED, reply=text)
    return replace(
        recipient, state=RecipientState.FAILED if reply.permanent else RecipientState.PENDING, reply=text
    )


def _refused(error: RecipientsRefused, pending: Sequence[str]) -> SendReceipt:
    """Nobody was accepted: the replies that the error carries, else its text for everybody."""
    replies: Mapping[str, RecipientReply] = getattr(error, "replies", None) or {
        address: RecipientReply(code=550, enhanced_status="", text=str(error)) for address in pending
    }
    return SendReceipt(recipients=replies, reply=str(error))
