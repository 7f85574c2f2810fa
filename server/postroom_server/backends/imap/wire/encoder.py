r"""Writes commands: the one road from an argument to bytes (RFC 9051 section 9, RFC 7888).

Owns the spelling of every argument: an atom, a quoted string or a literal by its content, flags and header names by
their grammar, numbers as digits. Refuses NUL, lone surrogates and anything that could end a line: there is no way to
hand in text that goes out as it is.

    encode(b'a1', 'UID FETCH', [Sequence(b'7'), [Atom('UID'), Atom('FLAGS')]])
        ->  [b'a1 UID FETCH 7 (UID FLAGS)\r\n']

The result is a list of chunks: between two of them the client waits for a continuation, because the first one ends
with the announcement of a synchronising literal.
"""

from __future__ import annotations

import re
from collections.abc import Sequence as Listing
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from postroom_server.backends.imap.wire.faults import NotEncodable
from postroom_server.backends.imap.wire.utf7 import encode_utf7

__all__ = [
    "Argument",
    "Atom",
    "Flag",
    "HeaderName",
    "Literals",
    "Mailbox",
    "Number",
    "Sequence",
    "String",
    "Upload",
    "encode",
]

MAX_QUOTED_BYTES = 1_000
"""Longer strings go out as literals, so that a line stays short."""
MAX_COMMAND_BYTES = 256 << 10
"""Everything of one command but an upload."""
LITERAL_MINUS_BYTES = 4_096
"""LITERAL- allows non-synchronising literals up to here."""

_ATOM = re.compile(r"[!#$&'+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+\Z")
_ITEM = re.compile(
    r"[A-Za-z0-9.\-]+(?:\[[A-Za-z0-9.\-]*(?: \([A-Za-z0-9\- ]*\))?\](?:<\d{1,10}\.\d{1,10}>)?)?\Z"
)
_FLAG = re.compile(r"\\?[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]{1,255}\Z")
_HEADER = re.compile(r"[!#$&'*+\-.0-9A-Z^_`a-z|~]{1,255}\Z")
_SEQUENCE = re.compile(rb"(?:\d{1,10}|\*)(?::(?:\d{1,10}|\*))?(?:,(?:\d{1,10}|\*)(?::(?:\d{1,10}|\*))?)*+\Z")
_PLAIN = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+\Z")
_QUOTABLE = re.compile(rb"[\x20-\x7e\t]*\Z")
_SPECIAL = re.compile(rb'(["\\])')
_NIL = b"NIL"


class Literals(Enum):
    """Which literals the server takes without being asked first."""

    SYNCHRONISING = 0
    PLUS = 1
    MINUS = 2


@dataclass(frozen=True, slots=True)
class Atom:
    """A word of the protocol: a keyword, a fetch item with its section, a capability."""

    text: str


@dataclass(frozen=True, slots=True)
class String:
    """Any text or bytes without NUL: quoted where it can be, else a literal; never an atom that could be misread."""

    value: str | bytes


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox name: text is put into modified UTF-7, bytes go back as the server sent them."""

    name: str | bytes


@dataclass(frozen=True, slots=True)
class Flag:
    """A system flag with its backslash, or a keyword."""

    name: str


@dataclass(frozen=True, slots=True)
class HeaderName:
    """The name of a header field."""

    name: str


@dataclass(frozen=True, slots=True)
class Number:
    """A number of at most 64 bits, not negative."""

    value: int


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence set as text, "*" allowed."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Upload:
    """A literal whose `size` bytes the connection streams; it must be a command's last argument."""

    size: int


Argument: TypeAlias = (
    "Atom | String | Mailbox | Flag | HeaderName | Number | Sequence | Upload | Listing[Argument]"
)


class _Line:
    """The command so far."""

    __slots__ = ("chunks", "current", "literals", "size")

    def __init__(self, literals: Literals) -> None:
        self.chunks: list[bytes] = []
        self.current = bytearray()
        self.literals = literals
        self.size = 0

    def put(self, data: bytes) -> None:
        self.size += len(data)
        if self.size > MAX_COMMAND_BYTES:
            raise NotEncodable(f"a command of more than {MAX_COMMAND_BYTES} bytes")
        self.current += data

    def announce(self, size: int) -> None:
        plus = self.literals is Literals.PLUS or (
            self.literals is Literals.MINUS and size <= LITERAL_MINUS_BYTES
        )
        self.put(b"{%d+}\r\n" % size if plus else b"{%d}\r\n" % size)
        if not plus:
            self.chunks.append(bytes(self.current))
            self.current.clear()


def encode(
    tag: bytes, command: str, arguments: Listing[Argument], literals: Literals = Literals.SYNCHRONISING
) -> list[bytes]:
    """Return the chunks of one command; behind an upload's announcement stands the CRLF that ends the command.

    Raises:
        NotEncodable: an argument has no spelling.
    """
    if not all(_ATOM.match(word) for word in command.split(" ")):
        raise NotEncodable("no command name")
    line = _Line(literals)
    line.put(tag + b" " + command.encode("ascii"))
    for index, argument in enumerate(arguments):
        if isinstance(argument, Upload):
            if index != len(arguments) - 1:
                raise NotEncodable("an upload before other arguments")
            line.put(b" ")
            _upload(line, argument)
            break
        line.put(b" ")
        _put(line, argument)
    line.put(b"\r\n")
    line.chunks.append(bytes(line.current))
    return line.chunks


def _upload(line: _Line, upload: Upload) -> None:
    if upload.size < 0:
        raise NotEncodable("an upload without a size")
    line.announce(upload.size)
    if line.current:
        line.chunks.append(bytes(line.current))
        line.current.clear()


def _put(line: _Line, argument: Argument) -> None:
    match argument:
        case Atom(text):
            if not _ITEM.match(text) and not _ATOM.match(text):
                raise NotEncodable("no atom")
            line.put(text.encode("ascii"))
        case String(value):
            _put_string(line, _encoded(value), bare=False)
        case Mailbox(name):
            _put_string(line, name if isinstance(name, bytes) else encode_utf7(name), bare=True)
        case Flag(name):
            if not _FLAG.match(name):
                raise NotEncodable("no flag")
            line.put(name.encode("ascii"))
        case HeaderName(name):
            if not _HEADER.match(name):
                raise NotEncodable("no header name")
            _put_string(line, name.encode("ascii"), bare=True)
        case Number(value):
            if not 0 <= value < 1 << 64:
                raise NotEncodable("a number outside 64 bits")
            line.put(b"%d" % value)
        case Sequence(text):
            if not _SEQUENCE.match(text):
                raise NotEncodable("no sequence set")
            line.put(text)
        case Upload():
            raise NotEncodable("an upload inside a list")
        case _:
            line.put(b"(")
            for index, item in enumerate(argument):
                if index:
                    line.put(b" ")
                _put(line, item)
            line.put(b")")


def _encoded(value: str | bytes) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise NotEncodable("text with half a character") from error


def _put_string(line: _Line, value: bytes, *, bare: bool) -> None:
    if b"\0" in value:
        raise NotEncodable("NUL in a string")
    if bare and _PLAIN.match(value) and value.upper() != _NIL:
        line.put(value)
    elif len(value) <= MAX_QUOTED_BYTES and _QUOTABLE.match(value):
        line.put(b'"' + _SPECIAL.sub(rb"\\\1", value) + b'"')
    else:
        line.announce(len(value))
        line.put(value)
