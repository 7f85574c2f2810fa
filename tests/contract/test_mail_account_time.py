"""The port MailAccount, one suite for every provider: deadlines, cancellation, and what they leave behind."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing

import pytest
from postroom_server.domain.flags import SEEN
from postroom_server.domain.keys import ItemKey, MailboxKey, ScopeId
from postroom_server.domain.ports import Call, ItemEdit, ItemResult, MailAccount, Outcome
from postroom_server.domain.search import Condition, SearchQuery
from postroom_server.errors import DeadlineExceeded, OutcomeUnknown

from tests.contract.calls import BUDGET, keys_in, read, stream_of
from tests.contract.letters import letter
from tests.fixtures.worlds import call, key_of, mailbox_row, scope_of

PLAIN = letter("plain")
GRACE = 0.25


async def everything(account: MailAccount, key: ItemKey, inbox: MailboxKey, scope: ScopeId, at: Call) -> dict:
    """One call of each kind, to be awaited."""

    async def drained(pages) -> None:
        async with aclosing(pages):
            async for page in pages:
                if isinstance(page, ItemResult) and page.outcome is Outcome.UNKNOWN:
                    raise OutcomeUnknown

    query = SearchQuery(mailbox=inbox, filter=Condition(body="noon"), limit=10)
    return {
        "list": lambda: account.list_mailboxes(at, counts=True),
        "stale": lambda: account.stale(at, {scope: None}),
        "changes": lambda: drained(account.changes(at, scope, None)),
        "summaries": lambda: drained(account.summaries(at, [key])),
        "content": lambda: account.content(at, key, text_budget=BUDGET),
        "source": lambda: account.source(at, key),
        "part": lambda: account.part(at, key, "1"),
        "search": lambda: account.search(at, query, None),
        "modify": lambda: drained(account.modify(at, [key], ItemEdit(add_flags=frozenset({SEEN})))),
        "append": lambda: account.append(at, inbox, stream_of(PLAIN.raw), frozenset(), None),
    }


KINDS = ("list", "changes", "summaries", "content", "source", "search", "modify", "append")


@pytest.mark.parametrize("kind", [*KINDS, "stale", "part"])
async def test_a_call_ends_by_its_deadline_when_the_provider_is_silent(account, world, kind):
    """No later than 250 ms after it, with DeadlineExceeded; a write that was begun may be unknown instead."""
    await world.put(PLAIN.raw)
    (key,) = await keys_in(account)
    inbox, scope = await key_of(account), await scope_of(account)
    with world.stalled():
        begun = time.monotonic()
        calls = await everything(account, key, inbox, scope, call(0.3))
        with pytest.raises((DeadlineExceeded, OutcomeUnknown)) as caught:
            await calls[kind]()
        assert time.monotonic() - begun <= 0.3 + GRACE
    if kind not in {"modify", "append"}:
        assert isinstance(caught.value, DeadlineExceeded)
    assert await mailbox_row(account), "the account goes on when the provider does"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_call_whose_deadline_has_passed_does_nothing(account, world, kind):
    """DeadlineExceeded at once, and nothing is written."""
    await world.put(PLAIN.raw)
    (key,) = await keys_in(account)
    inbox, scope = await key_of(account), await scope_of(account)
    calls = await everything(account, key, inbox, scope, call(-0.001))
    with pytest.raises(DeadlineExceeded):
        await calls[kind]()
    assert list((await world.truth()).values()) == [frozenset()]


@pytest.mark.parametrize("kind", ["list", "changes", "content", "source", "search"])
async def test_a_cancelled_read_frees_what_it_held(account, world, kind):
    """Cancellation is raised again within 1 s, and twenty cancelled reads leave room for the next call."""
    await world.put(PLAIN.raw)
    (key,) = await keys_in(account)
    inbox, scope = await key_of(account), await scope_of(account)
    calls = await everything(account, key, inbox, scope, call())
    with world.stalled():
        tasks = [asyncio.create_task(calls[kind]()) for _ in range(20)]
        await asyncio.wait(tasks, timeout=0.05)
        begun = time.monotonic()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert time.monotonic() - begun <= 1.0
        assert all(task.cancelled() for task in tasks)
    assert (await account.content(call(3.0), key, text_budget=BUDGET)).summary.subject == PLAIN.subject


async def test_a_stream_that_is_closed_early_frees_its_connection(account, world):
    """Ten half-read sources, then the eleventh whole."""
    raw = PLAIN.raw + b"0123456789abcdef\r\n" * 100_000
    await world.put(raw)
    (key,) = await keys_in(account)
    for _ in range(10):
        stream = await account.source(call(), key)
        async with aclosing(stream.chunks) as chunks:
            await anext(chunks)
    assert await read(await account.source(call(5.0), key)) == raw


async def test_an_account_may_be_closed_twice(account):
    """Closing is idempotent."""
    await account.close()
    await account.close()
