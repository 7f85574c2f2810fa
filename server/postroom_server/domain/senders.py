"""The sending side of a provider: a transaction per message, with one committing step.

It owns the shapes that cross between the outbox and a sender and refuses schedules and retries: those are the outbox's.
The rules of `domain.ports` hold here too.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from postroom_server.domain.outbox import SmtpEnvelope
from postroom_server.domain.ports import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderTraits:
    """What a sender does by itself and what it can."""

    envelope: bool = True
    files_sent_copy: bool = False
    max_bytes: int = 0
    """0: unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMessage:
    """A message ready to go: the exact bytes (CRLF, without Bcc) and the envelope."""

    raw: bytes
    envelope: SmtpEnvelope
    internet_message_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientReply:
    """The next hop's word on one address: SMTP code, enhanced status (may be empty), text."""

    code: int
    enhanced_status: str
    text: str

    @property
    def accepted(self) -> bool:
        """Whether it will take the message for this address."""
        return 200 <= self.code < 300

    @property
    def permanent(self) -> bool:
        """Whether trying again cannot help."""
        return self.code >= 500


@dataclass(frozen=True, slots=True, kw_only=True)
class SendReceipt:
    """What the next hop answered: one reply per recipient, and its last word."""

    recipients: Mapping[str, RecipientReply]
    reply: str
    enhanced_status: str = ""


class SendTransaction(Protocol):
    """One message between its envelope and its end. Leaving it without `commit` abandons it: nothing was sent."""

    @property
    def refused(self) -> Mapping[str, RecipientReply]:
        """Recipients that the next hop refused while the envelope was given."""
        ...

    async def commit(self, call: Call) -> SendReceipt:
        """The committing step (SMTP: message and final dot). Raises OutcomeUnknown when its answer is lost."""
        ...


class MailSender(Protocol):
    """`prepare` may be repeated; `commit` is the only step that can send: the outbox writes IN_DOUBT just before it."""

    @property
    def traits(self) -> SenderTraits:
        """What this sender can."""
        ...

    def prepare(self, call: Call, message: OutgoingMessage) -> AbstractAsyncContextManager[SendTransaction]:
        """Connects and gives the envelope.

        Raises:
            RecipientsRefused: Nobody is left.
            PostroomError: ProviderUnreachable, ProviderThrottled, CredentialsRejected, MessageTooLarge.
        """
        ...

    async def verify(self, call: Call) -> None:
        """Connects and logs in, sends nothing. Raises as `prepare`."""
        ...

    async def close(self) -> None:
        """Ends every connection; safe to call twice."""
        ...
