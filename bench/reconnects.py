"""Watches through a link that is cut again and again: what a client's process holds, and whether it saw every change.

It owns one endurance run for the clients of Python, Go and TypeScript side by side: each holds watches of an account of its own
through a TCP link that is reset about once a second, while a flag of one message is set and taken away (a sandbox mailbox holds
1,000 messages at most, so mail would come to an end). Printed are resident memory and tasks at the start, every minute and at the
end, and the changes that each watch counted beside those that were brought about.

Usage: `make bench BENCH=reconnects`, `make bench BENCH=reconnects ARGS="--minutes 60 --watches 20"`
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import platform
import random
import sys
import time
from dataclasses import dataclass, field

from bench.puppets import started
from tests.clients.scenarios.links import Link
from tests.clients.scenarios.puppets import LANGUAGES, Puppet
from tests.clients.scenarios.world import World
from tests.fixtures.eventually import eventually
from tests.fixtures.postroom import Up
from tests.fixtures.rest import web_session

CLIENT = "c"
OPEN_WITHIN = 30.0
SETTLES_WITHIN = 60.0
ASK_SECONDS = 30.0
REPORT_SECONDS = 60.0
MIB = 2**20


@dataclass(slots=True)
class Subject:
    """One language in the run: its puppet, link and account, and what was read of it."""

    language: str
    puppet: Puppet
    link: Link
    account: str
    watches: int
    cuts: int = 0
    changes: int = 0
    seen: int = 0
    """Changes that the watch which saw least had handed over in the end."""
    rss: list[float] = field(default_factory=list)
    """MiB at the start, every minute, at the end."""
    tasks: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    async def ask(self, do: str, **words: object) -> dict[str, float]:
        """A command that has to succeed."""
        answer = await self.puppet.ask(do, within=ASK_SECONDS, **words)
        assert answer.ok is not None, f"{self.language}: {answer.error}"
        return answer.ok

    async def open(self, token: str) -> None:
        """The client and its watches; the first one tells its changes, the others count them."""
        await self.ask("connect", client=CLIENT, address=self.link.address, token=token)
        for number in range(self.watches):
            await self.ask(
                "watch", client=CLIENT, watch=f"w{number}", parent=self.account,
                kinds=["FLAGS_CHANGED"], quiet=number > 0,
            )  # fmt: skip
        names = [f"w{number}" for number in range(self.watches)]
        await eventually(
            lambda: all(self.puppet.watch(one).state == "live" for one in names), within=OPEN_WITHIN
        )

    async def read(self, began: float) -> None:
        """Notes memory and tasks."""
        told = await self.ask("stats")
        self.rss.append(told["rssBytes"] / MIB)
        self.tasks.append(int(told["tasks"]))
        self.seconds.append(time.monotonic() - began)

    async def counts(self) -> list[int]:
        """The number of changes that each watch has handed over."""
        return [
            int((await self.ask("look", watch=f"w{number}"))["changes"]) for number in range(self.watches)
        ]

    async def settled(self) -> bool:
        """Whether every watch has counted as many changes as were brought about."""
        return await self.counts() == [self.changes] * self.watches

    def repeated(self) -> int:
        """Changes that the telling watch handed over more than once."""
        seen = [one["sequence"] for one in self.puppet.watch("w0").changes]
        return len(seen) - len(set(seen))


async def cut_on(subject: Subject, every: float, source: random.Random) -> None:
    """Cuts the link about every so many seconds, until cancelled."""
    while True:
        await asyncio.sleep(source.uniform(0.5, 1.5) * every)
        subject.link.cut()
        subject.cuts += 1


async def change_on(subject: Subject, world: World, message: str, every: float) -> None:
    """Sets a flag or takes it away every so many seconds, until cancelled; a change that was begun is counted."""
    path = f"/v1/{subject.account}/messages:modify"
    while True:
        await asyncio.sleep(every)
        word = "removeFlags" if subject.changes % 2 else "addFlags"
        subject.changes += 1
        await asyncio.shield(world.insist("POST", path, {"names": [message], word: ["$flagged"]}))


async def one_message(world: World, account: str) -> str:
    """The name of a message in an account's inbox."""
    await world.mail(account, "The only one")

    async def arrived() -> str:
        found = await world.insist("GET", f"/v1/{account}/mailboxes/inbox/messages")
        return str(next((one["name"] for one in found.get("messages", [])), ""))

    return await eventually(arrived, within=OPEN_WITHIN)


