"""Downloads that are whole or an error: size and SHA-256 are checked against what the server says."""

from __future__ import annotations

import hashlib
from typing import Any, BinaryIO, Final

import grpc

from postroom.channel import AnswerStream
from postroom.errors import DownloadDamaged

LENGTH: Final = "x-content-length"
SHA256: Final = "x-content-sha256"


async def save(stream: AnswerStream, target: BinaryIO) -> int:
    """Writes the pieces of a download to `target`; returns the number of bytes.

    Raises:
        DownloadDamaged: What came is not what was announced. What was written so far is worthless.
        PostroomError: The download failed.
    """
    digest, size = hashlib.sha256(), 0
    async with stream:
        while (piece := await stream.read()) is not None:
            data: bytes = piece.body.data
            target.write(data)
            digest.update(data)
            size += len(data)
        announced: dict[str, Any] = await stream.headers() | await stream.trailers()
    if LENGTH in announced and int(announced[LENGTH]) != size:
        raise DownloadDamaged(
            f"{size} bytes came, {announced[LENGTH]} were announced", code=grpc.StatusCode.DATA_LOSS
        )
    if announced.get(SHA256, digest.hexdigest()) != digest.hexdigest():
        raise DownloadDamaged("the bytes that came have another SHA-256", code=grpc.StatusCode.DATA_LOSS)
    return size
