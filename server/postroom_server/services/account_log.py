"""An account's dialogue as a download: newline-delimited JSON, and its end where it has one.

It owns the shape of a line and the headers. It refuses what other downloads have: a size, a range, a hash; the dialogue
goes on while it is read.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Final

from google.api.httpbody_pb2 import HttpBody

from postroom_server.domain.dialogue import Line
from postroom_server.errors import RequestInvalid
from postroom_server.services.calling import Context

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
