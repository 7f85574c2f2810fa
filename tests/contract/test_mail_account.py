"""The port MailAccount, one suite for every provider: mailboxes, reading and writing.

What a provider cannot do it declares, and the test that needs it says so. Changes, searching, and deadlines with
cancellation have files of their own.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from postroom_server.domain.flags import ANSWERED, DRAFT, FLAGGED, SEEN, Flag
from postroom_server.domain.keys import ItemKey, MailboxKey, ScopeId
from postroom_server.domain.mailboxes import Role
from postroom_server.domain.ports import ItemEdit, ItemResult, MailAccount, Membership, Outcome
from postroom_server.domain.search import Condition, SearchQuery
from postroom_server.errors import (
    AttachmentNotFound,
    MailboxNotFound,
    MembershipSingle,
    MessageNotFound,
    PostroomError,
)

from tests.contract.calls import BUDGET, keys_in, read, squeezed, stream_of
from tests.contract.letters import LETTERS, letter
from tests.contract.mirror import mirror_of
from tests.fixtures.worlds import RECEIVED, call, key_of, mailbox_row

PLAIN = letter("plain")
NESTED = letter("nested")


# --- mailboxes


async def test_every_mailbox_is_listed_with_its_role_and_counts(account, world):
    """RFC 6154: special use by the server's own word; counts are those of the mailbox."""
    await world.put(PLAIN.raw)
    await world.put(PLAIN.raw, flags=["$seen"])
    rows = {row.path: row for row in await account.list_mailboxes(call(), counts=True)}
    roles = {row.role for row in rows.values()} - {None}
    rest = Role.ALL if account.capabilities.membership is Membership.MANY else Role.ARCHIVE
    assert roles >= {Role.INBOX, Role.DRAFTS, Role.SENT, Role.JUNK, Role.TRASH, rest}
    inbox = rows["INBOX",]
    assert (inbox.role, inbox.messages, inbox.unseen, inbox.selectable) == (Role.INBOX, 2, 1, True)
    assert inbox.scope is not None


async def test_a_listing_without_counts_names_the_same_mailboxes(account):
    """Counts are asked for; names are not a matter of them."""
    with_counts = await account.list_mailboxes(call(), counts=True)
    without = await account.list_mailboxes(call(), counts=False)
    assert {row.key for row in with_counts} == {row.key for row in without}


async def test_a_mailbox_may_have_any_name(account, world):
    """Unicode, `&`, quotes and levels survive the wire (RFC 3501 section 5.1.3)."""
    if not world.declares.creates_mailboxes:
        pytest.skip("capability: no other client can make mailboxes here")
    path = 'Grüße/日本 & "co" %*'
    await world.create(path)
    number = await world.put(PLAIN.raw, path)
    mirror = await mirror_of(account, path)
    assert set(await mirror.look(call())) == {number}


@pytest.mark.parametrize("name", [b"INBOX\r\nX LOGOUT\r\n", b"nope", b"\0\0\0\x63", b"a\0b"])
async def test_a_scope_that_does_not_exist_is_not_found(account, name):
    """A key that we never gave out, also one with a line end in it, finds nothing and disturbs nobody."""
    with pytest.raises(PostroomError) as caught:
        [page async for page in account.changes(call(), ScopeId(name), None)]
    assert isinstance(caught.value, MailboxNotFound)
    assert await mailbox_row(account)


# --- reading


@pytest.mark.parametrize("sent", LETTERS, ids=lambda one: one.name)
async def test_a_letter_says_what_its_sender_wrote(account, world, sent):
    """Charsets, nesting and names as in the table of tests/data/letters."""
    await world.put(sent.raw)
    (key,) = await keys_in(account)
    content = await account.content(call(), key, text_budget=BUDGET)
    assert squeezed(content.text) == squeezed(sent.text)
    assert squeezed(content.html) == squeezed(sent.html)
    assert not content.truncated
    summary = content.summary
    assert (summary.key, summary.subject) == (key, sent.subject)
    assert summary.internet_message_id == sent.internet_message_id
    assert [(one.display_name, one.address) for one in summary.from_] == [sent.sender]
    shown = [(one.id, one.content_type, one.filename, one.inline, one.content_id) for one in summary.parts]
    assert shown == [
        (one.id, one.content_type, one.filename, one.inline, one.content_id) for one in sent.files
    ]


