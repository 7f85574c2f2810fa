"""FETCH responses as real servers write them, whole and byte by byte."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from postroom_server.backends.imap.wire.faults import Malformed
from postroom_server.backends.imap.wire.fetch import Fetch, read_date
from postroom_server.backends.imap.wire.structure import Address, BodyPart

from tests.wire.transcripts import only


def fetched(transcript: str) -> Fetch:
    response = only(transcript)
    assert isinstance(response, Fetch)
    return response


def structure(transcript: str) -> BodyPart:
    found = fetched(transcript).structure
    assert found is not None
    return found


def subject(transcript: str) -> bytes | None:
    envelope = fetched(transcript).envelope
    assert envelope is not None
    return envelope.subject


def test_gmail_ids_and_labels():
    found = fetched(
        r'* 1 FETCH (X-GM-THRID 1266894439832287888 X-GM-MSGID 1266894439832287889 X-GM-LABELS ("\\Inbox" "\\Sent" Important "Muy Importante") UID 5)'
    )
    assert (found.uid, found.gmail_message_id, found.gmail_thread_id) == (
        5,
        1266894439832287889,
        1266894439832287888,
    )
    assert found.gmail_labels == {rb"\Inbox", rb"\Sent", b"Important", b"Muy Importante"}


def test_a_subject_may_be_a_literal():
    assert (
        subject("""
            * 1 FETCH (ENVELOPE ("d" {11}
            he said "x" NIL NIL NIL NIL NIL NIL NIL NIL))
            """)
        == b'he said "x"'
    )


def test_stars_parentheses_and_escapes_in_a_quoted_subject_stay_as_they_are():
    assert (
        subject(r'* 1 FETCH (ENVELOPE ("d" "a \"q\" \\ :-( 5* b" NIL NIL NIL NIL NIL NIL NIL "<a@b>"))')
        == rb'a "q" \ :-( 5* b'
    )


def test_eight_bit_bytes_in_a_quoted_string_are_kept():
    assert (
        subject(r'* 1 FETCH (ENVELOPE ("d" "caf\xc3\xa9 \xe9" NIL NIL NIL NIL NIL NIL NIL "<a@b>"))')
        == b"caf\xc3\xa9 \xe9"
    )


def test_group_addresses_keep_their_edges():
    envelope = fetched(
        '* 1 FETCH (ENVELOPE ("d" "s" NIL NIL NIL ((NIL NIL "undisclosed-recipients" NIL)(NIL NIL NIL NIL)) NIL NIL NIL "<a@b>"))'
    ).envelope
    assert envelope is not None
    assert envelope.to == (Address(None, b"undisclosed-recipients", None), Address(None, None, None))
    assert envelope.message_id == b"<a@b>"


def test_a_short_envelope_is_filled_with_nothing():
    envelope = fetched('* 1 FETCH (ENVELOPE ("d" "s"))').envelope
    assert envelope is not None
    assert (envelope.subject, envelope.from_, envelope.message_id) == (b"s", (), None)


def test_modseq_flags_and_keywords():
    found = fetched(r"* 7 FETCH (UID 9 MODSEQ (917162500) FLAGS (\Seen $Label1 NonJunk))")
    assert (found.number, found.uid, found.modseq) == (7, 9, 917162500)
    assert found.flags == {r"\Seen", "$Label1", "NonJunk"}


def test_brackets_braces_and_stars_inside_flags():
    found = fetched(r"* 7 FETCH (UID 9 FLAGS (foo]bar \*weird [open a{b))")
    assert found.flags == {"foo]bar", r"\*weird", "[open", "a{b"}


def test_header_fields_in_a_literal():
    found = fetched("""
        * 3 FETCH (UID 3 BODY[HEADER.FIELDS (SUBJECT "X-FOO")] {10}
        Subject: x FLAGS ())
        """)
    assert found.sections == {'HEADER.FIELDS (SUBJECT "X-FOO")': b"Subject: x"}
    assert found.flags == frozenset()


def test_a_partial_section_drops_its_origin():
    found = fetched("""
        * 3 FETCH (BODY[1.2]<0> {3}
        abc UID 3)
        """)
    assert (found.uid, found.sections) == (3, {"1.2": b"abc"})


def test_a_section_may_be_quoted_nil_or_empty():
    assert fetched('* 3 FETCH (BODY[1] "abc" BODY[2] NIL BODY[3] "")').sections == {
        "1": b"abc",
        "2": None,
        "3": b"",
    }


def test_literal8_holds_nul():
    found = fetched(r"""
        * 3 FETCH (BINARY[1] ~{3}
        a\x00c UID 3 BINARY.SIZE[2] 77)
        """)
    assert (found.sections, found.binary_sizes, found.uid) == ({"1": b"a\0c"}, {"2": 77}, 3)


def test_object_ids():
    found = fetched(
        '* 3 FETCH (EMAILID (M6d99ac3275bb4e) THREADID (T64b478a75b7ea9) SAVEDATE "01-Jan-2025 00:00:00 +0000")'
    )
    assert (found.email_id, found.thread_id) == ("M6d99ac3275bb4e", "T64b478a75b7ea9")
    assert fetched("* 3 FETCH (THREADID NIL)").thread_id is None


def test_an_attached_message_numbers_its_parts_below_itself():
    tree = structure(
        '* 1 FETCH (BODYSTRUCTURE (("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 5 1 NIL NIL NIL NIL)'
        '("message" "rfc822" NIL NIL NIL "7bit" 300 ("d" "inner" (("n" NIL "a" "b.c")) NIL NIL NIL NIL NIL NIL "<i@j>")'
        ' (("text" "plain" NIL NIL NIL "7bit" 1 1 NIL NIL NIL NIL)("text" "html" NIL NIL NIL "7bit" 1 1 NIL NIL NIL NIL)'
        ' "alternative" ("boundary" "x") NIL NIL NIL) 12 NIL ("attachment" ("filename" "a.eml")) NIL NIL)'
        ' "mixed" ("boundary" "y") NIL ("de" "en") NIL))'
    )
    assert (tree.type, tree.subtype, tree.parameters) == ("multipart", "mixed", {"boundary": b"y"})
    assert [(part.section, part.type) for part in tree.leaves()] == [("1", "text"), ("2", "message")]
    attached = tree.children[1]
    assert (attached.disposition, attached.disposition_parameters) == ("attachment", {"filename": b"a.eml"})
    assert [part.section for part in attached.children[0].leaves()] == ["2.1", "2.2"]


def test_extension_data_may_be_missing():
    part = structure('* 1 FETCH (BODYSTRUCTURE ("TEXT" "PLAIN" ("CHARSET" "UTF-8") NIL NIL "8BIT" 10 2))')
    assert (part.section, part.type, part.subtype, part.encoding, part.size) == (
        "1",
        "text",
        "plain",
        "8bit",
        10,
    )
    assert part.parameters == {"charset": b"UTF-8"}


def test_exchange_sends_an_empty_multipart():
    tree = structure('* 1 FETCH (BODYSTRUCTURE (NIL "mixed" ("boundary" "x") NIL NIL))')
    assert (tree.type, tree.subtype, tree.children) == ("multipart", "mixed", ())


def test_exchange_sends_negative_sizes():
    assert structure('* 1 FETCH (BODYSTRUCTURE ("text" "plain" () NIL NIL "7bit" -1 -1))').size is None


def test_a_parameter_without_a_value_is_empty():
    part = structure(
        '* 1 FETCH (BODYSTRUCTURE ("text" "plain" ("charset" NIL) NIL NIL "7bit" 1 1 NIL ("attachment" NIL)))'
    )
    assert (part.parameters, part.disposition) == ({"charset": b""}, "attachment")


def test_doubled_and_trailing_spaces():
    assert fetched(r"* 1 FETCH (UID 4  FLAGS (\Seen ))").flags == {r"\Seen"}


def test_lower_case_names():
    assert fetched(r"* 1 fetch (uid 4 flags (\Seen))").uid == 4


def test_sizes_beyond_32_bits_and_the_last_uid():
    found = fetched("* 1 FETCH (RFC822.SIZE 5368709120 UID 4294967295)")
    assert (found.size, found.uid) == (5368709120, 4294967295)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (b" 1-Jan-2025 00:00:00 +0000", datetime(2025, 1, 1, tzinfo=UTC)),
        (b"31-Dec-2024 20:00:00 -0400", datetime(2025, 1, 1, tzinfo=UTC)),
        (b"01-jan-2025 01:30:00 +0130", datetime(2025, 1, 1, tzinfo=UTC)),
        (b"31-Feb-2025 00:00:00 +0000", None),
        (b"01-Jan-0001 00:00:00 +1200", None),
        (b"01-Jan-2025 00:00:00 +9999", None),
        (b"yesterday", None),
        (None, None),
    ],
)
def test_internal_dates(text, wanted):
    assert read_date(text) == wanted


def test_a_preview_with_a_parenthesis_is_skipped():
    assert fetched('* 1 FETCH (PREVIEW "hello (" UID 1)').uid == 1


@pytest.mark.parametrize(
    "line",
    [
        "* 1 FETCH",
        "* 1 FETCH (UID)",
        "* 1 FETCH (UID 4294967296)",
        "* 1 FETCH (UID x)",
        "* 1 FETCH (UID 1 FLAGS (a)",
        "* 1 FETCH UID 1)",
        '* 1 FETCH (ENVELOPE ("d" "s" (("n" NIL "a"))))',
        '* 1 FETCH (ENVELOPE ("d" "s',
        "* 1 FETCH (BODY[1 {3)",
    ],
)
def test_broken_message_data_is_malformed(line):
    with pytest.raises(Malformed):
        only(line)
