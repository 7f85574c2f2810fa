"""Pastes what README and docs show, statement by statement, into a shell beside a running Postroom.

What counts as a statement, a program and shown output stands in scripts/pasting.py. What a reader would replace (addresses,
passwords, the port) is replaced here, and nothing else; `make run` is what the fixture has started.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from scripts.pasting import Block, Shell, blocks, shows, statements
from tests.fixtures.dovecot import PASSWORD, Dovecot
from tests.fixtures.postroom import Up
from tests.fixtures.smtpd import Smtpd

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = (
    "README.md",
    "docs/quickstart.md",
    "docs/concepts.md",
    "docs/operating.md",
    "docs/howto/cli.md",
    "docs/howto/clients.md",
    "docs/howto/curl.md",
    "docs/howto/sandbox.md",
    "docs/howto/testing.md",
    "docs/howto/watch.md",
)
PROGRAM_SECONDS: Final = 40
SHOWN_ADDRESS: Final = "127.0.0.1:8080"
ALREADY_RUNNING: Final = frozenset({"make run"})
TOOLS: Final = {"go": "go", "ts": "npm"}


@pytest.fixture(scope="module")
def submission() -> Iterator[Smtpd]:
    """A submission server that speaks TLS from the first byte."""
    with Smtpd(tls="implicit") as server:
        yield server


@pytest.fixture(scope="module")
def server(dovecot: Dovecot, submission: Smtpd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """An installation of this module's own, which trusts the authorities of the test's servers."""
    assert submission.authority is not None
    trusted = tmp_path_factory.mktemp("trusted") / "authorities.pem"
    trusted.write_bytes(dovecot.ca_file.read_bytes() + submission.authority.cert_pem.bytes())
    up = Up(environment={"POSTROOM_CA_FILE": str(trusted)})
    try:
        up.start()
        yield up
    finally:
        up.close()


@pytest.fixture
def reader_values(server: Up, dovecot: Dovecot, submission: Smtpd) -> dict[str, str]:
    """What a reader of the pages types in the place of the examples."""
    return {
        "POSTROOM": server.url,
        "POSTROOM_URL": server.url,
        "IMAP_HOST": dovecot.host,
        "IMAP_PORT": str(dovecot.imaps_port),
        "SMTP_HOST": dovecot.host,
        "SMTP_PORT": str(submission.port),
        "ADDRESS": dovecot.new_user(),
        "PASSWORD": PASSWORD,
    }


@pytest.fixture
def folder(server: Up, tmp_path: Path) -> Path:
    """What a reader's clone looks like after `make run`, with `.postroom` as the server's data folder."""
    (tmp_path / ".postroom").symlink_to(server.data)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    left_out = shutil.ignore_patterns("node_modules", "dist", "__pycache__")
    shutil.copytree(ROOT / "clients", tmp_path / "clients", ignore=left_out)
    return tmp_path


@pytest.fixture
def shell(folder: Path, reader_values: dict[str, str]) -> Iterator[Shell]:
    """A shell in the reader's clone; npm takes what it has before it asks the registry."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    opened = Shell(folder, reader_values, {**os.environ, "PATH": path, "npm_config_prefer_offline": "true"})
    try:
        yield opened
    finally:
        opened.close()


def paste(shell: Shell, block: Block, where: str) -> str:
    """Runs the statements of a block; answers all that they printed."""
    printed: list[str] = []
    for statement in statements(block.text):
        if statement.strip() in ALREADY_RUNNING:
            continue
        code, output = shell.run(statement)
        assert code == 0, f"{where}: exit code {code}\n$ {statement}\n{output}"
        printed.append(output)
    return "".join(printed)


def execute(program: str, folder: Path) -> str:
    """Runs a Python block as a program in the reader's folder."""
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, cwd=folder, text=True, capture_output=True,
        timeout=PROGRAM_SECONDS, env=dict(os.environ),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def save(block: Block, text: str, folder: Path) -> None:
    """Saves a block where the page says."""
    target = folder / block.file
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", PAGES)
def test_a_reader_who_pastes_the_page_sees_what_it_shows(
    page: str, shell: Shell, server: Up, folder: Path
) -> None:
    found = blocks(ROOT / page)
    for language, tool in TOOLS.items():
        if any(block.language == language for block in found) and shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    printed = ""
    for block in found:
        where, text = f"{page}:{block.line}", block.text.replace(SHOWN_ADDRESS, server.grpc_address)
        if block.language == "sh":
            printed = paste(shell, block, where)
        elif block.file:
            save(block, text, folder)
        elif block.language == "python":
            printed = execute(text, folder)
        elif block.language in TOOLS:
            raise AssertionError(f"{where}: the page does not say where to save it")
        else:
            assert shows(block.text, printed), f"{where}: expected\n{block.text}\nbut saw\n{printed}"


def test_every_page_that_shows_commands_is_pasted() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    runs = {"sh", "python", *TOOLS}
    showing = {
        str(one.relative_to(ROOT)) for one in pages if any(block.language in runs for block in blocks(one))
    }
    assert showing == set(PAGES)


def test_the_comparison_notices_what_is_missing() -> None:
    assert shows('{"a": 1, … "c": 3}', '{"a":1,"b":2,"c":3}')
    assert not shows('{"a": 1, … "d": 3}', '{"a":1,"b":2,"c":3}')
