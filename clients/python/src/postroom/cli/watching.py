"""`postroom watch` and `tail`: what happens, one line each, until Ctrl-C.

It owns how a change is put in words, and a cursor file that survives: it is replaced as a whole after each change was
printed, as soon as the head is reached, and at the end, so that a later watch goes on where this one was left, also where
nothing was printed, and prints a change again rather than leave one out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, cast

from google.protobuf.json_format import MessageToDict

from postroom.channel import AnswerStream
from postroom.cli.listing import ROLES, sender
from postroom.cli.output import Output, plain
from postroom.cli.session import Session, account_name, number, parser_of, run
from postroom.errors import FeedReset
from postroom.statuses import PostroomError
from postroom.v1.account_care_pb2 import DownloadAccountLogRequest
from postroom.v1.account_pb2 import Account
from postroom.v1.change_pb2 import Change
from postroom.v1.submission_pb2 import Submission
from postroom.watch import FATAL, State, Watch, kind_of

MAX_CURSOR_BYTES: Final = 8_192
DEFAULT_LINES: Final = 50
AGAIN_SECONDS: Final = 1.0
"""Between a dialogue that was cut and the next try."""
STYLES: Final = {"SENT": "cyan", "RECEIVED": "green", "EVENT": "yellow"}
ARROWS: Final = {"SENT": ">", "RECEIVED": "<", "EVENT": "*"}


def watch(arguments: Sequence[str]) -> int:
    """Show changes as they happen, one line each; where the watch stands is told on stderr."""
    parser = _watch_parser()
    given = parser.parse_args(arguments)
    account = account_name(given.account)
    mailboxes = [
        f"{account}/mailboxes/{one.lower()}" if one.lower() in ROLES else one for one in given.mailbox
    ]
    unknown = set(given.kind) - set(Change.Kind.keys())
    if unknown:
        parser.error(f"there is no kind {', '.join(sorted(unknown))}")

    async def work(session: Session) -> None:
        kept = CursorFile(given.cursor_file)

        def stands(state: State) -> None:
            _stands(session.output, state)
            if state is State.LIVE:
                kept.write(reading.cursor)

        reading = session.client.watch(
            account,
            cursor=kept.read(),
            start=given.start,
            kinds=given.kind,
            mailboxes=mailboxes,
            on_state=stands,
        )
        _stands(session.output, reading.state)
        async with reading:
            await _watched(session.output, reading, kept, given.count)

    return run(given, work, probe=False)


def _watch_parser() -> argparse.ArgumentParser:
    parser = parser_of("watch", watch)
    parser.add_argument(
        "account", metavar="ACCOUNT", nargs="?", default="-", help="id or name [all accounts]"
    )
    parser.add_argument(
        "--from", dest="start", choices=("NOW", "EARLIEST"), default="NOW", help="where to begin [NOW]"
    )
    parser.add_argument(
        "--cursor-file",
        type=Path,
        metavar="FILE",
        help="go on where an earlier watch with this file was left",
    )
    parser.add_argument("--kind", action="append", default=[], help="only these, such as MESSAGE_ADDED")
    parser.add_argument("--mailbox", action="append", default=[], help="role or name; only in these")
    parser.add_argument("--count", type=number(1), default=0, metavar="N", help="end after so many changes")
    return parser


async def _watched(output: Output, reading: Watch, kept: CursorFile, most: int) -> None:
    count, before = 0, ""
    try:
        while True:
            try:
                async for change in reading:
                    _change(output, change)
                    kept.write(change.cursor)
                    before = reading.cursor
                    count += 1
                    if count == most:
                        return
            except FeedReset as reset:
                _reset(output, reset)
                kept.write(reset.cursor)
                before = reading.cursor
            else:
                return
    finally:
        if reading.cursor != before:  # else what is kept is further
            kept.write(reading.cursor)


def _stands(output: Output, state: State) -> None:
    if state is not State.CLOSED:
        output.say(f"-- {state.value.replace('_', ' ')}", "dim")


def _reset(output: Output, reset: FeedReset) -> None:
    if output.json:
        output.raw(json.dumps({"reset": {"scope": reset.scope, "reason": reset.why}, "cursor": reset.cursor}))
    else:
        output.line(("RESET", "red"), f" {reset.scope} {reset.why}: list again, changes may be missing")


class CursorFile:
    """Where a cursor is kept between two watches; nowhere for no path."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def read(self) -> str:
        """The cursor; empty where there is none yet. Raises OSError."""
        if self._path is None or not self._path.exists():
            return ""
        with self._path.open("rb") as opened:
            return opened.read(MAX_CURSOR_BYTES).decode("ascii", "replace").strip()

    def write(self, cursor: str) -> None:
        """Replaces it as a whole, so that a crash leaves the old one or the new one."""
        if self._path is None or not cursor:
            return
        handle, made = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
        try:
            with os.fdopen(handle, "w", encoding="ascii") as opened:
                opened.write(f"{cursor}\n")
            Path(made).replace(self._path)
        except BaseException:
            Path(made).unlink(missing_ok=True)
            raise


