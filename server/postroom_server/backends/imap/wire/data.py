"""Reads the data responses about mailboxes, searches and the server itself (RFC 9051 sections 7.2 to 7.4).

Owns LIST with its extended data (RFC 5258, RFC 6154), STATUS (RFC 7162, RFC 8438, RFC 8474), SEARCH and ESEARCH
(RFC 4731), VANISHED (RFC 7162), CAPABILITY, ENABLED, NAMESPACE (RFC 2342), ID (RFC 2971), QUOTA (RFC 9208), FLAGS.
Refuses messages: FETCH has a module of its own. Names keep the bytes of the server; what people read is beside them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from pyroaring import BitMap

from postroom_server.backends.imap.wire.faults import Malformed
from postroom_server.backends.imap.wire.sequences import read_set
from postroom_server.backends.imap.wire.splitter import Parts
from postroom_server.backends.imap.wire.tokens import Node, as_bytes, as_int, as_list, read
from postroom_server.backends.imap.wire.utf7 import decode_utf7

__all__ = [
    "Capability",
    "Data",
    "ESearch",
    "Enabled",
    "Flags",
    "List",
    "MailboxStatus",
    "Namespace",
    "Quota",
    "Search",
    "ServerId",
    "Vanished",
]

MAX_CAPABILITIES = 512
"""Words of a CAPABILITY response that are kept."""
SHARED_LINES = 256
"""CAPABILITY lines that are remembered, so that ten thousand connections do not keep ten thousand copies."""
MAX_SHARED_BYTES = 4_096
"""Longer lines are not remembered."""
MAX_ID_FIELDS = 30
"""Fields of an ID response: the number that RFC 2971 allows."""
MAX_ID_BYTES = 1_024
"""One value of an ID response: RFC 2971 again."""
MAX_NAMESPACES = 100
"""Namespaces of one class."""
MAX_FLAGS = 1_000
"""Flags of one list."""

_SEARCH = re.compile(rb"[ \d]*+(?:\(MODSEQ (\d{1,20})\) *)?\r\n\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """What the server can do, in upper case."""

    names: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Enabled:
    """Extensions that ENABLE switched on, in upper case."""

    names: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """Flags that the selected mailbox knows."""

    names: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class List:
    """One mailbox: attributes in lower case with their backslash, name as sent, hierarchy delimiter or none."""

    attributes: frozenset[str]
    delimiter: str | None
    name: bytes
    old_name: bytes | None = None

    @property
    def text(self) -> str:
        """The whole name for people."""
        return decode_utf7(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxStatus:
    """Numbers of one mailbox by item name in upper case, and its MAILBOXID where told."""

    name: bytes
    numbers: Mapping[str, int]
    mailbox_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Numbers found: UIDs or message numbers, by the command."""

    found: BitMap
    modseq: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ESearch:
    """Extended search result; `tag` tells whose it is."""

    tag: bytes | None
    uid: bool
    found: BitMap | None
    lowest: int | None = None
    highest: int | None = None
    count: int | None = None
    modseq: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vanished:
    """UIDs that are gone; `earlier` ones may never have been there."""

    uids: BitMap
    earlier: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """Prefix and delimiter of each namespace by class."""

    personal: tuple[tuple[bytes, str | None], ...]
    others: tuple[tuple[bytes, str | None], ...]
    shared: tuple[tuple[bytes, str | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerId:
    """How the server names itself, keys in lower case."""

    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Usage and limit by resource in upper case; STORAGE counts KiB."""

    root: bytes
    resources: Mapping[str, tuple[int, int]]


Data: TypeAlias = "Capability | Enabled | Flags | List | MailboxStatus | Search | ESearch | Vanished | Namespace | ServerId | Quota"


def _text(node: Node) -> str:
    return (as_bytes(node) or b"").decode("utf-8", "replace")


def _words(parts: Parts, offset: int) -> frozenset[str]:
    return frozenset(_text(node).upper() for node in read(parts, offset)[:MAX_CAPABILITIES])


def flag_set(node: Node) -> frozenset[str]:
    """Return a flag list; flags that are no text are left out."""
    return frozenset(name.decode("latin-1") for name in map(as_bytes, as_list(node)[:MAX_FLAGS]) if name)


def canonical_name(name: bytes) -> bytes:
    """Return a mailbox name as everything else compares it: INBOX has one spelling."""
    return b"INBOX" if name.upper() == b"INBOX" else name


def _name(node: Node) -> bytes:
    name = as_bytes(node)
    if name is None:
        raise Malformed("a mailbox without a name")
    return canonical_name(name)


def _delimiter(node: Node) -> str | None:
    raw = as_bytes(node)
    return raw.decode("latin-1")[:1] or None if raw else None


def read_capability(parts: Parts, offset: int) -> Capability:
    """Read `* CAPABILITY IMAP4rev1 IDLE ...`."""
    if len(parts) == 1 and len(parts[0]) <= MAX_SHARED_BYTES:
        return Capability(names=_shared_words(parts[0][offset:]))
    return Capability(names=_words(parts, offset))


@lru_cache(maxsize=SHARED_LINES)
def _shared_words(text: bytes) -> frozenset[str]:
    """The words of a line that many connections bring: one set for all of them."""
    return _words([text], 0)


def read_enabled(parts: Parts, offset: int) -> Enabled:
    """Read `* ENABLED QRESYNC`."""
    return Enabled(names=_words(parts, offset))


def read_flags(parts: Parts, offset: int) -> Flags:
    r"""Read `* FLAGS (\Seen $Junk)`."""
    nodes = read(parts, offset)
    return Flags(names=flag_set(nodes[0] if nodes else None))


def read_list(parts: Parts, offset: int) -> List:
    r"""Read `* LIST (\Sent) "/" "Gesendet" ("OLDNAME" ("Sent"))`."""
    nodes = read(parts, offset)
    if len(nodes) < 3:
        raise Malformed("a mailbox list without a name")
    old: bytes | None = None
    extended = as_list(nodes[3]) if len(nodes) > 3 else []
    for key, value in zip(extended[::2], extended[1::2], strict=False):
        if _text(key).upper() == "OLDNAME":
            names = as_list(value)
            old = _name(names[0]) if names else None
    return List(
        attributes=frozenset(_text(node).lower() for node in as_list(nodes[0])[:MAX_FLAGS]),
        delimiter=_delimiter(nodes[1]),
        name=_name(nodes[2]),
        old_name=old,
    )


def read_status(parts: Parts, offset: int) -> MailboxStatus:
    """Read `* STATUS INBOX (MESSAGES 17 UIDNEXT 44)`; items that are no numbers are left out."""
    nodes = read(parts, offset)
    if len(nodes) < 2:
        raise Malformed("a status without its items")
    items = as_list(nodes[1])
    numbers: dict[str, int] = {}
    mailbox_id: str | None = None
    for key, value in zip(items[::2], items[1::2], strict=False):
        if isinstance(value, int):
            numbers[_text(key).upper()] = value
        elif isinstance(value, list) and _text(key).upper() == "MAILBOXID" and value:
            mailbox_id = _text(value[0])
    return MailboxStatus(name=_name(nodes[0]), numbers=numbers, mailbox_id=mailbox_id)


def read_search(parts: Parts, offset: int) -> Search:
    """Read `* SEARCH 2 84 882 (MODSEQ 917162500)`."""
    line = parts[0]
    match = _SEARCH.match(line, offset)
    if not match or len(parts) > 1:
        raise Malformed("no numbers in a search result")
    end = match.start(1) - len(b"(MODSEQ ") if match.group(1) else len(line)
    try:
        found = BitMap(map(int, line[offset:end].split()))
    except (ValueError, OverflowError) as error:
        raise Malformed("a search result outside 32 bits") from error
    return Search(found=found, modseq=int(match.group(1)) if match.group(1) else None)


def read_esearch(parts: Parts, offset: int) -> ESearch:
    """Read `* ESEARCH (TAG "a1") UID COUNT 3 ALL 2,10:15`."""
    nodes = read(parts, offset)
    tag: bytes | None = None
    if nodes and isinstance(nodes[0], list):
        correlator = nodes.pop(0)
        assert isinstance(correlator, list)
        tag = as_bytes(correlator[1]) if len(correlator) > 1 else None
    uid = bool(nodes) and _text(nodes[0]).upper() == "UID"
    items = nodes[1:] if uid else nodes
    values = {_text(key).upper(): value for key, value in zip(items[::2], items[1::2], strict=False)}
    numbers = {key: as_int(values[key]) for key in ("MIN", "MAX", "COUNT", "MODSEQ") if key in values}
    return ESearch(
        tag=tag,
        uid=uid,
        found=read_set(as_bytes(values["ALL"]) or b"") if "ALL" in values else None,
        lowest=numbers.get("MIN"),
        highest=numbers.get("MAX"),
        count=numbers.get("COUNT"),
        modseq=numbers.get("MODSEQ"),
    )


def read_vanished(parts: Parts, offset: int) -> Vanished:
    """Read `* VANISHED (EARLIER) 41,43:116`."""
    nodes = read(parts, offset)
    earlier = len(nodes) > 1 and isinstance(nodes[0], list)
    if not nodes:
        raise Malformed("nothing vanished")
    return Vanished(uids=read_set(as_bytes(nodes[-1]) or b""), earlier=earlier)


def read_namespace(parts: Parts, offset: int) -> Namespace:
    """Read `* NAMESPACE (("" "/")) NIL NIL`."""
    nodes = read(parts, offset)
    classes: list[tuple[tuple[bytes, str | None], ...]] = []
    for node in [*nodes, None, None, None][:3]:
        pairs = [as_list(entry) for entry in as_list(node)[:MAX_NAMESPACES]]
        classes.append(
            tuple((as_bytes(pair[0]) or b"", _delimiter(pair[1])) for pair in pairs if len(pair) > 1)
        )
    return Namespace(personal=classes[0], others=classes[1], shared=classes[2])


def read_id(parts: Parts, offset: int) -> ServerId:
    """Read `* ID ("name" "Dovecot")`."""
    nodes = read(parts, offset)
    items = as_list(nodes[0] if nodes else None)[: 2 * MAX_ID_FIELDS]
    pairs = zip(items[::2], items[1::2], strict=False)
    return ServerId(
        fields={_text(key).lower()[:MAX_ID_BYTES]: _text(value)[:MAX_ID_BYTES] for key, value in pairs}
    )


def read_quota(parts: Parts, offset: int) -> Quota:
    """Read `* QUOTA "User quota" (STORAGE 10 512)`."""
    nodes = read(parts, offset)
    if len(nodes) < 2:
        raise Malformed("a quota without resources")
    items = as_list(nodes[1])
    triples = zip(items[::3], items[1::3], items[2::3], strict=False)
    resources = {_text(name).upper(): (as_int(used), as_int(limit)) for name, used, limit in triples}
    return Quota(root=as_bytes(nodes[0]) or b"", resources=resources)
