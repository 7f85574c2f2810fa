"""Keys and cursors of the sandbox: a mailbox by its number, a message by UID, a place in a mailbox's log.

It owns these bytes and refuses to read the store. A cursor is (epoch, modseq, next UID, messages): every change of a
mailbox raises its modseq, so two places never have equal bytes; the count tells whether anything old has gone.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from postroom_server.domain.keys import ItemKey, MailboxKey, ScopeId, split_key
from postroom_server.domain.ports import ProviderCursor
from postroom_server.domain.sandbox_store import SandboxMailbox
from postroom_server.errors import MailboxNotFound, MessageNotFound, ProviderCursorExpired

_FORM: Final = 1
_CURSOR: Final = struct.Struct(">BIQII")
_NUMBER_BYTES: Final = 4


def mailbox_key(number: int) -> MailboxKey:
    """The key, and the scope, of a mailbox."""
    return MailboxKey(number.to_bytes(_NUMBER_BYTES, "big"))


def scope_of(number: int) -> ScopeId:
    """The scope of a mailbox: its key."""
    return ScopeId(mailbox_key(number))


def mailbox_number(key: MailboxKey | ScopeId) -> int:
    """The number of a mailbox. Raises MailboxNotFound for a key that is not the sandbox's."""
    if len(key) != _NUMBER_BYTES:
        raise MailboxNotFound
    return int.from_bytes(key, "big")


def place_of(key: ItemKey) -> tuple[int, int, int]:
    """(mailbox, epoch, UID) of a message. Raises MessageNotFound for a key that is not the sandbox's."""
    scope, epoch, uid = split_key(key)
    if len(scope) != _NUMBER_BYTES:
        raise MessageNotFound
    return int.from_bytes(scope, "big"), epoch, uid


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A mailbox as it was read: everything up to `modseq`, UIDs below `next_uid`, of which `messages` were there."""

    epoch: int
    modseq: int
    next_uid: int
    messages: int

    def cursor(self) -> ProviderCursor:
        """As the worker keeps it."""
        return ProviderCursor(_CURSOR.pack(_FORM, self.epoch, self.modseq, self.next_uid, self.messages))


def read_cursor(cursor: ProviderCursor) -> Place:
    """The place of a cursor.

    Raises:
        ProviderCursorExpired: It is not one of ours, or of a form that is no longer read.
    """
    if len(cursor) != _CURSOR.size or cursor[0] != _FORM:
        raise ProviderCursorExpired("HISTORY_EXPIRED")
    _, epoch, modseq, next_uid, messages = _CURSOR.unpack(cursor)
    return Place(epoch=epoch, modseq=modseq, next_uid=next_uid, messages=messages)


def checked_place(cursor: ProviderCursor, mailbox: SandboxMailbox) -> Place:
    """The place of a cursor in the mailbox as it is now.

    Raises:
        ProviderCursorExpired: Another epoch, or a place that the mailbox has not reached: the store went back in time.
    """
    place = read_cursor(cursor)
    if place.epoch != mailbox.epoch:
        raise ProviderCursorExpired("UIDVALIDITY_CHANGED")
    if place.modseq > mailbox.modseq or place.next_uid > mailbox.next_uid:
        raise ProviderCursorExpired("HISTORY_EXPIRED")
    return place