def _change(output: Output, change: Change) -> None:
    if output.json:
        output.message(change)
        return
    shown = datetime.fromtimestamp(change.detect_time.seconds).astimezone().strftime("%H:%M:%S")
    account = change.account.removeprefix("accounts/")
    output.line(
        (shown, "dim"), f" {account} ", (kind_of(change), "bold"), f" {plain(words(change))}".rstrip()
    )


def words(change: Change) -> str:
    """What a change says, in one line."""
    fact = change.WhichOneof("fact")
    return _WORDS.get(str(fact), _fields)(getattr(change, fact)) if fact else ""


def _state_words(fact: Any) -> str:
    error = f" {fact.error.reason}: {fact.error.message}" if fact.error.reason else ""
    return f"{Account.State.Name(fact.state)}{error}"


def _message_words(fact: Any) -> str:
    one = fact.message
    return f"{sender(one)}: {one.subject}  {one.name}"


def _flag_words(fact: Any) -> str:
    changed = [f"+{flag}" for flag in fact.added] + [f"-{flag}" for flag in fact.removed]
    return f"{' '.join(changed)}  {fact.message}"


def _submission_words(fact: Any) -> str:
    one = fact.submission
    reply = f" {one.attempts[-1].reply}" if one.attempts else ""
    return f"{Submission.State.Name(one.state)}{reply}  {one.name}"


def _fields(fact: Any) -> str:
    """Of kinds that have no words of their own: the fields."""
    return " ".join(
        f"{name}={value}" for name, value in MessageToDict(fact).items() if isinstance(value, str)
    )


_WORDS: Final[Mapping[str, Callable[[Any], str]]] = {
    "message_added": _message_words,
    "message_removed": lambda fact: fact.message,
    "message_moved": lambda fact: f"{_last(fact.source)} -> {_last(fact.destination)}  {fact.message}",
    "mailboxes_changed": lambda fact: f"now in {', '.join(map(_last, fact.mailboxes))}  {fact.message}",
    "flags_changed": _flag_words,
    "mailbox_added": lambda fact: fact.mailbox.path,
    "mailbox_renamed": lambda fact: f"{fact.old_path} -> {fact.new_path}",
    "mailbox_removed": lambda fact: _last(fact.mailbox),
    "account_added": lambda fact: fact.account.email,
    "account_state_changed": _state_words,
    "submission_changed": _submission_words,
}


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def tail(arguments: Sequence[str]) -> int:
    """Show what the server and an account's provider say to each other, secrets masked, until Ctrl-C."""
    parser = parser_of("tail", tail)
    parser.add_argument("account", metavar="ACCOUNT", help="id or name")
    parser.add_argument(
        "-n",
        "--lines",
        type=number(1),
        default=DEFAULT_LINES,
        help=f"kept lines to begin with [{DEFAULT_LINES}]",
    )
    parser.add_argument("--no-follow", action="store_true", help="end after the kept lines")
    given = parser.parse_args(arguments)

    async def work(session: Session) -> int:
        return await _tailed(session, given)

    return run(given, work)


async def _tailed(session: Session, given: argparse.Namespace) -> int:
    request = DownloadAccountLogRequest(
        name=account_name(given.account), follow=not given.no_follow, max_lines=given.lines
    )
    last = ""
    while True:
        stream = cast("AnswerStream", session.client.accounts.DownloadAccountLog(request))
        try:
            last = await _lines(session.output, stream, last)
            return 0
        except _Cut as cut:
            last = cut.last or last
            if given.no_follow or cut.error.code in FATAL:
                raise cut.error from None
            session.output.say(f"-- {plain(str(cut.error))}; again", "dim")
            await asyncio.sleep(AGAIN_SECONDS)


class _Cut(Exception):
    """A dialogue that ended with an error, and the time of the last line that was shown."""

    def __init__(self, error: PostroomError, last: str) -> None:
        super().__init__(str(error))
        self.error, self.last = error, last


async def _lines(output: Output, stream: AnswerStream, last: str) -> str:
    """Shows the lines that are later than `last`; the time of the last one. Raises _Cut."""
    rest = b""
    after = last
    try:
        async with stream:
            while (piece := await stream.read()) is not None:
                *whole, rest = (rest + piece.body.data).split(b"\n")
                for line in filter(None, whole):
                    fields = json.loads(line)
                    if fields["time"] > after:
                        last = fields["time"]
                        _line(output, line.decode(), fields)
    except PostroomError as error:
        raise _Cut(error, last) from None
    return last


def _line(output: Output, line: str, fields: dict[str, str]) -> None:
    if output.json:
        output.raw(line)
        return
    time = datetime.fromisoformat(fields["time"]).astimezone().strftime("%H:%M:%S.%f")[:-3]
    direction = fields["direction"]
    output.line(
        (time, "dim"),
        f" {fields['session']:<10} ",
        (f"{ARROWS.get(direction, ' ')} {plain(fields['text'])}", STYLES.get(direction, "")),
    )
