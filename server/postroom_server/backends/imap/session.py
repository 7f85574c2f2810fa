"""One authenticated connection with its state: capabilities, the selected mailbox, what the server told in between.

Owns the way from a host name to a usable session (TLS, STARTTLS, login, ENABLE) and SELECT. Refuses to share itself: one
caller at a time, which the pool sees to; only the watch keeps a session of its own.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from postroom_server.backends.imap.connection import Connection
from postroom_server.backends.imap.dialogue import Told
from postroom_server.backends.imap.login import login_with_password, login_with_token
from postroom_server.backends.imap.protocol import Collect
from postroom_server.backends.imap.refusals import Refused
from postroom_server.backends.imap.wire.data import Capability, Enabled, ServerId, Vanished
from postroom_server.backends.imap.wire.encoder import Argument, Atom, Literals, Mailbox, Number, String
from postroom_server.backends.imap.wire.faults import NotEncodable
from postroom_server.backends.imap.wire.responses import (
    Exists,
    Expunge,
    Kind,
    Response,
    Status,
    capabilities_of,
    permanent_flags_of,
)
from postroom_server.domain.accounts import MailServer, Security
from postroom_server.domain.dialogue import SILENCE, Dialogue
from postroom_server.domain.providers import CredentialSource, Egress
from postroom_server.errors import (
    AddressDenied,
    CredentialsRejected,
    MailboxNotFound,
    ProviderMisbehaved,
    ProviderUnreachable,
)

__all__ = ["Endpoint", "Selected", "Session", "open_session"]

CLIENT_NAME = "Postroom"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where an account's sessions go, and under which rules."""

    server: MailServer
    egress: Egress
    credentials: CredentialSource
    tls: ssl.SSLContext
    plaintext_allowed: bool = False
    dialogue: Dialogue = SILENCE


@dataclass(slots=True, kw_only=True)
class Selected:
    """The selected mailbox, as SELECT and what followed it told; 0 where the server did not say."""

    name: bytes
    uidvalidity: int = 0
    uidnext: int = 0
    exists: int = 0
    highestmodseq: int = 0
    permanent_flags: frozenset[str] | None = None
    read_only: bool = False

    def take(self, response: Response) -> bool:
        """Keep what a response says of the mailbox."""
        match response:
            case Exists(count=count):
                self.exists = count
            case Status(kind=Kind.OK) as status:
                return self._take_code(status)
            case _:
                return False
        return True

    def _take_code(self, status: Status) -> bool:
        match status.code:
            case "UIDVALIDITY" | "UIDNEXT" | "HIGHESTMODSEQ":
                value = int(status.argument) if status.argument.isdigit() and len(status.argument) < 20 else 0
                setattr(self, status.code.lower(), value)
            case "NOMODSEQ":
                self.highestmodseq = 0
            case "CLOSED":
                self.exists = 0
            case "PERMANENTFLAGS":
                self.permanent_flags = permanent_flags_of(status)
            case _:
                return False
        return True


