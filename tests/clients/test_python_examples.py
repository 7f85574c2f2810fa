"""Every program of examples/python, as a reader would run it, beside a running Postroom."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.clients.counting import each_is_counted_once
from tests.fixtures.postroom import Up

EXAMPLES: Final = Path(__file__).resolve().parents[2] / "examples/python"
PROGRAM_SECONDS: Final = 50
LETTERS: Final = 120
KILLS_AT: Final = (5, 40, 80)


def environment(server: Up) -> dict[str, str]:
    return {**os.environ, "POSTROOM_ADDRESS": server.grpc_address, "POSTROOM_TOKEN": server.token}


def run(server: Up, name: str, *arguments: str) -> str:
    """Runs an example to its end; returns what it printed."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        env=environment(server),
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_quickstart(postroom: Up) -> None:
    printed = run(postroom, "quickstart.py")
    assert "change: MESSAGE_ADDED" in printed
    assert "text: Sent by examples/python/quickstart.py." in printed


def test_a_file_is_sent_and_arrives_as_it_was(postroom: Up, tmp_path: Path) -> None:
    file = tmp_path / "größe.pdf"
    file.write_bytes(os.urandom(300_000))
    printed = run(postroom, "send_attachment.py", str(file))
    assert "submission: RELAYED" in printed
    assert "arrived: größe.pdf, application/pdf, 300000 bytes" in printed


def test_messages_are_found_page_by_page(postroom: Up) -> None:
    printed = run(postroom, "search.py")
    found = re.findall(r"^found: (.*)$", printed, re.MULTILINE)
    assert sorted(found) == ["Invoice 1001", "Invoice 1002", "Your invoice 1003"]
    assert "messages: 3" in printed


# --- exactly once ----------------------------------------------------------------------------------------------------


async def test_each_message_is_counted_once_whenever_the_program_is_killed(
    postroom: Up, tmp_path: Path
) -> None:
    """Feed promise F13."""
    program = [sys.executable, str(EXAMPLES / "watch_sqlite.py")]
    at_last_kill = await each_is_counted_once(
        postroom, program, environment(postroom), tmp_path / "counts.db", letters=LETTERS, kills_at=KILLS_AT
    )
    assert at_last_kill < LETTERS, "the last kill was not midway"
