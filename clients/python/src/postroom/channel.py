"""The way to a server: address, token, deadlines, retries and errors of single calls.

It owns the connection and makes of it what the generated stubs want of a channel, so that every call carries the token, has
a deadline, raises errors by reason, and leaks nothing when it is cancelled: in grpcio 1.85 a unary call that is cancelled
keeps about 970 bytes for ever, so an answer is read as a stream of one, in a task that is never cancelled.
"""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from typing import Any, Final, Self

import grpc

from postroom.calls_table import RULES, Rule
from postroom.errors import Internal
from postroom.patience import patient
from postroom.places import is_loopback, target_of
from postroom.statuses import PostroomError, from_rpc

MAX_MESSAGE_BYTES: Final = 40 * 1024 * 1024
WINDOW_BYTES: Final = 1024 * 1024
"""What a stream may send ahead of its reader: the whole buffer of a watch whose handler is slow. Each stream has a window of
its own, so that a stalled one holds up no other call."""
OTHER: Final = Rule(30.0, "NEVER")
"""How a method is called that the table does not know: none of this version's."""
LEAVING_SECONDS: Final = 60.0
"""How long calls that are under way over a connection that is left may take."""
LONGEST_SECONDS: Final = 86_400.0 * 365
"""A longer deadline is none: gRPC takes one that it cannot represent for one that has passed."""
FIRST_PAUSE_SECONDS: Final = 0.05
LAST_PAUSE_SECONDS: Final = 1.0
"""Short, so that a caller is back soon after its server is; the jitter keeps many callers apart."""
OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.http2.lookahead_bytes", WINDOW_BYTES),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.keepalive_time_ms", 15_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),  # without it the one above is ignored for a minute and more
    ("grpc.initial_reconnect_backoff_ms", 100),
    (
        "grpc.min_reconnect_backoff_ms",
        5_000,
    ),  # how long a connection may take to be made, whatever its name says
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
)
NO_PROXY: Final = ("grpc.enable_http_proxy", 0)
"""gRPC would ask the proxy of the environment for its own loopback, and send it the token in clear."""


def open_channel(address: str, credentials: grpc.ChannelCredentials | None = None) -> grpc.aio.Channel:
    """A channel to `host:port`, `http(s)://host:port` or `unix:///path`.

    Without a scheme, loopback is plain and everything else is TLS, so that a token never travels in clear by accident.
    Raises ValueError for what is no address.
    """
    target, secure = target_of(address, secure=credentials is not None)
    options = (*OPTIONS, NO_PROXY) if is_loopback(target) else OPTIONS
    if secure:
        return grpc.aio.secure_channel(target, credentials or grpc.ssl_channel_credentials(), options)
    return grpc.aio.insecure_channel(target, options)


class Connection:
    """The channel that calls go over, and its successors: one that went silent is left.

    Args:
        opening: Opens a channel; it connects with its first call.
    """

    def __init__(self, opening: Callable[[], grpc.aio.Channel]) -> None:
        self._opening = opening
        self.channel = opening()
        self._leaving: set[asyncio.Task[None]] = set()
        self._closed = False

    def opened(self) -> grpc.aio.Channel:
        """Where the next call goes. Raises PostroomError once it is closed."""
        if self._closed:
            raise PostroomError("the client is closed", code=grpc.StatusCode.CANCELLED)
        return self.channel

    def leave(self, channel: grpc.aio.Channel) -> None:
        """Has the next calls go over another channel than this one, whose calls have some time to end."""
        if channel is self.channel:
            self.channel = self._opening()
            task = asyncio.create_task(_close_later(channel))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def aclose(self) -> None:
        """Ends every call."""
        self._closed = True
        leaving = list(self._leaving)
        for task in leaving:
            task.cancel()
        if leaving:
            await asyncio.wait(leaving)
        await self.channel.close()


async def _close_later(channel: grpc.aio.Channel) -> None:
    try:
        # A grace of gRPC's own cannot be cut short.
        await asyncio.sleep(LEAVING_SECONDS)
    finally:
        await channel.close()


