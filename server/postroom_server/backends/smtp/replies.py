"""What a server's replies mean to us: codes to errors and receipts, once (RFC 5321 section 4.2, RFC 3463, RFC 4954).

It owns the tables and refuses a reply's text as it came: what is shown is one line, bounded, and never an echo of a login.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from postroom_server.domain.outbox import MAX_REPLY_LENGTH
from postroom_server.domain.senders import RecipientReply
from postroom_server.errors import (
    CredentialsRejected,
    MessageTooLarge,
    PostroomError,
    ProviderMisbehaved,
    ProviderThrottled,
    ProviderUnreachable,
    RecipientsRefused,
)

CLOSING: Final = 421
TOO_LARGE: Final = frozenset({"5.3.4", "5.2.3"})

_ENHANCED: Final = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:[ \t]+|$)")
_CROWDED: Final = ("too many", "rate", "throttl", "limit", "exceeded", "try again later")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A server's reply: code, enhanced status (may be empty), text on one line, at most 500 characters."""

    code: int
    enhanced_status: str
    text: str

    @classmethod
    def of(cls, code: int, message: str) -> Reply:
        """The reply as aiosmtplib read it: lines joined by a line feed, each with its enhanced status."""
        status, lines = "", []
        for line in message[: 4 * MAX_REPLY_LENGTH].split("\n"):
            match = _ENHANCED.match(line)
            status = status or (match[1] if match else "")
            lines.append(line[match.end() :] if match else line)
        return cls(code=code, enhanced_status=status, text=shown(" ".join(lines)))

    @property
    def ok(self) -> bool:
        """Whether the server did it."""
        return 200 <= self.code < 300

    @property
    def line(self) -> str:
        """Code, status and text in one line."""
        return " ".join([part for part in (str(self.code), self.enhanced_status, self.text) if part])[
            :MAX_REPLY_LENGTH
        ]

    @property
    def recipient(self) -> RecipientReply:
        """As the outbox keeps it."""
        return RecipientReply(code=self.code, enhanced_status=self.enhanced_status, text=self.text)

    @property
    def throttled(self) -> bool:
        """Whether it asks us to come back later, all of us."""
        return self.code == CLOSING or (400 <= self.code < 500 and self.enhanced_status.startswith("4.7."))


def shown(text: str) -> str:
    """A server's text as it may be kept: printable, on one line, at most 500 characters."""
    clean = "".join(char if char.isprintable() else " " for char in text[: 2 * MAX_REPLY_LENGTH])
    return " ".join(clean.split())[:MAX_REPLY_LENGTH]


def refused_greeting(reply: Reply) -> PostroomError:
    """A server that does not let us in, or no longer."""
    crowded = reply.code == CLOSING and any(word in reply.text.lower() for word in _CROWDED)
    text = f"the server refused the connection: {reply.line}"
    return (
        ProviderThrottled(text) if crowded or reply.throttled else ProviderUnreachable(text, stage="greeting")
    )


def refused_login(reply: Reply) -> PostroomError:
    """A refused login; only a permanent reply counts against the credentials (RFC 4954 section 6)."""
    text = f"the server refused the login: {reply.line}"
    if 500 <= reply.code < 600 and not any(word in reply.text.lower() for word in _CROWDED[:3]):
        return CredentialsRejected(text)
    if 400 <= reply.code < 600:
        return ProviderThrottled(text)
    return ProviderMisbehaved(text)


def refused_sender(reply: Reply, recipients: Iterable[str]) -> PostroomError:
    """A refused MAIL command: it holds for every recipient."""
    if reply.throttled:
        return ProviderThrottled(f"the server refused the message: {reply.line}")
    if reply.code == 552 or reply.enhanced_status in TOO_LARGE:
        return MessageTooLarge(f"the server refused the message: {reply.line}")
    if reply.code == 530 or (reply.code == 503 and "auth" in reply.text.lower()):
        return CredentialsRejected(f"the server wants a login first: {reply.line}")
    return refused_recipients(dict.fromkeys(recipients, reply.recipient), reply.line)


def refused_recipients(replies: dict[str, RecipientReply], text: str) -> PostroomError:
    """Nobody is left; `replies` say why for each."""
    error = RecipientsRefused(f"the server refused every recipient: {text}"[:MAX_REPLY_LENGTH])
    error.replies = replies
    return error
