"""Public ids of messages, mailboxes and threads, made of what the provider would tell us again.

A message id is base64url of (kind, payload). Kind 4, for providers that number their messages, is the birth place: the
space and the number at first sight, with a keyed check over account and place, so that an id of another account is
refused and never resolved to a stranger's message. Nothing is stored for it. It owns these forms and refuses look-ups.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

from postroom_server.ids import AccountId, MailboxId, MessageId, ThreadId

PLACE: Final = 4
THREAD: Final = 1
_CHECK_BYTES: Final = 3
_MAILBOX_CHECK_BYTES: Final = 2


class BadId(ValueError):
    """The text is not an id of this account."""


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decode(text: str) -> bytes:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise BadId(text[:40]) from None
    if _encode(raw) != text:
        raise BadId(text[:40])
    return raw


class Identity:
    """Makes and reads ids under one key, which must outlive the store."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = hashlib.blake2b(key, person=b"postroom-ids", digest_size=32).digest()

    def _check(self, account: AccountId, payload: bytes, size: int) -> bytes:
        return hashlib.blake2b(account.encode() + b"\0" + payload, key=self._key, digest_size=size).digest()

    def message(self, account: AccountId, space: int, number: int) -> MessageId:
        """The id of the message first seen at this place."""
        payload = bytes((PLACE,)) + space.to_bytes(4, "big") + number.to_bytes(4, "big")
        return MessageId(_encode(payload + self._check(account, payload, _CHECK_BYTES)))

    def place(self, account: AccountId, message: MessageId) -> tuple[int, int]:
        """(space, number) of a message's birth place. Raises BadId."""
        raw = _decode(message)
        payload, check = raw[:-_CHECK_BYTES], raw[-_CHECK_BYTES:]
        if len(payload) != 9 or payload[0] != PLACE:
            raise BadId(message[:40])
        if not hmac.compare_digest(check, self._check(account, payload, _CHECK_BYTES)):
            raise BadId(message[:40])
        return int.from_bytes(payload[1:5], "big"), int.from_bytes(payload[5:9], "big")

    def mailbox(self, account: AccountId, number: int) -> MailboxId:
        """The id of a mailbox whose number we dealt out; begins with `m`."""
        payload = number.to_bytes(4, "big")
        return MailboxId("m" + _encode(payload + self._check(account, b"m" + payload, _MAILBOX_CHECK_BYTES)))

    def mailbox_number(self, account: AccountId, mailbox: MailboxId) -> int:
        """The number of a mailbox id. Raises BadId."""
        if not mailbox.startswith("m"):
            raise BadId(mailbox[:40])
        raw = _decode(mailbox[1:])
        payload, check = raw[:4], raw[4:]
        if not hmac.compare_digest(check, self._check(account, b"m" + payload, _MAILBOX_CHECK_BYTES)):
            raise BadId(mailbox[:40])
        return int.from_bytes(payload, "big")


def thread_id(
    references: tuple[str, ...], in_reply_to: tuple[str, ...], internet_message_id: str
) -> ThreadId:
    """The thread of a message: made of its root's Message-ID (RFC 5322 section 3.6.4), without any state.

    The root is the first of References, else of In-Reply-To, else the message itself; empty when there is none.
    """
    root = (references or in_reply_to or (internet_message_id,))[0]
    if not root:
        return ThreadId("")
    return ThreadId(_encode(bytes((THREAD,)) + hashlib.blake2b(root.encode(), digest_size=11).digest()))
