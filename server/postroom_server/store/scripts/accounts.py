"""Calls of the scripts that register, change and delete accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from postroom_server.store.keys import AccountKeys, SiteKeys
from postroom_server.store.scripts import Script, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedLimits:
    """What is kept of a feed: age of an entry in milliseconds, bytes of all of them."""

    age_ms: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountCreate(Script):
    """`secrets` are sealed. Replies EXISTS, DUPLICATE, LATE or OK incarnation sequence."""

    file: ClassVar[str] = "account_create"

    account: AccountKeys
    request: str
    latest_ms: int | None
    limits: FeedLimits
    status: str
    revision: int
    record: bytes
    secrets: Mapping[str, bytes]
    entry: bytes

    def keys(self) -> Sequence[str]:
        """Keys of the account and its shard."""
        one, shard = self.account, self.account.shard
        return (one.meta, one.config, shard.accounts, shard.gone, one.feed, shard.order, shard.total)

    def args(self) -> Sequence[Value]:
        """As account_create.lua says."""
        latest = "" if self.latest_ms is None else self.latest_ms
        args: list[Value] = [
            self.account.account,
            self.request,
            latest,
            self.limits.age_ms,
            self.limits.bytes,
        ]
        args += [self.status, self.revision, self.record, ",".join(sorted(self.secrets)), self.entry]
        for name, sealed in self.secrets.items():
            args += [f"s:{name}", sealed]
        return args


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountUpdate(Script):
    """`secrets` are sealed, None removes one. Replies GONE, CONFLICT revision or OK names-of-secrets."""

    file: ClassVar[str] = "account_update"

    account: AccountKeys
    expected_revision: int
    revision: int
    record: bytes
    secrets: Mapping[str, bytes | None]

    def keys(self) -> Sequence[str]:
        """Meta and record."""
        return (self.account.meta, self.account.config)

    def args(self) -> Sequence[Value]:
        """As account_update.lua says."""
        args: list[Value] = [self.expected_revision, self.revision, self.record]
        for name, sealed in self.secrets.items():
            args += [f"s:{name}", sealed or b""]
        return args


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountProbed(Script):
    """Replies FENCED, GONE or OK."""

    file: ClassVar[str] = "account_probed"

    account: AccountKeys
    nonce: str
    capabilities: bytes

    def keys(self) -> Sequence[str]:
        """Lease, meta and record."""
        return (self.account.shard.lease, self.account.meta, self.account.config)

    def args(self) -> Sequence[Value]:
        """As account_probed.lua says."""
        return (self.nonce, self.capabilities)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDelete(Script):
    """Replies FENCED, GONE or OK sequence request-key."""

    file: ClassVar[str] = "account_delete"

    account: AccountKeys
    nonce: str
    incarnation: str
    limits: FeedLimits
    readable_ms: int
    entry: bytes

    def keys(self) -> Sequence[str]:
        """Every key of the account whose name is known."""
        one, shard = self.account, self.account.shard
        return (
            shard.lease,
            one.meta,
            one.feed,
            shard.order,
            shard.total,
            shard.accounts,
            shard.gone,
            shard.due,
            one.subs,
            one.uploads,
            one.sandbox,
            one.config,
            one.names,
            one.snap,
            one.due,
            one.final,
        )

    def args(self) -> Sequence[Value]:
        """As account_delete.lua says."""
        one = self.account
        return (
            self.nonce,
            one.account,
            self.incarnation,
            self.limits.age_ms,
            self.limits.bytes,
            self.readable_ms,
            one.item_prefix,
            one.body_prefix,
            one.sandbox_prefix,
            self.entry,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestClaim(Script):
    """Replies MISMATCH, SEEN account expired or MINE until-ms."""

    file: ClassVar[str] = "request_claim"

    request_id: str
    account: str
    fingerprint: str
    window_ms: int
    keep_ms: int
    former: str

    def keys(self) -> Sequence[str]:
        """The request's record."""
        return (SiteKeys.request(self.request_id),)

    def args(self) -> Sequence[Value]:
        """As request_claim.lua says."""
        return (self.account, self.fingerprint, self.window_ms, self.keep_ms, self.former)
