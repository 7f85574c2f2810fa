"""`postroom accounts`: list, add, show and remove accounts.

It owns how an account's settings are given on a command line, and the wait until it is connected. Passwords come from a
file or are asked for; never from the command line.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import sys
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from postroom.cli import FAILED
from postroom.cli.output import Column, moment, plain
from postroom.cli.session import Session, Usage, account_name, common, number, run
from postroom.v1.account_pb2 import Account, MailServer, SandboxSettings
from postroom.v1.account_service_pb2 import (
    CreateAccountRequest,
    DeleteAccountRequest,
    GetAccountRequest,
    ListAccountsRequest,
)

MAX_PASSWORD_BYTES: Final = 4_096
MAX_PORT: Final = 65_535
WAIT_SECONDS: Final = 60.0
"""How long `add` waits for an account to be connected, unless it is told."""
LOOK_SECONDS: Final = 0.2
SETTLED: Final = frozenset({Account.CONNECTED, Account.AUTH_FAILED, Account.UNREACHABLE, Account.PAUSED})
SECURITY: Final = ("TLS", "STARTTLS", "NONE")
PROFILES: Final = ("imap", "gmail", "graph")


def _state(account: Any) -> str:
    return Account.State.Name(account.state)


def _kind(account: Any) -> str:
    return account.WhichOneof("backend") or "imap"


COLUMNS: Final[Sequence[Column]] = (
    ("ACCOUNT", lambda account: account.name.removeprefix("accounts/")),
    ("STATE", _state),
    ("KIND", _kind),
    ("EMAIL", lambda account: account.email),
    ("ERROR", lambda account: account.last_error.reason if account.state != Account.CONNECTED else ""),
)


def accounts(arguments: Sequence[str]) -> int:
    """List, add, show and remove accounts."""
    parser = argparse.ArgumentParser(
        prog="postroom accounts", description=accounts.__doc__, allow_abbrev=False
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    _list_parser(_action(actions, "list", "list accounts", _list))
    _add_parser(_action(actions, "add", "register an account and wait until it is connected", _add))
    one = _action(actions, "show", "show an account", _show)
    one.add_argument("account", metavar="ACCOUNT")
    gone = _action(actions, "remove", "remove an account; its mail at the provider stays", _remove)
    gone.add_argument("account", metavar="ACCOUNT")
    gone.add_argument("--yes", action="store_true", help="do not ask")
    given = parser.parse_args(arguments)
    action: Callable[[argparse.Namespace], int] = given.action
    return action(given)


def _action(
    actions: Any, name: str, text: str, action: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = actions.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}.", parents=[common()], allow_abbrev=False
    )
    made.set_defaults(action=action, parser=made)
    return made


def _list_parser(parser: argparse.ArgumentParser) -> None:
    states = [name for name in Account.State.keys() if name != "STATE_UNSPECIFIED"]  # noqa: SIM118 - it is no dict
    parser.add_argument(
        "--state", action="append", default=[], choices=states, help="only these; may be repeated"
    )
    parser.add_argument("--email", default="", help="only those whose address holds this")


def _add_parser(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "id", nargs="?", default="", metavar="ID", help="the id of the account; else one is made"
    )
    parser.add_argument("--email", default="", help="the address; a sandbox account gets one")
    parser.add_argument("--display-name", default="", help="the name in the From of what it sends")
    parser.add_argument(
        "--sandbox", action="store_true", help="a mailbox in the server itself, to try things"
    )
    parser.add_argument(
        "--profile", type=str.lower, choices=PROFILES, help="what a sandbox account behaves like"
    )
    for protocol in ("imap", "smtp"):
        group = parser.add_argument_group(protocol.upper())
        group.add_argument(f"--{protocol}-host", default="", metavar="HOST")
        group.add_argument(
            f"--{protocol}-port",
            type=number(1, MAX_PORT),
            default=0,
            metavar="PORT",
            help="else the usual one",
        )
        group.add_argument(f"--{protocol}-security", choices=SECURITY, default="TLS")
        group.add_argument(f"--{protocol}-user", default="", metavar="USER", help="else the address")
    secrets = parser.add_argument_group("secrets")
    secrets.add_argument(
        "--password-file", metavar="FILE", help="file with the password, - for stdin; else it is asked for"
    )
    secrets.add_argument("--smtp-password-file", metavar="FILE", help="for SMTP, if it is another one")
    parser.add_argument("--no-wait", action="store_true", help="do not wait until it is connected")
    parser.add_argument("--timeout", type=float, default=WAIT_SECONDS, metavar="SECONDS", help="of the wait")


def _list(given: argparse.Namespace) -> int:
    request = ListAccountsRequest(email=given.email, states=given.state)

    async def work(session: Session) -> None:
        rows = session.client.pages(session.client.accounts.ListAccounts, request)
        if not await session.output.rows(rows, COLUMNS):
            session.output.say("no accounts; add one: postroom accounts add --sandbox")

    return run(given, work)


def _show(given: argparse.Namespace) -> int:
    async def work(session: Session) -> None:
        request = GetAccountRequest(name=account_name(given.account))
        _shown(session, (await session.client.accounts.GetAccount(request)).account)

    return run(given, work)


def _remove(given: argparse.Namespace) -> int:
    name = account_name(given.account)
    if not given.yes:
        if not sys.stdin.isatty():
            given.parser.error("say --yes where nobody can be asked")
        sys.stderr.write(f"Remove {name}? [y/N] ")
        sys.stderr.flush()
        if input().strip().lower() not in {"y", "yes"}:
            return FAILED

    async def work(session: Session) -> None:
        answer = await session.client.accounts.DeleteAccount(DeleteAccountRequest(name=name))
        if session.output.json:
            session.output.message(answer)
        else:
            session.output.line(f"{name} removed")

    return run(given, work)


def _add(given: argparse.Namespace) -> int:
    try:
        account = _settings(given)
    except (Usage, OSError) as error:
        given.parser.error(str(error))
    request = CreateAccountRequest(account_id=given.id, account=account, request_id=str(uuid.uuid4()))

    async def work(session: Session) -> int:
        made = (await session.client.accounts.CreateAccount(request)).account
        if not given.no_wait:
            made = await _settled(session, made, given.timeout)
        _shown(session, made)
        if given.no_wait or made.state == Account.CONNECTED:
            return 0
        _explain(session, made, given.timeout)
        return FAILED

    return run(given, work)


def _settings(given: argparse.Namespace) -> Account:
    """The account as it is asked for. Raises Usage, OSError."""
    hosts = given.imap_host or given.smtp_host
    if given.sandbox == bool(hosts):
        raise Usage("say either --sandbox, or --imap-host and --smtp-host, or one of them")
    account = Account(email=given.email, display_name=given.display_name)
    if given.sandbox:
        account.email = given.email or f"{given.id or uuid.uuid4().hex[:12]}@sandbox.test"
        account.sandbox.CopyFrom(SandboxSettings(profile=given.profile.upper() if given.profile else None))
        return account
    if not given.email:
        raise Usage("--email is needed")
    password = _password(given.password_file, f"Password of {given.email}: ")
    other = _password(given.smtp_password_file, "") if given.smtp_password_file else password
    for protocol, secret in (("imap", password), ("smtp", other)):
        if host := getattr(given, f"{protocol}_host"):
            server = MailServer(
                host=host,
                port=getattr(given, f"{protocol}_port"),
                security=getattr(given, f"{protocol}_security"),
                username=getattr(given, f"{protocol}_user") or given.email,
                password=secret,
            )
            getattr(account, protocol).CopyFrom(server)
    return account


def _password(file: str | None, question: str) -> str:
    """The first line of the file, or what is typed. Raises Usage, OSError."""
    if file is None:
        if not sys.stdin.isatty():
            raise Usage("--password-file is needed where nobody can be asked")
        return getpass.getpass(question)
    if file == "-":
        raw = sys.stdin.buffer.read(MAX_PASSWORD_BYTES)
    else:
        with Path(file).open("rb") as opened:
            raw = opened.read(MAX_PASSWORD_BYTES)
    try:
        password = raw.decode().partition("\n")[0].removesuffix("\r")
    except UnicodeDecodeError:
        raise Usage(f"{file} is no text") from None
    if not password:
        raise Usage(f"{file} holds no password")
    return password


async def _settled(session: Session, account: Account, seconds: float) -> Account:
    """The account once it is connected or has failed, or as it is when the time is over."""
    request, told = GetAccountRequest(name=account.name), -1
    with session.output.waiting(f"{account.name} …") as news:
        try:
            async with asyncio.timeout(seconds):
                while True:
                    if account.state != told:
                        told = account.state
                        news(f"{account.name} {_state(account)}")
                    if account.state in SETTLED:
                        return account
                    await asyncio.sleep(LOOK_SECONDS)
                    account = (await session.client.accounts.GetAccount(request)).account
        except TimeoutError:
            return account


def _explain(session: Session, account: Account, seconds: float) -> None:
    """What went wrong, and what to do about it."""
    say, name = session.output.say, account.name.removeprefix("accounts/")
    error = account.last_error
    if error.reason:
        say(f"postroom: {error.reason}: {plain(error.message)}", "red")
    else:
        say(f"postroom: not connected after {seconds:g} s", "red")
    say(f"  what was said: postroom tail {name} --no-follow")
    say(f"  it is kept and tried again; to give it up: postroom accounts remove {name}")


def _shown(session: Session, account: Account) -> None:
    output = session.output
    if output.json:
        output.message(account)
        return
    output.fields(
        [
            ("account", account.name),
            ("state", _state(account)),
            ("email", account.email),
            ("name", account.display_name),
            ("kind", _kind(account)),
            ("imap", _server(account.imap)),
            ("smtp", _server(account.smtp)),
            ("error", f"{account.last_error.reason} {account.last_error.message}".strip()),
            ("created", moment(account.create_time)),
        ]
    )


def _server(server: MailServer) -> str:
    if not server.host:
        return ""
    port = f":{server.port}" if server.port else ""
    return f"{server.username} at {server.host}{port} ({MailServer.Security.Name(server.security)})"
