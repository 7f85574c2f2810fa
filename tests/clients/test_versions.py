"""One version for the server and its clients: what is released together says so."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Final

import postroom_server

ROOT: Final = Path(__file__).resolve().parents[2]


def test_the_server_and_every_client_have_one_version() -> None:
    versions = {
        "server": tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"],
        "server's module": postroom_server.__version__,
        "python": tomllib.loads((ROOT / "clients/python/pyproject.toml").read_text())["project"]["version"],
        "typescript": json.loads((ROOT / "clients/ts/package.json").read_text())["version"],
        "typescript's lock": json.loads((ROOT / "clients/ts/package-lock.json").read_text())["version"],
        "go": "".join(
            re.findall(r'^const Version = "(.*)"$', (ROOT / "clients/go/dial.go").read_text(), re.MULTILINE)
        ),
    }
    assert set(versions.values()) == {version("postroom")}, versions
