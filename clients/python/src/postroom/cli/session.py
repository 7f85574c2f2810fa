"""One command's connection: where the server is, who asks, and what becomes of a failure.

It owns the options that all commands share, the token's places, and the exit codes. It refuses secrets on the command line:
they would stand in the list of processes and in the shell's history.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import postroom
from postroom.cli import FAILED, INTERRUPTED, USAGE_ERROR, Command
from postroom.cli.output import Output, plain
from postroom.client import Postroom
from postroom.places import target_of
from postroom.statuses import PostroomError

DEFAULT_SERVER: Final = "http://127.0.0.1:8080"
DEFAULT_TOKEN_FILE: Final = ".postroom/token"
MAX_TOKEN_BYTES: Final = 4_096
REACH_SECONDS: Final = 5.0
"""How long a server may take to accept a connection before it counts as not there."""
MAX_NUMBER: Final = 2**31 - 1
"""The largest number that the contract takes."""


class Usage(Exception):
    """The command line asks for something that cannot be done; the text says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What a command works with."""

    client: Postroom
    output: Output


def common() -> argparse.ArgumentParser:
    """The options that every command has."""
    parser = argparse.ArgumentParser(add_help=False)
    group = parser.add_argument_group("the server")
    group.add_argument(
        "--server",
        metavar="URL",
        default=os.environ.get("POSTROOM_URL") or DEFAULT_SERVER,
        help=f"where it is [POSTROOM_URL, {DEFAULT_SERVER}]",
    )
    group.add_argument(
        "--token-file",
        metavar="FILE",
        type=Path,
        help=f"file with the token [POSTROOM_TOKEN, else POSTROOM_TOKEN_FILE, {DEFAULT_TOKEN_FILE}]",
    )
    group.add_argument("--json", action="store_true", help="one JSON object of the contract per line")
    return parser


def number(least: int, most: int = MAX_NUMBER) -> Callable[[str], int]:
    """The type of an argument that is a number from `least` to `most`."""

    def read(text: str) -> int:
        try:
            given = int(text)
        except ValueError:
            given = least - 1
        if not least <= given <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no number from {least} to {most}")
        return given

    return read


def parser_of(name: str, command: Command) -> argparse.ArgumentParser:
    """The parser of a command, without its own arguments."""
    return argparse.ArgumentParser(
        prog=f"postroom {name}", description=command.__doc__, parents=[common()], allow_abbrev=False
    )


def run(
    given: argparse.Namespace, work: Callable[[Session], Awaitable[int | None]], *, probe: bool = True
) -> int:
    """Does a command's work with a connection; the exit code.

    `probe`: a server that is not there is told at once. Without it the work waits for one.
    """
    output = Output(as_json=given.json)
    try:
        code = asyncio.run(_run(given, work, output, probe=probe))
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes stdout once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Usage as error:
        output.say(f"postroom: {plain(str(error))}", "red")
        return USAGE_ERROR
    except PostroomError as error:
        _tell(output, error)
        return FAILED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        output.say(f"postroom: {where}{error.strerror or error}", "red")
        return FAILED
    return code or 0


async def _run(
    given: argparse.Namespace,
    work: Callable[[Session], Awaitable[int | None]],
    output: Output,
    *,
    probe: bool,
) -> int | None:
    token = _token(given.token_file)
    try:
        target, _ = target_of(given.server)
        client = postroom.connect(given.server, token)
    except ValueError as error:
        raise Usage(f"--server {given.server}: {error}") from None
    async with client:
        if probe:
            await _reach(given.server, target)
        return await work(Session(client=client, output=output))


def _token(file: Path | None) -> str:
    """The token: of the file that was named, else of the environment, else of the folder of `make run`. Raises Usage."""
    if file is None and (given := os.environ.get("POSTROOM_TOKEN", "").strip()):
        if not given.isascii() or not given.isprintable():
            raise Usage("POSTROOM_TOKEN holds no token")
        return given
    file = file or Path(os.environ.get("POSTROOM_TOKEN_FILE") or DEFAULT_TOKEN_FILE)
    try:
        with file.open("rb") as opened:
            token = opened.read(MAX_TOKEN_BYTES).decode("ascii").strip()
    except OSError as error:
        raise Usage(f"no token: {file}: {error.strerror}; name its file with --token-file") from None
    except UnicodeDecodeError:
        token = ""
    if not token or not token.isprintable():
        raise Usage(f"{file} holds no token")
    return token


async def _reach(server: str, target: str) -> None:
    """Raises OSError when nothing listens there."""
    try:
        async with asyncio.timeout(REACH_SECONDS):
            if target.startswith("unix:"):
                _, writer = await asyncio.open_unix_connection(urlsplit(target).path)
            else:
                host, _, port = target.rpartition(":")
                _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except (OSError, TimeoutError) as error:
        what = os.strerror(error.errno).lower() if error.errno else "no answer"
        raise OSError(f"no server at {server} ({what}); `make run` or `postroom up` starts one") from None
    writer.close()


def _tell(output: Output, error: PostroomError) -> None:
    reason = error.told or error.code.name
    output.say(f"postroom: {reason}: {plain(str(error))}", "red")
    for field, what in error.violations:
        if f"{field}: {what}" != str(error):
            output.say(f"  {plain(field)}: {plain(what)}")
    if error.retry_after:
        output.say(f"  it may work in {error.retry_after:g} s")


def account_name(text: str) -> str:
    """The resource name of an account that is given by name or id."""
    return text if text.startswith("accounts/") else f"accounts/{text}"
