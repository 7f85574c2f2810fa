"""Feed entries of one account: from what was found to the bytes that a commit carries.

It owns the public names in a change and the keys of change ids; it refuses the encoding, which services inject.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from postroom_server.domain.accounts import Account, State, StateError
from postroom_server.domain.changes import (
    AccountAdded,
    AccountRemoved,
    AccountStateChanged,
    Cause,
    CauseKind,
    Change,
    Fact,
    FlagsChanged,
    MailboxAdded,
    MailboxRemoved,
    MailboxReset,
    MessageAdded,
    MessageRemoved,
    ResetReason,
    SubmissionChanged,
    change_id,
)
from postroom_server.domain.flags import Flag
from postroom_server.domain.identity import Identity, thread_id
from postroom_server.domain.mailboxes import Mailbox, MailboxRecord
from postroom_server.domain.messages import Message, Summary
from postroom_server.domain.outbox import Submission
from postroom_server.domain.ports import Clock
from postroom_server.ids import AccountId, MailboxId, MessageId

Encode = Callable[[Change], bytes]
REMOTE = Cause(kind=CauseKind.REMOTE)


class Entries:
    """Makes the entries of one account."""

    __slots__ = ("_account", "_clock", "_encode", "identity")

    def __init__(self, account: AccountId, identity: Identity, encode: Encode, clock: Clock) -> None:
        self._account, self.identity, self._encode, self._clock = account, identity, encode, clock

    def _entry(self, fact: Fact, cause: Cause, *key: object) -> bytes:
        return self._encode(
            Change(
                account=self._account,
                change_id=change_id(self._account, *key),
                detect_time=self._clock.now(),
                cause=cause,
                fact=fact,
            )
        )

    def mailbox_id(self, record: MailboxRecord) -> MailboxId:
        """The public id of a mailbox."""
        return self.identity.mailbox(self._account, record.number)

    def message_id(self, space: int, number: int) -> MessageId:
        """The public id of the message at a place."""
        return self.identity.message(self._account, space, number)

    def message(self, record: MailboxRecord, space: int, number: int, summary: Summary) -> Message:
        """A message under its public names, as a summary shows it."""
        return Message(
            id=self.message_id(space, number),
            mailboxes=(self.mailbox_id(record),),
            thread_id=thread_id(summary.references, summary.in_reply_to, summary.internet_message_id),
            summary=summary,
        )

    def message_added(
        self,
        record: MailboxRecord,
        space: int,
        number: int,
        summary: Summary,
        flags: frozenset[str],
        cause: Cause,
    ) -> bytes:
        """`messageAdded`; the flags are those of the snapshot, so that later differences start from them."""
        shown = replace(summary, flags=frozenset(map(Flag, flags)))
        fact = MessageAdded(message=self.message(record, space, number, shown))
        return self._entry(fact, cause, "added", space, number)

    def message_removed(self, record: MailboxRecord, space: int, number: int, cause: Cause) -> bytes:
        """`messageRemoved`."""
        fact = MessageRemoved(message=self.message_id(space, number), mailboxes=(self.mailbox_id(record),))
        return self._entry(fact, cause, "removed", space, number)

    def flags_changed(
        self,
        place: tuple[int, int],
        before: frozenset[str],
        after: frozenset[str],
        cause: Cause,
        revision: int,
    ) -> bytes:
        """`flagsChanged`; `revision` is that of the position which the change leads to."""
        fact = FlagsChanged(
            message=self.message_id(*place),
            added=frozenset(map(Flag, after - before)),
            removed=frozenset(map(Flag, before - after)),
            flags=frozenset(map(Flag, after)),
        )
        return self._entry(fact, cause, "flags", *place, revision)

    def mailbox_added(self, mailbox: Mailbox, number: int) -> bytes:
        """`mailboxAdded`."""
        return self._entry(MailboxAdded(mailbox=mailbox), REMOTE, "mailbox-added", number)

    def mailbox_removed(self, record: MailboxRecord) -> bytes:
        """`mailboxRemoved`."""
        return self._entry(
            MailboxRemoved(mailbox=self.mailbox_id(record)), REMOTE, "mailbox-removed", record.number
        )

    def mailbox_reset(self, record: MailboxRecord, reason: ResetReason) -> bytes:
        """`mailboxReset`."""
        fact = MailboxReset(mailbox=self.mailbox_id(record), cause=reason)
        return self._entry(fact, Cause(kind=CauseKind.RESYNC), "reset", record.number, record.space)

    def account_added(self, account: Account) -> bytes:
        """`accountAdded`."""
        return self._entry(
            AccountAdded(account=account), Cause(kind=CauseKind.API), "account", account.create_time
        )

    def account_removed(self, incarnation: str, request_id: str) -> bytes:
        """`accountRemoved`."""
        cause = Cause(kind=CauseKind.API, request_id=request_id)
        return self._entry(AccountRemoved(), cause, "account-removed", incarnation)

    def state_changed(self, state: State, error: StateError | None, sequence: int) -> bytes:
        """`accountStateChanged`; `sequence` is the one that it follows."""
        return self._entry(AccountStateChanged(state=state, error=error), REMOTE, "state", state, sequence)

    def submission_changed(self, submission: Submission) -> bytes:
        """`submissionChanged`."""
        cause = Cause(kind=CauseKind.API, request_id=submission.request_id)
        key = ("submission", submission.id, submission.state, submission.attempt_count)
        return self._entry(SubmissionChanged(submission=submission), cause, *key)
