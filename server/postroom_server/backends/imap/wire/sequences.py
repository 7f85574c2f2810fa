"""Sequence sets, "1:5,7,9:12", as Roaring sets of UIDs or message numbers (RFC 9051 section 9, RFC 7162 3.2.10).

Owns reading and writing of sets. Refuses to expand: a range costs the same however wide it is. Only `read_ordered`
lists numbers one by one, for the pairs of COPYUID, and only up to a limit that the caller names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pyroaring import BitMap

from postroom_server.backends.imap.wire.faults import LimitExceeded, Malformed

__all__ = ["MAX_UID", "read_ordered", "read_set", "write_sets"]

MAX_UID = (1 << 32) - 1
"""UIDs and message numbers are 32-bit numbers, zero excluded."""
MAX_SET_BYTES = 6_000
"""One set in a command: with the rest of the line it stays below the 8,192 octets that servers promise to take."""

_SET = re.compile(rb"(?:\d{1,10}(?::\d{1,10})?)(?:,\d{1,10}(?::\d{1,10})?)*+\Z")


def _ranges(text: bytes) -> Iterator[tuple[int, int]]:
    if not _SET.match(text):
        raise Malformed("no sequence set where one belongs")
    for piece in text.split(b","):
        first, _, last = piece.partition(b":")
        low, high = int(first), int(last or first)
        if not (0 < low <= MAX_UID and 0 < high <= MAX_UID):
            raise Malformed("a message number outside 32 bits")
        yield low, high


def read_set(text: bytes) -> BitMap:
    """Return the numbers of a set that a server sent; ranges may be given in either direction.

    Raises:
        Malformed: it is no sequence set, or holds "*" or zero.
    """
    ranges = sorted((low, high) if low <= high else (high, low) for low, high in _ranges(text))
    numbers = BitMap()
    done = 0
    for low, high in ranges:
        if high > done:
            numbers.add_range(max(low, done + 1), high + 1)
            done = high
    return numbers


def read_ordered(text: bytes, *, limit: int) -> list[int]:
    """Return the numbers of a set in the order in which they are written (RFC 4315 section 3).

    Raises:
        Malformed: it is no sequence set.
        LimitExceeded: it names more than `limit` numbers.
    """
    numbers: list[int] = []
    for low, high in _ranges(text):
        if len(numbers) + abs(high - low) + 1 > limit:
            raise LimitExceeded(f"a set of more than {limit} numbers")
        numbers.extend(range(low, high + 1) if low <= high else range(low, high - 1, -1))
    return numbers


def _runs(numbers: BitMap) -> Iterator[tuple[int, int]]:
    low = high = 0
    for number in numbers:
        if number == high + 1 and high:
            high = number
            continue
        if high:
            yield low, high
        low = high = number
    if high:
        yield low, high


def write_sets(numbers: BitMap, *, max_bytes: int = MAX_SET_BYTES) -> Iterator[tuple[bytes, int]]:
    """Write a set as one or more sequence sets of at most `max_bytes` each.

    Yields:
        The set as text and how many numbers it names, in ascending order; nothing for an empty set.
    """
    pieces: list[bytes] = []
    length = count = 0
    for low, high in _runs(numbers):
        piece = b"%d" % low if low == high else b"%d:%d" % (low, high)
        if pieces and length + len(piece) + 1 > max_bytes:
            yield b",".join(pieces), count
            pieces, length, count = [], 0, 0
        pieces.append(piece)
        length += len(piece) + 1
        count += high - low + 1
    if pieces:
        yield b",".join(pieces), count
