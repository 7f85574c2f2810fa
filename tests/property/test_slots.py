"""Slots: whatever the pages of a provider say, and in whatever order, the snapshot is what the provider has."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st
from postroom_server.domain.flags import Flag
from postroom_server.domain.keys import ItemKey, ItemKeys, MailboxKey, ScopeId
from postroom_server.domain.ports import ItemEdit, Keyed, Location, MarkKind, Observations, mailbox_mark
from postroom_server.domain.slots import (
    Ground,
    SlotPage,
    doubtful,
    edited,
    held,
    less,
    moved,
    removed,
    shown,
    translate,
)
from postroom_server.domain.storage import Chunk
from postroom_server.domain.sync import Marks, diff, mailboxes, marks_of, only
from pyroaring import BitMap

BITS = 10
BOXES = [MailboxKey(bytes((number,))) for number in range(1, 6)]
NUMBERS = {key: index + 1 for index, key in enumerate(BOXES)}
FLAGS = [Flag("$seen"), Flag("$flagged"), Flag("note")]
State = dict[ItemKey, tuple[frozenset[Flag], frozenset[MailboxKey]]]


def keys(found: Iterable[ItemKey]) -> ItemKeys:
    return ItemKeys(keys=tuple(found))


@dataclass
class Index:
    """What the worker and the store keep of one account."""

    chunks: dict[int, Chunk] = field(default_factory=dict)
    marks: Marks = field(default_factory=Marks)
    slots: dict[ItemKey, int] = field(default_factory=dict)
    next_slot: int = 1
    ever: dict[int, ItemKey] = field(default_factory=dict)

    def ground(self, home: MailboxKey | None) -> Ground:
        return Ground(
            slots=dict(self.slots),
            next_slot=self.next_slot,
            numbers=NUMBERS,
            home=None if home is None else NUMBERS[home],
            held=held(self.chunks.values()),
        )

    def state(self) -> State:
        found: State = {}
        back = {number: key for key, number in NUMBERS.items()}
        keyed = {slot: key for key, slot in self.slots.items()}
        for chunk in self.chunks.values():
            for slot in chunk.members:
                carried = marks_of(chunk, slot)
                boxes = frozenset(back[one] for one in mailboxes(carried))
                found[keyed[slot]] = (frozenset(map(Flag, self.marks.flags(carried))), boxes)
        return found

    def take(self, page: SlotPage) -> set[ItemKey]:
        """Applies a page as the worker does, slice by slice; answers what it told a change of."""
        told: set[ItemKey] = set()
        for slot, key in page.dealt.items():
            assert slot not in self.ever, "a slot is never dealt out twice"
            self.ever[slot] = key
            self.slots[key] = slot
            self.next_slot = max(self.next_slot, slot + 1)
        keyed = {slot: key for key, slot in self.slots.items()}
        changed = diff(self.chunks, page.observed, self.marks.copy(), BITS).numbers
        for start in range(0, len(changed), 3):
            piece = only(page.observed, changed[start : start + 3])
            found = diff(self.chunks, piece, self.marks, BITS)
            self.chunks.update(found.chunks)
            told |= {keyed[slot] for slot in (*found.added, *found.removed, *found.changed)}
            for slot in found.removed:
                del self.slots[keyed[slot]]
        return told


def whole_account(state: State, rng: random.Random) -> Iterator[Keyed]:
    order = list(state)
    size = rng.choice((1, 2, 100))
    for start in range(0, max(len(order), 1), size):
        yield replace(described({key: state[key] for key in order[start : start + size]}), whole=True)


def described(state: State) -> Keyed:
    return replace(shown(list(state), state), scope=ScopeId(b"account"))


def differences(before: State, after: State, rng: random.Random) -> Keyed:
    """Labels as a history tells them: what went on and what went off, some of it more than once."""
    on: dict[object, list[ItemKey]] = {}
    off: dict[object, list[ItemKey]] = {}
    told = [key for key in after if before.get(key) != after[key] or rng.random() < 0.3]
    for key in told:
        old_flags, old_boxes = before.get(key, (frozenset(), frozenset()))
        flags, boxes = after[key]
        for flag in FLAGS:
            if (flag in flags) != (flag in old_flags) or rng.random() < 0.3:
                (on if flag in flags else off).setdefault((MarkKind.FLAG, flag), []).append(key)
        for box in BOXES:
            if (box in boxes) != (box in old_boxes) or rng.random() < 0.3:
                (on if box in boxes else off).setdefault(mailbox_mark(box), []).append(key)
    return Observations(
        scope=ScopeId(b"account"),
        epoch=1,
        present=keys(told),
        on={mark: keys(found) for mark, found in on.items()},  # type: ignore[misc]
        off={mark: keys(found) for mark, found in off.items()},  # type: ignore[misc]
        gone=keys(key for key in before if key not in after),
    )


def changed(before: State, after: State) -> set[ItemKey]:
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def step(state: State, rng: random.Random, fresh: Iterator[int], *, one: bool) -> State:
    """The provider's next state."""
    after = dict(state)
    for _ in range(rng.randint(0, 4)):
        after[ItemKey(next(fresh).to_bytes(8, "big"))] = (frozenset(), frozenset(rng.sample(BOXES, 1)))
    for key in list(after):
        flags, boxes = after[key]
        if rng.random() < 0.15:
            del after[key]
        elif rng.random() < 0.4:
            flags = frozenset(rng.sample(FLAGS, rng.randint(0, 3)))
            count = 1 if one else rng.randint(0, 3)
            after[key] = (flags, frozenset(rng.sample(BOXES, count)) if rng.random() < 0.7 else boxes)
    return after


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**32))
def test_labels_follow_the_provider_and_nothing_is_told_of_what_did_not_change(seed):
    """Differences or, after an expired history, everything: the index ends where the provider is."""
    rng, index, state = random.Random(seed), Index(), State()
    fresh = iter(range(1, 10_000))
    for _ in range(8):
        before, state = state, step(state, rng, fresh, one=False)
        if rng.random() < 0.3:
            told: set[ItemKey] = set()
            for page in whole_account(state, rng):
                told |= index.take(translate(page, index.ground(None)))
            missing = keys(key for key in index.slots if key not in state)
            rest = replace(described({}), gone=missing)
            told |= index.take(translate(rest, index.ground(None)))
        else:
            told = index.take(translate(differences(before, state, rng), index.ground(None)))
        assert index.state() == state
        assert told == changed(before, state)


