"""Bearer tokens of callers: scopes, the record and its store port, the secret's form and its hash.

It owns the closed list of scopes and which of them another one implies; it refuses to keep a secret: only the SHA-256 of
32 random bytes is stored, so that a look-up needs no slow hash and no comparison of secrets (threats T15, T17).
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from postroom_server.ids import AccountId, TokenId

SECRET_PREFIX: Final = "prm_"
"""Makes a leaked secret recognisable to scanners and to our own log filter."""
SECRET_BYTES: Final = 32
MAX_SECRET: Final = 200
"""Characters of a presented secret that are looked at."""
MAX_TOKEN_ACCOUNTS: Final = 1_000
MAX_DISPLAY_NAME: Final = 128

_FORM = re.compile(r"[\x21-\x7e]{8,200}")


class Scope(StrEnum):
    """What a token may do."""

    ACCOUNTS_READ = "accounts.read"
    ACCOUNTS_WRITE = "accounts.write"
    MESSAGES_READ = "messages.read"
    MESSAGES_WRITE = "messages.write"
    MESSAGES_SEND = "messages.send"
    CHANGES_READ = "changes.read"
    CONSUMERS_WRITE = "consumers.write"
    TOKENS_ADMIN = "tokens.admin"
    SERVER_READ = "server.read"
    ADMIN = "admin"


SCOPES: Final = frozenset(scope.value for scope in Scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A bearer token's record; the secret itself is not kept, only its SHA-256. Empty `accounts`: all accounts."""

    id: TokenId
    display_name: str
    scopes: frozenset[str]
    accounts: frozenset[AccountId]
    create_time: datetime
    expire_time: datetime | None = None
    last_use_time: datetime | None = None


class TokenStore(Protocol):
    """Bearer tokens."""

    async def create(self, token: Token, secret_sha256: bytes) -> None:
        """Stores a token."""
        ...

    async def by_secret(self, secret_sha256: bytes) -> Token | None:
        """The token of a secret; None: unknown or revoked."""
        ...

    async def get(self, token: TokenId) -> Token | None:
        """One token."""
        ...

    async def page(self, after: str, limit: int) -> Sequence[Token]:
        """Ordered by id, greater than `after`."""
        ...

    async def revoke(self, token: TokenId) -> bool:
        """Whether it existed."""
        ...

    async def touch(self, token: TokenId, now: datetime) -> None:
        """Notes its use, at most once a minute by the caller."""
        ...


def allows(held: frozenset[str], wanted: Scope) -> bool:
    """Whether a token with the scopes `held` may do what needs `wanted`; `admin` may do everything."""
    return wanted.value in held or Scope.ADMIN.value in held


def may_grant(held: frozenset[str], wanted: frozenset[str]) -> bool:
    """Whether a token with the scopes `held` may make one with the scopes `wanted`: never more than its own."""
    return Scope.ADMIN.value in held or wanted <= held


def new_secret() -> str:
    """A fresh secret, shown once: 256 random bits."""
    return SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def secret_hash(secret: str) -> bytes:
    """The SHA-256 that is stored in the secret's place."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def well_formed(secret: str) -> bool:
    """Whether the text may be a secret at all; secrets made elsewhere are accepted when they are stored."""
    return _FORM.fullmatch(secret) is not None
