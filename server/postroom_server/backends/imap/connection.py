"""One connection to an IMAP server: connecting, TLS, sending commands, and the moment it cannot be trusted any more.

Owns the socket, TLS and STARTTLS (threats T05), literals and pipelining, and the rule that doubt ends a connection: a
command that was cancelled or ran out of time ends within a second or the connection is dropped. Refuses meaning:
responses go to the command that wants them, else to the listener; capabilities and SELECT state are the session's.

    C: P1 UID FETCH 7 (FLAGS)         run() writes and waits
    S: * 3 FETCH (UID 7 FLAGS ())     collect(response) of the oldest command that takes it, else the listener
    S: P1 OK done                     run() returns
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Sequence

from postroom_server.backends.imap.base import AUTH, BaseClient
from postroom_server.backends.imap.dial import connect, encryption, why
from postroom_server.backends.imap.dialogue import Told
from postroom_server.backends.imap.protocol import Answer, Collect, Exchange, Listener, Protocol, SinkFor
from postroom_server.backends.imap.refusals import Refused
from postroom_server.backends.imap.wire.encoder import Argument, Literals, encode
from postroom_server.backends.imap.wire.responses import Kind, Status
from postroom_server.domain.providers import Egress
from postroom_server.errors import (
    DeadlineExceeded,
    Internal,
    PostroomError,
    ProviderMisbehaved,
    ProviderUnreachable,
)

__all__ = ["Connection", "until"]

DRAIN_SECONDS = 1.0
"""How long an abandoned command may take to end before the connection is dropped."""
CONNECT_SECONDS = 10.0
"""One attempt at one address, and one handshake; the call's deadline may be earlier."""
MAX_IN_FLIGHT = 64
"""Commands pipelined on one connection."""
UPLOAD_BYTES = 256 << 10
"""Piece in which an upload is written; the transport is drained after each."""


@contextlib.asynccontextmanager
async def until(deadline: float, stage: str) -> AsyncIterator[None]:
    """End what is inside at `deadline` (the loop's clock), as DeadlineExceeded; past it, nothing inside begins."""
    if asyncio.get_running_loop().time() >= deadline:
        raise DeadlineExceeded(stage=stage)
    try:
        async with asyncio.timeout_at(deadline):
            yield
    except TimeoutError as late:
        raise DeadlineExceeded(stage=stage) from late


