"""What changed in one mailbox since a position, in the cheapest way the server has.

Owns three roads and their choice (RFC 7162, RFC 4731):

    QRESYNC     SELECT (QRESYNC (validity modseq)): changed flags, new messages and what vanished in one answer
    CONDSTORE   FETCH (CHANGEDSINCE modseq), and the set of all UIDs where the count shows that something vanished
    scan        FETCH 1:* (FLAGS): everything; also the first reading of a mailbox

Refuses conclusions: it shows what the server shows. A position is taken before what it covers is read, so that a change
in between is read again and never missed.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

from pyroaring import BitMap

from postroom_server.backends.imap.convert import flag_from_wire
from postroom_server.backends.imap.cursors import Position
from postroom_server.backends.imap.session import Selected, Session
from postroom_server.backends.imap.wire.data import ESearch, Search, Vanished
from postroom_server.backends.imap.wire.encoder import Argument, Atom, Number, Sequence
from postroom_server.backends.imap.wire.fetch import Fetch
from postroom_server.backends.imap.wire.responses import Expunge, Response
from postroom_server.backends.imap.wire.sequences import MAX_UID
from postroom_server.domain.keys import NumberedKeys, ScopeId
from postroom_server.domain.ports import Mark, MarkKind, Numbered, Observations
from postroom_server.errors import ProviderCursorExpired, ProviderMisbehaved

__all__ = ["observe"]

MAX_MESSAGES = 20_000_000
"""Messages of one mailbox; a server that shows more is not believed."""
UIDVALIDITY_CHANGED = "UIDVALIDITY_CHANGED"

_EVERYTHING = Sequence(b"1:*")
_FLAGS: list[Argument] = [Atom("UID"), Atom("FLAGS")]


class _Table:
    """UIDs by the flags that they carry; the last word on a UID counts."""

    __slots__ = ("by_flags", "departed", "seen", "vanished")

    def __init__(self) -> None:
        self.by_flags: dict[frozenset[str], BitMap] = {}
        self.seen = BitMap()
        self.vanished = BitMap()
        self.departed = 0

    def take(self, response: Response) -> bool:
        match response:
            case Fetch(uid=int() as uid, flags=frozenset() as flags):
                self._put(uid, flags)
            case Vanished(uids=uids, earlier=earlier):
                self.vanished |= uids
                self.departed += 0 if earlier else len(uids)
                return earlier
            case Expunge():
                self.departed += 1
                return False
            case _:
                return False
        return True

    def _put(self, uid: int, flags: frozenset[str]) -> None:
        if uid in self.seen:
            for numbers in self.by_flags.values():
                numbers.discard(uid)
        elif len(self.seen) >= MAX_MESSAGES:
            raise ProviderMisbehaved("a mailbox with more messages than can be")
        self.seen.add(uid)
        group = self.by_flags.get(flags)
        if group is None:
            group = self.by_flags[flags] = BitMap()
        group.add(uid)

    def marks(self) -> dict[str, BitMap]:
        """UIDs by flag, in our spelling."""
        found: dict[str, BitMap] = {}
        for names, numbers in self.by_flags.items():
            for flag in {flag_from_wire(name) for name in names}:
                if flag is not None and numbers:
                    found[flag] = found.get(flag, BitMap()) | numbers
        return found

    def digest(self) -> int:
        """A number that differs when UIDs or flags do."""
        digest = hashlib.blake2b(digest_size=8)
        digest.update(self.seen.serialize())
        for name, numbers in sorted(self.marks().items()):
            digest.update(name.encode() + b"\0" + numbers.serialize())
        return int.from_bytes(digest.digest(), "big")


async def observe(
    session: Session, scope: ScopeId, since: Position | None, *, deadline: float
) -> AsyncIterator[Numbered]:
    """Yield what the mailbox shows: differences since a position, or everything for None.

    Raises:
        ProviderCursorExpired: UIDVALIDITY is another one; before the first page.
        MailboxNotFound: The mailbox is gone.
        Refused: The server refused to read.
    """
    table = _Table()
    if since is not None and since.modseq and session.qresync:
        known = (since.uidvalidity, since.modseq)
        selected = await session.select(scope, deadline=deadline, since=known, collect=table.take)
        _check_epoch(selected, since)
        if selected.highestmodseq:
            yield _page(
                scope, selected, table, gone=_bounded(table, since), position=_position(selected, since)
            )
            return
        table = _Table()
    else:
        selected = await session.select(scope, deadline=deadline, fresh=True)
        if since is not None:
            _check_epoch(selected, since)
    if since is not None and since.modseq and selected.highestmodseq:
        async for page in _since_modseq(session, scope, selected, since, deadline=deadline):
            yield page
    else:
        yield await _scan(session, scope, selected, table, deadline=deadline)


def _check_epoch(selected: Selected, since: Position) -> None:
    if selected.uidvalidity != since.uidvalidity:
        raise ProviderCursorExpired(UIDVALIDITY_CHANGED)


def _position(selected: Selected, since: Position | None) -> Position:
    """The position that a reading begun by this SELECT covers; a sequence never goes back (F11)."""
    modseq = selected.highestmodseq
    if since is not None and modseq < since.modseq:
        raise ProviderCursorExpired("HISTORY_EXPIRED")
    return Position(
        uidvalidity=selected.uidvalidity, uidnext=selected.uidnext, modseq=modseq, messages=selected.exists
    )


def _bounded(table: _Table, since: Position) -> BitMap:
    """What vanished of the UIDs that there were: servers may name any others as well (RFC 7162 section 3.2.10)."""
    there = BitMap()
    there.add_range(1, max(2, min(since.uidnext, MAX_UID)))
    return (table.vanished & there) - table.seen


def _page(
    scope: ScopeId,
    selected: Selected,
    table: _Table,
    *,
    position: Position | None,
    gone: BitMap | None = None,
    whole: bool = False,
) -> Numbered:
    def keys(numbers: BitMap) -> NumberedKeys:
        return NumberedKeys(scope=scope, epoch=selected.uidvalidity, numbers=numbers)

    on: dict[Mark, NumberedKeys] = {
        (MarkKind.FLAG, name): keys(found) for name, found in table.marks().items()
    }
    return Observations(
        scope=scope,
        epoch=selected.uidvalidity,
        present=keys(table.seen),
        on=on,
        absolute=frozenset({MarkKind.FLAG}),
        gone=keys(gone if gone is not None else BitMap()),
        whole=whole,
        cursor=position.pack() if position is not None else None,
    )


async def _since_modseq(
    session: Session, scope: ScopeId, selected: Selected, since: Position, *, deadline: float
) -> AsyncIterator[Numbered]:
    """Read changed flags; where messages are missing in the count, also the UIDs that are left."""
    position = _position(selected, since)
    table = _Table()
    if selected.exists and position.modseq > since.modseq:
        exchange = await session.connection.send(
            "UID FETCH",
            _EVERYTHING,
            _FLAGS,
            [Atom("CHANGEDSINCE"), Number(since.modseq)],
            deadline=deadline,
            collect=table.take,
        )
        await session.connection.finish(exchange, deadline=deadline)
        _check_readable(exchange.unreadable)
    arrived = len(table.seen) - table.seen.rank(max(since.uidnext, 1) - 1)
    if since.messages + arrived == position.messages:
        yield _page(scope, selected, table, position=position)
        return
    if table.seen:
        yield _page(scope, selected, table, position=None)
    there = await _all_uids(session, selected, deadline=deadline)
    keys = NumberedKeys(scope=scope, epoch=selected.uidvalidity, numbers=there)
    nothing = NumberedKeys(scope=scope, epoch=selected.uidvalidity)
    yield Observations(
        scope=scope,
        epoch=selected.uidvalidity,
        present=keys,
        gone=nothing,
        whole=True,
        cursor=position.pack(),
    )


async def _all_uids(session: Session, selected: Selected, *, deadline: float) -> BitMap:
    if not selected.exists:
        return BitMap()
    found = BitMap()
    answered = False

    def collect(response: Response) -> bool:
        nonlocal answered
        if isinstance(response, ESearch | Search):
            answered = True
            found.update(response.found or BitMap())
            return True
        return False

    if not session.can("ESEARCH"):
        table = _Table()
        await session.connection.run(
            "UID FETCH", _EVERYTHING, [Atom("UID"), Atom("FLAGS")], deadline=deadline, collect=table.take
        )
        return table.seen
    await session.connection.run(
        "UID SEARCH", Atom("RETURN"), [Atom("ALL")], Atom("ALL"), deadline=deadline, collect=collect
    )
    if not answered or len(found) > MAX_MESSAGES:
        raise ProviderMisbehaved("a search without a sensible answer")
    return found


async def _scan(
    session: Session, scope: ScopeId, selected: Selected, table: _Table, *, deadline: float
) -> Numbered:
    """Read every UID with its flags."""
    exists = selected.exists
    position = _position(selected, None)
    if exists:
        exchange = await session.connection.send(
            "UID FETCH", _EVERYTHING, _FLAGS, deadline=deadline, collect=table.take
        )
        await session.connection.finish(exchange, deadline=deadline)
        _check_readable(exchange.unreadable)
    if len(table.seen) < exists - table.departed:
        raise ProviderMisbehaved("the server showed fewer messages than it has")
    if not position.modseq or not position.uidnext:
        position = Position(
            uidvalidity=position.uidvalidity,
            uidnext=position.uidnext or (table.seen.max() + 1 if table.seen else 1),
            modseq=position.modseq,
            messages=position.messages,
            digest=0 if position.modseq else table.digest(),
        )
    return _page(scope, selected, table, position=position, whole=True)


def _check_readable(unreadable: int) -> None:
    """A message whose line cannot be read would be taken for gone."""
    if unreadable:
        raise ProviderMisbehaved("some of the mailbox's messages cannot be read")
