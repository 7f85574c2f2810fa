"""Reads transcripts: what a server sends, as people would write it down.

A line of the text is a line on the wire. Where a line announces a literal, the literal's bytes follow at the start of
the next line and the line goes on behind them, as on the wire. `\\xNN` is a byte.
"""

from __future__ import annotations

import textwrap

from postroom_server.backends.imap.wire.responses import Response, read_response
from postroom_server.backends.imap.wire.splitter import Splitter


def wire_bytes(transcript: str) -> bytes:
    """Return the transcript's bytes."""
    text = textwrap.dedent(transcript).strip("\n")
    raw = text.encode("latin-1").replace(b"\n", b"\r\n") + b"\r\n"
    for value in range(256):
        raw = raw.replace(b"\\x%02x" % value, bytes([value]))
    return raw


def split(data: bytes, *, step: int) -> list[list[bytes]]:
    """Return the responses' parts, fed `step` bytes at a time."""
    responses: list[list[bytes]] = []
    splitter = Splitter(lambda parts: responses.append(list(parts)))
    for start in range(0, len(data), step):
        splitter.feed(data[start : start + step])
    assert splitter.idle
    return responses


def responses(transcript: str) -> list[Response]:
    """Return what the transcript says, having checked that no cut of its bytes changes that."""
    data = wire_bytes(transcript)
    whole = split(data, step=len(data))
    for step in (1, 2, 7):
        assert split(data, step=step) == whole
    return [read_response(parts) for parts in whole]


def only(transcript: str) -> Response:
    """Return the one response of a transcript."""
    (response,) = responses(transcript)
    return response
