"""One row played by one language: its variables, its link, its relay, its puppet, and what they are expected to say.

It owns substitution and comparison, with messages that tell what was expected and what came, and refuses to know single
steps.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from tests.clients.scenarios.links import Link
from tests.clients.scenarios.puppets import Answer, Puppet, WatchLog
from tests.clients.scenarios.relay import Relay
from tests.clients.scenarios.table import VARIABLE, Row
from tests.clients.scenarios.world import Gate, World, email
from tests.fixtures.eventually import eventually
from tests.fixtures.postroom import free_port

WITHIN: Final = 20.0
ASK_SECONDS: Final = 30.0
CLOSE_SECONDS: Final = 5.0
SHOWN: Final = 700
CALM_LOAD: Final = 1.5
"""Load per core up to which the table's times hold as they stand."""
MOST_STRETCHED: Final = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A command that has not been waited for: its id, its answer, and when it was given."""

    ident: int
    future: asyncio.Future[dict[str, Any]]
    began: float


@dataclass(slots=True)
class Stage:
    """One row for one language; a context that is left when the row is over."""

    row: Row
    language: str
    world: World
    puppet: Puppet
    gate: Gate
    variables: dict[str, Any] = field(default_factory=dict)
    running: dict[str, Running] = field(default_factory=dict)
    clients: list[str] = field(default_factory=list)
    repeats_allowed: set[str] = field(default_factory=set)
    relay: Relay | None = None
    began: float = 0.0
    """When the present step began, on the clock of `time.monotonic`."""
    _link: Link | None = None
    _open: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    @property
    def link(self) -> Link:
        """The TCP link of this row and language."""
        assert self._link is not None
        return self._link

    async def __aenter__(self) -> Self:
        target = self.world.up.port
        if self.row.relay:
            self.relay = await self._open.enter_async_context(Relay(self.world.up.grpc_address))
            target = self.relay.port
        self._link = await self._open.enter_async_context(Link(target))
        hint = f"{self.row.name}-{self.language}"
        account, other = await asyncio.gather(self.world.account(hint), self.world.account(hint))
        self.variables |= {
            "account": account,
            "other": other,
            "email": email(account),
            "token": self.world.up.token,
            "address": self._link.address,
            "nowhere": f"127.0.0.1:{free_port()}",
            "row": hint,
        }
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            closing = [self.puppet.ask("close", client=one, within=CLOSE_SECONDS) for one in self.clients]
            await asyncio.gather(*closing, return_exceptions=True)
        finally:
            # Never cut short: a gRPC server that is dropped before it has stopped blocks the interpreter for ever.
            await asyncio.shield(self._open.aclose())

    def called(self, name: str) -> str:
        """A client's or watch's name within the puppet, which serves many rows."""
        return f"{self.row.name}/{name}"

    def watch(self, given: Mapping[str, Any]) -> WatchLog:
        """The log of the watch that a step names."""
        return self.puppet.watch(self.called(given.get("watch", "w")))

    def filled(self, value: Any) -> Any:
        """The value with variables put in; text that is one variable becomes that variable's value."""
        if isinstance(value, str):
            if VARIABLE.fullmatch(value):
                return self.variables[value[1:]]
            return VARIABLE.sub(lambda found: str(self.variables[found[1]]), value)
        if isinstance(value, Mapping):
            return {key: self.filled(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self.filled(one) for one in value]
        return value

    def keep(self, given: Mapping[str, Any], answer: Any) -> None:
        """Makes variables of parts of an answer: `keep: {variable: path}`."""
        for name, path in given.get("keep", {}).items():
            self.variables[name] = part(answer, path)

    def check_answer(self, given: Mapping[str, Any], answer: Answer, seconds: float) -> None:
        """Compares an answer with what the step expects: success unless it names an error."""
        if "error" in given:
            assert answer.ok is None, f"expected the error {given['error']}, came {shown(answer.ok)}"
            check_error(given["error"], answer.error)
        else:
            assert answer.ok is not None, f"the error {shown(answer.error)}"
            for path, wanted in self.filled(given.get("ok", {})).items():
                found = part(answer.ok, path)
                assert found == wanted, f"{path} is {found!r}, not {wanted!r}, in {shown(answer.ok)}"
            self.keep(given, answer.ok)
        check_time(given, seconds)

    async def until(
        self, predicate: Callable[[], Any], given: Mapping[str, Any], what: Callable[[], str]
    ) -> None:
        """Waits until something is so, at most as long as the step says, and tells what was seen instead."""

        def holds() -> bool:
            assert not self.puppet.fault, self.puppet.fault
            return bool(predicate())

        try:
            await eventually(holds, within=stretched(given.get("within", WITHIN)))
        except AssertionError as error:
            raise AssertionError(f"{what()} ({error})") from None
        check_time(given, time.monotonic() - self.began)

    def check_watches(self) -> None:
        """What holds for every watch: order, no repetition, and a cursor that is never ahead of what is finished."""
        for name, log in self.puppet.watches.items():
            if not name.startswith(f"{self.row.name}/"):
                continue
            last: dict[str, int] = {}
            for one in log.changes:
                account, sequence = one["account"], int(one["sequence"])
                before = last.get(account, 0)
                again = name in self.repeats_allowed and sequence == before
                assert sequence > before or again, f"watch {name}: {account} {sequence} after {before}"
                assert one["finished"] != one["cursor"], (
                    f"watch {name}: finished before it was handled: {one}"
                )
                last[account] = sequence


def part(answer: Any, path: str) -> Any:
    """What stands at a dotted path; numbers index lists, also from their end; None where there is nothing."""
    for step in path.split(".") if path else ():
        if isinstance(answer, Mapping):
            answer = answer.get(step)
        elif isinstance(answer, Sequence) and not isinstance(answer, str) and step.lstrip("-").isdigit():
            index = int(step)
            answer = answer[index] if -len(answer) <= index < len(answer) else None
        else:
            return None
    return answer


def check_error(wanted: Mapping[str, Any], found: Mapping[str, Any] | None) -> None:
    """Each part of an error that the step names; a list of parts means one of them, but for violations."""
    assert found is not None, f"expected the error {dict(wanted)}, there was none"
    for key, value in wanted.items():
        actual = found.get(key) or ("" if isinstance(value, str) else [])
        if isinstance(value, list) and key != "violations":
            assert found.get(key) in value, f"{key} is {found.get(key)!r}, none of {value}, in {shown(found)}"
        else:
            assert actual == value, f"{key} is {actual!r}, not {value!r}, in {shown(found)}"


def stretched(seconds: float) -> float:
    """A time limit of the table as it holds at this moment: longer where others keep the machine's cores busy."""
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    return seconds * min(MOST_STRETCHED, max(1.0, load / CALM_LOAD))


def check_time(given: Mapping[str, Any], seconds: float) -> None:
    """Not before `after`, not after `within`."""
    if "within" in given:
        longest = stretched(given["within"]) + 0.5
        assert seconds <= longest, f"only after {seconds:.2f} s, not within {longest:.2f}"
    if "after" in given:
        assert seconds >= given["after"], (
            f"after {seconds:.2f} s, and not before {given['after']} was expected"
        )


def shown(value: Any) -> str:
    """A value for a message, not longer than SHOWN."""
    text = json.dumps(value, default=str)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
