"""What a server's refusal means to us: response codes to error classes, once (RFC 9051 section 7.1, RFC 5530).

Owns the tables. Refuses to guess beyond them: a refusal without a known code is the command's default. Texts of the
server are cut and cleaned before anybody sees them; a text that asks for credentials is never kept.
"""

from __future__ import annotations

from postroom_server.backends.imap.wire.responses import Kind, Status
from postroom_server.errors import (
    AdminBlocked,
    CredentialsRejected,
    MailboxExists,
    MailboxNotFound,
    MessageTooLarge,
    PostroomError,
    ProviderError,
    ProviderFull,
    ProviderMisbehaved,
    ProviderThrottled,
    ProviderUnreachable,
)

__all__ = ["Refused", "farewell", "login_refusal", "shown"]

MAX_SHOWN_CHARACTERS = 200
"""Text of a server in an error."""

_CODES: dict[str, type[PostroomError]] = {
    "ALREADYEXISTS": MailboxExists,
    "CONTACTADMIN": AdminBlocked,
    "INUSE": ProviderThrottled,
    "LIMIT": ProviderThrottled,
    "NONEXISTENT": MailboxNotFound,
    "NOPERM": AdminBlocked,
    "OVERQUOTA": ProviderFull,
    "SERVERBUG": ProviderMisbehaved,
    "THROTTLED": ProviderThrottled,
    "TOOBIG": MessageTooLarge,
    "TRYCREATE": MailboxNotFound,
    "UNAVAILABLE": ProviderUnreachable,
}
_LOGIN_CODES: dict[str, type[PostroomError]] = {
    "AUTHENTICATIONFAILED": CredentialsRejected,
    "AUTHORIZATIONFAILED": CredentialsRejected,
    "CONTACTADMIN": AdminBlocked,
    "EXPIRED": CredentialsRejected,
    "INUSE": ProviderThrottled,
    "LIMIT": ProviderThrottled,
    "OVERQUOTA": ProviderThrottled,
    "SERVERBUG": ProviderUnreachable,
    "THROTTLED": ProviderThrottled,
    "UNAVAILABLE": ProviderUnreachable,
}
_CROWDED = ("too many", "limit", "connections", "throttl", "rate", "exceeded")
_PASSING = ("temporar", "unavailable", "try again", "try later", "busy", "internal", "timeout", "timed out")


def shown(text: str) -> str:
    """Return a server's text as it may stand in an error: one line, bounded."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:MAX_SHOWN_CHARACTERS]).strip()


class Refused(Exception):
    """A command ended with NO or BAD; internal to the backend, `error` is what a caller may see.

    Args:
        command: The command's name.
        status: What the server said.
    """

    def __init__(self, command: str, status: Status) -> None:
        super().__init__(f"{command}: {status.kind} {shown(status.text)}")
        self.command = command
        self.status = status

    @property
    def error(self) -> PostroomError:
        """The refusal in the words of the contract."""
        status = self.status
        kind = _CODES.get(status.code, ProviderMisbehaved if status.kind is Kind.BAD else ProviderError)
        return kind(
            f"the server refused {self.command}: {shown(status.text) or status.kind}",
            code=status.code,
            command=self.command,
        )


def farewell(status: Status) -> PostroomError:
    """Return what a BYE means: crowded servers are to be left alone longer than others (F04)."""
    words = status.text.lower()
    crowded = status.code in {"LIMIT", "THROTTLED", "INUSE"} or any(word in words for word in _CROWDED)
    text = f"the server ended the connection: {shown(status.text) or 'BYE'}"
    return ProviderThrottled(text, code=status.code) if crowded else ProviderUnreachable(text, stage="closed")


def login_refusal(status: Status, mechanism: str, detail: str = "") -> PostroomError:
    """Return what a refused login means; only a clear word against the credentials counts against them (F05).

    Args:
        status: The tagged refusal.
        mechanism: How we logged in.
        detail: What an OAuth challenge said before it.
    """
    words = status.text.lower()
    kind = _LOGIN_CODES.get(status.code)
    if kind is None and status.kind is Kind.BAD:
        kind = ProviderMisbehaved
    if kind is None and any(word in words for word in _CROWDED):
        kind = ProviderThrottled
    if kind is None and any(word in words for word in _PASSING):
        kind = ProviderUnreachable
    metadata = {"mechanism": mechanism, "code": status.code}
    if kind is ProviderUnreachable:
        metadata["stage"] = "login"
    text = detail or shown(status.text) or str(status.kind)
    return (kind or CredentialsRejected)(f"the server refused the login: {text}", **metadata)
