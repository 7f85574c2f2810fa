"""Every program of examples/python, as a reader would run it, beside a running Postroom."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import postroom as client_package
from postroom import testing
from postroom.v1.account_pb2 import Account
from postroom.v1.change_service_pb2 import ListChangesRequest
from postroom.v1.composed_message_pb2 import ComposedMessage
from postroom.v1.message_pb2 import Address
from postroom.v1.submission_pb2 import Submission
from postroom.v1.submission_service_pb2 import SubmitMessageRequest

from tests.fixtures.eventually import eventually
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


@contextlib.contextmanager
def counting(server: Up, database: Path, feed: str) -> Iterator[subprocess.Popen[bytes]]:
    """The program that counts arrivals, ended with kill -9 when the context is left."""
    program = subprocess.Popen(
        [sys.executable, str(EXAMPLES / "watch_sqlite.py"), str(database), feed],
        env=environment(server),
        stdout=subprocess.DEVNULL,
    )
    try:
        yield program
    finally:
        program.kill()
        program.wait()


def rows(database: Path, query: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(database)) as opened:
        return opened.execute(query).fetchall()


def counted(database: Path) -> int:
    with contextlib.suppress(sqlite3.OperationalError):
        for row in rows(database, "SELECT messages FROM arrivals"):
            return int(str(row[0]))
    return 0


async def send_all(client: client_package.Postroom, sender: Account, to: Account) -> None:
    for number in range(LETTERS):
        letter = ComposedMessage(to=[Address(address=to.email)], subject=f"Letter {number}", text="Hello")
        request = SubmitMessageRequest(
            parent=sender.name, submission=Submission(composed=letter), request_id=str(uuid.uuid4())
        )
        await client.submissions.SubmitMessage(request)


async def test_each_message_is_counted_once_whenever_the_program_is_killed(
    postroom: Up, tmp_path: Path
) -> None:
    """Feed promise F13."""
    database = tmp_path / "counts.db"
    async with client_package.connect(postroom.grpc_address, postroom.token) as client:
        ann, ben = await testing.sandbox_account(client), await testing.sandbox_account(client)
        sending = asyncio.create_task(send_all(client, ann, ben))
        for least in KILLS_AT:
            with counting(postroom, database, ben.name):
                await eventually(lambda least=least: counted(database) >= least, within=20)  # type: ignore[misc]
        assert counted(database) < LETTERS, "the last kill was not midway"
        with counting(postroom, database, ben.name) as program:
            await sending
            await eventually(lambda: counted(database) >= LETTERS, within=20)

            async def told_everything() -> bool:
                ((cursor,),) = rows(database, "SELECT cursor FROM place")
                rest = await client.changes.ListChanges(
                    ListChangesRequest(parent=ben.name, cursor=str(cursor))
                )
                return not rest.changes

            await eventually(told_everything)
            assert program.poll() is None
    assert rows(database, "SELECT account, messages FROM arrivals") == [(ben.name, LETTERS)]
    assert rows(database, "SELECT * FROM gaps") == []
