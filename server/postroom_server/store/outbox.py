"""OutboxStore: submissions, accepted by any node once per request id, moved by the owner of the shard.

It owns items, sealed bodies and their limits, and refuses to send or to choose states. A body is written before its
submission and expires unless that is accepted; acceptance (item, request record, body, due time, entry) is one script.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import Final

from postroom_server.domain.outbox import FINAL_STATES, KEEP_FINAL_SECONDS, Submission, SubmissionState
from postroom_server.domain.storage import Accepted, NewSubmission, Nonce, Shard, Step
from postroom_server.errors import (
    AccountGone,
    Fenced,
    Internal,
    MessageTooLarge,
    OutboxFull,
    RequestIdReused,
    StoreFull,
    StoreUnavailable,
)
from postroom_server.ids import AccountId, SubmissionId
from postroom_server.store import records
from postroom_server.store.connection import Command, Connection
from postroom_server.store.feed import Feed
from postroom_server.store.keys import AccountKeys, Keys
from postroom_server.store.options import Options
from postroom_server.store.scripts.accounts import FeedLimits
from postroom_server.store.scripts.outbox import (
    BodyPut,
    OutboxDue,
    OutboxLimits,
    OutboxStep,
    OutboxSubmit,
    OutboxTake,
)
from postroom_server.store.secrets import CannotOpen, Keyring

CHUNK_BYTES: Final = 512 * 1024
"""Bytes of a body that are sealed at a time."""
CHUNKS_AT_ONCE: Final = 8
"""Chunks that travel in one round trip."""
UNCLAIMED_MS: Final = 600_000
"""How long a body may wait for its submission."""
DUE_AGAIN_MS: Final = 5_000
"""When an account that `due` named comes up again, unless `take` re-arms it."""
TAKE_AGAIN_MS: Final = 3_000
"""When an item that `take` gave out comes up again, unless `step` moves it."""
SCAN: Final = 100
"""Items that are read at a time while a page is filtered by state."""


class Outbox:
    """Submissions in Redis."""

    def __init__(
        self, connection: Connection, keys: Keys, keyring: Keyring, options: Options, feed: Feed
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._keyring = keyring
        self._hints = feed
        self._message_bytes = options.message_bytes
        self._limits = OutboxLimits(items=options.outbox_items, bytes=options.outbox_bytes)
        self._feed_limits = FeedLimits(age_ms=options.feed_age_ms, bytes=options.feed_bytes)

    async def submit(self, new: NewSubmission) -> Accepted:
        """Durable when it returns. Raises AccountGone, RequestIdReused, OutboxFull, MessageTooLarge, StoreFull.

        With StoreUnavailable the outcome is unknown; the same request id tells.
        """
        if len(new.raw) > self._message_bytes:
            raise MessageTooLarge(limit=str(self._message_bytes))
        keys = self._keys.account(new.submission.account)
        earlier = await self._seen(keys, new)
        if earlier is not None:
            return earlier
        reply = await self._offer(keys, new)
        match reply[0]:
            case b"OK":
                return Accepted(submission=new.submission, duplicate=False)
            case b"DUPLICATE":
                return await self._earlier(keys, SubmissionId(reply[1].decode()))
            case b"MISMATCH":
                raise RequestIdReused(request_id=new.submission.request_id)
            case b"LOST":
                raise StoreUnavailable("The message took too long to arrive.")
        _refuse(reply[0])
        raise Internal

    async def _offer(self, keys: AccountKeys, new: NewSubmission) -> list[bytes]:
        """Writes the body, then the submission. A body is taken back only where it surely was not accepted."""
        submission = new.submission.id
        try:
            refused = await self._upload(keys, new)
            if refused == b"DUPLICATE":
                return [refused, submission.encode()]
            reply = [refused] if refused else await self._accept(keys, new)
        except StoreFull:
            await self._take_back(keys, submission)
            raise
        if reply[0] != b"OK" and reply[1:] != [submission.encode()]:
            await self._take_back(keys, submission)
        return reply

    async def _take_back(self, keys: AccountKeys, submission: SubmissionId) -> None:
        with suppress(StoreUnavailable):
            await self._connection.do("UNLINK", keys.body(submission))

    async def _seen(self, keys: AccountKeys, new: NewSubmission) -> Accepted | None:
        """What the same request made before, so that its message need not travel again."""
        if not new.submission.request_id:
            return None
        request = keys.request(new.submission.request_id)
        submission, fingerprint = await self._connection.do("HMGET", request, "i", "f")
        if submission is None:
            return None
        if fingerprint.decode() != new.fingerprint:
            raise RequestIdReused(request_id=new.submission.request_id)
        return await self._earlier(keys, SubmissionId(submission.decode()))

    async def _earlier(self, keys: AccountKeys, submission: SubmissionId) -> Accepted:
        item = await self.get(keys.account, submission)
        if item is None:
            raise StoreUnavailable("The earlier submission is just being forgotten.")
        return Accepted(submission=item, duplicate=True)

    async def _upload(self, keys: AccountKeys, new: NewSubmission) -> bytes:
        """Seals and writes the body; empty, or why it was refused."""
        submission, raw = new.submission.id, memoryview(new.raw)
        chunks = _chunks(len(raw))
        alone = (
            range(1),
        )  # the first one makes the script known, so that the others cannot overtake one another
        for numbers in (*alone, *_groups(1, chunks)):
            replies = await self._connection.run_many(
                [
                    BodyPut(
                        account=keys,
                        submission=submission,
                        size_bytes=len(raw),
                        keep_ms=UNCLAIMED_MS,
                        limits=self._limits,
                        number=number,
                        chunk=self._keyring.seal(
                            bytes(raw[number * CHUNK_BYTES : (number + 1) * CHUNK_BYTES]),
                            account=keys.account,
                            field=_body_field(submission, number),
                        ),
                    )
                    for number in numbers
                ]
            )
            for status, *_ in replies:
                if status != b"OK":
                    return status
        return b""

    async def _accept(self, keys: AccountKeys, new: NewSubmission) -> list[bytes]:
        submission = new.submission
        return await self._connection.run(
            OutboxSubmit(
                account=keys,
                submission=submission.id,
                request_id=submission.request_id,
                fingerprint=new.fingerprint,
                due_ms=new.due_ms,
                state=submission.state,
                size_bytes=len(new.raw),
                chunks=_chunks(len(new.raw)),
                limits=self._limits,
                feed=self._feed_limits,
                record=records.encode_submission(submission),
                entry=new.entry,
            )
        )

    async def get(self, account: AccountId, submission: SubmissionId) -> Submission | None:
        """The item as it is."""
        return (await self._get_many(self._keys.account(account), (submission,)))[0]

    async def _get_many(
        self, keys: AccountKeys, submissions: Sequence[SubmissionId]
    ) -> list[Submission | None]:
        commands: list[Command] = [("HMGET", keys.item(one), "s", "n", "m") for one in submissions]
        return [
            None
            if state is None
            else records.decode_submission(keys.account, one, state.decode(), int(attempt), record)
            for one, (state, attempt, record) in zip(
                submissions, await self._connection.batch(commands), strict=True
            )
        ]

    async def page(
        self, account: AccountId, after: str, limit: int, states: frozenset[SubmissionState]
    ) -> Sequence[Submission]:
        """Newest first, ids smaller than `after` (empty: from the newest); empty `states`: all."""
        keys = self._keys.account(account)
        found: list[Submission] = []
        async for submission in self._newest(keys, after, limit, waiting=_none_final(states)):
            if not states or submission.state in states:
                found.append(submission)
            if len(found) >= limit:
                break
        return found

    async def _newest(
        self, keys: AccountKeys, after: str, limit: int, *, waiting: bool
    ) -> AsyncIterator[Submission]:
        """Items that exist, newest first; ids of those that have expired are forgotten on the way."""
        last, step = after, min(max(limit, 1), SCAN)
        while True:
            if waiting:
                ids = await self._connection.do("ZRANGE", keys.due, 0, -1)
                ids = sorted((one for one in ids if not last or one.decode() < last), reverse=True)
            else:
                top = f"({last}" if last else "+"
                ids = await self._connection.do("ZREVRANGEBYLEX", keys.subs, top, "-", "LIMIT", 0, step)
            names = [SubmissionId(one.decode()) for one in ids]
            items = await self._get_many(keys, names)
            expired = [one for one, item in zip(names, items, strict=True) if item is None]
            if expired and not waiting:
                await self._connection.do("ZREM", keys.subs, *expired)
            for item in items:
                if item is not None:
                    yield item
            if waiting or len(ids) < step:
                return
            last = names[-1]

    async def body(self, account: AccountId, submission: SubmissionId) -> bytes | None:
        """The message, None when it is no longer kept."""
        keys = self._keys.account(account)
        size = await self._connection.do("HGET", keys.item(submission), "z")
        if size is None:
            return None
        raw = bytearray()
        chunks = _chunks(int(size))
        for numbers in _groups(0, chunks):
            first, last = numbers.start, numbers.stop - 1
            sealed = await self._connection.do("LRANGE", keys.body(submission), first, last)
            for number, chunk in enumerate(sealed, first):
                raw += self._opened(account, submission, number, chunk)
        if len(raw) == int(size) and (raw or await self._connection.do("EXISTS", keys.body(submission))):
            return bytes(raw)
        if await self._connection.do("EXISTS", keys.body(submission)):
            raise Internal("The message of a submission is not whole.")
        return None

    def _opened(self, account: AccountId, submission: SubmissionId, index: int, chunk: bytes) -> bytes:
        try:
            return self._keyring.open(chunk, account=account, field=_body_field(submission, index))
        except CannotOpen as error:
            raise Internal("The message of a submission cannot be opened.") from error

    async def due(self, shard: Shard, nonce: Nonce, now_ms: int, limit: int) -> Sequence[AccountId]:
        """Accounts with something due, longest waiting first; each goes to the back of the row. Raises Fenced."""
        status, *accounts = await self._connection.run(
            OutboxDue(
                shard=self._keys.shard(shard), nonce=nonce, now_ms=now_ms, limit=limit, again_ms=DUE_AGAIN_MS
            )
        )
        _refuse(status)
        return [AccountId(one.decode()) for one in accounts]

    async def next_due(self, shards: Sequence[Shard]) -> int | None:
        """When the next account of these shards is due, Unix milliseconds."""
        commands: list[Command] = [
            ("ZRANGE", self._keys.shard(shard).due, 0, 0, "WITHSCORES") for shard in shards
        ]
        replies = await self._connection.batch(commands)
        return min((int(float(rows[1])) for rows in replies if rows), default=None)

    async def take(self, account: AccountId, nonce: Nonce, now_ms: int, limit: int) -> Sequence[Submission]:
        """Due items, oldest first; each comes up again after TAKE_AGAIN_MS unless it is stepped. Raises Fenced.

        QUEUED, RETRYING and SCHEDULED ones are SENDING now, the attempt counted before it is made; those in any other
        state come as they are, for the owner to decide.
        """
        status, *flat = await self._connection.run(
            OutboxTake(
                account=self._keys.account(account),
                nonce=nonce,
                now_ms=now_ms,
                limit=limit,
                again_ms=TAKE_AGAIN_MS,
            )
        )
        _refuse(status)
        return [
            records.decode_submission(
                account,
                SubmissionId(flat[at].decode()),
                flat[at + 1].decode(),
                int(flat[at + 2]),
                flat[at + 3],
            )
            for at in range(0, len(flat), 4)
        ]

    async def step(self, step: Step) -> bool:
        """False: the item was not where it was expected to be. Raises Fenced, AccountGone."""
        submission = step.submission
        (status, *_) = await self._connection.run(
            OutboxStep(
                account=self._keys.account(submission.account),
                submission=submission.id,
                nonce=step.nonce,
                expected=(step.expected_state, step.expected_attempt),
                new=(submission.state, submission.attempt_count),
                due_ms=step.due_ms,
                keep_ms=KEEP_FINAL_SECONDS * 1_000,
                feed=self._feed_limits,
                record=records.encode_submission(submission),
                entry=step.entry or b"",
            )
        )
        if status == b"CONFLICT":
            return False
        _refuse(status)
        return True

    def hints(self) -> AbstractAsyncContextManager[AsyncIterator[Shard]]:
        """Shards whose outbox has something new; hints may be lost. After a gap every occupied shard comes."""
        return self._hints.outbox_hints()


def _refuse(status: bytes) -> None:
    match status:
        case b"FENCED":
            raise Fenced
        case b"GONE":
            raise AccountGone
        case b"FULL":
            raise OutboxFull


def _chunks(size: int) -> int:
    """How many chunks a message has: one at least."""
    return max(1, -(-size // CHUNK_BYTES))


def _groups(first: int, end: int) -> list[range]:
    """Numbers of chunks from `first` to below `end`, in groups that travel together."""
    return [range(at, min(at + CHUNKS_AT_ONCE, end)) for at in range(first, end, CHUNKS_AT_ONCE)]


def _body_field(submission: SubmissionId, index: int) -> str:
    return f"body:{submission}:{index}"


def _none_final(states: frozenset[SubmissionState]) -> bool:
    return bool(states) and not states & FINAL_STATES
