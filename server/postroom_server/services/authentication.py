"""Who a bearer token is: look-ups with a small cache.

It owns the trade between the store's load and how soon a revocation bites: a token is believed for CACHE_SECONDS, on
open streams for STREAM_CACHE_SECONDS. It refuses to compare secrets: the SHA-256 of what was presented is looked up, the
same work for known and unknown ones (threats T15, T17).
"""

from __future__ import annotations

import time
from collections import OrderedDict
from contextlib import suppress
from typing import Final, Generic, TypeVar

from postroom_server.domain.ports import Clock
from postroom_server.domain.tokens import Token, TokenStore, secret_hash, well_formed
from postroom_server.errors import PostroomError, TokenInvalid, TokenMissing
from postroom_server.ids import TokenId

CACHE_SECONDS: Final = 5.0
STREAM_CACHE_SECONDS: Final = 2.0
MAX_CACHED: Final = 10_000
TOUCH_SECONDS: Final = 60.0
"""A token's last use is written down at most this often."""

_Key = TypeVar("_Key")


class _Cache(Generic[_Key]):
    """At most MAX_CACHED answers, each for a while; the one that was put in first goes first."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._entries: OrderedDict[_Key, tuple[float, Token | None]] = OrderedDict()

    def get(self, key: _Key) -> tuple[bool, Token | None]:
        """(whether there is an answer, the answer)."""
        entry = self._entries.get(key)
        if entry is None or entry[0] < time.monotonic():
            return False, None
        return True, entry[1]

    def put(self, key: _Key, token: Token | None) -> None:
        self._entries.pop(key, None)
        self._entries[key] = (time.monotonic() + self._seconds, token)
        while len(self._entries) > MAX_CACHED:
            self._entries.popitem(last=False)

    def forget(self, token: TokenId) -> None:
        for key in [key for key, (_, held) in self._entries.items() if held is not None and held.id == token]:
            del self._entries[key]


class Authenticator:
    """Turns what a caller presents into a token's record.

    Args:
        tokens: Where records are kept.
        clock: For expiry.
    """

    def __init__(self, tokens: TokenStore, clock: Clock) -> None:
        self._tokens, self._clock = tokens, clock
        self._known: _Cache[bytes] = _Cache(CACHE_SECONDS)
        self._unknown: _Cache[bytes] = _Cache(CACHE_SECONDS)
        self._held: _Cache[TokenId] = _Cache(STREAM_CACHE_SECONDS)
        self._touched: OrderedDict[TokenId, float] = OrderedDict()

    async def authenticate(self, authorization: str | bytes | None) -> Token:
        """The token of an `authorization` header.

        Raises:
            TokenMissing: There is none, or it is not a bearer token.
            TokenInvalid: It is unknown, revoked or expired.
            StoreUnavailable: It cannot be looked up now.
        """
        if not isinstance(authorization, str) or not authorization:
            raise TokenMissing
        kind, _, secret = authorization.partition(" ")
        if kind.lower() != "bearer" or not secret:
            raise TokenMissing
        if not well_formed(secret):
            raise TokenInvalid
        digest = secret_hash(secret)
        hit, token = self._known.get(digest)
        if not hit:
            hit, token = self._unknown.get(digest)
        if not hit:
            token = await self._tokens.by_secret(digest)
            (self._unknown if token is None else self._known).put(digest, token)
        if token is None or self._expired(token):
            raise TokenInvalid
        await self._touch(token)
        return token

    async def still_valid(self, token: Token) -> bool:
        """Whether a token that was let in may go on; streams ask every few seconds. Raises StoreUnavailable."""
        hit, held = self._held.get(token.id)
        if not hit:
            held = await self._tokens.get(token.id)
            self._held.put(token.id, held)
        return held is not None and not self._expired(held)

    def forget(self, token: TokenId) -> None:
        """Drops what is cached of a token that was revoked here."""
        self._known.forget(token)
        self._held.forget(token)

    def _expired(self, token: Token) -> bool:
        return token.expire_time is not None and token.expire_time <= self._clock.now()

    async def _touch(self, token: Token) -> None:
        now = time.monotonic()
        if self._touched.get(token.id, -TOUCH_SECONDS) + TOUCH_SECONDS > now:
            return
        self._touched[token.id] = now
        while len(self._touched) > MAX_CACHED:
            self._touched.popitem(last=False)
        # The last use is for people to read; a store that is busy must not fail the call.
        with suppress(PostroomError):
            await self._tokens.touch(token.id, self._clock.now())
