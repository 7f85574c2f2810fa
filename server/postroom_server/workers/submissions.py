"""Accepting submissions and looking at them: calls that any node serves.

It owns the step from a finished message to an accepted item: durable when `submit` returns. It refuses to send (`outbox`)
and to compose (`domain.compose`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from postroom_server.domain.identity import Identity
from postroom_server.domain.outbox import Recipient, SmtpEnvelope, Submission, SubmissionState
from postroom_server.domain.ports import Clock
from postroom_server.domain.storage import NewSubmission, OutboxStore
from postroom_server.errors import AccountGone, AccountNotFound, StoreUnavailable, SubmissionNotFound
from postroom_server.ids import AccountId, SubmissionId, new_id
from postroom_server.workers.entries import Encode, Entries

SUBMIT_TRIES: Final = 3
"""Tries of one submit with a request id while its outcome is unknown; the id makes them one."""


class Submissions:
    """The outbox as callers see it."""

    def __init__(self, store: OutboxStore, identity: Identity, encode: Encode, clock: Clock) -> None:
        self._store, self._identity, self._encode, self._clock = store, identity, encode, clock

    async def submit(
        self,
        account: AccountId,
        raw: bytes,
        envelope: SmtpEnvelope,
        *,
        internet_message_id: str,
        subject: str,
        request_id: str,
        fingerprint: str,
        send_time: datetime | None,
    ) -> Submission:
        """Accepts a message.

        Args:
            account: Who sends.
            raw: The exact bytes, CRLF, without Bcc.
            envelope: Sender and recipients.
            internet_message_id: Without angle brackets.
            subject: For listings.
            request_id: The same id with the same fingerprint is the same submission; empty: none.
            fingerprint: Hash of what the caller asked for.
            send_time: Not before this time; None: now.

        Raises:
            AccountNotFound, RequestIdReused, OutboxFull, StoreFull, StoreUnavailable (outcome unknown).
        """
        now = self._clock.now()
        later = send_time if send_time is not None and send_time > now else None
        item = Submission(
            id=SubmissionId(new_id("s")),
            account=account,
            state=SubmissionState.SCHEDULED if later else SubmissionState.QUEUED,
            envelope=envelope,
            internet_message_id=internet_message_id,
            subject=subject,
            size_bytes=len(raw),
            recipients=tuple(Recipient(address=address) for address in envelope.recipients),
            request_id=request_id,
            send_time=later,
            next_attempt_time=later or now,
            create_time=now,
            update_time=now,
        )
        new = NewSubmission(
            submission=item,
            raw=raw,
            entry=Entries(account, self._identity, self._encode, self._clock).submission_changed(item),
            fingerprint=fingerprint,
            due_ms=int((later or now).timestamp() * 1000),
        )
        for attempt in range(SUBMIT_TRIES):
            try:
                return (await self._store.submit(new)).submission
            except AccountGone:
                raise AccountNotFound(account=account) from None
            except StoreUnavailable:
                if not request_id or attempt == SUBMIT_TRIES - 1:
                    raise
        raise StoreUnavailable

    async def get(self, account: AccountId, submission: SubmissionId) -> Submission:
        """One submission. Raises SubmissionNotFound."""
        found = await self._store.get(account, submission)
        if found is None:
            raise SubmissionNotFound(submission=submission)
        return found

    async def page(
        self, account: AccountId, after: str, limit: int, states: frozenset[SubmissionState]
    ) -> Sequence[Submission]:
        """Newest first."""
        return await self._store.page(account, after, limit, states)
