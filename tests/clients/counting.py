"""The story of the SQLite examples: a program that counts arrivals is killed midway, again and again, and counts each once.

It owns the account, the letters, the kills and what the database must hold at the end; which program counts is the test's
to say. It refuses to wait for a time: it waits for counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

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


async def each_is_counted_once(
    server: Up,
    program: Sequence[str],
    environment: Mapping[str, str],
    database: Path,
    *,
    letters: int,
    kills_at: Sequence[int],
) -> int:
    """Feed promise F13 for `program DATABASE ACCOUNT`; how many were counted when it was killed for the last time."""
    async with client_package.connect(server.grpc_address, server.token) as client:
        ann, ben = await testing.sandbox_account(client), await testing.sandbox_account(client)
        command = [*program, str(database), ben.name]
        sending = asyncio.create_task(_send_all(client, ann, ben, letters))
        for least in kills_at:
            with _counting(command, environment):
                await eventually(lambda least=least: _counted(database) >= least, within=20)  # type: ignore[misc]
        at_last_kill = _counted(database)
        with _counting(command, environment) as last:
            await sending
            await eventually(lambda: _counted(database) >= letters, within=20)

            async def told_everything() -> bool:
                ((cursor,),) = _rows(database, "SELECT cursor FROM place")
                request = ListChangesRequest(parent=ben.name, cursor=str(cursor))
                return not (await client.changes.ListChanges(request)).changes

            await eventually(told_everything)
            assert last.poll() is None
    assert _rows(database, "SELECT account, messages FROM arrivals") == [(ben.name, letters)]
    assert _rows(database, "SELECT * FROM gaps") == []
    return at_last_kill


@contextlib.contextmanager
def _counting(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The program that counts arrivals, ended with kill -9 when the context is left."""
    program = subprocess.Popen(command, env=dict(environment), stdout=subprocess.DEVNULL)
    try:
        yield program
    finally:
        program.kill()
        program.wait()


def _rows(database: Path, query: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(database)) as opened:
        return opened.execute(query).fetchall()


def _counted(database: Path) -> int:
    with contextlib.suppress(sqlite3.OperationalError):
        for row in _rows(database, "SELECT messages FROM arrivals"):
            return int(str(row[0]))
    return 0


async def _send_all(client: client_package.Postroom, sender: Account, to: Account, letters: int) -> None:
    for number in range(letters):
        letter = ComposedMessage(to=[Address(address=to.email)], subject=f"Letter {number}", text="Hello")
        request = SubmitMessageRequest(
            parent=sender.name, submission=Submission(composed=letter), request_id=str(uuid.uuid4())
        )
        await client.submissions.SubmitMessage(request)
