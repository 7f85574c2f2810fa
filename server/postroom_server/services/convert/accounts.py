"""Accounts between the contract and the domain.

It owns the checks of an account's settings and the meaning of an update mask; it refuses to carry a secret back: secrets
leave a request by their own road (`SECRET_FIELDS`) and have none into an answer. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from postroom.v1 import account_pb2 as pb
from postroom.v1 import capabilities_pb2

from postroom_server.domain.accounts import (
    MAX_LABELS,
    MAX_WATCHED_MAILBOXES,
    Account,
    Kind,
    MailServer,
    OAuth,
    SandboxProfile,
    Security,
    SentCopy,
    State,
    StateError,
    Status,
)
from postroom_server.errors import NotImplementedYet, RequestInvalid
from postroom_server.ids import AccountId, account_name
from postroom_server.services.convert.fields import ROLES, choice, limited, set_time, text, time_of

MAX_EMAIL: Final = 320
MAX_DISPLAY_NAME: Final = 256
MAX_HOST: Final = 253
MAX_USERNAME: Final = 500
MAX_SECRET: Final = 16_384
MAX_LABEL_KEY: Final = 63
MAX_LABEL_VALUE: Final = 255
MAX_LIVE_MAILBOXES: Final = 16
MAX_MAILBOX_PATH: Final = 1_000
_EMAIL = re.compile(r"[^\s@<>\"(),:;\\\[\]]{1,64}@[^\s@<>\"(),:;\\\[\]]{1,255}")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9.])?|[0-9A-Fa-f:.]{2,45}")
_LABEL_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,62}")

_PORTS: Final = {
    "imap": {Security.TLS: 993, Security.STARTTLS: 143, Security.NONE: 143},
    "smtp": {Security.TLS: 465, Security.STARTTLS: 587, Security.NONE: 587},
}
_TLS_PORTS: Final = frozenset({0, 465, 993})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """An account as a request gives it: the record, and its secrets by name (empty ones are left out)."""

    account: Account
    secrets: Mapping[str, str]


# --- to the contract ---------------------------------------------------------------------------------------------


def account_to_proto(account: Account, status: Status | None = None) -> pb.Account:
    """The account without its secrets; without a status also without a state."""
    made = pb.Account(
        name=account_name(account.id),
        email=account.email,
        display_name=account.display_name,
        watched_mailboxes=account.watched_mailboxes,
        live_mailboxes=account.live_mailboxes,
        sent_copy=account.sent_copy.value,
        relay=account.relay,
        etag=account.etag,
    )
    made.mailbox_roles.update(account.mailbox_roles)
    made.labels.update(account.labels)
    for server, field in ((account.imap, "imap"), (account.smtp, "smtp")):
        if server is not None:
            getattr(made, field).CopyFrom(_server_to_proto(server))
    if account.oauth is not None:
        made.oauth.app, made.oauth.user = account.oauth.app, account.oauth.user
        set_time(made.oauth, "expire_time", account.oauth.expire_time)
    if account.kind is not Kind.IMAP:
        getattr(made, account.kind.value).SetInParent()
    if account.kind is Kind.SANDBOX:
        profile: Any = pb.SandboxSettings.Profile.Value(account.profile.value)
        made.sandbox.profile = profile
    set_time(made, "create_time", account.create_time)
    set_time(made, "update_time", account.update_time)
    if account.capabilities:
        made.capabilities.CopyFrom(capabilities_to_proto(account.capabilities))
    if status is not None:
        made.state = state_to_proto(status.state)
        if status.error is not None:
            made.last_error.CopyFrom(error_to_proto(status.error))
    return made


def state_to_proto(state: State) -> Any:
    """The state's enum value."""
    return pb.Account.State.Value(state.value)


def error_to_proto(error: StateError) -> pb.AccountError:
    """A failure, as `Account.lastError` shows it."""
    made = pb.AccountError(reason=error.reason, message=error.message)
    set_time(made, "time", error.time)
    return made


def capabilities_to_proto(shown: Mapping[str, Any]) -> capabilities_pb2.Capabilities:
    """Capabilities from the JSON-ready form in which they are kept."""
    kinds = capabilities_pb2.Capabilities
    made = kinds(
        membership=shown.get("membership"),
        settable_flags=shown.get("settableFlags", ()),
        keywords=bool(shown.get("keywords")),
        push=shown.get("push", ()),
        append=shown.get("append"),
        permanent_delete=bool(shown.get("permanentDelete")),
        send_only=bool(shown.get("sendOnly")),
    )
    for condition, match in shown.get("search", {}).items():
        value: Any = kinds.Match.Value(match)
        made.search[condition] = value
    raw = shown.get("raw", {})
    made.raw.extend(f"{key}: {value}" if value else key for key, value in raw.items())
    return made


def _server_to_proto(server: MailServer) -> pb.MailServer:
    return pb.MailServer(
        host=server.host,
        port=server.port,
        security=server.security.value,
        username=server.username,
    )


# --- from the contract -------------------------------------------------------------------------------------------


