"""Reads the blocks of a Markdown page and pastes them into a shell, as a reader does.

It owns what counts as a block, as a statement, and as shown output. It refuses to know any page: `tests/docs/test_pages.py`
pastes every page beside a server of the tests, `scripts/stranger.py` the README in a fresh clone. Needs the standard library
only, because a stranger has nothing else.

Every `sh` block runs, in order, in one shell. A `python`, `go` or `ts` block is saved where the paragraph before it says
(Save this as `file`), and the commands after it run it; one without such words is a program on its own. A `json` or `text`
block shows what the block before it printed: `…` stands for anything, and white space does not count.
"""

from __future__ import annotations

import re
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

STREAM_SECONDS = 3
"""Seconds after which a stream is left, as a reader does with Ctrl-C."""
CUT_BY_TIME = 28
"""curl's exit code then."""
END_SECONDS = 40
"""Seconds that the shell has to end."""
BLOCK = re.compile(r"^```(sh|python|go|ts|json|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SAVED = re.compile(r"[Ss]ave this as `([^`]+)`[^`\n]*$")


@dataclass(frozen=True)
class Block:
    """One fenced block of a page.

    Attributes:
        file: Where a reader saves it; empty for what is not saved.
        section: The heading above it.
    """

    language: str
    text: str
    line: int
    file: str = ""
    section: str = ""


def blocks(page: Path) -> list[Block]:
    """The blocks of a page that run, that are saved, or that show output, in order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in BLOCK.finditer(text):
        before = text[: match.start()]
        headings = re.findall(r"^#+ (.*)$", before, re.MULTILINE)
        saved = SAVED.search(" ".join(before.rstrip().rpartition("\n\n")[2].split()))
        found.append(
            Block(
                language=match[1],
                text=match[2],
                line=before.count("\n") + 1,
                file=saved[1] if saved else "",
                section=headings[-1] if headings else "",
            )
        )
    return found


def statements(text: str) -> Iterator[str]:
    """The block's complete shell statements: lines are joined until the shell can read them.

    Raises:
        ValueError: The block ends amid a statement.
    """
    waiting: list[str] = []
    for line in text.splitlines():
        waiting.append(line)
        whole = "\n".join(waiting)
        if line.endswith("\\"):
            continue
        read = subprocess.run(["bash", "-n"], check=False, input=whole, text=True, stderr=subprocess.DEVNULL)
        if read.returncode == 0:
            waiting.clear()
            if whole.strip():
                yield whole
    if waiting:
        raise ValueError(f"not a complete statement: {waiting}")


def shows(expected: str, printed: str) -> bool:
    """Tells whether the output contains what the page shows."""
    parts = [re.escape("".join(part.split())) for part in expected.split("…")]
    return re.search(".*?".join(parts), "".join(printed.split()), re.DOTALL) is not None


class Shell:
    """One bash that keeps its variables and functions from statement to statement.

    Args:
        folder: Where it begins.
        values: What a reader types in the place of the page's `NAME=value`.
        environment: All of its variables; None takes those of this process.
    """

    def __init__(
        self, folder: Path, values: Mapping[str, str], environment: Mapping[str, str] | None = None
    ) -> None:
        self._values = values
        self._mark = f"done-{secrets.token_hex(8)}"
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=None if environment is None else dict(environment),
        )

    def run(self, statement: str) -> tuple[int, str]:
        """Runs one statement; answers its exit code and what it printed. A stream that was left counts as done.

        Raises:
            RuntimeError: The shell ended.
        """
        for name, value in self._values.items():
            statement = re.sub(rf"\b{name}=[^\s(]+", f"{name}={value}", statement)
        streams = "--no-buffer" in statement
        if streams:
            statement = statement.replace("--no-buffer", f"--no-buffer --max-time {STREAM_SECONDS}")
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self._bash.stdin.write(f"{statement}\nprintf '\\n%s %s\\n' {self._mark} $?\n")
        self._bash.stdin.flush()
        printed: list[str] = []
        for line in self._bash.stdout:
            if line.startswith(self._mark):
                code = int(line.split()[1])
                return (0 if streams and code == CUT_BY_TIME else code), "".join(printed)
            printed.append(line)
        raise RuntimeError(f"the shell ended at: {statement}\n{''.join(printed)}")

    def close(self) -> None:
        """Ends the shell."""
        assert self._bash.stdin is not None
        self._bash.stdin.close()
        self._bash.wait(END_SECONDS)
