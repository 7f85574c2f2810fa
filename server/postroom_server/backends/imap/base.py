"""The one place that imports aioimaplib: its two classes, typed, less what they keep and nobody here uses.

Owns the base of `protocol.py` and `connection.py`: transport, tags, state names. Refuses its receiving and executing
halves: they rescan what they have read, alter message text, lose untagged data and never end on BYE.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aioimaplib import IMAP4, IMAP4ClientProtocol
from aioimaplib.aioimaplib import AUTH, LOGOUT, NONAUTH

__all__ = ["AUTH", "LOGOUT", "NONAUTH", "BaseClient", "BaseProtocol"]


class BaseProtocol(IMAP4ClientProtocol):  # type: ignore[misc]  # aioimaplib has no types
    """Transport, state and tags of one connection."""

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport | None
    state: str

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop, None)
        # Queue, condition and event of the replaced half: 6 KiB of every idle connection.
        del self.state_condition, self.idle_queue, self._idle_event, self.pending_async_commands, self.tasks

    def next_tag(self) -> bytes:
        """Return a tag that this connection has not used yet."""
        tag: str = self.new_tag()
        return tag.encode("ascii")


class BaseClient(IMAP4):  # type: ignore[misc]  # aioimaplib has no types
    """Host, port and protocol of one connection; subclasses make the protocol in `make_protocol`."""

    host: str
    port: int

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port, asyncio.get_running_loop())

    def create_client(self, host: str, port: int, loop: asyncio.AbstractEventLoop, *others: Any) -> None:
        """Make the protocol; the base would also connect, but there is no checked address yet."""
        self.make_protocol(loop)

    def make_protocol(self, loop: asyncio.AbstractEventLoop) -> None:
        """Set `self.protocol`."""
        raise NotImplementedError
