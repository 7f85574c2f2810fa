"""The receiving half of a connection: bytes to responses, responses to the commands that wait for them.

Owns tags in flight, the greeting, BYE, continuations, and the verdict that a connection has failed. Refuses to write,
but for a command's own answers to challenges: `connection.py` does that. Nothing untagged is ever dropped: what no
command takes goes to the listener.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from postroom_server.backends.imap.base import AUTH, LOGOUT, NONAUTH, BaseProtocol
from postroom_server.backends.imap.dialogue import Told
from postroom_server.backends.imap.refusals import farewell
from postroom_server.backends.imap.wire.faults import Malformed, WireFault
from postroom_server.backends.imap.wire.responses import (
    Continuation,
    Kind,
    Response,
    Status,
    Tagged,
    read_response,
)
from postroom_server.backends.imap.wire.splitter import LiteralSink, Parts, Splitter
from postroom_server.errors import PostroomError, ProviderMisbehaved, ProviderUnreachable

__all__ = ["Answer", "Collect", "Exchange", "Listener", "Protocol", "SinkFor"]

STALL_SECONDS = 30.0
"""Silence after which a connection with a command in flight is dead (F03)."""
MAX_UNREADABLE = 16
"""Responses that break the grammar before the connection is dropped (F11)."""

Collect = Callable[[Response], bool]
SinkFor = Callable[[bytes, int], "LiteralSink | None"]
Answer = Callable[[bytes], "bytes | None"]
Listener = Callable[[Response], None]


class _Void:
    """Takes literals that nobody wants any more."""

    def write(self, data: bytes) -> None:
        """Forget the bytes."""

    def close(self) -> None:
        """Nothing to end."""


def _void(_text: bytes, _size: int) -> LiteralSink:
    return _Void()


def _ignore(_parts: Parts) -> None:
    pass


class Exchange:
    """One command in flight.

    Attributes:
        collect: Is offered each untagged response and says whether it was its own.
        sink_for: May take the literals of its responses.
        answer: Replies to continuations that no literal waits for (SASL, IDLE).
        patient: Silence means nothing (IDLE).
        unreadable: Untagged responses that broke the grammar while it was the oldest.
    """

    __slots__ = (
        "answer",
        "collect",
        "command",
        "done",
        "go_ahead",
        "patient",
        "sink_for",
        "tag",
        "unreadable",
    )

    def __init__(self, command: str, tag: bytes, loop: asyncio.AbstractEventLoop) -> None:
        self.command = command
        self.tag = tag
        self.done: asyncio.Future[Status] = loop.create_future()
        self.go_ahead: asyncio.Future[bool] | None = None
        self.collect: Collect | None = None
        self.sink_for: SinkFor | None = None
        self.answer: Answer | None = None
        self.patient = False
        self.unreadable = 0

    def forget(self) -> None:
        """Nobody waits any more; literals on their way are read and thrown away."""
        self.collect = self.answer = None
        self.sink_for = _void if self.sink_for is not None else None
        self.patient = False

    def allow(self, *, go: bool) -> None:
        """Tell whoever waits for a continuation whether it came."""
        if self.go_ahead is not None and not self.go_ahead.done():
            self.go_ahead.set_result(go)


class Protocol(BaseProtocol):
    """Receives; see the module. `failure` is why the connection is of no more use, None while it is."""

    def __init__(self, loop: asyncio.AbstractEventLoop, told: Told) -> None:
        super().__init__(loop)
        self.told = told
        self.flying: deque[Exchange] = deque()
        self.greeting: asyncio.Future[Status] = loop.create_future()
        self.failure: PostroomError | None = None
        self.bye: Status | None = None
        self.listener: Listener | None = None
        self.on_failure: Callable[[], None] | None = None
        self.last_received = loop.time()
        self.switching = False
        self.paused = False
        self.writable = asyncio.Event()
        self.writable.set()
        self._unreadable = 0
        self._stall: asyncio.TimerHandle | None = None
        self.restart()

    def restart(self) -> None:
        """Begin with an empty buffer, as after STARTTLS."""
        self._splitter = Splitter(self._take, self._sink_for)

    def pause_writing(self) -> None:
        """The transport's buffer is full."""
        self.writable.clear()

    def resume_writing(self) -> None:
        """The transport has room again."""
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        """Take bytes of the transport."""
        self.last_received = self.loop.time()
        if self.failure is not None or self._spoke_too_early():
            return
        try:
            self._splitter.feed(data)
        except WireFault as fault:
            self.fail(ProviderMisbehaved(f"the server broke the protocol: {fault}"))
            return
        if not self._splitter.idle:
            self._spoke_too_early()

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is closed."""
        if self.bye is not None:
            self.fail(farewell(self.bye))
        else:
            self.fail(ProviderUnreachable("the connection was lost", stage="closed"))
        # Without these a closed connection and its TLS state would wait for the collector of cycles.
        self.transport = self.listener = self.on_failure = None
        self._splitter = Splitter(_ignore)

    def fail(self, error: PostroomError) -> None:
        """End the connection: everything in flight gets the error, and so does whatever is tried later."""
        if self.failure is not None:
            return
        self.failure = error
        self.told.event(f"closed: {error}")
        self.state = LOGOUT
        if self._stall is not None:
            self._stall.cancel()
        if not self.greeting.done():
            self.greeting.set_exception(error)
            self.greeting.exception()
        for exchange in self.flying:
            exchange.allow(go=False)
            if not exchange.done.done():
                exchange.done.set_exception(error)
                exchange.done.exception()
        self.flying.clear()
        self.writable.set()
        if self.transport is not None:
            self.transport.abort()
        if self.on_failure is not None:
            self.on_failure()

    def watch_progress(self) -> None:
        """Begin to look for silence, if nobody does yet."""
        if self._stall is None:
            self._stall = self.loop.call_later(STALL_SECONDS, self._check_progress)

    def _check_progress(self) -> None:
        self._stall = None
        if not self.flying:
            return
        silent = self.loop.time() - self.last_received
        if self.paused or all(exchange.patient for exchange in self.flying):
            silent = 0.0
        if silent >= STALL_SECONDS:
            self.fail(ProviderUnreachable("the server has fallen silent", stage="timeout"))
            return
        self._stall = self.loop.call_later(max(1.0, STALL_SECONDS - silent), self._check_progress)

    def _spoke_too_early(self) -> bool:
        """Refuse anything that comes in clear behind the OK of STARTTLS: it would be read as if it were protected."""
        if self.switching:
            self.fail(ProviderMisbehaved("the server spoke between STARTTLS and TLS"))
        return self.switching

    def _sink_for(self, text: bytes, size: int) -> LiteralSink | None:
        for exchange in self.flying:
            if exchange.sink_for is not None and (sink := exchange.sink_for(text, size)) is not None:
                return sink
        return None

    def _take(self, parts: Parts) -> None:
        if self.failure is not None or self._spoke_too_early():
            return
        self.told.received(parts)
        try:
            response = read_response(parts)
        except Malformed:
            self._count_unreadable(parts)
            return
        response = self._without_secrets(response)
        if not self.greeting.done():
            self._greet(response)
        elif isinstance(response, Tagged):
            self._finish(response)
        elif isinstance(response, Continuation):
            self._go_on(response)
        else:
            self._hand_over(response)

    def _without_secrets(self, response: Response) -> Response:
        """The response, whose words may end in an error, without what the server repeats of a login."""
        if isinstance(response, Status):
            return replace(response, text=self.told.cleaned(response.text))
        if isinstance(response, Tagged):
            status = replace(response.status, text=self.told.cleaned(response.status.text))
            return replace(response, status=status)
        return response

    def _count_unreadable(self, parts: Parts) -> None:
        self._unreadable += 1
        if not self.greeting.done():
            self.fail(ProviderUnreachable("this is no IMAP server", stage="greeting"))
        elif self._unreadable > MAX_UNREADABLE or not parts[0].startswith(b"* "):
            self.fail(ProviderMisbehaved("the server's answers cannot be read"))
        elif self.flying:
            self.flying[0].unreadable += 1

    def _greet(self, response: Response) -> None:
        if isinstance(response, Status) and response.kind in {Kind.OK, Kind.PREAUTH}:
            self.state = AUTH if response.kind is Kind.PREAUTH else NONAUTH
            self.greeting.set_result(response)
        elif isinstance(response, Status) and response.kind is Kind.BYE:
            self.fail(farewell(response))
        else:
            self.fail(ProviderUnreachable("this is no IMAP server", stage="greeting"))

    def _finish(self, response: Tagged) -> None:
        for exchange in self.flying:
            if exchange.tag == response.tag:
                break
        else:
            self.fail(ProviderMisbehaved("the server ended a command that was never sent"))
            return
        self.flying.remove(exchange)
        if exchange.command == "STARTTLS" and response.status.kind is Kind.OK:
            self.switching = True
        exchange.allow(go=False)
        if not exchange.done.done():
            exchange.done.set_result(response.status)

    def _go_on(self, response: Continuation) -> None:
        for exchange in self.flying:
            if exchange.go_ahead is not None and not exchange.go_ahead.done():
                exchange.allow(go=True)
                return
            if exchange.answer is not None:
                reply = exchange.answer(response.text)
                if reply is not None and self.transport is not None:
                    self.told.answered(exchange.command, reply)
                    self.transport.write(reply + b"\r\n")
                return

    def _hand_over(self, response: Response) -> None:
        if isinstance(response, Status):
            if response.kind is Kind.BYE:
                self.bye = response
            elif response.kind is Kind.PREAUTH:
                self.state = AUTH
        for exchange in self.flying:
            if exchange.collect is not None and exchange.collect(response):
                return
        if self.listener is not None:
            self.listener(response)