class Calls:
    """Looks like a channel to the generated stubs.

    Args:
        connection: Where calls go.
        token: The bearer token.
    """

    def __init__(self, connection: Connection, token: str) -> None:
        self._connection, self._metadata = connection, (("authorization", f"Bearer {token}"),)

    def unary_unary(
        self, path: str, request_serializer: Any = None, response_deserializer: Any = None, **_: Any
    ) -> Unary:
        """A call with one answer."""
        opening = self._opening(path, request_serializer, response_deserializer)
        return Unary(opening, RULES.get(path, OTHER))

    def unary_stream(
        self, path: str, request_serializer: Any = None, response_deserializer: Any = None, **_: Any
    ) -> Streaming:
        """A call with a stream of answers."""
        opening = self._opening(path, request_serializer, response_deserializer)
        return Streaming(opening, self._connection)

    def stream_unary(
        self, path: str, request_serializer: Any = None, response_deserializer: Any = None, **_: Any
    ) -> Upload:
        """A call with a stream of requests."""

        def opening(requests: Any, seconds: float | None) -> Any:
            channel: Any = self._connection.opened()
            multi = channel.stream_stream(path, request_serializer, response_deserializer)
            return patient(multi(requests, timeout=seconds, metadata=self._metadata))

        return Upload(opening, RULES.get(path, OTHER))

    def stream_stream(self, path: str, *_: Any, **__: Any) -> Any:
        """The contract has no such call."""
        raise TypeError(path)

    def _opening(self, path: str, serializer: Any, deserializer: Any) -> Callable[[Any, float | None], Any]:
        """What opens a call as a stream of answers, given its request and its seconds."""

        def opening(request: Any, seconds: float | None) -> Any:
            channel: Any = self._connection.opened()
            multi = channel.unary_stream(path, serializer, deserializer)
            return multi(request, timeout=seconds, metadata=self._metadata)

        return opening


class Unary:
    """A method with one answer.

    Args:
        opening: Opens the call, given its request and its seconds.
        rule: Its default deadline, and whether it may be made again.
    """

    def __init__(self, opening: Callable[[Any, float | None], Any], rule: Rule) -> None:
        self._open, self._rule = opening, rule

    async def __call__(self, request: Any, *, timeout: float | None = None) -> Any:  # noqa: ASYNC109 - gRPC's word
        """The answer within `timeout` seconds. Raises PostroomError."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (self._rule.seconds if timeout is None else timeout)
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return await _only(self._open(request, _left(deadline - loop.time())))
            except PostroomError as error:
                wait = max(error.retry_after or 0.0, random.uniform(0, pause))
                if not self._may_repeat(request, error) or loop.time() + wait >= deadline:
                    raise
            await asyncio.sleep(wait)
            pause = min(pause * 2, LAST_PAUSE_SECONDS)

    def _may_repeat(self, request: Any, error: PostroomError) -> bool:
        """Whether the call never reached an account's provider, and making it twice is the same as making it once."""
        if error.code is not grpc.StatusCode.UNAVAILABLE or error.told.startswith("PROVIDER_"):
            return False
        if error.told == "OUTCOME_UNKNOWN":
            return False
        if self._rule.repeat == "WITH_REQUEST_ID":
            return bool(request.request_id)
        return self._rule.repeat == "ALWAYS"


class Upload:
    """A method with a stream of requests and one answer; it is never made again by itself.

    Args:
        opening: Opens the call, given its requests and its seconds.
        rule: Its default deadline.
    """

    def __init__(self, opening: Callable[[Any, float | None], Any], rule: Rule) -> None:
        self._open, self._rule = opening, rule

    async def __call__(
        self,
        requests: AsyncIterable[Any] | Iterable[Any],
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - gRPC's word
    ) -> Any:
        """The answer. Raises PostroomError, and what `requests` raise: then the call is given up."""
        failure: list[Exception] = []
        seconds = _left(self._rule.seconds if timeout is None else timeout)
        try:
            return await _only(self._open(_noting(requests, failure), seconds))
        except PostroomError:
            if failure:
                raise failure[0] from None
            raise


