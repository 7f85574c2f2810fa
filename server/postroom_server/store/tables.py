"""The pieces of a slot table <-> bytes: keys by slot, and slots by their keys' hashes.

It owns the stored form and refuses the arithmetic of the table (`domain.slot_table`). Keys of one length lie column by
column, because those of neighbours differ in few bytes only, and compress well.
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Final

from pyroaring import BitMap

from postroom_server.domain.keys import ItemKey
from postroom_server.domain.storage import Bucket, KeyChunk
from postroom_server.store import records_pb2 as records
from postroom_server.store.chunks import pack, unpack, unwrap, wrap

COMPRESS_FROM: Final = 128
NEVER: Final = 2**31
"""Hashes do not compress."""


def encode_keys(chunk: KeyChunk) -> bytes:
    """The stored form; empty bytes for a piece without keys."""
    if not chunk.keys:
        return b""
    keys = [key for _, key in sorted(chunk.keys.items())]
    record = records.Keys(slots=pack(BitMap(chunk.keys)))
    width = len(keys[0])
    if width and all(len(key) == width for key in keys):
        joined = b"".join(keys)
        record.width = width
        record.columns = b"".join(joined[column::width] for column in range(width))
    else:
        record.keys.extend(keys)
    return wrap(record.SerializeToString(deterministic=True), COMPRESS_FROM)


def decode_keys(stored: bytes) -> KeyChunk:
    """The piece of a stored form."""
    record = records.Keys.FromString(unwrap(stored))
    slots = unpack(record.slots)
    keys = list(record.keys)
    if record.width:
        keys = [record.columns[index :: len(slots)] for index in range(len(slots))]
    return KeyChunk(keys={slot: ItemKey(key) for slot, key in zip(slots, keys, strict=True)})


def encode_bucket(bucket: Bucket) -> bytes:
    """The stored form; empty bytes for an empty bucket."""
    if not bucket.prints:
        return b""
    slots = sorted(bucket.prints)
    record = records.Bucket(
        steps=[following - slot for slot, following in pairwise((0, *slots))],
        prints=[bucket.prints[slot] for slot in slots],
    )
    return wrap(record.SerializeToString(deterministic=True), NEVER)


def decode_bucket(stored: bytes) -> Bucket:
    """The bucket of a stored form."""
    record = records.Bucket.FromString(unwrap(stored))
    return Bucket(prints=dict(zip(accumulate(record.steps), record.prints, strict=True)))
