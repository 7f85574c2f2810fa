"""Every key of the store, one class per group; no other module spells a key.

It owns names and hash tags and refuses values. All keys of an account carry its shard's tag `{sNNNN}`, so that one script
may touch them all, on a cluster too; account ids have no `{`, `}` or `:` (see `ids.ID_PATTERN`) and stand as they are.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from postroom_server.domain.shards import shard_of
from postroom_server.domain.storage import Shard
from postroom_server.ids import AccountId, SubmissionId

DATA_VERSION: Final = 1
"""Version of the layout; a store of a newer one is refused at start."""

_ROOT: Final = "pr:"


class SiteKeys:
    """The store as a whole. Each key is written alone, never together with another."""

    site: Final = _ROOT + "site"
    """Hash: store id, shard count, schema, a sealed word that proves the key."""
    nodes: Final = _ROOT + "nodes"
    """Hash: nonce of a node -> its last heartbeat."""
    occupied: Final = _ROOT + "occupied"
    """Set of shard numbers that hold or held an account; written before the account is."""
    addresses: Final = _ROOT + "{sbx}:addresses"
    """Hash: address of a sandbox account, in lower case -> account id."""

    @staticmethod
    def request(request_id: str) -> str:
        """Hash of one CreateAccount request id: which account it made or is making."""
        digest = hashlib.sha256(request_id.encode()).hexdigest()
        return f"{_ROOT}{{q{digest[:4]}}}:{digest}"


class TokenKeys:
    """Bearer tokens, all in one slot."""

    prefix: Final = _ROOT + "{tok}:t:"
    """Followed by a token id: hash r record, h SHA-256 of the secret, u last use in Unix milliseconds."""
    secrets: Final = _ROOT + "{tok}:secrets"
    """Hash: SHA-256 of a secret -> token id."""
    ids: Final = _ROOT + "{tok}:ids"
    """Sorted set of ids, all of score 0."""


@dataclass(frozen=True, slots=True)
class ShardKeys:
    """Keys of one shard."""

    shard: Shard

    @property
    def prefix(self) -> str:
        """What every key of the shard begins with."""
        return f"{_ROOT}{{s{self.shard:04d}}}:"

    @property
    def lease(self) -> str:
        """Hash with a TTL: n nonce, e epoch, a address of the owner."""
        return self.prefix + "lease"

    @property
    def epoch(self) -> str:
        """Counter of take-overs, never falls."""
        return self.prefix + "epoch"

    @property
    def order(self) -> str:
        """Stream, one pointer per append (a account, l last sequence, n count, t total, e epoch, x a whole entry).

        The name is the channel of feed hints as well.
        """
        return self.prefix + "order"

    @property
    def total(self) -> str:
        """Counter of all changes ever in the shard."""
        return self.prefix + "total"

    @property
    def due(self) -> str:
        """Sorted set: account -> Unix milliseconds when it may send next."""
        return self.prefix + "due"

    @property
    def outbox_hints(self) -> str:
        """Channel: an outbox of the shard has something new."""
        return self.prefix + "ohint"

    @property
    def accounts(self) -> str:
        """Sorted set of the shard's accounts, all of score 0."""
        return self.prefix + "accounts"

    @property
    def gone(self) -> str:
        """Sorted set: deleted account -> Unix milliseconds of its removal, for as long as feeds are kept."""
        return self.prefix + "gone"


