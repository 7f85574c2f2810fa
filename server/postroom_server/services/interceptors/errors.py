"""The one place where exceptions become statuses.

It owns the rule that everything a handler raises is said by the table of `services/errors.py`, that a foreign exception
is logged and told as INTERNAL with the request id only, and that a download over REST which fails after its first byte
goes silent: the gateway cannot tell such a caller an error, and a plain end would look like success. Cancellation goes
through.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, NoReturn

import grpc

from postroom_server.errors import Internal, NotImplementedYet
from postroom_server.services.calling import REQUEST_ID, Context, first, notes
from postroom_server.services.errors import Relayed, known, to_status
from postroom_server.services.interceptors.edge import ORIGINAL_PATH
from postroom_server.services.interceptors.wrapping import (
    Continuation,
    Handler,
    behaviour_of,
    replaced,
)
from postroom_server.telemetry.logging import get_logger

SILENT_SECONDS = 300.0
"""How long a failed download says nothing before it is aborted after all; the gateway's idle timeout is shorter."""
_log = get_logger("errors")


class ErrorsInterceptor(grpc.aio.ServerInterceptor):
    """Maps every exception of the handlers inside it.

    Args:
        downloads: Full names of the methods whose messages are pieces of a file.
        silent_seconds: See SILENT_SECONDS.
    """

    def __init__(self, downloads: frozenset[str], *, silent_seconds: float = SILENT_SECONDS) -> None:
        self._downloads, self._silent_seconds = downloads, silent_seconds

    async def intercept_service(self, continuation: Continuation, details: Any) -> Handler:
        """Wraps every handler; a method that nobody serves is refused with a reason too."""
        handler = await continuation(details)
        if handler is None:
            return grpc.unary_unary_rpc_method_handler(_unknown_method(details.method))
        behaviour = behaviour_of(handler)
        download = details.method in self._downloads

        async def answering(request: Any, context: Context) -> Any:
            try:
                return await behaviour(request, context)
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001 - this is where they all become statuses
                await _abort(error, context)

        async def yielding(request: Any, context: Context) -> AsyncIterator[Any]:
            sent = False
            try:
                async with aclosing(behaviour(request, context)) as responses:
                    async for response in responses:
                        yield response
                        sent = True
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001 - this is where they all become statuses
                if sent and download and first(context.invocation_metadata(), ORIGINAL_PATH) is not None:
                    _note(error)
                    await asyncio.sleep(self._silent_seconds)
                await _abort(error, context)

        return replaced(handler, yielding if inspect.isasyncgenfunction(behaviour) else answering)


def _unknown_method(method: str) -> Any:
    async def refuse(_request: bytes, context: Context) -> NoReturn:
        await _abort(
            NotImplementedYet("there is no such method", method=method[:200].removeprefix("/")), context
        )

    return refuse


def _note(error: Exception) -> None:
    """Writes down what a caller is not told, and why the call failed."""
    if isinstance(error, Relayed):
        notes().reason = error.reason
        return
    told = known(error, REQUEST_ID.get())
    notes().reason = told.reason
    if isinstance(told, Internal):
        _log.error("a call met a fault of our own", exc_info=error)


async def _abort(error: Exception, context: Context) -> NoReturn:
    _note(error)
    if isinstance(error, Relayed):
        await context.abort(error.code, error.details, error.trailing)
    await context.abort_with_status(to_status(error, REQUEST_ID.get(), notes().account))
