"""The diff: what the provider shows of a scope against what we last knew of it, and the snapshot that follows.

It owns the set algebra of one space and refuses input and output: the worker loads the chunks it names and commits what
it returns. All of it works on bitmaps per chunk, never message by message, but for those that changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Final

from pyroaring import BitMap

from postroom_server.domain.keys import NumberedKeys
from postroom_server.domain.ports import MarkKind, Numbered
from postroom_server.domain.storage import Chunk

MAX_MARKS: Final = 500
"""Distinct flags kept per account; further keywords of a server are not followed."""
MAILBOX_MARKS: Final = 512
"""The number of the mark of mailbox n is MAILBOX_MARKS + n; the flags' numbers are smaller."""
MIN_SPAN_BITS: Final = 10
MAX_SPAN_BITS: Final = 20
MESSAGES_PER_CHUNK: Final = 128


class Marks:
    """The account's table of flags by number; it only grows."""

    __slots__ = ("_numbers", "names")

    def __init__(self, names: Sequence[str] = ()) -> None:
        self.names: tuple[str, ...] = tuple(names)
        self._numbers = {name: number for number, name in enumerate(self.names)}

    def number(self, name: str) -> int | None:
        """The number of a flag, dealt out now if it is new; None when the table is full."""
        found = self._numbers.get(name)
        if found is None and len(self.names) < MAX_MARKS:
            found = self._numbers[name] = len(self.names)
            self.names = (*self.names, name)
        return found

    def copy(self) -> Marks:
        """A table that can grow without this one."""
        return Marks(self.names)

    def flags(self, numbers: AbstractSet[int]) -> frozenset[str]:
        """The names of some numbers."""
        return frozenset(self.names[number] for number in numbers if number < MAILBOX_MARKS)


def mailboxes(numbers: Iterable[int]) -> frozenset[int]:
    """The numbers of the mailboxes among some marks."""
    return frozenset(number - MAILBOX_MARKS for number in numbers if number >= MAILBOX_MARKS)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkDiff:
    """Marks of one message before and after, by number."""

    before: frozenset[int]
    after: frozenset[int]


@dataclass(slots=True, kw_only=True)
class SpaceDiff:
    """What changed in one space, and the chunks that hold it afterwards."""

    chunks: dict[int, Chunk] = field(default_factory=dict)
    added: BitMap = field(default_factory=BitMap)
    removed: BitMap = field(default_factory=BitMap)
    changed: dict[int, MarkDiff] = field(default_factory=dict)
    """Messages that were there before and are there now, with other marks."""

    @property
    def empty(self) -> bool:
        """Whether nothing changed."""
        return not self.chunks

    @property
    def numbers(self) -> BitMap:
        """All messages of which something changed."""
        return self.added | self.removed | BitMap(self.changed)


def span_bits(count: int, next_number: int) -> int:
    """Bits of a chunk's span, so that a chunk holds about 128 messages or more however sparse the numbers are."""
    bits = MIN_SPAN_BITS
    while bits < MAX_SPAN_BITS and count and (next_number >> bits) * MESSAGES_PER_CHUNK > count:
        bits += 1
    return bits


def touched(observed: Numbered, bits: int) -> set[int]:
    """Indexes of the chunks that an observation can change; with `whole`, all others are to be loaded as well."""
    return {number >> bits for number in _steps(concerned(observed), bits)}


def _steps(numbers: BitMap, bits: int) -> Iterator[int]:
    """One number per chunk."""
    at = 0
    while numbers:
        rank = numbers.rank(at - 1) if at else 0
        if rank >= len(numbers):
            return
        number = numbers[rank]
        yield number
        at = ((number >> bits) + 1) << bits


def slices(observed: Numbered, size: int) -> Iterator[Numbered]:
    """The observation in pieces of at most `size` numbers: first what is present, then what is gone.

    The cursor comes with the last piece only.
    """
    present, gone = observed.present.numbers, observed.gone.numbers
    if len(present) + len(gone) <= size:
        yield observed
        return
    pieces = [(piece, BitMap()) for piece in _pieces(present, size)] + [
        (BitMap(), piece) for piece in _pieces(gone, size)
    ]
    for index, (here, left) in enumerate(pieces):
        keys = replace(observed.present, numbers=here)
        yield replace(
            observed,
            present=keys,
            on={mark: replace(keys, numbers=marked.numbers & here) for mark, marked in observed.on.items()},
            off={mark: replace(keys, numbers=marked.numbers & here) for mark, marked in observed.off.items()},
            gone=replace(observed.gone, numbers=left),
            cursor=observed.cursor if index == len(pieces) - 1 else None,
        )


