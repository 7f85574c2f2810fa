"""The table of a slot space: after any history, every key has its slot, every slot its key, and nothing else is there."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from postroom_server.domain.keys import ItemKey
from postroom_server.domain.slot_table import (
    SLOTS_PER_BUCKET,
    Rebinding,
    bucket_count,
    bucket_of,
    candidates,
    confirmed,
    fingerprint,
    key_chunks_of,
    origin,
)
from postroom_server.domain.storage import Bucket, KeyChunk


class Kept:
    """The pieces as the store keeps them: what is empty is not there."""

    def __init__(self) -> None:
        self.chunks: dict[int, KeyChunk] = {}
        self.buckets: dict[int, Bucket] = {}
        self.next_slot = 1

    def rebind(self, added: dict[int, ItemKey], removed: dict[int, ItemKey]) -> None:
        after = max([self.next_slot, *(slot + 1 for slot in added)])
        change = Rebinding(self.next_slot, after, added, removed)
        chunks = {index: self.chunks[index] for index in change.key_chunks if index in self.chunks}
        buckets = {index: self.buckets[index] for index in change.buckets if index in self.buckets}
        for index, chunk in change.new_key_chunks(chunks).items():
            self.chunks.pop(index, None)
            if chunk.keys:
                self.chunks[index] = chunk
        for index, bucket in change.new_buckets(buckets).items():
            self.buckets.pop(index, None)
            if bucket.prints:
                self.buckets[index] = bucket
        self.next_slot = after

    def slots(self, keys: list[ItemKey]) -> dict[ItemKey, int]:
        count = bucket_count(self.next_slot)
        wanted = {bucket_of(fingerprint(key), count) for key in keys}
        possible = candidates(keys, {index: self.buckets[index] for index in wanted & self.buckets.keys()})
        needed = key_chunks_of(slot for slots in possible.values() for slot in slots)
        return confirmed(possible, {index: self.chunks[index] for index in needed})


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), st.sampled_from([8, 3, 700]))
def test_the_table_is_the_map(seed, most):
    """Adding, removing and splitting buckets lose no key and invent none."""
    rng, kept, truth = random.Random(seed), Kept(), dict[int, ItemKey]()
    for _ in range(12):
        new = {kept.next_slot + offset: ItemKey(rng.randbytes(8)) for offset in range(rng.randint(0, most))}
        gone = {slot: truth[slot] for slot in rng.sample(sorted(truth), rng.randint(0, len(truth) // 3))}
        kept.rebind(new, gone)
        truth = {slot: key for slot, key in {**truth, **new}.items() if slot not in gone}
        assert kept.slots(list(truth.values())) == {key: slot for slot, key in truth.items()}
        assert kept.slots([*gone.values(), ItemKey(b"a stranger")]) == {}
        assert {slot: key for chunk in kept.chunks.values() for slot, key in chunk.keys.items()} == truth
        assert sum(len(bucket.prints) for bucket in kept.buckets.values()) == len(truth)


@given(st.integers(0, 2**32 - 1), st.integers(1, 5_000), st.integers(1, 5_000))
def test_a_split_bucket_comes_from_one(print_, before, after):
    """Whatever is in a bucket now was in its origin when there were fewer."""
    before, after = sorted((before, after))
    assert origin(bucket_of(print_, after), before) == bucket_of(print_, before)
    assert 0 <= bucket_of(print_, after) < after


def test_a_bucket_stays_small():
    """Each holds about as many as it was made for, at most a few times that."""
    count = bucket_count(50_000)
    sizes = [0] * count
    for number in range(50_000):
        sizes[bucket_of(fingerprint(ItemKey(number.to_bytes(8, "big"))), count)] += 1
    assert max(sizes) < 4 * SLOTS_PER_BUCKET


def test_a_key_with_a_strangers_hash_has_no_slot():
    """32 bits may fall together: the key itself decides."""
    stranger, own = ItemKey(b"stranger"), ItemKey(b"own")
    buckets = {0: Bucket(prints={7: fingerprint(stranger)})}
    assert confirmed(candidates([stranger], buckets), {0: KeyChunk(keys={7: own})}) == {}
