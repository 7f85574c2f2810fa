"""`postroom send`: a message from words, files or standard input, and what becomes of it.

It owns how a message is given on a command line, and that a repetition is the same message: each command makes one request
id. Attachments up to INLINE_BYTES travel in the call; a message with more of them, or a ready one, is uploaded in pieces.
"""

from __future__ import annotations

import argparse
import asyncio
import mimetypes
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from email.errors import MessageError
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr
from pathlib import Path
from typing import Any, Final

from postroom.cli import FAILED
from postroom.cli.output import Output, moment, plain
from postroom.cli.session import Session, Usage, account_name, parser_of, run
from postroom.v1.account_service_pb2 import GetAccountRequest
from postroom.v1.composed_message_pb2 import ComposedMessage
from postroom.v1.message_pb2 import Address
from postroom.v1.submission_pb2 import Submission
from postroom.v1.submission_service_pb2 import GetSubmissionRequest, SubmitMessageRequest

INLINE_BYTES: Final = 4 * 1024 * 1024
"""All attachments together; more are uploaded."""
LARGEST_BYTES: Final = 64 * 1024 * 1024
"""Of what is read into memory here; servers take less."""
PIECE_BYTES: Final = 256 * 1024
OCTETS: Final = "application/octet-stream"
FIRST_LOOK_SECONDS: Final = 0.1
LAST_LOOK_SECONDS: Final = 2.0
FINAL: Final = frozenset({Submission.RELAYED, Submission.FAILED, Submission.CANCELLED})
STYLES: Final = {Submission.RELAYED: "green", Submission.FAILED: "red", Submission.IN_DOUBT: "red"}


def send(arguments: Sequence[str]) -> int:
    """Send a message; its text comes from --text, else from standard input."""
    parser = parser_of("send", send)
    parser.add_argument("account", metavar="ACCOUNT", help="id or name of the account that sends")
    for name in ("to", "cc", "bcc"):
        parser.add_argument(
            f"--{name}",
            action="append",
            default=[],
            metavar="ADDRESS",
            help="may be repeated; 'Ann <ann@b.c>' too",
        )
    parser.add_argument("--subject", default="")
    parser.add_argument("--text", help="the text [standard input]")
    parser.add_argument("--html", default="", help="the HTML; a text is then not asked for")
    parser.add_argument("--attach", nargs="+", action="extend", default=[], type=Path, metavar="FILE")
    parser.add_argument(
        "--raw", metavar="FILE", help="a ready RFC 5322 message instead, - for standard input"
    )
    parser.add_argument("--wait", action="store_true", help="follow it until it is relayed or has failed")
    parser.add_argument("--timeout", type=float, default=None, metavar="SECONDS", help="of the wait [none]")
    parser.add_argument(
        "--request-id", default=str(uuid.uuid4()), metavar="ID", help="the same id is sent once"
    )
    given = parser.parse_args(arguments)
    composed = given.to + given.cc + given.bcc
    if not given.raw and not composed:
        parser.error("say --to, --cc or --bcc, or --raw")
    if given.raw and (composed or given.subject or given.text is not None or given.html or given.attach):
        parser.error("--raw is the whole message; nothing is added to it, nor are its addresses changed")
    try:
        content = _content(given)
    except (Usage, OSError) as error:
        parser.error(str(error))

    async def work(session: Session) -> int:
        submission = await _submitted(session, given, content)
        _told(session.output, submission)
        if not given.wait:
            return 0
        return await _followed(session, submission, given.timeout)

    return run(given, work)


def _content(given: argparse.Namespace) -> ComposedMessage | bytes:
    """What is to be sent: composed by the server, or the bytes to upload. Raises Usage, OSError."""
    if given.raw:
        return _piped() if given.raw == "-" else _read(Path(given.raw))
    text = given.text
    if text is None:
        text = "" if given.html else _typed()
    made = ComposedMessage(subject=given.subject, text=text, html=given.html)
    for name in ("to", "cc", "bcc"):
        getattr(made, name).extend(map(_address, getattr(given, name)))
    for path in given.attach:
        kind = mimetypes.guess_type(path.name)[0] or OCTETS
        made.attachments.add(filename=path.name, content_type=kind, content=_read(path))
    return made


def _typed() -> str:
    if sys.stdin is not None and sys.stdin.isatty():
        sys.stderr.write("The text, then Ctrl-D on a line of its own:\n")
    try:
        return _piped().decode().replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise Usage("the text is not UTF-8") from None


