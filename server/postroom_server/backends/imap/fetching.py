"""Asks for messages: summaries by the hundred, one message's content, streams of sources and parts.

Owns FETCH: which items, in which batches, and what to do about a message whose answer cannot be read (it is asked for
again alone and with less, so that one hostile message never hides the others). Refuses to set flags: every body item is
PEEK. Keys of another UIDVALIDITY are keys of messages that are gone.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence

from pyroaring import BitMap

from postroom_server.backends.imap.connection import until
from postroom_server.backends.imap.pool import Pool
from postroom_server.backends.imap.reading import part_of, summary_of, texts_of
from postroom_server.backends.imap.refusals import Refused
from postroom_server.backends.imap.session import Session
from postroom_server.backends.imap.streams import BodyChunks, Opening, SectionText
from postroom_server.backends.imap.wire import encoder
from postroom_server.backends.imap.wire.encoder import Argument, Atom
from postroom_server.backends.imap.wire.fetch import Fetch
from postroom_server.backends.imap.wire.responses import Response
from postroom_server.backends.imap.wire.sequences import write_sets
from postroom_server.backends.imap.wire.structure import BodyPart
from postroom_server.domain.keys import ItemKey, MailboxKey, ScopeId, by_scope, item_key, split_key
from postroom_server.domain.messages import ByteStream, Content, Summary
from postroom_server.domain.mime import MAX_HEADER_BLOCK, cut_utf8, decode_text, parse_headers
from postroom_server.domain.ports import Call
from postroom_server.errors import (
    AttachmentNotFound,
    MailboxNotFound,
    MessageNotFound,
    ProviderMisbehaved,
    ProviderUnreachable,
)

__all__ = ["read_content", "read_part", "read_source", "read_summaries"]

BATCH_MESSAGES = 500
"""Summaries per FETCH."""
MAX_TEXT_BYTES = 16 << 20
"""Encoded bytes that are fetched of one text."""
ENCODED_PER_DECODED = 3
"""Quoted-printable needs three bytes for one."""
DECODED_ON_LOOP = 64 << 10
"""Bytes of headers and texts that are decoded where we stand; more than that goes to a thread."""

_SECTION = re.compile(r"[1-9]\d{0,3}(?:\.[1-9]\d{0,3}){0,31}\Z")
_PLAIN_ITEMS = ("UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE")
_SUMMARY_ITEMS = (*_PLAIN_ITEMS, "ENVELOPE", "BODYSTRUCTURE", "BODY.PEEK[HEADER.FIELDS (REFERENCES)]")
_FALLBACK_ITEMS = (*_PLAIN_ITEMS, f"BODY.PEEK[HEADER]<0.{MAX_HEADER_BLOCK}>")


def _items(session: Session, names: Sequence[str]) -> list[Argument]:
    extra: list[str] = []
    if session.condstore:
        extra.append("MODSEQ")
    if session.can("OBJECTID"):
        extra += ["EMAILID", "THREADID"]
    if session.can("X-GM-EXT-1"):
        extra += ["X-GM-MSGID", "X-GM-THRID"]
    return [Atom(name) for name in (*names, *extra)]


async def _enter(session: Session, scope: ScopeId, epoch: int, *, deadline: float) -> bool:
    """Select a mailbox; False when its messages are numbered anew, or it is gone."""
    try:
        selected = await session.select(scope, deadline=deadline)
    except MailboxNotFound:
        return False
    return selected.uidvalidity == epoch


class _Batch:
    """What came of one set of UIDs; `unreadable` tells whether some answers could not be read."""

    def __init__(self) -> None:
        self.found: dict[int, Fetch] = {}
        self.unreadable = 0

    def take(self, response: Response) -> bool:
        if isinstance(response, Fetch) and response.uid is not None and response.size is not None:
            self.found[response.uid] = response
            return True
        return False


async def _fetch(session: Session, uids: BitMap, names: Sequence[str], *, deadline: float) -> _Batch:
    """Fetch items; what a session that was used before does not see is asked for again when it has caught up."""
    batch = _Batch()
    await _fetch_into(batch, session, uids, names, deadline=deadline)
    missing = uids - BitMap(batch.found)
    if missing and not batch.unreadable and await session.catch_up(deadline=deadline):
        await _fetch_into(batch, session, missing, names, deadline=deadline)
    return batch


async def _fetch_into(
    batch: _Batch, session: Session, uids: BitMap, names: Sequence[str], *, deadline: float
) -> None:
    for text, _ in write_sets(uids):
        exchange = await session.connection.send(
            "UID FETCH",
            encoder.Sequence(text),
            _items(session, names),
            deadline=deadline,
            collect=batch.take,
        )
        await session.connection.finish(exchange, deadline=deadline)
        batch.unreadable += exchange.unreadable


async def read_summaries(pool: Pool, call: Call, keys: Sequence[ItemKey]) -> AsyncIterator[Summary]:
    """Yield the summaries of messages that are still there, mailbox by mailbox, in the order of the keys.

    Raises:
        PostroomError: The server cannot be asked.
    """
    for (scope, epoch), uids in by_scope(keys).items():
        for start in range(0, len(uids), BATCH_MESSAGES):
            wanted = uids[start : start + BATCH_MESSAGES]
            found = await _read_batch(pool, call, scope, epoch, BitMap(wanted))
            for uid in wanted:
                if uid in found:
                    yield summary_of(found[uid], item_key(scope, epoch, uid), MailboxKey(scope), epoch)


async def _read_batch(pool: Pool, call: Call, scope: ScopeId, epoch: int, wanted: BitMap) -> dict[int, Fetch]:
    """Read one batch; in halves, and at last with less, where the server's answers cannot be read."""

    async def work(session: Session) -> dict[int, Fetch]:
        if not await _enter(session, scope, epoch, deadline=call.deadline):
            return {}
        batch = await _fetch(session, wanted, _SUMMARY_ITEMS, deadline=call.deadline)
        missing = wanted - BitMap(batch.found)
        if batch.unreadable and missing:
            poor = await _fetch(session, missing, _FALLBACK_ITEMS, deadline=call.deadline)
            batch.found.update(poor.found)
        return batch.found

    async def poorly(session: Session) -> dict[int, Fetch]:
        if not await _enter(session, scope, epoch, deadline=call.deadline):
            return {}
        return (await _fetch(session, wanted, _FALLBACK_ITEMS, deadline=call.deadline)).found

    try:
        return await pool.run(call, scope, work)
    except ProviderMisbehaved:
        if len(wanted) == 1:
            return await pool.run(call, scope, poorly)
    half = len(wanted) // 2
    first = await _read_batch(pool, call, scope, epoch, wanted[:half])
    return {**first, **await _read_batch(pool, call, scope, epoch, wanted[half:])}


