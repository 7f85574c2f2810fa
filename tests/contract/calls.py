"""What the tests of the provider port do over and over: read a stream, list keys, offer a stream."""

from __future__ import annotations

from postroom_server.domain.keys import ItemKey
from postroom_server.domain.messages import CHUNK_BYTES, ByteStream
from postroom_server.domain.ports import MailAccount

from tests.contract.mirror import mirror_of
from tests.fixtures.worlds import call

BUDGET = 1_000_000


def squeezed(text: str | None) -> str:
    return " ".join((text or "").split())


async def keys_in(account: MailAccount, path: str = "INBOX") -> list[ItemKey]:
    """Keys of one mailbox, oldest first."""
    mirror = await mirror_of(account, path)
    return [mirror.keys[number] for number in sorted(await mirror.look(call()))]


async def read(stream: ByteStream) -> bytes:
    """All of a stream, whose chunks keep to their bound and whose size is the one that was announced."""
    chunks = [chunk async for chunk in stream.chunks]
    assert all(0 < len(chunk) <= CHUNK_BYTES for chunk in chunks)
    whole = b"".join(chunks)
    if stream.size_bytes is not None:
        assert len(whole) == stream.size_bytes
    return whole


def stream_of(raw: bytes, *, size: int | None = None) -> ByteStream:
    async def chunks():
        for start in range(0, len(raw), CHUNK_BYTES):
            yield raw[start : start + CHUNK_BYTES]

    return ByteStream(
        content_type="message/rfc822",
        size_bytes=len(raw) if size is None else size,
        exact=True,
        chunks=chunks(),
    )
