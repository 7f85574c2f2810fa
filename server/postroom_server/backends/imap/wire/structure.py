"""Reads ENVELOPE and BODYSTRUCTURE (RFC 9051 sections 7.5.2 and 2.3.6).

Owns the tree of a message's parts with their section numbers, and the address lists of its envelope. Refuses to decode:
every text is bytes as the server sent them. What servers get wrong is read leniently where the meaning is plain: an
empty multipart, sizes of -1, parameters without a value, extension data that is missing or broken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from postroom_server.backends.imap.wire.faults import Malformed
from postroom_server.backends.imap.wire.tokens import Node, as_bytes, as_int, as_list

__all__ = ["Address", "BodyPart", "Envelope", "read_envelope", "read_structure"]

MAX_PARTS = 1_000
"""Parts of one message; what is beyond stays unlisted."""
MAX_ADDRESSES = 10_000
"""Addresses of one field; a response has room for more, a reader has not."""
MAX_PARAMETERS = 100
"""Parameters of one part."""


@dataclass(frozen=True, slots=True)
class Address:
    """One address, or the edge of a group: `host` None with a `mailbox` opens it, both None close it."""

    name: bytes | None
    mailbox: bytes | None
    host: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Header fields as the server parsed them."""

    date: bytes | None
    subject: bytes | None
    from_: Sequence[Address]
    sender: Sequence[Address]
    reply_to: Sequence[Address]
    to: Sequence[Address]
    cc: Sequence[Address]
    bcc: Sequence[Address]
    in_reply_to: bytes | None
    message_id: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyPart:
    """One part: `section` is what FETCH BODY[...] takes, "" for a multipart at the top.

    Types and parameter names are in lower case, values are bytes. `size` counts encoded octets, None where unknown.
    """

    section: str
    type: str
    subtype: str
    parameters: Mapping[str, bytes] = field(default_factory=dict)
    content_id: bytes | None = None
    encoding: str = "7bit"
    size: int | None = None
    disposition: str | None = None
    disposition_parameters: Mapping[str, bytes] = field(default_factory=dict)
    children: Sequence[BodyPart] = ()

    def leaves(self) -> Iterator[BodyPart]:
        """Yield the parts that have a body of their own, in order; an attached message is one of them."""
        if self.type == "multipart":
            for child in self.children:
                yield from child.leaves()
        else:
            yield self


def _lower(node: Node, default: str) -> str:
    raw = as_bytes(node)
    return raw.decode("latin-1").strip().lower() if raw else default


def _addresses(node: Node) -> tuple[Address, ...]:
    if not isinstance(node, list):
        return ()
    found = []
    for entry in node[:MAX_ADDRESSES]:
        fields = as_list(entry)
        if len(fields) < 4:
            raise Malformed("an address without its four fields")
        found.append(Address(as_bytes(fields[0]), as_bytes(fields[2]), as_bytes(fields[3])))
    return tuple(found)


def read_envelope(node: Node) -> Envelope:
    """Read an ENVELOPE; fields that are missing at its end are empty.

    Raises:
        Malformed: it is no list, or a field has the wrong shape.
    """
    fields = [*as_list(node), *([None] * 10)]
    return Envelope(
        date=as_bytes(fields[0]),
        subject=as_bytes(fields[1]),
        from_=_addresses(fields[2]),
        sender=_addresses(fields[3]),
        reply_to=_addresses(fields[4]),
        to=_addresses(fields[5]),
        cc=_addresses(fields[6]),
        bcc=_addresses(fields[7]),
        in_reply_to=as_bytes(fields[8]),
        message_id=as_bytes(fields[9]),
    )


def _parameters(node: Node) -> dict[str, bytes]:
    if not isinstance(node, list):
        return {}
    items = node[: 2 * MAX_PARAMETERS]
    found: dict[str, bytes] = {}
    for key, value in zip(items[::2], items[1::2], strict=False):
        if isinstance(key, bytes) and not isinstance(value, list):
            found.setdefault(key.decode("latin-1").lower(), as_bytes(value) or b"")
    return found


