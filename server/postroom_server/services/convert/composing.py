"""A submission from the contract to bytes and envelope, ready to be accepted.

It owns what a caller may leave out (sender, envelope, Message-ID), the rule that an account sends as itself (threats T35),
and the refusal, by name, of what is not served yet. Pure but for fresh ids; large messages take a while: call it in a
thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from postroom.v1 import composed_message_pb2, message_pb2
from postroom.v1 import submission_pb2 as pb

from postroom_server.domain.accounts import Account
from postroom_server.domain.compose import (
    Composed,
    ComposedAttachment,
    ComposedHeader,
    check_address,
    check_envelope,
    check_raw,
    compose,
    composed_envelope,
    composed_message_id,
    new_message_id,
)
from postroom_server.domain.messages import Address
from postroom_server.domain.outbox import MAX_RECIPIENTS, SmtpEnvelope
from postroom_server.errors import MessageTooLarge, NotImplementedYet, RequestInvalid
from postroom_server.services.convert.fields import limited

MAX_MESSAGE_BYTES: Final = 32 * 1024 * 1024
MAX_ATTACHMENTS: Final = 500
MAX_HEADERS: Final = 100
PATH: Final = "submission"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A message that may be accepted: CRLF, complete, without Bcc."""

    raw: bytes
    envelope: SmtpEnvelope
    internet_message_id: str
    subject: str


def ready_from(given: pb.Submission, account: Account, now: datetime) -> Ready:
    """The message of a submission.

    Raises:
        RequestInvalid: With the path of the field that cannot be sent.
        NotImplementedYet: For relays, templates, tracking, notifications and references.
        MessageTooLarge: The message has more than MAX_MESSAGE_BYTES.
    """
    _refuse_later(given)
    match given.WhichOneof("content"):
        case "raw":
            return ready_from_raw(given.raw, envelope_from(given), account, now, path=f"{PATH}.raw")
        case "composed":
            return _composed(given, account, now)
        case _:
            raise RequestInvalid(PATH, "needs composed or raw")


def ready_from_raw(
    raw: bytes, wanted: pb.Submission.Envelope | None, account: Account, now: datetime, *, path: str
) -> Ready:
    """The message of a caller's own bytes; `path` is where they stood in the request."""
    _check_size(len(raw))
    checked = check_raw(raw, path)
    _check_own(checked.sender, account, path)
    head, dot, _ = path.rpartition(".")
    envelope = _envelope(wanted, account, checked.sender, f"{head}{dot}envelope")
    message_id = checked.internet_message_id or new_message_id(checked.sender)
    completed = checked.completed(now=now, message_id=message_id)
    _check_size(len(completed))
    return Ready(
        raw=completed,
        envelope=envelope or checked.envelope(path),
        internet_message_id=message_id,
        subject=checked.summary.subject,
    )


def draft_from(given: composed_message_pb2.ComposedMessage, account: Account, now: datetime) -> Ready:
    """A message in parts that is filed, not sent: it keeps its Bcc and may lack recipients.

    Raises:
        RequestInvalid: With the path of the field that cannot be written.
        MessageTooLarge: The message has more than MAX_MESSAGE_BYTES.
    """
    path = "composed"
    composed = _fields(given, account, path)
    assert composed.from_ is not None
    own = check_address(composed.from_.address, f"{path}.from.address")
    message_id = composed_message_id(composed, path) or new_message_id(own)
    raw = compose(composed, now=now, message_id=message_id, path=path, keep_bcc=True)
    _check_size(len(raw))
    envelope = SmtpEnvelope(sender=own, recipients=())
    return Ready(raw=raw, envelope=envelope, internet_message_id=message_id, subject=composed.subject)


def envelope_from(given: pb.Submission) -> pb.Submission.Envelope | None:
    """The envelope of a submission where the caller gives one."""
    return given.envelope if given.HasField("envelope") else None


def _composed(given: pb.Submission, account: Account, now: datetime) -> Ready:
    path = f"{PATH}.composed"
    composed = _fields(given.composed, account, path)
    assert composed.from_ is not None
    own = composed_envelope_sender(composed, path)
    _check_own(own, account, f"{path}.from.address")
    envelope = _envelope(envelope_from(given), account, own, f"{PATH}.envelope") or composed_envelope(
        composed, path
    )
    message_id = composed_message_id(composed, path) or new_message_id(own)
    raw = compose(composed, now=now, message_id=message_id, path=path)
    _check_size(len(raw))
    return Ready(raw=raw, envelope=envelope, internet_message_id=message_id, subject=composed.subject)


