"""A literal on its way from the server to a reader: bounded, in pieces, with back-pressure.

Owns the queue between the connection, which pushes, and the reader, who pulls: above one mark the connection stops
reading from its socket, below another it goes on. Refuses to look at the bytes, but for a transfer encoding that is
undone as they pass.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from postroom_server.backends.imap.connection import Connection, until
from postroom_server.backends.imap.protocol import Exchange
from postroom_server.backends.imap.wire.fetch import Fetch
from postroom_server.backends.imap.wire.responses import Response, Status
from postroom_server.backends.imap.wire.splitter import LiteralSink
from postroom_server.domain.messages import CHUNK_BYTES
from postroom_server.domain.mime import TransferDecoder

__all__ = ["BodyChunks", "Opening", "SectionText", "StreamSink"]

HIGH_BYTES = 512 << 10
"""Queued bytes at which the connection stops reading."""
LOW_BYTES = 128 << 10
"""Queued bytes at which it goes on."""


class SectionText:
    """Keeps one section in memory, up to a limit; what is beyond is read and thrown away."""

    def __init__(self, section: str, limit: int) -> None:
        self.data: bytes | None = None
        self._section = section
        self._limit = limit
        self._mark = f"BODY[{section}]".encode()
        self._literal: bytearray | None = None

    def sink_for(self, text: bytes, _size: int) -> LiteralSink | None:
        """Take the section's literal."""
        if self._mark not in text.upper():
            return None
        self._literal = bytearray()
        return self

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        assert self._literal is not None
        room = self._limit - len(self._literal)
        if room > 0:
            self._literal += data[:room]

    def close(self) -> None:
        """The literal is complete."""

    def take(self, response: Response) -> bool:
        """Take the response that ends the literal, or brings the section as a string."""
        if not isinstance(response, Fetch) or self._section not in response.sections:
            return False
        self.data = bytes(self._literal) if self._literal is not None else response.sections[self._section]
        return True


class StreamSink:
    """Queues one literal; `size` is known from the first moment on."""

    def __init__(self, connection: Connection, size: int) -> None:
        self.size = size
        self._connection = connection
        self._pieces: deque[bytes] = deque()
        self._queued = 0
        self._complete = False
        self._given_up = False
        self._news = asyncio.Event()

    def write(self, data: bytes) -> None:
        """Take the next bytes from the connection."""
        if self._given_up:
            return
        self._pieces.append(data)
        self._queued += len(data)
        if self._queued >= HIGH_BYTES:
            self._connection.pause()
        self._news.set()

    def close(self) -> None:
        """The literal is complete."""
        self._complete = True
        self._news.set()

    def give_up(self) -> None:
        """Throw away what is queued and what is still to come."""
        self._given_up = True
        self._pieces.clear()
        self._queued = 0
        self._connection.resume()

    async def read(self) -> bytes:
        """Return the next bytes, at most one chunk; b"" at the end.

        Raises:
            PostroomError: The connection ended before the literal did.
        """
        while not self._pieces:
            if self._complete:
                return b""
            failure = self._connection.protocol.failure
            if failure is not None:
                raise failure
            self._news.clear()
            await self._news.wait()
        data = bytearray()
        while self._pieces and len(data) + len(self._pieces[0]) <= CHUNK_BYTES:
            data += self._pieces.popleft()
        if not data:
            piece = self._pieces.popleft()
            data += piece[:CHUNK_BYTES]
            self._pieces.appendleft(piece[CHUNK_BYTES:])
        self._queued -= len(data)
        if self._queued <= LOW_BYTES:
            self._connection.resume()
        return bytes(data)

    def wake(self) -> None:
        """Look again: the connection has failed."""
        self._news.set()


class Opening:
    """The beginning of a body: a literal that streams, a short string, or nothing."""

    def __init__(self, connection: Connection, section: str) -> None:
        self.sink: StreamSink | None = None
        self.data: bytes | None = None
        self._connection = connection
        self._section = section
        self._mark = f"BODY[{section}]".encode()
        self._begun = asyncio.Event()

    def sink_for(self, text: bytes, size: int) -> LiteralSink | None:
        """Take the section's literal."""
        if self.sink is not None or self._mark not in text.upper():
            return None
        self.sink = StreamSink(self._connection, size)
        self._begun.set()
        return self.sink

    def take(self, response: Response) -> bool:
        """Take the response that ends the literal, or brings the section as a string."""
        if not isinstance(response, Fetch) or self._section not in response.sections:
            return False
        if self.sink is None:
            self.data = response.sections[self._section]
            self._begun.set()
        return True

    async def begun(self, exchange: Exchange) -> None:
        """Return when the first byte is here, or the command has ended without one."""
        exchange.done.add_done_callback(self._end)
        await self._begun.wait()

    def _end(self, _done: asyncio.Future[Status]) -> None:
        self._begun.set()
        if self.sink is not None:
            self.sink.wake()


class BodyChunks:
    """The chunks of a message or part, and the connection that they come on; `aclose` frees it at once.

    Args:
        connection: Where the literal comes from.
        exchange: The FETCH, in flight until the literal and its response have ended.
        sink: Takes the literal; None where the answer was a short string that is already here.
        release: Gives the session back; called exactly once.
        deadline: On the loop's clock, for every chunk.
    """

    def __init__(
        self,
        connection: Connection,
        exchange: Exchange,
        sink: StreamSink | None,
        release: Callable[[], None],
        *,
        deadline: float,
    ) -> None:
        self._connection = connection
        self._exchange = exchange
        self._sink = sink
        self._release: Callable[[], None] | None = release
        self._deadline = deadline
        self._decoder: TransferDecoder | None = None
        self._limit: int | None = None
        self._ready: deque[bytes] = deque()

    def decode(self, transfer_encoding: str) -> None:
        """Undo a transfer encoding from now on."""
        self._decoder = TransferDecoder(transfer_encoding)

    def put(self, data: bytes) -> None:
        """Put bytes in front that came without a literal."""
        self._ready.append(data)

    def __aiter__(self) -> BodyChunks:
        return self

    async def __anext__(self) -> bytes:
        try:
            while True:
                data = await self._next()
                if data is None:
                    break
                if data:
                    return data
        except BaseException:
            await self.aclose()
            raise
        await self.aclose()
        raise StopAsyncIteration

    async def _next(self) -> bytes | None:
        if self._release is None:
            return None
        if self._ready:
            return self._decoded(self._ready.popleft())
        if self._sink is not None:
            async with until(self._deadline, "body"):
                data = await self._sink.read()
            if data:
                return self._decoded(data)
            self._sink = None
        rest = self._decoder.finish() if self._decoder is not None else b""
        self._decoder = None
        return rest or None

    def _decoded(self, data: bytes) -> bytes:
        return self._decoder.feed(data) if self._decoder is not None else data

    async def aclose(self) -> None:
        """Free the connection; safe to call twice."""
        release, self._release = self._release, None
        if release is None:
            return
        if self._sink is not None:
            self._sink.give_up()
        try:
            if not self._exchange.done.done():
                self._connection.abandon(self._exchange)
        finally:
            release()
