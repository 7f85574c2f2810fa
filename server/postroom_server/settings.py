"""Settings of one node: read once from arguments and environment, checked once, handed in.

It owns the names of the environment variables, their defaults and their bounds, and refuses to be read globally: the
wiring gets a `Settings` and gives each part what it needs. A secret is never a setting; settings name the file that
holds it.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeAlias

PREFIX: Final = "POSTROOM_"
MAX_VALUE: Final = 4_096
"""Characters of one environment variable that we look at."""
MAX_SOCKET_PATH: Final = 107
"""Bytes of a unix socket's path (unix(7))."""
SHARD_COUNTS: Final = (64, 256, 1_024)

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


class SettingInvalid(ValueError):
    """A setting cannot be used.

    Args:
        name: The environment variable.
        problem: What is wrong with its value; the value itself is not repeated.
    """

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}: {problem}")
        self.name = name


class Durability(StrEnum):
    """What a submission must have survived before it is accepted."""

    KILL = "kill"
    """kill -9 of every process; power loss may take the last second."""
    FSYNC = "fsync"
    """Power loss too; the store must run with `appendfsync always`."""


class LogLevel(StrEnum):
    """The least severe line that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of one node.

    Addresses are `host:port` or `unix:///absolute/path`. Times are seconds.
    """

    redis_url: str = "redis://127.0.0.1:6379/0"
    listen: str = "127.0.0.1:7070"
    advertise: str = ""
    """Where other nodes reach this one; empty: `listen`."""
    admin: str = "127.0.0.1:7071"
    key_file: Path = Path("key")
    """32 random bytes: seals secrets and makes ids; must outlive the store."""
    name: str = ""
    """Shown by GetServerInfo; empty: the host's name and the process id."""
    data: Path | None = None
    """Folder where the node writes its nonce, for the supervisor; None: nowhere."""
    index: int = 1
    """Which node of its supervisor this is."""
    shards: int = 256
    """Taken at the first start of a store only."""
    dev: bool = False
    """Mail servers on this machine are allowed, on any port and without TLS, and reflection is on. Private networks are
    not: `allow_networks` lists those."""
    allow_networks: tuple[Network, ...] = ()
    """Networks of mail servers that may be connected to although they are private; what is not public and not listed is
    refused, with `dev` but for loopback."""
    ca_file: Path | None = None
    """PEM file of further authorities that may certify mail servers; None: the system's alone."""
    reflection: bool = False
    durability: Durability = Durability.KILL
    log_level: LogLevel = LogLevel.INFO
    log_json: bool = True
    drain_seconds: float = 4.0
    """How long calls may go on after SIGTERM."""
    retention_seconds: float = 7 * 24 * 3600.0
    """How long a change stays readable; published by GetServerInfo."""

    @property
    def peers_address(self) -> str:
        """Where other nodes reach this one."""
        return self.advertise or self.listen

    @property
    def shown_name(self) -> str:
        """The node's name for people."""
        return self.name or f"{socket.gethostname()}-{os.getpid()}"

    @classmethod
    def read(cls, environment: Mapping[str, str], given: Mapping[str, object] | None = None) -> Settings:
        """Settings of arguments over those of the environment over the defaults.

        Args:
            environment: `POSTROOM_<FIELD>` in capitals, such as `POSTROOM_LOG_LEVEL`; unknown ones are other parts'.
            given: Values by field name, as text or already typed; None means not given.

        Raises:
            SettingInvalid: A value is not of its form or out of its bounds.
        """
        values: dict[str, Any] = {}
        for one in fields(cls):
            variable = PREFIX + one.name.upper()
            value = (given or {}).get(one.name)
            if value is None:
                value = environment.get(variable)
            if value is None or value == "":
                continue
            values[one.name] = _read(variable, _READERS[one.name], value) if isinstance(value, str) else value
        made = cls(**values)
        made.check()
        return made

    def check(self) -> None:
        """Raises SettingInvalid where values do not go together or are out of bounds."""
        if self.shards not in SHARD_COUNTS:
            raise SettingInvalid("POSTROOM_SHARDS", f"must be one of {SHARD_COUNTS}")
        if not 0 <= self.drain_seconds <= 300:
            raise SettingInvalid("POSTROOM_DRAIN_SECONDS", "must be 0 to 300")
        if not 3_600 <= self.retention_seconds <= 90 * 86_400:
            raise SettingInvalid("POSTROOM_RETENTION_SECONDS", "must be an hour to 90 days")
        if not 1 <= self.index <= 1_000:
            raise SettingInvalid("POSTROOM_INDEX", "must be 1 to 1000")


def _read(variable: str, reader: Callable[[str], object], text: str) -> object:
    if len(text) > MAX_VALUE:
        raise SettingInvalid(variable, f"is longer than {MAX_VALUE} characters")
    try:
        return reader(text.strip())
    except ValueError as error:
        raise SettingInvalid(variable, str(error)) from None


def _text(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds a character that cannot be printed")
    return text


def _url(text: str) -> str:
    if not re.match(r"(redis|rediss|unix)://", text):
        raise ValueError("must begin with redis://, rediss:// or unix://")
    return _text(text)


def address(text: str) -> str:
    """`host:port` or `unix:///absolute/path`, checked; raises ValueError."""
    if text.startswith("unix:"):
        path = text.removeprefix("unix:").removeprefix("//")
        if not path.startswith("/") or len(path.encode()) > MAX_SOCKET_PATH:
            raise ValueError(f"must be unix:// with an absolute path of at most {MAX_SOCKET_PATH} bytes")
        return f"unix://{path}"
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65_535:
        raise ValueError("must be host:port or unix:///path")
    return text


def _flag(text: str) -> bool:
    known = {
        "1": True,
        "true": True,
        "yes": True,
        "on": True,
        "0": False,
        "false": False,
        "no": False,
        "off": False,
    }
    if text.lower() not in known:
        raise ValueError("must be true or false")
    return known[text.lower()]


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(one.strip()) for one in text.split(",") if one.strip())


_READERS: Final[Mapping[str, Callable[[str], object]]] = {
    "redis_url": _url,
    "listen": address,
    "advertise": address,
    "admin": address,
    "key_file": Path,
    "name": _text,
    "data": Path,
    "index": int,
    "shards": int,
    "dev": _flag,
    "allow_networks": _networks,
    "ca_file": Path,
    "reflection": _flag,
    "durability": Durability,
    "log_level": LogLevel,
    "log_json": _flag,
    "drain_seconds": float,
    "retention_seconds": float,
}
