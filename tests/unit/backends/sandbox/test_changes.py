"""Observations of the sandbox, row by row, and the hints that lead to them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroom_server.backends.sandbox.changes import is_current, observe, watch
from postroom_server.backends.sandbox.positions import mailbox_number, place_of, scope_of
from postroom_server.domain.keys import ItemKey, MailboxKey
from postroom_server.domain.ports import ProviderCursor
from postroom_server.domain.sandbox_store import SandboxMailbox, SandboxRow
from postroom_server.errors import (
    MailboxNotFound,
    MessageNotFound,
    ProviderCursorExpired,
    ProviderUnreachable,
    StoreUnavailable,
)
from postroom_server.ids import AccountId

NOW = datetime(2026, 1, 5, tzinfo=UTC)
INBOX = SandboxMailbox(
    number=1, path=("INBOX",), role="inbox", epoch=7, next_uid=1, modseq=1, messages=0, unseen=0
)


def row(uid: int, modseq: int, *flags: str) -> SandboxRow:
    return SandboxRow(uid=uid, modseq=modseq, flags=frozenset(flags), received=NOW, size_bytes=1)


def at(modseq: int, next_uid: int, epoch: int = 7) -> SandboxMailbox:
    return replace(INBOX, modseq=modseq, next_uid=next_uid, epoch=epoch)


def cursor_at(mailbox: SandboxMailbox, *rows: SandboxRow) -> ProviderCursor:
    cursor = observe(mailbox, rows, None).cursor
    assert cursor is not None
    return cursor


def test_a_row_younger_than_the_mailbox_waits_for_the_next_look():
    """Mailbox and rows are two readings: the cursor covers exactly what was shown."""
    rows = [row(1, 2), row(2, 3)]
    first = observe(at(2, 2), rows, None)
    assert list(first.present.numbers) == [1]
    second = observe(at(3, 3), rows, first.cursor)
    assert list(second.present.numbers) == [2]
    assert not second.gone.numbers


def test_removals_are_named_only_when_something_old_is_missing():
    """New messages that went at once are no news."""
    cursor = cursor_at(at(3, 3), row(1, 2), row(2, 3))
    quiet = observe(at(5, 4), [row(1, 2), row(2, 3)], cursor)
    assert not quiet.gone.numbers
    less = observe(at(5, 4), [row(2, 3)], cursor)
    assert list(less.gone.numbers) == [1]


@pytest.mark.parametrize(
    ("mailbox", "kind"), [(at(9, 9, epoch=8), "UIDVALIDITY_CHANGED"), (at(2, 2), "HISTORY_EXPIRED")]
)
def test_a_place_that_the_mailbox_does_not_know_has_expired(mailbox, kind):
    """Another epoch, or a store that went back in time."""
    cursor = cursor_at(at(5, 5), row(1, 2))
    with pytest.raises(ProviderCursorExpired) as caught:
        observe(mailbox, [], cursor)
    assert caught.value.kind == kind
    assert not is_current(mailbox, cursor)


@given(st.binary(max_size=40))
def test_bytes_that_are_no_cursor_have_expired(raw):
    """A cursor of another form is read from nothing, never misread."""
    try:
        seen = observe(at(5, 5), [], ProviderCursor(raw))
    except ProviderCursorExpired:
        return
    assert not seen.present.numbers


def test_a_scope_is_current_only_at_its_own_place():
    """A missing mailbox and a missing cursor are not."""
    cursor = cursor_at(at(5, 5))
    assert is_current(at(5, 5), cursor)
    assert not is_current(at(6, 5), cursor)
    assert not is_current(None, cursor)
    assert not is_current(at(5, 5), None)


def test_keys_of_other_providers_are_not_found():
    """Whatever their bytes are."""
    with pytest.raises(MailboxNotFound):
        mailbox_number(MailboxKey(b"INBOX"))
    with pytest.raises(MessageNotFound):
        place_of(ItemKey(b"INBOX" + bytes(8)))


class Hints:
    """A store whose hints are a script: numbers, then an error or the end."""

    def __init__(self, *numbers: int, error: Exception | None = None) -> None:
        self._numbers, self._error = numbers, error

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
    """What was pending is told first; mailboxes that nobody asked about are not."""
    store = Hints(1, 2, 1, 3, error=error)
    async with watch(store, AccountId("ann"), [scope_of(1), scope_of(3)]) as hints:  # type: ignore[arg-type]
        assert (await anext(hints)).scopes == {scope_of(1), scope_of(3)}
        with pytest.raises(ProviderUnreachable) as caught:
            await anext(hints)
    assert caught.value.metadata["stage"] == "closed"
