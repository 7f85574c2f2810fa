"""The grammar of flags: what is accepted is one IMAP keyword in one spelling."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroom_server.domain.flags import MAX_FLAG_LENGTH, SYSTEM_FLAGS, parse_flag

ATOM_SPECIALS = '(){]%*"\\'
flag_characters = st.sampled_from([chr(one) for one in range(0x21, 0x7F) if chr(one) not in ATOM_SPECIALS])
good = st.text(flag_characters, min_size=1, max_size=MAX_FLAG_LENGTH)


@given(good)
def test_every_keyword_is_accepted_in_lower_case(text):
    """RFC 8621 section 4.1.1: keywords are compared whatever their case; reading twice changes nothing."""
    flag = parse_flag(text)
    assert flag == text.lower()
    assert parse_flag(flag) == flag


@given(
    good, st.sampled_from([*ATOM_SPECIALS, " ", "\r", "\n", "\0", "\x7f", "ü", "\u2028"]), st.integers(0, 100)
)
def test_one_bad_character_anywhere_is_refused(text, bad, at):
    """No space, no control character, no atom special gets through: a flag can never become a second argument."""
    at = min(at, len(text))
    with pytest.raises(ValueError, match="not a flag"):
        parse_flag((text[:at] + bad + text[at:])[:MAX_FLAG_LENGTH] if at < MAX_FLAG_LENGTH else bad)


@given(st.text(max_size=300))
def test_any_text_is_a_flag_or_is_refused(text):
    """What is accepted is printable ASCII of at most 100 characters."""
    try:
        flag = parse_flag(text)
    except ValueError:
        return
    assert re.fullmatch(r"[\x21-\x7e]{1,100}", flag)
    assert not set(flag) & set(ATOM_SPECIALS)


@pytest.mark.parametrize("flag", sorted(SYSTEM_FLAGS))
def test_the_system_flags_keep_their_spelling(flag):
    """Whatever the caller's case."""
    assert parse_flag(flag.upper()) == flag


@pytest.mark.parametrize("text", ["", "x" * 101, r"\Seen", "a b"])
def test_what_is_no_flag_is_refused(text):
    """IMAP's own spelling of system flags is not ours."""
    with pytest.raises(ValueError, match="not a flag"):
        parse_flag(text)
