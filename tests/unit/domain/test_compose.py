"""Composing: every field comes back as it was given, and nothing else does."""

import email
import re
from datetime import UTC, datetime
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroom_server.domain.compose import (
    Composed,
    ComposedAttachment,
    ComposedHeader,
    compose,
    composed_envelope,
    composed_message_id,
    is_message_id,
    new_message_id,
)
from postroom_server.domain.messages import Address
from postroom_server.domain.mime import parse_message, part_bytes
from postroom_server.errors import RequestInvalid

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
ANN = Address(display_name="Ann", address="ann@example.org")
BOB = Address(display_name='Böb, the "boss"', address="bob@example.org")
ID = "1@example.org"


def write(**fields):
    return compose(Composed(**({"from_": ANN, "to": (BOB,)} | fields)), now=NOW, message_id=ID)


def assert_well_formed(raw):
    """RFC 5322 section 2.1.1 and 2.3: CRLF only, lines of at most 998."""
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", raw)
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert raw.endswith(b"\r\n")
    head = raw.partition(b"\r\n\r\n")[0]
    assert all(len(line) <= 78 or b" " not in line.strip() for line in head.split(b"\r\n"))
    assert not any(line.isspace() for line in head.split(b"\r\n"))


TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029"), max_size=200
)
NAME = TEXT.map(str.strip).filter(lambda text: not re.search("[\u202a-\u202e\u2066-\u2069]", text))


FILENAME = NAME.filter(lambda text: text not in {".", ".."} and not re.search(r"[/\\]", text))


@given(
    subject=NAME,
    name=NAME,
    text=TEXT,
    html=st.none() | TEXT,
    filename=FILENAME,
    content=st.binary(max_size=300),
)
def test_what_is_composed_is_read_back(subject, name, text, html, filename, content):
    raw = write(
        subject=subject,
        to=(Address(display_name=name, address="bob@example.org"),),
        text=text,
        html=html,
        attachments=(ComposedAttachment(filename=filename, content=content),),
    )
    assert_well_formed(raw)
    parsed = parse_message(raw)
    assert parsed.subject == subject
    assert parsed.to == (Address(display_name=name, address="bob@example.org"),)
    assert parsed.text == text
    assert parsed.html == html
    (attachment,) = parsed.attachments
    assert part_bytes(raw, attachment.id) == content
    assert (attachment.filename or "") == filename


@given(name=NAME, text=TEXT)
def test_other_readers_read_it_too(name, text):
    raw = write(to=(Address(display_name=name, address="bob@example.org"),), text=text or "x")
    message = email.message_from_bytes(raw, policy=default)
    assert message["to"].addresses[0].addr_spec == "bob@example.org"
    assert message.get_content().replace("\r\n", "\n").rstrip("\n") == (text or "x").rstrip("\n")


def test_the_same_input_gives_the_same_bytes_and_all_fields():
    raw = write(
        cc=(ANN,),
        bcc=(Address(address="secret@example.org"),),
        reply_to=(ANN,),
        subject="Grüße",
        text="plain",
        headers=(
            ComposedHeader(name="X-Tag", value=" a,  b "),
            ComposedHeader(name="References", value="<a@b> <c@d>"),
        ),
    )
    assert raw == (
        b"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n"
        b"From: Ann <ann@example.org>\r\n"
        b"To: =?utf-8?b?QsO2YiwgdGhlICJib3NzIg==?= <bob@example.org>\r\n"
        b"Cc: Ann <ann@example.org>\r\n"
        b"Reply-To: Ann <ann@example.org>\r\n"
        b"Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\n"
        b"Message-ID: <1@example.org>\r\n"
        b"X-Tag: a,  b\r\n"
        b"References: <a@b> <c@d>\r\n"
        b"MIME-Version: 1.0\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: 7bit\r\n"
        b"\r\n"
        b"plain\r\n"
    )


def test_bcc_never_leaks():
    """Threats T35."""
    raw = write(bcc=(Address(display_name="Hidden", address="hidden@example.org"),), text="x")
    assert b"hidden" not in raw.lower()
    assert b"bcc" not in raw.lower()


def test_the_tree_is_mixed_alternative_related():
    raw = write(
        text="t",
        html='<img src="cid:logo">',
        attachments=(
            ComposedAttachment(filename="a.pdf", content_type="application/pdf", content=b"A"),
            ComposedAttachment(content_type="image/png", content=b"P", content_id="<logo>", inline=True),
        ),
    )
    types = [part.get_content_type() for part in email.message_from_bytes(raw).walk()]
    assert types == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "application/pdf",
    ]
    shown = [(one.id, one.content_id, one.inline) for one in parse_message(raw).attachments]
    assert shown == [("1.2.2", "logo", True), ("2", None, False)]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("short ascii", "7bit"),
        ("x" * 2_000, "quoted-printable"),
        ("mostly ascii with é", "quoted-printable"),
        ("Привет, как дела", "base64"),
        ("trailing space \nx", "quoted-printable"),
        ("bare\rand\nand\r\n", "7bit"),
        ("bell \x07", "quoted-printable"),
        ("", "7bit"),
    ],
)
def test_the_transfer_encoding_follows_the_content(text, encoding):
    raw = write(text=text)
    assert_well_formed(raw)
    assert parse_message(raw).parts[0].transfer_encoding == encoding


