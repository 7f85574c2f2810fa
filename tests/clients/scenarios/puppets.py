"""The programs that make each client do what the table says: JSON lines in, JSON lines out.

It owns building and starting them, the pairing of answers with commands, and the record of what each watch told. It refuses
to know the clients: a language is a command line.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import shutil
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[3]
BUILD_SECONDS: Final = 120.0
END_SECONDS: Final = 5.0
LINE_BYTES: Final = 64 * 1024 * 1024
STDERR_LINES: Final = 60
LANGUAGES: Final = ("python", "go", "typescript")


class Missing(Exception):
    """A language's toolchain or puppet is not here; the text says what."""


class BuildFailed(Exception):
    """A puppet cannot be built; the text is the compiler's."""


async def built(language: str, folder: Path) -> list[str]:
    """The command that starts a language's puppet, built anew.

    Raises:
        Missing: What it needs is not installed.
        BuildFailed: It does not compile.
    """
    command, sources = await _BUILDS[language](folder)
    if not sources.exists():
        raise Missing(f"{sources.relative_to(ROOT)} is not there")
    return command


async def _python(folder: Path) -> tuple[list[str], Path]:
    program = ROOT / "tests/clients/puppets/puppet.py"
    return [sys.executable, "-u", str(program)], program


async def _go(folder: Path) -> tuple[list[str], Path]:
    sources, program = ROOT / "clients/go/internal/puppet", folder / "puppet"
    if shutil.which("go") is None:
        raise Missing("go is not installed")
    if sources.exists():
        await _run(
            ROOT / "clients/go",
            "go",
            "build",
            "-trimpath",
            "-buildvcs=false",
            "-o",
            str(program),
            "./internal/puppet",
        )
    return [str(program)], sources


async def _typescript(folder: Path) -> tuple[list[str], Path]:
    home = ROOT / "clients/ts"
    sources = home / "test/puppet.ts"
    if shutil.which("node") is None or not (home / "node_modules").exists():
        raise Missing("node is not installed, or its packages are not (npm ci in clients/ts)")
    if sources.exists():
        await _run(home, "node_modules/.bin/tsc", "-p", "tsconfig.test.json")
    return ["node", "--enable-source-maps", str(home / "dist/tests/test/puppet.js")], sources


_BUILDS: Final[dict[str, Callable[[Path], Awaitable[tuple[list[str], Path]]]]] = {
    "python": _python,
    "go": _go,
    "typescript": _typescript,
}


async def _run(folder: Path, *command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(BUILD_SECONDS):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise BuildFailed(f"{' '.join(command)} in {folder}:\n{said.decode(errors='replace')}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command answered: `ok`, or `error` as the protocol has it; and after how many seconds."""

    ok: dict[str, Any] | None
    error: dict[str, Any]
    seconds: float


@dataclass(slots=True)
class WatchLog:
    """What one watch told.

    Attributes:
        states: (state, `time.monotonic()`), in order; every watch begins connecting, which is no change and not told.
        changes: Change events, in order.
        resets: Reset events, in order.
        error: The error that ended it.
    """

    states: list[tuple[str, float]] = field(default_factory=lambda: [("connecting", time.monotonic())])
    changes: list[dict[str, Any]] = field(default_factory=list)
    resets: list[dict[str, Any]] = field(default_factory=list)
    error: dict[str, Any] | None = None

    @property
    def state(self) -> str:
        return self.states[-1][0]

    def take(self, event: dict[str, Any]) -> None:
        """Notes one event."""
        match event["event"]:
            case "state":
                self.states.append((event["state"], time.monotonic()))
            case "change":
                self.changes.append(event)
            case "reset":
                self.resets.append(event)
            case "error":
                self.error = event["error"]
            case other:
                raise ValueError(f"the puppet tells an unknown event {other!r}")


class Puppet:
    """One running puppet.

    Args:
        language: Its name, for messages.
        command: What starts it.
    """

    def __init__(self, language: str, command: list[str]) -> None:
        self.language, self._command = language, command
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._stderr: deque[str] = deque(maxlen=STDERR_LINES)
        self._tasks: list[asyncio.Task[None]] = []
        self._process: asyncio.subprocess.Process | None = None
        self.watches: dict[str, WatchLog] = {}
        self.fault = ""
        """Why it is of no use any more."""

    async def start(self) -> None:
        """Starts the program."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command, cwd=ROOT, limit=LINE_BYTES,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._tasks = [
            asyncio.create_task(self._listen(self._process.stdout)),
            asyncio.create_task(self._keep(self._process.stderr)),
        ]

    def tell(self, do: str, **words: Any) -> tuple[int, asyncio.Future[dict[str, Any]]]:
        """Gives a command; its id, and the future of its answer."""
        assert self._process is not None
        assert self._process.stdin is not None
        ident = next(self._ids)
        future = asyncio.get_running_loop().create_future()
        if self.fault:
            future.set_exception(AssertionError(self.fault))
            return ident, future
        self._waiting[ident] = future
        self._process.stdin.write(json.dumps({"id": ident, "do": do, **words}).encode() + b"\n")
        return ident, future

    async def ask(self, do: str, *, within: float, **words: Any) -> Answer:
        """Gives a command and waits for its answer."""
        _, future = self.tell(do, **words)
        return await self.answer(future, within=within)

    async def answer(self, future: asyncio.Future[dict[str, Any]], *, within: float) -> Answer:
        """Waits for an answer."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(within):
                told = await future
        except TimeoutError:
            raise AssertionError(f"no answer within {within:g} s") from None
        return Answer(ok=told.get("ok"), error=told.get("error") or {}, seconds=time.monotonic() - began)

    def watch(self, name: str) -> WatchLog:
        """What a watch told so far."""
        return self.watches.setdefault(name, WatchLog())

    def stderr(self) -> str:
        """The last lines of its standard error."""
        return "\n".join(self._stderr)

    async def close(self) -> int:
        """Ends it by closing its input; the code that it ended with. One that does not end is killed."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(END_SECONDS):
                code = await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            code = await self._process.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        return code

    async def _listen(self, stdout: asyncio.StreamReader) -> None:
        try:
            async for line in stdout:
                self._take(json.loads(line))
            self._fail("the puppet has ended")
        except (ValueError, KeyError) as error:
            self._fail(f"the puppet's output cannot be read: {error!r}")

    def _take(self, told: dict[str, Any]) -> None:
        if "event" in told:
            self.watch(told["watch"]).take(told)
            return
        future = self._waiting.pop(told["id"])
        if not future.done():
            future.set_result(told)

    def _fail(self, why: str) -> None:
        self.fault = f"{why}; its standard error:\n{self.stderr()}"
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(AssertionError(self.fault))
        self._waiting.clear()

    async def _keep(self, stderr: asyncio.StreamReader) -> None:
        async for line in stderr:
            self._stderr.append(line.decode(errors="replace").rstrip())
