"""Chunks <-> bytes: members and marks of 2**span_bits numbers as Roaring bitmaps in a protobuf.

It owns the stored form of a chunk and refuses positions and keys. A mark that more than half of the members carry is
stored as its complement; a chunk above COMPRESS_FROM bytes is compressed, and the first byte says so.
"""

from __future__ import annotations

import zlib
from typing import Final

from pyroaring import BitMap

from postroom_server.domain.storage import Chunk
from postroom_server.store import records_pb2 as records

COMPRESS_FROM: Final = 1_500
MAX_CHUNK_BYTES: Final = 64 * 1024 * 1024
"""A chunk that unpacks to more is not one of ours."""
_PLAIN: Final = b"\0"
_ZLIB: Final = b"\1"
_LEVEL: Final = 1


def encode_chunk(chunk: Chunk) -> bytes:
    """The stored form; empty bytes for a chunk without members."""
    if not chunk.members:
        return b""
    record = records.Chunk(members=pack(chunk.members))
    for number, carriers in sorted(chunk.marks.items()):
        marked = carriers & chunk.members
        if not marked:
            continue
        if 2 * len(marked) > len(chunk.members):
            record.marks.add(code=number << 1 | 1, numbers=pack(chunk.members - marked))
        else:
            record.marks.add(code=number << 1, numbers=pack(marked))
    return wrap(record.SerializeToString(deterministic=True), COMPRESS_FROM)


def decode_chunk(stored: bytes) -> Chunk:
    """The chunk of a stored form."""
    record = records.Chunk.FromString(unwrap(stored))
    members = BitMap.deserialize(record.members)
    marks = {}
    for marked in record.marks:
        numbers = unpack(marked.numbers)
        marks[marked.code >> 1] = members - numbers if marked.code & 1 else numbers
    return Chunk(members=members, marks=marks)


def pack(numbers: BitMap) -> bytes:
    """The stored form of a bitmap."""
    if not numbers:
        return b""
    packed = BitMap(numbers)
    packed.run_optimize()
    return bytes(packed.serialize())


def unpack(stored: bytes) -> BitMap:
    """The bitmap of a stored form."""
    return BitMap.deserialize(stored) if stored else BitMap()


def wrap(raw: bytes, compress_from: int) -> bytes:
    """The record, compressed from this many bytes up; the first byte says so."""
    return _PLAIN + raw if len(raw) < compress_from else _ZLIB + zlib.compress(raw, _LEVEL)


def unwrap(stored: bytes) -> bytes:
    """The record as it was before `wrap`."""
    kind, raw = stored[:1], stored[1:]
    if kind == _PLAIN:
        return raw
    if kind != _ZLIB:
        raise ValueError(f"a chunk of unknown form {kind!r}")
    inflater = zlib.decompressobj()
    unpacked = inflater.decompress(raw, MAX_CHUNK_BYTES)
    if not inflater.eof:
        raise ValueError("a chunk that does not end")
    return unpacked
