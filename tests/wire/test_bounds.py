"""What a hostile server may cost: memory, time and nothing else (every limit, and linear time)."""

from __future__ import annotations

import contextlib
import gc
import time
import tracemalloc

import pytest
from postroom_server.backends.imap.wire import splitter as framing
from postroom_server.backends.imap.wire.faults import LimitExceeded, Malformed, WireFault
from postroom_server.backends.imap.wire.responses import read_response
from postroom_server.backends.imap.wire.splitter import Splitter
from postroom_server.backends.imap.wire.tokens import MAX_DEPTH, read

CHUNK = 16_384
BOMB_BYTES = 2 << 20
MAX_GROWTH_BYTES = 32 << 20
MAX_SECONDS_PER_BYTE = 2.0 / (10 << 20)
NOISE_SECONDS = 0.1


class Collector:
    """A sink that remembers what it was given."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.closed = False

    def write(self, data: bytes) -> None:
        self.data += data

    def close(self) -> None:
        self.closed = True


def consume(data: bytes) -> int:
    """Feed and parse, the way a connection does; return how many responses came before the end or the limit."""
    seen = 0

    def take(parts):
        nonlocal seen
        seen += 1
        with contextlib.suppress(Malformed):
            read_response(parts)

    splitter = Splitter(take)
    try:
        for start in range(0, len(data), CHUNK):
            splitter.feed(data[start : start + CHUNK])
    except LimitExceeded:
        pass
    return seen


def repeated(
    unit: bytes, *, head: bytes = b"* 1 FETCH (UID 1 X ", tail: bytes = b"\r\n", size: int = BOMB_BYTES
) -> bytes:
    """A line of `size` bytes, cut into lines that stay below the limit."""
    line = head + unit * ((framing.MAX_LINE_BYTES - 256) // len(unit)) + tail
    return line * (size // len(line) + 1)


BOMBS = {
    "endless line": b"* OK " + b"a" * BOMB_BYTES,
    "line of lists": repeated(b"()"),
    "line of open lists": repeated(b"("),
    "line of closed lists": repeated(b")"),
    "unclosed quotes": repeated(b'\\"', head=b'* 1 FETCH (UID 1 X "'),
    "quotes": repeated(b'"'),
    "escaped quotes": repeated(b'"\\" '),
    "backslashes": repeated(b"\\"),
    "unclosed sections": repeated(b"BODY[ "),
    "sections in sections": repeated(b"BODY[]["),
    "braces": repeated(b"{"),
    "announcements within a line": repeated(b" {1}"),
    "digits": repeated(b"1"),
    "short atoms": repeated(b"a "),
    "numbers": repeated(b"12345 "),
    "addresses": repeated(b'(NIL NIL "a" "b")', head=b"* 1 FETCH (ENVELOPE (NIL NIL (", tail=b")))\r\n"),
    "parts": repeated(
        b'("a" "b" NIL NIL NIL NIL 1)', head=b"* 1 FETCH (BODYSTRUCTURE (", tail=b' "mixed"))\r\n'
    ),
    "flags": repeated(b"a ", head=b"* 1 FETCH (FLAGS (", tail=b"))\r\n"),
    "response codes": repeated(b"[", head=b"* OK ", tail=b"\r\n"),
    "flags codes": repeated(b"(", head=b"* OK [PERMANENTFLAGS ", tail=b"\r\n"),
    "search numbers": repeated(b"4000000000 ", head=b"* SEARCH "),
    "commas": repeated(b"1,", head=b"* VANISHED "),
    "wide ranges": repeated(b"1:4294967295,", head=b"* VANISHED ", tail=b"1\r\n", size=1 << 20),
    "capabilities": repeated(b"A=B ", head=b"* CAPABILITY "),
    "tags": repeated(b"a", head=b""),
    "empty literals": b"* 1 FETCH (X" + b" {0}\r\n" * (BOMB_BYTES // 6),
    "many literals": b"* 1 FETCH (X" + (b" {1000}\r\n" + b"x" * 1000) * (BOMB_BYTES // 1009),
    "small responses": b"* 1 EXISTS\r\n" * (1 << 16),
    "literal that never comes": b"* 1 FETCH (X {1048576}\r\n",
    "utf-7": repeated(b"&AAA", head=b'* LIST () "/" ', tail=b"\r\n"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_bounded_in_time(name):
    data = BOMBS[name]
    gc.collect()
    gc.freeze()  # what other tests have left on the heap is not the reader's to sweep
    try:
        started = time.process_time()
        consume(data)
        assert time.process_time() - started <= NOISE_SECONDS + MAX_SECONDS_PER_BYTE * len(data)
    finally:
        gc.unfreeze()


MANY_OBJECTS = [
    "short atoms",
    "addresses",
    "parts",
    "line of lists",
    "empty literals",
    "search numbers",
    "wide ranges",
]


@pytest.mark.parametrize("name", MANY_OBJECTS)
def test_a_bomb_is_bounded_in_memory(name):
    data = BOMBS[name]
    data = data[: framing.MAX_LINE_BYTES + CHUNK]
    tracemalloc.start()
    try:
        consume(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= MAX_GROWTH_BYTES


@pytest.mark.parametrize(
    "unit", [b'\\"', b"BODY[ ", b"BODY[][", b'"a" ', b"()", b"[", b"a[", b"{", b"\\", b" ", b'"\\']
)
def test_tokenising_takes_linear_time(unit):
    def seconds(size: int) -> float:
        text = b'(X "' + unit * (size // len(unit)) + b"\r\n"
        best = 9.0
        for _ in range(3):
            started = time.process_time()
            with contextlib.suppress(WireFault):
                read([text])
            best = min(best, time.process_time() - started)
        return best

    seconds(1 << 16)
    assert seconds(1 << 19) <= max(0.02, 2.6 * seconds(1 << 18))


def test_a_line_without_an_end_is_refused():
    splitter = Splitter(list)
    for _ in range(framing.MAX_LINE_BYTES // CHUNK):
        splitter.feed(b"a" * CHUNK)
    with pytest.raises(LimitExceeded):
        splitter.feed(b"a")


@pytest.mark.parametrize("size", [b"4294967295", b"4294967296", b"99999999999", b"9" * 5_000, b"1048577"])
def test_a_literal_that_nobody_asked_for_is_refused(size):
    splitter = Splitter(list)
    try:
        splitter.feed(b"* 1 FETCH (BODY[] {" + size + b"}\r\n")
        splitter.feed(b"x" * CHUNK)
    except LimitExceeded:
        return
    assert len(size) > framing.LITERAL_TAIL_BYTES


def test_an_absurd_announcement_is_not_an_announcement():
    parts: list[list[bytes]] = []
    Splitter(lambda response: parts.append(list(response))).feed(
        b"* 1 FETCH (BODY[] {" + b"9" * 5_000 + b"}\r\n"
    )
    with pytest.raises(Malformed):
        read_response(parts[0])


def test_lists_may_be_nested_only_so_deep():
    assert read([b"(" * MAX_DEPTH + b")" * MAX_DEPTH + b"\r\n"])
    with pytest.raises(Malformed):
        read([b"(" * (MAX_DEPTH + 1) + b")" * (MAX_DEPTH + 1) + b"\r\n"])


@pytest.mark.parametrize("step", [1, 3, 4096, 1 << 20])
def test_a_sink_takes_a_large_literal_as_it_comes(step):
    body = bytes(range(256)) * 400
    sink = Collector()
    asked: list[tuple[bytes, int]] = []
    responses: list[list[bytes]] = []

    def sink_for(text: bytes, size: int) -> Collector | None:
        asked.append((text, size))
        return sink if b"BODY[]" in text else None

    splitter = Splitter(lambda parts: responses.append(list(parts)), sink_for)
    data = b"* 1 FETCH (X {2}\r\nab BODY[] {%d}\r\n" % len(body) + body + b" UID 7)\r\n* 1 EXISTS\r\n"
    for start in range(0, len(data), step):
        splitter.feed(data[start : start + step])
    assert bytes(sink.data) == body
    assert sink.closed
    assert [size for _, size in asked] == [2, len(body)]
    assert responses == [
        [b"* 1 FETCH (X {2}\r\n", b"ab", b" BODY[] {%d}\r\n" % len(body), b"", b" UID 7)\r\n"],
        [b"* 1 EXISTS\r\n"],
    ]


def test_an_empty_literal_closes_its_sink():
    sink = Collector()
    responses: list[list[bytes]] = []
    splitter = Splitter(lambda parts: responses.append(list(parts)), lambda *_: sink)
    splitter.feed(b"* 1 FETCH (BODY[] {0}\r\n UID 7)\r\n")
    assert (sink.closed, len(responses)) == (True, 1)


def test_idle_tells_bytes_behind_a_response():
    splitter = Splitter(list)
    splitter.feed(b"a OK begin TLS\r\n")
    assert splitter.idle
    splitter.feed(b"* OK inj")
    assert not splitter.idle
