"""Waiting for the store no longer than the caller does.

It owns the one place where a deadline becomes DeadlineExceeded, and the words of an account that is offline; it refuses
retries. Cancellation passes through.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from postroom_server.domain.ports import Call
from postroom_server.errors import DeadlineExceeded

OFFLINE: Final = "The sandbox account is offline."
"""What a call is told while it is so."""

T = TypeVar("T")


async def within(call: Call, work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns, by the call's deadline; work whose deadline has passed is not begun.

    Raises:
        DeadlineExceeded: The deadline passed; the work was cancelled.
    """
    if asyncio.get_running_loop().time() >= call.deadline:
        work.close()
        raise DeadlineExceeded
    limit = asyncio.timeout_at(call.deadline)
    try:
        async with limit:
            return await work
    except TimeoutError:
        if limit.expired():
            raise DeadlineExceeded from None
        raise
