"""The node's admin endpoint: `GET /metrics`, `/healthz`, `/readyz` over plain HTTP/1.1.

It owns an address apart from the API, meant for operators only, and refuses everything else: other methods, bodies,
long requests, slow readers. One answer per connection.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Final

from postroom_server.telemetry.logging import get_logger
from postroom_server.telemetry.metrics import CONTENT_TYPE, Metrics

MAX_REQUEST_BYTES: Final = 8 * 1_024
MAX_CONNECTIONS: Final = 32
REQUEST_SECONDS: Final = 5.0
"""Until the whole request is read and the answer written."""
_TEXT: Final = "text/plain; charset=utf-8"
_log = get_logger("admin")

Ready = Callable[[], Awaitable[str]]
"""Says why the node is not ready; empty when it is."""


class AdminServer:
    """Serves metrics and health of one node.

    Args:
        metrics: What `/metrics` shows.
        ready: Asked by `/readyz`; it should answer within a second or two.
    """

    def __init__(self, metrics: Metrics, ready: Ready) -> None:
        self._metrics, self._ready = metrics, ready
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self, address: str) -> str:
        """Listens on `host:port` (port 0: any) or `unix:///path`; returns where it listens. Raises OSError."""
        if address.startswith("unix:"):
            path = address.removeprefix("unix:").removeprefix("//")
            with suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108 - one system call at start
            self._server = await asyncio.start_unix_server(self._accept, path, limit=MAX_REQUEST_BYTES)
            return address
        host, _, port = address.rpartition(":")
        self._server = await asyncio.start_server(
            self._accept, host.strip("[]"), int(port), limit=MAX_REQUEST_BYTES
        )
        return f"{host}:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Stops listening and ends open connections."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            if len(self._open) <= MAX_CONNECTIONS:
                async with asyncio.timeout(REQUEST_SECONDS):
                    await self._answer(reader, writer)
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            _log.debug("admin request dropped")
        finally:
            self._open.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, _, rest = head.partition(b" ")
        path = rest.split(b" ", 1)[0].split(b"?", 1)[0]
        if method not in (b"GET", b"HEAD"):
            status, kind, body = HTTPStatus.METHOD_NOT_ALLOWED, _TEXT, b"GET only\n"
        else:
            status, kind, body = await self._page(path)
        lines = (
            f"HTTP/1.1 {status.value} {status.phrase}",
            f"content-type: {kind}",
            f"content-length: {len(body)}",
            "cache-control: no-store",
            "connection: close",
            "\r\n",
        )
        writer.write("\r\n".join(lines).encode() + (b"" if method == b"HEAD" else body))
        await writer.drain()

    async def _page(self, path: bytes) -> tuple[HTTPStatus, str, bytes]:
        if path == b"/metrics":
            return HTTPStatus.OK, CONTENT_TYPE, self._metrics.shown()
        if path == b"/healthz":
            return HTTPStatus.OK, _TEXT, b"ok\n"
        if path == b"/readyz":
            problem = await self._ready()
            if problem:
                return HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, problem.encode() + b"\n"
            return HTTPStatus.OK, _TEXT, b"ready\n"
        return HTTPStatus.NOT_FOUND, _TEXT, b"/metrics /healthz /readyz\n"
