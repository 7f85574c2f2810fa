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
    record = records.Chunk(members=_pack(chunk.members))
    for number, carriers in sorted(chunk.marks.items()):
        marked = carriers & chunk.members
        if not marked:
            continue
        if 2 * len(marked) > len(chunk.members):
            record.marks.add(code=number << 1 | 1, numbers=_pack(chunk.members - marked))
        else:
            record.marks.add(code=number << 1, numbers=_pack(marked))
    raw = record.SerializeToString(deterministic=True)
    return _PLAIN + raw if len(raw) < COMPRESS_FROM else _ZLIB + zlib.compress(raw, _LEVEL)


def decode_chunk(stored: bytes) -> Chunk:
    """The chunk of a stored form."""
    record = records.Chunk.FromString(_unpack(stored))
    members = BitMap.deserialize(record.members)
    marks = {}
    for marked in record.marks:
        numbers = BitMap.deserialize(marked.numbers) if marked.numbers else BitMap()
        marks[marked.code >> 1] = members - numbers if marked.code & 1 else numbers
    return Chunk(members=members, marks=marks)


def _pack(numbers: BitMap) -> bytes:
    if not numbers:
        return b""
    packed = BitMap(numbers)
    packed.run_optimize()
    return bytes(packed.serialize())


def _unpack(stored: bytes) -> bytes:
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
