"""`postroom show` and `download`: one message, and its bytes.

It owns how a message is shown, and where downloads go: a file name that came with a mail is never used as a path.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from postroom.cli.listing import amount
from postroom.cli.output import moment, plain, plain_text
from postroom.cli.session import Session, Usage, parser_of, run
from postroom.v1.message_pb2 import Message
from postroom.v1.message_service_pb2 import GetMessageRequest

MAX_FILENAME_BYTES: Final = 200
"""File systems take 255."""
DEFAULT_FILENAME: Final = "attachment"


def show(arguments: Sequence[str]) -> int:
    """Show a message: its header, its text, its attachments. It stays unseen."""
    parser = parser_of("show", show)
    parser.add_argument("message", metavar="MESSAGE", help="accounts/…/messages/…")
    parser.add_argument("--html", action="store_true", help="the HTML instead of the text")
    parser.add_argument("--headers", action="store_true", help="every header field")
    given = parser.parse_args(arguments)

    async def work(session: Session) -> None:
        request = GetMessageRequest(name=given.message, view=Message.FULL)
        message = (await session.client.messages.GetMessage(request)).message
        if session.output.json:
            session.output.message(message)
            return
        _header(session, message, whole=given.headers)
        body = message.html if given.html else message.text
        session.output.line("")
        for line in plain_text(body).rstrip().split("\n"):
            session.output.line(line)
        if message.text_truncated:
            session.output.say("the text goes on: postroom download has all of it")

    return run(given, work)


def _header(session: Session, message: Any, *, whole: bool) -> None:
    def people(addresses: Any) -> str:
        return ", ".join(
            f"{one.display_name} <{one.address}>" if one.display_name else one.address for one in addresses
        )

    pairs = [
        ("message", message.name),
        ("from", people(message.from_addresses)),
        ("to", people(message.to)),
        ("cc", people(message.cc)),
        ("date", moment(message.send_time) or moment(message.receive_time)),
        ("subject", message.subject),
        ("flags", " ".join(message.flags)),
    ]
    if whole:
        pairs += [(plain(one.name), one.value) for one in message.headers]
    for one in message.attachments:
        size = amount(one.size_bytes if one.HasField("size_bytes") else one.encoded_size_bytes)
        pairs.append(
            ("attachment", f"{one.filename or DEFAULT_FILENAME} ({one.content_type}, {size}) {one.name}")
        )
    session.output.fields(pairs)


def download(arguments: Sequence[str]) -> int:
    """Save a message or an attachment to a file, checked against its size and hash."""
    parser = parser_of("download", download)
    parser.add_argument("name", metavar="NAME", help="accounts/…/messages/…, or …/attachments/…")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to; - is stdout [its own name, here]")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    given = parser.parse_args(arguments)

    async def work(session: Session) -> None:
        filename, size = await _about(session, given.name)
        if given.output == "-":
            await _save(session, given.name, sys.stdout.buffer, size)
            return
        path = Path(given.output or filename)
        with _new(path, force=given.force) as target:
            await _save(session, given.name, target, size)
            session.output.say(f"{path} ({amount(target.tell())})")

    return run(given, work)


@contextmanager
def _new(path: Path, *, force: bool) -> Iterator[BinaryIO]:
    """A file that is there, whole, only if nothing fails; what it replaces is there until then. Raises Usage, OSError."""
    if path.exists() and not force:
        raise Usage(_THERE.format(path))
    path = path.resolve()
    if path.exists() and not path.is_file():
        with path.open("wb") as target:  # a device or a pipe
            yield target
        return
    made = path.with_name(f".postroom-{uuid.uuid4().hex}")
    try:
        with made.open("xb") as target:
            yield target
        _put(made, path, force=force)
    finally:
        made.unlink(missing_ok=True)


def _put(made: Path, path: Path, *, force: bool) -> None:
    if force:
        made.replace(path)
        return
    try:
        path.hardlink_to(made)
    except FileExistsError:
        raise Usage(_THERE.format(path)) from None
    except OSError:
        made.replace(path)  # a file system without links


_THERE: Final = "{} is there already; say --force to replace it"


async def _about(session: Session, name: str) -> tuple[str, int | None]:
    """The file name of what is downloaded, and its size where that is known."""
    message, _, attachment = name.partition("/attachments/")
    if not attachment:
        return f"{safe(message.rpartition('/')[2])}.eml", None
    request = GetMessageRequest(name=message, view=Message.FULL)
    found = (await session.client.messages.GetMessage(request)).message
    for one in found.attachments:
        if one.name == name:
            return safe(one.filename), one.size_bytes if one.HasField("size_bytes") else None
    return DEFAULT_FILENAME, None


def safe(filename: str) -> str:
    """A name for a file in this folder, whatever the mail says."""
    letters = "".join(one if one.isalnum() or one in " ._-()+@" else "_" for one in plain(filename))
    last = letters.strip(" .").encode()[-MAX_FILENAME_BYTES:].decode(errors="ignore")
    return last.lstrip(" .-") or DEFAULT_FILENAME


async def _save(session: Session, name: str, target: BinaryIO, size: int | None) -> None:
    with session.output.progress(name.rpartition("/")[2], size) as passed:
        await session.client.download(name, cast("BinaryIO", _Counted(target, passed)))


class _Counted:
    """A file that tells how much is written to it."""

    def __init__(self, target: BinaryIO, passed: Callable[[int], None]) -> None:
        self._target, self._passed = target, passed

    def write(self, data: bytes) -> int:
        """Writes, and tells."""
        self._passed(len(data))
        return self._target.write(data)
