"""The way to a server: address, token, deadlines, retries and errors of single calls.

It owns a channel and makes of it what the generated stubs want of one, so that every call carries the token, has a
deadline, raises errors by reason, and leaks nothing when it is cancelled: in grpcio 1.85 a unary call that is cancelled
keeps about 970 bytes for ever, so an answer is read as a stream of one, in a task that is never cancelled.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from typing import Any, Final, Self

import grpc

from postroom.errors import Internal
from postroom.statuses import PostroomError, from_rpc

MAX_MESSAGE_BYTES: Final = 40 * 1024 * 1024
DEFAULT_SECONDS: Final = 30.0
SECONDS: Final = {"ListChanges": 60.0, "VerifyAccount": 60.0, "SyncAccount": 60.0, "DeleteAccount": 60.0}
"""Deadlines of methods that may take longer than DEFAULT_SECONDS."""
UPLOAD_SECONDS: Final = 600.0
FIRST_PAUSE_SECONDS: Final = 0.05
LAST_PAUSE_SECONDS: Final = 1.0
REPEATABLE: Final = (
    "Get",
    "List",
    "Search",
    "BatchGet",
    "Explain",
    "Verify",
    "Discover",
    "Delete",
    "Modify",
    "Update",
)
"""Methods that may be made again when no node could take them; making them twice is the same as making them once."""
OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
)
_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")


def open_channel(address: str, credentials: grpc.ChannelCredentials | None = None) -> grpc.aio.Channel:
    """A channel to `host:port`, `http(s)://host:port` or `unix:///path`.

    Without a scheme, loopback is plain and everything else is TLS, so that a token never travels in clear by accident.
    """
    secure = credentials is not None
    for scheme, tls in (("https://", True), ("http://", False)):
        if address.startswith(scheme):
            address, secure = address.removeprefix(scheme).rstrip("/"), tls
            break
    else:
        host = address.rpartition(":")[0]
        secure = secure or not (address.startswith("unix:") or host in _LOOPBACK)
    if secure:
        return grpc.aio.secure_channel(address, credentials or grpc.ssl_channel_credentials(), OPTIONS)
    return grpc.aio.insecure_channel(address, OPTIONS)


class Calls:
    """Looks like a channel to the generated stubs.

    Args:
        channel: Where calls go.
        token: The bearer token.
    """

    def __init__(self, channel: grpc.aio.Channel, token: str) -> None:
        self._channel, self._metadata = channel, (("authorization", f"Bearer {token}"),)

    def unary_unary(
        self, path: str, request_serializer: Any = None, response_deserializer: Any = None, **_: Any
    ) -> Unary:
        """A call with one answer."""
        return Unary(self.stream(path, request_serializer, response_deserializer), path.rpartition("/")[2])

    def unary_stream(
        self, path: str, request_serializer: Any = None, response_deserializer: Any = None, **_: Any
    ) -> Streaming:
        """A call with a stream of answers."""
        return Streaming(self.stream(path, request_serializer, response_deserializer))

    def stream_unary(
        self, path: str, request_serializer: Any = None, response_deserializer: Any = None, **_: Any
    ) -> Upload:
        """A call with a stream of requests."""
        multi: Any = self._channel.stream_stream(path, request_serializer, response_deserializer)
        return Upload(lambda requests, seconds: multi(requests, timeout=seconds, metadata=self._metadata))

    def stream_stream(self, path: str, *_: Any, **__: Any) -> Any:
        """The contract has no such call."""
        raise TypeError(path)

    def stream(self, path: str, serializer: Any, deserializer: Any) -> Callable[[Any, float | None], Any]:
        """Opens the call as a stream of answers."""
        multi: Any = self._channel.unary_stream(path, serializer, deserializer)
        return lambda request, seconds: multi(request, timeout=seconds, metadata=self._metadata)


class Unary:
    """A method with one answer."""

    def __init__(self, opening: Callable[[Any, float | None], Any], name: str) -> None:
        self._open = opening
        self._seconds = SECONDS.get(name, DEFAULT_SECONDS)
        self._repeatable = name.startswith(REPEATABLE)

    async def __call__(self, request: Any, *, timeout: float | None = None) -> Any:  # noqa: ASYNC109 - gRPC's word
        """The answer within `timeout` seconds. Raises PostroomError."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (self._seconds if timeout is None else timeout)
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return await _only(self._open(request, max(0.0, deadline - loop.time())))
            except PostroomError as error:
                wait = max(error.retry_after or 0.0, random.uniform(0, pause))
                if (
                    not self._repeatable
                    or error.code is not grpc.StatusCode.UNAVAILABLE
                    or error.told.startswith("PROVIDER_")
                    or loop.time() + wait >= deadline
                ):
                    raise
            await asyncio.sleep(wait)
            pause = min(pause * 2, LAST_PAUSE_SECONDS)


class Upload:
    """A method with a stream of requests and one answer."""

    def __init__(self, opening: Callable[[Any, float | None], Any]) -> None:
        self._open = opening

    async def __call__(
        self,
        requests: AsyncIterable[Any] | Iterable[Any],
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - gRPC's word
    ) -> Any:
        """The answer. Raises PostroomError."""
        return await _only(self._open(requests, UPLOAD_SECONDS if timeout is None else timeout))


class Streaming:
    """A method with a stream of answers."""

    def __init__(self, opening: Callable[[Any, float | None], Any]) -> None:
        self._open = opening

    def __call__(self, request: Any, *, timeout: float | None = None) -> AnswerStream:
        """Opens the stream; close it, or read it to its end."""
        return AnswerStream(self._open(request, timeout))


class AnswerStream:
    """A stream of answers: iterate over it, and close it (or leave its context) when done."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self._reading: asyncio.Task[Any] | None = None

    async def read(self, within: float | None = None) -> Any:
        """The next answer, None at the end. Raises PostroomError, and TimeoutError when none comes `within` seconds.

        A read that was given up or cancelled loses nothing: the next one goes on with it.
        """
        if self._reading is None:
            self._reading = asyncio.create_task(_read(self._call))
        done, _ = await asyncio.wait([self._reading], timeout=within)
        if not done:
            raise TimeoutError
        reading, self._reading = self._reading, None
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
        """Ends the call; a stream that is only dropped stays open at the server."""
        self._call.cancel()
        if self._reading is not None:
            self._reading.add_done_callback(_retrieve)
            self._reading = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


async def _only(call: Any) -> Any:
    stream = AnswerStream(call)
    try:
        answer = await stream.read()
        if answer is None:
            raise Internal("the server sent no answer", code=grpc.StatusCode.INTERNAL)
        return answer
    finally:
        stream.close()


async def _read(call: Any) -> Any:
    return await call.read()


def _result(task: asyncio.Task[Any]) -> Any:
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
