"""A gRPC relay before the gateway: it counts what comes, refuses what it is told to, and alters answers as raw bytes.

It owns the playing of a server of another version, of one that refuses, and of a download that goes wrong under a good
status. It knows methods by their path and messages by their field numbers; nothing is parsed into a class, so that a client
receives what the real server sent but for the one thing that is altered.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Self

import grpc
from postroom.v1.change_pb2 import Change
from postroom.v1.change_service_pb2 import StreamEnd, WatchChangesResponse
from postroom.v1.reset_pb2 import Reset

from tests.clients.scenarios import wire

SERVICE: Final = "/postroom.v1."
OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_retries", 0),
    ("grpc.so_reuseport", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 5_000),
)
HOP_HEADERS: Final = ("grpc-", "content-type", "user-agent", "te", "date", "server", "x-envoy-")
STATUS_DETAILS: Final = "grpc-status-details-bin"
STOP_SECONDS: Final = 0.1
STRANGE_REASON: Final = "ACCOUNT_ELSEWHERE"
"""As long as the reason in whose place it is put, so that the lengths around it stay right."""
STRANGE_END: Final = 99
ADDED: Final = b"from a later version"

_FRAMES: Final = {one.name: one.number for one in WatchChangesResponse.DESCRIPTOR.fields}
_FACTS: Final = frozenset(one.number for one in Change.DESCRIPTOR.oneofs_by_name["fact"].fields)
Skew = Callable[[str, bytes], Iterable[bytes]]


def _unknown_field(method: str, message: bytes) -> Iterable[bytes]:
    """Every answer has a field more, and so has what stands first in it."""
    inner = wire.rewritten(message, 1, _longer) if method == "AccountService.GetAccount" else message
    yield _longer(inner)


def _longer(message: bytes) -> bytes:
    return message + wire.encode(wire.UNKNOWN, ADDED)


def _unknown_change(method: str, message: bytes) -> Iterable[bytes]:
    """Each added message is told as a fact of a kind that is not known yet."""
    if method != "ChangeService.WatchChanges":
        yield message
        return
    fact = Change.DESCRIPTOR.fields_by_name["message_added"].number
    yield wire.rewritten(
        message, _FRAMES["change"], lambda change: wire.renumbered(change, frozenset({fact}) & _FACTS)
    )


def _unknown_frame(method: str, message: bytes) -> Iterable[bytes]:
    """Each change becomes a frame of an unknown kind, with the change's cursor."""
    if method == "ChangeService.WatchChanges":
        yield wire.renumbered(message, frozenset({_FRAMES["change"]}))
    else:
        yield message


def _unknown_end(method: str, message: bytes) -> Iterable[bytes]:
    """After each change the stream ends for a reason that is not known yet."""
    yield message
    if method == "ChangeService.WatchChanges" and wire.first(message, _FRAMES["change"]) is not None:
        cursor = wire.first(message, _FRAMES["cursor"]) or b""
        yield wire.encode(_FRAMES["cursor"], cursor) + wire.encode(
            _FRAMES["end"], wire.encode(1, STRANGE_END)
        )


def _reset(cursor: bytes) -> bytes:
    """A frame that says that the feed was rolled back to `cursor`."""
    what = wire.encode(1, b"accounts/-") + wire.encode(2, Reset.Reason.STORE_ROLLED_BACK)
    return wire.encode(_FRAMES["cursor"], cursor) + wire.encode(_FRAMES["reset"], what)


def _corrupted(method: str, message: bytes) -> Iterable[bytes]:
    """The last byte of every piece is another one; for a piece of a download that is its data."""
    yield message[:-1] + bytes([message[-1] ^ 1]) if message else message


def _unaltered(method: str, message: bytes) -> Iterable[bytes]:
    yield message


SKEWS: Final[dict[str, Skew]] = {
    "none": _unaltered,
    "unknown field": _unknown_field,
    "unknown change": _unknown_change,
    "unknown frame": _unknown_frame,
    "unknown end": _unknown_end,
    "unknown reason": _unaltered,
    "reset": _unaltered,
    "corrupted": _corrupted,
    "truncated": _unaltered,
}


@dataclass(slots=True)
class Tally:
    """What came of one method: calls, those that the caller left, and of frames that went down: reasons of `end`, and `?`
    for each of an unknown kind; and those that are open now."""

    calls: int = 0
    open: int = 0
    cancelled: int = 0
    ends: Counter[str] = field(default_factory=Counter)