def _piped() -> bytes:
    if sys.stdin is None:
        raise Usage("standard input is closed")
    content = sys.stdin.buffer.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise Usage(f"standard input has more than {LARGEST_BYTES >> 20} MiB")
    return content


def _read(path: Path) -> bytes:
    if path.stat().st_size > LARGEST_BYTES:
        raise Usage(f"{path} has more than {LARGEST_BYTES >> 20} MiB")
    return path.read_bytes()


def _address(text: str) -> Address:
    name, address = parseaddr(text)
    if "@" not in address:
        raise Usage(f"{text!r} is no address")
    return Address(display_name=name, address=address)


async def _submitted(
    session: Session, given: argparse.Namespace, content: ComposedMessage | bytes
) -> Submission:
    client, account = session.client, account_name(given.account)
    if isinstance(content, ComposedMessage):
        if sum(len(one.content) for one in content.attachments) <= INLINE_BYTES:
            request = SubmitMessageRequest(
                parent=account, submission=Submission(composed=content), request_id=given.request_id
            )
            answer = await client.submissions.SubmitMessage(request)
            return answer.submission
        owner = (await client.accounts.GetAccount(GetAccountRequest(name=account))).account
        content = written(content, Address(display_name=owner.display_name, address=owner.email))
    with session.output.progress("uploading", len(content)) as passed:
        return await client.upload(account, _pieces(content, passed), request_id=given.request_id)


def written(composed: ComposedMessage, author: Address) -> bytes:
    """The message as bytes; Bcc is in it, for the envelope that the server makes of the header."""
    made = EmailMessage(policy=SMTP)
    made["From"] = _header([author])
    for name in ("to", "cc", "bcc"):
        if people := getattr(composed, name):
            made[name.capitalize()] = _header(people)
    try:
        made["Subject"] = composed.subject
    except ValueError as error:
        raise Usage(f"a subject that cannot be written: {error}") from None
    made.set_content(composed.text)
    if composed.html:
        if composed.text:
            made.add_alternative(composed.html, subtype="html")
        else:
            made.set_content(composed.html, subtype="html")
    for one in composed.attachments:
        main, _, sub = one.content_type.partition("/")
        if main in {"text", "message", "multipart"}:
            main, sub = "application", "octet-stream"
        made.add_attachment(one.content, maintype=main, subtype=sub, filename=one.filename)
    return made.as_bytes()


def _header(people: Any) -> tuple[HeaderAddress, ...]:
    try:
        return tuple(HeaderAddress(display_name=one.display_name, addr_spec=one.address) for one in people)
    except (ValueError, IndexError, MessageError) as error:
        raise Usage(f"an address that cannot be written: {error}") from None


async def _pieces(content: bytes, passed: Callable[[int], None]) -> AsyncIterator[bytes]:
    for start in range(0, len(content), PIECE_BYTES):
        piece = content[start : start + PIECE_BYTES]
        yield piece
        passed(len(piece))


async def _followed(session: Session, submission: Submission, seconds: float | None) -> int:
    """Tells each new state until the last one; the exit code."""
    request, pause, told = GetSubmissionRequest(name=submission.name), FIRST_LOOK_SECONDS, submission.state
    try:
        async with asyncio.timeout(seconds):
            while submission.state not in FINAL and submission.state != Submission.IN_DOUBT:
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, LAST_LOOK_SECONDS)
                submission = (await session.client.submissions.GetSubmission(request)).submission
                if submission.state != told:
                    told, pause = submission.state, FIRST_LOOK_SECONDS
                    _told(session.output, submission)
    except TimeoutError:
        session.output.say("postroom: still on its way", "red")
        return FAILED
    refused = [one for one in submission.recipients if one.state == Submission.Recipient.REFUSED]
    for one in refused:
        session.output.say(f"  {plain(one.address)} was refused: {plain(one.reply)}", "red")
    return 0 if submission.state == Submission.RELAYED and not refused else FAILED


def _told(output: Output, submission: Submission) -> None:
    if output.json:
        output.message(submission)
        return
    state = Submission.State.Name(submission.state)
    tail = ""
    if submission.state == Submission.RETRYING:
        tail = f", again at {moment(submission.next_attempt_time)}"
    reply = submission.attempts[-1].reply if submission.attempts else ""
    output.line(
        submission.name,
        " ",
        (state, STYLES.get(submission.state, "bold")),
        tail,
        f"  {plain(reply)}" if reply else "",
    )
