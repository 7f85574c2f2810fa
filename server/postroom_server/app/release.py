"""Gives back the leases of a node that is known to be dead, so that nobody waits for them to run out.

Only a supervisor that has waited for the process may ask this (systemd: ExecStopPost): a nonce belongs to one process.
"""

from __future__ import annotations

from postroom_server.domain.storage import Nonce
from postroom_server.store import release


async def release_node(redis_url: str, nonce: str) -> int:
    """Releases what the nonce holds; the number of shards."""
    return await release(redis_url, Nonce(nonce))
