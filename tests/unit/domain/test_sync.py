"""The diff of a space: whatever sequence of observations, the snapshot ends at the truth and each difference is told once."""

import random

import pytest
from postroom_server.domain.keys import NumberedKeys, ScopeId
from postroom_server.domain.ports import MarkKind, Observations, ProviderCursor
from postroom_server.domain.storage import Chunk
from postroom_server.domain.sync import Marks, diff, marks_of, slices, span_bits, touched
from pyroaring import BitMap

SCOPE = ScopeId(b"INBOX")
FLAGS = ("$seen", "$flagged", "x", "y")


def keys(numbers):
    return NumberedKeys(scope=SCOPE, epoch=1, numbers=BitMap(numbers))


def observe(state, known, *, whole):
    present = set(state) if whole else {n for n in state if known.get(n) != state[n]}
    on: dict = {}
    for number in present:
        for flag in state[number]:
            on.setdefault((MarkKind.FLAG, flag), set()).add(number)
    return Observations(
        scope=SCOPE,
        epoch=1,
        present=keys(present),
        on={mark: keys(numbers) for mark, numbers in on.items()},
        absolute=frozenset({MarkKind.FLAG}),
        gone=keys(() if whole else set(known) - set(state)),
        whole=whole,
        cursor=ProviderCursor(b"next"),
    )


def known_state(chunks, marks):
    return {n: marks.flags(marks_of(chunk, n)) for chunk in chunks.values() for n in chunk.members}


def apply(chunks, observed, marks, bits):
    found = diff(chunks, observed, marks, bits)
    for index, chunk in found.chunks.items():
        if chunk.members:
            chunks[index] = chunk
        else:
            chunks.pop(index, None)
    return found


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("seed", range(40))
def test_a_random_history_is_followed_exactly(bits, seed):
    rng = random.Random(seed)
    chunks: dict[int, Chunk] = {}
    marks = Marks()
    state: dict[int, frozenset[str]] = {}
    for _ in range(6):
        for _ in range(rng.randint(0, 40)):
            state[rng.randint(1, 5_000)] = frozenset(rng.sample(FLAGS, rng.randint(0, 3)))
        for number in [n for n in state if rng.random() < 0.1]:
            del state[number]
        before = known_state(chunks, marks)
        observed = observe(state, before, whole=rng.random() < 0.5)
        added, removed, flags = set(), set(), {}
        for piece in [observed] if observed.whole else slices(observed, 7):
            found = apply(chunks, piece, marks, bits)
            added |= set(found.added)
            removed |= set(found.removed)
            flags.update(found.changed)
        assert known_state(chunks, marks) == state
        assert added == set(state) - set(before)
        assert removed == set(before) - set(state)
        assert set(flags) == {n for n in before if n in state and before[n] != state[n]}


def test_the_same_observation_twice_changes_nothing():
    chunks: dict[int, Chunk] = {}
    marks = Marks()
    observed = observe({1: frozenset({"$seen"}), 5_000: frozenset()}, {}, whole=True)
    assert not apply(chunks, observed, marks, 10).empty
    assert apply(chunks, observed, marks, 10).empty


def test_differences_of_marks_leave_other_marks_alone():
    chunks = {0: Chunk(members=BitMap([1, 2]), marks={0: BitMap([1, 2])})}
    marks = Marks(("$seen",))
    edit = Observations(
        scope=SCOPE,
        epoch=1,
        present=keys(()),
        on={(MarkKind.FLAG, "$flagged"): keys([2])},
        off={(MarkKind.FLAG, "$seen"): keys([2])},
        gone=keys(()),
    )
    found = apply(chunks, edit, marks, 10)
    assert set(found.changed) == {2}
    assert marks.flags(found.changed[2].after) == {"$flagged"}
    assert known_state(chunks, marks) == {1: {"$seen"}, 2: {"$flagged"}}


def test_chunks_grow_with_sparse_numbers():
    assert span_bits(100_000, 110_000) == 10
    assert span_bits(500, 2_000_000) > 15
    assert touched(observe({3: frozenset(), 70_000: frozenset()}, {}, whole=False), 16) == {0, 1}
