"""The clients' own tests, in their own languages, against a running Postroom."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.fixtures.postroom import Up

CLIENTS: Final = Path(__file__).resolve().parents[2] / "clients"
BUILD_SECONDS: Final = 120


def run(*command: str, folder: Path, server: Up) -> str:
    """Runs one command of a toolchain beside the server; its output is the failure's message."""
    environment = {
        **os.environ,
        "POSTROOM_ADDRESS": server.grpc_address,
        "POSTROOM_URL": server.url,
        "POSTROOM_TOKEN": server.token,
    }
    done = subprocess.run(
        command, cwd=folder, env=environment, text=True, check=False, timeout=BUILD_SECONDS - 10,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.timeout(BUILD_SECONDS)
def test_the_go_client_sends_and_watches(postroom: Up) -> None:
    if shutil.which("go") is None:
        pytest.skip("go is not installed")
    run("go", "vet", "./...", folder=CLIENTS / "go", server=postroom)
    printed = run("go", "test", "-count=1", "-v", "./...", folder=CLIENTS / "go", server=postroom)
    assert "--- PASS: TestAMessageSentComesBackThroughTheWatch" in printed


@pytest.mark.timeout(BUILD_SECONDS)
def test_the_typescript_client_sends_and_watches(postroom: Up) -> None:
    if shutil.which("node") is None or not (CLIENTS / "ts/node_modules").exists():
        pytest.skip("node is not installed, or its packages are not (npm ci in clients/ts)")
    run("node_modules/.bin/tsc", "-p", "tsconfig.test.json", folder=CLIENTS / "ts", server=postroom)
    printed = run("node", "--test", "dist/tests/test/live.test.js", folder=CLIENTS / "ts", server=postroom)
    assert "# fail 0" in printed
    assert "# skipped 0" in printed
