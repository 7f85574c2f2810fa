"""Chunks: every chunk is read back as it was, in few bytes."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroom_server.domain.storage import Chunk
from postroom_server.store.chunks import decode_chunk, encode_chunk
from pyroaring import BitMap

members = st.sets(st.integers(0, 2**32 - 1), min_size=1, max_size=200)


@given(members=members, picks=st.dictionaries(st.integers(0, 300), st.sets(st.integers(0, 199)), max_size=8))
def test_a_chunk_is_read_back(members: set[int], picks: dict[int, set[int]]) -> None:
    ordered = sorted(members)
    marks = {
        mark: BitMap(ordered[at] for at in places if at < len(ordered)) for mark, places in picks.items()
    }
    chunk = Chunk(members=BitMap(members), marks=marks)
    read = decode_chunk(encode_chunk(chunk))
    assert read.members == chunk.members
    assert read.marks == {mark: numbers for mark, numbers in marks.items() if numbers}


@given(members=members)
def test_equal_chunks_have_equal_bytes(members: set[int]) -> None:
    one = Chunk(members=BitMap(members), marks={2: BitMap(members), 1: BitMap(list(members)[:1])})
    other = Chunk(members=BitMap(members), marks={1: BitMap(list(members)[:1]), 2: BitMap(members)})
    other.members.run_optimize()
    assert encode_chunk(one) == encode_chunk(other)


def test_an_empty_chunk_has_no_bytes() -> None:
    assert encode_chunk(Chunk(marks={1: BitMap([1])})) == b""


def test_a_mark_on_what_is_not_a_member_is_not_kept() -> None:
    read = decode_chunk(encode_chunk(Chunk(members=BitMap([1]), marks={0: BitMap([1, 2]), 1: BitMap([2])})))
    assert read.marks == {0: BitMap([1])}


def test_a_mark_that_nearly_all_carry_costs_its_complement() -> None:
    everyone = BitMap(range(0, 2_048, 2))
    nearly = BitMap(everyone)
    nearly.discard(4)
    with_mark = encode_chunk(Chunk(members=everyone, marks={0: nearly}))
    assert len(with_mark) - len(encode_chunk(Chunk(members=everyone))) < 30
    assert decode_chunk(with_mark).marks == {0: nearly}


def test_a_large_chunk_is_compressed() -> None:
    everyone = BitMap(range(0, 2_048, 2))
    marks = {mark: BitMap(range(0, 2_048, 4)) for mark in range(8)}
    stored = encode_chunk(Chunk(members=everyone, marks=marks))
    assert stored[:1] == b"\1"
    assert len(stored) < 4_000
    assert decode_chunk(stored).marks == marks


def test_encoding_leaves_the_callers_sets_alone() -> None:
    chunk = Chunk(members=BitMap([1, 2, 3]), marks={0: BitMap([1])})
    before = chunk.members.get_statistics()
    encode_chunk(chunk)
    assert chunk.members.get_statistics() == before


@pytest.mark.parametrize("stored", [b"\7abc", b"\1" + zlib.compress(b"x" * 100)[:-3]])
def test_bytes_that_are_no_chunk_are_refused(stored: bytes) -> None:
    with pytest.raises(ValueError, match="a chunk"):
        decode_chunk(stored)
