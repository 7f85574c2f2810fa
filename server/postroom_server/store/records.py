"""Domain shapes <-> stored records; pure.

It owns the stored form of positions, mailboxes, accounts, submissions and tokens, and refuses keys and connections.
Encodings are deterministic, because scripts compare positions and mark tables as bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from postroom_server.domain.accounts import (
    Account,
    Kind,
    MailServer,
    OAuth,
    SandboxProfile,
    Security,
    SentCopy,
    State,
    StateError,
    Status,
)
from postroom_server.domain.keys import MailboxKey
from postroom_server.domain.mailboxes import MailboxRecord, MailboxRow, Role, RoleSource
from postroom_server.domain.outbox import (
    Attempt,
    Recipient,
    RecipientState,
    SmtpEnvelope,
    Submission,
    SubmissionState,
)
from postroom_server.domain.storage import Position
from postroom_server.domain.tokens import Token
from postroom_server.ids import AccountId, SubmissionId, TokenId
from postroom_server.store import records_pb2 as records

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def microseconds(time: datetime | None) -> int:
    """Unix microseconds, 0 for None."""
    return 0 if time is None else (time - _EPOCH) // _MICROSECOND


def time_of(us: int) -> datetime:
    """The time of Unix microseconds, in UTC."""
    return _EPOCH + us * _MICROSECOND


def time_or_none(us: int) -> datetime | None:
    """The same, None for 0."""
    return time_of(us) if us else None


def encode_position(position: Position | None) -> bytes:
    """Empty bytes for None: no position."""
    if position is None:
        return b""
    return records.Position(
        space=position.space,
        mailbox=position.mailbox,
        epoch=position.epoch,
        span_bits=position.span_bits,
        count=position.count,
        next_number=position.next_number,
        cursor=position.cursor,
        revision=position.revision,
        fresh_ms=position.fresh_ms,
    ).SerializeToString(deterministic=True)


def decode_position(stored: bytes) -> Position:
    """The position of a stored form."""
    record = records.Position.FromString(stored)
    return Position(
        space=record.space,
        mailbox=record.mailbox,
        epoch=record.epoch,
        span_bits=record.span_bits,
        count=record.count,
        next_number=record.next_number,
        cursor=record.cursor,
        revision=record.revision,
        fresh_ms=record.fresh_ms,
    )


def encode_marks(names: tuple[str, ...]) -> bytes:
    """Empty bytes for an empty table."""
    return records.Marks(names=names).SerializeToString(deterministic=True)


def decode_marks(stored: bytes) -> tuple[str, ...]:
    """Names of marks by number."""
    return tuple(records.Marks.FromString(stored).names)


def encode_mailbox(mailbox: MailboxRecord) -> bytes:
    """The stored form, never empty."""
    row = mailbox.row
    return records.Mailbox(
        number=mailbox.number,
        key=row.key,
        path=row.path,
        delimiter=row.delimiter,
        role=row.role or "",
        role_source=row.role_source or "",
        scope=row.scope,
        not_selectable=not row.selectable,
        virtual=row.virtual,
        subscribed=row.subscribed,
        messages=row.messages,
        unseen=row.unseen,
        space=mailbox.space,
        epoch=mailbox.epoch,
        not_announced=not mailbox.announce,
    ).SerializeToString(deterministic=True)


def decode_mailbox(stored: bytes) -> MailboxRecord:
    """The mailbox of a stored form."""
    record = records.Mailbox.FromString(stored)
    row = MailboxRow(
        key=MailboxKey(record.key),
        path=tuple(record.path),
        delimiter=record.delimiter,
        role=Role(record.role) if record.role else None,
        role_source=RoleSource(record.role_source) if record.role_source else None,
        scope=record.scope if record.HasField("scope") else None,
        selectable=not record.not_selectable,
        virtual=record.virtual,
        subscribed=record.subscribed if record.HasField("subscribed") else None,
        messages=record.messages if record.HasField("messages") else None,
        unseen=record.unseen if record.HasField("unseen") else None,
    )
    return MailboxRecord(
        number=record.number,
        row=row,
        space=record.space,
        epoch=record.epoch,
        announce=not record.not_announced,
    )


def encode_status(status: Status) -> str:
    """JSON with sorted names: scripts compare it as a string."""
    shown: dict[str, object] = {"state": status.state}
    if status.error is not None:
        error = status.error
        shown["error"] = [error.reason, error.message, microseconds(error.time)]
    return json.dumps(shown, sort_keys=True, separators=(",", ":"))


def decode_status(stored: bytes) -> Status:
    """The status of a stored form."""
    shown = json.loads(stored)
    error = shown.get("error")
    return Status(
        state=State(shown["state"]),
        error=StateError(reason=error[0], message=error[1], time=time_of(error[2])) if error else None,
    )


def _server(server: MailServer | None) -> records.Server | None:
    if server is None:
        return None
    return records.Server(
        host=server.host, port=server.port, security=server.security, username=server.username
    )


def _mail_server(record: records.Server) -> MailServer:
    return MailServer(
        host=record.host, port=record.port, security=Security(record.security), username=record.username
    )


def _oauth(oauth: OAuth | None) -> records.OAuth | None:
    if oauth is None:
        return None
    return records.OAuth(app=oauth.app, user=oauth.user, expire_us=microseconds(oauth.expire_time))


def encode_account(account: Account) -> bytes:
    """The record without id, revision and secrets, which stand beside it."""
    return records.Account(
        email=account.email,
        display_name=account.display_name,
        kind=account.kind,
        imap=_server(account.imap),
        smtp=_server(account.smtp),
        oauth=_oauth(account.oauth),
        mailbox_roles=account.mailbox_roles,
        watched_mailboxes=account.watched_mailboxes,
        live_mailboxes=account.live_mailboxes,
        sent_copy=account.sent_copy,
        relay=account.relay,
        labels=account.labels,
        paused=account.paused,
        create_us=microseconds(account.create_time),
        update_us=microseconds(account.update_time),
        profile=account.profile,
    ).SerializeToString(deterministic=True)


def encode_capabilities(capabilities: Mapping[str, object]) -> bytes:
    """What an account's provider can, which stands beside its record."""
    return records.Capabilities(shown=json.dumps(capabilities)).SerializeToString(deterministic=True)


