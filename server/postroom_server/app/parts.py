"""What `postroom up` is asked for, and what it runs and calls: the seam between the supervisor and the rest.

It owns the options and the defaults behind them. It refuses to import the store's client or gRPC before they are
needed, since the supervisor's own start counts.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from postroom_server.app.places import Places


class StartFailed(Exception):
    """Postroom did not come up; the text says why, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """What `postroom up` is asked for.

    Attributes:
        data: The data folder.
        port: The gateway's port; 0 takes a free one.
        memory: What the store may hold, in Valkey's units; empty is its default.
        durability: What an accepted submission survives: `kill` or `fsync`.
        redis_url: A store that somebody else operates; None starts Valkey in the data folder.
        tls: Certificate chain and private key of the gateway, PEM; None serves without TLS.
        cors_origins: Origins whose browsers may call; empty means those of this machine.
    """

    data: Path
    host: str = "127.0.0.1"
    port: int = 8080
    nodes: int = 1
    dev: bool = False
    memory: str = ""
    durability: str = "kill"
    redis_url: str | None = None
    cors_origins: tuple[str, ...] = ()
    tls: tuple[Path, Path] | None = None


NODE_DRAIN = 2.0
"""Seconds that calls of a node may go on after SIGTERM: the whole of `postroom up` ends within five."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """What a node is told: its number, its socket, and the folder with the key and its own state file."""

    index: int
    listen: str
    places: Places
    dev: bool


def node_command(spec: NodeSpec) -> list[str]:
    """The command line of a node; the store's URL travels in the environment, since it may hold a password."""
    return [
        *(sys.executable, "-c", _RUN_NODE),
        *("--index", str(spec.index), "--listen", spec.listen, "--admin", "127.0.0.1:0"),
        *("--data", str(spec.places.data), "--key-file", str(spec.places.key)),
        *("--drain-seconds", str(NODE_DRAIN)),
        *(["--dev"] if spec.dev else []),
    ]


_RUN_NODE = "import sys; from postroom_server.app.commands import node; sys.exit(node(sys.argv[1:]))"
"""Without the script's search for subcommands, which costs a tenth of the start."""


async def release_leases(redis_url: str, nonce: str) -> None:
    """Releases the leases of a process that is known to be dead."""
    from postroom_server.app.release import release_node  # noqa: PLC0415 - the store's client is slow to import

    await release_node(redis_url, nonce)


async def ensure_token(redis_url: str, key: Path, token: Path) -> None:
    """Writes an admin token that the store knows to `token`, unless the one in it is good."""
    from postroom_server.app.bootstrap import ensure_admin_token  # noqa: PLC0415 - as above

    await ensure_admin_token(redis_url=redis_url, key_file=key, token_file=token)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the supervisor runs and calls."""

    node_command: Callable[[NodeSpec], list[str]] = node_command
    release: Callable[[str, str], Awaitable[None]] = release_leases
    ensure_token: Callable[[str, Path, Path], Awaitable[None]] = ensure_token
