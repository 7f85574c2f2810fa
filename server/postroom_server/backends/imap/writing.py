r"""Changes messages: flags by UID STORE, new messages by APPEND.

Owns results per item and the honesty about them: a write that has begun is finished for up to five more seconds when its
caller gives up, and what is still not known then is UNKNOWN (APPEND: OutcomeUnknown). Refuses \Deleted: nothing is
removed here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

from pyroaring import BitMap

from postroom_server.backends.imap.convert import flag_to_wire
from postroom_server.backends.imap.pool import Pool
from postroom_server.backends.imap.protocol import Exchange
from postroom_server.backends.imap.reading import flags_of
from postroom_server.backends.imap.refusals import Refused
from postroom_server.backends.imap.session import Selected, Session
from postroom_server.backends.imap.wire import encoder
from postroom_server.backends.imap.wire.encoder import Argument, Atom, Mailbox, String, Upload
from postroom_server.backends.imap.wire.faults import NotEncodable, WireFault
from postroom_server.backends.imap.wire.fetch import Fetch
from postroom_server.backends.imap.wire.responses import Response, Status
from postroom_server.backends.imap.wire.sequences import read_ordered, write_sets
from postroom_server.domain.flags import Flag
from postroom_server.domain.keys import ItemKey, MailboxKey, ScopeId, by_scope, item_key
from postroom_server.domain.messages import ByteStream
from postroom_server.domain.ports import Call, ItemEdit, ItemResult, Outcome
from postroom_server.errors import (
    FlagNotSettable,
    Internal,
    MailboxNotFound,
    MailboxNotSelectable,
    MembershipSingle,
    OutcomeUnknown,
    PostroomError,
    ProviderMisbehaved,
)

__all__ = ["append", "modify"]

BATCH_MESSAGES = 500
"""Messages per STORE."""
GRACE_SECONDS = 5.0
"""How long a write that has begun may go on after its caller has given up."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


async def modify(
    pool: Pool, call: Call, keys: Sequence[ItemKey], edit: ItemEdit
) -> AsyncIterator[ItemResult]:
    """Yield one result per key.

    Raises:
        MembershipSingle: The edit is about mailboxes: a message of IMAP is in exactly one.
        PostroomError: Nothing was tried.
    """
    if edit.add_mailboxes or edit.remove_mailboxes:
        raise MembershipSingle
    trouble: PostroomError | None = None
    for (scope, epoch), uids in by_scope(keys).items():
        for start in range(0, len(uids), BATCH_MESSAGES):
            batch = uids[start : start + BATCH_MESSAGES]
            if trouble is not None:
                results = dict.fromkeys(
                    batch, ItemResult(key=keys[0], outcome=Outcome.NOT_TRIED, error=trouble)
                )
            else:
                store = _Store(scope, epoch, batch, edit)
                await store.run(pool, call)
                results, trouble = store.results, store.trouble
            for uid in batch:
                result = results[uid]
                yield ItemResult(key=item_key(scope, epoch, uid), outcome=result.outcome, error=result.error)


class _Store:
    """One batch of one mailbox."""

    def __init__(self, scope: ScopeId, epoch: int, uids: Sequence[int], edit: ItemEdit) -> None:
        self.results: dict[int, ItemResult] = {}
        self.trouble: PostroomError | None = None
        self._scope, self._epoch, self._uids, self._edit = scope, epoch, uids, edit
        self._begun = False
        self._flags: dict[int, frozenset[Flag]] = {}

    async def run(self, pool: Pool, call: Call) -> None:
        """Fill `results`; `trouble` ends the whole edit."""
        async with pool.session(call, self._scope) as session:
            work = asyncio.ensure_future(self._work(session, call.deadline))
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                await self._end(work)
                raise
            except Refused as refused:
                self._all(Outcome.REFUSED, refused.error)
            except MailboxNotFound:
                self._all(Outcome.GONE)
            except PostroomError as error:
                if not self._begun:
                    raise
                self.trouble = error
                self._all(Outcome.UNKNOWN, error)

    async def _end(self, work: asyncio.Future[None]) -> None:
        if not self._begun:
            work.cancel()
        await asyncio.wait([work], timeout=GRACE_SECONDS)
        work.cancel()
        await asyncio.wait([work])

    def _all(self, outcome: Outcome, error: PostroomError | None = None) -> None:
        for uid in self._uids:
            key = item_key(self._scope, self._epoch, uid)
            self.results.setdefault(uid, ItemResult(key=key, outcome=outcome, error=error))

    def _take(self, response: Response) -> bool:
        if isinstance(response, Fetch) and response.uid is not None and response.flags is not None:
            self._flags[response.uid] = flags_of(response.flags)
            return True
        return False

    async def _work(self, session: Session, deadline: float) -> None:
        selected = await session.select(self._scope, deadline=deadline)
        if selected.uidvalidity != self._epoch:
            self._all(Outcome.GONE)
            return
        if selected.read_only:
            self._all(Outcome.REFUSED, MailboxNotSelectable("the mailbox can only be read"))
            return
        refusal = _unsettable(selected, self._edit.add_flags)
        if refusal is not None:
            self._all(Outcome.REFUSED, refusal)
            return
        self._begun = True
        refused = await self._store(session, deadline)
        self._judge(refused)
        doubtful = BitMap(uid for uid, result in self.results.items() if result.outcome is not Outcome.DONE)
        if doubtful and await session.catch_up(deadline=deadline):
            for uid in doubtful:
                self._flags.pop(uid, None)
            await self._finish(session, await self._look(session, doubtful, deadline), deadline)
            self._judge(refused)

    async def _store(self, session: Session, deadline: float) -> Refused | None:
        """Store and look, in one round trip; return the refusal if there was one."""
        flying = []
        for text, _ in write_sets(BitMap(self._uids)):
            for word, names in _changes(self._edit):
                arguments: list[Argument] = [encoder.Sequence(text), Atom(word), names]
                flying.append(
                    await session.connection.send(
                        "UID STORE", *arguments, deadline=deadline, collect=self._take
                    )
                )
        flying += await self._look(session, BitMap(self._uids), deadline)
        return await self._finish(session, flying, deadline)

    async def _look(self, session: Session, uids: BitMap, deadline: float) -> list[Exchange]:
        items: list[Argument] = [Atom("UID"), Atom("FLAGS")]
        return [
            await session.connection.send(
                "UID FETCH", encoder.Sequence(text), items, deadline=deadline, collect=self._take
            )
            for text, _ in write_sets(uids)
        ]

    async def _finish(self, session: Session, flying: Sequence[Exchange], deadline: float) -> Refused | None:
        refusal = None
        for exchange in flying:
            try:
                await session.connection.finish(exchange, deadline=deadline)
            except Refused as refused:
                refusal = refusal or refused
        return refusal

    def _judge(self, refused: Refused | None) -> None:
        """Tell by the flags that are there now what became of each message."""
        for uid in self._uids:
            key = item_key(self._scope, self._epoch, uid)
            flags = self._flags.get(uid)
            if flags is None:
                self.results[uid] = ItemResult(key=key, outcome=Outcome.GONE)
            elif (
                self._edit.add_flags <= flags and not (self._edit.remove_flags - self._edit.add_flags) & flags
            ):
                self.results[uid] = ItemResult(key=key, outcome=Outcome.DONE)
            else:
                error = refused.error if refused is not None else FlagNotSettable()
                self.results[uid] = ItemResult(key=key, outcome=Outcome.REFUSED, error=error)