def folder_pages(before: State, after: State, stale: list[Keyed], rng: random.Random) -> list[Keyed]:
    """One page per folder, or two; what left is not final, rows are repeated, and old pages come again."""
    pages = []
    for box in BOXES:
        here = [key for key, (_, boxes) in after.items() if box in boxes]
        was = [key for key, (_, boxes) in before.items() if box in boxes]
        rows = [key for key in here if before.get(key) != after[key] or rng.random() < 0.3]
        gone = [key for key in was if key not in here or rng.random() < 0.1]
        rng.shuffle(rows)
        cut = rng.randint(0, len(rows))
        for part in (rows[:cut], rows[cut:] + rng.sample(rows[:cut], min(cut, 2))):
            pages.append(
                replace(folder_page(box, part, after), gone=keys(gone if rng.random() < 0.5 else ()))
            )
        pages.append(replace(folder_page(box, [], after), gone=keys(gone)))
    rng.shuffle(pages)
    for old in rng.sample(stale, min(len(stale), 2)):
        pages.insert(rng.randint(0, len(pages)), old)
    return pages


def folder_page(box: MailboxKey, rows: list[ItemKey], state: State) -> Keyed:
    on: dict[tuple[MarkKind, str], list[ItemKey]] = {}
    for key in rows:
        for flag in state[key][0]:
            on.setdefault((MarkKind.FLAG, flag), []).append(key)
    return Observations(
        scope=ScopeId(box),
        epoch=1,
        present=keys(rows),
        on={mark: keys(found) for mark, found in on.items()},
        absolute=frozenset({MarkKind.FLAG}),
        gone=keys(()),
        gone_final=False,
    )


