"""One submission on its way out: an attempt, and the steps that record what became of it.

It owns the order that makes a submission once or in doubt, never silently twice: the attempt is counted before it is
made, IN_DOUBT is written before the committing step, and only then the final dot goes out. An item found SENDING was
never committed and is sent; one found IN_DOUBT may have been and is held for somebody to decide. It refuses to choose
what is sent when (`outbox`) and transport (`senders.MailSender`).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final, TypeVar

import structlog

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
from postroom_server.domain.ports import Call, Clock, Lane
from postroom_server.domain.senders import MailSender, OutgoingMessage, RecipientReply, SendReceipt
from postroom_server.domain.storage import OutboxStore, Step
from postroom_server.errors import (
    Fenced,
    MessageTooLarge,
    OutcomeUnknown,
    PostroomError,
    RecipientsRefused,
    StoreFull,
    StoreUnavailable,
)
from postroom_server.telemetry.metrics import Metrics
from postroom_server.workers.account import AccountWorker
from postroom_server.workers.ownership import Ownership
from postroom_server.workers.sent_copy import MissingSentMailboxError, file_copy, wants_copy
from postroom_server.workers.supervisor import Supervisor

ATTEMPT_SECONDS: Final = 120.0
COPY_SECONDS: Final = 30.0
LOOK_AGAIN_SECONDS: Final = 3.0
"""When an item in flight comes up again: whoever flies it skips it, whoever took the shard over decides it."""
HELD_SECONDS: Final = 7 * 24 * 3600.0
"""How long an IN_DOUBT item rests before it is looked at again."""
MAX_CRASHES: Final = 5
"""Attempts in a row that ended with their process; then the item is FAILED, as it may be what ends them."""
STORE_PAUSE_SECONDS: Final = 0.25
CRASHED: Final = "the process ended during the attempt, before anything was sent"
DOUBTFUL: Final = "the connection ended after the message was handed over, before the answer came"
FENCED_TEXT: Final = "the node lost the account before it sent anything"

_T = TypeVar("_T")

log = structlog.get_logger(__name__)


def is_held(item: Submission) -> bool:
    """Whether the item waits for somebody's decision: in doubt, and shown so."""
    return item.state is SubmissionState.IN_DOUBT and item.next_attempt_time is None


