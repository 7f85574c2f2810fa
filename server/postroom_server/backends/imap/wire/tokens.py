r"""Reads the parts of one response as nested lists of atoms, strings and numbers (RFC 9051 section 9).

Owns the lexical grammar, as servers really speak it: 8-bit bytes in quoted strings, doubled spaces, "]" and "[" in
flags, literal8. Refuses to interpret: names are matched by the response modules, and the human text behind OK or NO
never comes here. Linear in time, whatever the input: each pattern either fails at its first byte or consumes what it
has looked at. (A lone quote takes the rest of its text, which ends with CRLF: so it is told from a closed string.)

    read([b'(UID 7 FLAGS (\\Seen) X "a" NIL)\r\n'])  ->  [[b'UID', 7, b'FLAGS', [b'\\Seen'], b'X', b'a', None]]
"""

from __future__ import annotations

import re
from typing import TypeAlias

from postroom_server.backends.imap.wire.faults import LimitExceeded, Malformed
from postroom_server.backends.imap.wire.splitter import Parts

__all__ = ["Node", "as_bytes", "as_int", "as_list", "read"]

MAX_DEPTH = 32
"""Lists within lists."""
MAX_LISTS = 100_000
"""Lists in one response: an empty one is two bytes on the wire and some sixty in memory."""
MAX_NUMBER_DIGITS = 20
"""Longer runs of digits stay bytes: the largest numbers of the protocol have 64 bits."""

Node: TypeAlias = "bytes | int | list[Node] | None"

_TOKEN = re.compile(
    rb"[()]"
    rb'|"[^"\\]*+(?:\\.[^"\\]*+)*+"'
    rb'|".*'
    rb"|~?\{\d{1,10}\+?\}\r\n\Z"
    rb"|(?:BODY|BINARY(?:\.SIZE)?)\[[^\]]*+\]?[^\s()\"]*"
    rb'|[^\s()"{][^\s()"]*'
    rb"|\{",
    re.DOTALL | re.IGNORECASE,
)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_BRACES = frozenset(b"{~")
_NIL = frozenset({b"NIL", b"nil", b"Nil"})


class _Reader:
    """The open lists of one response."""

    __slots__ = ("lists", "stack", "top")

    def __init__(self) -> None:
        self.top: list[Node] = []
        self.stack: list[list[Node]] = []
        self.lists = 0

    def open(self, current: list[Node]) -> list[Node]:
        self.stack.append(current)
        self.lists += 1
        if len(self.stack) > MAX_DEPTH:
            raise Malformed(f"lists deeper than {MAX_DEPTH}")
        if self.lists > MAX_LISTS:
            raise LimitExceeded(f"more than {MAX_LISTS} lists in a response")
        inner: list[Node] = []
        current.append(inner)
        return inner


def read(parts: Parts, offset: int = 0) -> list[Node]:
    """Return the nodes of a response from `offset` of its first text on.

    Raises:
        Malformed: unbalanced lists or quotes, lists too deep, an announcement without its literal.
        LimitExceeded: more lists than a response may have.
    """
    reader = _Reader()
    current = reader.top
    find = _TOKEN.findall
    for index in range(0, len(parts), 2):
        text = parts[index][offset:] if offset and not index else parts[index]
        for token in find(text):
            first = token[0]
            if first == 0x28:
                current = reader.open(current)
            elif first == 0x29:
                if not reader.stack:
                    raise Malformed("a list ends that never began")
                current = reader.stack.pop()
            elif first == 0x22:
                if token[-1] != 0x22:
                    raise Malformed("a quoted string without an end")
                inner = token[1:-1]
                current.append(_ESCAPE.sub(rb"\1", inner) if b"\\" in inner else inner)
            elif 0x30 <= first <= 0x39 and len(token) <= MAX_NUMBER_DIGITS and token.isdigit():
                current.append(int(token))
            elif token in _NIL:
                current.append(None)
            elif token[-1] == 0x0A:
                if first not in _BRACES or index + 1 >= len(parts):
                    raise Malformed("a section without an end, or a literal announced and missing")
                current.append(parts[index + 1])
            elif first == 0x7B:
                raise Malformed("a brace that announces no literal")
            else:
                current.append(token)
    if reader.stack:
        raise Malformed("a list without an end")
    return reader.top


def as_bytes(node: Node) -> bytes | None:
    """Return a string or atom as bytes, a number as its digits, NIL as None.

    Raises:
        Malformed: it is a list.
    """
    if node is None or isinstance(node, bytes):
        return node
    if isinstance(node, int):
        return b"%d" % node
    raise Malformed("a list where a string belongs")


def as_int(node: Node) -> int:
    """Return a number, also one that came quoted or negative (some servers send -1 for unknown sizes).

    Raises:
        Malformed: it is no number.
    """
    if isinstance(node, int):
        return node
    if isinstance(node, bytes) and len(node) <= MAX_NUMBER_DIGITS:
        try:
            return int(node)
        except ValueError:
            pass
    raise Malformed("no number where a number belongs")


def as_list(node: Node) -> list[Node]:
    """Return a list, NIL as the empty one.

    Raises:
        Malformed: it is a string or a number.
    """
    if node is None:
        return []
    if isinstance(node, list):
        return node
    raise Malformed("no list where a list belongs")
