"""The kept dialogues: bounded per line, per account and per node, and readers who follow miss nothing unsaid."""

from __future__ import annotations

import asyncio
import sys

import pytest
from postroom_server.domain.dialogue import SILENCE, Direction, Line
from postroom_server.errors import OwnerUnknown
from postroom_server.ids import AccountId
from postroom_server.workers import dialogues as module
from postroom_server.workers.dialogues import LINE_BYTES, MAX_CHARACTERS, MAX_LINES, Dialogues

ANN = AccountId("ann")


def made(*accounts: str, **bounds: int) -> Dialogues:
    dialogues = Dialogues(**bounds)
    for account in accounts:
        dialogues.begin(AccountId(account))
    return dialogues


def say(dialogues: Dialogues, text: str, account: AccountId = ANN, times: int = 1) -> None:
    log = dialogues.of(account).session("pool")
    for _ in range(times):
        log.say(Direction.SENT, text)


async def kept(dialogues: Dialogues, account: AccountId = ANN, most: int = 0) -> list[Line]:
    return [line async for some in dialogues.read(account, most=most, follow=False) for line in some]


async def test_lines_are_read_oldest_first_and_the_newest_when_few_are_asked_for() -> None:
    dialogues = made("ann")
    log = dialogues.of(ANN).session("pool")
    for number in range(450):
        log.say(Direction.SENT, str(number))
    assert [line.text for line in await kept(dialogues)] == [str(one) for one in range(450)]
    assert [line.text for line in await kept(dialogues, most=2)] == ["448", "449"]
    assert len(await kept(dialogues, most=10_000)) == 450


async def test_sessions_are_numbered_by_their_kind() -> None:
    dialogues = made("ann")
    say(dialogues, "a")
    say(dialogues, "b")
    dialogues.of(ANN).session("watch").say(Direction.EVENT, "c")
    assert [line.session for line in await kept(dialogues)] == ["pool-1", "pool-2", "watch-1"]


async def test_an_account_that_does_not_run_here_is_silent() -> None:
    dialogues = made()
    assert dialogues.of(ANN) is SILENCE
    say(dialogues, "a")
    assert dialogues.used == 0
    with pytest.raises(OwnerUnknown):
        dialogues.read(ANN, most=0, follow=False)


async def test_a_long_line_is_cut() -> None:
    dialogues = made("ann")
    say(dialogues, "x" * 10_000_000)
    assert [line.text for line in await kept(dialogues)] == [f"{'x' * MAX_CHARACTERS}… 9998976 more"]


async def test_an_account_keeps_so_many_lines() -> None:
    dialogues = made("ann", account_bytes=1 << 30)
    say(dialogues, "x", times=MAX_LINES + 500)
    assert len(await kept(dialogues)) == MAX_LINES


async def test_an_account_keeps_so_many_bytes() -> None:
    dialogues = made("ann", account_bytes=10_000)
    say(dialogues, "é" * 100, times=1_000)
    assert 9_000 < dialogues.used <= 10_000
    each = LINE_BYTES + sys.getsizeof("é" * 100)
    assert dialogues.used == len(await kept(dialogues)) * each


async def test_a_node_keeps_so_many_bytes_whatever_the_number_of_accounts() -> None:
    names = [f"a{number}" for number in range(200)]
    dialogues = made(*names, node_bytes=100_000, account_bytes=50_000)
    for name in names:
        say(dialogues, "x" * 100, AccountId(name), times=50)
        assert dialogues.used <= 100_000
    assert all([await kept(dialogues, AccountId(name)) for name in names])


async def test_what_was_kept_by_few_shrinks_as_more_come() -> None:
    dialogues = made("ann", node_bytes=100_000, account_bytes=80_000)
    say(dialogues, "x" * 100, times=1_000)
    assert dialogues.used > 70_000
    for number in range(99):
        dialogues.begin(AccountId(f"b{number}"))
        say(dialogues, "y" * 100, AccountId(f"b{number}"), times=100)
        assert dialogues.used <= 100_000


async def test_what_is_forgotten_gives_its_memory_back_and_keeps_nothing_more() -> None:
    dialogues = made("ann")
    log = dialogues.of(ANN).session("pool")
    log.say(Direction.SENT, "a")
    dialogues.forget(ANN)
    assert dialogues.used == 0
    assert not log.open
    log.say(Direction.SENT, "b")
    assert dialogues.used == 0
    dialogues.begin(ANN)
    assert await kept(dialogues) == []


async def test_a_restarted_account_keeps_its_lines() -> None:
    dialogues = made("ann")
    say(dialogues, "a")
    dialogues.begin(ANN)
    assert [line.text for line in await kept(dialogues)] == ["a"]


async def test_who_follows_gets_what_is_said_next_and_a_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.01)
    dialogues = made("ann")
    say(dialogues, "old")
    reading = dialogues.read(ANN, most=1, follow=True)
    assert [line.text for line in await anext(reading)] == ["old"]
    assert await anext(reading) == ()
    say(dialogues, "new")
    blocks = [await anext(reading) for _ in range(2)]
    assert [line.text for block in blocks for line in block] == ["new"]
    await reading.aclose()


async def test_a_reader_who_is_too_slow_is_told_how_much_it_missed() -> None:
    dialogues = made("ann", account_bytes=1 << 30)
    say(dialogues, "old")
    reading = dialogues.read(ANN, most=0, follow=True)
    await anext(reading)
    say(dialogues, "new", times=MAX_LINES + 5)
    first = await anext(reading)
    assert first[0].text == "5 lines were said faster than they were read, and are gone"
    assert first[1].text == "new"
    await reading.aclose()


async def test_a_reader_who_leaves_leaves_nothing() -> None:
    dialogues = made("ann")
    say(dialogues, "a")
    for _ in range(100):
        reading = dialogues.read(ANN, most=0, follow=True)
        await anext(reading)
        await reading.aclose()
    assert "readers=0" in repr(dialogues.of(ANN))


async def test_who_follows_is_told_when_the_account_leaves() -> None:
    dialogues = made("ann")
    reading = dialogues.read(ANN, most=0, follow=True)
    waiting = asyncio.ensure_future(anext(reading))
    await asyncio.sleep(0)
    dialogues.stop()
    with pytest.raises(OwnerUnknown):
        await waiting
