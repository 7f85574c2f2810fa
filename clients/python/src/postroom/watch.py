"""The feed, read for as long as one likes: it reconnects by cursor, and hands over each change once.

It owns the reader's side of the promises: go on after the last change that was finished, tell a silent connection from a
quiet feed (every stream has a heartbeat), cancel what is left behind, wait with jitter and not for long. It refuses to
store the cursor, which is the caller's, best in the same transaction as what the change causes; and it refuses to read
ahead: beyond the change in hand there is only what the connection's window holds (`channel.WINDOW_BYTES`).
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, Self

import grpc

from postroom.channel import FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS, AnswerStream
from postroom.errors import FeedReset, WatchEnded
from postroom.statuses import PostroomError
from postroom.v1.change_pb2 import Change
from postroom.v1.change_service_pb2 import StreamEnd, WatchChangesRequest, WatchChangesResponse
from postroom.v1.reset_pb2 import Reset

DEFAULT_HEARTBEAT: Final = 25.0
SILENCE: Final = 2.5
"""Heartbeats without any frame, while one is waited for, after which the connection counts as dead."""
HEALTHY_SECONDS: Final = 60.0
"""A stream that lived this long makes the next pause start small again."""
MAX_ACCOUNTS: Final = 100_000
"""Accounts whose last sequence is remembered to tell a repetition."""
MAX_DOUBLINGS: Final = 10
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
FINAL: Final = frozenset({"REPLACED", "TOKEN_REVOKED", "ACCOUNT_REMOVED", "CONSUMER_CHANGED"})
"""Ends that are for good; after every other one, also one of a newer server, the next stream goes on from the cursor."""


class State(StrEnum):
    """Where a watch stands."""

    CONNECTING = "connecting"
    """There is no stream, or the next one is waited for. Every watch begins here."""
    CATCHING_UP = "catching_up"
    """A stream is open; what it has to tell is not all told yet."""
    LIVE = "live"
    """Everything up to the head was told; what comes now is new."""
    RESET = "reset"
    """A FeedReset was raised, and the reader has not asked on yet."""
    CLOSED = "closed"
    """Nothing comes any more."""


class Watch:
    """An endless iterator over changes; made by `Postroom.watch`, read by one task at a time.

    A change is finished when the next one is asked for. A loop that was left by `break` or an exception gets the change
    that it had in hand again when it is entered again, so that nothing is lost that was not finished.

    `async for change in watch` raises FeedReset (list again, then iterate over the same watch to go on), CursorExpired,
    WatchEnded and whatever else trying again does not cure. End it with `aclose`, or use it as a context.
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
        if heartbeat <= 0:
            raise ValueError("a heartbeat takes time")
        self._open, self._request = opening, request
        self._heartbeat, self._patience, self._on_state = heartbeat, patience, on_state
        self._request.heartbeat_interval.FromTimedelta(timedelta(seconds=heartbeat))
        self._cursor = request.cursor
        self._stream: AnswerStream | None = None
        self._closed = asyncio.Event()
        self._asked = False
        self._in_hand: Change | None = None
        self._ahead = ""
        self._again = False
        self._opened_at = self._alive_at = self._not_before = 0.0
        self._heard_at: float | None = None
        self._error: PostroomError | None = None
        self._failures = 0
        self._seen: OrderedDict[str, int] = OrderedDict()
        self._state = State.CONNECTING
        self._head_cursor, self._lag_changes = "", 0

    @property
    def cursor(self) -> str:
        """The position after the last change that was finished, or after a later checkpoint.

        Inside the loop the position behind the change in hand is `change.cursor`: that is what is stored together with
        what the change causes.
        """
        return self._cursor

    @property
    def state(self) -> State:
        """Where the watch stands."""
        return self._state

    @property
    def head_cursor(self) -> str:
        """The position after the newest change, as of the last checkpoint; empty before the first."""
        return self._head_cursor

    @property
    def lag_changes(self) -> int:
        """Changes between the reader and the head, as of the last checkpoint."""
        return self._lag_changes

    async def each(self, handler: Callable[[Change], Awaitable[object]]) -> None:
        """Calls `handler` with each change, one after the other; a change is finished when its handler returned.

        It goes on until the watch is closed. An exception of the handler ends it, and comes out; called again, it begins
        with the same change. Raises what iterating raises.
        """
        async for change in self:
            await handler(change)
            self._finish()

    def __aiter__(self) -> AsyncIterator[Change]:
        self._again = self._in_hand is not None
        return self

    async def __anext__(self) -> Change:
        if self._asked:
            raise RuntimeError("a watch is read by one task at a time")
        self._asked = True
        try:
            return await self._next()
        finally:
            self._asked = False

    async def aclose(self) -> None:
        """Ends the watch, also while another task waits for its next change: that task's loop ends."""
        self._close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._close()

    def __del__(self) -> None:
        # A safety net for a watch that nobody closed; its loop may be gone by now.
        with suppress(RuntimeError, AttributeError):
            self._drop()

    def __repr__(self) -> str:
        return f"<Watch {self._request.parent} {self._state} cursor={self._cursor[:12]}… lag={self._lag_changes}>"

    async def _next(self) -> Change:
        if self._again and self._in_hand is not None and self._state is not State.CLOSED:
            self._again = False
            return self._in_hand
        self._finish()
        if self._heard_at is None:
            self._heard_at = asyncio.get_running_loop().time()
        if self._state is State.RESET:
            self._enter(State.CATCHING_UP)
        while self._state is not State.CLOSED:
            frame = await self._frame()
            if frame is not None and (change := self._taken(frame)) is not None:
                self._in_hand, self._ahead = change, frame.cursor
                return change
        raise StopAsyncIteration

    def _finish(self) -> None:
        """What is in hand is done with; the time that this took counts neither as silence nor against patience."""
        if self._ahead:
            self._cursor, self._ahead, self._in_hand, self._again = self._ahead, "", None, False
            self._heard_at = self._alive_at = asyncio.get_running_loop().time()

    async def _frame(self) -> WatchChangesResponse | None:
        """The next frame, None where the stream had to be left."""
        loop = asyncio.get_running_loop()
        stream = self._stream or await self._connect()
        if stream is None:
            return None
        assert self._heard_at is not None
        dead_at = self._alive_at + self._heartbeat * SILENCE
        until = min(dead_at, self._heard_at + self._patience)
        try:
            frame: WatchChangesResponse | None = await stream.read(max(0.0, until - loop.time()))
        except TimeoutError:
            if until == dead_at:
                stream.abandon()
            self._lost(PostroomError("the stream went silent", code=grpc.StatusCode.UNAVAILABLE))
        except PostroomError as error:
            if error.code in FATAL:
                self._close()
                raise
            self._lost(error)
        else:
            if frame is not None:
                self._heard_at, self._alive_at, self._error = loop.time(), loop.time(), None
                if self._state is State.CONNECTING:
                    self._enter(State.CATCHING_UP)
                return frame
            if self._state is not State.CLOSED:
                broken = PostroomError("the stream ended without an end", code=grpc.StatusCode.UNAVAILABLE)
                self._lost(broken)
        return None

    async def _connect(self) -> AnswerStream | None:
        """Opens the next stream when its time has come; None if the watch was closed before."""
        self._enter(State.CONNECTING)
        loop = asyncio.get_running_loop()
        assert self._heard_at is not None
        moment = min(self._not_before, self._heard_at + self._patience)
        if loop.time() < moment:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(moment):
                    await self._closed.wait()
        if self._closed.is_set():
            return None
        if self._error is not None:
            self._raise_when_out_of_patience(self._error)
        request = WatchChangesRequest()
        request.CopyFrom(self._request)
        if self._cursor:
            request.cursor = self._cursor
        try:
            self._stream = self._open(request)
        except PostroomError:
            self._close()
            raise
        self._opened_at = self._alive_at = loop.time()
        return self._stream

    def _taken(self, frame: WatchChangesResponse) -> Change | None:
        """What a frame means; the change to hand over, if it is one that was not handed over before."""
        match frame.WhichOneof("frame"):
            case "change":
                if not self._repeated(frame.change):
                    return frame.change
                self._move(frame)
            case "reset":
                self._ahead = frame.cursor
                self._seen.clear()
                self._enter(State.RESET)
                raise FeedReset(frame.reset.scope, _name(Reset.Reason, frame.reset.reason), frame.cursor)
            case "end":
                self._ended(frame)
            case "checkpoint":
                self._move(frame)
                self._head_cursor = frame.checkpoint.head_cursor
                self._lag_changes = frame.checkpoint.lag_changes
                self._enter(State.CATCHING_UP if self._lag_changes else State.LIVE)
            case _:
                self._move(frame)
        return None

    def _move(self, frame: WatchChangesResponse) -> None:
        self._cursor = frame.cursor or self._cursor

    def _ended(self, frame: WatchChangesResponse) -> None:
        self._move(frame)
        why = _name(StreamEnd.Reason, frame.end.reason)
        if why in FINAL:
            self._close()
            raise WatchEnded(why, self._cursor)
        self._drop()
        self._enter(State.CONNECTING)
        retry_after = frame.end.retry_after.ToTimedelta().total_seconds()
        self._back_off(retry_after * random.uniform(0.5, 1.0))

    def _lost(self, error: PostroomError) -> None:
        """Leaves the stream. Raises the error that came before the silence, else `error`, when patience is at its end."""
        self._drop()
        self._raise_when_out_of_patience(self._error or error)
        self._error = error
        self._enter(State.CONNECTING)
        self._back_off(error.retry_after or 0.0)

    def _raise_when_out_of_patience(self, error: PostroomError) -> None:
        assert self._heard_at is not None
        if asyncio.get_running_loop().time() - self._heard_at >= self._patience:
            self._close()
            raise error

    def _back_off(self, at_least: float) -> None:
        """Says when the next stream may be opened."""
        now = asyncio.get_running_loop().time()
        if now - self._opened_at >= HEALTHY_SECONDS:
            self._failures = 0
        longest = min(LAST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(self._failures, MAX_DOUBLINGS))
        self._failures += 1
        self._not_before = now + max(at_least, random.uniform(longest / 2, longest))

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
        if state is not self._state:
            self._state = state
            if self._on_state is not None:
                self._on_state(state)

    def _close(self) -> None:
        self._drop()
        self._closed.set()
        self._enter(State.CLOSED)

    def _drop(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()


def kind_of(change: Change) -> str:
    """The kind of a change as `Change.Kind` names it, such as `MESSAGE_ADDED`; `UNKNOWN` for one of a newer server."""
    fact = change.WhichOneof("fact")
    return fact.upper() if fact else "UNKNOWN"


def watch_request(
    parent: str, *, cursor: str, start: str, kinds: Iterable[str], mailboxes: Iterable[str]
) -> WatchChangesRequest:
    """The request of a watch; a cursor wins over a start. Raises ValueError for a word that the contract does not know."""
    request: Any = WatchChangesRequest(parent=parent, mailboxes=mailboxes)
    request.kinds.extend(Change.Kind.Value(kind) for kind in kinds)
    if cursor:
        request.cursor = cursor
    else:
        request.start_from = WatchChangesRequest.StartFrom.Value(start)
    return request  # type: ignore[no-any-return]


def _name(enum: Any, value: int) -> str:
    """The name of an enum's value, its number as text where a newer server sent it."""
    return str(enum.Name(value)) if value in enum.values() else str(value)
