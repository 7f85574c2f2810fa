"""Pastes what README and docs show, statement by statement, into a shell beside a running Postroom.

Every `sh` block of a page runs in one shell, in order, and each statement has to succeed; a `python` block runs as a
program. A `json` or `text` block shows what the block before it printed: `…` stands for anything, white space does not
count. What a reader would replace (addresses, passwords) is replaced here, and nothing else: `make run` is what the
fixture has started, and a stream (`--no-buffer`) is left after a few seconds, as a reader does with Ctrl-C.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.fixtures.dovecot import PASSWORD, Dovecot
from tests.fixtures.postroom import Up
from tests.fixtures.smtpd import Smtpd

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = ("README.md", "docs/quickstart.md", "docs/howto/curl.md", "docs/howto/watch.md")
STREAM_SECONDS: Final = 3
CUT_BY_TIME: Final = 28
PROGRAM_SECONDS: Final = 40
ALREADY_RUNNING: Final = frozenset({"make run"})
BLOCK: Final = re.compile(r"^```(sh|python|json|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block of a page."""

    language: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    """The blocks of a page that run or that show output, in order."""
    text = page.read_text()
    return [
        Block(language=found[1], text=found[2], line=text.count("\n", 0, found.start()) + 1)
        for found in BLOCK.finditer(text)
    ]


def statements(text: str) -> Iterator[str]:
    """The block's complete shell statements: lines are joined until the shell can read them."""
    waiting: list[str] = []
    for line in text.splitlines():
        waiting.append(line)
        whole = "\n".join(waiting)
        if (
            subprocess.run(
                ["bash", "-n"], check=False, input=whole, text=True, stderr=subprocess.DEVNULL
            ).returncode
            == 0
        ):
            waiting.clear()
            if whole.strip():
                yield whole
    assert not waiting, f"not a complete statement: {waiting}"


def shows(expected: str, printed: str) -> bool:
    """Whether the output contains what the page shows."""
    parts = [re.escape("".join(part.split())) for part in expected.split("…")]
    return re.search(".*?".join(parts), "".join(printed.split()), re.DOTALL) is not None


class Shell:
    """One bash that keeps its variables and functions from statement to statement."""

    def __init__(self, folder: Path, values: Mapping[str, str]) -> None:
        self._values = values
        self._mark = f"done-{secrets.token_hex(8)}"
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"], cwd=folder, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, statement: str) -> tuple[int, str]:
        """Runs one statement; answers its exit code and what it printed."""
        for name, value in self._values.items():
            statement = re.sub(rf"\b{name}=[^\s(]+", f"{name}={value}", statement)
        if "--no-buffer" in statement:
            statement = statement.replace("--no-buffer", f"--no-buffer --max-time {STREAM_SECONDS}")
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self._bash.stdin.write(f"{statement}\nprintf '\\n%s %s\\n' {self._mark} $?\n")
        self._bash.stdin.flush()
        printed: list[str] = []
        for line in self._bash.stdout:
            if line.startswith(self._mark):
                return int(line.split()[1]), "".join(printed)
            printed.append(line)
        raise AssertionError(f"the shell ended at: {statement}\n{''.join(printed)}")

    def close(self) -> None:
        """Ends the shell."""
        assert self._bash.stdin is not None
        self._bash.stdin.close()
        self._bash.wait(PROGRAM_SECONDS)


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
        "IMAP_HOST": dovecot.host,
        "IMAP_PORT": str(dovecot.imaps_port),
        "SMTP_HOST": dovecot.host,
        "SMTP_PORT": str(submission.port),
        "ADDRESS": dovecot.new_user(),
        "PASSWORD": PASSWORD,
    }


@pytest.fixture
def shell(server: Up, tmp_path: Path, reader_values: dict[str, str]) -> Iterator[Shell]:
    """A shell in a folder where `.postroom` is the server's data folder."""
    (tmp_path / ".postroom").symlink_to(server.data)
    opened = Shell(tmp_path, reader_values)
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
        streamed = "--no-buffer" in statement and code == CUT_BY_TIME
        assert code == 0 or streamed, f"{where}: exit code {code}\n$ {statement}\n{output}"
        printed.append(output)
    return "".join(printed)


def execute(program: str, folder: Path, server: Up) -> str:
    """Runs a Python block as a program in the shell's folder."""
    text = program.replace("127.0.0.1:8080", server.grpc_address)
    done = subprocess.run(
        [sys.executable, "-c", text], check=False, cwd=folder, text=True, capture_output=True,
        timeout=PROGRAM_SECONDS, env=dict(os.environ),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.timeout(120)
@pytest.mark.parametrize("page", PAGES)
def test_a_reader_who_pastes_the_page_sees_what_it_shows(
    page: str, shell: Shell, server: Up, tmp_path: Path
) -> None:
    printed = ""
    for block in blocks(ROOT / page):
        where = f"{page}:{block.line}"
        if block.language == "sh":
            printed = paste(shell, block, where)
        elif block.language == "python":
            printed = execute(block.text, tmp_path, server)
        else:
            assert shows(block.text, printed), f"{where}: expected\n{block.text}\nbut saw\n{printed}"


def test_every_page_that_shows_commands_is_pasted() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    showing = {
        str(one.relative_to(ROOT)) for one in pages if any(block.language == "sh" for block in blocks(one))
    }
    assert showing == set(PAGES)


def test_the_comparison_notices_what_is_missing() -> None:
    assert shows('{"a": 1, … "c": 3}', '{"a":1,"b":2,"c":3}')
    assert not shows('{"a": 1, … "d": 3}', '{"a":1,"b":2,"c":3}')
