"""Parsing of whole messages outside this process, within bounds of memory and time (threats T09).

It owns the parser process: starts it at the first message, asks it one message at a time, and replaces it when it dies, hangs
or was interrupted. It refuses to fail: a message that the process cannot digest comes back with its header fields only.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Final

from postroom_server.backends.parser_process import REPLY_HEAD, REQUEST_HEAD, decode
from postroom_server.domain.mime import ParsedMessage, parse_fields

MAX_RAW_BYTES: Final = 64 * 1024 * 1024
"""A larger message is shown by its header fields only."""
MAX_REPLY_BYTES: Final = 64 * 1024 * 1024
MAX_WALL_SECONDS: Final = 3.0
MAX_START_SECONDS: Final = 10.0
MAX_TEXT_BUDGET: Final = 8 * 1024 * 1024
PASSED_ENVIRONMENT: Final = ("PYTHONPATH", "LANG", "LC_ALL", "PATH", "SYSTEMROOT")
"""What the parser process sees of our environment; secrets stay here."""


class ParserPool:
    """One parser process, started lazily; safe to use from any number of tasks, one message at a time."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._closed = False

    async def parse(self, raw: bytes, *, text_budget: int = 1024 * 1024) -> ParsedMessage:
        """All of `raw`, or, for a bomb, its header fields with `complete` False. Never raises but for cancellation.

        Each text is cut to `text_budget` bytes of UTF-8 (at most 8 MiB).
        """
        if len(raw) > MAX_RAW_BYTES:
            return parse_fields(raw, complete=False)
        budget = min(max(text_budget, 0), MAX_TEXT_BUDGET)
        async with self._turn:
            try:
                process = await self._running()
                async with asyncio.timeout(MAX_WALL_SECONDS):
                    return await self._ask(process, raw, budget)
            except (OSError, EOFError, TimeoutError, ValueError, KeyError, TypeError):
                await self._end()
                return parse_fields(raw, complete=False)
            except BaseException:
                self._kill()
                raise

    async def close(self) -> None:
        """Ends the process; later messages are shown by their header fields only. Safe to call twice."""
        self._closed = True
        async with self._turn:
            await self._end()

    async def _running(self) -> asyncio.subprocess.Process:
        if self._closed:
            raise OSError("closed")
        if self._process is not None and self._process.returncode is not None:
            await self._end()
        if self._process is None:
            async with asyncio.timeout(MAX_START_SECONDS):
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "postroom_server.backends.parser_process",
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.DEVNULL,
                    env={name: os.environ[name] for name in PASSED_ENVIRONMENT if name in os.environ},
                )
                await self._ask(self._process, b"", 0)
        return self._process

    @staticmethod
    async def _ask(process: asyncio.subprocess.Process, raw: bytes, budget: int) -> ParsedMessage:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(REQUEST_HEAD.pack(len(raw), budget))
        process.stdin.write(raw)
        await process.stdin.drain()
        (length,) = REPLY_HEAD.unpack(await process.stdout.readexactly(REPLY_HEAD.size))
        if length > MAX_REPLY_BYTES:
            raise ValueError("the reply is too large")
        return decode(await process.stdout.readexactly(length))

    def _kill(self) -> None:
        """Ends the process without waiting; the next message starts another one."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()

    async def _end(self) -> None:
        process = self._process
        self._kill()
        if process is not None:
            await process.wait()
            if process.stdin is not None:
                process.stdin.close()