@dataclass(frozen=True, slots=True)
class AccountKeys:
    """Keys of one account."""

    account: AccountId
    shard: ShardKeys

    @property
    def prefix(self) -> str:
        """What every key of the account begins with."""
        return f"{self.shard.prefix}a:{self.account}:"

    @property
    def meta(self) -> str:
        """Hash: inc incarnation, seq, low, bytes of the feed, st status, mk marks, nm and ns next mailbox and space.

        Also p<space> positions, ob bytes of the outbox, rq request key, dead for a grave.
        """
        return self.prefix + "meta"

    @property
    def config(self) -> str:
        """Hash: v revision, r record, h names of secrets, s:<name> a sealed secret."""
        return self.prefix + "config"

    @property
    def names(self) -> str:
        """Hash: mailbox number -> record."""
        return self.prefix + "names"

    @property
    def snap(self) -> str:
        """Hash: <space>.u.<n> in hexadecimal -> chunk.

        Of a space whose numbers are slots also <space>.k.<n> -> keys by slot, <space>.h.<n> -> slots by hash of the key.
        """
        return self.prefix + "snap"

    @property
    def feed(self) -> str:
        """List of entries: 8 bytes of big-endian Unix milliseconds, then the encoded change; index = sequence - low."""
        return self.prefix + "feed"

    @property
    def due(self) -> str:
        """Sorted set: submission that is not final -> Unix milliseconds when it is due."""
        return self.prefix + "due"

    @property
    def subs(self) -> str:
        """Sorted set of all kept submissions, all of score 0."""
        return self.prefix + "subs"

    @property
    def final(self) -> str:
        """Sorted set: final submission -> Unix milliseconds when it expires."""
        return self.prefix + "final"

    @property
    def uploads(self) -> str:
        """Sorted set: body that no submission has claimed yet -> Unix milliseconds of its first chunk."""
        return self.prefix + "up"

    @property
    def item_prefix(self) -> str:
        """What the keys of submissions begin with."""
        return self.prefix + "out:"

    @property
    def body_prefix(self) -> str:
        """What the keys of bodies begin with."""
        return self.prefix + "body:"

    def item(self, submission: SubmissionId) -> str:
        """Hash: s state, n attempt, o nonce of the taker, d due, r request key, z size, m record."""
        return self.item_prefix + submission

    def body(self, submission: SubmissionId) -> str:
        """List of sealed chunks of the message."""
        return self.body_prefix + submission

    def request(self, request_id: str) -> str:
        """Hash of one SubmitMessage request id: i submission, f fingerprint."""
        return f"{self.prefix}idem:{hashlib.sha256(request_id.encode()).hexdigest()}"

    @property
    def sandbox(self) -> str:
        """Hash of a sandbox account: a address, k profile, e epoch, n messages, next message, mod, floor, nb next mailbox.

        Also what fails: off until when the account is offline, rf refusals.
        """
        return self.prefix + "sbx"

    @property
    def sandbox_prefix(self) -> str:
        """What the other keys of a sandbox account begin with."""
        return self.prefix + "sbx:"

    @property
    def sandbox_mailboxes(self) -> str:
        """Hash: mailbox -> modseq, subscribed, role and path."""
        return self.sandbox_prefix + "box"

    @property
    def sandbox_messages(self) -> str:
        """Hash: message -> modseq, size, received, whose bytes it has, mailboxes and flags."""
        return self.sandbox_prefix + "msg"

    @property
    def sandbox_history(self) -> str:
        """List of what happened to messages, the oldest first."""
        return self.sandbox_prefix + "log"

    @property
    def sandbox_references(self) -> str:
        """Hash: message whose bytes others have too -> how many others."""
        return self.sandbox_prefix + "ref"

    @property
    def sandbox_raw_prefix(self) -> str:
        """What the keys of raw messages begin with, followed by the message."""
        return self.sandbox_prefix + "raw:"

    @property
    def sandbox_hints(self) -> str:
        """Channel: the number of a sandbox mailbox that has changed, 0 for the account itself."""
        return self.prefix + "sbx:hint"


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys of a store with this many shards."""

    shard_count: int

    def shard(self, shard: Shard) -> ShardKeys:
        """Keys of a shard."""
        return ShardKeys(shard)

    def account(self, account: AccountId) -> AccountKeys:
        """Keys of an account."""
        return AccountKeys(account, ShardKeys(shard_of(account, self.shard_count)))

    def shards(self) -> range:
        """All shard numbers."""
        return range(self.shard_count)
