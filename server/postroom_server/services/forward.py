"""Relaying a call to the node that owns the account.

It owns the road between nodes: one channel per node, raw bytes in both directions, and with them metadata, the remaining
deadline, cancellation and the owner's status with its details. The owner authenticates the caller's token itself, so
that a relay has no powers of its own. It refuses a second hop (`x-postroom-hop`), so that two nodes with old leases
cannot pass a call back and forth.

An answer is read as a stream of one: in grpcio 1.85 a cancelled unary call of a client leaks about 970 bytes, a stream
that is cancelled explicitly does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import Any, Final, TypeAlias

import grpc

from postroom_server.services.calling import METHOD, REQUEST_ID, Context, MetadataPairs, remaining
from postroom_server.services.errors import Relayed, reason_of
from postroom_server.services.interceptors.edge import JSON_BODY, ORIGINAL_PATH
from postroom_server.services.interceptors.observe import REQUEST_ID_KEY

HOP: Final = "x-postroom-hop"
DETAILS: Final = "grpc-status-details-bin"
MAX_MESSAGE_BYTES: Final = 40 * 1024 * 1024
MAX_METADATA_BYTES: Final = 64 * 1024
MAX_CHANNELS: Final = 1_000
NOT_FORWARDED: Final = frozenset(
    {"te", "content-type", "user-agent", "host", "connection", HOP, JSON_BODY, ORIGINAL_PATH, REQUEST_ID_KEY}
)
"""What is the transport's, the gateway's or ours."""
CHANNEL_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
)

Pairs: TypeAlias = Sequence[tuple[str, str | bytes]]


class Peers:
    """One channel per node, kept; gRPC reconnects it by itself.

    Args:
        credentials: For TLS between machines; None on one machine.
    """

    def __init__(self, credentials: grpc.ChannelCredentials | None = None) -> None:
        self._credentials = credentials
        self._channels: dict[str, grpc.aio.Channel] = {}

    def channel(self, address: str) -> grpc.aio.Channel:
        """The channel to a node at `host:port` or `unix:///path`."""
        if address not in self._channels:
            if len(self._channels) >= MAX_CHANNELS:
                raise RuntimeError("too many nodes")
            self._channels[address] = (
                grpc.aio.insecure_channel(address, CHANNEL_OPTIONS)
                if self._credentials is None
                else grpc.aio.secure_channel(address, self._credentials, CHANNEL_OPTIONS)
            )
        return self._channels[address]

    async def close(self) -> None:
        """Closes every channel."""
        channels = tuple(self._channels.values())
        self._channels.clear()
        await asyncio.gather(*(channel.close() for channel in channels))


class Relay:
    """Passes calls on."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def unary(self, address: str, request: Any, context: Context) -> bytes:
        """The owner's one answer. Raises Relayed with the owner's status."""
        open_stream: Any = self._peers.channel(address).unary_stream(METHOD.get())
        return await self._one(open_stream, request.SerializeToString(), context)

    async def _one(self, open_stream: Any, sent: Any, context: Context) -> bytes:
        async with aclosing(self._answers(open_stream, sent, context)) as messages:
            answers = [message async for message in messages]
        if not answers:
            raise Relayed(grpc.StatusCode.INTERNAL, "the owner sent no answer", ())
        return answers[0]

    def stream(self, address: str, request: Any, context: Context) -> AsyncGenerator[bytes, None]:
        """The owner's answers, one at a time, so that a slow reader holds the owner back. Raises Relayed."""
        open_stream: Any = self._peers.channel(address).unary_stream(METHOD.get())
        return self._answers(open_stream, request.SerializeToString(), context)

    async def upload(self, address: str, pieces: Iterable[Any], context: Context) -> bytes:
        """The owner's one answer to a stream of requests, which were taken in before. Raises Relayed."""
        open_stream: Any = self._peers.channel(address).stream_stream(METHOD.get())
        sent = [piece.SerializeToString() for piece in pieces]
        return await self._one(open_stream, iter(sent), context)

    async def _answers(self, open_stream: Any, sent: Any, context: Context) -> AsyncGenerator[bytes, None]:
        metadata = (
            *_kept(context.invocation_metadata()),
            (HOP, "1"),
            (REQUEST_ID_KEY, REQUEST_ID.get()),
        )
        call = open_stream(sent, timeout=remaining(), metadata=metadata)
        reading: asyncio.Task[Any] | None = None
        try:
            reading = asyncio.create_task(_read(call))
            await asyncio.wait([reading])
            message = reading.result()
            if message is not grpc.aio.EOF:
                await context.send_initial_metadata(_kept(await call.initial_metadata()))
            while message is not grpc.aio.EOF:
                yield message
                reading = asyncio.create_task(_read(call))
                await asyncio.wait([reading])
                message = reading.result()
            trailing = _kept(await call.trailing_metadata())
            if await call.code() is not grpc.StatusCode.OK:
                raise _relayed(await call.code(), await call.details(), await call.trailing_metadata())
            context.set_trailing_metadata(trailing)
        except grpc.aio.AioRpcError as error:
            raise _relayed(error.code(), error.details(), error.trailing_metadata()) from None
        finally:
            # Never left to the collector, and nothing when it is done: a dropped call stays open at the owner.
            call.cancel()
            if reading is not None:
                reading.add_done_callback(_retrieve)


async def _read(call: Any) -> Any:
    """In a task of its own that is never cancelled: an await inside grpc that is cancelled leaks."""
    return await call.read()


def _retrieve(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()


def _relayed(code: grpc.StatusCode, details: str | None, trailing: MetadataPairs) -> Relayed:
    pairs: Pairs = tuple((key, value) for key, value in trailing or ())
    kept = tuple((key, value) for key, value in pairs if key == DETAILS or _is_kept(key))
    return Relayed(code, details or "", kept, reason_of(pairs))


def _kept(metadata: MetadataPairs) -> Pairs:
    return tuple((key, value) for key, value in metadata or () if _is_kept(key))


def _is_kept(key: str) -> bool:
    return key not in NOT_FORWARDED and not key.startswith(("grpc-", ":"))
