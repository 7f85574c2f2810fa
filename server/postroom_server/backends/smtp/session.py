"""One authenticated SMTP connection, on aiosmtplib.

It owns connecting, TLS, the login and the commands of a transaction, each with its deadline; it refuses to go on after
anything but a whole reply: after a cancel, a timeout or a broken reply the connection is dropped, since the next reply would
be taken for the answer of another command. See RFC 5321, 3207 (STARTTLS), 4954 (AUTH), 1870 (SIZE), 6152 (8BITMIME), 6531.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import aiosmtplib

from postroom_server.backends.smtp.dialogue import Told
from postroom_server.backends.smtp.replies import Reply, refused_greeting, refused_login
from postroom_server.domain.accounts import MailServer, Security
from postroom_server.domain.providers import CredentialSource, Egress
from postroom_server.errors import (
    CapabilityMissing,
    CredentialsRejected,
    DeadlineExceeded,
    OutcomeUnknown,
    PostroomError,
    ProviderMisbehaved,
    ProviderUnreachable,
)

CONNECT_SECONDS: Final = 15.0
"""One address: connection, TLS and greeting."""
REPLY_SECONDS: Final = 120.0
"""One reply to one command (RFC 5321 section 4.5.3.2 asks for 5 minutes and allows less for submission)."""
WRITE_BYTES: Final = 256 * 1024
"""Piece in which a message is written; the transport is drained after each."""
TCP_USER_TIMEOUT_MS: Final = 60_000

_DOT: Final = re.compile(rb"(?m)^\.")


@asynccontextmanager
async def until(deadline: float, seconds: float = REPLY_SECONDS) -> AsyncIterator[None]:
    """Ends what is inside at `deadline` (the loop's clock) with DeadlineExceeded, after `seconds` with ProviderUnreachable.

    What the connection raises becomes ProviderUnreachable, what the reply makes impossible ProviderMisbehaved.
    """
    patience = asyncio.get_running_loop().time() + seconds
    try:
        async with asyncio.timeout_at(min(deadline, patience)):
            yield
    except TimeoutError as error:
        if deadline <= patience:
            raise DeadlineExceeded from error
        raise ProviderUnreachable("the server does not answer", stage="timeout") from error
    except aiosmtplib.SMTPServerDisconnected as error:
        raise ProviderUnreachable("the server closed the connection", stage="closed") from error
    except ssl.SSLError as error:
        raise ProviderUnreachable(f"TLS failed: {why(error)}", stage="tls") from error
    except OSError as error:
        raise ProviderUnreachable(f"cannot connect: {why(error)}", stage="tcp") from error
    except aiosmtplib.SMTPException as error:
        raise ProviderMisbehaved("the server's reply cannot be read") from error


def why(error: BaseException) -> str:
    """The cause of a failed connection in a few words, without addresses."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return str(error.verify_message)
    if isinstance(error, ssl.SSLError):
        return str(error.reason or "the handshake failed").lower().replace("_", " ")
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return "the connection was closed"


class Session:
    """A connection that is logged in. `usable` False: it was dropped; open another one."""

    def __init__(self, smtp: aiosmtplib.SMTP, told: Told) -> None:
        self._smtp, self._told = smtp, told
        self._dropped = False
        self.messages = 0
        """Messages that it has carried."""

    def __repr__(self) -> str:
        return f"<Session {self._smtp.hostname} {'usable' if self.usable else 'dropped'} messages={self.messages}>"

    @property
    def usable(self) -> bool:
        """Whether a command may be sent."""
        return not self._dropped and self._smtp.is_connected

    @property
    def max_bytes(self) -> int:
        """The largest message that the server takes, 0 when it does not say (RFC 1870)."""
        value = self._smtp.esmtp_extensions.get("size", "").strip()
        return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else 0

    def offers(self, extension: str) -> bool:
        """Whether the server offers an ESMTP extension."""
        return self._smtp.supports_extension(extension)

    @classmethod
    async def open(
        cls,
        server: MailServer,
        credentials: CredentialSource,
        egress: Egress,
        tls: ssl.SSLContext,
        deadline: float,
        told: Told,
    ) -> Session:
        """Connects, encrypts and logs in.

        Raises:
            PostroomError: AddressDenied, ProviderUnreachable (`stage`), ProviderThrottled, CredentialsRejected,
                CapabilityMissing, DeadlineExceeded.
        """
        async with until(deadline, CONNECT_SECONDS):
            addresses = await egress.resolve(server.host, server.port)
        session = cls(await _connect(server, addresses, tls, deadline, told), told)
        try:
            await session._greet(server, tls, deadline)
            await session._login(credentials, deadline)
        except BaseException as error:
            session.drop(error)
            raise
        return session

    async def _greet(self, server: MailServer, tls: ssl.SSLContext, deadline: float) -> None:
        async with until(deadline):
            await self._hello()
            if server.security is not Security.STARTTLS:
                return
            if not self.offers("starttls"):
                raise ProviderUnreachable("the server does not offer STARTTLS", stage="tls")
            try:
                await self._heard((b"STARTTLS",), self._smtp.starttls(tls_context=tls))
            except aiosmtplib.SMTPResponseException as error:
                raise ProviderUnreachable("the server refused STARTTLS", stage="tls") from error
            self._told.event(encryption(self._smtp))
            await self._hello()

    async def _heard(
        self, words: Sequence[bytes], answer: Awaitable[aiosmtplib.SMTPResponse]
    ) -> aiosmtplib.SMTPResponse:
        """The answer to a command; both are told."""
        self._told.sent(*words)
        try:
            response = await answer
        except aiosmtplib.SMTPResponseException as error:
            self._told.received(error.code, error.message)
            error.message = self._told.cleaned(error.message)
            raise
        self._told.received(response.code, response.message)
        return response

    async def _hello(self) -> None:
        name = (self._smtp.local_hostname or "").encode()
        try:
            await self._heard((b"EHLO", name), self._smtp.ehlo())
        except aiosmtplib.SMTPHeloError:
            try:
                await self._heard((b"HELO", name), self._smtp.helo())
            except aiosmtplib.SMTPHeloError as error:
                raise refused_greeting(Reply.of(error.code, error.message)) from error

    async def _login(self, credentials: CredentialSource, deadline: float) -> None:
        """Logs in where the server offers it; one that offers nothing decides at MAIL whether it wants a login."""
        offered = set(self._smtp.server_auth_methods)
        if not offered:
            return
        async with until(deadline):
            known = await credentials.password("smtp")
            token = None if known else await credentials.access_token("smtp")
            try:
                if known:
                    await self._login_with_password(offered, *[one.encode() for one in known])
                elif token:
                    if "xoauth2" not in offered:
                        raise CapabilityMissing("the server does not offer XOAUTH2")
                    with self._told.hiding(token[1].encode()):
                        await self._heard((b"AUTH", b"XOAUTH2", b"?"), self._smtp.auth_xoauth2(*token))
            except aiosmtplib.SMTPAuthenticationError as error:
                raise refused_login(Reply.of(error.code, error.message)) from error

    async def _login_with_password(self, offered: set[str], user: bytes, password: bytes) -> None:
        with self._told.hiding(password, b"\0" + user + b"\0" + password):
            if "plain" in offered:
                await self._heard((b"AUTH", b"PLAIN", b"?"), self._smtp.auth_plain(user, password))
            elif "login" in offered:
                await self._heard((b"AUTH", b"LOGIN", b"?"), self._smtp.auth_login(user, password))
            else:
                raise CapabilityMissing("the server offers neither PLAIN nor LOGIN")

    async def command(self, *words: bytes, deadline: float) -> Reply:
        """One command and its reply; whatever else happens drops the connection."""
        try:
            async with until(deadline):
                response = await self._heard(words, self._smtp.execute_command(*words))
        except BaseException as error:
            self.drop(error)
            raise
        return Reply.of(response.code, response.message)

    async def data(self, content: bytes, *, deadline: float) -> Reply:
        """Sends the message, which has CRLF only, dots not yet doubled; returns the server's last word about it.

        Raises:
            ProviderUnreachable: The connection was lost before the final dot: nothing was sent.
            DeadlineExceeded: The same, by time.
            OutcomeUnknown: The final dot is out and its answer is not known.
        """
        start = await self.command(b"DATA", deadline=deadline)
        if start.code != 354:
            if start.ok:
                self.drop()
                raise ProviderMisbehaved(f"the server answered DATA with {start.line}")
            return start
        dotted = False
        try:
            async with until(deadline):
                await self._write(_DOT.sub(b"..", content))
                protocol = self._protocol()
                self._told.sent_message(len(content))
                protocol.write(b".\r\n")
                dotted = True
                response = await protocol.read_response()
                self._told.received(response.code, response.message)
        except BaseException as error:
            self.drop(error)
            if dotted and isinstance(error, PostroomError):
                raise OutcomeUnknown from error
            raise
        self.messages += 1
        return Reply.of(response.code, response.message)

    async def _write(self, content: bytes) -> None:
        """All of the message but for the final dot, handed to the transport and drained."""
        for start in range(0, len(content), WRITE_BYTES):
            protocol = self._protocol()
            protocol.write(content[start : start + WRITE_BYTES])
            await protocol._drain_helper()  # noqa: SLF001 - aiosmtplib has no public way to wait for its transport

    def _protocol(self) -> aiosmtplib.protocol.SMTPProtocol:
        if self._smtp.protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        return self._smtp.protocol

    def drop(self, error: BaseException | None = None) -> None:
        """Ends the connection at once; `error` says why, for the dialogue."""
        if not self._dropped:
            self._dropped = True
            reason = f": {error}" if isinstance(error, PostroomError) else ""
            if isinstance(error, CredentialsRejected):
                reason = ": the login was refused"
            self._told.event(f"closed{reason}")
            self._smtp.close()

    def quit(self) -> None:
        """Says goodbye without waiting for the answer."""
        protocol = self._smtp.protocol
        if self.usable and protocol is not None:
            self._told.sent(b"QUIT")
            protocol.write(b"QUIT\r\n")
        self.drop()


def encryption(smtp: aiosmtplib.SMTP) -> str:
    """How a connection is encrypted, for people."""
    tls = smtp.get_transport_info("ssl_object")
    if tls is None:
        return "connected, not encrypted"
    return f"encrypted: {tls.version()}, {(tls.cipher() or ('?',))[0]}"


async def _connect(
    server: MailServer, addresses: Sequence[str], tls: ssl.SSLContext, deadline: float, told: Told
) -> aiosmtplib.SMTP:
    """The first address that answers with a greeting."""
    last: PostroomError = ProviderUnreachable("the host has no address", stage="dns")
    for address in addresses:
        told.event(f"connects to {server.host} at {address}, port {server.port}")
        try:
            return await _connect_to(address, server, tls, deadline, told)
        except ProviderUnreachable as error:
            told.event(str(error))
            last = error
    raise last


async def _connect_to(
    address: str, server: MailServer, tls: ssl.SSLContext, deadline: float, told: Told
) -> aiosmtplib.SMTP:
    async with until(deadline, CONNECT_SECONDS):
        link = await _dial(address, server.port)
        try:
            smtp = aiosmtplib.SMTP(
                hostname=server.host,
                sock=link,
                use_tls=server.security is Security.TLS,
                start_tls=False,
                tls_context=tls,
                local_hostname=_own_name(link),
                timeout=None,
            )
            greeting = await smtp.connect()
            told.event(encryption(smtp))
            told.received(greeting.code, greeting.message)
        except aiosmtplib.SMTPConnectResponseError as error:
            told.received(error.code, error.message)
            raise refused_greeting(Reply.of(error.code, error.message)) from error
        except aiosmtplib.SMTPConnectError as error:
            link.close()
            if isinstance(error.__cause__, OSError):
                raise error.__cause__ from error
            raise
        except BaseException:
            link.close()
            raise
        return smtp


async def _dial(address: str, port: int) -> socket.socket:
    link = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        link.setblocking(False)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, TCP_USER_TIMEOUT_MS)
        await asyncio.get_running_loop().sock_connect(link, (address, port))
    except BaseException:
        link.close()
        raise
    return link


def _own_name(link: socket.socket) -> str:
    """Our name in EHLO: the address literal of RFC 5321 section 4.1.3, which needs no DNS."""
    address = str(link.getsockname()[0])
    return f"[IPv6:{address.partition('%')[0]}]" if ":" in address else f"[{address}]"
