"""Calls of the scripts of bearer tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from postroom_server.ids import TokenId
from postroom_server.store.keys import TokenKeys
from postroom_server.store.scripts import Script, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPut(Script):
    """`secret` is the SHA-256 of the secret in hexadecimal. Replies OK."""

    file: ClassVar[str] = "token_put"

    token: TokenId
    secret: str
    record: bytes

    def keys(self) -> Sequence[str]:
        """The token and the indexes."""
        return (TokenKeys.prefix + self.token, TokenKeys.secrets, TokenKeys.ids)

    def args(self) -> Sequence[Value]:
        """As token_put.lua says."""
        return (self.token, self.secret, self.record)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFind(Script):
    """Replies NONE or OK id record last-use-ms."""

    file: ClassVar[str] = "token_find"

    secret: str

    def keys(self) -> Sequence[str]:
        """The index of secrets."""
        return (TokenKeys.secrets,)

    def args(self) -> Sequence[Value]:
        """As token_find.lua says."""
        return (self.secret, TokenKeys.prefix)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRevoke(Script):
    """Replies NONE or OK."""

    file: ClassVar[str] = "token_revoke"

    token: TokenId

    def keys(self) -> Sequence[str]:
        """The token and the indexes."""
        return (TokenKeys.prefix + self.token, TokenKeys.secrets, TokenKeys.ids)

    def args(self) -> Sequence[Value]:
        """As token_revoke.lua says."""
        return (self.token,)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTouch(Script):
    """Replies NONE or OK."""

    file: ClassVar[str] = "token_touch"

    token: TokenId
    now_ms: int

    def keys(self) -> Sequence[str]:
        """The token."""
        return (TokenKeys.prefix + self.token,)

    def args(self) -> Sequence[Value]:
        """As token_touch.lua says."""
        return (self.now_ms,)