async def _read_sections(
    session: Session, uid: int, sections: Sequence[str], limit: int, *, deadline: float
) -> dict[str, bytes]:
    """Read sections in one round trip, each cut to the limit; those that are not there are left out."""
    texts = [SectionText(section, limit) for section in sections]
    flying = [
        await session.connection.send(
            "UID FETCH",
            encoder.Sequence(b"%d" % uid),
            [Atom("UID"), Atom(f"BODY.PEEK[{section}]<0.{limit}>")],
            deadline=deadline,
            collect=text.take,
            sink_for=text.sink_for,
        )
        for section, text in zip(sections, texts, strict=True)
    ]
    for exchange in flying:
        await session.connection.finish(exchange, deadline=deadline)
    return {
        section: text.data for section, text in zip(sections, texts, strict=True) if text.data is not None
    }


async def read_content(pool: Pool, call: Call, key: ItemKey, text_budget: int) -> Content:
    """Return a whole message, its texts cut to the budget; without them where its structure cannot be read.

    Raises:
        MessageNotFound: It is gone.
    """

    async def work(session: Session) -> Content | None:
        return await _content(session, key, text_budget, _SUMMARY_ITEMS, deadline=call.deadline)

    async def poorly(session: Session) -> Content | None:
        return await _content(session, key, text_budget, _FALLBACK_ITEMS, deadline=call.deadline)

    scope = split_key(key)[0]
    try:
        content = await pool.run(call, scope, work)
    except ProviderMisbehaved:
        content = await pool.run(call, scope, poorly)
    if content is None:
        raise MessageNotFound
    return content


async def _content(
    session: Session, key: ItemKey, text_budget: int, items: Sequence[str], *, deadline: float
) -> Content | None:
    scope, epoch, uid = split_key(key)
    if not await _enter(session, scope, epoch, deadline=deadline):
        return None
    batch = await _fetch(session, BitMap([uid]), items, deadline=deadline)
    if uid not in batch.found and batch.unreadable:
        batch = await _fetch(session, BitMap([uid]), _FALLBACK_ITEMS, deadline=deadline)
    found = batch.found.get(uid)
    if found is None:
        return None
    plain, html = texts_of(found.structure) if found.structure is not None else (None, None)
    limit = min(MAX_TEXT_BYTES, max(MAX_HEADER_BLOCK, ENCODED_PER_DECODED * text_budget))
    sections = ["HEADER", *(part.section for part in (plain, html) if part is not None)]
    bodies = await _read_sections(session, uid, sections, limit, deadline=deadline)
    if "HEADER" not in bodies:
        return None

    def decoded() -> Content:
        text, text_cut = _text(plain, bodies, limit, text_budget)
        page, page_cut = _text(html, bodies, limit, text_budget)
        return Content(
            summary=summary_of(found, key, MailboxKey(scope), epoch),
            headers=parse_headers(bodies["HEADER"][:MAX_HEADER_BLOCK]),
            text=text,
            html=page,
            truncated=text_cut or page_cut or found.structure is None,
        )

    small = sum(map(len, bodies.values())) <= DECODED_ON_LOOP
    return decoded() if small else await asyncio.to_thread(decoded)


