"""An account's dialogue as a download: newline-delimited JSON, and its end where it has one.

It owns the shape of a line and the headers, and that who follows is let go with his token. It refuses what other downloads have: a size, a range, a hash; the dialogue
goes on while it is read.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from google.api.httpbody_pb2 import HttpBody

from postroom_server.domain.dialogue import Line
from postroom_server.errors import OwnerUnknown, RequestInvalid, StoreUnavailable, TokenInvalid
from postroom_server.services.calling import Context

CHECK_SECONDS: Final = 2.5
"""How often the token of who follows is looked at; with the look-up's cache of 2 s a revocation ends the call within 5 s."""
MEDIA_TYPE: Final = "application/x-ndjson"
HEADERS: Final = (
    ("content-disposition", 'inline; filename="log.ndjson"'),
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", "sandbox; default-src 'none'"),
    ("cache-control", "no-store"),
)


def wanted_lines(most: int) -> int:
    """How many lines are asked for; 0 means all. Raises RequestInvalid."""
    if most < 0:
        raise RequestInvalid("maxLines", "must not be negative")
    return most


async def while_valid(
    blocks: AsyncIterator[Sequence[Line]],
    is_valid: Callable[[], Awaitable[bool]],
    *,
    check_seconds: float = CHECK_SECONDS,
) -> AsyncGenerator[Sequence[Line], None]:
    """The blocks, until a look at the token finds that it is not valid any more. Raises TokenInvalid.

    A store that does not answer ends nothing.
    """
    loop = asyncio.get_running_loop()
    check_at = loop.time() + check_seconds
    reading: asyncio.Task[Sequence[Line] | None] | None = None
    try:
        while True:
            reading = reading or asyncio.create_task(_next(blocks))
            await asyncio.wait({reading}, timeout=check_at - loop.time())
            if loop.time() >= check_at:
                with suppress(StoreUnavailable):
                    if not await is_valid():
                        raise TokenInvalid
                check_at = loop.time() + check_seconds
            if reading.done():
                block, reading = reading.result(), None
                if block is None:
                    return
                yield block
    finally:
        if reading is not None:
            reading.cancel()
            with suppress(asyncio.CancelledError, OwnerUnknown):
                await reading


async def _next(blocks: AsyncIterator[Sequence[Line]]) -> Sequence[Line] | None:
    return await anext(blocks, None)


async def bodies(
    context: Context, blocks: AsyncIterator[Sequence[Line]], *, follow: bool
) -> AsyncGenerator[HttpBody, None]:
    """Sends the headers, then the lines as they come; a block without lines is a sign of life.

    The first piece is sent in any case. Who follows gets it at once, so that it is seen that the call has been taken.
    """
    began = follow
    await context.send_initial_metadata(HEADERS)
    if follow:
        yield HttpBody(content_type=MEDIA_TYPE)
    async for block in blocks:
        text = "".join(map(written, block)) if block else "\n"
        yield HttpBody(content_type="" if began else MEDIA_TYPE, data=text.encode())
        began = True
    if not began:
        yield HttpBody(content_type=MEDIA_TYPE)


def written(line: Line) -> str:
    """One line as JSON."""
    when = datetime.fromtimestamp(line.time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    fields = {"time": when, "session": line.session, "direction": line.direction.value, "text": line.text}
    return json.dumps(fields, ensure_ascii=False) + "\n"