def composed_envelope_sender(composed: Composed, path: str) -> str:
    """The checked address of the author."""
    assert composed.from_ is not None
    return check_address(composed.from_.address, f"{path}.from.address")


def _envelope(
    wanted: pb.Submission.Envelope | None, account: Account, author: str, path: str
) -> SmtpEnvelope | None:
    """The caller's envelope, None where the header's is to be used. A missing sender is the author's."""
    if wanted is None or not (wanted.to or wanted.from_address):
        return None
    sender = author
    if wanted.from_address:
        sender = check_address(wanted.from_address, f"{path}.from")
        _check_own(sender, account, f"{path}.from")
    if not wanted.to:
        raise RequestInvalid(f"{path}.to", "is needed with an envelope")
    recipients = [(one, f"{path}.to[{index}]") for index, one in enumerate(wanted.to)]
    return check_envelope(sender, recipients, f"{path}.to")


def _check_own(address: str, account: Account, path: str) -> None:
    """An account sends as its own address, a login of its own, or a subaddress (`user+tag@`) of either."""
    logins = [account.email]
    logins += [server.username for server in (account.smtp, account.imap) if server is not None]
    if account.oauth is not None:
        logins.append(account.oauth.user)
    if _plain(address) not in {_plain(login) for login in logins if "@" in login}:
        raise RequestInvalid(path, "is not an address of this account")


def _plain(address: str) -> str:
    local, _, domain = address.lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def _check_size(size: int) -> None:
    if size > MAX_MESSAGE_BYTES:
        raise MessageTooLarge(sizeBytes=str(size), limitBytes=str(MAX_MESSAGE_BYTES))


def _fields(given: composed_message_pb2.ComposedMessage, account: Account, path: str) -> Composed:
    if given.HasField("reference"):
        raise NotImplementedYet("replies and forwards are not served yet", field=f"{path}.reference")
    author = (
        Address(display_name=given.from_address.display_name, address=given.from_address.address)
        if given.HasField("from_address")
        else Address(display_name=account.display_name, address=account.email)
    )
    attachments = limited(f"{path}.attachments", given.attachments, MAX_ATTACHMENTS)
    headers = limited(f"{path}.headers", given.headers, MAX_HEADERS)
    return Composed(
        from_=author,
        to=_addresses(f"{path}.to", given.to),
        cc=_addresses(f"{path}.cc", given.cc),
        bcc=_addresses(f"{path}.bcc", given.bcc),
        reply_to=_addresses(f"{path}.replyTo", given.reply_to),
        subject=given.subject,
        text=given.text or (None if given.html else ""),
        html=given.html or None,
        attachments=tuple(_attachment(f"{path}.attachments[{n}]", one) for n, one in enumerate(attachments)),
        headers=tuple(ComposedHeader(name=one.name, value=one.value) for one in headers),
        internet_message_id=given.internet_message_id,
    )


def _addresses(path: str, given: Sequence[message_pb2.Address]) -> tuple[Address, ...]:
    return tuple(
        Address(display_name=one.display_name, address=one.address)
        for one in limited(path, given, MAX_RECIPIENTS)
    )


def _attachment(
    path: str, given: composed_message_pb2.ComposedMessage.OutgoingAttachment
) -> ComposedAttachment:
    if given.source:
        raise NotImplementedYet(
            "attaching an attachment of another message is not served yet", field=f"{path}.source"
        )
    return ComposedAttachment(
        filename=given.filename,
        content_type=given.content_type or "application/octet-stream",
        content=given.content,
        content_id=given.content_id,
        inline=given.inline,
    )


def _refuse_later(given: pb.Submission) -> None:
    for field, name in (("relay", "relay"), ("recipients", "recipients")):
        if getattr(given, field):
            raise NotImplementedYet(f"{name} of a submission are not served yet", field=f"{PATH}.{name}")
    for field in ("dsn", "tracking", "template"):
        if given.HasField(field):
            raise NotImplementedYet(f"{field} of a submission is not served yet", field=f"{PATH}.{field}")
