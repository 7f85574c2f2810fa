"""Identifiers: their types, their grammar, and resource names; no other module splits a name by `/`.

It owns the form of names and refuses to know what they stand for. Ids that callers choose match `ID_PATTERN`
(design: threats T16), which keeps `.`, `..`, `{`, `}`, `:` and everything that a store key could misread out.
"""

from __future__ import annotations

import base64
import re
import secrets
import time
from typing import NewType

AccountId = NewType("AccountId", str)
MailboxId = NewType("MailboxId", str)
MessageId = NewType("MessageId", str)
AttachmentId = NewType("AttachmentId", str)
ThreadId = NewType("ThreadId", str)
SubmissionId = NewType("SubmissionId", str)
TokenId = NewType("TokenId", str)
RequestId = NewType("RequestId", str)

ID_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")
OPAQUE_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=-]{0,127}")
"""Ids that we make; base64url with `-` and `_`, sections such as `1.2`."""
REQUEST_ID_PATTERN = re.compile(r"[\x21-\x7e]{1,128}")
ALL_ACCOUNTS = "-"


class BadName(ValueError):
    """The text is not a resource name of the wanted shape."""


def _split(name: str, *shape: str) -> list[str]:
    """The ids in `name`, where `shape` is the collections in order."""
    parts = name.split("/")
    if len(parts) != 2 * len(shape) or parts[::2] != list(shape):
        raise BadName(f"must be {'/'.join(f'{one}/*' for one in shape)}")
    return parts[1::2]


def _check(text: str, pattern: re.Pattern[str] = OPAQUE_PATTERN) -> str:
    if not pattern.fullmatch(text):
        raise BadName(f"{text[:40]!r} is not an id")
    return text


def account_name(account: AccountId) -> str:
    """`accounts/{account}`."""
    return f"accounts/{account}"


def parse_account(name: str) -> AccountId:
    """The account of `accounts/{account}`; raises BadName, also for `accounts/-`."""
    return AccountId(_check(_split(name, "accounts")[0], ID_PATTERN))


def parse_account_or_all(name: str) -> AccountId | None:
    """The account of `accounts/{account}`, or None for `accounts/-`."""
    return None if name == f"accounts/{ALL_ACCOUNTS}" else parse_account(name)


def mailbox_name(account: AccountId, mailbox: MailboxId) -> str:
    """`accounts/{account}/mailboxes/{mailbox}`."""
    return f"accounts/{account}/mailboxes/{mailbox}"


def parse_mailbox(name: str) -> tuple[AccountId, MailboxId]:
    """The ids of a mailbox's name; the mailbox may be a role."""
    account, mailbox = _split(name, "accounts", "mailboxes")
    return AccountId(_check(account, ID_PATTERN)), MailboxId(_check(mailbox))


def message_name(account: AccountId, message: MessageId) -> str:
    """`accounts/{account}/messages/{message}`."""
    return f"accounts/{account}/messages/{message}"


def parse_message(name: str) -> tuple[AccountId, MessageId]:
    """The ids of a message's name."""
    account, message = _split(name, "accounts", "messages")
    return AccountId(_check(account, ID_PATTERN)), MessageId(_check(message))


def attachment_name(account: AccountId, message: MessageId, attachment: AttachmentId) -> str:
    """`accounts/{account}/messages/{message}/attachments/{attachment}`."""
    return f"accounts/{account}/messages/{message}/attachments/{attachment}"


def parse_attachment(name: str) -> tuple[AccountId, MessageId, AttachmentId]:
    """The ids of an attachment's name."""
    account, message, attachment = _split(name, "accounts", "messages", "attachments")
    return (
        AccountId(_check(account, ID_PATTERN)),
        MessageId(_check(message)),
        AttachmentId(_check(attachment)),
    )


def submission_name(account: AccountId, submission: SubmissionId) -> str:
    """`accounts/{account}/submissions/{submission}`."""
    return f"accounts/{account}/submissions/{submission}"


def parse_submission(name: str) -> tuple[AccountId, SubmissionId]:
    """The ids of a submission's name."""
    account, submission = _split(name, "accounts", "submissions")
    return AccountId(_check(account, ID_PATTERN)), SubmissionId(_check(submission))


def token_name(token: TokenId) -> str:
    """`tokens/{token}`."""
    return f"tokens/{token}"


def parse_token(name: str) -> TokenId:
    """The id of a token's name."""
    return TokenId(_check(_split(name, "tokens")[0]))


def check_account_id(text: str) -> AccountId:
    """An account id as a caller chose it; raises BadName."""
    return AccountId(_check(text, ID_PATTERN))


def new_id(prefix: str) -> str:
    """A fresh id that sorts by the time of its making: `prefix`, 48 bits of milliseconds, 80 random bits, in base32."""
    raw = int(time.time() * 1000).to_bytes(6, "big") + secrets.token_bytes(9)
    return prefix + base64.b32hexencode(raw).decode().lower()


def account_in(name: str) -> str:
    """The account id of any name that begins with `accounts/{account}`, or `-`; raises BadName.

    Only the account's part is checked: it tells whom a call is about before the rest of the name is read.
    """
    collection, _, rest = name.partition("/")
    account = rest.partition("/")[0]
    if collection != "accounts":
        raise BadName("must begin with accounts/*")
    return account if account == ALL_ACCOUNTS else _check(account, ID_PATTERN)
