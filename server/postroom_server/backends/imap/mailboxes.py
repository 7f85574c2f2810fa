"""Lists an account's mailboxes with their roles and numbers, in one round trip where the server can.

Owns LIST with its extensions (RFC 5258 LIST-EXTENDED, RFC 5819 LIST-STATUS, RFC 6154 SPECIAL-USE), the fall-backs of
older servers, and how roles are found: the server's word first, then the name. Refuses to keep anything: the caller
compares.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from postroom_server.backends.imap.convert import role_by_name, role_by_use
from postroom_server.backends.imap.refusals import Refused
from postroom_server.backends.imap.session import Session
from postroom_server.backends.imap.wire.data import List, MailboxStatus
from postroom_server.backends.imap.wire.encoder import Argument, Atom, Mailbox, String
from postroom_server.backends.imap.wire.responses import Response
from postroom_server.backends.imap.wire.utf7 import decode_utf7
from postroom_server.domain.keys import MailboxKey
from postroom_server.domain.mailboxes import MAX_MAILBOXES, MAX_PATH_BYTES, MailboxRow, Role, RoleSource

__all__ = ["Catalog", "list_mailboxes", "read_numbers", "rows_of"]

PIPELINED_STATUS = 32
"""STATUS commands in flight, where the server has no LIST-STATUS."""
ROLE_DEPTH = 2
"""A name means a role only so far from the top: `Projects/2019/Sent` is an ordinary mailbox."""

_UNSELECTABLE = frozenset({"\\noselect", "\\nonexistent"})


@dataclass(slots=True)
class Catalog:
    """What LIST and STATUS told, by mailbox name."""

    mailboxes: dict[bytes, List] = field(default_factory=dict)
    numbers: dict[bytes, Mapping[str, int]] = field(default_factory=dict)
    subscribed: set[bytes] | None = None

    def take(self, response: Response) -> bool:
        """Keep one response, up to the number of mailboxes that an account may have."""
        match response:
            case List(name=name) if len(self.mailboxes) < MAX_MAILBOXES and len(name) <= MAX_PATH_BYTES:
                self.mailboxes.setdefault(name, response)
            case MailboxStatus(name=name) if len(self.numbers) < MAX_MAILBOXES:
                self.numbers[name] = response.numbers
            case List() | MailboxStatus():
                pass
            case _:
                return False
        return True


def _items(session: Session) -> list[Argument]:
    items: list[Argument] = [Atom(name) for name in ("MESSAGES", "UNSEEN", "UIDNEXT", "UIDVALIDITY")]
    if session.condstore:
        items.append(Atom("HIGHESTMODSEQ"))
    return items


async def list_mailboxes(session: Session, *, counts: bool, deadline: float) -> Catalog:
    """Return every mailbox of the account; with `counts` also the numbers of those that can be selected.

    Raises:
        Refused: The server lists nothing.
    """
    if counts:
        await session.catch_up(deadline=deadline)
    catalog = Catalog()
    listing: list[Argument] = [String(""), String("*")]
    with_status = counts and session.can("LIST-STATUS")
    if session.can("LIST-EXTENDED"):
        wanted: list[Argument] = [Atom("SUBSCRIBED")]
        if session.can("SPECIAL-USE"):
            wanted.append(Atom("SPECIAL-USE"))
        if with_status:
            wanted += [Atom("STATUS"), _items(session)]
        await session.connection.run(
            "LIST", *listing, Atom("RETURN"), wanted, deadline=deadline, collect=catalog.take
        )
    else:
        with_status = False
        command = "XLIST" if session.can("XLIST") and not session.can("SPECIAL-USE") else "LIST"
        await session.connection.run(command, *listing, deadline=deadline, collect=catalog.take)
        followed = Catalog()
        await session.connection.run("LSUB", *listing, deadline=deadline, collect=followed.take)
        catalog.subscribed = set(followed.mailboxes)
    if counts and not with_status:
        names = [name for name, entry in catalog.mailboxes.items() if not entry.attributes & _UNSELECTABLE]
        catalog.numbers.update(await _ask_each(session, names, deadline=deadline))
    return catalog


async def read_numbers(
    session: Session, names: Sequence[bytes], *, deadline: float
) -> Mapping[bytes, Mapping[str, int]]:
    """Return the numbers of some mailboxes; those that do not exist any more are left out.

    Of the selected mailbox STATUS may tell what the session saw last (RFC 9051 section 6.3.11).
    """
    await session.catch_up(deadline=deadline)
    if len(names) > 1 and session.can("LIST-STATUS") and session.can("LIST-EXTENDED"):
        catalog = Catalog()
        arguments: list[Argument] = [
            String(""),
            String("*"),
            Atom("RETURN"),
            [Atom("STATUS"), _items(session)],
        ]
        await session.connection.run("LIST", *arguments, deadline=deadline, collect=catalog.take)
        return {name: catalog.numbers[name] for name in names if name in catalog.numbers}
    return await _ask_each(session, names, deadline=deadline)


async def _ask_each(
    session: Session, names: Sequence[bytes], *, deadline: float
) -> dict[bytes, Mapping[str, int]]:
    catalog = Catalog()
    for start in range(0, len(names), PIPELINED_STATUS):
        flying = [
            await session.connection.send(
                "STATUS", Mailbox(name), _items(session), deadline=deadline, collect=catalog.take
            )
            for name in names[start : start + PIPELINED_STATUS]
            if b"\0" not in name
        ]
        for exchange in flying:
            try:
                await session.connection.finish(exchange, deadline=deadline)
            except Refused:
                continue
    return catalog.numbers


def _path(entry: List) -> tuple[str, ...]:
    if not entry.delimiter:
        return (decode_utf7(entry.name),)
    pieces = entry.name.split(entry.delimiter.encode("latin-1"))
    return tuple(decode_utf7(piece) for piece in pieces if piece) or (decode_utf7(entry.name),)


def _roles(entries: Iterable[List]) -> dict[bytes, tuple[Role, RoleSource]]:
    """One mailbox per role: what the server says wins, then the name nearest to the top."""
    found: dict[bytes, tuple[Role, RoleSource]] = {}
    taken: set[Role] = set()
    ordered = sorted(entries, key=lambda entry: (len(_path(entry)), entry.name))
    for entry in ordered:
        role = Role.INBOX if entry.name == b"INBOX" else role_by_use(entry.attributes)
        if role is not None and role not in taken:
            found[entry.name] = (role, RoleSource.SERVER)
            taken.add(role)
    for entry in ordered:
        path = _path(entry)
        role = role_by_name(path[-1]) if len(path) <= ROLE_DEPTH and entry.name not in found else None
        if role is not None and role not in taken and not entry.attributes & _UNSELECTABLE:
            found[entry.name] = (role, RoleSource.NAME)
            taken.add(role)
    return found


def rows_of(catalog: Catalog, *, counts: bool) -> list[MailboxRow]:
    """Return the catalogue as the port wants it; the key of a mailbox is its name on the wire."""
    roles = _roles(catalog.mailboxes.values())
    rows: list[MailboxRow] = []
    for name, entry in catalog.mailboxes.items():
        if "\\nonexistent" in entry.attributes and not entry.attributes & {"\\haschildren"}:
            continue
        selectable = not entry.attributes & _UNSELECTABLE
        role, source = roles.get(name, (None, None))
        numbers = catalog.numbers.get(name, {}) if counts else {}
        subscribed = name in catalog.subscribed if catalog.subscribed is not None else None
        rows.append(
            MailboxRow(
                key=MailboxKey(name),
                path=_path(entry),
                delimiter=entry.delimiter or "",
                role=role,
                role_source=source,
                scope=name if selectable else None,
                selectable=selectable,
                virtual=role in {Role.ALL, Role.FLAGGED, Role.IMPORTANT} and source is RoleSource.SERVER,
                subscribed=subscribed if subscribed is not None else "\\subscribed" in entry.attributes,
                messages=numbers.get("MESSAGES"),
                unseen=numbers.get("UNSEEN"),
            )
        )
    return rows
