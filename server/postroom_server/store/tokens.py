"""TokenStore: bearer tokens by id and by the SHA-256 of their secret.

It owns their records and indexes and refuses secrets: what is stored cannot be used as a token.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from postroom_server.domain.tokens import Token
from postroom_server.ids import TokenId
from postroom_server.store import records
from postroom_server.store.connection import Connection
from postroom_server.store.keys import TokenKeys
from postroom_server.store.scripts.tokens import TokenFind, TokenPut, TokenRevoke, TokenTouch


class Tokens:
    """Bearer tokens in Redis."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(self, token: Token, secret_sha256: bytes) -> None:
        """Stores a token; one with the same id is replaced, and its secret no longer works."""
        record = records.encode_token(token)
        await self._connection.run(TokenPut(token=token.id, secret=secret_sha256.hex(), record=record))

    async def by_secret(self, secret_sha256: bytes) -> Token | None:
        """The token of a secret; None: unknown or revoked. An expired one is told as it is."""
        reply = await self._connection.run(TokenFind(secret=secret_sha256.hex()))
        if reply[0] != b"OK":
            return None
        return _token(TokenId(reply[1].decode()), reply[2], reply[3])

    async def get(self, token: TokenId) -> Token | None:
        """One token."""
        record, last_use = await self._connection.do("HMGET", TokenKeys.prefix + token, "r", "u")
        return None if record is None else _token(token, record, last_use)

    async def page(self, after: str, limit: int) -> Sequence[Token]:
        """Ordered by id, greater than `after`."""
        found = await self._connection.do("ZRANGEBYLEX", TokenKeys.ids, f"({after}", "+", "LIMIT", 0, limit)
        ids = [TokenId(one.decode()) for one in found]
        replies = await self._connection.batch([("HMGET", TokenKeys.prefix + one, "r", "u") for one in ids])
        return [
            _token(one, record, last_use)
            for one, (record, last_use) in zip(ids, replies, strict=True)
            if record is not None
        ]

    async def revoke(self, token: TokenId) -> bool:
        """Whether it existed."""
        reply = await self._connection.run(TokenRevoke(token=token))
        return reply[0] == b"OK"

    async def touch(self, token: TokenId, now: datetime) -> None:
        """Notes its use, at most once a minute by the caller."""
        await self._connection.run(TokenTouch(token=token, now_ms=records.microseconds(now) // 1_000))


def _token(token: TokenId, record: bytes, last_use: bytes | None) -> Token:
    ms = int(last_use or 0)
    return records.decode_token(token, record, records.time_or_none(ms * 1_000))