def _changes(edit: ItemEdit) -> list[tuple[str, list[Argument]]]:
    """The STOREs of an edit; a flag that is both added and removed ends up set."""
    removed = [name for flag in sorted(edit.remove_flags - edit.add_flags) for name in flag_to_wire(flag)]
    added = [flag_to_wire(flag)[0] for flag in sorted(edit.add_flags)]
    found: list[tuple[str, list[Argument]]] = []
    if removed:
        found.append(("-FLAGS.SILENT", [encoder.Flag(name) for name in removed]))
    if added:
        found.append(("+FLAGS.SILENT", [encoder.Flag(name) for name in added]))
    return found


def _unsettable(selected: Selected, flags: frozenset[Flag]) -> FlagNotSettable | None:
    permanent = selected.permanent_flags
    if permanent is None or "\\*" in permanent:
        return None
    settable = flags_of(permanent)
    missing = sorted(flag for flag in flags if flag not in settable)
    return FlagNotSettable(flag=missing[0]) if missing else None


async def append(
    pool: Pool,
    call: Call,
    to: MailboxKey,
    source: ByteStream,
    flags: frozenset[Flag],
    received: datetime | None,
) -> ItemKey | None:
    """Store a message; return its key where the server tells it (RFC 4315).

    Raises:
        OutcomeUnknown: The answer was lost after the message was on its way.
        PostroomError: The server refused, or cannot be reached; nothing was stored.
    """
    if source.size_bytes is None:
        raise Internal("a message of unknown size cannot be appended")
    arguments: list[Argument] = [Mailbox(to), [encoder.Flag(flag_to_wire(flag)[0]) for flag in sorted(flags)]]
    if received is not None:
        arguments.append(String(_internal_date(received)))
    arguments.append(Upload(source.size_bytes))
    upload = _Counted(source)
    async with pool.session(call) as session:
        try:
            status = await session.connection.run(
                "APPEND", *arguments, deadline=call.deadline, upload=upload.pieces()
            )
        except Refused as refused:
            raise refused.error from refused
        except NotEncodable as fault:
            raise MailboxNotFound("no mailbox has such a name") from fault
        except PostroomError as error:
            if upload.complete:
                raise OutcomeUnknown("the answer to APPEND was lost") from error
            raise
    return _appended_key(status, to)


class _Counted:
    """The bytes of an upload, exactly as many as were announced."""

    def __init__(self, source: ByteStream) -> None:
        self._source = source
        self._left = source.size_bytes or 0

    @property
    def complete(self) -> bool:
        """Whether the last byte is out: from then on the server may have the message."""
        return self._left == 0

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the bytes.

        Raises:
            Internal: There are more or fewer than announced.
        """
        async for piece in self._source.chunks:
            self._left -= len(piece)
            if self._left < 0:
                raise Internal("an upload longer than announced")
            yield piece
        if self._left:
            raise Internal("an upload shorter than announced")


def _internal_date(moment: datetime) -> str:
    when = moment.astimezone(UTC)
    return f"{when.day:2d}-{_MONTHS[when.month - 1]}-{when.year:04d} {when:%H:%M:%S} +0000"


def _appended_key(status: Status, to: MailboxKey) -> ItemKey | None:
    if status.code != "APPENDUID":
        return None
    epoch, _, uids = status.argument.partition(b" ")
    try:
        uid = read_ordered(uids, limit=1)[0]
        return item_key(ScopeId(to), int(epoch), uid)
    except (WireFault, ValueError, OverflowError) as fault:
        raise ProviderMisbehaved("an APPENDUID that is none") from fault