class Session:
    """See the module. `capabilities` are in upper case; `selected` is None where no mailbox is.

    `current`: what it sees of the mailbox is not older than the moment when its user got it.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.capabilities: frozenset[str] = frozenset()
        self.enabled: frozenset[str] = frozenset()
        self.server_id: dict[str, str] = {}
        self.selected: Selected | None = None
        self.used_at = 0.0
        self.current = False
        connection.listen(self._hear)

    def __repr__(self) -> str:
        where = self.selected.name.decode("ascii", "replace") if self.selected else "-"
        return f"<Session {self.connection!r} {where}>"

    def can(self, capability: str) -> bool:
        """Whether the server offers a capability."""
        return capability in self.capabilities

    @property
    def qresync(self) -> bool:
        """Whether QRESYNC is on (RFC 7162)."""
        return "QRESYNC" in self.enabled

    @property
    def condstore(self) -> bool:
        """Whether the server counts modifications (RFC 7162)."""
        return bool({"CONDSTORE", "QRESYNC"} & self.capabilities)

    def _hear(self, response: Response) -> None:
        """Keep up with what comes between and beside commands."""
        selected = self.selected
        match response:
            case Capability(names=names):
                self.capabilities = names
            case Enabled(names=names):
                self.enabled |= names
            case ServerId(fields=fields):
                self.server_id = dict(fields)
            case Status() as status:
                if (told := capabilities_of(status)) is not None:
                    self.capabilities = told.names
                elif selected is not None and status.code in {"UIDNEXT", "HIGHESTMODSEQ"}:
                    selected.take(status)
            case Exists(count=count) if selected is not None:
                selected.exists = count
            case Expunge() if selected is not None:
                selected.exists = max(0, selected.exists - 1)
            case Vanished(uids=uids, earlier=False) if selected is not None:
                selected.exists = max(0, selected.exists - len(uids))
            case _:
                pass

    async def learn_capabilities(self, status: Status | None, *, deadline: float) -> None:
        """Take capabilities from a status line that carries them, else ask."""
        told = capabilities_of(status) if status is not None else None
        if told is not None:
            self.capabilities = told.names
            return
        await self.connection.run("CAPABILITY", deadline=deadline)

    async def select(
        self,
        name: bytes,
        *,
        deadline: float,
        since: tuple[int, int] | None = None,
        collect: Collect | None = None,
        fresh: bool = False,
        examine: bool = False,
    ) -> Selected:
        """Select a mailbox, or keep it selected; what the session sees of it may then be old, see `catch_up`.

        Args:
            name: As the server spells it.
            deadline: On the loop's clock.
            since: (UIDVALIDITY, modification sequence) to resynchronise from, with QRESYNC on.
            collect: Is offered what the mailbox's numbers do not take: the changes since then.
            fresh: Select again even if it is selected, to read its numbers anew.
            examine: Only look: nothing in it can be changed on this session.

        Raises:
            MailboxNotFound: There is none, or it cannot be selected.
        """
        if self.selected is not None and self.selected.name == name and not fresh and since is None:
            return self.selected
        arguments: list[Argument] = [Mailbox(name)]
        if since is not None:
            arguments.append([Atom("QRESYNC"), [Number(since[0]), Number(since[1])]])
        elif self.condstore and not self.qresync:
            arguments.append([Atom("CONDSTORE")])
        command = "EXAMINE" if examine else "SELECT"
        self.selected = None
        self.selected = await self._select(command, name, arguments, collect, deadline=deadline)
        self.current = True
        return self.selected

    async def _select(
        self,
        command: str,
        name: bytes,
        arguments: Sequence[Argument],
        collect: Collect | None,
        *,
        deadline: float,
    ) -> Selected:
        selected = Selected(name=name)

        def take(response: Response) -> bool:
            return selected.take(response) or (collect is not None and collect(response))

        try:
            status = await self.connection.run(command, *arguments, deadline=deadline, collect=take)
        except Refused as refused:
            if refused.status.kind is Kind.NO and not refused.status.code:
                raise MailboxNotFound("the mailbox cannot be selected") from refused
            raise refused.error from refused
        except NotEncodable as fault:
            raise MailboxNotFound("no mailbox has such a name") from fault
        if not selected.uidvalidity:
            self.connection.drop()
            raise ProviderMisbehaved("a mailbox without UIDVALIDITY")
        selected.read_only = status.code == "READ-ONLY"
        return selected

    async def catch_up(self, *, deadline: float) -> bool:
        """Let the session see what happened since it was last used; False if it has seen it already.

        A server answers from what the session saw last: new messages are missing, and others there that are gone
        (RFC 9051 section 7.5). The NOOP must have ended before the next command: pipelined, it may come too late.
        """
        if self.current or self.selected is None:
            return False
        await self.connection.run("NOOP", deadline=deadline)
        self.current = True
        return True


async def open_session(endpoint: Endpoint, *, deadline: float, use: str = "pool") -> Session:
    """Connect, encrypt, log in and enable what the server has. `use` names the connection in the dialogue.

    Raises:
        ProviderUnreachable: With the stage at which it failed.
        CredentialsRejected: The server said so, or the account has no credentials.
        AddressDenied: Plain connections are not allowed here.
    """
    server = endpoint.server
    if server.security is Security.NONE and not endpoint.plaintext_allowed:
        raise AddressDenied("connections without TLS are not allowed on this server", host=server.host)
    connection = Connection(server.host, server.port, Told(endpoint.dialogue.session(use)))
    try:
        tls = endpoint.tls if server.security is Security.TLS else None
        greeting = await connection.open(endpoint.egress, tls, deadline=deadline)
        session = Session(connection)
        await session.learn_capabilities(greeting, deadline=deadline)
        if server.security is Security.STARTTLS:
            await _start_tls(session, endpoint.tls, deadline=deadline)
        if not connection.authenticated:
            await _log_in(session, endpoint, deadline=deadline)
        await _enable(session, deadline=deadline)
        return session
    except Refused as refused:
        connection.drop()
        raise refused.error from refused
    except BaseException:
        connection.drop()
        raise


async def _start_tls(session: Session, tls: ssl.SSLContext, *, deadline: float) -> None:
    if session.connection.authenticated:
        raise ProviderUnreachable("the server logs in before TLS", stage="tls")
    if not session.can("STARTTLS"):
        raise ProviderUnreachable("the server offers no STARTTLS", stage="tls")
    try:
        await session.connection.start_tls(tls, deadline=deadline)
    except Refused as refused:
        raise ProviderUnreachable("the server refused STARTTLS", stage="tls") from refused
    session.capabilities = frozenset()
    await session.connection.run("CAPABILITY", deadline=deadline)


async def _log_in(session: Session, endpoint: Endpoint, *, deadline: float) -> None:
    connection, offered = session.connection, session.capabilities
    session.capabilities = frozenset()
    token = await endpoint.credentials.access_token("imap")
    if token is not None:
        status = await login_with_token(connection, offered, *token, deadline=deadline)
    else:
        password = await endpoint.credentials.password("imap")
        if password is None:
            raise CredentialsRejected("the account has no credentials for IMAP")
        status = await login_with_password(connection, offered, *password, deadline=deadline)
    if not session.capabilities:
        await session.learn_capabilities(status, deadline=deadline)


async def _enable(session: Session, *, deadline: float) -> None:
    if session.can("LITERAL+"):
        session.connection.literals = Literals.PLUS
    elif session.can("LITERAL-") or session.can("IMAP4REV2"):
        session.connection.literals = Literals.MINUS
    commands: list[tuple[str, Sequence[Argument]]] = []
    if session.can("ENABLE") and session.can("QRESYNC"):
        commands.append(("ENABLE", [Atom("QRESYNC")]))
    if session.can("ID"):
        commands.append(("ID", [[String("name"), String(CLIENT_NAME)]]))
    flying = [
        await session.connection.send(name, *arguments, deadline=deadline) for name, arguments in commands
    ]
    for exchange in flying:
        await session.connection.finish(exchange, deadline=deadline)
