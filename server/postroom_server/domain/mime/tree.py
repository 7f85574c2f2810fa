"""The parts of a message, numbered as IMAP numbers them.

It owns the tree and its two builders: fast-mail-parser where it can read the message, and our own line scanner, which reads
everything within bounds (RFC 2046 section 5.1, leniently: missing end boundaries, no headers, nested garbage). It refuses to
recurse and to decode a part before somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import fast_mail_parser

from postroom_server.domain.messages import MAX_PARTS
from postroom_server.domain.mime.headers import MAX_HEADER_BLOCK, header_text, split_headers
from postroom_server.domain.mime.parameters import parse_content_type, parse_parameters
from postroom_server.domain.mime.text import decode_transfer

MAX_DEPTH: Final = 50
MAX_BOUNDARY: Final = 200
"""RFC 2046 allows 70; some senders write more. Longer ones are not looked for."""
OPAQUE: Final = {"content-type": "application/octet-stream"}
IDENTITY_ENCODINGS: Final = frozenset({"", "7bit", "8bit", "binary"})


@dataclass(slots=True, kw_only=True)
class Node:
    """One part while its tree is built. `content` decodes its body; containers have none."""

    content_type: str
    parameters: dict[str, str]
    disposition: str = ""
    disposition_parameters: dict[str, str] = field(default_factory=dict)
    content_id: str = ""
    transfer_encoding: str = ""
    encoded_size: int = 0
    content: Callable[[], bytes] | None = None
    children: list[Node] = field(default_factory=list)
    section: str = ""
    related: bool = False
    """Whether it stands in a multipart/related, so that the text may show it."""
    embedded: bool = False
    """Whether it belongs to a message inside the message."""

    @property
    def is_multipart(self) -> bool:
        """Whether its children are its body."""
        return self.content_type.startswith("multipart/") and self.content is None

    @property
    def is_message(self) -> bool:
        """Whether it is a whole message of its own."""
        return self.content_type == "message/rfc822"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Nodes by section in the order of the message, without multiparts; `whole` False when a bound cut it."""

    nodes: dict[str, Node]
    whole: bool


def _node(fields: dict[str, str], content: Callable[[], bytes] | None, size: int) -> Node:
    content_type, parameters = parse_content_type(fields.get("content-type", "text/plain"))
    disposition, disposition_parameters = parse_parameters(fields.get("content-disposition", ""))
    return Node(
        content_type=content_type,
        parameters=parameters,
        disposition=disposition,
        disposition_parameters=disposition_parameters,
        content_id=fields.get("content-id", "").strip().strip("<>"),
        transfer_encoding=fields.get("content-transfer-encoding", "").partition(";")[0].strip().lower(),
        encoded_size=size,
        content=content,
    )


def build(raw: bytes) -> Tree:
    """The tree of any bytes; never raises. At most 1,000 parts and a depth of 50, the rest is one opaque part."""
    try:
        tree = _fast(raw)
    except fast_mail_parser.ParseError:
        tree = None
    return tree or scan(raw)


def _fast(raw: bytes) -> Tree | None:
    """By fast-mail-parser; None when the message is beyond the bounds."""
    root = fast_mail_parser.parse_email_tree(raw, mode="lazy")
    top = _fast_node(root)
    pending: list[tuple[Any, Node, int]] = [(root, top, 0)]
    count = 0
    while pending:
        parsed, node, depth = pending.pop()
        count += 1
        if count > MAX_PARTS or depth > MAX_DEPTH:
            return None
        for child in parsed.children:
            node.children.append(_fast_node(child))
            pending.append((child, node.children[-1], depth + 1))
    return Tree(nodes=_numbered(top), whole=True)


def _fast_node(parsed: Any) -> Node:
    fields = {name.lower(): values[0] for name, values in parsed.headers.items() if values}
    leaf = parsed.encoded_size is not None
    return _node(fields, (lambda: parsed.content) if leaf else None, parsed.encoded_size or 0)


