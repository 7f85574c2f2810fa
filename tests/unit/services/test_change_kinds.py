"""Moves, other mailboxes of a message and new paths, as the feed keeps and shows them."""

from __future__ import annotations

from typing import Any

import pytest
from postroom_server.domain.changes import (
    Cause,
    CauseKind,
    Change,
    Evidence,
    MailboxesChanged,
    MailboxRenamed,
    MessageMoved,
)
from postroom_server.ids import AccountId, MailboxId, MessageId
from postroom_server.services.convert.changes import decode_change, encode_change, passes
from postroom_server.workers.frames import StartFrom, WatchOptions

from tests.fixtures.serving import NOW

A1 = AccountId("a1")
IN, OUT, STAYS, OTHER = (MailboxId(f"m{name}") for name in ("in", "out", "stays", "other"))
MESSAGE = MessageId("x")
MOVED = MessageMoved(message=MESSAGE, source=OUT, destination=IN)
CHANGED = MailboxesChanged(message=MESSAGE, added=(IN,), removed=(OUT,), mailboxes=(IN, STAYS))
RENAMED = MailboxRenamed(mailbox=IN, old_path="A/B", new_path="A/C")


def kept(fact: Any) -> bytes:
    cause = Cause(kind=CauseKind.API, request_id="r1")
    return encode_change(Change(account=A1, change_id="c", detect_time=NOW, cause=cause, fact=fact))


def box(mailbox: MailboxId) -> str:
    return f"accounts/a1/mailboxes/{mailbox}"


def test_a_move_says_from_where_to_where_and_how_sure_it_is():
    """Both mailboxes by name; evidence of the provider, or of a fingerprint."""
    change = decode_change(kept(MOVED), "c1", A1, 7)
    moved = change.message_moved
    assert (moved.message, moved.source, moved.destination) == ("accounts/a1/messages/x", box(OUT), box(IN))
    assert moved.evidence == moved.SERVER
    guessed = MessageMoved(message=MESSAGE, source=OUT, destination=IN, evidence=Evidence.FINGERPRINT)
    assert decode_change(kept(guessed), "c1", A1, 7).message_moved.evidence == moved.FINGERPRINT


def test_other_mailboxes_say_the_difference_and_the_state_after():
    """Added, removed, and all that hold it now."""
    fact = decode_change(kept(CHANGED), "c1", A1, 7).mailboxes_changed
    assert (list(fact.added), list(fact.removed)) == ([box(IN)], [box(OUT)])
    assert list(fact.mailboxes) == [box(IN), box(STAYS)]


def test_a_renamed_mailbox_says_both_paths():
    """Its name stays."""
    fact = decode_change(kept(RENAMED), "c1", A1, 7).mailbox_renamed
    assert (fact.mailbox, fact.old_path, fact.new_path) == (box(IN), "A/B", "A/C")


@pytest.mark.parametrize(
    ("fact", "concerned"),
    [(MOVED, {IN, OUT}), (CHANGED, {IN, OUT, STAYS}), (RENAMED, {IN})],
    ids=["moved", "mailboxes", "renamed"],
)
def test_readers_of_one_mailbox_hear_of_what_enters_leaves_or_is_in_it(fact, concerned):
    """The filter knows every mailbox that the change speaks of, and no other."""
    for mailbox in (IN, OUT, STAYS, OTHER):
        options = WatchOptions(account=A1, start=StartFrom.NOW, mailboxes=frozenset({mailbox}))
        assert passes(kept(fact), options) == (mailbox in concerned)


def test_the_kinds_can_be_asked_for():
    """By the contract's words."""
    for fact, kind in (
        (MOVED, "MESSAGE_MOVED"),
        (CHANGED, "MAILBOXES_CHANGED"),
        (RENAMED, "MAILBOX_RENAMED"),
    ):
        assert passes(kept(fact), WatchOptions(account=A1, start=StartFrom.NOW, kinds=frozenset({kind})))
        assert not passes(
            kept(fact), WatchOptions(account=A1, start=StartFrom.NOW, kinds=frozenset({"MESSAGE_ADDED"}))
        )