class Connection(BaseClient):
    """`open()` once, then `run()` as often as wanted, `close()` or `drop()` at the end.

    Errors are those of the contract: ProviderUnreachable (`stage`), ProviderThrottled, ProviderMisbehaved,
    DeadlineExceeded; a NO or BAD of a command is `Refused`.
    """

    protocol: Protocol

    def __init__(self, host: str, port: int, told: Told | None = None) -> None:
        self.told = told or Told()
        super().__init__(host, port)
        self.literals = Literals.SYNCHRONISING
        self._loop = asyncio.get_running_loop()
        self._writing = asyncio.Lock()

    def make_protocol(self, loop: asyncio.AbstractEventLoop) -> None:
        """Make the receiving half."""
        self.protocol = Protocol(loop, self.told)

    def __repr__(self) -> str:
        state = "failed" if self.failed else self.protocol.state
        return f"<Connection {self.host}:{self.port} {state} flying={len(self.protocol.flying)}>"

    @property
    def failed(self) -> bool:
        """Whether it is of no more use."""
        return self.protocol.failure is not None

    @property
    def settled(self) -> bool:
        """Whether it is alive and no command is in flight."""
        return not self.failed and not self.protocol.flying

    @property
    def authenticated(self) -> bool:
        """Whether the server greeted with PREAUTH, or somebody logged in."""
        return bool(self.protocol.state == AUTH)

    def mark_authenticated(self) -> None:
        """The login succeeded."""
        self.protocol.state = AUTH

    def listen(self, listener: Listener, on_failure: Callable[[], None] | None = None) -> None:
        """Give every untagged response that no command takes to `listener`; tell `on_failure` once when it is over."""
        self.protocol.listener, self.protocol.on_failure = listener, on_failure

    async def open(self, egress: Egress, tls: ssl.SSLContext | None, *, deadline: float) -> Status:
        """Connect and return the greeting; with `tls` the connection is encrypted from the first byte."""
        try:
            async with until(deadline, "connect"):
                await self._dial(await egress.resolve(self.host, self.port), tls)
                return await asyncio.shield(self.protocol.greeting)
        except BaseException:
            self.drop()
            raise

    async def _dial(self, addresses: Sequence[str], tls: ssl.SSLContext | None) -> None:
        error = ProviderUnreachable("the host has no address", stage="dns")
        for address in addresses:
            self.told.event(f"connects to {self.host} at {address}, port {self.port}")
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    link = await connect(address, self.port)
            except (OSError, TimeoutError) as fault:
                error = ProviderUnreachable(f"cannot connect: {why(fault)}", stage="tcp", address=address)
                self.told.event(str(error))
                continue
            try:
                await self._loop.create_connection(
                    lambda: self.protocol,
                    sock=link,
                    ssl=tls,
                    server_hostname=self.host if tls else None,
                    ssl_handshake_timeout=CONNECT_SECONDS if tls else None,
                )
                self.told.event(encryption(self.protocol.transport))
                return
            except OSError as fault:
                link.close()
                self.told.event(f"TLS failed: {why(fault)}")
                raise ProviderUnreachable(
                    f"TLS failed: {why(fault)}", stage="tls", address=address
                ) from fault
            except BaseException:
                link.close()
                raise
        raise error

    async def start_tls(self, tls: ssl.SSLContext, *, deadline: float) -> None:
        """Encrypt an open connection; the caller forgets what the server said before (RFC 9051 section 6.2.1)."""
        await self.run("STARTTLS", deadline=deadline)
        protocol = self.protocol
        if self.authenticated:
            self.drop(ProviderMisbehaved("the server logs in before TLS"))
        if protocol.transport is None or protocol.failure is not None:
            raise protocol.failure or Internal("a connection without a transport")
        protocol.restart()
        try:
            async with until(deadline, "tls"):
                transport = await self._loop.start_tls(
                    protocol.transport,
                    protocol,
                    tls,
                    server_hostname=self.host,
                    ssl_handshake_timeout=CONNECT_SECONDS,
                )
        except OSError as fault:
            self.drop(ProviderUnreachable(f"TLS failed: {why(fault)}", stage="tls"))
            transport = None
        except BaseException:
            self.drop()
            raise
        if self.protocol.failure is not None:
            raise self.protocol.failure
        protocol.transport = transport
        protocol.switching = False
        self.told.event(encryption(transport))

    async def run(
        self,
        command: str,
        *arguments: Argument,
        deadline: float,
        collect: Collect | None = None,
        sink_for: SinkFor | None = None,
        answer: Answer | None = None,
        upload: AsyncIterator[bytes] | None = None,
        patient: bool = False,
    ) -> Status:
        """Send one command and return its OK.

        Commands of several tasks are pipelined; the caller knows which may be. `upload` yields the bytes of a last
        argument `Upload`. `patient`: the server may think in silence for as long as the deadline allows (SEARCH).

        Raises:
            Refused: NO or BAD.
            PostroomError: DeadlineExceeded, or what ended the connection.
            NotEncodable: An argument has no spelling; nothing was sent.
        """
        exchange = await self.send(
            command,
            *arguments,
            deadline=deadline,
            collect=collect,
            sink_for=sink_for,
            answer=answer,
            upload=upload,
            patient=patient,
        )
        return await self.finish(exchange, deadline=deadline)

    async def send(
        self,
        command: str,
        *arguments: Argument,
        deadline: float,
        collect: Collect | None = None,
        sink_for: SinkFor | None = None,
        answer: Answer | None = None,
        upload: AsyncIterator[bytes] | None = None,
        patient: bool = False,
    ) -> Exchange:
        """Send one command and return it in flight; every exchange must be given to `finish` or `abandon`."""
        protocol = self.protocol
        async with until(deadline, "send"), self._writing:
            if protocol.failure is not None:
                raise protocol.failure
            if len(protocol.flying) >= MAX_IN_FLIGHT:
                raise Internal("too many commands on one connection")
            exchange = Exchange(command, protocol.next_tag(), self._loop)
            exchange.collect, exchange.sink_for, exchange.answer = collect, sink_for, answer
            exchange.patient = patient
            chunks = encode(exchange.tag, command, arguments, self.literals)
            self.told.sent(command, chunks)
            if not protocol.flying:
                protocol.last_received = self._loop.time()
            protocol.flying.append(exchange)
            protocol.watch_progress()
            try:
                await self._write(exchange, chunks, upload)
            except BaseException:
                self.abandon(exchange)
                if len(chunks) > 1:
                    self.drop()
                raise
        return exchange

    async def _write(
        self, exchange: Exchange, chunks: list[bytes], upload: AsyncIterator[bytes] | None
    ) -> None:
        """Write the chunks; stop early where the server ends the command instead of letting it go on."""
        transport = self.protocol.transport
        assert transport is not None
        for index, chunk in enumerate(chunks):
            last = index == len(chunks) - 1
            if last and upload is not None:
                await self._upload(exchange, upload)
            if exchange.done.done():
                return
            waits = not last and not chunk.endswith(b"+}\r\n")
            exchange.go_ahead = self._loop.create_future() if waits else None
            transport.write(chunk)
            if exchange.go_ahead is not None and not await exchange.go_ahead:
                return
        await self.protocol.writable.wait()

    async def _upload(self, exchange: Exchange, upload: AsyncIterator[bytes]) -> None:
        transport = self.protocol.transport
        assert transport is not None
        async for piece in upload:
            for start in range(0, len(piece), UPLOAD_BYTES):
                if exchange.done.done():
                    self.drop()
                    return
                transport.write(piece[start : start + UPLOAD_BYTES])
                self.protocol.last_received = self._loop.time()
                await self.protocol.writable.wait()

    async def finish(self, exchange: Exchange, *, deadline: float) -> Status:
        """Wait for the end of a command that was sent; as `run`."""
        try:
            async with until(deadline, exchange.command):
                status = await asyncio.shield(exchange.done)
        finally:
            if not exchange.done.done():
                self.abandon(exchange)
        if status.kind is not Kind.OK:
            raise Refused(exchange.command, status)
        return status

    def abandon(self, exchange: Exchange) -> None:
        """Nobody waits any more: the command ends within a second, or the connection does."""
        exchange.forget()
        self.resume()
        if exchange in self.protocol.flying:
            self._loop.call_later(DRAIN_SECONDS, self._drop_unless_done, exchange)

    def _drop_unless_done(self, exchange: Exchange) -> None:
        if exchange in self.protocol.flying:
            self.drop(ProviderUnreachable("an abandoned command did not end", stage="timeout"))

    async def drained(self) -> None:
        """Wait until nothing is in flight any more, or it has failed."""
        while self.protocol.flying and not self.failed:
            with contextlib.suppress(PostroomError):
                await asyncio.shield(self.protocol.flying[0].done)
            await asyncio.sleep(0)

    def write_line(self, line: bytes) -> None:
        """Write a bare line within a command that is in flight: DONE of IDLE."""
        if not self.failed and self.protocol.transport is not None:
            self.told.answered("", line)
            self.protocol.transport.write(line + b"\r\n")

    def set_patience(self, exchange: Exchange, *, patient: bool) -> None:
        """Say whether silence is normal for this command (IDLE) or its answer is due."""
        exchange.patient = patient
        self.protocol.last_received = self._loop.time()

    def pause(self) -> None:
        """Stop reading from the socket until `resume`: whoever takes a literal has enough for now."""
        protocol = self.protocol
        if not protocol.paused and protocol.transport is not None and not protocol.transport.is_closing():
            protocol.paused = True
            protocol.transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        protocol = self.protocol
        if protocol.paused:
            protocol.paused = False
            protocol.last_received = self._loop.time()
            if protocol.transport is not None and not protocol.transport.is_closing():
                protocol.transport.resume_reading()

    def drop(self, error: PostroomError | None = None) -> None:
        """End it at once; safe to call twice."""
        self.protocol.fail(error or ProviderUnreachable("the connection was given up", stage="closed"))

    async def close(self, *, deadline: float) -> None:
        """Say goodbye if that is possible in time, and end it."""
        try:
            if self.settled:
                with contextlib.suppress(PostroomError, Refused):
                    await self.run("LOGOUT", deadline=deadline)
        finally:
            self.drop()
