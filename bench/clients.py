"""How fast each client is: calls of `GetAccount` per second, and changes of a watch per second.

It owns one measurement of the clients of Python, Go and TypeScript, each in its puppet's process, straight to the node's unix
socket and through the gateway, beside JSON over HTTP (aiohttp and, where it is installed, h2load for calls, curl for the watch).
It refuses to judge: it prints figures and what they were measured on.

Usage: `make bench BENCH=clients`, `make bench BENCH=clients ARGS="--seconds 5 --rounds 3 --languages go"`
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import platform
import re
import shutil
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import aiohttp

from bench.puppets import started
from tests.clients.scenarios.puppets import LANGUAGES, Puppet
from tests.clients.scenarios.world import World, email
from tests.fixtures.eventually import eventually
from tests.fixtures.postroom import Up
from tests.fixtures.rest import web_session

MESSAGES = 500
"""Messages of the account whose feed is read; the other changes are their flags, set and taken away."""
CALLERS = (1, 16)
METHOD = "AccountService.GetAccount"
WITHIN = 120.0
H2LOAD_RATE = re.compile(r"([\d.]+) req/s")


@dataclass(slots=True)
class Figures:
    """Rates of one client on one road: calls per second by number of callers, and changes per second."""

    calls: dict[int, list[float]] = field(default_factory=dict)
    changes: list[float] = field(default_factory=list)

    def row(self, name: str) -> str:
        """A row of the table: medians."""
        shown = [_median(self.calls.get(callers, [])) for callers in CALLERS]
        return f"| {name} | {' | '.join([*shown, _median(self.changes)])} |"


def _median(values: list[float]) -> str:
    return f"{statistics.median(values):,.0f}" if values else ""


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measures calls and changes per second of each client.")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement of calls")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of which the median is shown")
    parser.add_argument("--changes", type=int, default=10_000, help="in the feed that is read")
    parser.add_argument("--languages", default=",".join(LANGUAGES))
    return parser.parse_args()


async def fill(world: World, changes: int) -> str:
    """An account whose feed holds so many changes, most of them of flags; its name."""
    account = await world.account("bench")
    rest, path = world.rest, f"/v1/{account}"
    for number in range(MESSAGES):
        composed = {"to": [{"address": email(account)}], "subject": f"Letter {number}", "text": "Hello"}
        await rest.post(
            f"{path}/submissions", {"submission": {"composed": composed}, "requestId": f"r{number}"}
        )
    names: list[str] = []

    async def all_there() -> bool:
        names[:] = await inbox(world, account)
        return len(names) == MESSAGES

    await eventually(all_there, within=WITHIN)
    kinds = "kinds=MESSAGE_ADDED&kinds=FLAGS_CHANGED"
    for number in range((changes - MESSAGES) // MESSAGES + 1):
        word = "removeFlags" if number % 2 else "addFlags"
        await rest.post(f"{path}/messages:modify", {"names": names, word: ["$flagged"]})
    found = await rest.get(f"{path}/changes?from=EARLIEST&maxChanges=1&{kinds}")
    assert found["changes"], found
    return account


async def inbox(world: World, account: str) -> list[str]:
    """The names of all messages in the inbox."""
    names: list[str] = []
    token = ""
    while True:
        query = f"pageSize=200&pageToken={token}"
        found = await world.rest.get(f"/v1/{account}/mailboxes/inbox/messages?{query}")
        names += [one["name"] for one in found.get("messages", [])]
        token = found.get("nextPageToken", "")
        if not token:
            return names


async def measure_puppet(
    puppet: Puppet, address: str, token: str, account: str, options: argparse.Namespace
) -> Figures:
    """One client on one road."""
    figures, client = Figures(), address
    await _asked(puppet, "connect", client=client, address=address, token=token)
    words = {"client": client, "method": METHOD, "request": {"name": account}}
    await _asked(puppet, "bench", **words, seconds=0.5, callers=4)
    for _ in range(options.rounds):
        for callers in CALLERS:
            told = await _asked(puppet, "bench", **words, seconds=options.seconds, callers=callers)
            assert not told["errors"], told
            figures.calls.setdefault(callers, []).append(told["calls"] / told["seconds"])
        told = await _asked(puppet, "bench_watch", client=client, parent=account, count=options.changes)
        figures.changes.append(told["changes"] / told["seconds"])
    await _asked(puppet, "close", client=client)
    return figures


async def _asked(puppet: Puppet, do: str, **words: object) -> dict[str, float]:
    answer = await puppet.ask(do, within=WITHIN, **words)
    assert answer.ok is not None, answer.error
    return answer.ok


async def rate_of(call: Callable[[], Awaitable[None]], callers: int, seconds: float) -> float:
    """Calls per second of so many callers, each of which calls again at once."""
    began, calls = time.monotonic(), 0

    async def call_on() -> None:
        nonlocal calls
        while time.monotonic() < began + seconds:
            await call()
            calls += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(call_on())
    return calls / (time.monotonic() - began)


async def measure_http(
    session: aiohttp.ClientSession, up: Up, account: str, options: argparse.Namespace
) -> Figures:
    """JSON over kept connections of HTTP/1.1; the watch by curl, as newline-delimited JSON."""
    figures, headers = Figures(), {"authorization": f"Bearer {up.token}"}

    async def call() -> None:
        async with session.get(f"{up.url}/v1/{account}", headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            await answer.json()

    await rate_of(call, 4, 0.5)
    for _ in range(options.rounds):
        for callers in CALLERS:
            rate = await rate_of(call, callers, options.seconds)
            figures.calls.setdefault(callers, []).append(rate)
        figures.changes.append(await curl_rate(up, account, options.changes))
    return figures


async def curl_rate(up: Up, account: str, count: int) -> float:
    """Changes per second that curl prints; its lines are counted, not parsed."""
    command = ["curl", "-sSN", "-H", f"authorization: Bearer {up.token}"]
    url = f"{up.url}/v1/{account}/changes:watch?from=EARLIEST"
    began, changes = time.monotonic(), 0
    program = await asyncio.create_subprocess_exec(*command, url, stdout=asyncio.subprocess.PIPE, limit=2**22)
    assert program.stdout is not None
    try:
        while changes < count:
            line = await program.stdout.readline()
            assert line, "curl has ended"
            changes += line.startswith(b'{"cursor"') and b'"change":' in line
        return changes / (time.monotonic() - began)
    finally:
        with contextlib.suppress(ProcessLookupError):
            program.kill()
        await program.wait()


async def measure_h2load(up: Up, account: str, options: argparse.Namespace) -> Figures:
    """JSON by a load generator in C: what the server gives when the client costs next to nothing."""
    figures = Figures()
    for _ in range(options.rounds):
        for callers in CALLERS:
            program = await asyncio.create_subprocess_exec(
                "h2load", "--h1", "-t1", f"-c{callers}", f"-D{max(1, round(options.seconds))}",
                "-H", f"authorization: Bearer {up.token}", f"{up.url}/v1/{account}", stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            said, _ = await program.communicate()
            rate = H2LOAD_RATE.search(said.decode())
            assert rate is not None, said
            figures.calls.setdefault(callers, []).append(float(rate[1]))
    return figures


async def measure(options: argparse.Namespace, up: Up) -> list[str]:
    """All clients on both roads; the rows of the table."""
    rows = ["| client | calls/s, 1 caller | calls/s, 16 callers | changes/s |", "|---|---|---|---|"]
    node = up.up["nodes"][0]["address"]
    async with web_session() as session, contextlib.AsyncExitStack() as stack:
        account = await fill(World(up, session), options.changes)
        async for puppet in started(stack, options.languages):
            for name, address in (("to the node", node), ("through the gateway", up.grpc_address)):
                figures = await measure_puppet(puppet, address, up.token, account, options)
                rows.append(figures.row(f"{puppet.language}, {name}"))
        rows.append((await measure_http(session, up, account, options)).row("JSON, aiohttp and curl"))
        if shutil.which("h2load"):
            rows.append((await measure_h2load(up, account, options)).row("JSON, h2load"))
    return rows


def main() -> None:
    """Starts a server, measures, prints."""
    options, up = arguments(), Up()
    try:
        up.start()
        rows = asyncio.run(measure(options, up))
    finally:
        up.close()
    print(
        f"`make bench BENCH=clients ARGS={' '.join(sys.argv[1:])!r}`, one node, {METHOD}; medians of {options.rounds}"
    )
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print("\n".join(["", *rows]))


if __name__ == "__main__":
    main()
