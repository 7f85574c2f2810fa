"""Follows the README as a stranger does: a fresh clone, a clean environment, every block pasted, each step timed.

It owns the clone, the environment (a PATH of the tools' folders, an empty home, nothing else), the clock, and the end of what it
started. It refuses to know the README: what is pasted, saved and expected is read from it, up to the part that needs a mail
account. Needs git, make, curl, Python 3.11, Node 20 and Go, and the standard library only.

Usage: `scripts/stranger.py [--commit REF] [--pass VARIABLE …]`, or `make stranger`
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pasting import Block, Shell, blocks, shows, statements

ROOT = Path(__file__).resolve().parent.parent
ALLOWED_SECONDS = 300.0
"""What a stranger gives us before the first change is seen."""
START_SECONDS = 280.0
STOP_SECONDS = 15.0
ARRIVES_SECONDS = 20.0
LOOK_SECONDS = 0.05
TOOLS = ("git", "make", "curl", "bash", "python3.11", "node", "npm", "go")
SHOWN_ADDRESS = "127.0.0.1:8080"
START = "make run"
UNTIL = "Your own account"
LANGUAGES = {"python": "Python", "go": "Go", "ts": "TypeScript"}
BOX = re.compile(r"arrive\.\n\n(.*?)^─+$", re.MULTILINE | re.DOTALL)


class Stuck(Exception):
    """The README did not work as it says."""


class Stranger:
    """One visit: a folder of its own with the clone and the home in it.

    Args:
        folder: An empty folder.
        passed: Variables of ours that the stranger has as well, such as a proxy's.
    """

    def __init__(self, folder: Path, passed: list[str]) -> None:
        self.clone, home = folder / "postroom", folder / "home"
        home.mkdir()
        places = dict.fromkeys(str(Path(found).parent) for tool in TOOLS if (found := shutil.which(tool)))
        self.environment = {
            **{name: os.environ[name] for name in passed if name in os.environ},
            "PATH": os.pathsep.join([*places, "/usr/bin", "/bin"]),
            "HOME": str(home),
            "LANG": "C.UTF-8",
        }
        self.port = free_port(int(SHOWN_ADDRESS.rpartition(":")[2]))
        self.address = f"127.0.0.1:{self.port}"
        self.output = folder / "make-run.out"
        self.times: dict[str, float] = {}

    def told(self, text: str) -> str:
        """A text of the README with the port that is free here."""
        return text.replace(SHOWN_ADDRESS, self.address)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Adds the seconds of a step."""
        began = time.monotonic()
        yield
        self.times[step] = self.times.get(step, 0.0) + time.monotonic() - began
        print(f"  {step:<34} {self.times[step]:6.1f} s", flush=True)

    def get(self, commit: str) -> None:
        """Clones the repository."""
        for command in (
            ["git", "clone", "--quiet", str(ROOT), str(self.clone)],
            ["git", "-C", str(self.clone), "checkout", "--quiet", commit],
        ):
            subprocess.run(command, check=True, env=self.environment)

    @contextmanager
    def running(self) -> Iterator[None]:
        """`make run` in a terminal of its own, ended by Ctrl-C."""
        options = {} if self.told(SHOWN_ADDRESS) == SHOWN_ADDRESS else {"ARGS": f"--port {self.port}"}
        with self.output.open("w") as terminal:
            process = subprocess.Popen(
                START.split(), cwd=self.clone, env={**self.environment, **options},
                stdin=subprocess.DEVNULL, stdout=terminal, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        try:
            with self.timed(START):
                wait_for(lambda: BOX.search(self.printed()), START_SECONDS, self.printed, process)
            yield
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)

    def printed(self) -> str:
        """What `make run` has printed."""
        return self.output.read_text(encoding="utf-8")

    def paste_the_box(self) -> None:
        """Pastes the three statements that the box shows, until the watch shows the message."""
        found = BOX.search(self.printed())
        assert found is not None
        terminal = self.output.with_name("terminal.out")
        with terminal.open("w") as out:
            shell = subprocess.Popen(
                ["bash", "--noprofile", "--norc"], cwd=self.clone, env=self.environment, text=True,
                stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        assert shell.stdin is not None
        try:
            shell.stdin.write(found[1])
            shell.stdin.flush()
            wait_for(lambda: "messageAdded" in terminal.read_text(), ARRIVES_SECONDS, terminal.read_text)
        finally:
            os.killpg(shell.pid, signal.SIGKILL)
            shell.wait(STOP_SECONDS)

    def follow(self, page: list[Block]) -> None:
        """Pastes the README's blocks, in order."""
        shell = Shell(self.clone, {"POSTROOM": f"http://{self.address}"}, self.environment)
        try:
            step, waiting = "the tour", page
            while waiting:
                rest = [n for n, block in enumerate(waiting) if n and block.file]
                here, waiting = waiting[: rest[0]] if rest else waiting, waiting[rest[0] :] if rest else []
                if here[0].file:
                    step = f"first change in {LANGUAGES[here[0].language]}"
                with self.timed(step):
                    self._blocks(shell, here)
        finally:
            shell.close()

    def _blocks(self, shell: Shell, page: list[Block]) -> None:
        printed = ""
        for block in page:
            if block.file:
                target = self.clone / block.file
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(self.told(block.text), encoding="utf-8")
            elif block.language == "sh":
                printed = "".join(self._statement(shell, one, block) for one in statements(block.text))
            elif not shows(block.text, printed):
                raise Stuck(f"README.md:{block.line} shows\n{block.text}\nand this came:\n{printed}")

    def _statement(self, shell: Shell, statement: str, block: Block) -> str:
        if statement.strip() == START:
            return ""
        code, output = shell.run(statement)
        if code:
            raise Stuck(f"README.md:{block.line}: exit code {code}\n$ {statement}\n{output}")
        return output

    def totals(self) -> dict[str, float]:
        """Seconds from the clone's first command to the first change, by language."""
        common = self.times[START] + self.times["the tour"]
        return {name: common + self.times[f"first change in {name}"] for name in LANGUAGES.values()}


def wait_for(
    done: Callable[[], object],
    seconds: float,
    said: Callable[[], str],
    process: subprocess.Popen[bytes] | None = None,
) -> None:
    """Returns once something is so.

    Raises:
        Stuck: It took too long, or the process ended.
    """
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end or (process is not None and process.poll() is not None):
            raise Stuck(said())
        time.sleep(LOOK_SECONDS)


def free_port(wanted: int) -> int:
    """`wanted` if nobody listens there, else one that is free."""
    for port in (wanted, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise Stuck("there is no free port")


def readme(folder: Path) -> list[Block]:
    """The README's blocks up to the part that needs a mail account."""
    found = blocks(folder / "README.md")
    end = next((n for n, block in enumerate(found) if block.section == UNTIL), len(found))
    return found[:end]


def versions(environment: dict[str, str]) -> str:
    """What the stranger has."""
    asked = (["python3.11", "--version"], ["node", "--version"], ["go", "version"])
    return ", ".join(
        subprocess.run(one, check=True, capture_output=True, text=True, env=environment).stdout.strip()
        for one in asked
    )


def remove(folder: Path) -> None:
    """Removes a folder, also what Go keeps read-only in it."""
    for path in folder.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(stat.S_IRWXU)
    shutil.rmtree(folder)


def visit(folder: Path, commit: str, passed: list[str]) -> bool:
    """One visit; tells whether every language was in time."""
    stranger = Stranger(folder, passed)
    print(f"{versions(stranger.environment)}; {os.cpu_count()} cores; address {stranger.address}")
    with stranger.timed("git clone"):
        stranger.get(commit)
    with stranger.running():
        with stranger.timed("the box's three statements"):
            stranger.paste_the_box()
        stranger.follow(readme(stranger.clone))
    totals = stranger.totals()
    for name, seconds in totals.items():
        verdict = "in time" if seconds <= ALLOWED_SECONDS else "TOO LATE"
        print(
            f"{name}: {seconds:.1f} s of {ALLOWED_SECONDS:.0f} s from `{START}` through the tour to the first change, {verdict}"
        )
    return max(totals.values()) <= ALLOWED_SECONDS


def main() -> int:
    """Reads the options and visits."""
    parser = argparse.ArgumentParser(description="Follows the README in a fresh clone, timed.")
    parser.add_argument("--commit", default="HEAD", help="what to check out")
    parser.add_argument(
        "--pass",
        dest="passed",
        action="append",
        default=[],
        metavar="VARIABLE",
        help="let it have this variable too",
    )
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="stranger-"))
    try:
        return 0 if visit(folder, options.commit, options.passed) else 1
    except Stuck as stuck:
        print(f"stranger: {stuck}", file=sys.stderr)
        return 1
    finally:
        remove(folder)


if __name__ == "__main__":
    sys.exit(main())
