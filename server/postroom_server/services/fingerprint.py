"""Fingerprints of requests: whether a request id came with the same body before.

It owns what counts as the same: the deterministic bytes of the parts that matter, hashed under the server's key, so that
a fingerprint in the store says nothing about passwords or texts.
"""

from __future__ import annotations

import hashlib

from google.protobuf.message import Message


class Fingerprints:
    """Makes fingerprints under one key.

    Args:
        key: At least 16 bytes, the same on every node.
    """

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = hashlib.blake2b(key, person=b"postroom-prints", digest_size=32).digest()

    def of(self, *parts: Message | bytes | str) -> str:
        """The fingerprint of some messages and texts, in this order."""
        state = hashlib.blake2b(key=self._key, digest_size=24)
        for part in parts:
            if isinstance(part, Message):
                raw = part.SerializeToString(deterministic=True)
            else:
                raw = part.encode() if isinstance(part, str) else part
            state.update(len(raw).to_bytes(8, "big"))
            state.update(raw)
        return state.hexdigest()
