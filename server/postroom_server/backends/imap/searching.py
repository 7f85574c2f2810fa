"""Searches one mailbox on the server: the filter tree becomes SEARCH keys (RFC 9051 section 6.4.4, RFC 4731).

Owns the translation and the pages, newest first. Refuses what SEARCH cannot ask (attachments, threads) instead of
answering something near to it. SEARCH knows days, not instants: where the tree allows it, a day more is asked for and
the messages' own times decide; elsewhere the coverage says that days were compared.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from pyroaring import BitMap

from postroom_server.backends.imap.convert import flag_to_wire
from postroom_server.backends.imap.pool import Pool
from postroom_server.backends.imap.refusals import Refused
from postroom_server.backends.imap.session import Session
from postroom_server.backends.imap.wire import encoder
from postroom_server.backends.imap.wire.data import ESearch, Search
from postroom_server.backends.imap.wire.encoder import Argument, Atom, HeaderName, Number, String
from postroom_server.backends.imap.wire.faults import NotEncodable
from postroom_server.backends.imap.wire.fetch import Fetch
from postroom_server.backends.imap.wire.responses import Response
from postroom_server.backends.imap.wire.sequences import MAX_UID, write_sets
from postroom_server.domain.flags import ANSWERED, DRAFT, FLAGGED, SEEN, Flag
from postroom_server.domain.keys import ScopeId, item_key
from postroom_server.domain.mime import parse_date
from postroom_server.domain.ports import PAGE_ROWS, Call
from postroom_server.domain.search import Condition, Coverage, Filter, Node, Operator, SearchPage, SearchQuery
from postroom_server.errors import CapabilityMissing, PageTokenInvalid, ProviderMisbehaved, RequestInvalid

__all__ = ["MATCHES", "search"]

SLICE_MESSAGES = 100_000
"""Messages per SEARCH where the server has no ESEARCH: so many numbers fit on a line of its answer."""
TIME_BATCH = 500
"""Messages whose own times are asked for at once."""

MATCHES = {
    "from": "SUBSTRING",
    "to": "SUBSTRING",
    "cc": "SUBSTRING",
    "bcc": "SUBSTRING",
    "subject": "SUBSTRING",
    "body": "SUBSTRING",
    "text": "SUBSTRING",
    "header": "SUBSTRING",
    "hasFlag": "EXACT",
    "notFlag": "EXACT",
    "after": "EXACT",
    "before": "EXACT",
    "sentAfter": "EXACT",
    "sentBefore": "EXACT",
    "minSize": "EXACT",
    "maxSize": "EXACT",
    "internetMessageId": "EXACT",
    "uid": "EXACT",
}
"""Condition field -> how the server compares."""

_PAGE = struct.Struct(">II")
_SYSTEM = {SEEN: "SEEN", ANSWERED: "ANSWERED", FLAGGED: "FLAGGED", DRAFT: "DRAFT"}
_DAY = timedelta(days=1)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _day(moment: datetime) -> Atom:
    when = moment.astimezone(UTC)
    return Atom(f"{when.day}-{_MONTHS[when.month - 1]}-{when.year:04d}")


def _flag_keys(flag: Flag, *, on: bool) -> list[Argument]:
    if flag in _SYSTEM:
        return [Atom(_SYSTEM[flag] if on else "UN" + _SYSTEM[flag])]
    return [Atom("KEYWORD" if on else "UNKEYWORD"), encoder.Flag(flag_to_wire(flag)[0])]


class _Keys:
    """The keys of one filter tree, and what was learned while they were made."""

    def __init__(self) -> None:
        self.international = False
        self.coverage: list[Coverage] = []

    def compile(self, filter_: Filter, path: str, *, exact: bool) -> list[Argument]:
        """Return keys that are all to hold; `exact`: a day more may be asked for, times are compared afterwards."""
        if isinstance(filter_, Condition):
            return self._condition(filter_, f"{path}.condition", exact=exact) or [Atom("ALL")]
        exact = exact and filter_.operator is Operator.AND
        groups = [
            self.compile(inner, f"{path}.filters[{index}]", exact=exact)
            for index, inner in enumerate(filter_.filters)
        ]
        if not groups:
            raise RequestInvalid(f"{path}.filters", "must not be empty")
        if filter_.operator is Operator.AND:
            return [key for group in groups for key in group]
        joined: list[Argument] = groups[-1]
        for group in reversed(groups[:-1]):
            joined = [Atom("OR"), group, joined]
        return joined if filter_.operator is Operator.OR else [Atom("NOT"), joined]

    def _covered(self, path: str, name: str, match: str = "") -> None:
        found = match or MATCHES[name]
        self.coverage.append(
            Coverage(condition=f"{path}.{name}", answered_by="SERVER", match=found, complete=match != "DAY")
        )

    def _text(self, value: str) -> String:
        self.international = self.international or not value.isascii()
        return String(value)

    def _condition(self, asks: Condition, path: str, *, exact: bool) -> list[Argument]:
        for name, asked in (
            ("hasAttachment", asks.has_attachment is not None),
            ("threadId", asks.thread_id),
            ("rawQuery", asks.raw_query),
        ):
            if asked:
                raise CapabilityMissing(f"the server cannot search by {name}", capability=name)
        keys: list[Argument] = []
        for name, word, value in (
            ("from", "FROM", asks.from_),
            ("to", "TO", asks.to),
            ("cc", "CC", asks.cc),
            ("bcc", "BCC", asks.bcc),
            ("subject", "SUBJECT", asks.subject),
            ("body", "BODY", asks.body),
            ("text", "TEXT", asks.text),
        ):
            if value:
                keys += [Atom(word), self._text(value)]
                self._covered(path, name)
        if asks.header is not None:
            keys += [Atom("HEADER"), HeaderName(asks.header[0]), self._text(asks.header[1])]
            self._covered(path, "header")
        if asks.internet_message_id:
            keys += [
                Atom("HEADER"),
                HeaderName("Message-ID"),
                self._text(asks.internet_message_id.strip("<> ")),
            ]
            self._covered(path, "internetMessageId")
        return keys + self._marks(asks, path) + self._times(asks, path, exact=exact)

    def _marks(self, asks: Condition, path: str) -> list[Argument]:
        keys: list[Argument] = []
        for name, flag in (("hasFlag", asks.has_flag), ("notFlag", asks.not_flag)):
            if flag is not None:
                keys += _flag_keys(flag, on=name == "hasFlag")
                self._covered(path, name)
        if asks.min_size is not None:
            keys += [Atom("LARGER"), Number(asks.min_size - 1)] if asks.min_size > 0 else []
            self._covered(path, "minSize")
        if asks.max_size is not None:
            keys += [Atom("SMALLER"), Number(max(0, asks.max_size))]
            self._covered(path, "maxSize")
        if asks.uid:
            numbers = BitMap()
            for low, high in asks.uid:
                numbers.add_range(max(1, low), min(MAX_UID, high) + 1)
            text = next((text for text, _ in write_sets(numbers)), None)
            keys += [Atom("UID"), encoder.Sequence(text)] if text else [Atom("NOT"), Atom("ALL")]
            self._covered(path, "uid")
        return keys

    def _times(self, asks: Condition, path: str, *, exact: bool) -> list[Argument]:
        keys: list[Argument] = []
        wider = _DAY if exact else timedelta()
        for name, word, moment, slack in (
            ("after", "SINCE", asks.after, -wider),
            ("before", "BEFORE", asks.before, wider + _DAY),
            ("sentAfter", "SENTSINCE", asks.sent_after, -wider),
            ("sentBefore", "SENTBEFORE", asks.sent_before, wider + _DAY),
        ):
            if moment is not None:
                keys += [Atom(word), _day(moment + slack)]
                self._covered(path, name, "" if exact else "DAY")
        return keys


Times = Callable[[datetime | None, datetime | None], bool]


def _time_tests(filter_: Filter) -> Iterator[Times]:
    """Yield what the times of a message must fulfil, for the parts of the tree that all must hold."""
    if isinstance(filter_, Node):
        if filter_.operator is Operator.AND:
            for inner in filter_.filters:
                yield from _time_tests(inner)
        return
    asks = filter_
    if any(moment is not None for moment in (asks.after, asks.before, asks.sent_after, asks.sent_before)):

        def test(received: datetime | None, sent: datetime | None) -> bool:
            return _lies(received, asks.after, asks.before) and _lies(sent, asks.sent_after, asks.sent_before)

        yield test


def _lies(moment: datetime | None, first: datetime | None, end: datetime | None) -> bool:
    if first is None and end is None:
        return True
    return moment is not None and (first is None or moment >= first) and (end is None or moment < end)


async def search(pool: Pool, call: Call, query: SearchQuery, after: bytes | None) -> SearchPage:
    """Return one page of a search, newest first.

    Raises:
        MailboxNotFound: There is no such mailbox.
        PageTokenInvalid: `after` is of another search, or the mailbox was numbered anew.
        CapabilityMissing: The server cannot ask this.
        RequestInvalid: A text cannot be sent.
    """
    keys = _Keys()
    arguments = keys.compile(query.filter, "filter", exact=True)
    tests = list(_time_tests(query.filter))
    limit = max(1, min(query.limit, PAGE_ROWS))

    async def work(session: Session) -> SearchPage:
        scope = ScopeId(query.mailbox)
        selected = await session.select(scope, deadline=call.deadline)
        await session.catch_up(deadline=call.deadline)
        below = _page_end(after, selected.uidvalidity)
        found = await _find(
            session, arguments, below, international=keys.international, deadline=call.deadline
        )
        uids = sorted(found, reverse=True)
        if tests:
            page = await _filtered(session, uids, tests, limit + 1, deadline=call.deadline)
        else:
            page = uids[: limit + 1]
        more = len(page) > limit
        page = page[:limit]
        complete = after is None and (not tests or not more)
        return SearchPage(
            keys=[item_key(scope, selected.uidvalidity, uid) for uid in page],
            coverage=keys.coverage,
            next=_PAGE.pack(selected.uidvalidity, page[-1]) if more else None,
            total=(len(page) if tests else len(uids)) if complete else None,
        )

    return await pool.run(call, query.mailbox, work)


def _page_end(after: bytes | None, uidvalidity: int) -> int:
    """The UID below which the page begins; MAX_UID + 1 for the first."""
    if after is None:
        return MAX_UID + 1
    try:
        epoch, uid = _PAGE.unpack(after)
    except struct.error as fault:
        raise PageTokenInvalid from fault
    if epoch != uidvalidity:
        raise PageTokenInvalid
    return int(uid)


async def _find(
    session: Session, keys: Sequence[Argument], below: int, *, international: bool, deadline: float
) -> BitMap:
    """Return the UIDs below a bound that answer the keys."""
    found = BitMap()
    exists = session.selected.exists if session.selected is not None else 0
    if below <= 1 or not exists:
        return found
    charset: list[Argument] = [Atom("CHARSET"), Atom("UTF-8")] if international else []
    bound: list[Argument] = [] if below > MAX_UID else [Atom("UID"), encoder.Sequence(b"1:%d" % (below - 1))]
    esearch = session.can("ESEARCH")
    options: list[Argument] = [Atom("RETURN"), [Atom("ALL")]] if esearch else []
    for part in [[]] if esearch else _slices(exists):
        found |= await _ask(session, [*options, *charset, *part, *bound, *keys], deadline=deadline)
    if len(found) > 2 * exists + SLICE_MESSAGES:
        raise ProviderMisbehaved("a search found more messages than there are")
    if below <= MAX_UID:
        found &= _up_to(below)
    return found


def _slices(exists: int) -> list[list[Argument]]:
    """Parts of the mailbox by message number, so that an answer's numbers fit on a line."""
    if exists <= SLICE_MESSAGES:
        return [[]]
    starts = range(1, exists + 1, SLICE_MESSAGES)
    return [[encoder.Sequence(b"%d:%d" % (at, min(exists, at + SLICE_MESSAGES - 1)))] for at in starts]