@pytest.mark.parametrize("sent", [one for one in LETTERS if one.files], ids=lambda one: one.name)
async def test_a_part_is_what_was_attached(account, world, sent):
    """Decoded, byte for byte."""
    await world.put(sent.raw)
    (key,) = await keys_in(account)
    for file in sent.files:
        stream = await account.part(call(), key, file.id)
        assert await read(stream) == file.content
        assert stream.content_type == file.content_type


async def test_a_summary_says_what_a_listing_shows(account, world):
    """Addresses with names, threading headers without brackets, flags, times and the size."""
    await world.put(
        PLAIN.raw, flags=["$flagged", "project-x"], received=datetime(2026, 1, 6, 7, 8, 9, tzinfo=UTC)
    )
    (key,) = await keys_in(account)
    (summary,) = [one async for one in account.summaries(call(), [key])]
    assert summary.references == ("root@letters.test", "second@letters.test")
    assert summary.in_reply_to == ("root@letters.test",)
    assert [(one.display_name, one.address) for one in summary.cc] == [
        ("", "carol@mail.test"),
        ("Dan, the Man", "dan@mail.test"),
    ]
    assert [one.address for one in summary.to] == ["bob@mail.test"]
    assert [one.address for one in summary.reply_to] == ["replies@mail.test"]
    assert summary.send_time == datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
    assert summary.receive_time == datetime(2026, 1, 6, 7, 8, 9, tzinfo=UTC)
    assert summary.size_bytes == len(PLAIN.raw)
    assert summary.flags == {FLAGGED, Flag("project-x")}


async def test_summaries_and_contents_agree(account, world):
    """A listing and the message itself never contradict one another."""
    for one in LETTERS:
        await world.put(one.raw)
    keys = await keys_in(account)
    summaries = {one.key: one async for one in account.summaries(call(), keys)}
    assert set(summaries) == set(keys)
    for key in keys:
        content = (await account.content(call(), key, text_budget=BUDGET)).summary
        listed = summaries[key]
        for name in (
            "subject",
            "from_",
            "to",
            "cc",
            "internet_message_id",
            "references",
            "send_time",
            "flags",
        ):
            assert getattr(content, name) == getattr(listed, name), name
        assert [one.id for one in content.parts] == [one.id for one in listed.parts]


async def test_headers_are_all_there_in_their_order(account, world):
    """Decoded and unfolded; names whatever their case."""
    await world.put(PLAIN.raw)
    (key,) = await keys_in(account)
    headers = (await account.content(call(), key, text_budget=BUDGET)).headers
    assert [name.lower() for name, _ in headers][:3] == ["from", "to", "date"]
    assert ("x-colour", "teal") in [(name.lower(), value) for name, value in headers]


async def test_the_source_is_the_message_byte_for_byte(account, world):
    """RFC 5322 bytes as stored, in bounded chunks."""
    raw = PLAIN.raw + b"0123456789abcdef\r\n" * 40_000
    await world.put(raw)
    (key,) = await keys_in(account)
    stream = await account.source(call(), key)
    assert stream.exact
    assert await read(stream) == raw


async def test_text_is_cut_to_the_budget_between_characters(account, world):
    """The budget is in bytes of UTF-8, and half a character is never shown."""
    head = b"From: ann@mail.test\r\nSubject: long\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    await world.put(head + "日本語".encode() * 1_000 + b"\r\n")
    (key,) = await keys_in(account)
    content = await account.content(call(), key, text_budget=100)
    assert content.truncated
    assert content.text is not None
    assert 97 <= len(content.text.encode()) <= 100
    assert set(content.text) <= set("日本語")


async def test_reading_never_changes_a_flag(account, world):
    """Whatever is read, nobody sees it."""
    await world.put(NESTED.raw)
    before = dict(await world.truth())
    (key,) = await keys_in(account)
    await account.content(call(), key, text_budget=BUDGET)
    await read(await account.source(call(), key))
    await read(await account.part(call(), key, "2"))
    [one async for one in account.summaries(call(), [key])]
    query = SearchQuery(mailbox=await key_of(account), filter=Condition(subject="Report"), limit=10)
    await account.search(call(), query, None)
    assert dict(await world.truth()) == before == {next(iter(before)): frozenset()}


async def test_a_message_that_is_gone_is_not_found(account, world):
    """Before the first chunk, and by being left out of summaries."""
    number = await world.put(PLAIN.raw)
    await world.put(PLAIN.raw)
    gone, left = await keys_in(account)
    await world.expunge([number])
    with pytest.raises(MessageNotFound):
        await account.content(call(), gone, text_budget=BUDGET)
    with pytest.raises(MessageNotFound):
        await account.source(call(), gone)
    with pytest.raises(MessageNotFound):
        await account.part(call(), gone, "1")
    assert [one.key async for one in account.summaries(call(), [gone, left])] == [left]


