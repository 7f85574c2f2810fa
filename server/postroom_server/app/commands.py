"""The subcommands of the script `postroom` that come with the server: their arguments, and nothing behind them.

It owns names, help and environment twins, and the words in which a failure is told. It refuses to do the work: each
command hands over to the module that does, imported when it is needed, since `postroom --help` loads this one.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from postroom_server.app.parts import StartFailed, UpOptions
from postroom_server.settings import PREFIX, SettingInvalid, Settings

MAX_NODES: Final = 128
"""Nodes on one machine."""
FAILED: Final = 1
"""Exit code of a command that could not do what it was asked."""
DEFAULT_DATA: Final = ".postroom"
DEFAULT_PORT: Final = "8080"


def up(arguments: Sequence[str]) -> int:
    """Start everything on this machine: the store, the nodes and the gateway."""
    parser = _parser("up", up)
    twin = _twin(parser)
    twin("--data", "POSTROOM_DATA", DEFAULT_DATA, "folder for everything that is kept", type=Path)
    twin("--host", "POSTROOM_HOST", "127.0.0.1", "address of the gateway; 0.0.0.0 for every network")
    twin("--port", "POSTROOM_PORT", DEFAULT_PORT, "port of the gateway; 0 takes a free one", type=_port)
    twin("--nodes", "POSTROOM_NODES", "1", "how many nodes, or `auto`: one per core", type=_nodes)
    twin(
        "--memory",
        "POSTROOM_MEMORY",
        "",
        "what the store may hold, such as 512mb; it never forgets to make room",
    )
    twin("--cors-origin", "POSTROOM_CORS_ORIGINS", "", "origins whose browsers may call, separated by commas")
    twin(
        "--tls-cert",
        "POSTROOM_TLS_CERT",
        "",
        "certificate chain of the gateway (PEM); without it there is no TLS",
    )
    twin("--tls-key", "POSTROOM_TLS_KEY", "", "its private key (PEM)")
    parser.add_argument("--dev", action="store_true", default=None, help="allow mail servers on this machine")
    given = parser.parse_args(arguments)
    if bool(given.tls_cert) != bool(given.tls_key):
        parser.error("--tls-cert and --tls-key go together")
    options = UpOptions(
        data=given.data,
        host=given.host,
        port=given.port,
        nodes=given.nodes,
        memory=given.memory,
        dev=bool(given.dev),
        durability=os.environ.get("POSTROOM_DURABILITY") or "kill",
        redis_url=os.environ.get("POSTROOM_REDIS_URL") or None,
        tls=(Path(given.tls_cert), Path(given.tls_key)) if given.tls_cert else None,
        cors_origins=tuple(one.strip() for one in given.cors_origin.split(",") if one.strip()),
    )
    from postroom_server.app.up import up as run  # noqa: PLC0415 - see the module's docstring

    try:
        asyncio.run(run(options))
    except StartFailed as failed:
        return _fail(str(failed))
    return 0


def node(arguments: Sequence[str]) -> int:
    """Run one node beside a store that somebody operates."""
    parser = _parser("node", node)
    for one in fields(Settings):
        name = "--redis" if one.name == "redis_url" else f"--{one.name.replace('_', '-')}"
        variable = f"environment: {PREFIX}{one.name.upper()}"
        if one.name in {"dev", "reflection"}:
            parser.add_argument(name, dest=one.name, action="store_const", const="true", help=variable)
        else:
            parser.add_argument(name, dest=one.name, metavar="VALUE", help=variable)
    try:
        settings = Settings.read(os.environ, vars(parser.parse_args(arguments)))
    except SettingInvalid as error:
        return _fail(str(error))
    # The C core writes lines of its own form between ours; what it has to say reaches us as errors of calls.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    from postroom_server.app.node import run  # noqa: PLC0415 - see the module's docstring

    return run(settings)


def token(arguments: Sequence[str]) -> int:
    """Make a bearer token; its secret is printed once."""
    parser = _parser("token", token)
    create = parser.add_subparsers(dest="action", required=True).add_parser("create", help="make a token")
    create.add_argument("--scope", action="append", required=True, help="may come several times")
    create.add_argument(
        "--account", action="append", default=[], help="bind it to an account; may come several times"
    )
    create.add_argument("--name", default="", help="for people, shown in lists")
    _store_arguments(create)
    given = parser.parse_args(arguments)
    from postroom_server.app.bootstrap import print_new_token  # noqa: PLC0415 - see the module's docstring

    return _told(
        print_new_token(
            redis_url=given.redis,
            key_file=given.key_file,
            name=given.name,
            scopes=given.scope,
            accounts=given.account,
        )
    )


def keys(arguments: Sequence[str]) -> int:
    """Make the key that seals secrets in the store."""
    parser = _parser("keys", keys)
    new = parser.add_subparsers(dest="action", required=True).add_parser("new", help="write a new key")
    new.add_argument("file", type=Path, help="is written with mode 0600 and never replaced")
    given = parser.parse_args(arguments)
    from postroom_server.app.places import write_new_key  # noqa: PLC0415 - see the module's docstring

    try:
        write_new_key(given.file)
    except OSError as error:
        return _fail(f"{given.file}: {error.strerror}")
    return 0


def check_config(arguments: Sequence[str]) -> int:
    """Check the environment's settings and the gateway's configuration; start nothing."""
    _parser("check-config", check_config).parse_args(arguments)
    from postroom_server.app.envoy import GatewayUnusable, validate  # noqa: PLC0415 - see the module's docstring

    try:
        Settings.read(os.environ)
        validate()
    except (SettingInvalid, GatewayUnusable) as error:
        return _fail(str(error))
    return 0


def migrate(arguments: Sequence[str]) -> int:
    """Bring the store's layout up to this version; safe to repeat."""
    parser = _parser("migrate", migrate)
    _store_arguments(parser)
    given = parser.parse_args(arguments)
    from postroom_server.app.bootstrap import migrate_store  # noqa: PLC0415 - see the module's docstring

    return _told(migrate_store(redis_url=given.redis, key_file=given.key_file))


