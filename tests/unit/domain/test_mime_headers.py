"""Header fields, ids and dates: RFC 2047, 5322, and what senders write instead."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroom_server.domain.mime import (
    decode_header,
    parse_date,
    parse_headers,
    parse_message_ids,
    split_headers,
)

DECODED = [
    (b"plain", "plain"),
    (b"=?utf-8?Q?caf=C3=A9?=", "café"),
    ("=?UTF-8?B?5LyK6LGG?=", "伊豆"),
    # A character split over two words (fast-mail-parser gives U+FFFD here).
    (b"=?utf-8?B?5LyK6A==?=\r\n =?utf-8?B?sYY=?=", "伊豆"),
    # Base64 cut at an arbitrary letter, unpadded.
    (b"=?utf-8?B?5LyK6L?= =?utf-8?B?GG?=", "伊豆"),
    (b"=?utf-8?q?a?= =?utf-8?q?b?= c", "ab c"),
    (b"=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"),
    (b"x=?utf-8?q?a?=y", "xay"),
    (b"=?iso-8859-1?q?=93quoted=94?=", "“quoted”"),
    (
        b"=?gb2312?B?z+K1xIHt?=",
        b"\xcf\xe2\xb5\xc4\x81\xed".decode("gb18030"),
    ),
    (b"=?utf-8*en?q?lang?=", "lang"),
    (b"=?no-such-charset?q?caf=C3=A9?=", "café"),
    (b"=?utf-8?q?un_der_score?=", "un der score"),
    (b"=?utf-8?q?a=0D=0AX-Evil:_1?=", "a X-Evil: 1"),
    (b"caf\xc3\xa9", "café"),
    (b"folded\r\n text\r\n\tand tab", "folded text and tab"),
    (b"two  spaces stay", "two  spaces stay"),
    (b"nul\x00bell\x07", "nul bell"),
    ("right\u202eto left", "rightto left"),
    (b"=?utf-8?q?broken", "=?utf-8?q?broken"),
    (b"=?iso-2022-jp?B?GyRCJDMkcyRLJEEkTxsoQg==?=", "こんにちは"),
    (b"\x1b$B$3$s$K$A$O\x1b(B", "こんにちは"),
    (b"=?koi8-r?B?8NLJ18XU?=", "Привет"),
    (b"=?utf-7?Q?Hi_+AOk-?=", "Hi é"),
    (b"=?ks_c_5601-1987?B?vsiz5w==?=", "안녕"),
]


@pytest.mark.rfc("2047", "6")
@pytest.mark.parametrize(("raw", "text"), DECODED)
def test_header_text_is_decoded(raw, text):
    assert decode_header(raw) == text


@given(st.one_of(st.binary(max_size=400), st.text(max_size=400)))
def test_header_decoding_never_raises_and_gives_one_printable_line(raw):
    text = decode_header(raw)
    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or char in "\u202e\u2028" for char in text)
    if isinstance(raw, bytes):
        text.encode()


HOSTILE_HEADERS = [
    "=?",
    "=?a?q?",
    "=?utf-8?q?a?= ",
    "=?utf-8?b?YQ==?=",
    '"',
    "=?a?b?" + "x" * 50,
    "\r\n",
    "\r\n ",
    " ",
    "?",
    "(",
    "<",
]


@pytest.mark.parametrize("unit", HOSTILE_HEADERS)
@pytest.mark.parametrize("reader", [decode_header, parse_message_ids, parse_date])
def test_hostile_headers_take_linear_time(reader, unit):
    """Threats T10: the bound is 64 KiB, and that much ends well under a second."""
    start = time.process_time()
    reader(unit * (65_536 // len(unit)))
    assert time.process_time() - start < 1.0


def test_fields_are_unfolded_decoded_and_named_in_lower_case():
    raw = b"Subject: =?utf-8?q?=C3=A9?=\r\n t\x00\r\nX-A : 1\r\nbroken line\r\n went on\r\nTo:\r\n a@b\r\n\r\nBody: no"
    assert parse_headers(raw) == [("subject", "é t"), ("x-a", "1"), ("to", "a@b")]


def test_an_mbox_line_and_bare_newlines_are_read_over():
    assert split_headers(b"From me Mon\nA: 1\nB: 2\n\nC: 3") == [("a", b"1"), ("b", b"2")]


def test_header_block_is_bounded():
    fields = split_headers(b"A: 1\r\n" * 5_000)
    assert len(fields) == 1_000
    assert len(split_headers(b"A: " + b"x" * 300_000)[0][1]) == 64 * 1024


def test_message_ids_lose_their_brackets_and_repeats():
    assert parse_message_ids("<a@b> <c@d>\r\n <a@b>") == ("a@b", "c@d")
    assert parse_message_ids(b"a@b c@d words") == ("a@b", "c@d")
    assert parse_message_ids("<broken\r\n folded@id>") == ("brokenfolded@id",)
    assert parse_message_ids("") == ()


def test_many_references_keep_the_first_and_the_newest():
    ids = parse_message_ids(" ".join(f"<{n}@x>" for n in range(500)))
    assert len(ids) == 100
    assert (ids[0], ids[1], ids[-1]) == ("0@x", "401@x", "499@x")


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("Mon, 23 Nov 2026 10:00:00 +0200", datetime(2026, 11, 23, 8, tzinfo=UTC)),
        ("23 Nov 2026 10:00:00 -0000 (UTC)", datetime(2026, 11, 23, 10, tzinfo=UTC)),
        ("Mon, 23 Nov 26 10:00 EST", datetime(2026, 11, 23, 15, tzinfo=UTC)),
        ("31 Feb 2026 10:00:00 +0000", None),
        ("1 Jan 0000 00:00:00 +9999", None),
        ("", None),
        ("yesterday", None),
        ("1 Jan 99999 00:00:00 +0000", None),
    ],
)
def test_dates_are_utc_or_none(text, when):
    assert parse_date(text) == when


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200)))
def test_dates_and_ids_never_raise(raw):
    parse_date(raw)
    parse_message_ids(raw)
