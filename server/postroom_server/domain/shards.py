"""Shards: which one an account lives in, and which node is wanted for it.

It owns two pure functions. shard = first 8 bytes of SHA-256(account id) mod S, so that every program that knows S finds
an account's keys; the wanted node is the highest of a hash over (node, shard) (rendezvous hashing), so that a node that
comes or goes moves only its share.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from postroom_server.domain.storage import Nonce, Shard
from postroom_server.ids import AccountId

SHARD_COUNTS: Final = (64, 256, 1_024)
DEFAULT_SHARD_COUNT: Final = 256


def shard_of(account: AccountId, count: int) -> Shard:
    """The shard of an account among `count`."""
    return Shard(int.from_bytes(hashlib.sha256(account.encode()).digest()[:8], "big") % count)


def wanted_owner(shard: Shard, nodes: Iterable[Nonce]) -> Nonce | None:
    """The node that should hold the shard, None when there is none."""
    return max(
        nodes,
        key=lambda node: hashlib.blake2b(f"{node}/{shard}".encode(), digest_size=8).digest(),
        default=None,
    )
