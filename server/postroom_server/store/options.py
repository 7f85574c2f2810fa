"""Limits and waits of the store that an operator may set; each has a named default here and nowhere else.

It owns numbers and refuses to read the environment (the wiring hands them in).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FEED_AGE_MS: Final = 7 * 24 * 3_600_000
"""How long an entry is kept."""
FEED_BYTES: Final = 8 * 1024 * 1024
"""Bytes of entries that are kept per account."""
GRAVE_MS: Final = 55_000
"""How long the feed of a deleted account can still be read; below the 60 s after which nothing may be left."""
LEASE_MS: Final = 10_000
NODE_FRESH_MS: Final = 10_000
"""After this silence a node counts as gone."""
OUTBOX_ITEMS: Final = 1_000
"""Submissions of one account that are not final."""
OUTBOX_BYTES: Final = 512 * 1024 * 1024
"""Bytes of their messages."""
MESSAGE_BYTES: Final = 32 * 1024 * 1024
"""Bytes of one message, to be sent or in the sandbox."""
SANDBOX_MESSAGES: Final = 1_000
"""Messages of one sandbox account."""
CONNECTIONS: Final = 16
"""Connections of one node to the store; more calls than that wait for a free one."""
POOL_WAIT_S: Final = 5.0
CONNECT_S: Final = 2.0
COMMAND_S: Final = 5.0
"""A command that takes longer has an unknown outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Limits and waits of one store."""

    feed_age_ms: int = FEED_AGE_MS
    feed_bytes: int = FEED_BYTES
    grave_ms: int = GRAVE_MS
    lease_ms: int = LEASE_MS
    node_fresh_ms: int = NODE_FRESH_MS
    outbox_items: int = OUTBOX_ITEMS
    outbox_bytes: int = OUTBOX_BYTES
    message_bytes: int = MESSAGE_BYTES
    sandbox_messages: int = SANDBOX_MESSAGES
    connections: int = CONNECTIONS
    pool_wait_s: float = POOL_WAIT_S
    connect_s: float = CONNECT_S
    command_s: float = COMMAND_S
    allow_volatile: bool = False
    """Run on a server that keeps nothing over a restart, or that evicts keys."""
    require_fsync: bool = False
    """Refuse a server that does not sync each write to its disk."""
