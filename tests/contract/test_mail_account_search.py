"""The port MessageSearcher, one suite for every provider: each field, the tree, pages, and what cannot be asked.

Matching is whatever the case and by substring where the provider declares SUBSTRING; a field that it does not declare is
refused as CapabilityMissing.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from postroom_server.domain.flags import FLAGGED, SEEN, Flag
from postroom_server.domain.keys import split_key
from postroom_server.domain.ports import MailAccount
from postroom_server.domain.search import Condition, Filter, Node, Operator, SearchQuery
from postroom_server.errors import CapabilityMissing, PageTokenInvalid, RequestInvalid

from tests.contract.letters import LETTERS
from tests.fixtures.worlds import World, call, key_of

NAMES = tuple(one.name for one in LETTERS)
JSON_NAMES = {
    "from_": "from", "has_flag": "hasFlag", "not_flag": "notFlag", "sent_after": "sentAfter",
    "sent_before": "sentBefore", "min_size": "minSize", "max_size": "maxSize", "has_attachment": "hasAttachment",
    "thread_id": "threadId", "internet_message_id": "internetMessageId", "raw_query": "rawQuery",
}  # fmt: skip


def day(number: int) -> datetime:
    return datetime(2026, 2, number, tzinfo=UTC)


@pytest.fixture
async def shelf(world: World) -> dict[int, str]:
    """All letters in the inbox, one received each day of February 2026; number -> name."""
    numbers = {}
    for turn, one in enumerate(LETTERS):
        flags = [
            flag for flag, every in (("$seen", 2), ("$flagged", 3), ("project-x", 5)) if turn % every == 0
        ]
        received = day(turn + 1).replace(hour=12)
        numbers[await world.put(one.raw, flags=flags, received=received)] = one.name
    return numbers


async def ask(account: MailAccount, shelf: dict[int, str], filter_: Filter, *, limit: int = 100) -> list[str]:
    """Names of the letters that were found, in the order of the answer."""
    query = SearchQuery(mailbox=await key_of(account), filter=filter_, limit=limit)
    page = await account.search(call(), query, None)
    return [shelf[split_key(key)[2]] for key in page.keys]


def every(step: int) -> set[str]:
    return set(NAMES[::step])


CASES = [
    (Condition(from_="joerg@mail"), {"latin1"}),
    (Condition(from_="MÜLLER"), {"latin1"}),
    (Condition(to="bob@mail.test"), set(NAMES)),
    (Condition(cc="carol"), {"plain"}),
    (Condition(bcc="carol"), set()),
    (Condition(subject="LUNCH"), {"plain"}),
    (Condition(subject="grüße"), {"latin1"}),
    (Condition(subject='a "quoted" \\ {5}'), set()),
    (Condition(body="noon"), {"plain"}),
    (Condition(body="München"), {"latin1"}),
    (Condition(body="дела"), {"split-word"}),
    (Condition(text="teal"), {"plain"}),
    (Condition(text="café for"), {"alternative"}),
    (Condition(header=("X-Colour", "tea")), {"plain"}),
    (Condition(header=("X-Colour", "")), {"plain"}),
    (Condition(header=("X-Colour", "red")), set()),
    (Condition(has_flag=SEEN), every(2)),
    (Condition(not_flag=SEEN), set(NAMES) - every(2)),
    (Condition(has_flag=Flag("project-x")), every(5)),
    (Condition(not_flag=Flag("project-x")), set(NAMES) - every(5)),
    (Condition(after=day(11)), set(NAMES[10:])),
    (Condition(before=day(3)), set(NAMES[:2])),
    (Condition(after=day(3), before=day(5)), set(NAMES[2:4])),
    (Condition(sent_after=datetime(2026, 1, 5, tzinfo=UTC)), set(NAMES)),
    (Condition(sent_before=datetime(2026, 1, 5, tzinfo=UTC)), set()),
    (Condition(min_size=1_500), {"nested", "only-attachment"}),
    (Condition(max_size=1_500), set(NAMES) - {"nested", "only-attachment"}),
    (Condition(internet_message_id="nested@letters.test"), {"nested"}),
    (Condition(internet_message_id="<nested@letters.test>"), {"nested"}),
    (Condition(uid=((1, 2), (4, 4))), {NAMES[0], NAMES[1], NAMES[3]}),
    (Condition(has_attachment=True), {"nested", "forwarded", "only-attachment", "cut-off"}),
    (Condition(), set(NAMES)),
]


def asked_fields(condition: Condition) -> list[str]:
    blank = Condition()
    return [name for name in Condition.__slots__ if getattr(condition, name) != getattr(blank, name)]


@pytest.mark.parametrize(
    ("condition", "found"), CASES, ids=lambda one: str(one)[:60] if isinstance(one, Condition) else ""
)
async def test_each_field_finds_what_it_says(account, shelf, condition, found):
    """RFC 8621 section 4.4.1, newest first."""
    missing = [
        one for one in asked_fields(condition) if JSON_NAMES.get(one, one) not in account.capabilities.search
    ]
    if missing:
        with pytest.raises(CapabilityMissing):
            await ask(account, shelf, condition)
        return
    assert await ask(account, shelf, condition) == [name for name in reversed(NAMES) if name in found]


LUNCH, PRICE, SEEN_ONES = Condition(subject="lunch"), Condition(subject="price"), Condition(has_flag=SEEN)


@pytest.mark.parametrize(
    ("tree", "found"),
    [
        (Node(operator=Operator.OR, filters=(LUNCH, PRICE)), {"plain", "html-only"}),
        (Node(operator=Operator.AND, filters=(LUNCH, SEEN_ONES)), {"plain"}),
        (Node(operator=Operator.AND, filters=(LUNCH, PRICE)), set()),
        (Node(operator=Operator.NOT, filters=(SEEN_ONES,)), set(NAMES) - every(2)),
        (Node(operator=Operator.NOT, filters=(LUNCH, PRICE)), set(NAMES) - {"plain", "html-only"}),
        (
            Node(
                operator=Operator.AND,
                filters=(
                    Node(operator=Operator.OR, filters=(LUNCH, PRICE, Condition(subject="scan"))),
                    Node(operator=Operator.NOT, filters=(Condition(has_flag=FLAGGED),)),
                ),
            ),
            {name for name in ("plain", "html-only", "only-attachment") if name not in every(3)},
        ),
    ],
    ids=["or", "and", "and nothing", "not", "not several", "nested"],
)
async def test_conditions_combine_as_a_tree(account, shelf, tree, found):
    """AND, OR, NOT; NOT means none of them."""
    assert await ask(account, shelf, tree) == [name for name in reversed(NAMES) if name in found]


async def test_the_answer_says_who_answered_each_field(account, shelf):
    """One coverage row per asked field, by its JSON path."""
    tree = Node(
        operator=Operator.OR, filters=(Condition(subject="lunch", has_flag=SEEN), Condition(from_="ann"))
    )
    query = SearchQuery(mailbox=await key_of(account), filter=tree, limit=10)
    page = await account.search(call(), query, None)
    assert {one.condition for one in page.coverage} == {
        "filter.filters[0].condition.subject",
        "filter.filters[0].condition.hasFlag",
        "filter.filters[1].condition.from",
    }
    assert {one.answered_by for one in page.coverage} <= {"SERVER", "SNAPSHOT", "POST_FILTER"}
    assert {one.match for one in page.coverage} <= {"EXACT", "SUBSTRING", "WORD"}


async def test_pages_hold_each_message_once(account, shelf, world):
    """Arrivals and removals between two pages shift nothing."""
    inbox = await key_of(account)
    query = SearchQuery(mailbox=inbox, filter=Condition(to="bob"), limit=5)
    seen, after = [], None
    for turn in range(10):
        page = await account.search(call(), query, after)
        assert len(page.keys) <= 5
        seen += [split_key(key)[2] for key in page.keys]
        after = page.next
        if after is None:
            break
        if turn == 0:
            await world.put(LETTERS[0].raw)
    assert seen == sorted(shelf, reverse=True)


async def test_a_page_that_ends_exactly_has_no_next_one(account, shelf):
    """`next` is None at the end, also when the limit and the end meet."""
    query = SearchQuery(mailbox=await key_of(account), filter=Condition(to="bob"), limit=len(NAMES))
    page = await account.search(call(), query, None)
    assert len(page.keys) == len(NAMES)
    if page.next is not None:
        rest = await account.search(call(), query, page.next)
        assert (rest.keys, rest.next) == ([], None)


async def test_a_place_that_is_none_is_refused(account, shelf):
    """A page token of another shape."""
    query = SearchQuery(mailbox=await key_of(account), filter=Condition(to="bob"), limit=5)
    with pytest.raises(PageTokenInvalid):
        await account.search(call(), query, b"x")


@pytest.mark.parametrize("term", ["a\r\nX LOGOUT", 'x" OR 1:* ALL', "{3}\r\nabc", "\0", "x" * 1_000, "😀"])
async def test_a_term_is_never_a_command(account, shelf, term):
    """Whatever it holds it is looked for, or refused as a request; the account goes on."""
    with suppress(RequestInvalid):
        assert await ask(account, shelf, Condition(subject=term)) == []
    assert await ask(account, shelf, LUNCH) == ["plain"]
