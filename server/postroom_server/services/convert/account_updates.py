"""What an update of an account means: the mask, the merge, and the secrets that go or stay.

It owns the list of paths that a mask may name, and one rule of safety: a kept password is never sent to another host. Who
changes the host of a server gives its password again (or clears it). Pure.

See Also:
    https://google.aip.dev/134
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from postroom.v1 import account_pb2 as pb

from postroom_server.domain.accounts import SECRET_FIELDS, Account
from postroom_server.errors import EtagMismatch, RequestInvalid
from postroom_server.services.convert.accounts import account_to_proto, secrets_of, settings_from_proto

MAX_PATHS: Final = 100
_SERVER: Final = ("host", "port", "security", "username", "password")
_OAUTH: Final = ("app", "user", "refresh_token", "access_token", "expire_time")
_PLAIN: Final = (
    *("email", "display_name", "mailbox_roles", "watched_mailboxes", "live_mailboxes", "sent_copy"),
    *("relay", "labels"),
)
_GROUPS: Final[Mapping[str, Sequence[str]]] = {"imap": _SERVER, "smtp": _SERVER, "oauth": _OAUTH}
PATHS: Final = frozenset(
    {*_PLAIN, *_GROUPS, *(f"{group}.{one}" for group, names in _GROUPS.items() for one in names)}
)
"""What a mask may name, in the spelling of the proto."""
_SECRETS: Final = {_name.replace("Token", "_token"): _name for _name in SECRET_FIELDS}
"""Mask path -> name of the secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """The account after an update, and what becomes of its secrets (None: removed)."""

    account: Account
    secrets: Mapping[str, str | None]


def updated(current: Account, given: pb.Account, paths: Sequence[str], now: datetime) -> Update:
    """The account after an update.

    Args:
        current: The account as it is.
        given: The values of the request.
        paths: The update mask's paths; empty means every field that is set in `given`, `*` every field.
        now: Becomes the update time.

    Raises:
        RequestInvalid: An unknown path, or settings that are not acceptable.
        EtagMismatch: `given` names an etag, and it is not the current one.
    """
    if given.etag and given.etag != current.etag:
        raise EtagMismatch(etag=current.etag)
    wanted = _paths(given, paths)
    merged = account_to_proto(current)
    backend = given.WhichOneof("backend")
    if backend and backend != merged.WhichOneof("backend"):
        raise RequestInvalid(f"account.{backend}", "the backend of an account cannot be changed")
    if given.sandbox.profile not in (pb.SandboxSettings.PROFILE_UNSPECIFIED, merged.sandbox.profile):
        raise RequestInvalid("account.sandbox.profile", "the profile of a sandbox account cannot be changed")
    for path in sorted(wanted):
        _copy(path, given, merged)
    _fill_secrets(merged, given)
    settings = settings_from_proto(merged, current.id, now)
    secrets = _secrets(current, given, settings.account, wanted)
    kept = (current.has_secrets - {name for name, value in secrets.items() if value is None}) | {
        name for name, value in secrets.items() if value is not None
    }
    account = replace(
        settings.account,
        create_time=current.create_time,
        revision=current.revision + 1,
        paused=current.paused,
        capabilities=current.capabilities,
        has_secrets=frozenset(kept),
    )
    return Update(account=account, secrets=secrets)


def _paths(given: pb.Account, paths: Sequence[str]) -> frozenset[str]:
    if len(paths) > MAX_PATHS:
        raise RequestInvalid("updateMask", f"must have at most {MAX_PATHS} paths")
    if not paths:
        return _set_paths(given)
    if "*" in paths:
        if len(paths) > 1:
            raise RequestInvalid("updateMask", "* stands alone")
        return frozenset({*_PLAIN, *_GROUPS})
    for path in paths:
        if path not in PATHS:
            raise RequestInvalid("updateMask", f"{_camel(path[:80])!r} is not a field that can be changed")
    return frozenset(paths)


def _set_paths(given: pb.Account) -> frozenset[str]:
    """Every field that is set, down to the fields of servers and grant, so that nothing unset is cleared."""
    found: set[str] = set()
    for field, value in given.ListFields():
        if field.name in _GROUPS:
            found.update(f"{field.name}.{one.name}" for one, _ in value.ListFields())
        elif field.name in PATHS:
            found.add(field.name)
    return frozenset(found)


def _copy(path: str, given: pb.Account, merged: pb.Account) -> None:
    group, _, name = path.partition(".")
    if not name:
        merged.ClearField(group)
        source: Any = getattr(given, group)
        if hasattr(source, "DESCRIPTOR"):
            if given.HasField(group):
                getattr(merged, group).CopyFrom(source)
        elif group in ("mailbox_roles", "labels"):
            getattr(merged, group).update(source)
        elif isinstance(source, str | int):
            setattr(merged, group, source)
        else:
            getattr(merged, group).extend(source)
        return
    source, target = getattr(given, group), getattr(merged, group)
    target.ClearField(name)
    value = getattr(source, name)
    if hasattr(value, "DESCRIPTOR"):
        if source.HasField(name):
            getattr(target, name).CopyFrom(value)
    else:
        setattr(target, name, value)


def _fill_secrets(merged: pb.Account, given: pb.Account) -> None:
    """Secrets are judged from the request alone; what `account_to_proto` shows of the current account has none."""
    for group, name in (path.split(".") for path in _SECRETS):
        if merged.HasField(group):
            setattr(getattr(merged, group), name, getattr(getattr(given, group), name))


def _secrets(
    current: Account, given: pb.Account, after: Account, wanted: frozenset[str]
) -> Mapping[str, str | None]:
    new = secrets_of(given)
    changed: dict[str, str | None] = {}
    for path, name in _SECRETS.items():
        group = path.partition(".")[0]
        if path in wanted or (group in wanted and name in new):
            changed[name] = new.get(name)
        elif name in current.has_secrets and getattr(after, group) is None:
            changed[name] = None
    for group in ("imap", "smtp"):
        before, now = getattr(current, group), getattr(after, group)
        name = f"{group}.password"
        if before is None or now is None or before.host == now.host or name not in current.has_secrets:
            continue
        if name not in changed:
            raise RequestInvalid(f"account.{name}", "must be given again when the host changes")
    return changed


def _camel(path: str) -> str:
    head, *rest = path.split("_")
    return head + "".join(one.capitalize() for one in rest)
