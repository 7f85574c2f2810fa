"""The table of a slot space: which key a slot has, and which slot a key has.

It owns the form of both directions and refuses input and output: the worker loads the pieces it names and commits those
it gets back. Keys lie by slot, in pieces of `KEY_SPAN` slots. Slots lie by a hash of their key, in buckets that are split
one by one as slots are dealt out (linear hashing): how many there are follows from the next slot alone. A bucket holds
only 32 bits of the hash, so that a slot found there is checked against its key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from postroom_server.domain.keys import ItemKey
from postroom_server.domain.storage import Bucket, KeyChunk

KEY_SPAN_BITS: Final = 8
"""A piece of keys covers 2**8 slots: what one new message rewrites."""
SLOTS_PER_BUCKET: Final = 128
"""Slots dealt out for each bucket; a bucket holds up to twice as many."""
_FINGERPRINT_BYTES: Final = 4


def fingerprint(key: ItemKey) -> int:
    """32 bits of a key's hash."""
    return int.from_bytes(hashlib.blake2b(key, digest_size=_FINGERPRINT_BYTES).digest(), "big")


def bucket_count(next_slot: int) -> int:
    """How many buckets a space has whose next slot is this one."""
    return max(next_slot // SLOTS_PER_BUCKET, 1)


def bucket_of(print_: int, count: int) -> int:
    """The bucket of a fingerprint among `count` buckets."""
    high = 1 << (count - 1).bit_length()
    index = print_ & (high - 1)
    return index if index < count else index - (high >> 1)


def origin(bucket: int, count: int) -> int:
    """The bucket that held what is in `bucket` now, when there were only `count`."""
    while bucket >= count:
        bucket -= 1 << (bucket.bit_length() - 1)
    return bucket


def key_chunks_of(slots: Iterable[int]) -> set[int]:
    """Indexes of the pieces that hold the keys of some slots."""
    return {slot >> KEY_SPAN_BITS for slot in slots}


def candidates(keys: Iterable[ItemKey], buckets: Mapping[int, Bucket]) -> dict[ItemKey, list[int]]:
    """Slots that each key may have; keys that surely have none are left out."""
    by_print: dict[int, list[int]] = {}
    for bucket in buckets.values():
        for slot, print_ in bucket.prints.items():
            by_print.setdefault(print_, []).append(slot)
    found = {key: by_print.get(fingerprint(key), []) for key in keys}
    return {key: slots for key, slots in found.items() if slots}


def confirmed(
    possible: Mapping[ItemKey, Iterable[int]], chunks: Mapping[int, KeyChunk]
) -> dict[ItemKey, int]:
    """Of the slots that keys may have, those that they have."""
    slots: dict[ItemKey, int] = {}
    for key, found in possible.items():
        for slot in found:
            chunk = chunks.get(slot >> KEY_SPAN_BITS)
            if chunk is not None and chunk.keys.get(slot) == key:
                slots[key] = slot
    return slots


class Rebinding:
    """One change of the table: keys that get slots, slots that lose their keys, and the buckets that are split."""

    __slots__ = ("_added", "_after", "_before", "_removed")

    def __init__(
        self, before: int, after: int, added: Mapping[int, ItemKey], removed: Mapping[int, ItemKey]
    ) -> None:
        """`before` and `after` are the next slots; keys are given by slot."""
        self._before, self._after = bucket_count(before), bucket_count(after)
        self._added, self._removed = added, removed

    @property
    def key_chunks(self) -> set[int]:
        """The pieces of keys that are needed."""
        return key_chunks_of([*self._added, *self._removed])

    @property
    def buckets(self) -> set[int]:
        """The buckets that are needed, as they lie before."""
        touched = {bucket_of(fingerprint(key), self._before) for key in self._changed()}
        return touched | {origin(bucket, self._before) for bucket in range(self._before, self._after)}

    def _changed(self) -> list[ItemKey]:
        return [*self._added.values(), *self._removed.values()]

    def new_key_chunks(self, chunks: Mapping[int, KeyChunk]) -> dict[int, KeyChunk]:
        """The pieces of keys as they lie afterwards."""
        made = {
            index: KeyChunk(keys=dict(chunks[index].keys) if index in chunks else {})
            for index in self.key_chunks
        }
        for slot, key in self._added.items():
            made[slot >> KEY_SPAN_BITS].keys[slot] = key
        for slot in self._removed:
            made[slot >> KEY_SPAN_BITS].keys.pop(slot, None)
        return made

    def new_buckets(self, buckets: Mapping[int, Bucket]) -> dict[int, Bucket]:
        """The buckets as they lie afterwards, the new ones among them."""
        pool: dict[int, int] = {}
        for bucket in buckets.values():
            pool.update(bucket.prints)
        for slot in self._removed:
            pool.pop(slot, None)
        pool.update((slot, fingerprint(key)) for slot, key in self._added.items())
        made = {index: Bucket() for index in (*self.buckets, *range(self._before, self._after))}
        for slot, print_ in pool.items():
            made[bucket_of(print_, self._after)].prints[slot] = print_
        return made