class Sending:
    """Attempts for the accounts of this node."""

    def __init__(
        self, store: OutboxStore, ownership: Ownership, supervisor: Supervisor, clock: Clock, metrics: Metrics
    ) -> None:
        self._store, self._ownership, self._supervisor, self._clock = store, ownership, supervisor, clock
        self._metrics = metrics

    async def go_on(self, worker: AccountWorker, item: Submission) -> None:
        """Whatever the item's state asks for. Raises Fenced, AccountGone."""
        match item.state:
            case SubmissionState.SENDING:
                item = _with_crashes(item, self._clock.now())
                if _crashes(item) >= MAX_CRASHES:
                    await self._end(worker, item, SubmissionState.FAILED, CRASHED)
                else:
                    await self._send(worker, item)
            case SubmissionState.IN_DOUBT:
                await self._hold(worker, item)
            case SubmissionState.RELAYED:
                raw = await self.patiently(item, lambda: self._store.body(item.account, item.id))
                await self._file(worker, item, raw, again=True)
            case _:
                log.error("an item is due in a state that nobody waits for", state=item.state)

    async def patiently(self, item: Submission, ask: Callable[[], Awaitable[_T]]) -> _T:
        """What the store says, however long it is away. Raises Fenced when the shard is no longer ours."""
        while True:
            try:
                return await ask()
            except (StoreUnavailable, StoreFull):
                await self._pause(item)

    async def _pause(self, item: Submission) -> None:
        if not self._may_act(item):
            raise Fenced from None
        await asyncio.sleep(STORE_PAUSE_SECONDS)

    def _may_act(self, item: Submission) -> bool:
        return self._ownership.valid(self._supervisor.shard(item.account))

    # --- one attempt --------------------------------------------------------------------------------------------

    async def _send(self, worker: AccountWorker, item: Submission) -> None:
        raw = await self.patiently(item, lambda: self._store.body(item.account, item.id))
        with worker.sending() as sender:
            if raw is None or sender is None:
                text = "the message is no longer kept" if raw is None else "the account has no way to send"
                await self._end(worker, item, SubmissionState.FAILED, text)
                return
            while not await self._attempt(worker, sender, item, raw):
                await self._pause(item)

    async def _attempt(self, worker: AccountWorker, sender: MailSender, item: Submission, raw: bytes) -> bool:
        """One transaction and what follows from it; False: the store was away before anything happened."""
        call = Call(deadline=asyncio.get_running_loop().time() + ATTEMPT_SECONDS, request_id=item.request_id)
        pending = tuple(one.address for one in item.recipients if one.state is RecipientState.PENDING)
        message = OutgoingMessage(
            raw=raw,
            envelope=replace(item.envelope, recipients=pending),
            internet_message_id=item.internet_message_id,
        )
        doubted = replace(
            item,
            state=SubmissionState.IN_DOUBT,
            update_time=self._clock.now(),
            next_attempt_time=item.next_attempt_time or self._clock.now(),
        )
        current = item
        try:
            async with sender.prepare(call, message) as transaction:
                if not self._may_act(item):
                    raise Fenced
                if not await self._step(worker, item, doubted, LOOK_AGAIN_SECONDS, announce=False):
                    return True
                current = doubted
                if not self._may_act(item):
                    await self._again(worker, current, FENCED_TEXT)
                    return True
                receipt = await transaction.commit(call)
                receipt = replace(receipt, recipients={**transaction.refused, **receipt.recipients})
        except OutcomeUnknown:
            await self._hold(worker, current)
        except RecipientsRefused as refused:
            await self._settle(worker, current, _refused(refused, pending), raw)
        except MessageTooLarge as large:
            await self._end(worker, current, SubmissionState.FAILED, str(large))
        except StoreUnavailable:
            if current is item:
                return False
            await self._hold(worker, current)
        except PostroomError as error:
            await self._again(worker, current, str(error))
        else:
            await self._settle(worker, current, receipt, raw)
        return True

    async def _settle(
        self, worker: AccountWorker, item: Submission, receipt: SendReceipt, raw: bytes
    ) -> None:
        """Records the next hop's answer, recipient by recipient."""
        recipients = tuple(_told(one, receipt.recipients) for one in item.recipients)
        item = replace(item, recipients=recipients)
        states = {one.state for one in recipients}
        reply = receipt.reply or next((one.reply for one in recipients if one.reply), "")
        if RecipientState.PENDING in states:
            await self._again(worker, item, reply, receipt.enhanced_status, raw=raw)
        elif RecipientState.RELAYED in states:
            await self._relayed(worker, item, raw, reply, receipt.enhanced_status)
        else:
            await self._end(worker, item, SubmissionState.FAILED, reply, receipt.enhanced_status)

    async def _relayed(
        self, worker: AccountWorker, item: Submission, raw: bytes | None, reply: str, status: str
    ) -> None:
        """The message is out to all that it can reach; now the copy."""
        relayed = self._attempted(item, SubmissionState.RELAYED, reply, status)
        wanted = wants_copy(worker)
        if await self._step(worker, item, relayed, LOOK_AGAIN_SECONDS if wanted else None) and wanted:
            await self._file(worker, relayed, raw, again=False)

    async def _again(
        self,
        worker: AccountWorker,
        item: Submission,
        reply: str,
        status: str = "",
        *,
        raw: bytes | None = None,
    ) -> None:
        """Another try later, unless the item is too old."""
        now = self._clock.now()
        delay = retry_delay(item.attempt_count, random.random())
        start = item.send_time or item.create_time
        if (now - start).total_seconds() + delay > EXPIRE_AFTER_SECONDS:
            if any(one.state is RecipientState.RELAYED for one in item.recipients):
                await self._relayed(worker, _given_up(item, reply), raw, reply, status)
            else:
                await self._end(worker, item, SubmissionState.FAILED, reply, status)
            return
        later = replace(
            self._attempted(item, SubmissionState.RETRYING, reply, status),
            next_attempt_time=now + timedelta(seconds=delay),
        )
        await self._step(worker, item, later, delay)

    async def broken(self, worker: AccountWorker, item: Submission) -> None:
        """An attempt failed by a fault of ours before anything was sent: the item is put off."""
        found = await self.patiently(item, lambda: self._store.get(item.account, item.id))
        if found is not None and found.state is SubmissionState.SENDING:
            await self._again(worker, found, "internal error")

    async def _end(
        self, worker: AccountWorker, item: Submission, state: SubmissionState, reply: str, status: str = ""
    ) -> None:
        ended = _given_up(self._attempted(item, state, reply, status), reply)
        await self._step(worker, item, ended, None)

    async def _hold(self, worker: AccountWorker, item: Submission) -> None:
        """Whether it was sent cannot be known: shown once, and kept for somebody to decide."""
        if is_held(item):
            await self._step(worker, item, item, HELD_SECONDS, announce=False)
            return
        held = self._attempted(item, SubmissionState.IN_DOUBT, DOUBTFUL, "")
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

    async def _file(self, worker: AccountWorker, item: Submission, raw: bytes | None, *, again: bool) -> None:
        """Files the copy; whatever comes of it, the submission is final afterwards."""
        now = self._clock.now()
        done = replace(item, update_time=now)
        call = Call(
            deadline=asyncio.get_running_loop().time() + COPY_SECONDS,
            lane=Lane.SYNC,
            request_id=item.request_id,
        )
        try:
            if raw is None:
                raise MissingSentMailboxError
            name = await file_copy(worker, call, item, raw, now, again=again)
            done = replace(done, sent_message=name)
        except (PostroomError, MissingSentMailboxError) as error:
            done = replace(done, sent_copy_error=str(error)[:MAX_REPLY_LENGTH])
        await self._step(worker, item, done, None, announce=False)

    # --- steps --------------------------------------------------------------------------------------------------

    async def _step(
        self,
        worker: AccountWorker,
        before: Submission,
        after: Submission,
        due_seconds: float | None,
        *,
        announce: bool = True,
    ) -> bool:
        """Writes one move; waits while the store is away, as nothing may go on without it.

        False: the item was not where it was expected to be. Raises Fenced, AccountGone.
        """
        if before.state is not after.state:
            check_transition(before.state, after.state)
        now_ms = int(self._clock.now().timestamp() * 1000)
        step = Step(
            nonce=self._ownership.nonce,
            expected_state=before.state,
            expected_attempt=before.attempt_count,
            submission=after,
            due_ms=None if due_seconds is None else now_ms + int(due_seconds * 1000),
            entry=worker.entries.submission_changed(after) if announce else None,
        )
        moved = await self._moved(step)
        if moved and announce:
            self._metrics.submissions.labels(after.state.value).inc()
        return moved

    async def _moved(self, step: Step) -> bool:
        """Whether the step was made, by this try or by an earlier one whose answer was lost."""
        wanted, unsure = step.submission, False
        while True:
            try:
                if unsure:
                    found = await self._store.get(wanted.account, wanted.id)
                    if found is not None and _same(found, wanted):
                        return True
                return await self._store.step(step)
            except (StoreUnavailable, StoreFull) as away:
                unsure = unsure or isinstance(away, StoreUnavailable)
                await self._pause(wanted)


