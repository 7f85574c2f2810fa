"""How long after its delivery a mail is seen by each kind of reader, beside a bare IMAP connection in IDLE.

It owns one measurement: mails handed over by LMTP to a Dovecot on loopback, and the moment at which each appears at a bare IDLE
(the floor: no client of that server can know earlier), at the Python client, and at `curl` as newline-delimited JSON and as
Server-Sent Events. It refuses to judge: it prints figures and what they were measured on.

Usage: `make bench`, `make bench ARGS="--mails 600 --rate 10 --nodes 2"`
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import postroom

from tests.fixtures.dovecot import PASSWORD, Dovecot
from tests.fixtures.eventually import eventually
from tests.fixtures.mail import imap_account, postman
from tests.fixtures.postroom import Up
from tests.fixtures.rest import Rest, web_session

SETTLE_SECONDS = 15.0
WARM_UP = 5
ACCOUNT = "bench"


@dataclass(slots=True)
class Reader:
    """When each message was seen, by its Message-ID, on the clock of `time.monotonic`."""

    name: str
    seen: dict[str, float] = field(default_factory=dict)

    def note(self, mid: str) -> None:
        """Notes a message at its first sight."""
        self.seen.setdefault(mid, time.monotonic())


@dataclass(slots=True)
class Floor:
    """A bare IDLE: the n-th message is seen when the server first tells that n exist."""

    exists: list[tuple[float, int]] = field(default_factory=list)

    async def run(self, host: str, port: int, user: str, ready: asyncio.Event) -> None:
        """Reads until it is cancelled."""
        reader, writer = await asyncio.open_connection(host, port)
        try:
            await reader.readline()
            for tag, command in (("a", f'LOGIN "{user}" "{PASSWORD}"'), ("b", "SELECT INBOX")):
                writer.write(f"{tag} {command}\r\n".encode())
                while not (line := await reader.readline()).startswith(f"{tag} ".encode()):
                    pass
                assert b" OK" in line, line
            writer.write(b"c IDLE\r\n")
            await reader.readline()
            ready.set()
            while line := await reader.readline():
                if line.rstrip().endswith(b"EXISTS"):
                    self.exists.append((time.monotonic(), int(line.split()[1])))
        finally:
            writer.close()

    def seen(self, delivered: Sequence[str]) -> dict[str, float]:
        """The time of each delivered message."""
        found: dict[str, float] = {}
        for index, mid in enumerate(delivered, 1):
            when = next((at for at, count in self.exists if count >= index), None)
            if when is not None:
                found[mid] = when
        return found


async def read_python(up: Up, reader: Reader, opened: asyncio.Event) -> None:
    """Watches with the Python client."""
    async with postroom.connect(up.grpc_address, up.token) as client:
        opened.set()
        async for change in client.watch(f"accounts/{ACCOUNT}"):
            if change.HasField("message_added"):
                reader.note(change.message_added.message.internet_message_id)


async def read_curl(up: Up, reader: Reader, accept: str, opened: asyncio.Event) -> None:
    """Watches with curl, as a shell script does."""
    command = ["curl", "-sSN", "-H", f"authorization: Bearer {up.token}", "-H", f"accept: {accept}"]
    url = f"{up.url}/v1/accounts/{ACCOUNT}/changes:watch?from=NOW"
    program = await asyncio.create_subprocess_exec(*command, url, stdout=asyncio.subprocess.PIPE, limit=2**22)
    assert program.stdout is not None
    try:
        async for line in program.stdout:
            text = line.removeprefix(b"data:").strip()
            if not text.startswith(b"{"):
                continue
            opened.set()
            added = json.loads(text).get("change", {}).get("messageAdded")
            if added:
                reader.note(added["message"]["internetMessageId"])
    finally:
        with contextlib.suppress(ProcessLookupError):
            program.kill()
        await program.wait()


async def deliver(dovecot: Dovecot, user: str, mails: int, rate: float) -> dict[str, float]:
    """Delivers at a steady rate; answers when the server had taken each mail, warm-up first."""
    handed: dict[str, float] = {}
    with postman(dovecot, user) as post:
        for number in range(mails + WARM_UP):
            began = time.monotonic()
            mid = await asyncio.to_thread(post.deliver, f"Letter {number}")
            handed[mid] = time.monotonic()
            await asyncio.sleep(max(0.0, began + 1 / rate - time.monotonic()))
    return handed


def percentile(values: Sequence[float], part: float) -> float:
    """The value that `part` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(part * len(ordered)) - 1)]


