"""Addresses that may stand in an envelope: RFC 5321 section 4.1.2."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroom_server.domain.compose import check_address
from postroom_server.errors import RequestInvalid

GOOD = [
    ("a@b.c", "a@b.c"),
    (" a@b.c ", "a@b.c"),
    ("first.last+tag@Example.ORG", "first.last+tag@example.org"),
    ('"john doe"@b.c', '"john doe"@b.c'),
    ('"a\\"b"@b.c', '"a\\"b"@b.c'),
    ("root@localhost", "root@localhost"),
    ("a@[127.0.0.1]", "a@[127.0.0.1]"),
    ("a@[IPv6:::1]", "a@[IPv6:::1]"),
    ("a@bücher.example", "a@xn--bcher-kva.example"),
    ("用户@例子.广告", "用户@xn--fsqu00a.xn--4rr70v"),
    ("a@例子。广告", "a@xn--fsqu00a.xn--4rr70v"),
    ("x" * 64 + "@b.c", "x" * 64 + "@b.c"),
]
BAD = [
    "",
    "@",
    "a",
    "a@",
    "@b",
    "a@b@c@",
    "a b@c",
    ".a@b",
    "a.@b",
    "a..b@c",
    "a@b..c",
    "a@.b",
    "a@b.",
    "a@-b.c",
    "a@b-.c",
    "a@b_c!",
    "x" * 65 + "@b.c",
    "é" * 33 + "@b.c",
    "a@" + "b" * 64 + ".c",
    "a@" + "b." * 130 + "c",
    "a@[1.2.3]",
    "a@[1.2.3.4",
    "a@[IPv6:x]",
    '"a@b.c',
    '"a"b"@c',
    "a@b\r\n",
    "a\r\n@b.c",
    "a@b\r\nDATA",
    "a\x00@b",
    "a@b\x00",
    "<a@b.c>",
    "a@b.c>",
    "a@b,c@d",
    "a\u202e@b.c",
    "a\u200b@b.c",
    "a\u00a0b@c.d",
    "a\x80@b.c",
    "x" * 5_000,
    "a@" + "é" * 300,
    "a@b c.d",
    "a@b.c\t\n",
]


@pytest.mark.rfc("5321", "4.1.2")
@pytest.mark.parametrize(("address", "checked"), GOOD)
def test_a_good_address_is_given_back_normal(address, checked):
    assert check_address(address, "to") == checked


@pytest.mark.parametrize("address", BAD)
def test_a_bad_address_is_refused_by_its_path(address):
    """Threats T03."""
    with pytest.raises(RequestInvalid) as refused:
        check_address(address, "to[0].address")
    assert refused.value.violations[0][0] == "to[0].address"


@given(st.text(alphabet=st.characters(), max_size=80))
def test_whatever_passes_holds_nothing_that_ends_a_command(address):
    try:
        checked = check_address(address + "@example.org", "x")
    except RequestInvalid:
        return
    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or char in "\u2028\u2029" for char in checked)
    assert checked.count(">") == checked.count("<") == 0 or checked.startswith('"')


@pytest.mark.parametrize("unit", ["a.", ".", '"', "\\", "é", "@", "-", "[", "a"])
def test_checking_takes_linear_time(unit):
    start = time.process_time()
    for pattern in (unit * 900, unit * 900 + "@b.c", "a@" + unit * 900, '"' + unit * 900):
        with pytest.raises(RequestInvalid):
            check_address(pattern[:1_000], "x")
    assert time.process_time() - start < 0.5
