"""Small conversions that every resource needs: names, times, enums, bounded texts.

It owns that each refusal is a RequestInvalid with the JSON path of the field, in camelCase, as the caller wrote it.
Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from postroom_server.domain.mailboxes import Role
from postroom_server.errors import RequestInvalid
from postroom_server.ids import (
    REQUEST_ID_PATTERN,
    AccountId,
    BadName,
    MailboxId,
    MessageId,
    parse_mailbox,
    parse_message,
)

ROLES: Final = frozenset(role.value for role in Role)
_EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9999, 1, 1, tzinfo=UTC)

_T = TypeVar("_T")


def named(field: str, parse: Callable[[str], _T], text: str) -> _T:
    """`parse(text)`, where BadName becomes a refusal of `field`."""
    if not text:
        raise RequestInvalid(field, "is needed")
    try:
        return parse(text)
    except BadName as error:
        raise RequestInvalid(field, str(error)) from None


def text(field: str, value: str, most: int, *, needed: bool = False) -> str:
    """A text of one line of at most `most` characters."""
    if needed and not value:
        raise RequestInvalid(field, "is needed")
    if len(value) > most:
        raise RequestInvalid(field, f"must be at most {most:,} characters long")
    if any(ord(one) < 32 or ord(one) == 127 for one in value):
        raise RequestInvalid(field, "holds a control character")
    return value


def limited(field: str, values: Iterable[_T], most: int) -> list[_T]:
    """A list of at most `most` elements."""
    found = list(values)
    if len(found) > most:
        raise RequestInvalid(field, f"must have at most {most:,} elements")
    return found


def request_id(field: str, value: str) -> str:
    """A caller's request id, or empty."""
    if value and not REQUEST_ID_PATTERN.fullmatch(value):
        raise RequestInvalid(field, "must be 1 to 128 printable ASCII characters without spaces")
    return value


def to_time(value: datetime) -> Timestamp:
    """A time with its time zone as a Timestamp."""
    made = Timestamp()
    made.FromDatetime(value)
    return made


def set_time(message: Any, field: str, value: datetime | None) -> None:
    """Sets a Timestamp field; None leaves it absent."""
    if value is not None:
        getattr(message, field).FromDatetime(value)


def time_of(path: str, message: Message, field: str) -> datetime | None:
    """A Timestamp field as a time in UTC; None where it is absent."""
    if not message.HasField(field):
        return None
    try:
        value: datetime = getattr(message, field).ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise RequestInvalid(path, "is not a time of this calendar") from None
    if not _EARLIEST <= value <= _LATEST:
        raise RequestInvalid(path, "must lie between 1900 and 9999")
    return value


def to_duration(seconds: float) -> Duration:
    """Seconds as a Duration."""
    made = Duration()
    made.FromNanoseconds(int(seconds * 1_000_000_000))
    return made


def seconds_of(
    path: str, message: Message, field: str, *, least: float, most: float, default: float
) -> float:
    """A Duration field in seconds; refused below `least`, above `most`."""
    if not message.HasField(field):
        return default
    value: Duration = getattr(message, field)
    seconds = value.seconds + value.nanos / 1e9
    if not least <= seconds <= most:
        raise RequestInvalid(path, f"must be {least:g}s to {most:g}s")
    return seconds


def choice(path: str, kind: Any, number: int, *, default: str = "") -> str:
    """The name of an enum's value; the zero value is `default`, or refused where there is none."""
    if number == 0:
        if not default:
            raise RequestInvalid(path, "is needed")
        return default
    if number not in kind.values():
        raise RequestInvalid(path, f"{number} is not a value of this enum")
    return str(kind.Name(number))


def mailbox_reference(path: str, value: str, account: AccountId) -> MailboxId:
    """A mailbox of `account` by resource name or role."""
    if value in ROLES:
        return MailboxId(value)
    if "/" not in value:
        raise RequestInvalid(path, "must be a mailbox's resource name or a role")
    owner, mailbox = named(path, parse_mailbox, value)
    if owner != account:
        raise RequestInvalid(path, "is a mailbox of another account")
    return mailbox


def message_reference(path: str, value: str, account: AccountId) -> MessageId:
    """A message of `account` by resource name."""
    owner, message = named(path, parse_message, value)
    if owner != account:
        raise RequestInvalid(path, "is a message of another account")
    return message
