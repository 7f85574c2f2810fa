"""Public ids: a round trip for their own account, a refusal for everybody else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroom_server.domain.identity import BadId, Identity, thread_id
from postroom_server.ids import (
    OPAQUE_PATTERN,
    AccountId,
    MailboxId,
    MessageId,
    mailbox_name,
    message_name,
    parse_mailbox,
    parse_message,
)

IDENTITY = Identity(b"key of this installation, 32 byte")
OTHER_KEY = Identity(b"key of another installation")

first = st.sampled_from("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
rest = st.text("abcXYZ019._@+-", max_size=127)
accounts = st.builds(lambda head, tail: AccountId(head + tail), first, rest)
numbers = st.integers(min_value=0, max_value=2**32 - 1)
message_ids = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60)


@given(accounts, numbers, numbers)
def test_a_message_id_says_its_place(account, space, number):
    """The id alone is enough: nothing is stored for it."""
    message = IDENTITY.message(account, space, number)
    assert IDENTITY.place(account, message) == (space, number)
    assert len(message) <= 128


@given(accounts, numbers, numbers)
def test_a_message_id_fits_into_a_resource_name(account, space, number):
    """Names split back into the same ids, whatever base64url makes of the bytes."""
    message = IDENTITY.message(account, space, number)
    assert OPAQUE_PATTERN.fullmatch(message)
    assert parse_message(message_name(account, message)) == (account, message)


@given(accounts, accounts, numbers, numbers)
def test_a_message_id_of_another_account_is_refused(mine, other, space, number):
    """Never another person's message, even at the same place."""
    if mine != other:
        with pytest.raises(BadId):
            IDENTITY.place(other, IDENTITY.message(mine, space, number))


@given(accounts, numbers, numbers)
def test_a_message_id_of_another_installation_is_refused(account, space, number):
    """The check is keyed."""
    with pytest.raises(BadId):
        OTHER_KEY.place(account, IDENTITY.message(account, space, number))


@given(accounts, numbers, numbers, st.integers(0, 200), st.integers(1, 255))
def test_a_message_id_with_a_changed_character_is_refused(account, space, number, at, shift):
    """One character of the id, exchanged for another one of the alphabet, never finds a message."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    message = IDENTITY.message(account, space, number)
    at %= len(message)
    swapped = alphabet[(alphabet.index(message[at]) + shift) % len(alphabet)]
    changed = MessageId(message[:at] + swapped + message[at + 1 :])
    if changed != message:
        with pytest.raises(BadId):
            IDENTITY.place(account, changed)


@given(accounts, st.text(max_size=150))
def test_any_text_is_a_place_or_is_refused(account, text):
    """A caller's text never raises anything but BadId, and never resolves unless we made it."""
    try:
        space, number = IDENTITY.place(account, MessageId(text))
    except BadId:
        return
    assert IDENTITY.message(account, space, number) == text


@given(accounts, numbers)
def test_a_mailbox_id_says_its_number(account, number):
    """It begins with m, fits into a name and comes back."""
    mailbox = IDENTITY.mailbox(account, number)
    assert mailbox.startswith("m")
    assert IDENTITY.mailbox_number(account, mailbox) == number
    assert parse_mailbox(mailbox_name(account, mailbox)) == (account, mailbox)


@given(accounts, st.text(max_size=60).map(lambda text: "m" + text))
def test_any_text_is_a_mailbox_or_is_refused(account, text):
    """Only what we made is read."""
    try:
        number = IDENTITY.mailbox_number(account, MailboxId(text))
    except BadId:
        return
    assert IDENTITY.mailbox(account, number) == text


@pytest.mark.rfc("5322", "3.6.4")
@given(message_ids.filter(bool), st.lists(message_ids.filter(bool), max_size=5).map(tuple), message_ids)
def test_all_messages_of_a_thread_share_its_id(root, between, own):
    """Whatever stands between, the first of References decides; without any, the message is its own root."""
    assert thread_id((root, *between), (), own) == thread_id((), (), root)
    assert thread_id((), (root, *between), own) == thread_id((), (), root)
    assert thread_id((), (), "") == ""
