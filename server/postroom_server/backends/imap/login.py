"""Logs in: which mechanism, its bytes, and what to say to a refusal (RFC 4616, RFC 7628, RFC 4959).

Owns PLAIN, LOGIN, XOAUTH2 and OAUTHBEARER. Refuses to keep a secret longer than the command that carries it, and to log
in where a password would travel in clear against the account's settings: the session asks for that before.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Set as AbstractSet

from postroom_server.backends.imap.connection import Connection
from postroom_server.backends.imap.dialogue import Told
from postroom_server.backends.imap.refusals import Refused, login_refusal, shown
from postroom_server.backends.imap.wire.encoder import Atom, String
from postroom_server.backends.imap.wire.faults import NotEncodable
from postroom_server.backends.imap.wire.responses import Status
from postroom_server.errors import CapabilityMissing, CredentialsRejected

__all__ = ["login_with_password", "login_with_token"]

MAX_CHALLENGE_BYTES = 64 << 10
"""A longer challenge is answered with a cancellation (threats T08)."""


def _encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


class _Dialogue:
    """Answers the challenges of one AUTHENTICATE: the response first, then whatever ends a refusal."""

    def __init__(self, told: Told, response: bytes, closing: bytes, *, initial: bool) -> None:
        self._told = told
        self._response = _encoded(response).encode("ascii")
        self._closing = closing
        self._sent = initial
        self.detail = ""

    def answer(self, challenge: bytes) -> bytes:
        if len(challenge) > MAX_CHALLENGE_BYTES:
            return b"*"
        if not self._sent:
            self._sent = True
            return self._response
        self.detail = self.detail or self._told.cleaned(_challenge_detail(challenge))
        return self._closing


def _challenge_detail(challenge: bytes) -> str:
    """Return what an OAuth refusal says of itself: {"status": "401", "scope": ...} in base64."""
    try:
        fields = json.loads(base64.b64decode(challenge, validate=False))
        words = [f"{name} {fields[name]}" for name in ("status", "scope") if name in fields]
    except (ValueError, TypeError, RecursionError):
        return ""
    return shown("the token was refused, " + ", ".join(words)) if words else ""


async def login_with_password(
    connection: Connection, capabilities: AbstractSet[str], user: str, password: str, *, deadline: float
) -> Status:
    """Log in with AUTHENTICATE PLAIN where offered, else LOGIN; return the OK, which may name capabilities.

    Raises:
        CredentialsRejected, ProviderThrottled, ProviderUnreachable, AdminBlocked: by the server's word.
        CapabilityMissing: The server takes no password here.
    """
    if "\0" in user or "\0" in password:
        raise CredentialsRejected("a user name or password with NUL", mechanism="PLAIN")
    if "AUTH=PLAIN" in capabilities:
        response = b"\0" + user.encode() + b"\0" + password.encode()
        return await _authenticate(
            connection, capabilities, "PLAIN", (response, password), b"*", deadline=deadline
        )
    if "LOGINDISABLED" in capabilities:
        raise CapabilityMissing("the server takes no password on this connection", capability="LOGIN")
    try:
        with connection.told.hiding(password.encode()):
            status = await connection.run("LOGIN", String(user), String(password), deadline=deadline)
    except Refused as refused:
        raise login_refusal(refused.status, "LOGIN") from None
    except NotEncodable as fault:
        raise CredentialsRejected("a user name or password that cannot be sent", mechanism="LOGIN") from fault
    connection.mark_authenticated()
    return status


async def login_with_token(
    connection: Connection, capabilities: AbstractSet[str], user: str, token: str, *, deadline: float
) -> Status:
    """Log in with OAUTHBEARER where offered, else XOAUTH2; return the OK.

    Raises:
        PostroomError: As `login_with_password`.
    """
    if any(letter < " " for letter in user + token):
        raise CredentialsRejected("a user name or token with control characters", mechanism="XOAUTH2")
    if "AUTH=OAUTHBEARER" in capabilities:
        name = user.replace("=", "=3D").replace(",", "=2C")
        text = f"n,a={name},\1host={connection.host}\1port={connection.port}\1auth=Bearer {token}\1\1"
        return await _authenticate(
            connection, capabilities, "OAUTHBEARER", (text.encode(), token), b"AQ==", deadline=deadline
        )
    if "AUTH=XOAUTH2" in capabilities:
        text = f"user={user}\1auth=Bearer {token}\1\1"
        return await _authenticate(
            connection, capabilities, "XOAUTH2", (text.encode(), token), b"", deadline=deadline
        )
    raise CapabilityMissing("the server takes no OAuth token", capability="XOAUTH2")


async def _authenticate(
    connection: Connection,
    capabilities: AbstractSet[str],
    mechanism: str,
    given: tuple[bytes, str],
    closing: bytes,
    *,
    deadline: float,
) -> Status:
    """`given`: the response, and the secret in it."""
    response, secret = given
    initial = "SASL-IR" in capabilities
    dialogue = _Dialogue(connection.told, response, closing, initial=initial)
    arguments = [Atom(mechanism), Atom(_encoded(response))] if initial else [Atom(mechanism)]
    try:
        with connection.told.hiding(response, secret.encode()):
            status = await connection.run(
                "AUTHENTICATE", *arguments, deadline=deadline, answer=dialogue.answer
            )
    except Refused as refused:
        raise login_refusal(refused.status, mechanism, dialogue.detail) from None
    connection.mark_authenticated()
    return status
