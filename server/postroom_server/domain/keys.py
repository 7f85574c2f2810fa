"""Item keys: of providers that number their messages (IMAP), and of those that give each a name for life (Gmail, Graph).

A numbered key is (scope, epoch, number): the mailbox, its UIDVALIDITY and the UID. It owns that form, so that sets of
such keys travel as Roaring bitmaps and never message by message. A key of any other provider is opaque: sets of them
travel in the provider's order, and `domain.slots` numbers them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NewType

from pyroaring import BitMap

ItemKey = NewType("ItemKey", bytes)
"""A message in the provider's own terms; only the backend reads it."""
MailboxKey = NewType("MailboxKey", bytes)
"""A mailbox in the provider's own terms: for IMAP its name as the wire spells it."""
ScopeId = NewType("ScopeId", bytes)
"""One unit with a position of its own. On numbered providers each selectable mailbox is one, and ScopeId == MailboxKey."""

_TAIL = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedKeys:
    """A set of item keys of one scope and epoch, as a bitmap of numbers."""

    scope: ScopeId
    epoch: int
    numbers: BitMap = field(default_factory=BitMap)

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[ItemKey]:
        return (item_key(self.scope, self.epoch, number) for number in self.numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemKeys:
    """A set of item keys of a provider that does not number its messages, in the order in which they came to it."""

    keys: tuple[ItemKey, ...] = ()

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[ItemKey]:
        return iter(self.keys)


def item_key(scope: ScopeId, epoch: int, number: int) -> ItemKey:
    """The key of one numbered message; epoch and number are 32-bit."""
    return ItemKey(scope + epoch.to_bytes(4, "big") + number.to_bytes(4, "big"))


def split_key(key: ItemKey) -> tuple[ScopeId, int, int]:
    """(scope, epoch, number) of a numbered key."""
    return ScopeId(key[:-_TAIL]), int.from_bytes(key[-_TAIL:-4], "big"), int.from_bytes(key[-4:], "big")


def by_scope(keys: Iterable[ItemKey]) -> Mapping[tuple[ScopeId, int], Sequence[int]]:
    """Numbers per (scope, epoch), in the order in which they came."""
    groups: dict[tuple[ScopeId, int], list[int]] = {}
    for key in keys:
        scope, epoch, number = split_key(key)
        groups.setdefault((scope, epoch), []).append(number)
    return groups
