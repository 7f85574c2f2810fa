"""Submissions from the domain to the contract. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from postroom.v1 import submission_pb2 as pb

from postroom_server.domain.outbox import Attempt, Recipient, RecipientState, Submission
from postroom_server.ids import submission_name
from postroom_server.services.convert.fields import set_time
from postroom_server.services.convert.messages import submission_summary

_RECIPIENT_STATES: Final[Mapping[RecipientState, str]] = {
    RecipientState.PENDING: "PENDING",
    RecipientState.RELAYED: "ACCEPTED",
    RecipientState.FAILED: "REFUSED",
}


def submission_to_proto(submission: Submission) -> pb.Submission:
    """The submission without its content."""
    made = pb.Submission(
        name=submission_name(submission.account, submission.id),
        state=submission.state.value,
        message=submission_summary(submission),
        envelope=pb.Submission.Envelope(
            from_address=submission.envelope.sender, to=submission.envelope.recipients
        ),
        recipients=[_recipient(one) for one in submission.recipients],
        attempts=[_attempt(one) for one in submission.attempts],
        request_id=submission.request_id,
        internet_message_id=submission.internet_message_id,
        relayed_message_id=submission.relayed_message_id,
        sent_message=submission.sent_message,
    )
    set_time(made, "send_time", submission.send_time)
    set_time(made, "next_attempt_time", submission.next_attempt_time)
    set_time(made, "create_time", submission.create_time)
    return made


def _recipient(recipient: Recipient) -> pb.Submission.Recipient:
    return pb.Submission.Recipient(
        address=recipient.address, state=_RECIPIENT_STATES[recipient.state], reply=recipient.reply
    )


def _attempt(attempt: Attempt) -> pb.Submission.Attempt:
    made = pb.Submission.Attempt(reply=attempt.reply, enhanced_status=attempt.enhanced_status)
    set_time(made, "time", attempt.time)
    return made