def test_an_attached_message_is_not_encoded():
    """RFC 2046 section 5.2.1."""
    raw = write(
        attachments=(
            ComposedAttachment(filename="m.eml", content_type="message/rfc822", content=b"Subject: in\n\nx"),
        )
    )
    assert_well_formed(raw)
    assert part_bytes(raw, "2") == b"Subject: in\r\n\r\nx"
    assert part_bytes(raw, "2.1") == b"x"


def test_a_delimiter_that_occurs_in_a_part_is_not_used():
    first = write(text="a", html="b")
    boundary = re.search(rb'boundary="([^"]+)"', first)[1].decode()
    second = write(text=f"--{boundary}\n", html="b")
    assert parse_message(second).text == f"--{boundary}\n"


def test_a_thousand_recipients_are_folded():
    raw = write(
        to=tuple(Address(display_name=f"Name {n}", address=f"user{n}@example.org") for n in range(1_000))
    )
    assert_well_formed(raw)
    assert len(email.message_from_bytes(raw, policy=default)["to"].addresses) == 1_000


BAD = [
    ({"from_": None}, "from"),
    ({"from_": Address(address="x")}, "from.address"),
    ({"to": (ANN, Address(address="a b@c"))}, "to[1].address"),
    ({"cc": (Address(address="a@b\r\nRCPT TO:<x@y>"),)}, "cc[0].address"),
    ({"bcc": (Address(address="a@b>"),)}, "bcc[0].address"),
    ({"reply_to": (Address(display_name="a\nb", address="a@b"),)}, "replyTo[0].displayName"),
    ({"subject": "a\r\nBcc: x@y"}, "subject"),
    ({"subject": "a\x00"}, "subject"),
    ({"subject": "x" * 5_000}, "subject"),
    ({"headers": (ComposedHeader(name="X", value="a\nb"),)}, "headers[0].value"),
    (
        {"headers": (ComposedHeader(name="X", value="1"), ComposedHeader(name="X Y", value="a"))},
        "headers[1].name",
    ),
    ({"headers": (ComposedHeader(name="", value="a"),)}, "headers[0].name"),
    ({"headers": (ComposedHeader(name="X:", value="a"),)}, "headers[0].name"),
    *[
        ({"headers": (ComposedHeader(name=name, value="a"),)}, "headers[0].name")
        for name in (
            "Bcc",
            "bcc",
            "Received",
            "Return-Path",
            "DKIM-Signature",
            "Content-Type",
            "MIME-Version",
            "Date",
            "From",
            "To",
            "Cc",
            "Subject",
            "Reply-To",
            "Sender",
            "Resent-Bcc",
            "ARC-Seal",
        )
    ],
    ({"headers": (ComposedHeader(name="Message-ID", value="nope"),)}, "headers[0].value"),
    ({"internet_message_id": "a@b\r\nX: 1"}, "internetMessageId"),
    (
        {"internet_message_id": "a@b", "headers": (ComposedHeader(name="Message-Id", value="<c@d>"),)},
        "headers[0].value",
    ),
    ({"attachments": (ComposedAttachment(content_type="text/plain\r\nX: y"),)}, "attachments[0].contentType"),
    ({"attachments": (ComposedAttachment(content_type="multipart/mixed"),)}, "attachments[0].contentType"),
    ({"attachments": (ComposedAttachment(content_id="a>b"),)}, "attachments[0].contentId"),
    ({"attachments": (ComposedAttachment(filename="a\r\nb"),)}, "attachments[0].filename"),
]


@pytest.mark.parametrize(("fields", "path"), BAD)
def test_what_cannot_be_written_is_refused_by_its_path(fields, path):
    """Threats T03."""
    with pytest.raises(RequestInvalid) as refused:
        write(**fields)
    assert refused.value.violations[0][0] == f"submission.composed.{path}"


def test_the_message_id_of_the_caller_is_used():
    header = (ComposedHeader(name="message-id", value="<mine@x>"),)
    assert composed_message_id(Composed(from_=ANN, headers=header)) == "mine@x"
    assert (
        composed_message_id(Composed(from_=ANN, internet_message_id="<mine@x>", headers=header)) == "mine@x"
    )
    assert composed_message_id(Composed(from_=ANN)) is None
    raw = compose(Composed(from_=ANN, headers=header), now=NOW, message_id="mine@x")
    assert raw.lower().count(b"message-id:") == 1


def test_a_fresh_message_id_is_in_the_domain_of_the_sender():
    assert new_message_id("a@example.org").endswith("@example.org")
    assert new_message_id("a@example.org") != new_message_id("a@example.org")
    assert is_message_id(new_message_id("a@[IPv6:::1]"))


def test_the_envelope_is_the_sender_and_each_recipient_once():
    composed = Composed(
        from_=ANN,
        to=(BOB, Address(address="bob@EXAMPLE.org")),
        cc=(Address(address="c@bücher.example"),),
        bcc=(Address(address="d@e.f"),),
    )
    envelope = composed_envelope(composed)
    assert envelope.sender == "ann@example.org"
    assert envelope.recipients == ("bob@example.org", "c@xn--bcher-kva.example", "d@e.f")


@pytest.mark.parametrize("number", [0, 1_001])
def test_an_envelope_has_one_to_a_thousand_recipients(number):
    composed = Composed(from_=ANN, to=tuple(Address(address=f"u{n}@x.y") for n in range(number)))
    with pytest.raises(RequestInvalid) as refused:
        composed_envelope(composed)
    assert refused.value.violations[0][0] == "submission.composed"