async def _ask(session: Session, arguments: Sequence[Argument], *, deadline: float) -> BitMap:
    found = BitMap()

    def collect(response: Response) -> bool:
        if isinstance(response, ESearch | Search):
            found.update(response.found or BitMap())
            return True
        return False

    try:
        await session.connection.run(
            "UID SEARCH", *arguments, deadline=deadline, collect=collect, patient=True
        )
    except Refused as refused:
        if refused.status.code == "BADCHARSET":
            raise CapabilityMissing("the server searches ASCII only", capability="search") from refused
        raise
    except NotEncodable as fault:
        raise RequestInvalid("filter", str(fault)) from fault
    return found


def _up_to(below: int) -> BitMap:
    numbers = BitMap()
    numbers.add_range(1, below)
    return numbers


async def _filtered(
    session: Session, uids: Sequence[int], tests: Sequence[Times], limit: int, *, deadline: float
) -> list[int]:
    """Return the first UIDs whose own times pass."""
    page: list[int] = []
    for start in range(0, len(uids), TIME_BATCH):
        times: dict[int, tuple[datetime | None, datetime | None]] = {}

        def collect(
            response: Response, times: dict[int, tuple[datetime | None, datetime | None]] = times
        ) -> bool:
            if isinstance(response, Fetch) and response.uid is not None and response.envelope is not None:
                times[response.uid] = (response.internal_date, parse_date(response.envelope.date or b""))
                return True
            return False

        batch = uids[start : start + TIME_BATCH]
        for text, _ in write_sets(BitMap(batch)):
            items: list[Argument] = [Atom("UID"), Atom("INTERNALDATE"), Atom("ENVELOPE")]
            await session.connection.run(
                "UID FETCH", encoder.Sequence(text), items, deadline=deadline, collect=collect
            )
        page += [uid for uid in batch if uid in times and all(test(*times[uid]) for test in tests)]
        if len(page) >= limit:
            return page[:limit]
    return page
