"""Status lines, mailbox data and search results as real servers write them."""

from __future__ import annotations

import pytest
from postroom_server.backends.imap.wire.data import (
    Capability,
    Enabled,
    ESearch,
    List,
    MailboxStatus,
    Namespace,
    Quota,
    Search,
    ServerId,
    Vanished,
)
from postroom_server.backends.imap.wire.faults import Malformed
from postroom_server.backends.imap.wire.responses import (
    Continuation,
    Exists,
    Expunge,
    Kind,
    Status,
    Tagged,
    Unknown,
    capabilities_of,
    permanent_flags_of,
)
from pyroaring import BitMap

from tests.wire.transcripts import only, responses


def test_a_response_code_ends_at_its_bracket():
    assert only("* OK [COPYUID 1 2:4 5:7] Done (x") == Status(
        kind=Kind.OK, code="COPYUID", argument=b"1 2:4 5:7", text="Done (x"
    )


def test_a_tagged_line_ends_a_command():
    assert only("A12 no [AUTHENTICATIONFAILED] Nope") == Tagged(
        tag=b"A12", status=Status(kind=Kind.NO, code="AUTHENTICATIONFAILED", text="Nope")
    )


def test_text_that_looks_like_a_literal_announces_nothing():
    assert responses("""
        * OK note {500}
        + go on {12}
        A1 OK done {3}
        * 2 EXISTS
        """) == [
        Status(kind=Kind.OK, text="note {500}"),
        Continuation(text=b"go on {12}"),
        Tagged(tag=b"A1", status=Status(kind=Kind.OK, text="done {3}")),
        Exists(count=2),
    ]


def test_an_empty_continuation():
    assert responses("+\n+ ") == [Continuation(text=b""), Continuation(text=b"")]


def test_a_status_without_text():
    assert only("* BYE") == Status(kind=Kind.BYE)


def test_a_bare_carriage_return_ends_nothing():
    assert only(r"A1 NO\x0dmore") == Tagged(tag=b"A1", status=Status(kind=Kind.NO, text="more"))


def test_an_alert_may_come_before_preauth():
    assert responses("* OK [ALERT] old\n* PREAUTH ready") == [
        Status(kind=Kind.OK, code="ALERT", text="old"),
        Status(kind=Kind.PREAUTH, text="ready"),
    ]


def test_permanent_flags_may_hold_brackets():
    status = only(r"* OK [PERMANENTFLAGS (\Answered foo]bar \*)] Limited")
    assert isinstance(status, Status)
    assert permanent_flags_of(status) == {r"\Answered", "foo]bar", r"\*"}
    assert permanent_flags_of(Status(kind=Kind.OK)) is None


def test_capabilities_come_three_ways():
    bare = only("* CAPABILITY IMAP4rev1 idle AUTH=PLAIN")
    assert bare == Capability(names=frozenset({"IMAP4REV1", "IDLE", "AUTH=PLAIN"}))
    greeting = only("* OK [CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN] Dovecot ready.")
    assert isinstance(greeting, Status)
    assert capabilities_of(greeting) == bare
    assert capabilities_of(Status(kind=Kind.OK)) is None


def test_enabled_vanished_and_counts():
    assert responses("""
        * ENABLED QRESYNC
        * VANISHED (EARLIER) 41,43:116,118
        * VANISHED 7
        * 3 EXPUNGE
        * 4 RECENT
        * X-NEW thing
        """) == [
        Enabled(names=frozenset({"QRESYNC"})),
        Vanished(uids=BitMap([41, *range(43, 117), 118]), earlier=True),
        Vanished(uids=BitMap([7]), earlier=False),
        Expunge(number=3),
        Unknown(name="RECENT"),
        Unknown(name="X-NEW"),
    ]


def test_extended_search():
    assert only('* ESEARCH (TAG "A282") UID MIN 2 COUNT 3 ALL 2,10:15 MODSEQ 9') == ESearch(
        tag=b"A282", uid=True, found=BitMap([2, *range(10, 16)]), lowest=2, count=3, modseq=9
    )
    assert only('* ESEARCH (TAG "A1") UID') == ESearch(tag=b"A1", uid=True, found=None)


def test_plain_search():
    assert only("* SEARCH 2 84 882 ") == Search(found=BitMap([2, 84, 882]))
    assert only("* SEARCH") == Search(found=BitMap())
    assert only("* SEARCH 2 5 (MODSEQ 917162500)") == Search(found=BitMap([2, 5]), modseq=917162500)


def test_extended_list():
    assert only(
        r'* LIST (\Subscribed \NonExistent \Sent) "/" "Gesendete Objekte" ("CHILDINFO" ("SUBSCRIBED"))'
    ) == List(
        attributes=frozenset({r"\subscribed", r"\nonexistent", r"\sent"}),
        delimiter="/",
        name=b"Gesendete Objekte",
    )


def test_a_renamed_mailbox_names_its_old_name():
    found = only('* LIST () "/" neu2 ("OLDNAME" (neu))')
    assert isinstance(found, List)
    assert (found.name, found.old_name) == (b"neu2", b"neu")


def test_a_flat_mailbox_has_no_delimiter_and_inbox_one_spelling():
    assert only("* LIST () NIL inbox") == List(attributes=frozenset(), delimiter=None, name=b"INBOX")


def test_mailbox_names_as_atoms_quoted_and_literal():
    found = responses(r"""
        * LIST (\Sent) "." [Gmail]/Sent
        * LIST () "\\" "a\\b\"c"
        * LIST () "/" {8}
        x
        y (")
        * LIST () "/" Entw&APw-rfe
        * LIST () "/" 2024
        """)
    assert [item.name for item in found if isinstance(item, List)] == [
        b"[Gmail]/Sent",
        rb'a\b"c',
        b'x\r\ny (")',
        b"Entw&APw-rfe",
        b"2024",
    ]
    assert isinstance(found[3], List)
    assert found[3].text == "Entwürfe"


def test_mailbox_status():
    assert only(
        '* STATUS "a b" (MESSAGES 1 UIDNEXT 5 HIGHESTMODSEQ 12 SIZE 55 MAILBOXID (F1))'
    ) == MailboxStatus(
        name=b"a b", numbers={"MESSAGES": 1, "UIDNEXT": 5, "HIGHESTMODSEQ": 12, "SIZE": 55}, mailbox_id="F1"
    )


def test_namespace_id_and_quota():
    assert responses("""
        * NAMESPACE (("" "/")) (("~" "/")) NIL
        * ID ("name" "Dovecot" "version" NIL)
        * ID NIL
        * QUOTA "User quota" (STORAGE 10 512)
        """) == [
        Namespace(personal=((b"", "/"),), others=((b"~", "/"),), shared=()),
        ServerId(fields={"name": "Dovecot", "version": ""}),
        ServerId(fields={}),
        Quota(root=b"User quota", resources={"STORAGE": (10, 512)}),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "garbage",
        "*",
        "* ",
        "* ()",
        "* LIST () NIL",
        "* LIST () NIL NIL",
        "* STATUS INBOX",
        "* SEARCH 1 x",
        "* SEARCH 99999999999",
        "* VANISHED 1:*",
        "* VANISHED 0",
        "* VANISHED",
        "* ESEARCH UID ALL 1,,2",
        "* QUOTA x",
    ],
)
def test_broken_lines_are_malformed(line):
    with pytest.raises(Malformed):
        only(line)
