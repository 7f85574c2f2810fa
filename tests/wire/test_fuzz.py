"""Whatever bytes come: a response, Malformed or LimitExceeded, and never anything else."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from postroom_server.backends.imap.reading import summary_of
from postroom_server.backends.imap.wire.faults import WireFault
from postroom_server.backends.imap.wire.fetch import Fetch
from postroom_server.backends.imap.wire.responses import (
    Response,
    Status,
    capabilities_of,
    permanent_flags_of,
    read_response,
)
from postroom_server.backends.imap.wire.splitter import Splitter
from postroom_server.domain.keys import ItemKey, MailboxKey

CORPUS = [
    rb'* 1 FETCH (X-GM-MSGID 1266894439832287889 X-GM-LABELS ("\\Inbox" Important "Muy Importante") UID 5)',
    b'* 1 FETCH (UID 9 RFC822.SIZE 7 INTERNALDATE " 1-Jan-2025 00:00:00 +0000" FLAGS (\\Seen $Label1 foo]bar))',
    (
        b'* 1 FETCH (ENVELOPE ("Wed, 25 Nov 2026 10:00:00 +0100" "=?utf-8?q?Gr=C3=BC=C3=9Fe?=" (("n" NIL "a" "b.c"))'
        b' NIL NIL ((NIL NIL "g" NIL)(NIL NIL NIL NIL)) NIL NIL "<r@x>" "<a@b>"))'
    ),
    b'* 1 FETCH (ENVELOPE ("d" {11}\r\nhe said "x" NIL NIL NIL NIL NIL NIL NIL NIL))',
    b"* 3 FETCH (UID 3 BODY[HEADER.FIELDS (REFERENCES)] {19}\r\nReferences: <a@b>\r\n FLAGS ())",
    b"* 3 FETCH (BODY[1.2]<0> {3}\r\nabc UID 3)",
    b"* 3 FETCH (BINARY[1] ~{3}\r\na\0c UID 3 BINARY.SIZE[2] 77)",
    b"* 3 FETCH (EMAILID (M6d99) THREADID (T64) MODSEQ (917162500))",
    (
        b'* 1 FETCH (BODYSTRUCTURE (("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 5 1 NIL NIL NIL NIL)'
        b'("message" "rfc822" NIL NIL NIL "7bit" 300 ("d" "inner" NIL NIL NIL NIL NIL NIL NIL "<i@j>")'
        b' (("text" "plain" NIL NIL NIL "7bit" 1 1)("text" "html" NIL NIL NIL "7bit" 1 1) "alternative") 12 NIL'
        b' ("attachment" ("filename*0*" "utf-8\'\'Z%C3%BC" "filename*1" "rich.pdf")) NIL NIL)'
        b' "mixed" ("boundary" "y") NIL ("de" "en") NIL))'
    ),
    b'* 1 FETCH (BODYSTRUCTURE (NIL "mixed" ("boundary" "x") NIL NIL))',
    b'* 1 FETCH (BODYSTRUCTURE ("text" "plain" () NIL NIL "7bit" -1 -1 NIL ("attachment" NIL)))',
    b"* VANISHED (EARLIER) 41,43:116,118",
    b'* ESEARCH (TAG "A282") UID MIN 2 COUNT 3 ALL 2,10:15 MODSEQ 9',
    b"* SEARCH 2 84 882 (MODSEQ 917162500)",
    b'* LIST (\\Subscribed \\Sent) "/" "Gesendete Objekte" ("OLDNAME" ("Sent"))',
    b"* LIST () NIL INBOX",
    b'* STATUS "a b" (MESSAGES 1 UIDNEXT 5 HIGHESTMODSEQ 12 MAILBOXID (F1))',
    b"* OK [COPYUID 1 2:4 5:7] Done (x",
    b"* OK [PERMANENTFLAGS (\\Answered foo]bar \\*)] Limited",
    b"* OK [CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN] ready",
    b'* NAMESPACE (("" "/")) (("~" "/")) NIL',
    b'* ID ("name" "Dovecot" "version" NIL)',
    b'* QUOTA "User quota" (STORAGE 10 512)',
    b"* 4 EXISTS",
    b"* BYE going",
    b"A1 NO [AUTHENTICATIONFAILED] nope",
    b"+ eyJzdGF0dXMiOiI0MDEifQ==",
]
TOKENS = [
    b"(",
    b")",
    b'"',
    b"\\",
    b"{3}\r\n",
    b"~{0}\r\n",
    b"NIL",
    b" ",
    b"BODY[",
    b"]",
    b"<0>",
    b"4294967296",
    b"-1",
    b"\xff",
    b"\0",
    b"\r",
    b"\n",
    b"*",
    b":",
    b",",
]


@st.composite
def mutated(draw) -> bytes:
    """A line of the corpus, spliced with another, cut, and sprinkled with what hurts."""
    line = bytearray(draw(st.sampled_from(CORPUS)))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(line)))
        match draw(st.integers(0, 4)):
            case 0:
                line[at:at] = draw(st.sampled_from(TOKENS))
            case 1:
                del line[at : at + draw(st.integers(1, 12))]
            case 2 if line:
                line[at % len(line)] ^= 1 << draw(st.integers(0, 7))
            case 3:
                line = line[:at] + draw(st.sampled_from(CORPUS))[at:]
            case _:
                line[at:at] = draw(st.binary(max_size=8))
    return bytes(line) + b"\r\n"


def read(data: bytes) -> list[Response]:
    found: list[Response] = []

    def take(parts):
        with contextlib.suppress(WireFault):
            found.append(read_response(parts))

    splitter = Splitter(take)
    with contextlib.suppress(WireFault):
        splitter.feed(data)
    return found


def test_the_corpus_is_read():
    for line in CORPUS:
        assert len(read(line + b"\r\n")) == 1, line


@settings(max_examples=200, deadline=None)
@given(st.lists(mutated(), min_size=1, max_size=3))
def test_mutated_responses_never_surprise(lines):
    for response in read(b"".join(lines)):
        if isinstance(response, Status):
            with contextlib.suppress(WireFault):
                capabilities_of(response)
                permanent_flags_of(response)
        if isinstance(response, Fetch):
            summary = summary_of(response, ItemKey(b"k"), MailboxKey(b"INBOX"), 7)
            assert len(summary.subject) <= 2_000
            if response.structure is not None:
                assert len(list(response.structure.leaves())) <= 1_000


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_noise_never_surprises(data):
    read(b"* 1 FETCH (" + data + b")\r\n")
    read(b"* " + data + b"\r\n")
    read(data)
