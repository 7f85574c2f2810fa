r"""Cuts the server's byte stream into responses: a line, and a line after each literal (RFC 9051 section 2.2.2).

Owns framing and its bounds: how long a line, a literal, a response may be, and where the bytes of a large literal go.
Refuses to look inside: tokens, names and numbers are the tokenizer's. No recursion, no second copy of what was already
cut, work linear in the bytes fed, whatever the size of the pieces.

    feed(b'* 1 FETCH (BODY[] {5}\r\nhel')    nothing yet
    feed(b'lo UID 7)\r\n')                   on_response([b'* 1 FETCH (BODY[] {5}\r\n', b'hello', b' UID 7)\r\n'])

A sink takes a literal's bytes as they come; its place in the response is then held by an empty part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Protocol

from postroom_server.backends.imap.wire.faults import LimitExceeded

__all__ = ["LiteralSink", "Parts", "Splitter"]

MAX_LINE_BYTES = 1 << 20
"""Text of one response outside its literals."""
MAX_LITERAL_BYTES = 1 << 20
"""One literal that no sink takes."""
MAX_RESPONSE_BYTES = 16 << 20
"""Everything of one response that is kept in memory."""
MAX_STREAMED_BYTES = (1 << 32) - 1
"""One literal that a sink takes: the largest size that RFC 3501 can name."""
MAX_LITERALS = 16_384
"""Literals in one response: each costs two objects, however short it is."""
LITERAL_TAIL_BYTES = 64
"""How far from the end of a line a literal's announcement is looked for."""

_LITERAL = re.compile(rb"(?:^|[ (])~?\{(\d+)\+?\}\r\n\Z")
_STATUS = re.compile(rb"\+|[^\s]+ (?:OK|NO|BAD|BYE|PREAUTH)[ \r]", re.IGNORECASE)

Parts = Sequence[bytes]
"""One response: text, literal, text, ... The texts keep their CRLF."""


class LiteralSink(Protocol):
    """Takes one literal; called in the order of the bytes, from within feed()."""

    def write(self, data: bytes) -> None:
        """Take the next bytes, at least one."""
        ...

    def close(self) -> None:
        """Every announced byte was written."""
        ...


class Splitter:
    """Turns fed bytes into responses, handed over one by one.

    `sink_for(text, size)` is asked once for each literal with the text that announced it, and may return a sink.
    After LimitExceeded the splitter is spent: the connection must be closed.
    """

    __slots__ = (
        "_buffer",
        "_kept",
        "_need",
        "_on_response",
        "_parts",
        "_scanned",
        "_sink",
        "_sink_for",
        "_text",
    )

    def __init__(
        self,
        on_response: Callable[[Parts], None],
        sink_for: Callable[[bytes, int], LiteralSink | None] | None = None,
    ) -> None:
        self._on_response = on_response
        self._sink_for = sink_for
        self._buffer = bytearray()
        self._parts: list[bytes] = []
        self._sink: LiteralSink | None = None
        self._need = 0
        self._scanned = 0
        self._text = 0
        self._kept = 0

    @property
    def idle(self) -> bool:
        """True between two responses, with no byte of the next one seen."""
        return not self._buffer and not self._parts

    def feed(self, data: bytes) -> None:
        """Take bytes as the transport gave them.

        Raises:
            LimitExceeded: a bound was passed.
        """
        if self._sink is not None and not self._buffer and len(data) <= self._need:
            self._stream(data)
            return
        buffer = self._buffer
        buffer += data
        position = 0
        while True:
            if self._need:
                taken = self._take_literal(position)
                position += taken
                if self._need:
                    break
            end = buffer.find(b"\r\n", max(position, self._scanned))
            if end < 0:
                self._scanned = max(position, len(buffer) - 1)
                self._check_text(len(buffer) - position)
                break
            line = bytes(memoryview(buffer)[position : end + 2])
            self._scanned = position = end + 2
            self._take_line(line)
        if position:
            del buffer[:position]
            self._scanned = max(0, self._scanned - position)

    def _check_text(self, more: int) -> None:
        if self._text + more > MAX_LINE_BYTES:
            raise LimitExceeded(f"a response with more than {MAX_LINE_BYTES} bytes outside its literals")

    def _take_literal(self, position: int) -> int:
        """Move what is there of the awaited literal out of the buffer; return how many bytes that was."""
        there = len(self._buffer) - position
        if self._sink is None:
            if there < self._need:
                return 0
            taken = self._need
            self._parts.append(bytes(memoryview(self._buffer)[position : position + taken]))
            self._need = 0
            return taken
        taken = min(there, self._need)
        if taken:
            self._stream(bytes(memoryview(self._buffer)[position : position + taken]))
        return taken

    def _stream(self, data: bytes) -> None:
        sink = self._sink
        assert sink is not None
        if data:
            sink.write(data)
        self._need -= len(data)
        if not self._need:
            self._sink = None
            sink.close()

    def _take_line(self, line: bytes) -> None:
        self._check_text(len(line))
        parts = self._parts
        if line.endswith(b"}\r\n") and (parts or not _STATUS.match(line)):
            announced = _LITERAL.search(line, max(0, len(line) - LITERAL_TAIL_BYTES))
            if announced:
                self._text += len(line)
                self._kept += len(line)
                parts.append(line)
                self._announce(announced.group(1))
                return
        parts.append(line)
        self._parts = []
        self._text = self._kept = 0
        self._on_response(parts)

    def _announce(self, digits: bytes) -> None:
        size = int(digits) if len(digits) <= 10 else MAX_STREAMED_BYTES + 1
        if size > MAX_STREAMED_BYTES:
            raise LimitExceeded("a literal larger than the protocol can name")
        if len(self._parts) > 2 * MAX_LITERALS:
            raise LimitExceeded(f"more than {MAX_LITERALS} literals in a response")
        sink = self._sink_for(self._parts[-1], size) if self._sink_for else None
        if sink is not None:
            self._parts.append(b"")
            self._sink, self._need = sink, size
            if not size:
                self._stream(b"")
            return
        if size > MAX_LITERAL_BYTES:
            raise LimitExceeded(f"a literal of {size} bytes that nobody asked for")
        self._kept += size
        if self._kept > MAX_RESPONSE_BYTES:
            raise LimitExceeded(f"a response of more than {MAX_RESPONSE_BYTES} bytes")
        self._need = size
        if not size:
            self._parts.append(b"")
