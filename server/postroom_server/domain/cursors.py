"""Cursors and page tokens: opaque, signed, storable places in a feed.

It owns their form: kind, the store's lineage, what they are bound to, the place, a keyed check. It refuses to look
anything up. Two kinds: of one account (incarnation, sequence), and of all accounts: a place per shard, written as a base
that most shards have reached and the few that differ, so that it stays small however many accounts there are.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from postroom_server.domain.storage import PointerId, Shard
from postroom_server.errors import CursorForeign, CursorMalformed
from postroom_server.ids import AccountId

MAX_CURSOR_CHARACTERS: Final = 8_192
_MAC: Final = 8
_LINEAGE: Final = 6
_BINDING: Final = 6
_ACCOUNT: Final = 1
_SITE: Final = 2
_LAST: Final = (1 << 63) - 1
"""The largest n of a pointer id: (ms, _LAST) is behind everything of that millisecond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPlace:
    """Everything up to and including `sequence` has been handed over."""

    incarnation: str
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ShardPlace:
    """Everything up to the pointer `at` has been handed over, and `skip` entries of the pointer after it."""

    at: PointerId
    skip: int = 0


def behind(ms: int) -> ShardPlace:
    """The place behind everything that was written in or before this millisecond."""
    return ShardPlace(at=PointerId(ms=ms, n=_LAST))


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePlace:
    """A place in every shard: `base_ms` for those that are not listed."""

    base_ms: int
    shards: Mapping[Shard, ShardPlace] = field(default_factory=dict)

    def of(self, shard: Shard) -> ShardPlace:
        """The place in one shard."""
        return self.shards.get(shard, behind(self.base_ms))


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class _Reader:
    __slots__ = ("_at", "_raw")

    def __init__(self, raw: bytes) -> None:
        self._raw, self._at = raw, 0

    def take(self, size: int) -> bytes:
        piece = self._raw[self._at : self._at + size]
        if len(piece) != size:
            raise CursorMalformed
        self._at += size
        return piece

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise CursorMalformed

    def end(self) -> None:
        if self._at != len(self._raw):
            raise CursorMalformed


class Cursors:
    """Writes and reads cursors of one store under one key."""

    __slots__ = ("_key", "_lineage")

    def __init__(self, key: bytes, store_id: str) -> None:
        self._key = hashlib.blake2b(key, person=b"postroom-cursor", digest_size=32).digest()
        self._lineage = hashlib.blake2b(store_id.encode(), digest_size=_LINEAGE).digest()

    def account(self, account: AccountId, place: AccountPlace) -> str:
        """The cursor of one account's feed."""
        binding = hashlib.blake2b(account.encode(), digest_size=_BINDING).digest()
        return self._seal(_ACCOUNT, binding + _varint(int(place.incarnation)) + _varint(place.sequence))

    def site(self, place: SitePlace) -> str:
        """The cursor of all accounts' feeds. Shards at the base must not be listed."""
        body = bytearray(_varint(place.base_ms) + _varint(len(place.shards)))
        previous = 0
        for shard, one in sorted(place.shards.items()):
            delta = one.at.ms - place.base_ms
            body += _varint(shard - previous) + _varint(delta << 1 if delta >= 0 else -delta << 1 | 1)
            body += _varint(0 if one.at.n == _LAST else one.at.n + 1) + _varint(one.skip)
            previous = shard
        return self._seal(_SITE, bytes(body))

    def read_account(self, account: AccountId, cursor: str) -> AccountPlace:
        """Raises CursorMalformed or CursorForeign."""
        reader = self._open(_ACCOUNT, cursor)
        if reader.take(_BINDING) != hashlib.blake2b(account.encode(), digest_size=_BINDING).digest():
            raise CursorForeign
        place = AccountPlace(incarnation=str(reader.varint()), sequence=reader.varint())
        reader.end()
        return place

    def read_site(self, cursor: str) -> SitePlace:
        """Raises CursorMalformed or CursorForeign."""
        reader = self._open(_SITE, cursor)
        base, count, shard = reader.varint(), reader.varint(), 0
        shards: dict[Shard, ShardPlace] = {}
        for _ in range(count):
            shard += reader.varint()
            delta = reader.varint()
            n, skip = reader.varint(), reader.varint()
            ms = base + (-(delta >> 1) if delta & 1 else delta >> 1)
            at = PointerId(ms=ms, n=n - 1 if n else _LAST)
            shards[Shard(shard)] = ShardPlace(at=at, skip=skip)
        reader.end()
        return SitePlace(base_ms=base, shards=shards)

    def _seal(self, kind: int, body: bytes) -> str:
        raw = bytes((kind,)) + self._lineage + body
        return base64.urlsafe_b64encode(raw + self._mac(raw)).decode().rstrip("=")

    def _mac(self, raw: bytes) -> bytes:
        return hashlib.blake2b(raw, key=self._key, digest_size=_MAC).digest()

    def _open(self, kind: int, cursor: str) -> _Reader:
        if len(cursor) > MAX_CURSOR_CHARACTERS:
            raise CursorMalformed
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raise CursorMalformed from None
        if len(raw) < 1 + _LINEAGE + _MAC or raw[0] not in (_ACCOUNT, _SITE):
            raise CursorMalformed
        signed, mac = raw[:-_MAC], raw[-_MAC:]
        if signed[1 : 1 + _LINEAGE] != self._lineage:
            raise CursorForeign
        if not hmac.compare_digest(mac, self._mac(signed)):
            raise CursorMalformed
        if signed[0] != kind:
            raise CursorForeign
        return _Reader(signed[1 + _LINEAGE :])
