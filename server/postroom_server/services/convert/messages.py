"""Messages between the domain and the contract, and what became of each in a batch.

It owns the public names in a message; it refuses what only some views show: `preview`, `headers`, `text` and `html` are
left out of the view BASIC. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from google.rpc import status_pb2
from postroom.v1 import message_batch_pb2, message_pb2

from postroom_server.domain.flags import MAX_FLAGS_PER_EDIT, Flag, parse_flag
from postroom_server.domain.messages import Address, Message, Part, View
from postroom_server.domain.mime import preview_of
from postroom_server.domain.outbox import Submission
from postroom_server.domain.ports import Outcome
from postroom_server.errors import Internal, MessageNotFound, OutcomeUnknown, PostroomError, RequestInvalid
from postroom_server.ids import (
    AccountId,
    AttachmentId,
    MessageId,
    attachment_name,
    mailbox_name,
    message_name,
)
from postroom_server.services.convert.fields import choice, set_time
from postroom_server.services.errors import to_proto
from postroom_server.workers.commands import MessageResult
from postroom_server.workers.moving import Moved

_UINT32: Final = 2**32
_UINT64: Final = 2**64


def view_from(path: str, given: int, default: View) -> View:
    """The view that a request asks for."""
    return View[choice(path, message_pb2.Message.View, given, default=default.name)]


def message_to_proto(account: AccountId, message: Message, view: View) -> message_pb2.Message:
    """A message in the given view."""
    summary = message.summary
    made = message_pb2.Message(
        name=message_name(account, message.id),
        mailboxes=[mailbox_name(account, mailbox) for mailbox in message.mailboxes],
        thread_id=message.thread_id,
        internet_message_id=summary.internet_message_id,
        in_reply_to=summary.in_reply_to,
        references=summary.references,
        subject=summary.subject,
        from_addresses=_addresses(summary.from_),
        sender=_addresses(summary.sender),
        reply_to=_addresses(summary.reply_to),
        to=_addresses(summary.to),
        cc=_addresses(summary.cc),
        bcc=_addresses(summary.bcc),
        flags=sorted(summary.flags),
        attachments=[_attachment(account, message.id, part) for part in summary.parts],
        copy_of=message_name(account, message.copy_of) if message.copy_of else "",
    )
    set_time(made, "send_time", summary.send_time)
    set_time(made, "receive_time", summary.receive_time)
    if summary.size_bytes is not None:
        made.size_bytes = summary.size_bytes
        made.size_exact = summary.size_exact
    if summary.evidence:
        made.provider.CopyFrom(_provider(summary.evidence))
    if view is View.FULL:
        _fill(made, message)
    return made


def _fill(made: message_pb2.Message, message: Message) -> None:
    made.preview = message.summary.preview or preview_of(message.text, message.html)
    made.headers.extend(message_pb2.Header(name=name, value=value) for name, value in message.headers)
    made.text = message.text or ""
    made.html = message.html or ""
    made.text_truncated = message.truncated


def submission_summary(submission: Submission) -> message_pb2.Message:
    """What is kept of a message that goes out: it lies in no mailbox, so that it has no name."""
    envelope = submission.envelope
    return message_pb2.Message(
        internet_message_id=submission.internet_message_id,
        subject=submission.subject,
        from_addresses=[message_pb2.Address(address=envelope.sender)] if envelope.sender else [],
        to=[message_pb2.Address(address=one) for one in envelope.recipients],
        size_bytes=submission.size_bytes,
        size_exact=True,
    )


def flags_from(path: str, given: Sequence[str]) -> frozenset[Flag]:
    """Flags that a caller wants to set or clear."""
    if len(given) > MAX_FLAGS_PER_EDIT:
        raise RequestInvalid(path, f"must have at most {MAX_FLAGS_PER_EDIT} elements")
    flags: set[Flag] = set()
    for index, one in enumerate(given):
        try:
            flags.add(parse_flag(one))
        except ValueError as error:
            raise RequestInvalid(f"{path}[{index}]", str(error)) from None
    return frozenset(flags)


def results_to_proto(
    account: AccountId, results: Iterable[MessageResult]
) -> list[message_batch_pb2.MessageResult]:
    """What became of each message of a batch."""
    return [result_to_proto(account, one) for one in results]


def result_to_proto(account: AccountId, result: MessageResult) -> message_batch_pb2.MessageResult:
    """What became of one message of a batch."""
    name = message_name(account, result.message)
    error = _error_of(result, name)
    if error is None:
        after = result.result if isinstance(result, Moved) else result.message
        return message_batch_pb2.MessageResult(
            name=name, result=message_name(account, after) if after is not None else ""
        )
    return message_batch_pb2.MessageResult(name=name, error=error)


def _error_of(result: MessageResult, name: str) -> status_pb2.Status | None:
    if result.outcome in (Outcome.DONE, Outcome.UNCHANGED):
        return None
    error: PostroomError
    if result.error is not None:
        error = result.error
    elif result.outcome is Outcome.GONE:
        error = MessageNotFound(message=name)
    elif result.outcome is Outcome.UNKNOWN:
        error = OutcomeUnknown(message=name)
    else:
        error = Internal("The message was not tried.", message=name)
    return to_proto(error)


def _addresses(addresses: Sequence[Address]) -> list[message_pb2.Address]:
    return [message_pb2.Address(display_name=one.display_name, address=one.address) for one in addresses]


def _attachment(account: AccountId, message: MessageId, part: Part) -> message_pb2.Attachment:
    made = message_pb2.Attachment(
        name=attachment_name(account, message, AttachmentId(part.id)),
        filename=part.filename or "",
        content_type=part.content_type,
        encoded_size_bytes=part.encoded_size_bytes or 0,
        content_id=part.content_id or "",
        inline=part.inline,
    )
    if part.size_bytes is not None:
        made.size_bytes = part.size_bytes
    return made


def _provider(evidence: Mapping[str, str]) -> message_pb2.Message.Provider:
    def number(key: str, limit: int) -> Any:
        text = evidence.get(key, "")
        return int(text) if text.isdecimal() and len(text) <= 20 and int(text) < limit else 0

    return message_pb2.Message.Provider(
        uid=number("uid", _UINT32),
        uid_validity=number("uidValidity", _UINT32),
        modseq=number("modseq", _UINT64),
        provider_id=evidence.get("providerId", ""),
    )
