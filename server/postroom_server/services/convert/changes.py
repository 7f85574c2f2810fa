"""Changes between the domain, the bytes that the feed keeps, and the contract.

It owns the stored form: a `postroom.v1.Change` without cursor and sequence, which the place in the feed gives, and
without the fields that a view adds at delivery. The same change always makes the same bytes. Pure.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, assert_never

from postroom.v1 import change_kinds_pb2 as kinds
from postroom.v1 import change_pb2 as pb
from postroom.v1 import change_service_pb2, reset_pb2

from postroom_server.domain.accounts import Status
from postroom_server.domain.changes import (
    AccountAdded,
    AccountRemoved,
    AccountReset,
    AccountStateChanged,
    Change,
    Fact,
    FlagsChanged,
    MailboxAdded,
    MailboxesChanged,
    MailboxRemoved,
    MailboxRenamed,
    MailboxReset,
    MessageAdded,
    MessageMoved,
    MessageRemoved,
    ResetReason,
    SubmissionChanged,
)
from postroom_server.domain.messages import View
from postroom_server.ids import ALL_ACCOUNTS, AccountId, MailboxId, account_name, mailbox_name, message_name
from postroom_server.services.convert.accounts import account_to_proto, error_to_proto, state_to_proto
from postroom_server.services.convert.fields import to_duration, to_time
from postroom_server.services.convert.mailboxes import mailbox_to_proto
from postroom_server.services.convert.messages import message_to_proto
from postroom_server.services.convert.submissions import submission_to_proto
from postroom_server.workers.frames import WatchOptions


def encode_change(change: Change) -> bytes:
    """The bytes that the feed keeps of a change."""
    made = pb.Change(
        account=account_name(change.account),
        change_id=change.change_id,
        detect_time=to_time(change.detect_time),
        cause=pb.Change.Cause(kind=change.cause.kind.value, request_id=change.cause.request_id),
    )
    _fill(made, change.account, change.fact)
    return made.SerializeToString(deterministic=True)


def decode_change(entry: bytes, cursor: str, account: AccountId, sequence: int) -> pb.Change:
    """The change as a reader gets it."""
    made = pb.Change.FromString(entry)
    made.cursor, made.sequence = cursor, sequence
    if not made.account:
        made.account = account_name(account)
    return made


def _mailboxes_of(change: pb.Change) -> frozenset[str]:
    """Resource names of the mailboxes that a change concerns; empty: it concerns none, or we cannot tell."""
    match change.WhichOneof("fact"):
        case "message_added":
            return frozenset(change.message_added.message.mailboxes)
        case "message_removed":
            return frozenset(change.message_removed.mailboxes)
        case "message_moved":
            return frozenset((change.message_moved.source, change.message_moved.destination))
        case "mailboxes_changed":
            moved = change.mailboxes_changed
            return frozenset((*moved.mailboxes, *moved.removed))
        case "mailbox_renamed":
            return frozenset((change.mailbox_renamed.mailbox,))
        case "mailbox_added":
            return frozenset((change.mailbox_added.mailbox.name,))
        case "mailbox_removed":
            return frozenset((change.mailbox_removed.mailbox,))
        case "mailbox_reset":
            return frozenset((change.mailbox_reset.mailbox,))
        case _:
            return frozenset()


def _fill(made: pb.Change, account: AccountId, fact: Fact) -> None:
    match fact:
        case MessageAdded() | MessageRemoved() | MessageMoved() | MailboxesChanged() | FlagsChanged():
            _fill_message(made, account, fact)
        case MailboxAdded() | MailboxRenamed() | MailboxRemoved() | MailboxReset():
            _fill_mailbox(made, account, fact)
        case SubmissionChanged():
            made.submission_changed.submission.CopyFrom(submission_to_proto(fact.submission))
        case AccountAdded() | AccountStateChanged() | AccountReset() | AccountRemoved():
            _fill_account(made, fact)
        case _:
            assert_never(fact)


def _fill_message(
    made: pb.Change,
    account: AccountId,
    fact: MessageAdded | MessageRemoved | MessageMoved | MailboxesChanged | FlagsChanged,
) -> None:
    match fact:
        case MessageAdded():
            made.message_added.message.CopyFrom(message_to_proto(account, fact.message, View.BASIC))
        case MessageRemoved():
            made.message_removed.message = message_name(account, fact.message)
            made.message_removed.mailboxes.extend(_names(account, fact.mailboxes))
        case MessageMoved():
            made.message_moved.CopyFrom(
                kinds.MessageMoved(
                    message=message_name(account, fact.message),
                    source=mailbox_name(account, fact.source),
                    destination=mailbox_name(account, fact.destination),
                    evidence=fact.evidence.value,
                )
            )
        case MailboxesChanged():
            made.mailboxes_changed.message = message_name(account, fact.message)
            made.mailboxes_changed.added.extend(_names(account, fact.added))
            made.mailboxes_changed.removed.extend(_names(account, fact.removed))
            made.mailboxes_changed.mailboxes.extend(_names(account, fact.mailboxes))
        case FlagsChanged():
            made.flags_changed.message = message_name(account, fact.message)
            made.flags_changed.added.extend(sorted(fact.added))
            made.flags_changed.removed.extend(sorted(fact.removed))
            made.flags_changed.flags.extend(sorted(fact.flags))
        case _:
            assert_never(fact)


def _fill_mailbox(
    made: pb.Change, account: AccountId, fact: MailboxAdded | MailboxRenamed | MailboxRemoved | MailboxReset
) -> None:
    match fact:
        case MailboxAdded():
            mailbox = mailbox_to_proto(account, fact.mailbox, counts=False, fresh=False)
            made.mailbox_added.mailbox.CopyFrom(mailbox)
        case MailboxRenamed():
            made.mailbox_renamed.mailbox = mailbox_name(account, fact.mailbox)
            made.mailbox_renamed.old_path = fact.old_path
            made.mailbox_renamed.new_path = fact.new_path
        case MailboxRemoved():
            made.mailbox_removed.mailbox = mailbox_name(account, fact.mailbox)
        case MailboxReset():
            made.mailbox_reset.mailbox = mailbox_name(account, fact.mailbox)
            made.mailbox_reset.reason = reset_reason(fact.cause)
        case _:
            assert_never(fact)


def _names(account: AccountId, mailboxes: tuple[MailboxId, ...]) -> list[str]:
    return [mailbox_name(account, one) for one in mailboxes]


def _fill_account(
    made: pb.Change, fact: AccountAdded | AccountStateChanged | AccountReset | AccountRemoved
) -> None:
    match fact:
        case AccountAdded():
            made.account_added.account.CopyFrom(account_to_proto(fact.account, Status()))
        case AccountStateChanged():
            made.account_state_changed.state = state_to_proto(fact.state)
            if fact.error is not None:
                made.account_state_changed.error.CopyFrom(error_to_proto(fact.error))
        case AccountReset():
            made.account_reset.reason = reset_reason(fact.cause)
        case AccountRemoved():
            made.account_removed.SetInParent()
        case _:
            assert_never(fact)


# --- frames ------------------------------------------------------------------------------------------------------


def reset_reason(reason: ResetReason) -> Any:
    """The reason's enum value."""
    return reset_pb2.Reset.Reason.Value(reason.value)