def table(handed: dict[str, float], seen: dict[str, dict[str, float]]) -> list[str]:
    """The figures as rows of a Markdown table, in milliseconds.

    The server announces to each connection at a moment of its own, so that readers are compared by their distributions,
    not mail by mail.
    """
    measured = list(handed)[WARM_UP:]
    rows = ["| reader | seen | p50 | p95 | p99 | p50 over the floor | p99 over the floor |", "|---" * 7 + "|"]
    floor: list[float] = []
    for name, times in seen.items():
        waits = [(times[mid] - handed[mid]) * 1_000 for mid in measured if mid in times]
        floor = floor or waits
        if not waits:
            rows.append(f"| {name} | 0 of {len(measured)} | | | | | |")
            continue
        shown = [percentile(waits, part) for part in (0.5, 0.95, 0.99)]
        shown += [percentile(waits, part) - percentile(floor, part) for part in (0.5, 0.99)]
        figures = " | ".join(f"{one:.1f} ms" for one in shown)
        rows.append(f"| {name} | {len(waits)} of {len(measured)} | {figures} |")
    return rows


def all_seen(handed: dict[str, float], floor: Floor, *readers: Reader) -> bool:
    """Whether each reader has seen every mail."""
    told = floor.exists[-1][1] if floor.exists else 0
    return min([told, *(len(one.seen) for one in readers)]) >= len(handed)


async def measure(options: argparse.Namespace, dovecot: Dovecot, up: Up) -> list[str]:
    """Runs the readers and the deliveries side by side."""
    user = dovecot.new_user()
    async with web_session() as web, asyncio.TaskGroup() as group:
        rest = Rest(web, up.url, up.token)
        await rest.post("/v1/accounts", {"accountId": ACCOUNT, "account": imap_account(dovecot, user)})
        await rest.state(f"accounts/{ACCOUNT}", "CONNECTED")
        floor, python, lines, events = (
            Floor(),
            Reader("Python client"),
            Reader("curl, NDJSON"),
            Reader("curl, SSE"),
        )
        opened = [asyncio.Event() for _ in range(4)]
        tasks = [
            group.create_task(floor.run(dovecot.host, dovecot.imap_port, user, opened[0])),
            group.create_task(read_python(up, python, opened[1])),
            group.create_task(read_curl(up, lines, "application/json", opened[2])),
            group.create_task(read_curl(up, events, "text/event-stream", opened[3])),
        ]
        async with asyncio.timeout(SETTLE_SECONDS):
            for one in opened:
                await one.wait()
        handed = await deliver(dovecot, user, options.mails, options.rate)
        with contextlib.suppress(AssertionError):
            await eventually(lambda: all_seen(handed, floor, python, lines, events), within=SETTLE_SECONDS)
        for task in tasks:
            task.cancel()
    readers = {one.name: one.seen for one in (python, lines, events)}
    return table(handed, {"bare IDLE": floor.seen(list(handed)), **readers})


def main() -> None:
    """Starts the servers, measures, prints."""
    parser = argparse.ArgumentParser(description="Measures how soon a delivered mail is seen.")
    parser.add_argument("--mails", type=int, default=200)
    parser.add_argument("--rate", type=float, default=4.0, help="mails per second")
    parser.add_argument("--nodes", type=int, default=1)
    options = parser.parse_args()
    dovecot, up = Dovecot(), Up("--nodes", str(options.nodes))
    try:
        dovecot.start()
        took = up.start()
        rows = asyncio.run(measure(options, dovecot, up))
    finally:
        up.close()
        dovecot.close()
    print(f"{options.mails} mails at {options.rate:g}/s, {options.nodes} node(s), ready after {took:.1f} s")
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print("\n".join(["", *rows]))


if __name__ == "__main__":
    main()
