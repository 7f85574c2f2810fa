"""History of the sandbox as each kind of provider shows it, and the hints that lead to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroom_server.backends.sandbox.changes import is_current, watch
from postroom_server.backends.sandbox.positions import (
    ACCOUNT_SCOPE,
    cursor_at,
    lasting_place,
    mailbox_key,
    mailbox_number,
    numbered_place,
    read_cursor,
)
from postroom_server.backends.sandbox.shapes import Folders, Labels, Numbers
from postroom_server.domain.accounts import SandboxProfile
from postroom_server.domain.keys import ItemKey, MailboxKey, ScopeId
from postroom_server.domain.ports import MarkKind, ProviderCursor, mailbox_mark
from postroom_server.domain.sandbox_store import SandboxState, SandboxStep
from postroom_server.errors import (
    MailboxNotFound,
    MessageNotFound,
    ProviderCursorExpired,
    ProviderUnreachable,
    StoreUnavailable,
)
from postroom_server.ids import AccountId

EPOCH = 7
INBOX, ARCHIVE = 1, 6


def step(
    number: int, before: set[int] | None, after: set[int] | None, *flags: str, had: str = ""
) -> SandboxStep:
    return SandboxStep(
        number=number,
        before=None if before is None else frozenset(before),
        after=None if after is None else frozenset(after),
        flags_before=frozenset(had.split()),
        flags=frozenset(flags),
    )


def numbers(keys) -> list[int]:
    return [int.from_bytes(key[-4:], "big") for key in keys]


def scope(mailbox: int) -> ScopeId:
    return ScopeId(mailbox_key(mailbox))


HISTORY = [
    step(1, None, {INBOX}, "a"),
    step(2, None, {INBOX}),
    step(1, {INBOX}, {ARCHIVE}, "a", had="a"),
    step(3, None, {ARCHIVE}),
    step(2, {INBOX}, {INBOX}, "b"),
    step(3, {ARCHIVE}, None),
]


@pytest.mark.parametrize(("shape", "final"), [(Numbers(), True), (Folders(), False)])
def test_a_mailbox_shows_what_is_left_in_it_and_what_went(shape, final):
    """The last step of each message counts; where it went is not said."""
    page = shape.steps(scope(INBOX), EPOCH, HISTORY, None)
    assert (numbers(page.present), numbers(page.gone)) == ([2], [1])
    assert {mark: numbers(keys) for mark, keys in page.on.items()} == {(MarkKind.FLAG, "b"): [2]}
    assert (page.absolute, page.gone_final, page.whole) == ({MarkKind.FLAG}, final, False)
    other = shape.steps(scope(ARCHIVE), EPOCH, HISTORY, None)
    assert (numbers(other.present), numbers(other.gone)) == ([1], [3])


def test_labels_are_told_by_differences_of_which_the_last_counts():
    """What nobody touched is not named; what was taken back is told as it is now."""
    page = Labels().steps(
        ACCOUNT_SCOPE,
        EPOCH,
        [
            step(1, {INBOX}, {INBOX, ARCHIVE}, "kept", "b", had="kept a"),
            step(1, {INBOX, ARCHIVE}, {ARCHIVE}, "kept", "a", had="kept b"),
            step(2, {INBOX}, None),
            step(3, None, {INBOX}, "a"),
            step(3, {INBOX}, None, had="a"),
        ],
        None,
    )
    assert (numbers(page.present), numbers(page.gone)) == ([1], [2, 3])
    inbox, archive = mailbox_mark(mailbox_key(INBOX)), mailbox_mark(mailbox_key(ARCHIVE))
    assert {mark: numbers(keys) for mark, keys in page.on.items()} == {
        archive: [1],
        (MarkKind.FLAG, "a"): [1],
    }
    assert {mark: numbers(keys) for mark, keys in page.off.items()} == {inbox: [1], (MarkKind.FLAG, "b"): [1]}
    assert page.absolute == frozenset()


def state(modseq: int, floor: int = 1, epoch: int = EPOCH) -> SandboxState:
    return SandboxState(
        profile=SandboxProfile.IMAP, epoch=epoch, modseq=modseq, floor=floor, next_number=1, offline=False
    )


def test_a_scope_is_current_only_at_its_own_place():
    """A missing cursor is not, nor one of another epoch, nor one that history will soon have left behind."""
    cursor = cursor_at(EPOCH, 5)
    assert is_current(state(9), 5, cursor)
    assert not is_current(state(9), 6, cursor)
    assert not is_current(state(9, epoch=8), 5, cursor)
    assert not is_current(state(9), 5, None)
    assert not is_current(state(9), 5, ProviderCursor(b"?"))
    assert not is_current(state(5_000, floor=1), 5, cursor)


@given(st.binary(max_size=40))
def test_bytes_that_are_no_cursor_have_expired(raw):
    """A cursor of another form is read from nothing, never misread."""
    try:
        epoch, modseq = read_cursor(ProviderCursor(raw))
    except ProviderCursorExpired:
        return
    assert cursor_at(epoch, modseq) == raw


def test_keys_of_other_providers_are_not_found():
    """Whatever their bytes are."""
    with pytest.raises(MailboxNotFound):
        mailbox_number(MailboxKey(b"INBOX"))
    with pytest.raises(MailboxNotFound):
        mailbox_number(MailboxKey(bytes(4)))
    with pytest.raises(MailboxNotFound):
        Labels().mailbox_of(scope(INBOX))
    with pytest.raises(MessageNotFound):
        numbered_place(ItemKey(b"INBOX" + bytes(8)))
    with pytest.raises(MessageNotFound):
        lasting_place(ItemKey(bytes(12)))


class Hints:
    """A store whose hints are a script: numbers, then an error or the end."""

    def __init__(self, *numbers: int, error: Exception | None = None, offline: bool = False) -> None:
        self._numbers, self._error, self._offline = numbers, error, offline

    async def state(self, account: AccountId):
        return SimpleNamespace(offline=self._offline)

    def hints(self, account: AccountId):
        @asynccontextmanager
        async def opened() -> AsyncIterator[AsyncIterator[int]]:
            yield self._heard()

        return opened()

    async def _heard(self) -> AsyncIterator[int]:
        for number in self._numbers:
            yield number
        if self._error is not None:
            raise self._error


@pytest.mark.parametrize("error", [None, StoreUnavailable()])
async def test_hints_that_end_are_a_lost_connection(error):
    """What was pending is told first."""
    store = Hints(1, 3, 1, error=error)
    async with watch(store, AccountId("ann"), Numbers(), [scope(1), scope(3)]) as hints:  # type: ignore[arg-type]
        assert (await anext(hints)).scopes == {scope(1), scope(3)}
        with pytest.raises(ProviderUnreachable) as caught:
            await anext(hints)
    assert caught.value.metadata["stage"] == "closed"


@pytest.mark.parametrize("number", [0, 9])
async def test_what_is_no_scope_of_ours_asks_for_a_look_at_everything(number):
    """The account itself, and a mailbox that was made since."""
    async with watch(Hints(1, number), AccountId("ann"), Numbers(), [scope(1)]) as hints:  # type: ignore[arg-type]
        assert (await anext(hints)).scopes == frozenset()


async def test_an_account_that_goes_offline_loses_its_push():
    """At the hint that its faults have changed."""
    store = Hints(0, 1, offline=True)
    async with watch(store, AccountId("ann"), Labels(), [ACCOUNT_SCOPE]) as hints:  # type: ignore[arg-type]
        with pytest.raises(ProviderUnreachable):
            await anext(hints)
