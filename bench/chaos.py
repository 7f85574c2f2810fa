"""Faults again and again: what every reader has in the end, and how soon after the part answers again.

It owns rounds, seeds and the table; what happens in a round is `tests.fixtures.storm`. Each kill is given to a fresh account
amid five hundred deliveries at a random moment; the mix goes on with one account, other clients' edits included.

Usage: `make chaos`, `make chaos ROUNDS=30 SEED=7 ARGS="--kinds node,valkey --mix 0"`
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Sequence

from tests.fixtures.dovecot import Dovecot
from tests.fixtures.postroom import Up
from tests.fixtures.storm import FAULTS, KILLS, Recovery, Storm, bound, leftovers

MIX_MAILS = 120
MAX_SHOWN = 3_000
"""Characters of one finding."""


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="kills of each kind")
    parser.add_argument(
        "--mix", type=int, default=-1, help="faults of the mix; by default as many as all kills"
    )
    parser.add_argument("--kinds", default=",".join(KILLS), help="kinds of the kills")
    parser.add_argument("--mixed", default=";".join(FAULTS), help="kinds of the mix, separated by semicolons")
    parser.add_argument("--mails", type=int, default=500, help="deliveries of each kill")
    parser.add_argument("--nodes", default="1")
    parser.add_argument("--seed", type=int, default=None)
    return parser.parse_args()


async def kills(
    storm: Storm, kinds: Sequence[str], rounds: int, mails: int, wrong: list[str]
) -> list[Recovery]:
    """Every kind in turn, each time amid deliveries to a fresh account."""
    found: list[Recovery] = []
    for number in range(rounds):
        for kind in kinds:
            subject = await storm.subject()
            after = storm.random.randrange(mails)
            await attempt(
                f"{number} {kind} after {after}", found, wrong, storm.round(subject, kind, mails, after=after)
            )
            await storm.release(subject)
    return found


async def mix(storm: Storm, kinds: Sequence[str], rounds: int, wrong: list[str]) -> list[Recovery]:
    """Any kind after any, with one account whose mailbox others edit at the same time."""
    found: list[Recovery] = []
    subject = await storm.subject()
    for number in range(rounds):
        kind = storm.random.choice(kinds)
        after = storm.random.randrange(MIX_MAILS)
        work = storm.round(subject, kind, MIX_MAILS, after=after, edits=True, pause=0.005)
        if not await attempt(f"mix {number} {kind} after {after}", found, wrong, work):
            await storm.release(subject)
            subject = await storm.subject()
    return found


async def attempt(title: str, found: list[Recovery], wrong: list[str], work) -> bool:
    """One round; what is wrong with it is noted, and the run goes on."""
    try:
        recovery = await work
    except AssertionError as error:
        wrong.append(f"{title}: {error}: {error.__cause__}")
        print(f"{title}: FAILED\n{wrong[-1][:3000]}", flush=True)
        return False
    found.append(recovery)
    print(f"{time.strftime('%H:%M:%S')} {title}: {recovery}", flush=True)
    if recovery.caught_up > bound(recovery.kind):
        wrong.append(f"{title}: caught up only after {recovery.caught_up:.2f} s")
    return True


def table(found: Sequence[Recovery]) -> None:
    """Per kind: rounds, seconds away, seconds until caught up."""
    print(
        f"\n{'fault':<20}{'rounds':>7}{'away p50':>10}{'max':>7}{'caught up p50':>15}{'max':>7}{'whole max':>11}"
    )
    for kind in sorted({one.kind for one in found}, key=list(FAULTS).index):
        rows = [one for one in found if one.kind == kind]
        away, caught = [one.away for one in rows], [one.caught_up for one in rows]
        print(
            f"{kind:<20}{len(rows):>7}{statistics.median(away):>10.2f}{max(away):>7.2f}"
            f"{statistics.median(caught):>15.2f}{max(caught):>7.2f}{max(one.whole for one in rows):>11.2f}"
        )


async def run(options: argparse.Namespace) -> int:
    """The run; its exit status."""
    seed = options.seed if options.seed is not None else random.randrange(10**6)
    kinds, mixed = options.kinds.split(","), options.mixed.split(";")
    rounds = options.rounds * len(kinds) if options.mix < 0 else options.mix
    print(f"seed {seed}, {os.cpu_count()} cores, {platform.platform()}, Python {platform.python_version()}")
    up, dovecot, wrong = Up("--nodes", options.nodes), Dovecot(), list[str]()
    try:
        dovecot.start()
        up.start()
        async with Storm(up, dovecot, seed) as storm:
            found = await kills(storm, kinds, options.rounds, options.mails, wrong)
            found += await mix(storm, mixed, rounds, wrong)
            wrong += storm.alarms()
        took = up.stop()
        wrong += leftovers(up)
    finally:
        up.close()
        dovecot.close()
    table(found)
    print(f"\n{len(found)} faults, stopped in {took:.2f} s, {len(wrong)} findings")
    print("\n".join(one[:MAX_SHOWN] for one in wrong[:20]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(run(arguments())))