async def read_on(subjects: list[Subject], began: float) -> None:
    """Notes and prints memory every minute, until cancelled."""
    while True:
        await asyncio.sleep(REPORT_SECONDS)
        for one in subjects:
            await one.read(began)
        minute = round((time.monotonic() - began) / 60)
        shown = ", ".join(f"{one.language} {one.rss[-1]:.1f} MiB {one.tasks[-1]} tasks" for one in subjects)
        print(f"{minute:>4} min: {shown}", flush=True)


async def prepared(
    stack: contextlib.AsyncExitStack, options: argparse.Namespace, up: Up, world: World
) -> list[Subject]:
    """One subject for each language that is here, watching."""
    subjects = []
    async for puppet in started(stack, options.languages):
        link = await stack.enter_async_context(Link(up.port))
        account = await world.account(f"reconnects-{puppet.language}")
        subject = Subject(puppet.language, puppet, link, account, options.watches)
        await subject.open(up.token)
        subjects.append(subject)
    return subjects


async def endure(options: argparse.Namespace, up: Up) -> int:
    """The run; its exit status."""
    async with web_session() as session, contextlib.AsyncExitStack() as stack:
        world = World(up, session)
        subjects = await prepared(stack, options, up, world)
        began, source = time.monotonic(), random.Random(options.seed)
        for one in subjects:
            await one.read(began)
        tasks = [asyncio.create_task(read_on(subjects, began))]
        for one in subjects:
            message = await one_message(world, one.account)
            tasks.append(asyncio.create_task(cut_on(one, options.every, source)))
            tasks.append(asyncio.create_task(change_on(one, world, message, options.change_every)))
        ended, _ = await asyncio.wait(
            tasks, timeout=options.minutes * 60, return_when=asyncio.FIRST_EXCEPTION
        )
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in ended:
            task.result()
        wrong = [line for one in subjects for line in await verdict(one, began)]
    print("\n".join(["", *table(subjects), "", *wrong]))
    return 1 if wrong else 0


async def verdict(subject: Subject, began: float) -> list[str]:
    """What is wrong with a subject once its link is left alone."""
    wrong = []
    try:
        await eventually(subject.settled, within=SETTLES_WITHIN)
    except AssertionError:
        wrong.append(f"{subject.language}: {subject.changes} changes, counted {await subject.counts()}")
    if repeated := subject.repeated():
        wrong.append(f"{subject.language}: {repeated} changes were handed over again")
    subject.seen = min(await subject.counts())
    await subject.read(began)
    return wrong


def table(subjects: list[Subject]) -> list[str]:
    """Memory, tasks and counts of each language as Markdown."""
    rows = [
        "| client | cuts | changes | seen | RSS at start | after a minute | most | at the end | tasks at start, end |"
    ]
    rows.append("|---" * 9 + "|")
    for one in subjects:
        minute = next(
            (rss for rss, at in zip(one.rss, one.seconds, strict=True) if at >= REPORT_SECONDS), one.rss[-1]
        )
        figures = " | ".join(f"{rss:.1f} MiB" for rss in (one.rss[0], minute, max(one.rss), one.rss[-1]))
        rows.append(
            f"| {one.language} | {one.cuts:,} | {one.changes:,} | {one.seen:,} at each of {one.watches} watches | {figures} "
            f"| {one.tasks[0]}, {one.tasks[-1]} |"
        )
    return rows


def main() -> int:
    """Starts a server, endures, prints."""
    parser = argparse.ArgumentParser(description="Holds watches through a link that is cut again and again.")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--watches", type=int, default=10, help="of each client")
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two cuts, on average")
    parser.add_argument(
        "--change-every", type=float, default=1.0, help="seconds between two changes of an account"
    )
    parser.add_argument("--languages", default=",".join(LANGUAGES))
    parser.add_argument("--seed", type=int, default=1)
    options, up = parser.parse_args(), Up()
    print(f"`make bench BENCH=reconnects ARGS={' '.join(sys.argv[1:])!r}`")
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}", flush=True)
    try:
        up.start()
        return asyncio.run(endure(options, up))
    finally:
        up.close()


if __name__ == "__main__":
    sys.exit(main())
