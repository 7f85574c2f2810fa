"""Tables: flags, roles, and the rows that a listing makes of them."""

from __future__ import annotations

import pytest
from postroom_server.backends.imap.convert import flag_from_wire, flag_to_wire, role_by_name, role_by_use
from postroom_server.backends.imap.cursors import Position
from postroom_server.backends.imap.mailboxes import Catalog, rows_of
from postroom_server.backends.imap.wire.data import List, MailboxStatus
from postroom_server.domain.flags import SYSTEM_FLAGS, Flag
from postroom_server.domain.mailboxes import Role, RoleSource
from postroom_server.domain.ports import ProviderCursor
from postroom_server.errors import ProviderCursorExpired


@pytest.mark.parametrize(
    ("wire", "flag"),
    [
        (r"\Seen", "$seen"),
        (r"\FLAGGED", "$flagged"),
        ("$Forwarded", "$forwarded"),
        ("Forwarded", "$forwarded"),
        ("Junk", "$junk"),
        ("NonJunk", "nonjunk"),
        (r"\Recent", None),
        (r"\Deleted", None),
        (r"\Unheard", None),
        ("foo]bar", None),
        ("x" * 101, None),
        ("", None),
    ],
)
def test_flags_come_in_our_spelling(wire, flag):
    assert flag_from_wire(wire) == flag


def test_every_system_flag_goes_out_and_comes_back():
    for flag in SYSTEM_FLAGS:
        assert {flag_from_wire(name) for name in flag_to_wire(flag)} == {flag}
    assert flag_to_wire(Flag("blue")) == ("blue",)


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("Gesendete Objekte", Role.SENT),
        ("ENTWÜRFE", Role.DRAFTS),
        ("Corbeille", Role.TRASH),
        ("垃圾邮件", Role.JUNK),
        ("Archive", Role.ARCHIVE),
        ("Projects", None),
        ("", None),
    ],
)
def test_names_suggest_roles_in_many_languages(name, role):
    assert role_by_name(name) == role


def test_uses_are_roles_whatever_their_case_was():
    assert role_by_use({r"\hasnochildren", r"\sent"}) is Role.SENT
    assert role_by_use({r"\noselect"}) is None


def catalog(*entries: List, numbers: dict[bytes, dict[str, int]] | None = None) -> Catalog:
    found = Catalog()
    for entry in entries:
        assert found.take(entry)
    for name, values in (numbers or {}).items():
        assert found.take(MailboxStatus(name=name, numbers=values))
    return found


def entry(name: bytes, *attributes: str, delimiter: str | None = "/") -> List:
    return List(attributes=frozenset(attributes), delimiter=delimiter, name=name)


def roles(*entries: List) -> dict[bytes, tuple[Role, RoleSource]]:
    rows = rows_of(catalog(*entries), counts=False)
    return {row.key: (row.role, row.role_source) for row in rows if row.role is not None}


def test_the_servers_word_goes_before_the_name():
    assert roles(entry(b"INBOX"), entry(b"Sent"), entry(b"Gesendet", r"\sent")) == {
        b"INBOX": (Role.INBOX, RoleSource.SERVER),
        b"Gesendet": (Role.SENT, RoleSource.SERVER),
    }


def test_one_mailbox_has_a_role_the_one_nearest_to_the_top():
    assert roles(entry(b"INBOX/Trash"), entry(b"Trash"), entry(b"Projects/2019/Sent")) == {
        b"Trash": (Role.TRASH, RoleSource.NAME)
    }
    assert roles(entry(b"INBOX.Sent", delimiter="."))[b"INBOX.Sent"] == (Role.SENT, RoleSource.NAME)


def test_rows_have_paths_scopes_and_numbers():
    rows = {
        row.key: row
        for row in rows_of(
            catalog(
                entry(b"INBOX", r"\subscribed"),
                entry(b"A", r"\noselect", r"\haschildren"),
                entry(b"A/&ZeVnLIqe-"),
                entry(b"flat/name", delimiter=None),
                entry(b"ghost", r"\nonexistent"),
                numbers={b"INBOX": {"MESSAGES": 3, "UNSEEN": 1}},
            ),
            counts=True,
        )
    }
    assert set(rows) == {b"INBOX", b"A", b"A/&ZeVnLIqe-", b"flat/name"}
    assert (rows[b"INBOX"].messages, rows[b"INBOX"].unseen, rows[b"INBOX"].subscribed) == (3, 1, True)
    assert (rows[b"A"].selectable, rows[b"A"].scope) == (False, None)
    assert rows[b"A/&ZeVnLIqe-"].path == ("A", "日本語")
    assert (rows[b"flat/name"].path, rows[b"flat/name"].delimiter) == (("flat/name",), "")


def test_a_position_survives_its_cursor_and_others_are_refused():
    position = Position(uidvalidity=7, uidnext=9, modseq=1 << 62, messages=3, digest=5)
    assert Position.unpack(position.pack()) == position
    for cursor in (b"", b"x", position.pack() + b"x", b"\x09" + position.pack()[1:]):
        with pytest.raises(ProviderCursorExpired):
            Position.unpack(ProviderCursor(cursor))


def test_a_position_is_current_when_every_number_is():
    numbers = {"UIDVALIDITY": 7, "UIDNEXT": 9, "MESSAGES": 3, "HIGHESTMODSEQ": 5}
    position = Position(uidvalidity=7, uidnext=9, modseq=5, messages=3)
    assert position.is_current(numbers)
    for name in numbers:
        assert not position.is_current({**numbers, name: 99})
    assert not position.is_current({})