@pytest.mark.parametrize("part", ["9", "1.9.9", "", "HEADER", "2 BODY[]", "0", "-1", "99999999999"])
async def test_a_part_that_does_not_exist_is_not_found(account, world, part):
    """Also what is no section at all."""
    await world.put(NESTED.raw)
    (key,) = await keys_in(account)
    with pytest.raises(AttachmentNotFound):
        await account.part(call(), key, part)


async def test_many_reads_at_once_are_all_answered(account, world):
    """Twenty callers share what the account has of connections."""
    for one in LETTERS:
        await world.put(one.raw)
    keys = await keys_in(account)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(account.content(call(), keys[turn % len(keys)], text_budget=BUDGET))
            for turn in range(20)
        ]
    subjects = [task.result().summary.subject for task in tasks]
    assert subjects == [LETTERS[turn % len(LETTERS)].subject for turn in range(20)]


# --- writing


async def modify(account: MailAccount, keys: list[ItemKey], edit: ItemEdit) -> dict[ItemKey, ItemResult]:
    return {result.key: result async for result in account.modify(call(), keys, edit)}


async def test_flags_change_by_difference(account, world):
    """What is not named stays; each item has its own result."""
    await world.put(PLAIN.raw, flags=["$seen"])
    await world.put(PLAIN.raw, flags=["$flagged"])
    keys = await keys_in(account)
    edit = ItemEdit(add_flags=frozenset({ANSWERED, Flag("later")}), remove_flags=frozenset({SEEN}))
    results = await modify(account, keys, edit)
    assert {one.outcome for one in results.values()} == {Outcome.DONE}
    first, second = (await world.truth()).values()
    assert first == {ANSWERED, Flag("later")}
    assert second == {FLAGGED, ANSWERED, Flag("later")}


async def test_an_edit_that_changes_nothing_is_no_fault(account, world):
    """Setting what is set."""
    await world.put(PLAIN.raw, flags=["$seen"])
    keys = await keys_in(account)
    results = await modify(account, keys, ItemEdit(add_flags=frozenset({SEEN})))
    assert results[keys[0]].outcome in {Outcome.DONE, Outcome.UNCHANGED}
    assert list((await world.truth()).values()) == [{SEEN}]


async def test_items_that_are_gone_do_not_stop_the_others(account, world):
    """One result per key, GONE for those that are not there."""
    numbers = [await world.put(PLAIN.raw) for _ in range(3)]
    keys = await keys_in(account)
    await world.expunge([numbers[1]])
    results = await modify(account, keys, ItemEdit(add_flags=frozenset({FLAGGED})))
    assert [results[key].outcome for key in keys] == [Outcome.DONE, Outcome.GONE, Outcome.DONE]
    assert set((await world.truth()).values()) == {frozenset({FLAGGED})}


async def test_a_message_of_one_mailbox_is_in_no_second_one(account, world):
    """Mailboxes by difference are for providers with labels."""
    if account.capabilities.membership is Membership.MANY:
        pytest.skip("capability: messages here are in many mailboxes")
    await world.put(PLAIN.raw)
    keys = await keys_in(account)
    archive = await key_of(account, "Archive")
    with pytest.raises(MembershipSingle):
        await modify(account, keys, ItemEdit(add_mailboxes=frozenset({archive})))
    assert await keys_in(account) == keys


async def test_an_appended_message_is_stored_as_it_is(account, world):
    """Bytes, flags and time of receipt; the key is the one that changes() will name."""
    raw = PLAIN.raw + b"x" * 300_000 + b"\r\n"
    when = datetime(2025, 12, 24, 18, 30, tzinfo=UTC)
    to = await key_of(account, "Drafts")
    key = await account.append(call(), to, stream_of(raw), frozenset({DRAFT, SEEN}), when)
    assert [key] == await keys_in(account, "Drafts")
    assert key is not None
    assert await read(await account.source(call(), key)) == raw
    (summary,) = [one async for one in account.summaries(call(), [key])]
    assert (summary.flags, summary.receive_time) == ({DRAFT, SEEN}, when)


async def test_nothing_can_be_appended_to_a_mailbox_that_does_not_exist(account):
    """MailboxNotFound, and the account goes on."""
    with pytest.raises(MailboxNotFound):
        await account.append(call(), MailboxKey(b"nope"), stream_of(PLAIN.raw), frozenset(), RECEIVED)
    assert await keys_in(account) == []