def _pieces(numbers: BitMap, size: int) -> Iterator[BitMap]:
    return (numbers[start : start + size] for start in range(0, len(numbers), size))


def without(observed: Numbered, numbers: BitMap) -> Numbered:
    """The observation less some numbers that turned out not to exist any more."""

    def less(keys: NumberedKeys) -> NumberedKeys:
        return replace(keys, numbers=keys.numbers - numbers)

    return replace(
        observed,
        present=less(observed.present),
        on={mark: less(keys) for mark, keys in observed.on.items()},
        off={mark: less(keys) for mark, keys in observed.off.items()},
    )


def only(observed: Numbered, numbers: BitMap) -> Numbered:
    """What the observation says about some numbers."""

    def cut(keys: NumberedKeys) -> NumberedKeys:
        return replace(keys, numbers=keys.numbers & numbers)

    return replace(
        observed,
        present=cut(observed.present),
        on={mark: cut(keys) for mark, keys in observed.on.items()},
        off={mark: cut(keys) for mark, keys in observed.off.items()},
        gone=cut(observed.gone),
    )


def concerned(observed: Numbered) -> BitMap:
    """The numbers that an observation says anything about."""
    numbers = observed.present.numbers | observed.gone.numbers
    for marked in (*observed.on.values(), *observed.off.values()):
        numbers |= marked.numbers
    return numbers


def diff(chunks: Mapping[int, Chunk], observed: Numbered, marks: Marks, bits: int) -> SpaceDiff:
    """Compares an observation with the chunks that it touches; those that are missing hold nothing.

    Args:
        chunks: By index: every touched one that exists, and with `whole` every one that exists. Not changed.
        observed: What the provider shows. With `whole`, `present` is everything. Marks of mailboxes are named by number.
        marks: The account's table; flags that are new are added to it.
        bits: A chunk covers 2**bits numbers.
    """
    result = SpaceDiff()
    indexes = touched(observed, bits)
    if observed.whole:
        indexes |= set(chunks)
    on = _by_number(observed.on, marks)
    off = _by_number(observed.off, marks)
    for index in sorted(indexes):
        window = BitMap(range(index << bits, (index + 1) << bits)) if bits <= MIN_SPAN_BITS else None
        low, high = index << bits, (index + 1) << bits
        _diff_chunk(
            result, index, chunks.get(index) or Chunk(), observed, on, off, _Window(low, high, window)
        )
    return result


class _Window:
    """The numbers of one chunk."""

    __slots__ = ("_all", "_high", "_low")

    def __init__(self, low: int, high: int, everything: BitMap | None) -> None:
        self._low, self._high, self._all = low, high, everything

    def cut(self, numbers: BitMap) -> BitMap:
        """The numbers that lie in the chunk."""
        if self._all is not None:
            return numbers & self._all
        start = numbers.rank(self._low - 1) if self._low else 0
        return numbers[start : numbers.rank(self._high - 1)]


def _by_number(marked: Mapping[tuple[MarkKind, str], NumberedKeys], marks: Marks) -> dict[int, BitMap]:
    found: dict[int, BitMap] = {}
    for (kind, name), keys in marked.items():
        number = marks.number(name) if kind is MarkKind.FLAG else MAILBOX_MARKS + int(name)
        if number is not None:
            found[number] = keys.numbers
    return found


def _diff_chunk(
    result: SpaceDiff,
    index: int,
    before: Chunk,
    observed: Numbered,
    on: Mapping[int, BitMap],
    off: Mapping[int, BitMap],
    window: _Window,
) -> None:
    present = window.cut(observed.present.numbers)
    gone = before.members - present if observed.whole else window.cut(observed.gone.numbers) & before.members
    added = present - before.members
    members = (before.members | present) - gone
    after: dict[int, BitMap] = {}
    changed = BitMap()
    for number in before.marks.keys() | on.keys() | off.keys():
        was = before.marks.get(number, BitMap())
        kind = MarkKind.FLAG if number < MAILBOX_MARKS else MarkKind.MAILBOX
        now = was - present if kind in observed.absolute else was - window.cut(off.get(number, BitMap()))
        now = (now | window.cut(on.get(number, BitMap()))) & members
        if now:
            after[number] = now
        changed |= now ^ was
    if not added and not gone and not changed:
        return
    result.chunks[index] = Chunk(members=members, marks=after)
    result.added |= added
    result.removed |= gone
    for number in changed - added - gone:
        result.changed[number] = MarkDiff(
            before=marks_of(before, number), after=marks_of(result.chunks[index], number)
        )


def marks_of(chunk: Chunk, number: int) -> frozenset[int]:
    """The marks that one message carries."""
    return frozenset(mark for mark, numbers in chunk.marks.items() if number in numbers)
