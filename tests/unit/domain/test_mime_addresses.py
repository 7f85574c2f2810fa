"""Address fields: RFC 5322 sections 3.4 and 4.4."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroom_server.domain.messages import Address
from postroom_server.domain.mime import parse_address_list

PARSED = [
    ("a@b.c", [("", "a@b.c")]),
    ("Ann <a@b.c>", [("Ann", "a@b.c")]),
    ('"Doe, Ann" <a@b.c>, Bob <b@b.c>', [("Doe, Ann", "a@b.c"), ("Bob", "b@b.c")]),
    ("a@b.c (Ann Doe)", [("Ann Doe", "a@b.c")]),
    ("Ann (the (nested) boss) <a@b.c>", [("Ann", "a@b.c")]),
    ("undisclosed-recipients:;", []),
    ("Team: a@b.c, Bob <b@b.c>; c@b.c", [("", "a@b.c"), ("Bob", "b@b.c"), ("", "c@b.c")]),
    ("=?utf-8?q?Caf=C3=A9?= <a@b.c>", [("Café", "a@b.c")]),
    ("=?utf-8?Q?Doe,_Ann?= <a@b.c>", [("Doe, Ann", "a@b.c")]),
    ('"=?utf-8?B?w6k=?=" <a@b.c>', [("é", "a@b.c")]),
    ("=?utf-8?q?A?= =?utf-8?q?B?= <a@b.c>", [("AB", "a@b.c")]),
    ("Ann <a@b.c", [("Ann", "a@b.c")]),
    ("<a@b.c, d@e.f", [("", "a@b.c"), ("", "d@e.f")]),
    ("<@r1,@r2:a@b.c>", [("", "a@b.c")]),
    ("john . doe @ example . com", [("", "john.doe@example.com")]),
    ('"john doe"@b.c', [("", '"johndoe"@b.c')]),
    ("Ann Doe", [("Ann Doe", "")]),
    ("root", [("", "root")]),
    ("Ann Doe a@b.c", [("Ann Doe", "a@b.c")]),
    ("a@[IPv6:::1]", [("", "a@[IPv6:::1]")]),
    ("Ann <>", [("Ann", "")]),
    (b"J\xc3\xb6rg <a@b.c>", [("Jörg", "a@b.c")]),
    (b"J\xf6rg M\xfcller <a@b.c>", [("Jörg Müller", "a@b.c")]),
    ("用户@例子.广告", [("", "用户@例子.广告")]),
    ('"a \\"q\\" b" <a@b.c>', [('a "q" b', "a@b.c")]),
    ("Ann\u202e <a@b.c\r\n>", [("Ann", "a@b.c")]),
    (",,; ,", []),
    ("", []),
    ("Ann (c <a@b.c>", [("Ann c", "a@b.c")]),
]


@pytest.mark.rfc("5322", "3.4")
@pytest.mark.parametrize(("raw", "addresses"), PARSED)
def test_address_fields_are_read(raw, addresses):
    assert [(one.display_name, one.address) for one in parse_address_list(raw)] == addresses


def test_the_number_of_addresses_is_bounded():
    field = ", ".join(f"a{n}@b" for n in range(1_000))
    assert len(parse_address_list(field)) == 200
    assert len(parse_address_list(field, 1_000)) == 1_000


@given(st.one_of(st.binary(max_size=300), st.text(alphabet='ab@.,;:<>()"\\[] =?\r\n', max_size=300)))
def test_address_fields_never_raise(raw):
    for one in parse_address_list(raw):
        assert isinstance(one, Address)


HOSTILE = [
    '"',
    "<",
    "(",
    ")",
    "\\",
    '<"',
    "a,",
    "<a,",
    "[",
    "=?a?q?",
    ":",
    "@",
    ". ",
    '"\\',
    "a <",
    "a@ ",
    "(\\",
    "<@:",
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_hostile_fields_take_linear_time(unit):
    """Threats T09: 20 kB of quote marks take the standard library 4.5 s."""
    start = time.process_time()
    parse_address_list(unit * (60_000 // len(unit)), 100_000)
    assert time.process_time() - start < 1.5
