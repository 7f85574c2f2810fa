"""Who follows a dialogue is let go with his token, and loses nothing until then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest
from postroom_server.domain.dialogue import Direction, Line
from postroom_server.errors import OwnerUnknown, StoreUnavailable, TokenInvalid
from postroom_server.services.account_log import while_valid


def block(text: str) -> Sequence[Line]:
    return (Line(time=0.0, session="account", direction=Direction.EVENT, text=text),)


async def said(count: int, *, end: Exception | None = None) -> AsyncGenerator[Sequence[Line], None]:
    for number in range(count):
        await asyncio.sleep(0)
        yield block(str(number))
    if end is not None:
        raise end
    await asyncio.Event().wait()


class Token:
    """A token; `answers` are given one after the other, the last one again and again."""

    def __init__(self, *answers: bool | Exception) -> None:
        self.answers = list(answers)

    async def is_valid(self) -> bool:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_a_token_that_ends_ends_a_silent_dialogue() -> None:
    blocks, token = said(3), Token(True, StoreUnavailable(), True, False)
    heard: list[str] = []

    async def hear() -> None:
        async for lines in while_valid(blocks, token.is_valid, check_seconds=0.01):
            heard.extend(line.text for line in lines)

    with pytest.raises(TokenInvalid):
        await asyncio.wait_for(hear(), 5.0)
    assert heard == ["0", "1", "2"]
    assert await anext(blocks, None) is None


async def test_an_account_that_leaves_is_told() -> None:
    with pytest.raises(OwnerUnknown):
        async for _ in while_valid(said(1, end=OwnerUnknown()), Token(True).is_valid):
            pass


async def test_who_leaves_leaves_nothing() -> None:
    blocks = said(1)
    reading = while_valid(blocks, Token(True).is_valid)
    assert await anext(reading) == block("0")
    waiting = asyncio.create_task(anext(reading))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await anext(blocks, None) is None