def read_folder(index: Index, page: Keyed, state: State) -> set[ItemKey]:
    """As the worker does: what is new is looked at, what is doubtful is located."""
    ground = index.ground(MailboxKey(page.scope))
    vanished = [key for key in page.present if key not in ground.slots and key not in state]
    page = less(page, vanished)
    new = [key for key in page.present if key not in ground.slots]
    located = [where(key, state) for key in (*doubtful(page, ground), *new)]
    return index.take(translate(page, ground, located))


def where(key: ItemKey, state: State) -> Location:
    return Location(key=key, mailboxes=tuple(state[key][1]) if key in state else ())


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**32))
def test_folders_follow_the_provider_in_any_order_of_pages(seed):
    """Moves whose halves come apart, repeats and late rows lead to the provider's state, and tell each change once."""
    rng, index, state = random.Random(seed), Index(), State()
    fresh = iter(range(1, 10_000))
    for _ in range(8):
        before, state = state, step(state, rng, fresh, one=True)
        told: list[ItemKey] = []
        for page in folder_pages(before, state, [], rng):
            told += read_folder(index, page, state)
        assert index.state() == state
        assert set(told) == changed(before, state)
        boxes = {key for key in before if key in state and before[key][1] != state[key][1]}
        assert all(told.count(key) <= 2 for key in boxes), "one change of mailboxes and one of flags at most"
        assert all(told.count(key) == 1 for key in changed(before, state) - boxes)


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**32))
def test_late_rows_move_nothing(seed):
    """A page of the past, come again, changes no mailbox: where a message is, is asked."""
    rng, index, state = random.Random(seed), Index(), State()
    fresh = iter(range(1, 10_000))
    stale: list[Keyed] = []
    for _ in range(6):
        before, state = state, step(state, rng, fresh, one=True)
        pages = folder_pages(before, state, [], rng)
        for page in pages:
            read_folder(index, page, state)
        boxes = {key: found[1] for key, found in index.state().items()}
        for page in rng.sample(stale, min(len(stale), 4)):
            read_folder(index, replace(page, on={}, absolute=frozenset()), state)
        assert {key: found[1] for key, found in index.state().items()} == boxes
        stale += pages


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**32))
def test_what_a_call_did_is_known_before_its_echo(seed):
    """After an own write the index is where the provider is, so that the echo differs in nothing."""
    rng, index = random.Random(seed), Index()
    state: State = {}
    for _ in range(3):
        state = step(state, rng, iter(range(rng.randint(1, 10**6), 10**7)), one=False)
    index.take(translate(described(state), index.ground(None)))
    chosen = rng.sample(sorted(state), min(len(state), 3))
    slots = BitMap(index.slots[key] for key in chosen)
    edit = ItemEdit(
        add_flags=frozenset({FLAGS[0]}),
        remove_flags=frozenset({FLAGS[1]}),
        add_mailboxes=frozenset({BOXES[0]}),
        remove_mailboxes=frozenset({BOXES[1]}),
    )
    index.take(SlotPage(observed=edited(slots, edit, NUMBERS)))
    for key in chosen:
        flags, boxes = state[key]
        state[key] = (flags - {FLAGS[1]} | {FLAGS[0]}, boxes - {BOXES[1]} | {BOXES[0]})
    assert index.state() == state
    index.take(SlotPage(observed=moved(slots, 3, NUMBERS.values())))
    state |= {key: (state[key][0], frozenset({BOXES[2]})) for key in chosen}
    assert index.state() == state
    assert index.take(translate(described(state), index.ground(None))) == set()
    index.take(SlotPage(observed=removed(slots)))
    assert index.state() == {key: found for key, found in state.items() if key not in chosen}
