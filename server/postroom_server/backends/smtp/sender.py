"""How an account sends over SMTP: transactions on a few kept connections.

It owns the connections of one account (one kept idle, two at most at a time) and the order of a transaction: envelope first,
message and final dot in `commit` only. It refuses to send a message twice by itself: the one repetition is an envelope on a
kept connection that the far end had closed.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from postroom_server.backends.smtp.dialogue import Told
from postroom_server.backends.smtp.replies import CLOSING, Reply, refused_recipients, refused_sender
from postroom_server.backends.smtp.session import Session, until
from postroom_server.domain.accounts import Account, Security
from postroom_server.domain.dialogue import SILENCE, Dialogue
from postroom_server.domain.ports import Call
from postroom_server.domain.providers import CredentialSource, Egress
from postroom_server.domain.senders import (
    OutgoingMessage,
    RecipientReply,
    SenderTraits,
    SendReceipt,
    SendTransaction,
)
from postroom_server.errors import (
    AddressDenied,
    CapabilityMissing,
    Internal,
    MessageTooLarge,
    ProviderThrottled,
    ProviderUnreachable,
)

MAX_SESSIONS: Final = 2
"""Connections of one account at the same time; more messages wait."""
IDLE_SECONDS: Final = 10.0
"""How long a connection is kept after a message."""
MAX_MESSAGES: Final = 100
"""Messages on one connection."""
RESET_SECONDS: Final = 2.0
FILES_SENT_COPY: Final = frozenset(
    {
        "smtp.gmail.com",
        "smtp.googlemail.com",
        "smtp.office365.com",
        "smtp-mail.outlook.com",
        "outlook.office365.com",
    }
)
"""Hosts that put what they relay into the sent mailbox by themselves."""

_BARE_LINE_END: Final = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_UNSPEAKABLE: Final = re.compile(r"[\x00-\x1f\x7f<>]")
_NEEDS_UTF8: Final = Reply(
    code=553, enhanced_status="5.6.7", text="the server does not take addresses beyond ASCII"
)


class SmtpSender:
    """The MailSender of one account with an SMTP server.

    Args:
        account: Its `smtp` says where; a CapabilityMissing is raised when it has none.
        credentials: Asked for each connection.
        egress: Where connections may go.
        tls: For TLS and STARTTLS.
        plaintext_allowed: Whether the account may ask for connections without TLS.
        dialogue: Takes what the connections say.
    """

    def __init__(
        self,
        account: Account,
        credentials: CredentialSource,
        egress: Egress,
        tls: ssl.SSLContext,
        *,
        plaintext_allowed: bool = False,
        dialogue: Dialogue = SILENCE,
    ) -> None:
        if account.smtp is None:
            raise CapabilityMissing("the account has no SMTP server")
        self._dialogue = dialogue
        self._plaintext_allowed = plaintext_allowed
        self._server, self._credentials, self._egress, self._tls = account.smtp, credentials, egress, tls
        self._places = asyncio.Semaphore(MAX_SESSIONS)
        self._idle: Session | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._open: set[Session] = set()
        self._closed = False
        self._max_bytes = 0

    def __repr__(self) -> str:
        return f"<SmtpSender {self._server.host} open={len(self._open)} idle={self._idle is not None}>"

    @property
    def traits(self) -> SenderTraits:
        """See `senders.MailSender`; `max_bytes` is what the server said at the last login."""
        files = self._server.host.lower().rstrip(".") in FILES_SENT_COPY
        return SenderTraits(envelope=True, files_sent_copy=files, max_bytes=self._max_bytes)

    @asynccontextmanager
    async def prepare(self, call: Call, message: OutgoingMessage) -> AsyncIterator[SendTransaction]:
        """Connects, or takes the kept connection, and gives the envelope; see `senders.MailSender`."""
        async with until(call.deadline, float("inf")):
            await self._places.acquire()
        session: Session | None = None
        try:
            session, transaction = await self._begin(call, message)
            yield transaction
            if transaction.open:
                await self._reset(session)
        except BaseException:
            if session is not None:
                session.drop()
            raise
        finally:
            self._places.release()
            if session is not None:
                self._give_back(session)

    async def verify(self, call: Call) -> None:
        """Connects and logs in, sends nothing."""
        self._end(await self._connect(call))

    async def close(self) -> None:
        """Ends every connection; safe to call twice."""
        self._closed = True
        kept = self._take_idle()
        if kept is not None:
            kept.quit()
        for session in tuple(self._open):
            session.drop()
        self._open.clear()

    async def _begin(self, call: Call, message: OutgoingMessage) -> tuple[Session, _Transaction]:
        """A session that has taken the envelope: the kept one, or a new one where that turns out to be gone."""
        content = _canonical(message.raw)
        kept = self._take_idle()
        if kept is not None:
            try:
                return kept, await self._envelope(kept, call, message, content)
            except BaseException as error:
                gone = not kept.usable and isinstance(error, (ProviderUnreachable, ProviderThrottled))
                self._end(kept)
                if not gone:
                    raise
        session = await self._connect(call)
        try:
            return session, await self._envelope(session, call, message, content)
        except BaseException:
            self._end(session)
            raise

    async def _connect(self, call: Call) -> Session:
        if self._closed:
            raise Internal("the sender is closed")
        if self._server.security is Security.NONE and not self._plaintext_allowed:
            raise AddressDenied(
                "connections without TLS are not allowed on this server", host=self._server.host
            )
        told = Told(self._dialogue.session("smtp"))
        session = await Session.open(
            self._server, self._credentials, self._egress, self._tls, call.deadline, told
        )
        self._open.add(session)
        self._max_bytes = session.max_bytes
        return session

    async def _envelope(
        self, session: Session, call: Call, message: OutgoingMessage, content: bytes
    ) -> _Transaction:
        """MAIL and every RCPT. Raises with an unusable session, or after RSET."""
        envelope = message.envelope
        if 0 < session.max_bytes < len(content):
            raise MessageTooLarge(maxBytes=str(session.max_bytes))
        refused: dict[str, RecipientReply] = {}
        if not session.offers("smtputf8"):
            beyond = [one for one in envelope.recipients if not (one.isascii() and envelope.sender.isascii())]
            refused.update(dict.fromkeys(beyond, _NEEDS_UTF8.recipient))
        recipients = [one for one in envelope.recipients if one not in refused]
        if not recipients:
            raise refused_recipients(refused, _NEEDS_UTF8.line)
        options = _options(session, message, content)
        reply = await session.command(
            b"MAIL", b"FROM:" + _path(envelope.sender), *options, deadline=call.deadline
        )
        if not reply.ok:
            raise refused_sender(reply, envelope.recipients)
        accepted = []
        for address in recipients:
            reply = await session.command(b"RCPT", b"TO:" + _path(address), deadline=call.deadline)
            if reply.code == CLOSING:
                raise ProviderThrottled(f"the server ended the connection: {reply.line}")
            if reply.ok:
                accepted.append(address)
            else:
                refused[address] = reply.recipient
        if not accepted:
            await self._reset(session)
            raise refused_recipients(refused, reply.line)
        return _Transaction(session, content, tuple(accepted), refused)

    @staticmethod
    async def _reset(session: Session) -> None:
        """Abandons the envelope; a server that does not confirm it at once is left."""
        if not session.usable:
            return
        try:
            reply = await session.command(b"RSET", deadline=asyncio.get_running_loop().time() + RESET_SECONDS)
        except Exception:  # noqa: BLE001 - the session is dropped already, and nothing was sent
            return
        if not reply.ok:
            session.drop()

    def _take_idle(self) -> Session | None:
        """The kept connection, if it still stands."""
        kept, self._idle = self._idle, None
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        if kept is not None and not kept.usable:
            self._open.discard(kept)
            return None
        return kept

    def _give_back(self, session: Session) -> None:
        if not session.usable or session.messages >= MAX_MESSAGES or self._idle is not None or self._closed:
            self._end(session)
            return
        self._idle = session
        self._expiry = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._expire)

    def _expire(self) -> None:
        kept = self._take_idle()
        if kept is not None:
            self._end(kept)

    def _end(self, session: Session) -> None:
        session.quit()
        self._open.discard(session)


class _Transaction:
    """An envelope that the server took."""

    def __init__(
        self,
        session: Session,
        content: bytes,
        accepted: tuple[str, ...],
        refused: Mapping[str, RecipientReply],
    ) -> None:
        self._session, self._content, self._accepted = session, content, accepted
        self.refused = refused
        self.open = True
        """Whether the server still holds the envelope, so that it has to be told to forget it."""
        self._committed = False

    async def commit(self, call: Call) -> SendReceipt:
        """DATA, the message, the final dot; see `senders.SendTransaction`.

        A refusal by the server is a receipt in which no recipient was accepted.
        """
        if self._committed:
            raise Internal("a transaction is committed once")
        self._committed = True
        reply = await self._session.data(self._content, deadline=call.deadline)
        self.open = not reply.ok
        if reply.code == CLOSING:
            self._session.drop()
        replies = dict.fromkeys(self._accepted, reply.recipient)
        return SendReceipt(
            recipients={**self.refused, **replies}, reply=reply.line, enhanced_status=reply.enhanced_status
        )


def _canonical(raw: bytes) -> bytes:
    """The message with CRLF only (threats T04), the last line ended."""
    content = _BARE_LINE_END.sub(b"\r\n", raw)
    return content if content.endswith(b"\r\n") else content + b"\r\n"


def _options(session: Session, message: OutgoingMessage, content: bytes) -> list[bytes]:
    """Parameters of MAIL, each only where the server offers it."""
    options = []
    if session.offers("size"):
        options.append(b"SIZE=%d" % len(content))
    if not content.isascii() and session.offers("8bitmime"):
        options.append(b"BODY=8BITMIME")
    head = message.raw.partition(b"\r\n\r\n")[0]
    addresses = (message.envelope.sender, *message.envelope.recipients)
    if session.offers("smtputf8") and not (head.isascii() and all(one.isascii() for one in addresses)):
        options.append(b"SMTPUTF8")
    return options


def _path(address: str) -> bytes:
    """An address between angle brackets; nothing that could end the command gets here (threats T03)."""
    if _UNSPEAKABLE.search(address):
        raise Internal("an address with control characters or angle brackets came to be sent")
    return f"<{address}>".encode()
