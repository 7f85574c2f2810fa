"""Protobuf messages as bytes: fields found, renumbered and added without the classes that know them.

It owns the few lines of the wire format that a server of a later version needs in order to be played.

See Also:
    https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

VARINT: Final = 0
FIXED64: Final = 1
LENGTH: Final = 2
FIXED32: Final = 5
UNKNOWN: Final = 2_000
"""A field number that no message of the contract uses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field: number, wire type, its whole encoding, and the bytes of its value."""

    number: int
    kind: int
    whole: bytes
    value: bytes


def varint(number: int) -> bytes:
    """A non-negative number as a varint."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def number_of(encoded: bytes) -> int:
    """The number of a varint's bytes."""
    return sum((byte & 0x7F) << 7 * index for index, byte in enumerate(encoded))


def encode(number: int, value: bytes | int) -> bytes:
    """A field with bytes or with a number as its value."""
    if isinstance(value, int):
        return varint(number << 3 | VARINT) + varint(value)
    return varint(number << 3 | LENGTH) + varint(len(value)) + value


def fields(message: bytes) -> Iterator[Field]:
    """The fields of a message in order."""
    at = 0
    while at < len(message):
        start = at
        at = _after_varint(message, at)
        tag = number_of(message[start:at])
        begin, end = _value(message, at, tag & 7)
        yield Field(number=tag >> 3, kind=tag & 7, whole=message[start:end], value=message[begin:end])
        at = end


def _after_varint(message: bytes, at: int) -> int:
    while message[at] & 0x80:
        at += 1
    return at + 1


def _value(message: bytes, at: int, kind: int) -> tuple[int, int]:
    if kind == VARINT:
        return at, _after_varint(message, at)
    if kind == LENGTH:
        begin = _after_varint(message, at)
        return begin, begin + number_of(message[at:begin])
    return at, at + {FIXED64: 8, FIXED32: 4}[kind]


def first(message: bytes, number: int) -> bytes | None:
    """The value of the first field with this number."""
    return next((one.value for one in fields(message) if one.number == number), None)


def rewritten(message: bytes, number: int, change: Callable[[bytes], bytes]) -> bytes:
    """The message with the value of each field of this number changed."""
    return b"".join(
        encode(number, change(one.value)) if one.number == number and one.kind == LENGTH else one.whole
        for one in fields(message)
    )


def renumbered(message: bytes, numbers: frozenset[int]) -> bytes:
    """The message with these fields under a number that nobody knows."""
    return b"".join(
        encode(UNKNOWN, one.value) if one.number in numbers and one.kind == LENGTH else one.whole
        for one in fields(message)
    )
