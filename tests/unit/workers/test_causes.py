"""What is put down to calls, when several of them and the world do things at once."""

from __future__ import annotations

import pytest
from postroom_server.domain.changes import Cause
from postroom_server.workers.causes import FILED_KEPT, Causes, api
from postroom_server.workers.entries import REMOTE

HERE = (1, 7)


def added(causes: Causes, message_id: str = "a@b", otherwise: Cause = REMOTE) -> Cause:
    return causes.of_added((3,), message_id, otherwise)


def test_a_call_that_ends_leaves_the_note_of_another_one_on_the_same_message() -> None:
    causes = Causes()
    with causes.editing(1, [7, 7], "first"):
        with causes.editing(1, [7], "second"):
            assert causes.of(HERE, REMOTE) == api("second")
        assert causes.of(HERE, REMOTE) == api("first")
    assert causes.of(HERE, REMOTE) == REMOTE


def test_what_a_call_tells_itself_is_its_own() -> None:
    causes = Causes()
    with causes.editing(1, [7], "other"), causes.filing(3, "", "other"):
        assert causes.of(HERE, api("own")) == api("own")
        assert added(causes, "", api("own")) == api("own")


def test_a_filed_message_that_was_told_is_forgotten_and_one_that_was_not_is_waited_for() -> None:
    causes = Causes()
    with causes.filing(3, "a@b", "call") as filed:
        assert added(causes) == api("call")
        filed.told = True
    assert added(causes) == REMOTE
    with causes.filing(3, "a@b", "call"):
        pass
    assert added(causes) == api("call")
    for number in range(FILED_KEPT):
        with causes.filing(3, f"{number}@b", "more"):
            pass
    assert added(causes) == REMOTE


def test_a_message_that_could_not_be_filed_is_not_waited_for() -> None:
    causes = Causes()
    with pytest.raises(ValueError), causes.filing(3, "a@b", "call"):
        raise ValueError
    assert added(causes) == REMOTE


def test_the_later_of_two_calls_that_file_the_same_is_not_forgotten_with_the_first() -> None:
    causes = Causes()
    with causes.filing(3, "a@b", "second") as second:
        with causes.filing(3, "a@b", "third") as third:
            second.told = third.told = True
        assert added(causes) == REMOTE
    with causes.filing(3, "a@b", "first") as first:
        first.told = True
        inner = causes.filing(3, "a@b", "late")
        inner.__enter__()
    assert added(causes) == api("late")
    inner.__exit__(None, None, None)


def test_each_of_several_calls_has_its_own_mailboxes() -> None:
    causes = Causes()
    with causes.arranging("make", to=("inbox", "a", "b")), causes.arranging("rename", to=("Z",), of=("Y",)):
        for path in (("INBOX", "a", "b"), ("INBOX", "a")):
            assert causes.of_mailbox(path, REMOTE) == api("make")
        for path in (("Z",), ("Y",), ("Y", "beneath")):
            assert causes.of_mailbox(path, REMOTE) == api("rename")
        for path in (("Q",), ("INBOX", "b"), ("INBOX", "a", "b", "c"), ("Z", "a")):
            assert causes.of_mailbox(path, REMOTE) == REMOTE


def test_what_the_only_call_does_is_its_own_however_it_is_spelled() -> None:
    causes = Causes()
    with causes.arranging("make", to=("a",)):
        assert causes.of_mailbox(("[Mail]", "a"), REMOTE) == api("make")
    assert causes.of_mailbox(("a",), REMOTE) == REMOTE
