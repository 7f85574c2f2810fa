"""Keys and cursors of the sandbox: a mailbox by its number, a message by its own, a place in the account's history.

It owns these bytes and refuses to read the store. A cursor is (epoch, modseq): every change of a message raises the
account's modseq, so two places never have equal bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from postroom_server.domain.keys import ItemKey, MailboxKey, ScopeId, item_key, split_key
from postroom_server.domain.ports import ProviderCursor
from postroom_server.domain.sandbox_store import ANY
from postroom_server.errors import MailboxNotFound, MessageNotFound, ProviderCursorExpired

ACCOUNT_SCOPE: Final = ScopeId(b"account")
"""The one scope of an account with labels."""
_FORM: Final = 2
_CURSOR: Final = struct.Struct(">BIQ")
_LASTING: Final = struct.Struct(">II")
_NUMBER_BYTES: Final = 4


def mailbox_key(number: int) -> MailboxKey:
    """The key of a mailbox."""
    return MailboxKey(number.to_bytes(_NUMBER_BYTES, "big"))


def mailbox_number(key: MailboxKey | ScopeId) -> int:
    """The number of a mailbox. Raises MailboxNotFound for a key that is not the sandbox's."""
    number = int.from_bytes(key, "big") if len(key) == _NUMBER_BYTES else ANY
    if number == ANY:
        raise MailboxNotFound
    return number


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a key says: a message, and the mailbox that it must be in (ANY: whichever)."""

    epoch: int
    number: int
    mailbox: int = ANY


def numbered_key(epoch: int, number: int, mailbox: int) -> ItemKey:
    """The key of a message in a mailbox that numbers its messages."""
    return item_key(ScopeId(mailbox_key(mailbox)), epoch, number)


def numbered_place(key: ItemKey) -> Place:
    """What such a key says. Raises MessageNotFound."""
    scope, epoch, number = split_key(key)
    if len(scope) != _NUMBER_BYTES:
        raise MessageNotFound
    return Place(epoch=epoch, number=number, mailbox=int.from_bytes(scope, "big"))


def lasting_key(epoch: int, number: int) -> ItemKey:
    """The key of a message for life."""
    return ItemKey(_LASTING.pack(epoch, number))


def lasting_place(key: ItemKey) -> Place:
    """What such a key says. Raises MessageNotFound."""
    if len(key) != _LASTING.size:
        raise MessageNotFound
    epoch, number = _LASTING.unpack(key)
    return Place(epoch=epoch, number=number)


def cursor_at(epoch: int, modseq: int) -> ProviderCursor:
    """A position as the worker keeps it."""
    return ProviderCursor(_CURSOR.pack(_FORM, epoch, modseq))


def read_cursor(cursor: ProviderCursor) -> tuple[int, int]:
    """(epoch, modseq) of a cursor.

    Raises:
        ProviderCursorExpired: It is not one of ours, or of a form that is no longer read.
    """
    if len(cursor) != _CURSOR.size or cursor[0] != _FORM:
        raise ProviderCursorExpired("HISTORY_EXPIRED")
    _, epoch, modseq = _CURSOR.unpack(cursor)
    return epoch, modseq
