"""A TCP link that a test can harm: between one client and the gateway, bytes pass, stop, or end.

It owns sockets and what is done to them, and refuses to know what the bytes mean. `cut` ends every connection with a reset,
`freeze` makes the connections that are open go silent for good without closing them (a half-open link, as after the death
of a router), `down` refuses new connections too, `cut_after` ends the link once so many bytes came down it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import Final, Self

PIECE_BYTES: Final = 64 * 1024
RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class _Pair:
    """One accepted connection and its own connection to the target."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self.near, self.far = near, far
        self.moving = asyncio.Event()
        self.moving.set()

    def reset(self) -> None:
        self.moving.set()
        for one in (self.near, self.far):
            raw = one.get_extra_info("socket")
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            one.transport.abort()


class Link:
    """A relay on a port of its own.

    Args:
        target: Port of 127.0.0.1 that it leads to.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._pairs: set[_Pair] = set()
        self._left: int | None = None
        self._is_down = False
        self.connections = 0
        """Connections accepted so far."""

    @property
    def address(self) -> str:
        """Where clients connect."""
        assert self._server is not None, "not open"
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """Resets every connection that is open; new ones pass."""
        for pair in list(self._pairs):
            pair.reset()

    def down(self) -> None:
        """Resets every connection, and each new one, until it is healed."""
        self._is_down = True
        self.cut()

    def freeze(self) -> None:
        """Nothing passes the open connections any more, and nobody is told; new ones pass."""
        for pair in self._pairs:
            pair.moving.clear()

    def heal(self) -> None:
        """What was frozen moves again, new connections pass, a limit of bytes is lifted."""
        self._left, self._is_down = None, False
        for pair in self._pairs:
            pair.moving.set()

    def cut_after(self, count: int) -> None:
        """Resets every connection once `count` more bytes came down; new ones pass, without a limit."""
        self._left = count

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self._is_down:
            writer.transport.abort()
            return
        try:
            far_reader, far = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        pair = _Pair(writer, far)
        self._pairs.add(pair)
        try:
            up = asyncio.create_task(self._pump(pair, reader, far, down=False))
            down = asyncio.create_task(self._pump(pair, far_reader, writer, down=True))
            try:
                await asyncio.wait([up, down], return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in (up, down):
                    one.cancel()
                await asyncio.wait([up, down])
        finally:
            self._pairs.discard(pair)
            for end in (writer, far):
                end.close()

    async def _pump(
        self, pair: _Pair, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, down: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while piece := await source.read(PIECE_BYTES):
                await pair.moving.wait()
                if down and self._left is not None:
                    self._left -= len(piece)
                    if self._left < 0:
                        self._left = None
                        self.cut()
                        return
                target.write(piece)
                await target.drain()
