"""Feed entries of one account: from what was found to the bytes that a commit carries.

It owns the public names in a change and the keys of change ids; it refuses the encoding, which services inject.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import replace

from postroom_server.domain.accounts import Account, State, StateError
from postroom_server.domain.changes import (
    AccountAdded,
    AccountRemoved,
    AccountReset,
    AccountStateChanged,
    Cause,
    CauseKind,
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
    change_id,
)
from postroom_server.domain.flags import Flag
from postroom_server.domain.identity import Identity, thread_id
from postroom_server.domain.mailboxes import Mailbox, MailboxRecord, MailboxRow
from postroom_server.domain.messages import Message, Summary
from postroom_server.domain.outbox import Submission
from postroom_server.domain.ports import Clock
from postroom_server.ids import AccountId, MailboxId, MessageId

Encode = Callable[[Change], bytes]
REMOTE = Cause(kind=CauseKind.REMOTE)
RESYNC = Cause(kind=CauseKind.RESYNC)


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

    def _mailboxes(self, numbers: Iterable[int]) -> tuple[MailboxId, ...]:
        return tuple(self.identity.mailbox(self._account, number) for number in sorted(numbers))

    def message(self, mailboxes: Iterable[int], place: tuple[int, int], summary: Summary) -> Message:
        """A message under its public names, as a summary shows it; mailboxes by number."""
        return Message(
            id=self.message_id(*place),
            mailboxes=self._mailboxes(mailboxes),
            thread_id=thread_id(summary.references, summary.in_reply_to, summary.internet_message_id),
            summary=summary,
        )

    def message_added(
        self,
        mailboxes: Iterable[int],
        place: tuple[int, int],
        summary: Summary,
        flags: frozenset[str],
        cause: Cause,
    ) -> bytes:
        """`messageAdded`; the flags are those of the snapshot, so that later differences start from them."""
        shown = replace(summary, flags=frozenset(map(Flag, flags)))
        fact = MessageAdded(message=self.message(mailboxes, place, shown))
        return self._entry(fact, cause, "added", *place)

    def message_removed(self, mailboxes: Iterable[int], place: tuple[int, int], cause: Cause) -> bytes:
        """`messageRemoved`; the mailboxes are those that held it last."""
        fact = MessageRemoved(message=self.message_id(*place), mailboxes=self._mailboxes(mailboxes))
        return self._entry(fact, cause, "removed", *place)

    def mailboxes_changed(
        self,
        place: tuple[int, int],
        before: AbstractSet[int],
        after: AbstractSet[int],
        cause: Cause,
        revision: int,
    ) -> bytes:
        """`messageMoved` if one mailbox was left and one was entered, else `mailboxesChanged`; mailboxes by number."""
        message, left, entered = self.message_id(*place), before - after, after - before
        fact: Fact
        if len(left) == len(entered) == 1:
            (source,), (destination,) = self._mailboxes(left), self._mailboxes(entered)
            fact = MessageMoved(message=message, source=source, destination=destination)
        else:
            fact = MailboxesChanged(
                message=message,
                added=self._mailboxes(entered),
                removed=self._mailboxes(left),
                mailboxes=self._mailboxes(after),
            )
        return self._entry(fact, cause, "mailboxes", *place, revision)

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

    def mailbox_added(self, mailbox: Mailbox, number: int, cause: Cause = REMOTE) -> bytes:
        """`mailboxAdded`."""
        return self._entry(MailboxAdded(mailbox=mailbox), cause, "mailbox-added", number)

    def mailbox_renamed(self, record: MailboxRecord, row: MailboxRow, cause: Cause, sequence: int) -> bytes:
        """`mailboxRenamed`, to the path of `row`; `sequence` is the one that it follows."""
        fact = MailboxRenamed(
            mailbox=self.mailbox_id(record),
            old_path=record.row.delimiter.join(record.row.path),
            new_path=row.delimiter.join(row.path),
        )
        return self._entry(fact, cause, "mailbox-renamed", record.number, sequence)

    def mailbox_removed(self, record: MailboxRecord, cause: Cause = REMOTE) -> bytes:
        """`mailboxRemoved`."""
        fact = MailboxRemoved(mailbox=self.mailbox_id(record))
        return self._entry(fact, cause, "mailbox-removed", record.number)

    def mailbox_reset(self, record: MailboxRecord, reason: ResetReason, *key: object) -> bytes:
        """`mailboxReset`; `key` tells resets of one space apart."""
        fact = MailboxReset(mailbox=self.mailbox_id(record), cause=reason)
        return self._entry(fact, RESYNC, "reset", record.number, record.space, *key)

    def account_reset(self, reason: ResetReason, revision: int) -> bytes:
        """`accountReset`; `revision` is that of the position which it leads to."""
        return self._entry(AccountReset(cause=reason), RESYNC, "account-reset", revision)

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
