"""A cancelled call to the store ends at once, wherever in its work the cancellation meets it."""

from __future__ import annotations

import asyncio
import time

from postroom_server.ids import AccountId

CALLERS = 20
"""More than there are connections, so that some wait for one and some are connecting."""
STEPS = 12


async def test_a_cancellation_is_never_lost_while_the_server_is_silent(store, valkey):
    """Not while a connection is awaited, made, written to or read from."""
    ann = AccountId("ann")
    await store.sandbox.open(ann, "ann@sandbox.test")
    for steps in range(STEPS):
        valkey.pause()
        try:
            tasks = [asyncio.create_task(store.sandbox.mailboxes(ann)) for _ in range(CALLERS)]
            for _ in range(steps):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            begun = time.monotonic()
            await asyncio.wait(tasks)
            assert time.monotonic() - begun < 1.0, steps
            assert all(task.cancelled() for task in tasks), steps
        finally:
            valkey.resume()
        assert await store.sandbox.mailboxes(ann), "the pool goes on"
