"""The feed, read for as long as one likes: it reconnects by cursor, and hands over each change once.

It owns the reader's side of the promises: resume after the last change that was handed over, tell a silent connection from
a quiet feed (every stream has a heartbeat), cancel what is left behind, wait with jitter and not for long. It refuses to
store the cursor: that is the caller's, best in the same transaction as what the change causes.
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from enum import Enum
from typing import Any, Final, Self

import grpc
from google.protobuf.duration_pb2 import Duration

from postroom.channel import AnswerStream
from postroom.errors import FeedReset, WatchEnded
from postroom.statuses import PostroomError
from postroom.v1.change_pb2 import Change
from postroom.v1.change_service_pb2 import StreamEnd, WatchChangesRequest, WatchChangesResponse
from postroom.v1.reset_pb2 import Reset

DEFAULT_HEARTBEAT: Final = 25.0
SILENCE: Final = 2.5
"""Heartbeats without any frame after which the connection counts as dead."""
FIRST_PAUSE_SECONDS: Final = 0.05
LAST_PAUSE_SECONDS: Final = 1.0
"""Short, so that a reader is back soon after its server is; the jitter keeps many readers apart."""
HEALTHY_SECONDS: Final = 60.0
"""A stream that lived this long makes the next pause start small again."""
MAX_ACCOUNTS: Final = 100_000
"""Accounts whose last sequence is remembered to tell a repetition."""
_FOREVER: Final = float("inf")

FATAL: Final = frozenset(
    {
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.ALREADY_EXISTS,
    }
)
"""Codes that trying again does not cure."""
RECONNECT: Final = frozenset({"DRAINING", "STORE_UNAVAILABLE", "INTERNAL", "REASON_UNSPECIFIED"})
"""Ends after which another stream goes on from the cursor."""


class State(Enum):
    """Where a watch stands."""

    CONNECTING = "connecting"
    LIVE = "live"
    WAITING = "waiting"
    ENDED = "ended"


class Watch:
    """An endless iterator over changes; made by `Postroom.watch`.

    `async for change in watch` raises FeedReset (list again, then iterate over the same watch to go on), CursorExpired,
    WatchEnded and whatever else trying again does not cure. Close it with `aclose`, or use it as a context.
    """

    def __init__(
        self,
        opening: Callable[[WatchChangesRequest], AnswerStream],
        request: WatchChangesRequest,
        *,
        heartbeat: float = DEFAULT_HEARTBEAT,
        patience: float = _FOREVER,
        on_state: Callable[[State], None] | None = None,
    ) -> None:
        self._open, self._request = opening, request
        self._heartbeat, self._patience, self._on_state = heartbeat, patience, on_state
        self._request.heartbeat_interval.CopyFrom(Duration(seconds=int(heartbeat)))
        self._cursor = request.cursor
        self._stream: AnswerStream | None = None
        self._opened_at = 0.0
        self._failures = 0
        self._retry_after = 0.0
        self._last_frame_at: float | None = None
        self._seen: OrderedDict[str, int] = OrderedDict()
        self.state = State.CONNECTING
        self.head_cursor = ""
        """The position after the newest change, as of the last checkpoint."""
        self.lag_changes = 0
        """Changes between `cursor` and the head, as of the last checkpoint."""

    @property
    def cursor(self) -> str:
        """The position after the last change that was handed over, to be stored and given to a later watch."""
        return self._cursor

    def __aiter__(self) -> AsyncIterator[Change]:
        return self

    async def __anext__(self) -> Change:
        while self.state is not State.ENDED:
            frame = await self._frame()
            if frame is not None and (change := self._taken(frame)) is not None:
                return change
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Ends the watch."""
        self._drop()
        self._enter(State.ENDED)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        # A safety net for a watch that nobody closed; its loop may be gone by now.
        with suppress(RuntimeError, AttributeError):
            self._drop()

    def __repr__(self) -> str:
        return f"<Watch {self._request.parent} {self.state.value} cursor={self._cursor[:12]}… lag={self.lag_changes}>"

    async def _frame(self) -> WatchChangesResponse | None:
        """The next frame, None where the stream had to be left and is opened again."""
        loop = asyncio.get_running_loop()
        if self._last_frame_at is None:
            self._last_frame_at = loop.time()
        if self._stream is None:
            self._enter(State.CONNECTING)
            await asyncio.sleep(self._retry_after * random.uniform(0.5, 1.0))
            self._retry_after = 0.0
            self._stream, self._opened_at = self._open(self._resumed()), loop.time()
        try:
            frame: WatchChangesResponse | None = await self._stream.read(self._heartbeat * SILENCE)
        except TimeoutError:
            await self._again(PostroomError("the stream went silent", code=grpc.StatusCode.UNAVAILABLE))
        except PostroomError as error:
            if error.code in FATAL:
                self._drop()
                self._enter(State.ENDED)
                raise
            await self._again(error)
        else:
            if frame is not None:
                self._last_frame_at = loop.time()
                self._enter(State.LIVE)
                return frame
            await self._again(
                PostroomError("the stream ended without an end", code=grpc.StatusCode.UNAVAILABLE)
            )
        return None

    def _taken(self, frame: WatchChangesResponse) -> Change | None:
        """What a frame means; the change to hand over, if it is one that was not handed over before."""
        match frame.WhichOneof("frame"):
            case "change":
                self._cursor = frame.cursor
                return None if self._repeated(frame.change) else frame.change
            case "reset":
                self._cursor = frame.cursor
                self._seen.clear()
                raise FeedReset(frame.reset.scope, Reset.Reason.Name(frame.reset.reason), frame.cursor)
            case "end":
                self._ended(frame)
            case "checkpoint":
                self._cursor = frame.cursor
                self.head_cursor, self.lag_changes = (
                    frame.checkpoint.head_cursor,
                    frame.checkpoint.lag_changes,
                )
            case _:
                self._cursor = frame.cursor
        return None

    def _ended(self, frame: WatchChangesResponse) -> None:
        self._cursor = frame.cursor or self._cursor
        self._drop()
        why = StreamEnd.Reason.Name(frame.end.reason) if frame.end.reason in StreamEnd.Reason.values() else ""
        if why and why not in RECONNECT:
            self._enter(State.ENDED)
            raise WatchEnded(why, self._cursor)
        self._retry_after = frame.end.retry_after.seconds + frame.end.retry_after.nanos / 1e9

    async def _again(self, error: PostroomError) -> None:
        """Waits a little before the next stream; raises `error` when patience is at its end."""
        loop = asyncio.get_running_loop()
        self._drop()
        self._enter(State.WAITING)
        if loop.time() - self._opened_at >= HEALTHY_SECONDS:
            self._failures = 0
        assert self._last_frame_at is not None
        if loop.time() - self._last_frame_at >= self._patience:
            self._enter(State.ENDED)
            raise error
        longest = min(LAST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(self._failures, 10))
        self._failures += 1
        await asyncio.sleep(max(error.retry_after or 0.0, random.uniform(longest / 2, longest)))

    def _resumed(self) -> WatchChangesRequest:
        request = WatchChangesRequest()
        request.CopyFrom(self._request)
        if self._cursor:
            request.cursor = self._cursor
        return request

    def _repeated(self, change: Change) -> bool:
        """Whether a change was handed over before; what belongs to a snapshot has no sequence and always counts."""
        if not change.sequence:
            return False
        if change.sequence <= self._seen.get(change.account, 0):
            return True
        if change.HasField("account_removed"):
            self._seen.pop(change.account, None)  # an account of the same name is another one
            return False
        self._seen[change.account] = change.sequence
        self._seen.move_to_end(change.account)
        while len(self._seen) > MAX_ACCOUNTS:
            self._seen.popitem(last=False)
        return False

    def _enter(self, state: State) -> None:
        if state is not self.state:
            self.state = state
            if self._on_state is not None:
                self._on_state(state)

    def _drop(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()


def watch_request(
    parent: str, *, cursor: str, start: str, kinds: Iterable[str], mailboxes: Iterable[str]
) -> WatchChangesRequest:
    """The request of a watch; a cursor wins over a start."""
    request: Any = WatchChangesRequest(parent=parent, mailboxes=mailboxes)
    request.kinds.extend(Change.Kind.Value(kind) for kind in kinds)
    if cursor:
        request.cursor = cursor
    else:
        request.start_from = WatchChangesRequest.StartFrom.Value(start)
    return request  # type: ignore[no-any-return]
