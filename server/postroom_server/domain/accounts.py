"""Accounts: settings, credentials, state.

It owns the shape of an account record and the table of its states; it refuses to hold a secret in clear: secrets travel
apart, by field name, and are sealed by the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from postroom_server.ids import AccountId

MAX_LABELS: Final = 64
MAX_WATCHED_MAILBOXES: Final = 1_000


class Security(StrEnum):
    """How the connection to a mail server is protected."""

    TLS = "TLS"
    STARTTLS = "STARTTLS"
    NONE = "NONE"


class State(StrEnum):
    """Where an account stands; `TRANSITIONS` says what may follow what."""

    CONNECTING = "CONNECTING"
    SYNCING = "SYNCING"
    CONNECTED = "CONNECTED"
    DISCONNECTED = "DISCONNECTED"
    AUTH_FAILED = "AUTH_FAILED"
    UNREACHABLE = "UNREACHABLE"
    PAUSED = "PAUSED"


class SentCopy(StrEnum):
    """Whether we file a copy of what was sent."""

    AUTO = "AUTO"
    ALWAYS = "ALWAYS"
    NEVER = "NEVER"


class Kind(StrEnum):
    """Which backend serves the account."""

    IMAP = "imap"
    SANDBOX = "sandbox"
    GMAIL = "gmail"
    GRAPH = "graph"


class SandboxProfile(StrEnum):
    """The kind of provider that a sandbox account behaves like."""

    IMAP = "IMAP"
    GMAIL = "GMAIL"
    GRAPH = "GRAPH"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """An IMAP or SMTP endpoint. The password is kept apart under `imap.password` or `smtp.password`."""

    host: str
    port: int
    security: Security = Security.TLS
    username: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth:
    """OAuth identity. Tokens are kept apart under `oauth.refreshToken` and `oauth.accessToken`."""

    app: str = ""
    user: str = ""
    expire_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StateError:
    """Why an account is not connected: the reason of the contract, a sentence, since when."""

    reason: str
    message: str
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One registered mail identity. `revision` grows by one with every change of the record and makes the etag."""

    id: AccountId
    email: str = ""
    display_name: str = ""
    kind: Kind = Kind.IMAP
    profile: SandboxProfile = SandboxProfile.IMAP
    """Of a sandbox account; it never changes."""
    imap: MailServer | None = None
    smtp: MailServer | None = None
    oauth: OAuth | None = None
    mailbox_roles: Mapping[str, str] = field(default_factory=dict)
    watched_mailboxes: tuple[str, ...] = ()
    live_mailboxes: tuple[str, ...] = ()
    sent_copy: SentCopy = SentCopy.AUTO
    relay: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    paused: bool = False
    create_time: datetime
    update_time: datetime
    revision: int = 1
    capabilities: Mapping[str, object] = field(default_factory=dict)
    """As last probed, in the shape of `ports.Capabilities.shown()`."""
    has_secrets: frozenset[str] = frozenset()
    """Names of the secrets that are kept for it."""

    @property
    def etag(self) -> str:
        """Changes with every change of the record."""
        return f'"{self.revision}"'


SECRET_FIELDS: Final = ("imap.password", "smtp.password", "oauth.refreshToken", "oauth.accessToken")
"""Every secret of an account; the one list that sealing, rotation and masking go by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The live side of an account, written by its owner."""

    state: State = State.CONNECTING
    error: StateError | None = None


TRANSITIONS: Final[Mapping[State, frozenset[State]]] = {
    State.CONNECTING: frozenset(
        {
            State.SYNCING,
            State.CONNECTED,
            State.AUTH_FAILED,
            State.UNREACHABLE,
            State.PAUSED,
            State.DISCONNECTED,
        }
    ),
    State.SYNCING: frozenset(
        {
            State.CONNECTED,
            State.DISCONNECTED,
            State.AUTH_FAILED,
            State.UNREACHABLE,
            State.PAUSED,
            State.CONNECTING,
        }
    ),
    State.CONNECTED: frozenset(
        {
            State.SYNCING,
            State.DISCONNECTED,
            State.AUTH_FAILED,
            State.UNREACHABLE,
            State.PAUSED,
            State.CONNECTING,
        }
    ),
    State.DISCONNECTED: frozenset(
        {State.CONNECTED, State.SYNCING, State.AUTH_FAILED, State.UNREACHABLE, State.PAUSED, State.CONNECTING}
    ),
    State.AUTH_FAILED: frozenset(
        {State.CONNECTING, State.SYNCING, State.CONNECTED, State.PAUSED, State.UNREACHABLE}
    ),
    State.UNREACHABLE: frozenset(
        {State.CONNECTING, State.SYNCING, State.CONNECTED, State.PAUSED, State.AUTH_FAILED}
    ),
    State.PAUSED: frozenset({State.CONNECTING}),
}
