"""Until when a call may take.

It owns the default of 30 seconds for calls with one answer, and the end of those that overrun; it refuses deadlines for
streams, which have their own pace. A caller's own deadline is enforced by gRPC, which cancels the handler; here it
becomes the deadline that workers and backends are given.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from postroom_server.services.calling import DEFAULT_DEADLINE_SECONDS, Context, until
from postroom_server.services.interceptors.wrapping import Continuation, Handler, guarded

GRACE_SECONDS = 0.5
"""Backends end by themselves at the deadline and say more than we could; the hard end comes a little later."""
UPLOAD_SECONDS = 600.0
"""Of a call with a stream of requests that names no deadline."""
MAX_DEADLINE_SECONDS = 3_600.0


class DeadlineInterceptor(grpc.aio.ServerInterceptor):
    """Gives every call its deadline."""

    async def intercept_service(self, continuation: Continuation, details: Any) -> Handler:
        """Wraps every handler."""
        handler = await continuation(details)
        if handler is None:
            return None
        default = UPLOAD_SECONDS if handler.request_streaming else DEFAULT_DEADLINE_SECONDS

        @asynccontextmanager
        async def guard(context: Context) -> AsyncIterator[None]:
            left = context.time_remaining()
            if handler.response_streaming:
                deadline = None if left is None else _at(left)
                with until(deadline):
                    yield
                return
            deadline = _at(default if left is None else left)
            with until(deadline):
                async with asyncio.timeout_at(deadline + GRACE_SECONDS):
                    yield

        return guarded(handler, guard)


def _at(seconds: float) -> float:
    return asyncio.get_running_loop().time() + min(seconds, MAX_DEADLINE_SECONDS)
