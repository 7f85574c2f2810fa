"""The server's responses as typed values, and the one function that makes them (RFC 9051 section 7).

Owns status lines with their codes, and the dispatch to the modules that read data responses. Refuses to fail on what
it does not know: an unknown response is `Unknown`, an unknown response code keeps its text. A known response that
breaks its grammar is `Malformed`; the caller decides whether the connection survives it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from postroom_server.backends.imap.wire import data
from postroom_server.backends.imap.wire.faults import Malformed
from postroom_server.backends.imap.wire.fetch import Fetch, read_fetch
from postroom_server.backends.imap.wire.splitter import Parts
from postroom_server.backends.imap.wire.tokens import read

__all__ = [
    "Continuation",
    "Exists",
    "Expunge",
    "Kind",
    "Response",
    "Status",
    "Tagged",
    "Unknown",
    "read_response",
]

MAX_TEXT_CHARACTERS = 512
"""Human text that is kept of a status line."""
MAX_CODE_BYTES = 64 << 10
"""Argument of a response code: COPYUID and PERMANENTFLAGS can be long."""


class Kind(StrEnum):
    """The five conditions."""

    OK = "OK"
    NO = "NO"
    BAD = "BAD"
    BYE = "BYE"
    PREAUTH = "PREAUTH"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A condition with its response code in upper case, the code's argument as sent, and text for people."""

    kind: Kind
    code: str = ""
    argument: bytes = b""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged:
    """The end of a command."""

    tag: bytes
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """The server waits for more; `text` is a SASL challenge or human."""

    text: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Exists:
    """How many messages the selected mailbox holds."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Expunge:
    """A message left the selected mailbox; later ones move down by one."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A response that this package does not read."""

    name: str


Response: TypeAlias = "Status | Tagged | Continuation | Exists | Expunge | Fetch | data.Data | Unknown"

_STATUS = re.compile(rb"(OK|NO|BAD|BYE|PREAUTH)(?:[ \r]|\Z)", re.IGNORECASE)
_CODE = re.compile(rb"\[([A-Za-z0-9.\-_]{1,64})(?: ([^\]\r\n]*+))?\] ?")
_FLAGS_CODE = re.compile(rb"\[(PERMANENTFLAGS) (\([^()]*+\))\] ?", re.IGNORECASE)
_TAG = re.compile(rb"([^\s+*(){%\"\\]{1,64}) ")
_NUMBERED = re.compile(rb"(\d{1,10}) +([A-Za-z]+)\s*")
_NAME = re.compile(rb"([A-Za-z0-9.\-]{1,32})")

_READERS: dict[bytes, Callable[[Parts, int], data.Data]] = {
    b"CAPABILITY": data.read_capability,
    b"ENABLED": data.read_enabled,
    b"ESEARCH": data.read_esearch,
    b"FLAGS": data.read_flags,
    b"ID": data.read_id,
    b"LIST": data.read_list,
    b"LSUB": data.read_list,
    b"XLIST": data.read_list,
    b"NAMESPACE": data.read_namespace,
    b"QUOTA": data.read_quota,
    b"SEARCH": data.read_search,
    b"STATUS": data.read_status,
    b"VANISHED": data.read_vanished,
}


def read_response(parts: Parts) -> Response:
    """Return one response as a value.

    Raises:
        Malformed: it breaks the grammar.
        LimitExceeded: it passes a bound of the tokenizer.
    """
    line = parts[0]
    if line[:1] == b"+":
        return Continuation(text=line[1:].strip())
    if line[:2] == b"* ":
        return _read_untagged(parts)
    tag = _TAG.match(line)
    if tag and _STATUS.match(line, tag.end()):
        return Tagged(tag=tag.group(1), status=_read_status(line, tag.end()))
    raise Malformed("neither a tag, nor *, nor +")


def _read_untagged(parts: Parts) -> Response:
    line = parts[0]
    numbered = _NUMBERED.match(line, 2)
    if numbered:
        number, name = int(numbered.group(1)), numbered.group(2).upper()
        if name == b"FETCH":
            return read_fetch(number, parts, numbered.end())
        if name == b"EXISTS":
            return Exists(count=number)
        if name == b"EXPUNGE":
            return Expunge(number=number)
        return Unknown(name=name.decode("ascii"))
    if _STATUS.match(line, 2):
        return _read_status(line, 2)
    named = _NAME.match(line, 2)
    if not named:
        raise Malformed("an untagged response without a name")
    name = named.group(1).upper()
    reader = _READERS.get(name)
    return reader(parts, named.end()) if reader else Unknown(name=name.decode("ascii"))


def _read_status(line: bytes, offset: int) -> Status:
    condition = _STATUS.match(line, offset)
    assert condition is not None
    kind, rest = condition.group(1), line[condition.end() :].strip(b" \r\n")
    found = _FLAGS_CODE.match(rest) or _CODE.match(rest, 0, MAX_CODE_BYTES)
    code, argument = "", b""
    if found:
        code, argument = found.group(1).decode("ascii").upper(), found.group(2) or b""
        rest = rest[found.end() :]
    text = rest[: 4 * MAX_TEXT_CHARACTERS].decode("utf-8", "replace")[:MAX_TEXT_CHARACTERS]
    return Status(kind=Kind(kind.decode("ascii").upper()), code=code, argument=argument, text=text)


def capabilities_of(status: Status) -> data.Capability | None:
    """Return the capabilities that a status line brings along, if it does."""
    if status.code != "CAPABILITY":
        return None
    return data.read_capability([b" " + status.argument + b"\r\n"], 0)


def permanent_flags_of(status: Status) -> frozenset[str] | None:
    r"""Return the flags of a PERMANENTFLAGS code, "\\*" among them where keywords can be made."""
    if status.code != "PERMANENTFLAGS":
        return None
    return data.flag_set(read([status.argument + b"\r\n"])[0] if status.argument else None)
