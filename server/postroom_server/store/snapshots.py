"""SnapshotStore: positions, chunks, mailboxes, marks and the one fenced commit; used by the account's owner.

It owns the encoding of a commit and refuses to retry one: whoever gets StoreUnavailable or Conflict reads `head` again
and compares its positions with those it tried.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from postroom_server.domain.accounts import Status
from postroom_server.domain.storage import AccountHead, Bucket, Chunk, Commit, KeyChunk
from postroom_server.errors import AccountGone, Conflict, Fenced, Internal
from postroom_server.ids import AccountId
from postroom_server.store import records
from postroom_server.store.chunks import decode_chunk, encode_chunk
from postroom_server.store.connection import Connection
from postroom_server.store.keys import Keys
from postroom_server.store.options import Options
from postroom_server.store.scripts import Value
from postroom_server.store.scripts.accounts import FeedLimits
from postroom_server.store.scripts.snapshots import CommitStep, SnapshotRead
from postroom_server.store.tables import decode_bucket, decode_keys, encode_bucket, encode_keys

MAX_ENTRIES: Final = 1_000
"""Entries of one commit; a longer step is cut by the caller."""


_CHUNKS: Final = "u"
_KEYS: Final = "k"
_BUCKETS: Final = "h"
"""Kinds of fields, as `AccountKeys.snap` says."""


class Snapshots:
    """Snapshots in Redis."""

    def __init__(self, connection: Connection, keys: Keys, options: Options) -> None:
        self._connection = connection
        self._keys = keys
        self._limits = FeedLimits(age_ms=options.feed_age_ms, bytes=options.feed_bytes)

    async def head(self, account: AccountId) -> AccountHead | None:
        """What the store knows of an account's sync, as of one instant; None: there is no such account."""
        keys = self._keys.account(account)
        meta, names = await self._connection.batch(
            (("HGETALL", keys.meta), ("HGETALL", keys.names)), atomic=True
        )
        if not meta or b"dead" in meta:
            return None
        positions = {
            int(field[1:]): records.decode_position(value)
            for field, value in meta.items()
            if field[:1] == b"p" and field[1:].isdigit()
        }
        return AccountHead(
            incarnation=meta[b"inc"].decode(),
            sequence=int(meta[b"seq"]),
            low=int(meta[b"low"]),
            positions=positions,
            marks=records.decode_marks(meta.get(b"mk", b"")),
            mailboxes={int(number): records.decode_mailbox(value) for number, value in names.items()},
            next_mailbox=int(meta[b"nm"]),
            next_space=int(meta[b"ns"]),
            status=records.decode_status(meta[b"st"]) if b"st" in meta else Status(),
        )

    async def chunks(self, account: AccountId, space: int, indexes: Sequence[int]) -> Mapping[int, Chunk]:
        """Those of the chunks that exist."""
        found = await self._pieces(account, _CHUNKS, space, indexes)
        return {index: decode_chunk(raw) for index, raw in found.items()}

    async def key_chunks(
        self, account: AccountId, space: int, indexes: Sequence[int]
    ) -> Mapping[int, KeyChunk]:
        """Those of the pieces of keys that exist."""
        found = await self._pieces(account, _KEYS, space, indexes)
        return {index: decode_keys(raw) for index, raw in found.items()}

    async def buckets(self, account: AccountId, space: int, indexes: Sequence[int]) -> Mapping[int, Bucket]:
        """Those of the buckets that exist."""
        found = await self._pieces(account, _BUCKETS, space, indexes)
        return {index: decode_bucket(raw) for index, raw in found.items()}

    async def _pieces(
        self, account: AccountId, kind: str, space: int, indexes: Sequence[int]
    ) -> Mapping[int, bytes]:
        if not indexes:
            return {}
        fields = [_field(kind, space, index) for index in indexes]
        stored = await self._connection.do("HMGET", self._keys.account(account).snap, *fields)
        return {index: raw for index, raw in zip(indexes, stored, strict=True) if raw is not None}

    async def all_chunks(self, account: AccountId, space: int) -> Mapping[int, Chunk]:
        """Every chunk of a space, as of one instant."""
        prefix = _prefix(_CHUNKS, space)
        reply = await self._connection.run(SnapshotRead(account=self._keys.account(account), prefix=prefix))
        return {
            int(field[len(prefix) :], 16): decode_chunk(raw)
            for field, raw in zip(reply[::2], reply[1::2], strict=True)
        }

    async def commit(self, commit: Commit) -> int:
        """The new sequence. Raises Fenced, Conflict, AccountGone, StoreFull, StoreUnavailable (outcome unknown).

        A position that is removed takes the chunks of its space along.
        """
        if len(commit.entries) > MAX_ENTRIES:
            raise ValueError(f"{len(commit.entries)} entries in one commit; at most {MAX_ENTRIES}")
        reply = await self._connection.run(self._step(commit))
        match reply[0]:
            case b"OK":
                return int(reply[1])
            case b"FENCED":
                raise Fenced
            case b"GONE":
                raise AccountGone
            case b"CONFLICT":
                raise Conflict(int(reply[1]), reply[2].decode(), reply[3].decode())
        raise Internal

    def _step(self, commit: Commit) -> CommitStep:
        fields: list[tuple[str, Value, Value]] = [
            (f"p{space}", records.encode_position(expected), records.encode_position(new))
            for space, (expected, new) in commit.positions.items()
        ]
        if commit.marks is not None:
            before, after = commit.marks
            fields.append(("mk", records.encode_marks(before), records.encode_marks(after)))
        if commit.status is not None:
            was, now = commit.status
            fields.append(("st", records.encode_status(was), records.encode_status(now)))
        return CommitStep(
            account=self._keys.account(commit.account),
            nonce=commit.nonce,
            incarnation=commit.incarnation,
            sequence=commit.sequence,
            limits=self._limits,
            counters=commit.counters,
            fields=fields,
            chunks=_encoded(commit),
            mailboxes=[
                (number, b"" if record is None else records.encode_mailbox(record))
                for number, record in commit.mailboxes.items()
            ],
            entries=commit.entries,
        )


def _encoded(commit: Commit) -> list[tuple[str, bytes]]:
    """The fields of the snapshot that the commit writes, empty ones to be removed."""
    return [
        *((_field(_CHUNKS, *place), encode_chunk(chunk)) for place, chunk in commit.chunks.items()),
        *((_field(_KEYS, *place), encode_keys(chunk)) for place, chunk in commit.key_chunks.items()),
        *((_field(_BUCKETS, *place), encode_bucket(bucket)) for place, bucket in commit.buckets.items()),
    ]


def _prefix(kind: str, space: int) -> str:
    return f"{space}.{kind}."


def _field(kind: str, space: int, index: int) -> str:
    return f"{_prefix(kind, space)}{index:x}"
