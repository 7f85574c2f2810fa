"""Files of one data folder: where they lie, and how they are written.

It owns the layout of `postroom up`'s folder, the lock that keeps a second supervisor out, and atomic writes. It refuses
to know what the files mean to others.

    DIR/lock            held by the supervisor (flock)      DIR/up.json       what runs, where (removed at the end)
    DIR/key             32 random bytes, 0600               DIR/token         an admin token, 0600
    DIR/curl            options for curl, with the token: 0600
    DIR/node-N.json     written by node N at its start      DIR/envoy.json    the gateway's rendered configuration
    DIR/log/*.log       output of each part                 DIR/valkey/       the store's files
    DIR/run/*.sock      sockets, or a 0700 folder of the system's temporary directory when DIR lies too deep
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KEY_BYTES = 32
MAX_SOCKET_PATH = 107
"""Bytes of a unix socket's path: sun_path less its terminating zero (unix(7))."""
MAX_STATE_BYTES = 64 * 1024
"""Bytes of a node's state file that are read."""
LONGEST_SOCKET = "envoy-admin.sock"


class FolderInUse(Exception):
    """Another supervisor runs on this folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The paths of one data folder."""

    data: Path
    sockets: Path

    @property
    def key(self) -> Path:
        """The key that encrypts secrets in the store."""
        return self.data / "key"

    @property
    def token(self) -> Path:
        """The admin token."""
        return self.data / "token"

    @property
    def curl(self) -> Path:
        """Options for curl, with the admin token."""
        return self.data / "curl"

    @property
    def up(self) -> Path:
        """What runs, and where."""
        return self.data / "up.json"

    @property
    def envoy(self) -> Path:
        """The gateway's rendered configuration."""
        return self.data / "envoy.json"

    @property
    def valkey(self) -> Path:
        """The store's folder."""
        return self.data / "valkey"

    def log(self, name: str) -> Path:
        """The log of one part."""
        return self.data / "log" / f"{name}.log"

    def node_state(self, index: int) -> Path:
        """What node `index` says of itself: `nonce`, `pid`, `address`, `admin`."""
        return self.data / f"node-{index}.json"

    def node_states(self) -> list[Path]:
        """The state files of all nodes that ever ran here."""
        return sorted(self.data.glob("node-*.json"))

    def socket(self, name: str) -> Path:
        """The unix socket of one part."""
        return self.sockets / f"{name}.sock"

    def remove_sockets(self) -> None:
        """Removes the sockets; harmless when they are gone."""
        shutil.rmtree(self.sockets, ignore_errors=True)


def prepare(data: Path) -> Places:
    """Makes the folders, 0700, and the key.

    Raises:
        OSError: The folder cannot be made or written.
    """
    data = data.absolute()
    for folder in (data, data / "log", data / "valkey"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(PermissionError):  # a folder that is lent to us keeps its owner's mode
            folder.chmod(0o700)
    sockets = data / "run"
    if len(os.fsencode(sockets / LONGEST_SOCKET)) > MAX_SOCKET_PATH:
        sockets = _short_folder()
    else:
        sockets.mkdir(mode=0o700, exist_ok=True)
    places = Places(data=data, sockets=sockets)
    if not places.key.exists():
        write_new_key(places.key)
    return places


def write_new_key(path: Path) -> None:
    """Writes a key, 0600.

    Raises:
        OSError: Also when there is a file already: what its key sealed would be lost.
    """
    if path.exists():
        raise FileExistsError(errno.EEXIST, "there is a key already", str(path))
    write_secret(path, secrets.token_bytes(KEY_BYTES))


def _short_folder() -> Path:
    for parent in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - mkdtemp makes a folder of our own, 0700
        if len(os.fsencode(Path(parent) / "postroom-12345678" / LONGEST_SOCKET)) <= MAX_SOCKET_PATH:
            return Path(tempfile.mkdtemp(prefix="postroom-", dir=parent))
    raise OSError("no folder is short enough for unix sockets")


def lock(data: Path) -> int:
    """Locks the folder for this process; the lock goes when the descriptor is closed or the process ends.

    Raises:
        FolderInUse: Another process holds it.
    """
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.read(descriptor, 20).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise FolderInUse(
            f"postroom is up on {data} already (process {owner or 'unknown'}); see {data / 'up.json'}"
        ) from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


def write_secret(path: Path, content: bytes) -> None:
    """Writes a file that only its owner reads (0600), whole or not at all, over what was there."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        temporary.unlink()
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, content: object) -> None:
    """Writes JSON atomically, 0600."""
    write_secret(path, json.dumps(content, indent=2).encode() + b"\n")


def read_state(path: Path) -> dict[str, Any]:
    """A node's state file; empty while there is none that can be read."""
    try:
        with path.open("rb") as file:
            state = json.loads(file.read(MAX_STATE_BYTES))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}
