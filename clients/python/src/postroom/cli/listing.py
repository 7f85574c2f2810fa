"""`postroom mailboxes`, `messages` and `search`: what there is.

It owns the columns, and how a mailbox and a search are given on a command line.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from postroom.cli.output import Column, moment
from postroom.cli.session import Session, Usage, account_name, number, parser_of, run
from postroom.client import Postroom
from postroom.v1.mailbox_pb2 import Mailbox
from postroom.v1.mailbox_service_pb2 import ListMailboxesRequest
from postroom.v1.message_service_pb2 import ListMessagesRequest
from postroom.v1.search_pb2 import SearchCondition, SearchFilter, SearchMessagesRequest

ROLES: Final = frozenset(
    ["inbox", "archive", "drafts", "sent", "junk", "trash", "all", "flagged", "important"]
)
DEFAULT_LIMIT: Final = 50
MAX_PAGE: Final = 1_000
UNITS: Final = ("B", "KB", "MB", "GB")

MAILBOX_COLUMNS: Final[Sequence[Column]] = (
    ("MAILBOX", lambda one: one.name.rpartition("/")[2]),
    ("PATH", lambda one: one.path),
    ("ROLE", lambda one: one.role),
    ("MESSAGES", lambda one: str(one.message_count)),
    ("UNSEEN", lambda one: str(one.unseen_count)),
    ("WATCH", lambda one: Mailbox.Watch.Name(one.watch)),
)


def sender(message: Any) -> str:
    """Who a message is from, for a list."""
    first = next(iter(message.from_addresses), None)
    return (first.display_name or first.address) if first else ""


def marks(message: Any) -> str:
    """Flags in one letter each, and whether there is an attachment."""
    flags = set(message.flags)
    letters = [("$seen" not in flags, "N"), ("$flagged" in flags, "!"), ("$answered" in flags, "A")]
    letters += [("$draft" in flags, "D"), (bool(message.attachments), "@")]
    return "".join(letter for there, letter in letters if there)


def amount(count: int) -> str:
    """A size for people."""
    size = float(count)
    for unit in UNITS[:-1]:
        if size < 1_000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1_000
    return f"{size:.1f} {UNITS[-1]}"


MESSAGE_COLUMNS: Final[Sequence[Column]] = (
    ("RECEIVED", lambda one: moment(one.receive_time)),
    ("", marks),
    ("FROM", sender),
    ("SUBJECT", lambda one: one.subject),
    ("SIZE", lambda one: amount(one.size_bytes) if one.HasField("size_bytes") else ""),
    ("NAME", lambda one: one.name),
)


def mailboxes(arguments: Sequence[str]) -> int:
    """List the mailboxes of an account."""
    parser = parser_of("mailboxes", mailboxes)
    parser.add_argument("account", metavar="ACCOUNT", help="id or name")
    given = parser.parse_args(arguments)

    async def work(session: Session) -> None:
        request = ListMailboxesRequest(parent=account_name(given.account), with_counts=True)
        answer = await session.client.mailboxes.ListMailboxes(request)

        async def rows() -> Any:
            for mailbox in answer.mailboxes:
                yield mailbox

        await session.output.rows(rows(), MAILBOX_COLUMNS)

    return run(given, work)


def messages(arguments: Sequence[str]) -> int:
    """List the messages of a mailbox, newest first."""
    parser = parser_of("messages", messages)
    parser.add_argument(
        "account", metavar="ACCOUNT", help="id or name of the account, or the name of a mailbox"
    )
    parser.add_argument(
        "mailbox", metavar="MAILBOX", nargs="?", default="inbox", help="role, path or id [inbox]"
    )
    _add_limit(parser)
    given = parser.parse_args(arguments)

    async def work(session: Session) -> None:
        parent = given.account
        if "/mailboxes/" not in parent:
            parent = await mailbox_name(session.client, account_name(given.account), given.mailbox)
        request = ListMessagesRequest(parent=parent, page_size=_page(given.limit))
        rows = session.client.pages(session.client.messages.ListMessages, request)
        await session.output.rows(rows, MESSAGE_COLUMNS, given.limit)

    return run(given, work)


def search(arguments: Sequence[str]) -> int:
    """Search messages of an account, newest first; all conditions have to hold."""
    parser = parser_of("search", search)
    parser.add_argument("account", metavar="ACCOUNT", help="id or name")
    parser.add_argument("words", metavar="WORDS", nargs="*", help="anywhere in the message")
    for field in ("from", "to", "subject", "body"):
        parser.add_argument(f"--{field}", dest=f"in_{field}", default="", metavar="WORDS", help=f"in {field}")
    parser.add_argument("--flag", default="", help="that have this flag, such as $flagged")
    parser.add_argument("--no-flag", default="", metavar="FLAG", help="that do not, such as $seen")
    parser.add_argument("--since", type=_day, metavar="DAY", help="received on or after 2026-01-31 (UTC)")
    parser.add_argument("--before", type=_day, metavar="DAY", help="received before")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--mailbox", default="inbox", metavar="MAILBOX", help="role, path or id [inbox]")
    where.add_argument("--all", action="store_true", help="in all mailboxes")
    _add_limit(parser)
    given = parser.parse_args(arguments)
    condition = _condition(given)
    if not condition.ByteSize():
        parser.error("say what to look for")

    async def work(session: Session) -> None:
        account = account_name(given.account)
        request = SearchMessagesRequest(
            parent=account,
            mailboxes=[] if given.all else [await mailbox_name(session.client, account, given.mailbox)],
            filter=SearchFilter(condition=condition),
            page_size=_page(given.limit),
        )
        rows = session.client.pages(session.client.messages.SearchMessages, request)
        if not await session.output.rows(rows, MESSAGE_COLUMNS, given.limit):
            session.output.say("nothing found")

    return run(given, work)


def _condition(given: argparse.Namespace) -> SearchCondition:
    made = SearchCondition(
        from_address=given.in_from,
        to=given.in_to,
        subject=given.in_subject,
        body=given.in_body,
        text=" ".join(given.words),
        has_flag=given.flag,
        not_flag=given.no_flag,
    )
    if given.since:
        made.after.CopyFrom(given.since)
    if given.before:
        made.before.CopyFrom(given.before)
    return made


def _day(text: str) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC))
    return made


def _add_limit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--limit",
        type=number(0),
        default=DEFAULT_LIMIT,
        metavar="N",
        help=f"how many at most; 0 for all [{DEFAULT_LIMIT}]",
    )


def _page(limit: int) -> int:
    return min(limit, MAX_PAGE) if limit > 0 else MAX_PAGE


async def mailbox_name(client: Postroom, account: str, text: str) -> str:
    """The resource name of a mailbox that is given by name, role, id or path. Raises Usage."""
    if text.startswith("accounts/"):
        return text
    if text.lower() in ROLES:
        return f"{account}/mailboxes/{text.lower()}"
    answer = await client.mailboxes.ListMailboxes(ListMailboxesRequest(parent=account))
    for mailbox in answer.mailboxes:
        if text in {mailbox.path, mailbox.name.rpartition("/")[2]}:
            return str(mailbox.name)
    raise Usage(
        f"{account} has no mailbox {text!r}; they are: {', '.join(one.path for one in answer.mailboxes)}"
    )
