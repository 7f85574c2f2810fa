"""The outermost interceptor: the call's id, its line in the log and its figures.

It owns the request id (from `x-request-id`, else made) and what is told of a call afterwards: method, code, reason,
duration. It refuses addresses, subjects and texts. Everything inside it sees the id by context variable.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import structlog

from postroom_server.ids import REQUEST_ID_PATTERN
from postroom_server.services.calling import CALL_NOTES, METHOD, REQUEST_ID, Context, Notes, first
from postroom_server.services.interceptors.wrapping import Continuation, Handler, writing
from postroom_server.telemetry.logging import get_logger
from postroom_server.telemetry.metrics import Metrics

REQUEST_ID_KEY = "x-request-id"
QUIET = frozenset({"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"})
"""Methods that probes call all the time: counted, logged at debug only."""
_log = get_logger("calls")


class ObserveInterceptor(grpc.aio.ServerInterceptor):
    """Names, logs and counts every call.

    Args:
        metrics: Where calls are counted.
        known: Methods of the contract by full name; others are counted as `unknown`, so that callers make no series.
    """

    def __init__(self, metrics: Metrics, known: frozenset[str]) -> None:
        self._metrics, self._known = metrics, known

    async def intercept_service(self, continuation: Continuation, details: Any) -> Handler:
        """Wraps every handler that there is."""
        handler = await continuation(details)
        if handler is None:
            return None
        method: str = details.method
        label = method.removeprefix("/") if method in self._known else "unknown"
        messages = self._metrics.stream_messages.labels(label)

        @asynccontextmanager
        async def guard(context: Context) -> AsyncIterator[None]:
            notes = Notes()
            request_id = _request_id(context)
            REQUEST_ID.set(request_id)
            METHOD.set(method)
            CALL_NOTES.set(notes)
            structlog.contextvars.bind_contextvars(request_id=request_id, method=label)
            began = time.monotonic()
            streams = self._metrics.streams.labels(label) if handler.response_streaming else None
            if streams is not None:
                streams.inc()
            code = "OK"
            try:
                yield
            except asyncio.CancelledError:
                code = "CANCELLED"
                raise
            except BaseException:
                code = "UNKNOWN"
                raise
            finally:
                if streams is not None:
                    streams.dec()
                status = context.code()
                code = code if status is None else getattr(status, "name", code)
                self._ended(method, label, code, notes, time.monotonic() - began, stream=streams is not None)

        return writing(handler, guard, messages.inc)

    def _ended(
        self, method: str, label: str, code: str, notes: Notes, seconds: float, *, stream: bool
    ) -> None:
        self._metrics.calls.labels(label, code).inc()
        if notes.reason:
            self._metrics.refusals.labels(notes.reason).inc()
        if not stream:
            self._metrics.call_seconds.labels(label).observe(seconds)
        keys: dict[str, object] = {"code": code, "ms": round(seconds * 1000, 1)}
        if notes.reason:
            keys["reason"] = notes.reason
        if notes.caller:
            keys["caller"] = notes.caller
        if notes.account:
            keys["account"] = notes.account
        if notes.relayed_to:
            keys["owner"] = notes.relayed_to
        if method in QUIET:
            _log.debug("call", **keys)
        elif code == "INTERNAL":
            _log.error("call", **keys)
        else:
            _log.info("call", **keys)


def _request_id(context: Context) -> str:
    given = first(context.invocation_metadata(), REQUEST_ID_KEY)
    if isinstance(given, str) and REQUEST_ID_PATTERN.fullmatch(given):
        return given
    return uuid.uuid4().hex