def _text(
    part: BodyPart | None, bodies: Mapping[str, bytes], limit: int, budget: int
) -> tuple[str | None, bool]:
    raw = bodies.get(part.section) if part is not None else None
    if part is None or raw is None:
        return None, False
    charset = part.parameters.get("charset", b"").decode("latin-1") or None
    text, cut = cut_utf8(decode_text(raw, charset, part.encoding), budget)
    return text, cut or len(raw) >= limit


async def read_source(pool: Pool, call: Call, key: ItemKey) -> ByteStream:
    """Return the message's bytes as a stream.

    Raises:
        MessageNotFound: It is gone.
    """
    chunks, size = await _open_body(pool, call, key, "")
    if chunks is None:
        raise MessageNotFound
    return ByteStream(content_type="message/rfc822", size_bytes=size, exact=True, chunks=chunks)


async def read_part(pool: Pool, call: Call, key: ItemKey, part_id: str) -> ByteStream:
    """Return one part as a decoded stream.

    Raises:
        MessageNotFound: The message is gone.
        AttachmentNotFound: It has no such part.
    """
    scope, epoch, uid = split_key(key)
    if not _SECTION.match(part_id):
        raise AttachmentNotFound

    async def work(session: Session) -> BodyPart | None:
        if not await _enter(session, scope, epoch, deadline=call.deadline):
            return None
        batch = await _fetch(session, BitMap([uid]), (*_PLAIN_ITEMS, "BODYSTRUCTURE"), deadline=call.deadline)
        found = batch.found.get(uid)
        return found.structure if found is not None else None

    tree = await pool.run(call, scope, work)
    if tree is None:
        raise MessageNotFound
    leaf = next((part for part in tree.leaves() if part.section == part_id), None)
    if leaf is None:
        raise AttachmentNotFound
    chunks, _ = await _open_body(pool, call, key, part_id)
    if chunks is None:
        raise MessageNotFound
    chunks.decode(leaf.encoding if leaf.type != "message" else "")
    shown = part_of(leaf)
    return ByteStream(content_type=shown.content_type, size_bytes=shown.size_bytes, exact=True, chunks=chunks)


async def _open_body(
    pool: Pool, call: Call, key: ItemKey, section: str
) -> tuple[BodyChunks | None, int | None]:
    """Begin to fetch one section; once more on a new connection if the far end had closed the kept one."""
    scope = split_key(key)[0]
    for fresh in (False, True):
        session = await pool.take(call, scope, fresh=fresh)
        chunks = None
        try:
            chunks, size = await _begin_body(pool, session, call, key, section)
            if chunks is None and await session.catch_up(deadline=call.deadline):
                chunks, size = await _begin_body(pool, session, call, key, section)
            return chunks, size
        except Refused as refused:
            raise refused.error from refused
        except ProviderUnreachable:
            if not session.used_at:
                raise
        finally:
            if chunks is None:
                pool.give_back(session)
    raise AssertionError("a new connection was kept")


async def _begin_body(
    pool: Pool, session: Session, call: Call, key: ItemKey, section: str
) -> tuple[BodyChunks | None, int | None]:
    """Send the FETCH and wait for its first byte; the chunks then own the session."""
    scope, epoch, uid = split_key(key)
    if not await _enter(session, scope, epoch, deadline=call.deadline):
        return None, None
    opening = Opening(session.connection, section)
    exchange = await session.connection.send(
        "UID FETCH",
        encoder.Sequence(b"%d" % uid),
        [Atom("UID"), Atom(f"BODY.PEEK[{section}]")],
        deadline=call.deadline,
        collect=opening.take,
        sink_for=opening.sink_for,
    )
    try:
        async with until(call.deadline, "body"):
            await opening.begun(exchange)
    except BaseException:
        session.connection.abandon(exchange)
        raise
    if opening.sink is None and opening.data is None:
        await session.connection.finish(exchange, deadline=call.deadline)
        return None, None
    chunks = BodyChunks(
        session.connection,
        exchange,
        opening.sink,
        lambda: pool.give_back(session),
        deadline=call.deadline,
    )
    if opening.sink is not None:
        return chunks, opening.sink.size
    chunks.put(opening.data or b"")
    return chunks, len(opening.data or b"")
