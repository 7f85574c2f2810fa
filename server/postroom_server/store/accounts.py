"""AccountStore: account records, sealed secrets, listing; any node may use it.

It owns the life of a record from its first entry to its grave and refuses snapshots. A CreateAccount request id is
claimed under a key of its own, because it does not tell the account's shard; what it may create is bounded in time, so
that a claim whose maker died can be taken over without ever making two accounts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from postroom_server.domain.accounts import SECRET_FIELDS, Account, Status
from postroom_server.domain.outbox import KEEP_FINAL_SECONDS
from postroom_server.domain.shards import shard_of
from postroom_server.domain.storage import NewAccount, Nonce, Shard
from postroom_server.errors import (
    AccountExists,
    AccountGone,
    AccountNotFound,
    EtagMismatch,
    Fenced,
    Internal,
    RequestIdReused,
    StoreUnavailable,
)
from postroom_server.ids import AccountId
from postroom_server.store import records
from postroom_server.store.connection import Command, Connection
from postroom_server.store.keys import Keys, SiteKeys
from postroom_server.store.options import Options
from postroom_server.store.scripts.accounts import (
    AccountCreate,
    AccountDelete,
    AccountProbed,
    AccountUpdate,
    FeedLimits,
    RequestClaim,
)
from postroom_server.store.scripts.sandbox import AddressRelease
from postroom_server.store.secrets import CannotOpen, Keyring

CLAIM_MS: Final = 5_000
"""How long a claimed request id may take until its account is created."""
CLAIM_MARGIN_MS: Final = 1_000
"""How much earlier a creation is refused than its claim can be taken over: clocks of two masters may differ."""
FIRST_PAUSE_S: Final = 0.01
LONGEST_PAUSE_S: Final = 0.25
LEAST_PAGE: Final = 8


class Accounts:
    """Account records in Redis."""

    def __init__(self, connection: Connection, keys: Keys, keyring: Keyring, options: Options) -> None:
        self._connection = connection
        self._keys = keys
        self._keyring = keyring
        self._options = options
        self._limits = FeedLimits(age_ms=options.feed_age_ms, bytes=options.feed_bytes)

    async def create(self, new: NewAccount) -> AccountId:
        """The id: of the new account, or of the one that the same request made.

        Raises AccountExists, RequestIdReused, StoreFull.
        """
        latest_ms = None
        if new.request_id:
            made, latest_ms = await self._claim(new)
            if made is not None:
                return made
        account = new.account.id
        shard = shard_of(account, self._keys.shard_count)
        await self._connection.do("SADD", SiteKeys.occupied, shard)
        reply = await self._connection.run(self._creation(new, latest_ms))
        match reply[0]:
            case b"OK" | b"DUPLICATE":
                return account
            case b"EXISTS":
                raise AccountExists(account=account)
            case b"LATE":
                raise StoreUnavailable(
                    "The account could not be created in time; the same request may try again."
                )
        raise Internal

    def _creation(self, new: NewAccount, latest_ms: int | None) -> AccountCreate:
        account = new.account
        return AccountCreate(
            account=self._keys.account(account.id),
            request=SiteKeys.request(new.request_id) if new.request_id else "",
            latest_ms=latest_ms,
            limits=self._limits,
            status=records.encode_status(Status()),
            revision=account.revision,
            record=records.encode_account(account),
            secrets={name: self._sealed(account.id, name, value) for name, value in new.secrets.items()},
            entry=new.entry,
        )

    async def _claim(self, new: NewAccount) -> tuple[AccountId | None, int]:
        """(the account that the same request made, None) or (None, until when ours may be created)."""
        former, pause = "", FIRST_PAUSE_S
        while True:
            reply = await self._connection.run(
                RequestClaim(
                    request_id=new.request_id,
                    account=new.account.id,
                    fingerprint=new.fingerprint,
                    window_ms=CLAIM_MS,
                    keep_ms=KEEP_FINAL_SECONDS * 1_000,
                    former=former,
                )
            )
            match reply[0]:
                case b"MISMATCH":
                    raise RequestIdReused(request_id=new.request_id)
                case b"MINE":
                    return None, int(reply[1]) - CLAIM_MARGIN_MS
            made = AccountId(reply[1].decode())
            request = await self._connection.do("HGET", self._keys.account(made).meta, "rq")
            if request == SiteKeys.request(new.request_id).encode():
                return made, 0
            if reply[2] == b"1":
                former = made
            else:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)

    async def get(self, account: AccountId) -> tuple[Account, Status] | None:
        """Record and status."""
        found = await self.get_many((account,))
        return found[0] if found else None

    async def get_many(self, accounts: Sequence[AccountId]) -> Sequence[tuple[Account, Status]]:
        """Those that exist, in order."""
        commands: list[Command] = []
        for account in accounts:
            keys = self._keys.account(account)
            commands += [("HMGET", keys.config, "v", "r", "h", "c"), ("HMGET", keys.meta, "st")]
        replies = await self._connection.batch(commands)
        found = []
        for account, config, meta in zip(accounts, replies[::2], replies[1::2], strict=True):
            if config[0] is not None and meta[0] is not None:
                record = records.decode_account(
                    account, int(config[0]), config[1], _names(config[2]), config[3]
                )
                found.append((record, records.decode_status(meta[0])))
        return found

    async def page(self, after: str, limit: int) -> Sequence[AccountId]:
        """Ids greater than `after`, in order."""
        shards = await self.occupied()
        share = max(LEAST_PAGE, 2 * limit // max(1, len(shards)))
        frontier = dict.fromkeys(shards, after)
        found: list[str] = []
        while frontier:
            commands: list[Command] = [
                ("ZRANGEBYLEX", self._keys.shard(shard).accounts, f"({last}", "+", "LIMIT", 0, share)
                for shard, last in frontier.items()
            ]
            for shard, ids in zip(list(frontier), await self._connection.batch(commands), strict=True):
                found += [one.decode() for one in ids]
                if len(ids) < share:
                    del frontier[shard]
                else:
                    frontier[shard] = found[-1]
            found.sort()
            if len(found) >= limit:
                cut = found[limit - 1]
                frontier = {shard: last for shard, last in frontier.items() if last < cut}
        return [AccountId(one) for one in found[:limit]]

    async def in_shard(self, shard: Shard) -> Sequence[AccountId]:
        """All accounts of one shard."""
        ids = await self._connection.do("ZRANGE", self._keys.shard(shard).accounts, 0, -1)
        return [AccountId(one.decode()) for one in ids]

    async def occupied(self) -> Sequence[Shard]:
        """Shards that hold or held an account; may name too many, never too few."""
        return sorted(Shard(int(one)) for one in await self._connection.do("SMEMBERS", SiteKeys.occupied))

    async def update(
        self, account: Account, *, expected_revision: int, secrets: Mapping[str, str | None] | None = None
    ) -> Account:
        """Replaces the record; None removes a secret. Raises EtagMismatch, AccountNotFound, StoreFull.

        The revision that is stored, and returned, is the expected one plus one, whatever `account` says.
        """
        sealed = {
            name: None if value is None else self._sealed(account.id, name, value)
            for name, value in (secrets or {}).items()
        }
        revision = expected_revision + 1
        reply = await self._connection.run(
            AccountUpdate(
                account=self._keys.account(account.id),
                expected_revision=expected_revision,
                revision=revision,
                record=records.encode_account(account),
                secrets=sealed,
            )
        )
        match reply[0]:
            case b"GONE":
                raise AccountNotFound(account=account.id)
            case b"CONFLICT":
                raise EtagMismatch(account=account.id)
        return records.with_secrets(account, _names(reply[1]), revision)

    async def probed(self, account: AccountId, nonce: Nonce, capabilities: Mapping[str, object]) -> None:
        """Notes what the provider can; the revision stays. Raises Fenced, AccountGone, StoreFull."""
        keys = self._keys.account(account)
        shown = records.encode_capabilities(capabilities)
        reply = await self._connection.run(AccountProbed(account=keys, nonce=nonce, capabilities=shown))
        match reply[0]:
            case b"FENCED":
                raise Fenced
            case b"GONE":
                raise AccountGone(account)

    async def secrets(self, account: AccountId) -> Mapping[str, str]:
        """The secrets in clear; never logged, never returned to a caller."""
        fields = [f"s:{name}" for name in SECRET_FIELDS]
        replies = await self._connection.do("HMGET", self._keys.account(account).config, *fields)
        opened = {}
        for name, sealed in zip(SECRET_FIELDS, replies, strict=True):
            if sealed is not None:
                opened[name] = self._opened(account, name, sealed)
        return opened

    async def delete(self, account: AccountId, nonce: Nonce, incarnation: str, entry: bytes) -> None:
        """The last entry, then the grave; nothing of the account is left after 60 s. Raises Fenced, AccountGone."""
        keys = self._keys.account(account)
        address = await self._connection.do("HGET", keys.sandbox, "a")
        reply = await self._connection.run(
            AccountDelete(
                account=keys,
                nonce=nonce,
                incarnation=incarnation,
                limits=self._limits,
                readable_ms=self._options.grave_ms,
                entry=entry,
            )
        )
        match reply[0]:
            case b"FENCED":
                raise Fenced
            case b"GONE":
                raise AccountGone
        if reply[2]:
            await self._connection.do("UNLINK", reply[2])
        if address is not None:
            await self._connection.run(AddressRelease(address=address.decode(), account=account))

    def _sealed(self, account: AccountId, name: str, value: str) -> bytes:
        if name not in SECRET_FIELDS:
            raise ValueError(f"{name} is not the name of a secret")
        return self._keyring.seal(value.encode(), account=account, field=name)

    def _opened(self, account: AccountId, name: str, sealed: bytes) -> str:
        try:
            return self._keyring.open(sealed, account=account, field=name).decode()
        except CannotOpen as error:
            raise Internal("A secret of the account cannot be opened.") from error


def _names(joined: bytes | None) -> frozenset[str]:
    return frozenset((joined or b"").decode().split(",")) - {""}
