"""The slot table of one account: which messages of the provider have which slots.

It owns reading the pieces of the table that a question needs and preparing those that a commit writes; it refuses the
table's form (`domain.slot_table`) and committing. Whoever commits holds the ledger's lock from `rebind` on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from postroom_server.domain.keys import ItemKey
from postroom_server.domain.slot_table import (
    KEY_SPAN_BITS,
    Rebinding,
    bucket_count,
    bucket_of,
    candidates,
    confirmed,
    fingerprint,
    key_chunks_of,
)
from postroom_server.workers.ledger import Ledger, Patch


class SlotIndex:
    """Keys to slots and back."""

    __slots__ = ("_ledger",)

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    @property
    def next_slot(self) -> int:
        """The first slot that was never dealt out."""
        position = self._ledger.messages
        return position.next_number if position is not None else 1

    async def slots(self, keys: Sequence[ItemKey]) -> dict[ItemKey, int]:
        """The slots of those keys that have one."""
        position = self._ledger.messages
        if position is None or not keys:
            return {}
        count = bucket_count(position.next_number)
        wanted = sorted({bucket_of(fingerprint(key), count) for key in keys})
        possible = candidates(keys, await self._ledger.buckets(position.space, wanted))
        if not possible:
            return {}
        pieces = sorted(key_chunks_of(slot for slots in possible.values() for slot in slots))
        return confirmed(possible, await self._ledger.key_chunks(position.space, pieces))

    async def keys(self, slots: Iterable[int]) -> dict[int, ItemKey]:
        """The keys of those slots that have one."""
        position, wanted = self._ledger.messages, list(slots)
        if position is None or not wanted:
            return {}
        chunks = await self._ledger.key_chunks(position.space, sorted(key_chunks_of(wanted)))
        found: dict[int, ItemKey] = {}
        for slot in wanted:
            chunk = chunks.get(slot >> KEY_SPAN_BITS)
            if chunk is not None and slot in chunk.keys:
                found[slot] = chunk.keys[slot]
        return found

    async def rebind(
        self,
        patch: Patch,
        space: int,
        following: int,
        added: Mapping[int, ItemKey],
        removed: Iterable[int],
    ) -> None:
        """Puts a change of the table into the patch that moves the space's next slot to `following`."""
        gone = await self.keys(removed)
        change = Rebinding(self.next_slot, following, added, gone)
        chunks = await self._ledger.key_chunks(space, sorted(change.key_chunks))
        buckets = await self._ledger.buckets(space, sorted(change.buckets))
        for index, chunk in change.new_key_chunks(chunks).items():
            patch.key_chunks[space, index] = chunk
        for index, bucket in change.new_buckets(buckets).items():
            patch.buckets[space, index] = bucket
