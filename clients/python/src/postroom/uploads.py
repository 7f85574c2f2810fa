"""Uploads: a raw message in pieces, read as they are sent.

It owns the size of the pieces and what the first one carries. It refuses to hold a message as a whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from datetime import datetime
from typing import BinaryIO, Final

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.timestamp_pb2 import Timestamp

from postroom.v1.submission_service_pb2 import UploadSubmissionRequest

PIECE_BYTES: Final = 256 * 1024
"""The contract takes pieces of at most 1 MiB."""
CONTENT_TYPE: Final = "message/rfc822"


async def submission_pieces(
    parent: str,
    source: bytes | BinaryIO | AsyncIterable[bytes],
    *,
    request_id: str,
    send_time: datetime | None,
) -> AsyncIterator[UploadSubmissionRequest]:
    """The requests of an upload: the fields come with the first one, also where the source is empty.

    Raises:
        ValueError: `send_time` has no time zone.
    """
    if send_time is not None and send_time.tzinfo is None:
        raise ValueError("send_time needs a time zone")
    request = UploadSubmissionRequest(parent=parent, request_id=request_id)
    request.content.content_type = CONTENT_TYPE
    if send_time is not None:
        request.send_time.CopyFrom(_timestamp(send_time))
    fresh = True
    async for piece in _pieces(source):
        if fresh:
            request.content.data, fresh = piece, False
            yield request
        else:
            yield UploadSubmissionRequest(content=HttpBody(data=piece))
    if fresh:
        yield request


async def _pieces(source: bytes | BinaryIO | AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    if isinstance(source, AsyncIterable):
        async for given in source:
            for piece in _cut(given):
                yield piece
    elif isinstance(source, bytes | bytearray | memoryview):
        for piece in _cut(source):
            yield piece
    else:
        # A file may lie on a slow disk: reading it holds up nobody.
        while piece := await asyncio.to_thread(source.read, PIECE_BYTES):
            yield piece


def _cut(data: bytes | bytearray | memoryview) -> list[bytes]:
    view = memoryview(data)
    return [bytes(view[start : start + PIECE_BYTES]) for start in range(0, len(view), PIECE_BYTES)]


def _timestamp(moment: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(moment)
    return made
