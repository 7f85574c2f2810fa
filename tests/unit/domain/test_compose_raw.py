"""Raw uploads: threats T04 and T35."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroom_server.domain.compose import check_raw
from postroom_server.errors import RequestInvalid

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
HEAD = b"From: Ann <ann@example.org>\r\nTo: b@c.d, B <b@c.d>\r\nCc: e@f.g\r\nBcc: hidden@x.y,\r\n hidden2@x.y\r\nMessage-ID: <1@x>\r\n"


def test_recipients_are_read_and_bcc_goes():
    found = check_raw(HEAD + b"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n\r\nbody")
    assert found.sender == "ann@example.org"
    assert found.recipients == ("b@c.d", "e@f.g", "hidden@x.y", "hidden2@x.y")
    assert found.envelope().recipients == found.recipients
    assert b"idden" not in found.raw
    assert found.raw.endswith(b"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n\r\nbody\r\n")
    assert found.internet_message_id == "1@x"
    assert found.completed(now=NOW, message_id="2@x") == found.raw


def test_missing_date_and_message_id_are_added_and_a_broken_id_is_replaced():
    found = check_raw(b"From: a@b.c\nMessage-ID: broken\nSubject: s\n\nx")
    assert found.internet_message_id is None
    assert found.completed(now=NOW, message_id="2@x") == (
        b"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <2@x>\r\nFrom: a@b.c\r\nSubject: s\r\n\r\nx\r\n"
    )


def test_a_message_without_a_body_is_one():
    assert check_raw(b"From: a@b.c").raw == b"From: a@b.c\r\n\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n\r\nbody",
        b"To: a@b.c\r\n\r\nno from",
        b"From: a@b.c\r\nFrom: c@d.e\r\n\r\ntwo",
        b"From: nobody\r\n\r\n",
        b"From: \r\n\r\n",
        b"From: a@b.c\r\nTo: broken address@\r\n\r\n",
        b"From: a@b.c\r\nnot a field\r\n\r\n",
        b"From a@b.c Mon\r\nFrom: a@b.c\r\n\r\n",
        b" folded\r\nFrom: a@b.c\r\n\r\n",
        b"From: a@b.c\r\n\r\nbare \r cr",
        b"From: a@b.c\r\n\r\nnul \x00",
        b"From: a@b.c\r\nX\x00: 1\r\n\r\n",
        b"From: a@b.c\r\n" + b"X: y\r\n" * 1_001 + b"\r\n",
        b"From: a@b.c\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"From: a@b.c\r\n" + b"X: " + b"y" * 300_000,
    ],
)
def test_what_is_no_message_is_refused(raw):
    with pytest.raises(RequestInvalid) as refused:
        check_raw(raw)
    assert refused.value.violations[0][0] == "submission.raw"


def test_too_many_recipients_are_refused():
    raw = b"From: a@b.c\r\nTo: " + b",\r\n ".join(b"u%d@x.y" % n for n in range(1_001)) + b"\r\n\r\n"
    with pytest.raises(RequestInvalid):
        check_raw(raw).envelope()


@given(st.binary(max_size=300))
def test_what_passes_has_crlf_only(raw):
    try:
        found = check_raw(b"From: a@b.c\r\n" + raw)
    except RequestInvalid:
        return
    assert b"\r" not in found.raw.replace(b"\r\n", b"")
    assert b"\n" not in found.raw.replace(b"\r\n", b"")
    assert b"\r\nbcc:" not in found.raw.partition(b"\r\n\r\n")[0].lower()