def settings_from_proto(given: pb.Account, account: AccountId, now: datetime) -> Settings:
    """A new account as `CreateAccount` and `VerifyAccount` give it; what is OUTPUT_ONLY is not looked at.

    Raises:
        RequestInvalid: A field is missing, malformed or does not go with another one.
        NotImplementedYet: The backend is not served yet.
    """
    kind = _kind(given)
    imap = _server("account.imap", "imap", given)
    smtp = _server("account.smtp", "smtp", given)
    if kind is Kind.IMAP and imap is None and smtp is None:
        raise RequestInvalid("account", "needs imap or smtp, or one of gmail, graph, sandbox")
    if kind is not Kind.IMAP:
        for field, server in (("imap", imap), ("smtp", smtp)):
            if server is not None:
                raise RequestInvalid(f"account.{field}", f"does not go with {kind.value}")
    if given.relay:
        raise NotImplementedYet("relays are not served yet", field="account.relay")
    made = Account(
        id=account,
        email=_email(given.email),
        display_name=text("account.displayName", given.display_name, MAX_DISPLAY_NAME),
        kind=kind,
        profile=SandboxProfile(
            choice(
                "account.sandbox.profile", pb.SandboxSettings.Profile, given.sandbox.profile, default="IMAP"
            )
        ),
        imap=imap,
        smtp=smtp,
        oauth=_oauth(given),
        mailbox_roles=_roles(given.mailbox_roles),
        watched_mailboxes=_mailboxes("watchedMailboxes", given.watched_mailboxes, MAX_WATCHED_MAILBOXES),
        live_mailboxes=_mailboxes("liveMailboxes", given.live_mailboxes, MAX_LIVE_MAILBOXES),
        sent_copy=SentCopy(choice("account.sentCopy", pb.Account.SentCopy, given.sent_copy, default="AUTO")),
        labels=labels_from("account.labels", given.labels),
        create_time=now,
        update_time=now,
    )
    secrets = secrets_of(given)
    return Settings(account=replace(made, has_secrets=frozenset(secrets)), secrets=secrets)


def secrets_of(given: pb.Account) -> Mapping[str, str]:
    """The secrets that a request carries, by the names of SECRET_FIELDS."""
    found = {
        "imap.password": given.imap.password,
        "smtp.password": given.smtp.password,
        "oauth.refreshToken": given.oauth.refresh_token,
        "oauth.accessToken": given.oauth.access_token,
    }
    for name, value in found.items():
        if len(value) > MAX_SECRET or "\0" in value or "\r" in value or "\n" in value:
            raise RequestInvalid(
                f"account.{name}", f"must be one line of at most {MAX_SECRET:,} characters, without NUL"
            )
    return {name: value for name, value in found.items() if value}


def labels_from(path: str, given: Mapping[str, str]) -> Mapping[str, str]:
    """Labels, checked."""
    if len(given) > MAX_LABELS:
        raise RequestInvalid(path, f"must have at most {MAX_LABELS} elements")
    for key, value in given.items():
        if not _LABEL_KEY.fullmatch(key):
            raise RequestInvalid(
                path, f"a key must be 1 to {MAX_LABEL_KEY} characters of letters, digits and ._/-"
            )
        text(f"{path}.{key}", value, MAX_LABEL_VALUE)
    return dict(sorted(given.items()))


def _kind(given: pb.Account) -> Kind:
    backend = given.WhichOneof("backend")
    if backend is None:
        return Kind.IMAP
    if backend != "sandbox":
        raise NotImplementedYet(
            f"accounts of the backend {backend} are not served yet", field=f"account.{backend}"
        )
    return Kind.SANDBOX


def _email(given: str) -> str:
    email = text("account.email", given, MAX_EMAIL, needed=True)
    if not _EMAIL.fullmatch(email):
        raise RequestInvalid("account.email", "is not a mail address")
    return email


def _server(path: str, kind: str, given: pb.Account) -> MailServer | None:
    if not given.HasField(kind):
        return None
    server: pb.MailServer = getattr(given, kind)
    host = text(f"{path}.host", server.host, MAX_HOST, needed=True)
    if not _HOST.fullmatch(host):
        raise RequestInvalid(f"{path}.host", "is neither a host name nor an address")
    if not 0 <= server.port <= 65_535:
        raise RequestInvalid(f"{path}.port", "must be 1 to 65535")
    guessed = "TLS" if server.port in _TLS_PORTS else "STARTTLS"
    security = Security(choice(f"{path}.security", pb.MailServer.Security, server.security, default=guessed))
    return MailServer(
        host=host,
        port=server.port or _PORTS[kind][security],
        security=security,
        username=text(f"{path}.username", server.username, MAX_USERNAME),
    )


def _oauth(given: pb.Account) -> OAuth | None:
    if not given.HasField("oauth"):
        return None
    grant = given.oauth
    if grant.app:
        raise NotImplementedYet("OAuth apps are not served yet", field="account.oauth.app")
    return OAuth(
        app=grant.app,
        user=text("account.oauth.user", grant.user, MAX_USERNAME),
        expire_time=time_of("account.oauth.expireTime", grant, "expire_time"),
    )


def _roles(given: Mapping[str, str]) -> Mapping[str, str]:
    for role, path in given.items():
        if role not in ROLES:
            raise RequestInvalid("account.mailboxRoles", f"{role[:40]!r} is not a role")
        text(f"account.mailboxRoles.{role}", path, MAX_MAILBOX_PATH, needed=True)
    return dict(sorted(given.items()))


def _mailboxes(field: str, given: Sequence[str], most: int) -> tuple[str, ...]:
    paths = limited(f"account.{field}", given, most)
    for index, path in enumerate(paths):
        text(f"account.{field}[{index}]", path, MAX_MAILBOX_PATH, needed=True)
    return tuple(paths)
