"""Programs that live with this process: started, kept running, and gone when it is gone.

It owns one child's life: its session and log, its death with its parent (Linux: PR_SET_PDEATHSIG), restarts with
back-off, and its end within a bound. It refuses to know what the programs are (`up.py` does).

The kernel sends the parent-death signal when the *thread* that forked ends: children are started on the main thread.

See Also:
    prctl(2), PR_SET_PDEATHSIG.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

FIRST_DELAY = 0.1
"""Seconds before the first restart; doubled with each one that follows."""
MAX_DELAY = 5.0
"""Seconds between restarts at most."""
HEALTHY_AFTER = 30.0
"""Seconds of life after which the next death counts as the first."""
MAX_LOG_BYTES = 16 * 1024 * 1024
"""A log that is larger is set aside as `.1`, over the one before."""
TAIL_BYTES = 2000
"""Bytes of a log that an error shows."""
AFTER_DEATH_TIMEOUT = 2.0
"""Seconds that the work between a death and the restart may take."""

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run.

    Attributes:
        name: For people and for the log's file name.
        command: The command line.
        environment: Its whole environment.
        log: File that takes standard output and standard error.
        after_death: Awaited with the dead process's id before each restart, at most `AFTER_DEATH_TIMEOUT`.
        settled: Awaited after each start, until the program serves; cancelled when it dies before.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    after_death: Callable[[int], Awaitable[None]]
    settled: Callable[[int], Awaitable[None]]


def delays() -> Iterator[float]:
    """Seconds to wait before one restart after the other."""
    delay = FIRST_DELAY
    while True:
        yield delay
        delay = min(delay * 2, MAX_DELAY)


class Child:
    """One program and its present process.

    Args:
        program: What to run.
        settled: Called each time a started program serves.
    """

    def __init__(self, program: Program, settled: Callable[[], None]) -> None:
        self._program = program
        self._settled = settled
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self.deaths = 0
        """Processes that ended by themselves."""
        self.is_settled = asyncio.Event()
        """Set while the present process serves."""

    def __repr__(self) -> str:
        return f"<Child {self.name} pid={self.pid} deaths={self.deaths}>"

    @property
    def name(self) -> str:
        """The program's name."""
        return self._program.name

    @property
    def pid(self) -> int | None:
        """The last process that was started, None before the first."""
        return None if self._process is None else self._process.pid

    async def run(self) -> None:
        """Starts the program and starts it again whenever it ends, until `stop`."""
        clock = asyncio.get_running_loop().time
        waits = delays()
        while not self._stopping.is_set():
            began = clock()
            try:
                pid, code = await self._live()
            except (OSError, subprocess.SubprocessError) as error:
                self.deaths += 1
                say(f"{self.name} cannot be started: {error}")
            else:
                if self._stopping.is_set():
                    return
                self.deaths += 1
                say(f"{self.name} ended ({_how(code)}), process {pid}; starting it again")
                await self._clean_up(pid)
            if clock() - began >= HEALTHY_AFTER:
                waits = delays()
            with suppress(TimeoutError):
                async with asyncio.timeout(next(waits)):
                    await self._stopping.wait()

    async def _clean_up(self, pid: int) -> None:
        try:
            async with asyncio.timeout(AFTER_DEATH_TIMEOUT):
                await self._program.after_death(pid)
        except Exception as error:  # noqa: BLE001 - whatever it is, the program has to come back
            say(f"{self.name}: clean-up after its end failed: {error!r}")

    async def _live(self) -> tuple[int, int]:
        """One process from start to end: its id and return code."""
        with self._program.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *self._program.command,
                env=self._program.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with(os.getpid()),
            )
        self._process = process
        if self._stopping.is_set():
            process.kill()
        settling = asyncio.create_task(self._settle(process.pid))
        try:
            return process.pid, await process.wait()
        finally:
            _end_session(process.pid)
            self.is_settled.clear()
            settling.cancel()
            await asyncio.gather(settling, return_exceptions=True)

    async def _settle(self, pid: int) -> None:
        await self._program.settled(pid)
        self.is_settled.set()
        self._settled()

    async def stop(self, within: float) -> None:
        """Asks the program to end, and ends it after `within` seconds with everything in its session."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(within):
                await process.wait()
        except TimeoutError:
            say(f"{self.name} did not stop within {within:g} s; killed")
        finally:
            _end_session(process.pid)
        await process.wait()

    def trim_log(self) -> None:
        """Sets a log that has grown too large aside; the program appends to it, so that it goes on at its new end."""
        log = self._program.log
        with suppress(OSError):
            if log.stat().st_size > MAX_LOG_BYTES:
                shutil.copyfile(log, log.with_name(log.name + ".1"))
                os.truncate(log, 0)

    def tail(self) -> str:
        """The last lines of the program's log."""
        try:
            text = self._program.log.read_bytes()[-TAIL_BYTES:].decode("utf-8", "replace")
        except OSError:
            return ""
        return text.strip()


def _end_session(leader: int) -> None:
    """Ends what a program started and left behind, and the program itself where it still runs."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def _die_with(parent: int) -> Callable[[], None] | None:
    """What a child does between fork and exec: ask for SIGKILL at its parent's end."""
    libc = _LIBC
    if libc is None:
        return None

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:  # it ended before we asked
            os._exit(1)

    return ask


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit {code}"


def say(text: str) -> None:
    """Tells the terminal, if there still is one."""
    with suppress(OSError):
        print(f"postroom: {text}", file=sys.stderr, flush=True)  # noqa: T201 - people read it