class Streaming:
    """A method with a stream of answers.

    Args:
        opening: Opens the call, given its request and its seconds.
        connection: Where it goes.
    """

    def __init__(self, opening: Callable[[Any, float | None], Any], connection: Connection) -> None:
        self._open, self._connection = opening, connection

    def __call__(self, request: Any, *, timeout: float | None = None) -> AnswerStream:
        """Opens the stream; close it, or read it to its end."""
        leave = functools.partial(self._connection.leave, self._connection.channel)
        seconds = None if timeout is None else _left(timeout)
        return AnswerStream(self._open(request, seconds), leave)


class AnswerStream:
    """A stream of answers: iterate over it, and close it (or leave its context) when done.

    Args:
        call: The call.
        leave: Has the next calls go over another connection.
    """

    def __init__(self, call: Any, leave: Callable[[], None]) -> None:
        self._call, self._leave = call, leave
        self._reading: asyncio.Task[Any] | None = None
        self._closed = False

    async def read(self, within: float | None = None) -> Any:
        """The next answer, None at the end or once it is closed.

        Raises PostroomError, and TimeoutError when no answer comes `within` seconds. A read that was given up or
        cancelled loses nothing: the next one goes on with it.
        """
        if self._closed:
            return None
        if self._reading is None:
            self._reading = asyncio.create_task(_read(self._call))
        reading = self._reading
        done, _ = await asyncio.wait([reading], timeout=within)
        if self._reading is not reading:
            return None
        if not done:
            raise TimeoutError
        self._reading = None
        answer = _result(reading)
        if answer is grpc.aio.EOF:
            if await self._call.code() is not grpc.StatusCode.OK:
                raise from_rpc(await _error_of(self._call))
            return None
        return answer

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            while (answer := await self.read()) is not None:
                yield answer
        finally:
            self.close()

    async def headers(self) -> dict[str, str | bytes]:
        """Initial metadata."""
        return dict(await self._call.initial_metadata() or ())

    async def trailers(self) -> dict[str, str | bytes]:
        """Trailing metadata, once the stream has ended."""
        return dict(await self._call.trailing_metadata() or ())

    def close(self) -> None:
        """Ends the call, also while a task reads; a stream that is only dropped stays open at the server."""
        self._closed = True
        self._call.cancel()
        if self._reading is not None:
            self._reading.add_done_callback(_retrieve)
            self._reading = None

    def abandon(self) -> None:
        """Ends the call, and gives its connection up: it went silent, and what is sent over it may never arrive."""
        self.close()
        self._leave()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


def _left(seconds: float) -> float | None:
    """What gRPC is told of a deadline; one that it cannot count to is none."""
    return max(0.0, seconds) if seconds <= LONGEST_SECONDS else None


async def _only(call: Any) -> Any:
    stream = AnswerStream(call, _stay)
    try:
        answer = await stream.read()
        if answer is None:
            raise Internal("the server sent no answer", code=grpc.StatusCode.INTERNAL)
        return answer
    finally:
        stream.close()


def _stay() -> None:
    """A single call has a deadline, and says nothing about its connection."""


async def _read(call: Any) -> Any:
    return await call.read()


async def _noting(
    requests: AsyncIterable[Any] | Iterable[Any], failure: list[Exception]
) -> AsyncIterator[Any]:
    """The requests; what they raise is kept, since gRPC only cancels the call."""
    try:
        if isinstance(requests, AsyncIterable):
            async for request in requests:
                yield request
        else:
            for request in requests:
                yield request
    except Exception as error:
        failure.append(error)
        raise


def _result(task: asyncio.Task[Any]) -> Any:
    if task.cancelled():
        raise PostroomError("the call was cancelled", code=grpc.StatusCode.CANCELLED)
    try:
        return task.result()
    except grpc.aio.AioRpcError as error:
        raise from_rpc(error) from None


async def _error_of(call: Any) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(
        await call.code(),
        await call.initial_metadata(),
        await call.trailing_metadata(),
        await call.details(),
    )


def _retrieve(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()