def reset_to_proto(account: AccountId | None, reason: ResetReason) -> reset_pb2.Reset:
    """A reset of one account's feed, or of all."""
    scope = account_name(account if account is not None else AccountId(ALL_ACCOUNTS))
    return reset_pb2.Reset(scope=scope, reason=reset_reason(reason))


def end_to_proto(reason: str, retry_after: float | None) -> change_service_pb2.StreamEnd:
    """The last frame's content."""
    made = change_service_pb2.StreamEnd(reason=reason)
    if retry_after is not None:
        made.retry_after.CopyFrom(to_duration(retry_after))
    return made


def checkpoint_to_proto(
    *,
    head_cursor: str,
    earliest_cursor: str,
    server_time: datetime,
    lag_changes: int,
    retention_used: float,
    connected: int,
    total: int,
) -> change_service_pb2.Checkpoint:
    """A checkpoint's content."""
    return change_service_pb2.Checkpoint(
        head_cursor=head_cursor,
        earliest_cursor=earliest_cursor,
        server_time=to_time(server_time),
        lag_changes=lag_changes,
        retention_used=retention_used,
        accounts=change_service_pb2.Checkpoint.Accounts(connected=connected, total=total),
    )


def passes(entry: bytes, options: WatchOptions) -> bool:
    """Whether a stored change is one that the reader asked for; changes that concern no mailbox always are."""
    if not options.kinds and not options.mailboxes:
        return True
    change = pb.Change.FromString(entry)
    if options.kinds and (change.WhichOneof("fact") or "").upper() not in options.kinds:
        return False
    if not options.mailboxes:
        return True
    concerned = _mailboxes_of(change)
    owner = change.account
    return not concerned or any(f"{owner}/mailboxes/{one}" in concerned for one in options.mailboxes)