def _disposition(node: Node) -> tuple[str | None, dict[str, bytes]]:
    if isinstance(node, list) and node and not isinstance(node[0], list):
        return _lower(node[0], "") or None, _parameters(node[1] if len(node) > 1 else None)
    if isinstance(node, bytes):
        return node.decode("latin-1").lower(), {}
    return None, {}


class _Counter:
    """Numbers the parts of one message, up to the limit."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_PARTS

    def take(self) -> bool:
        self.left -= 1
        return self.left >= 0


def read_structure(node: Node) -> BodyPart:
    """Read a BODYSTRUCTURE (or its short form BODY).

    Raises:
        Malformed: a part is no list, or lacks its type.
    """
    fields = as_list(node)
    if not fields:
        return BodyPart(section="1", type="text", subtype="plain")
    return _read_part(fields, "", _Counter())


def _read_part(fields: list[Node], section: str, counter: _Counter) -> BodyPart:
    if not fields:
        raise Malformed("a part without fields")
    if isinstance(fields[0], list) or (fields[0] is None and _is_empty_multipart(fields)):
        return _read_multipart(fields, section, counter)
    return _read_leaf(fields, section or "1", counter)


def _is_empty_multipart(fields: list[Node]) -> bool:
    """Exchange sends (NIL "mixed" (...)) for a multipart without parts; a leaf has seven fields at least."""
    return len(fields) < 7


def _read_multipart(fields: list[Node], section: str, counter: _Counter) -> BodyPart:
    children: list[BodyPart] = []
    index = 0
    while index < len(fields) and isinstance(child := fields[index], list):
        index += 1
        if child and counter.take():
            children.append(_read_part(child, f"{section}.{index}" if section else str(index), counter))
    if index < len(fields) and fields[index] is None and not children:
        index += 1
    rest = [*fields[index:], None, None, None]
    disposition, disposition_parameters = _disposition(rest[2])
    return BodyPart(
        section=section,
        type="multipart",
        subtype=_lower(rest[0], "mixed"),
        parameters=_parameters(rest[1]),
        disposition=disposition,
        disposition_parameters=disposition_parameters,
        children=tuple(children),
    )


def _read_leaf(fields: list[Node], section: str, counter: _Counter) -> BodyPart:
    fields = [*fields, *([None] * (12 - len(fields)))]
    kind, subtype = _lower(fields[0], "text"), _lower(fields[1], "plain")
    children: tuple[BodyPart, ...] = ()
    extension = 7
    if kind == "text":
        extension = 8
    elif kind == "message" and isinstance(fields[7], list) and isinstance(fields[8], list):
        extension = 10
        if fields[8] and counter.take():
            children = (_read_inner(fields[8], section, counter),)
    disposition, disposition_parameters = _disposition(
        fields[extension + 1] if len(fields) > extension + 1 else None
    )
    return BodyPart(
        section=section,
        type=kind,
        subtype=subtype,
        parameters=_parameters(fields[2]),
        content_id=as_bytes(fields[3]) if not isinstance(fields[3], list) else None,
        encoding=_lower(fields[5], "7bit") if not isinstance(fields[5], list) else "7bit",
        size=_size(fields[6]),
        disposition=disposition,
        disposition_parameters=disposition_parameters,
        children=children,
    )


def _read_inner(fields: list[Node], section: str, counter: _Counter) -> BodyPart:
    """Read the structure of an attached message: its parts are numbered below the attachment itself."""
    if isinstance(fields[0], list):
        return _read_multipart(fields, section, counter)
    return _read_leaf(fields, f"{section}.1", counter)


def _size(node: Node) -> int | None:
    try:
        size = as_int(node)
    except Malformed:
        return None
    return size if size >= 0 else None