def _capabilities(stored: bytes | None) -> Mapping[str, object]:
    shown: Mapping[str, object] = json.loads(records.Capabilities.FromString(stored).shown) if stored else {}
    return shown


def decode_account(
    account: AccountId, revision: int, stored: bytes, secrets: frozenset[str], capabilities: bytes | None
) -> Account:
    """The account of a stored form."""
    record = records.Account.FromString(stored)
    return Account(
        id=account,
        email=record.email,
        display_name=record.display_name,
        kind=Kind(record.kind),
        profile=SandboxProfile(record.profile or SandboxProfile.IMAP),
        imap=_mail_server(record.imap) if record.HasField("imap") else None,
        smtp=_mail_server(record.smtp) if record.HasField("smtp") else None,
        oauth=OAuth(
            app=record.oauth.app,
            user=record.oauth.user,
            expire_time=time_or_none(record.oauth.expire_us),
        )
        if record.HasField("oauth")
        else None,
        mailbox_roles=dict(record.mailbox_roles),
        watched_mailboxes=tuple(record.watched_mailboxes),
        live_mailboxes=tuple(record.live_mailboxes),
        sent_copy=SentCopy(record.sent_copy),
        relay=record.relay,
        labels=dict(record.labels),
        paused=record.paused,
        create_time=time_of(record.create_us),
        update_time=time_of(record.update_us),
        revision=revision,
        capabilities=_capabilities(capabilities),
        has_secrets=secrets,
    )


def encode_submission(submission: Submission) -> bytes:
    """The record without id, account, state and attempt count, which scripts read and write beside it."""
    return records.Submission(
        sender=submission.envelope.sender,
        envelope_recipients=submission.envelope.recipients,
        internet_message_id=submission.internet_message_id,
        subject=submission.subject,
        size_bytes=submission.size_bytes,
        recipients=[
            records.Recipient(address=one.address, state=one.state, reply=one.reply)
            for one in submission.recipients
        ],
        attempts=[
            records.Attempt(
                time_us=microseconds(one.time), reply=one.reply, enhanced_status=one.enhanced_status
            )
            for one in submission.attempts
        ],
        request_id=submission.request_id,
        send_us=microseconds(submission.send_time),
        next_attempt_us=microseconds(submission.next_attempt_time),
        create_us=microseconds(submission.create_time),
        update_us=microseconds(submission.update_time),
        relayed_message_id=submission.relayed_message_id,
        sent_message=submission.sent_message,
        sent_copy_error=submission.sent_copy_error,
    ).SerializeToString(deterministic=True)


def decode_submission(
    account: AccountId, submission: SubmissionId, state: str, attempt_count: int, stored: bytes
) -> Submission:
    """The submission of a stored form."""
    record = records.Submission.FromString(stored)
    return Submission(
        id=submission,
        account=account,
        state=SubmissionState(state),
        envelope=SmtpEnvelope(sender=record.sender, recipients=tuple(record.envelope_recipients)),
        internet_message_id=record.internet_message_id,
        subject=record.subject,
        size_bytes=record.size_bytes,
        recipients=tuple(
            Recipient(address=one.address, state=RecipientState(one.state), reply=one.reply)
            for one in record.recipients
        ),
        attempts=tuple(
            Attempt(time=time_of(one.time_us), reply=one.reply, enhanced_status=one.enhanced_status)
            for one in record.attempts
        ),
        attempt_count=attempt_count,
        request_id=record.request_id,
        send_time=time_or_none(record.send_us),
        next_attempt_time=time_or_none(record.next_attempt_us),
        create_time=time_of(record.create_us),
        update_time=time_of(record.update_us),
        relayed_message_id=record.relayed_message_id,
        sent_message=record.sent_message,
        sent_copy_error=record.sent_copy_error,
    )


def encode_token(token: Token) -> bytes:
    """The record without id and last use, which stand beside it."""
    return records.Token(
        display_name=token.display_name,
        scopes=sorted(token.scopes),
        accounts=sorted(token.accounts),
        create_us=microseconds(token.create_time),
        expire_us=microseconds(token.expire_time),
    ).SerializeToString(deterministic=True)


def decode_token(token: TokenId, stored: bytes, last_use: datetime | None) -> Token:
    """The token of a stored form."""
    record = records.Token.FromString(stored)
    return Token(
        id=token,
        display_name=record.display_name,
        scopes=frozenset(record.scopes),
        accounts=frozenset(AccountId(one) for one in record.accounts),
        create_time=time_of(record.create_us),
        expire_time=time_or_none(record.expire_us),
        last_use_time=last_use,
    )


def encode_heartbeat(address: str, seen: Mapping[str, str]) -> bytes:
    """What a node says of itself."""
    return records.Heartbeat(address=address, seen=seen).SerializeToString(deterministic=True)


def decode_heartbeat(stored: bytes) -> dict[str, str]:
    """What a node said, with its address under `address`."""
    record = records.Heartbeat.FromString(stored)
    return {**record.seen, "address": record.address}


def with_secrets(account: Account, names: frozenset[str], revision: int) -> Account:
    """The account as it is stored now."""
    return replace(account, has_secrets=names, revision=revision)
