"""Whole messages: parts under IMAP's numbers, texts, bombs."""

import random
import time
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroom_server.domain.mime import parse_message, part_bytes, tree

DATA = Path(__file__).parents[2] / "data"


def sections(raw):
    return {part.section: part.content_type for part in parse_message(raw).parts}


@pytest.mark.rfc("3501", "6.4.5")
def test_parts_have_the_numbers_that_imap_gives_them():
    raw = (DATA / "nested.eml").read_bytes()
    assert sections(raw) == {
        "1.1": "text/plain",
        "1.2.1": "text/html",
        "1.2.2": "image/png",
        "2": "message/rfc822",
        "2.1": "text/plain",
        "2.2": "application/pdf",
        "3": "message/rfc822",
        "3.1": "text/plain",
        "4": "text/plain",
    }
    parsed = parse_message(raw)
    assert parsed.text == "The text."
    assert parsed.html == '<img src="cid:logo@x">'
    shown = [(one.id, one.filename, one.content_id, one.inline) for one in parsed.attachments]
    assert shown == [
        ("1.2.2", None, "logo@x", True),
        ("2", None, None, False),
        ("3", None, None, False),
        ("4", "notes.txt", None, False),
    ]
    assert part_bytes(raw, "2.2") == b"ABC"
    assert part_bytes(raw, "3.1") == b"innermost"
    assert part_bytes(raw, "4") == "Grüße".encode("latin-1")
    assert part_bytes(raw, "9") is None


def test_a_single_part_is_number_one():
    parsed = parse_message(b"Subject: s\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n")
    assert (parsed.text, parsed.parts[0].section, parsed.attachments) == ("hello", "1", ())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gbk.eml", {"subject": "龍行天下", "text": "龍\n"}),
        ("cp1252.eml", {"subject": "“Offer”", "text": "“100 €”\n"}),
        ("bad-base64.eml", {"text": "ABCD"}),
        ("no-end-boundary.eml", {"text": "one"}),
        ("unknown-charset.eml", {"text": "café\n"}),
        ("raw-8bit.eml", {"subject": "Jörg", "text": "Jörg\n"}),
        ("iso-2022-jp.eml", {"subject": "こんにちは", "text": "こんにちは\n"}),
        ("split-word.eml", {"subject": "伊豆"}),
    ],
)
def test_hard_mails_are_read(name, expected):
    """The mails that parsers of reference get wrong; data/README.md tells what is odd with each."""
    parsed = parse_message((DATA / name).read_bytes())
    assert {field: getattr(parsed, field) for field in expected} == expected


def test_what_the_fast_parser_refuses_to_decode_is_still_a_part():
    raw = (DATA / "bad-base64.eml").read_bytes()
    assert part_bytes(raw, "2") == b"ABCDEF"


def _message(rng, depth=0):
    message = EmailMessage()
    message["Subject"] = f"depth {depth}"
    message.set_content(rng.choice(["é text", "ascii\n--almost\n-- \nx", "x"]))
    if rng.random() < 0.5:
        message.add_alternative("<b>x</b>", subtype="html")
    for _ in range(rng.randint(0, 3)):
        if rng.random() < 0.3 and depth < 3:
            message.add_attachment(_message(rng, depth + 1))
        else:
            message.add_attachment(rng.randbytes(50), maintype="a", subtype="b", filename=f"é{depth}.pdf")
    return message


@pytest.mark.parametrize("seed", range(60))
def test_both_builders_make_the_same_tree_of_well_formed_mail(seed):
    raw = _message(random.Random(seed)).as_bytes(policy=SMTP)
    fast, scanned = tree.build(raw), tree.scan(raw)
    for found in (fast, scanned):
        assert found.whole
    assert list(fast.nodes) == list(scanned.nodes)
    for section, node in fast.nodes.items():
        other = scanned.nodes[section]
        assert (node.content_type, node.encoded_size) == (other.content_type, other.encoded_size)
        assert node.content() == other.content()


BOMBS = {
    "nesting": b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(5_000)
    ),
    "parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 100_000,
    "headers": b"X: y\r\n" * 100_000 + b"\r\n",
    "part headers": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + b"X: y\r\n" * 300_000,
    "quotes": b"To: " + b'"' * 200_000 + b"\r\n\r\n",
    "boundary": b'Content-Type: multipart/mixed; boundary="'
    + b"b" * 100_000
    + b'"\r\n\r\n--'
    + b"b" * 100_000,
    "almost delimiters": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--c\r\n" * 500_000,
    "messages": b"Content-Type: message/rfc822\r\n\r\n" * 20_000,
    "same boundary": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * 20_000,
    "words": b"Subject: " + b"=?utf-8?q?=41?= " * 20_000 + b"\r\n\r\n",
    "segments": b"Content-Type: a/b; " + b"".join(b"name*%d=x; " % n for n in range(20_000)) + b"\r\n\r\n",
    "charset": b"Content-Type: text/plain; charset=" + b"x" * 100_000 + b"\r\n\r\n\xe9",
    "base64": b"Content-Transfer-Encoding: base64\r\n\r\n" + b"=" * 3_000_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_end_within_two_seconds(name):
    """Threats T09: the standard library needs up to 6.3 s, or ends in RecursionError."""
    for read in (parse_message, tree.scan, tree.build):
        start = time.process_time()
        read(BOMBS[name])
        assert time.process_time() - start < 2.0


def test_beyond_a_thousand_parts_the_rest_is_one_opaque_part():
    parsed = parse_message(BOMBS["parts"])
    assert not parsed.complete
    assert len(parsed.parts) <= 1_001
    assert parsed.parts[-1].content_type == "application/octet-stream"
    assert parsed.parts[-1].encoded_size_bytes > 500_000


def test_beyond_the_depth_the_rest_is_opaque():
    parsed = parse_message(BOMBS["nesting"])
    assert not parsed.complete
    assert max(part.section.count(".") for part in parsed.parts) <= 50


@given(st.binary(max_size=600))
def test_any_bytes_are_read(raw):
    parse_message(raw)


@given(st.data())
def test_mutilated_mail_is_read(data):
    raw = bytearray((DATA / "nested.eml").read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=10))
    parsed = parse_message(bytes(raw))
    for part in parsed.parts:
        part_bytes(bytes(raw), part.section)


def test_texts_are_cut_to_the_budget():
    parsed = parse_message("Content-Type: text/plain; charset=utf-8\r\n\r\nééé".encode(), text_budget=5)
    assert (parsed.text, parsed.truncated) == ("éé", True)
