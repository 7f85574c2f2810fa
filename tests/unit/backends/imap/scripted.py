"""A scripted IMAP server: says what a test tells it to, right or wrong.

It owns a listening socket and one script: a mapping from a command's first words to what is answered. `{tag}` is the
command's tag. An answer may be a function of (tag, line), may be async, may take the connection (`Link`) in hand.
Commands without a script get the answers of a small, well-behaved server.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from postroom_server.backends.imap import ImapBackend
from postroom_server.backends.imap.account import ImapAccount
from postroom_server.domain.accounts import Account, MailServer, Security
from postroom_server.domain.ports import Call
from postroom_server.ids import AccountId

CAPABILITIES = "IMAP4rev1 IDLE UIDPLUS AUTH=PLAIN SASL-IR"
SELECTED = (
    "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 4] x\r\n"
    "* OK [PERMANENTFLAGS (\\Seen \\*)] x\r\n{tag} OK [READ-WRITE] selected\r\n"
)
USUAL: Mapping[str, str] = {
    "CAPABILITY": f"* CAPABILITY {CAPABILITIES}\r\n{{tag}} OK x\r\n",
    "AUTHENTICATE": "{tag} OK in\r\n",
    "LOGIN": "{tag} OK in\r\n",
    "SELECT": SELECTED,
    "EXAMINE": SELECTED,
    "NOOP": "{tag} OK x\r\n",
    "LOGOUT": "* BYE bye\r\n{tag} OK x\r\n",
    "LIST": '* LIST () "/" INBOX\r\n{tag} OK x\r\n',
    "LSUB": "{tag} OK x\r\n",
    "IDLE": "+ idling\r\n",
    "DONE": "{tag} OK x\r\n",
}
LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r\n\Z")

Answer = str | bytes | None | Callable[..., Any]


class Link:
    """One connection as the server sees it."""

    def __init__(
        self, server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.lines: list[bytes] = []

    def say(self, text: str | bytes) -> None:
        self.writer.write(text.encode("latin-1") if isinstance(text, str) else text)

    async def line(self) -> bytes:
        """The next line of the client, with its literals."""
        whole = b""
        while True:
            piece = await self.reader.readline()
            if not piece:
                raise EOFError
            whole += piece
            literal = LITERAL.search(piece)
            if not literal:
                self.lines.append(whole)
                self.server.lines.append(whole)
                return whole
            if not literal.group(2):
                refusal = self.server.script.get("+")
                self.say(
                    refusal.format(tag=whole.split(b" ")[0].decode())
                    if isinstance(refusal, str)
                    else "+ go\r\n"
                )
                if refusal:
                    return whole
            whole += await self.reader.readexactly(int(literal.group(1)))

    async def serve(self) -> None:
        greeting = self.server.script.get("greeting", "* OK ready\r\n")
        if greeting:
            self.say(greeting if isinstance(greeting, str | bytes) else "")
        idle = b""
        while True:
            line = await self.line()
            words = line.decode("latin-1").rstrip("\r\n").split(" ")
            if words == ["DONE"]:
                tag, command = idle.decode(), "DONE"
            else:
                tag, command = words[0], " ".join(words[1:])
                idle = tag.encode() if command == "IDLE" else idle
            answer = self._answer(command)
            if callable(answer):
                answer = answer(self, tag, command)
                if inspect.isawaitable(answer):
                    answer = await answer
            if answer is not None:
                self.say(answer.replace("{tag}", tag) if isinstance(answer, str) else answer)

    def _answer(self, command: str) -> Answer:
        upper = command.upper()
        for script in (self.server.script, USUAL):
            for key in sorted(script, key=len, reverse=True):
                if upper.startswith(key.upper()) and key not in {"+", "greeting"}:
                    return script[key]
        return "{tag} BAD unknown\r\n"


class ScriptedServer:
    """Listens on a free port; `script` may be changed at any time."""

    def __init__(self, script: Mapping[str, Answer]) -> None:
        self.script: dict[str, Answer] = dict(script)
        self.lines: list[bytes] = []
        self.links: list[Link] = []
        self.port = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(self, reader, writer)
        self.links.append(link)
        with contextlib.suppress(EOFError, ConnectionError, asyncio.IncompleteReadError):
            await link.serve()
        writer.close()


@contextlib.asynccontextmanager
async def scripted(
    script: Mapping[str, Answer], tls: ssl.SSLContext | None = None
) -> AsyncIterator[ScriptedServer]:
    server = ScriptedServer(script)
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for link in server.links:
            link.writer.transport.abort()


class Loopback:
    """The egress rule of a test."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]


class Credentials:
    """A password, or a token."""

    def __init__(self, password: str = "pass", token: str | None = None) -> None:
        self._password, self._token = password, token

    async def password(self, server: str) -> tuple[str, str] | None:
        return ("ann", self._password)

    async def access_token(self, server: str) -> tuple[str, str] | None:
        return ("ann", self._token) if self._token is not None else None


def call(seconds: float = 5.0, **changes: Any) -> Call:
    return Call(deadline=asyncio.get_running_loop().time() + seconds, **changes)


@contextlib.asynccontextmanager
async def opened(
    server: ScriptedServer,
    security: Security = Security.NONE,
    credentials: Credentials | None = None,
    *,
    within: float = 5.0,
    **options: Any,
) -> AsyncIterator[ImapAccount]:
    backend = ImapBackend(Loopback(), **{"plaintext_allowed": True, **options})
    now = datetime.now(UTC)
    account = Account(
        id=AccountId("a"),
        imap=MailServer(host="localhost", port=server.port, security=security),
        create_time=now,
        update_time=now,
    )
    mail = await backend.open(call(within), account, credentials or Credentials())
    try:
        yield mail
    finally:
        await mail.close()