def release(arguments: Sequence[str]) -> int:
    """Release the leases of a node that is known to be dead (systemd: ExecStopPost)."""
    parser = _parser("release", release)
    parser.add_argument("--redis", default=_redis(), help="URL of the store")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--nonce", help="of the dead process")
    which.add_argument("--state", type=Path, help="its node-N.json, which names the nonce")
    given = parser.parse_args(arguments)
    from postroom_server.app.places import read_state  # noqa: PLC0415 - see the module's docstring
    from postroom_server.app.release import release_node  # noqa: PLC0415 - as above

    nonce = given.nonce or str(read_state(given.state).get("nonce", ""))
    if not nonce:
        return _fail(f"{given.state} names no nonce")
    return _told(release_node(given.redis, nonce))


# --- arguments ----------------------------------------------------------------------------------------------------


def _parser(name: str, command: Any) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(prog=f"postroom {name}", description=command.__doc__)


def _twin(parser: argparse.ArgumentParser) -> Any:
    """Adds an option with its environment twin; an empty variable counts as none."""

    def add(name: str, variable: str, default: str, text: str, **more: Any) -> None:
        value = os.environ.get(variable) or default
        parser.add_argument(
            name, default=value, help=f"{text} (environment: {variable}; default: {default!r})", **more
        )

    return add


def _redis() -> str:
    return os.environ.get("POSTROOM_REDIS_URL") or Settings().redis_url


def _store_arguments(parser: argparse.ArgumentParser) -> None:
    """`--redis` and `--key-file`, or `--data` of a `postroom up` that runs."""

    class FromData(argparse.Action):
        def __call__(
            self,
            parser: argparse.ArgumentParser,
            namespace: argparse.Namespace,
            values: Any,
            option: Any = None,
        ) -> None:
            from postroom_server.app.places import read_state  # noqa: PLC0415 - see the module's docstring

            address = read_state(Path(values) / "up.json").get("valkey", {}).get("address")
            if not address:
                parser.error(f"postroom is not up on {values}")
            namespace.redis, namespace.key_file = address, Path(values) / "key"

    parser.add_argument("--redis", default=_redis(), help="URL of the store")
    key = Path(os.environ.get("POSTROOM_KEY_FILE") or Settings().key_file)
    parser.add_argument("--key-file", type=Path, default=key, help="the key that seals its secrets")
    parser.add_argument("--data", action=FromData, help="folder of a running `postroom up`, in place of both")


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65_535:
        raise ValueError
    return port


def _nodes(text: str) -> int:
    count = os.cpu_count() or 1 if text == "auto" else int(text)
    if not 1 <= count <= MAX_NODES:
        raise ValueError
    return count


_port.__name__, _nodes.__name__ = "port", f"1 to {MAX_NODES}, or `auto`, as number of nodes"
"""argparse says `invalid port value`."""


# --- outcome ------------------------------------------------------------------------------------------------------


def _told(work: Any) -> int:
    """Runs a coroutine; a failure is told in one line."""
    try:
        asyncio.run(work)
    except KeyboardInterrupt:
        return FAILED
    except Exception as error:  # noqa: BLE001 - the last place where anything can be told
        return _fail(f"{error}" or type(error).__name__)
    return 0


def _fail(text: str) -> int:
    print(f"postroom: {text}", file=sys.stderr)  # noqa: T201 - this is what a command line is for
    return FAILED


if __name__ == "__main__":
    from postroom.cli import main

    raise SystemExit(main())
