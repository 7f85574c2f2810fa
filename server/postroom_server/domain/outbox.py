"""Submissions: one message on its way out. States and their table, recipients, attempts, the retry schedule.

It owns what may follow what and refuses transport: `senders.MailSender` sends, the worker moves the states.
Source: RFC 5321 section 4.5.4 (retry), RFC 3463 (enhanced status), RFC 6409 (submission).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from postroom_server.ids import AccountId, SubmissionId

MAX_RECIPIENTS: Final = 1_000
MAX_ATTEMPTS_KEPT: Final = 20
MAX_REPLY_LENGTH: Final = 500
EXPIRE_AFTER_SECONDS: Final = 24 * 3600
KEEP_FINAL_SECONDS: Final = 25 * 3600
"""How long a final submission and its request id are remembered (the contract says at least 24 h)."""
RETRY_DELAYS: Final = (30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0)
"""Seconds before attempt 2, 3, …; the last one repeats. Each is spread by ± 20 %."""


class SubmissionState(StrEnum):
    """Where a submission stands; `TRANSITIONS` says what may follow what."""

    SCHEDULED = "SCHEDULED"
    QUEUED = "QUEUED"
    SENDING = "SENDING"
    RETRYING = "RETRYING"
    IN_DOUBT = "IN_DOUBT"
    RELAYED = "RELAYED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


FINAL_STATES: Final = frozenset({SubmissionState.RELAYED, SubmissionState.FAILED, SubmissionState.CANCELLED})

TRANSITIONS: Final[Mapping[SubmissionState, frozenset[SubmissionState]]] = {
    SubmissionState.SCHEDULED: frozenset({SubmissionState.SENDING, SubmissionState.CANCELLED}),
    SubmissionState.QUEUED: frozenset({SubmissionState.SENDING, SubmissionState.CANCELLED}),
    SubmissionState.SENDING: frozenset(
        {SubmissionState.IN_DOUBT, SubmissionState.RETRYING, SubmissionState.FAILED, SubmissionState.RELAYED}
    ),
    SubmissionState.RETRYING: frozenset(
        {SubmissionState.SENDING, SubmissionState.CANCELLED, SubmissionState.FAILED}
    ),
    SubmissionState.IN_DOUBT: frozenset(
        {SubmissionState.RELAYED, SubmissionState.FAILED, SubmissionState.RETRYING, SubmissionState.CANCELLED}
    ),
    SubmissionState.RELAYED: frozenset(),
    SubmissionState.FAILED: frozenset(),
    SubmissionState.CANCELLED: frozenset(),
}


class RecipientState(StrEnum):
    """What became of one recipient."""

    PENDING = "PENDING"
    RELAYED = "RELAYED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """One address of the envelope and the last reply about it."""

    address: str
    state: RecipientState = RecipientState.PENDING
    reply: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try at the next hop: its reply code and text, and the enhanced status of RFC 3463."""

    time: datetime
    reply: str = ""
    enhanced_status: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpEnvelope:
    """RFC 5321 section 2.3.1: who it is from and to whom it goes, apart from the headers."""

    sender: str
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A submission as it is kept. `subject` and addresses are the summary; the body is kept apart, sealed."""

    id: SubmissionId
    account: AccountId
    state: SubmissionState
    envelope: SmtpEnvelope
    internet_message_id: str
    subject: str
    size_bytes: int
    recipients: tuple[Recipient, ...]
    attempts: tuple[Attempt, ...] = ()
    attempt_count: int = 0
    request_id: str = ""
    send_time: datetime | None = None
    next_attempt_time: datetime | None = None
    create_time: datetime
    update_time: datetime
    relayed_message_id: str = ""
    sent_message: str = ""
    """Resource name of the copy in the sent mailbox, once it is known."""
    sent_copy_error: str = ""
    """Why no copy could be filed; empty when it was, or when none was wanted."""


def check_transition(before: SubmissionState, after: SubmissionState) -> None:
    """Raises ValueError when `after` may not follow `before`."""
    if after not in TRANSITIONS[before]:
        raise ValueError(f"{after} may not follow {before}")


def retry_delay(attempt: int, spread: float) -> float:
    """Seconds until the try after attempt number `attempt` (from 1); `spread` is a random number in 0..1."""
    base = RETRY_DELAYS[min(attempt, len(RETRY_DELAYS)) - 1]
    return base * (0.8 + 0.4 * spread)