class Relay(grpc.GenericRpcHandler):
    """One relay on a port of its own.

    Args:
        target: Address of the gateway.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._refusals: Counter[str] = Counter()
        self.skew = "none"
        self.tallies: dict[str, Tally] = {}
        self.port = 0

    async def __aenter__(self) -> Self:
        self._channel = grpc.aio.insecure_channel(self._target, options=OPTIONS)
        self._server = grpc.aio.server(options=OPTIONS)
        self._server.add_generic_rpc_handlers((self,))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(STOP_SECONDS)
        await self._channel.close()

    def refuse(self, method: str, times: int) -> None:
        """The next calls of a method are answered UNAVAILABLE, without a reason, and not passed on."""
        self._refusals[method] += times

    def tally(self, method: str) -> Tally:
        """What came of a method, such as `AccountService.GetAccount`."""
        return self.tallies.setdefault(method, Tally())

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Every method is served in the same way."""
        path = str(handler_call_details.method)
        method = path.removeprefix(SERVICE).replace("/", ".")

        async def behaviour(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
            tally = self.tally(method)
            tally.calls += 1
            tally.open += 1
            try:
                if self._refusals[method] > 0:
                    self._refusals[method] -= 1
                    await context.abort(grpc.StatusCode.UNAVAILABLE, "no healthy upstream")
                async for one in self._answers(path, method, requests, context):
                    yield one
            except (asyncio.CancelledError, GeneratorExit):
                tally.cancelled += 1
                raise
            finally:
                tally.open -= 1

        return grpc.stream_stream_rpc_method_handler(behaviour)

    async def _answers(
        self, path: str, method: str, requests: AsyncIterator[bytes], context: Any
    ) -> AsyncIterator[bytes]:
        open_call: Any = self._channel.stream_stream(path)
        call = open_call(
            requests,
            metadata=_passed(context.invocation_metadata()),
            timeout=context.time_remaining(),
        )
        try:
            await context.send_initial_metadata(_passed(await call.initial_metadata()))
            async for one in self._skewed(method, call):
                yield one
        except grpc.aio.AioRpcError as error:
            await context.abort(error.code(), error.details() or "", self._trailers(error))
        else:
            context.set_trailing_metadata(_passed(await call.trailing_metadata()))
        finally:
            call.cancel()

    async def _skewed(self, method: str, call: Any) -> AsyncIterator[bytes]:
        held: bytes | None = None
        cursor = b""
        async for message in call:
            if self.skew == "reset" and method == "ChangeService.WatchChanges":
                if wire.first(message, _FRAMES["change"]) is not None:
                    self.skew = "none"
                    yield _reset(cursor)
                cursor = wire.first(message, _FRAMES["cursor"]) or b""
            for one in SKEWS[self.skew](method, message):
                self._note_end(method, one)
                if held is not None:
                    yield held
                held = one
                if self.skew != "truncated":
                    yield held
                    held = None

    def _note_end(self, method: str, message: bytes) -> None:
        if method == "ChangeService.WatchChanges":
            self.tally(method).ends["?"] += wire.first(message, wire.UNKNOWN) is not None
            end = wire.first(message, _FRAMES["end"])
            if end is not None:
                number = wire.number_of(wire.first(end, 1) or b"\0")
                known = number in StreamEnd.Reason.values()
                self.tally(method).ends[StreamEnd.Reason.Name(number) if known else str(number)] += 1

    def _trailers(self, error: grpc.aio.AioRpcError) -> tuple[tuple[str, str | bytes], ...]:
        kept = _passed(error.trailing_metadata(), status=True)
        if self.skew != "unknown reason":
            return kept
        told = b"ACCOUNT_NOT_FOUND"
        return tuple(
            (key, value.replace(told, STRANGE_REASON.encode()) if isinstance(value, bytes) else value)
            for key, value in kept
        )


def _passed(metadata: Any, *, status: bool = False) -> tuple[tuple[str, str | bytes], ...]:
    """What one hop hands to the next."""
    return tuple(
        (key, value)
        for key, value in metadata or ()
        if not key.startswith(HOP_HEADERS) or (status and key == STATUS_DETAILS)
    )