class _Scanner:
    """Finds the parts of `raw` by their delimiter lines in one pass."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.whole = True
        self.count = 0
        self.open: list[tuple[bytes, Node]] = []
        self.levels: dict[bytes, int] = {}
        self.leaves: list[tuple[Node, int, int]] = []
        """Leaves whose end is not seen yet: (node, where its body starts, how many multiparts hold it)."""

    def run(self) -> Node:
        """The root of the tree."""
        top, at = self._start(0, None)
        while at < len(self.raw) and self.open:
            start, end, level, closes = self._delimiter(at)
            if level < 0:
                break
            self._end_leaves(start, level)
            self._close_above(level if closes else level + 1)
            at = end
            if not closes and self.count >= MAX_PARTS:
                self.whole = False
                self.open[-1][1].children.append(self._leaf(_node(OPAQUE, None, 0), end))
                break
            if not closes:
                _, at = self._start(end, self.open[-1][1])
        self._end_leaves(len(self.raw), -1)
        return top

    def _start(self, at: int, parent: Node | None) -> tuple[Node, int]:
        """Reads the headers of the part at `at`, and of the messages that it holds; returns it and where to go on."""
        first: Node | None = None
        while True:
            self.count += 1
            body, fields = self._headers(at)
            node = self._opened(fields, body)
            first = first or node
            if parent is not None:
                parent.children.append(node)
            nested = node.is_message and node.transfer_encoding in IDENTITY_ENCODINGS
            if not nested or self.count >= MAX_PARTS or len(self.open) + len(self.leaves) >= MAX_DEPTH:
                return first, body
            parent, at = node, body

    def _opened(self, fields: dict[str, str], body: int) -> Node:
        node = _node(fields, None, 0)
        if not node.content_type.startswith("multipart/"):
            return self._leaf(node, body)
        boundary = node.parameters.get("boundary", "").encode("utf-8", "replace").rstrip()
        if not 0 < len(boundary) <= MAX_BOUNDARY or len(self.open) >= MAX_DEPTH:
            self.whole = self.whole and len(self.open) < MAX_DEPTH
            return self._leaf(node, body)
        self.levels.setdefault(boundary, len(self.open))
        self.open.append((boundary, node))
        return node

    def _leaf(self, node: Node, body: int) -> Node:
        node.content = bytes
        self.leaves.append((node, body, len(self.open)))
        return node

    def _headers(self, at: int) -> tuple[int, dict[str, str]]:
        """Where the body of the part at `at` starts, and the first of each of its fields."""
        end, limit = at, min(len(self.raw), at + MAX_HEADER_BLOCK)
        while end < limit:
            following = self.raw.find(b"\n", end, limit) + 1 or limit
            line = self.raw[end : min(following, end + MAX_BOUNDARY + 6)]
            if line.startswith(b"--") and self._level(line)[0] >= 0:
                return end, self._fields(at, end)
            if not line.strip(b"\r\n"):
                return following, self._fields(at, end)
            end = following
        return end, self._fields(at, end)

    def _fields(self, start: int, end: int) -> dict[str, str]:
        fields: dict[str, str] = {}
        for name, value in split_headers(self.raw[start:end]):
            if name.startswith("content-"):
                fields.setdefault(name, header_text(value))
        return fields

    def _delimiter(self, at: int) -> tuple[int, int, int, bool]:
        """The next delimiter line from the line start `at`: (start, end, level, whether it closes), level -1 if none."""
        raw = self.raw
        while at < len(raw):
            if not raw.startswith(b"--", at):
                at = raw.find(b"\n--", at) + 1
                if not at:
                    break
            stop = raw.find(b"\n", at, at + MAX_BOUNDARY + 6)
            line = raw[at : stop + 1] if stop >= 0 else raw[at : at + MAX_BOUNDARY + 6]
            level, closes = self._level(line)
            if level >= 0:
                return at, at + len(line), level, closes
            at += 2
            following = raw.find(b"\n", at) + 1
            at = following or len(raw)
        return at, at, -1, False

    def _level(self, line: bytes) -> tuple[int, bool]:
        token = line[2:].rstrip()
        if token in self.levels:
            return self.levels[token], False
        if token.endswith(b"--") and token[:-2] in self.levels:
            return self.levels[token[:-2]], True
        return -1, False

    def _close_above(self, level: int) -> None:
        for boundary, _ in self.open[level:]:
            if self.levels.get(boundary, -1) >= level:
                del self.levels[boundary]
        del self.open[level:]

    def _end_leaves(self, end: int, level: int) -> None:
        """Ends the leaves above `level` at `end`; the line break before a delimiter belongs to the delimiter."""
        raw = self.raw
        if end < len(raw):
            end -= (end > 0 and raw[end - 1] == 10) + (end > 1 and raw[end - 2 : end] == b"\r\n")
        while self.leaves and self.leaves[-1][2] > level:
            node, start, _ = self.leaves.pop()
            stop = max(start, end)
            node.encoded_size = stop - start
            node.content = _slice(raw, start, stop, node.transfer_encoding)


def _slice(raw: bytes, start: int, stop: int, encoding: str) -> Callable[[], bytes]:
    return lambda: decode_transfer(raw[start:stop], encoding)


def scan(raw: bytes) -> Tree:
    """The tree by our own scanner; never raises."""
    scanner = _Scanner(raw)
    return Tree(nodes=_numbered(scanner.run()), whole=scanner.whole)


def _numbered(top: Node) -> dict[str, Node]:
    """Sections as in RFC 3501 section 6.4.5: a message inside has the number of its part, its body goes on below."""
    nodes: dict[str, Node] = {}
    pending: list[tuple[Node, str]] = [(top, "" if top.is_multipart else "1")]
    while pending:
        node, section = pending.pop()
        if not node.is_multipart:
            node.section = section
            nodes[section] = node
        pending.extend(reversed(list(_children(node, section))))
    return nodes


def _children(node: Node, section: str) -> Iterator[tuple[Node, str]]:
    for number, child in enumerate(node.children, 1):
        child.embedded = node.embedded or node.is_message
        child.related = node.content_type == "multipart/related" or (node.related and node.is_multipart)
        if node.is_message and child.is_multipart:
            yield child, section
        else:
            yield child, f"{section}.{number}" if section else str(number)