def _with_crashes(item: Submission, now: datetime) -> Submission:
    """The item with an attempt for each one that was counted and never came to an end."""
    missing = item.attempt_count - 1 - len(item.attempts)
    if missing <= 0 or item.attempt_count > MAX_ATTEMPTS_KEPT:
        return item
    return replace(item, attempts=(*item.attempts, *[Attempt(time=now, reply=CRASHED)] * missing))


def _crashes(item: Submission) -> int:
    """How many of the last attempts in a row ended with their process."""
    return len(list(takewhile(lambda attempt: attempt.reply == CRASHED, reversed(item.attempts))))


def _same(found: Submission, wanted: Submission) -> bool:
    return (found.state, found.attempt_count, found.update_time) == (
        wanted.state,
        wanted.attempt_count,
        wanted.update_time,
    )


def _given_up(item: Submission, reply: str) -> Submission:
    """The item with every recipient that still waits failed."""
    recipients = tuple(
        replace(one, state=RecipientState.FAILED, reply=one.reply or reply[:MAX_REPLY_LENGTH])
        if one.state is RecipientState.PENDING
        else one
        for one in item.recipients
    )
    return replace(item, recipients=recipients)


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
    replies: Mapping[str, RecipientReply] = getattr(error, "replies", None) or {}
    if replies:
        status = next(iter(replies.values())).enhanced_status
        return SendReceipt(recipients=replies, reply="", enhanced_status=status)
    refusal = RecipientReply(code=550, enhanced_status="", text=str(error))
    return SendReceipt(recipients=dict.fromkeys(pending, refusal), reply=str(error))
