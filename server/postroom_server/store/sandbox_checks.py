"""What sandbox accounts take: names of mailboxes, flags, and what the answers of their scripts refuse.

It owns these rules and the words of each refusal, and refuses to ask the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from postroom_server.domain.mailboxes import MAX_PATH_BYTES
from postroom_server.errors import AccountGone, MailboxExists, MailboxNotFound, ProviderFull, RequestInvalid

MAX_MAILBOXES: Final = 500
"""Mailboxes of one sandbox account."""
INBOX: Final = "INBOX"
"""The inbox is one, whatever the case of its letters (RFC 3501 section 5.1)."""
MAX_FLAG_BYTES: Final = 256


def refuse(status: bytes) -> None:
    """Raises what the first word of a script's answer means, nothing for a good one."""
    match status:
        case b"GONE":
            raise AccountGone
        case b"MAILBOX":
            raise MailboxNotFound
        case b"FULL":
            raise ProviderFull("The sandbox account holds as many messages as it may.")
        case b"EXISTS":
            raise MailboxExists
        case b"ROLE":
            raise RequestInvalid("name", "is a mailbox with a role, which cannot be renamed or deleted")
        case b"CHILDREN":
            raise RequestInvalid("name", "has mailboxes beneath it, which are to be deleted first")
        case b"INSIDE":
            raise RequestInvalid("path", "lies beneath the mailbox itself")
        case b"LONG":
            raise RequestInvalid("path", f"makes a path of more than {MAX_PATH_BYTES} bytes")
        case b"MANY":
            raise ProviderFull(f"The sandbox account holds {MAX_MAILBOXES} mailboxes, as many as it may.")


def checked_path(path: Sequence[str]) -> str:
    """A path as it is kept. Raises RequestInvalid."""
    joined = "/".join(path)
    if not path or len(joined.encode()) > MAX_PATH_BYTES:
        raise RequestInvalid("path", f"has 1 to {MAX_PATH_BYTES} bytes")
    for level in path:
        if not level or "/" in level or not level.isprintable() or level != level.strip():
            raise RequestInvalid("path", f"has a level that cannot be a name: {level[:40]!r}")
    if path[0].upper() == INBOX:
        joined = INBOX + joined[len(INBOX) :]
    return joined


def checked_flags(flags: frozenset[str]) -> list[str]:
    """Flags as they are kept. Raises ValueError for what is not one word."""
    for flag in flags:
        if not flag or len(flag.encode()) > MAX_FLAG_BYTES or any(one.isspace() for one in flag):
            raise ValueError(f"{flag[:40]!r} is not a flag")
    return sorted(flags)
