"""What each word of the table does: `STEPS` has one function for each.

It owns the translation of a step into commands of the puppet and deeds in the world, and refuses to know rows.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from tests.clients.scenarios.puppets import Answer, WatchLog
from tests.clients.scenarios.relay import SKEWS
from tests.clients.scenarios.stage import (
    ASK_SECONDS,
    WITHIN,
    Running,
    Stage,
    check_error,
    check_time,
    shown,
    stretched,
)
from tests.clients.scenarios.table import Step, TableWrong
from tests.clients.scenarios.world import letter

Given = Mapping[str, Any]
STEPS: Final[dict[str, Callable[[Stage, Given], Awaitable[None]]]] = {}
WATCH_WORDS: Final = ("cursor", "start", "kinds", "heartbeat", "patience", "pause", "fail_at", "quiet")
LAST_SHOWN: Final = 8
LOOK_PAUSE: Final = 0.05
CONNECT_SECONDS: Final = 10.0


def _step(work: Callable[[Stage, Given], Awaitable[None]]) -> Callable[[Stage, Given], Awaitable[None]]:
    STEPS[work.__name__.strip("_")] = work
    return work


async def play(stage: Stage, step: Step) -> None:
    """Does one step; AssertionError when what came is not what the step expects."""
    stage.began = time.monotonic()
    await STEPS[step.word](
        stage, {**stage.filled(step.given), "keep": step.given.get("keep", {}), "step": step}
    )


async def _ask(stage: Stage, do: str, given: Given, *, longest: float = ASK_SECONDS, **words: Any) -> Answer:
    """A command to the row's client."""
    client = stage.called(given.get("client", "c"))
    within = stretched(given.get("within", longest)) + 1.0
    return await stage.puppet.ask(do, within=within, client=client, **words)


# --- what the client does -------------------------------------------------------------------------------------------


@_step
async def connect(stage: Stage, given: Given) -> None:
    address, token = (
        given.get("address", stage.variables["address"]),
        given.get("token", stage.variables["token"]),
    )
    answer = await _ask(stage, "connect", given, longest=CONNECT_SECONDS, address=address, token=token)
    assert answer.ok is not None, f"the client does not connect: {shown(answer.error)}"
    stage.clients.append(stage.called(given.get("client", "c")))


@_step
async def close(stage: Stage, given: Given) -> None:
    answer = await _ask(stage, "close", given)
    assert answer.ok is not None, shown(answer.error)
    stage.clients.remove(stage.called(given.get("client", "c")))


@_step
async def call(stage: Stage, given: Given) -> None:
    words = {"method": given["method"], "request": given.get("request", {})}
    if "seconds" in given:
        words["seconds"] = given["seconds"]
    if "as" in given:
        client = stage.called(given.get("client", "c"))
        ident, future = stage.puppet.tell("call", client=client, **words)
        stage.running[given["as"]] = Running(ident=ident, future=future, began=time.monotonic())
        return
    for _ in range(given.get("times", 1)):
        answer = await _ask(stage, "call", given, **words)
        stage.check_answer(given, answer, answer.seconds)


@_step
async def pages(stage: Stage, given: Given) -> None:
    answer = await _ask(stage, "pages", given, method=given["method"], request=given.get("request", {}))
    assert answer.ok is not None, shown(answer.error)
    found = sorted(answer.ok["names"])
    assert found == sorted(given["names"]), f"the pages hold {found}, not {sorted(given['names'])}"


@_step
async def download(stage: Stage, given: Given) -> None:
    async with stage.gate.turn:
        answer = await _ask(stage, "download", given, name=given["name"])
    stage.check_answer(given, answer, answer.seconds)


@_step
async def upload(stage: Stage, given: Given) -> None:
    account = stage.variables["account"]
    named = given.get("requestId", "")
    key = f"upload {named or given['step'].number}"
    raw = stage.variables.setdefault(
        key, letter(account, given.get("subject", "Upload"), size=given["bytes"])
    )
    with tempfile.NamedTemporaryFile(prefix="upload-", suffix=".eml") as file:
        await asyncio.to_thread(Path(file.name).write_bytes, raw)
        async with stage.gate.turn:
            answer = await _ask(stage, "upload", given, parent=account, path=file.name, requestId=named)
    stage.check_answer(given, answer, answer.seconds)


@_step
async def watch(stage: Stage, given: Given) -> None:
    count = given.get("count", 1)
    for number in range(count):
        name = stage.called(given.get("watch", "w") + (f"-{number}" if count > 1 else ""))
        stage.puppet.watches[name] = WatchLog()
        if given.get("fail_at"):
            stage.repeats_allowed.add(name)
        words = {key: given[key] for key in WATCH_WORDS if key in given}
        parent = given.get("parent", stage.variables["account"])
        answer = await _ask(stage, "watch", given, watch=name, parent=parent, **words)
        assert answer.ok is not None, shown(answer.error)


@_step
async def look(stage: Stage, given: Given) -> None:
    name = stage.called(given.get("watch", "w"))
    wanted = {key: given[key] for key in ("state", "lag", "changes") if key in given}
    found: dict[str, Any] = {}
    deadline = time.monotonic() + stretched(given.get("within", WITHIN))
    while True:
        answer = await stage.puppet.ask("look", watch=name, within=ASK_SECONDS)
        assert answer.ok is not None, shown(answer.error)
        found = answer.ok
        moved = "past" not in given or found["cursor"] != given["past"]
        if moved and all(found.get(key) == value for key, value in wanted.items()):
            break
        assert time.monotonic() < deadline, f"the watch is {shown(found)}, not {wanted}"
        await asyncio.sleep(LOOK_PAUSE)
    stage.keep(given, found)


@_step
async def stop(stage: Stage, given: Given) -> None:
    answer = await stage.puppet.ask("stop", watch=stage.called(given.get("watch", "w")), within=ASK_SECONDS)
    assert answer.ok is not None, shown(answer.error)


@_step
async def cancel(stage: Stage, given: Given) -> None:
    answer = await stage.puppet.ask("cancel", of=stage.running[given["answer"]].ident, within=ASK_SECONDS)
    assert answer.ok is not None, shown(answer.error)


@_step
async def stats(stage: Stage, given: Given) -> None:
    deadline = time.monotonic() + stretched(given.get("within", WITHIN))
    while True:
        answer = await stage.puppet.ask("stats", within=ASK_SECONDS)
        assert answer.ok is not None, shown(answer.error)
        assert answer.ok["rssBytes"] > 0, shown(answer.ok)
        if "tasks_at_most" not in given or answer.ok["tasks"] <= given["tasks_at_most"]:
            break
        assert time.monotonic() < deadline, (
            f"{answer.ok['tasks']} tasks, not {given['tasks_at_most']} at most"
        )
        await asyncio.sleep(LOOK_PAUSE)
    stage.keep(given, answer.ok)


# --- what is expected of it -----------------------------------------------------------------------------------------


@_step
async def answer(stage: Stage, given: Given) -> None:
    running = stage.running[given["of"]]
    found = await stage.puppet.answer(
        running.future, within=stretched(given.get("within", ASK_SECONDS)) + 1.0
    )
    stage.check_answer(given, found, time.monotonic() - running.began)


@_step
async def running(stage: Stage, given: Given) -> None:
    future = stage.running[given["answer"]].future
    assert not future.done(), f"the call has ended: {shown(future.result())}"


@_step
async def states(stage: Stage, given: Given) -> None:
    log = stage.watch(given)
    await stage.until(
        lambda: [one for one, _ in log.states] == given["are"],
        given,
        lambda: (
            f"the states are {[one for one, _ in log.states]}, not {given['are']}; error {shown(log.error)}"
        ),
    )


@_step
async def state(stage: Stage, given: Given) -> None:
    """The watch enters a state, from the step's beginning on; one that it is in already counts."""
    log = stage.watch(given)
    known = len(log.states)

    def entered() -> bool:
        since = [one for one, _ in log.states[max(0, known - 1) :]]
        return given["becomes"] in since

    await stage.until(
        entered, given, lambda: f"the states are {[one for one, _ in log.states]}; error {shown(log.error)}"
    )


@_step
async def changes(stage: Stage, given: Given) -> None:
    """All changes so far: subjects of the added messages, kinds of all; in any order, since mail may overtake."""
    log = stage.watch(given)

    def subjects() -> list[str]:
        return [one["subject"] for one in log.changes if one.get("subject")]

    def kinds() -> list[str]:
        return [one["kind"] for one in log.changes]

    def all_there() -> bool:
        assert log.error is None, f"the watch ended with {shown(log.error)}"
        same = "subjects" not in given or Counter(subjects()) == Counter(given["subjects"])
        return same and ("kinds" not in given or kinds() == given["kinds"])

    await stage.until(
        all_there, given, lambda: f"the changes are {subjects()[-LAST_SHOWN:]} {kinds()[-LAST_SHOWN:]}, error {shown(log.error)}"
    )  # fmt: skip
    stage.keep(given, {"changes": log.changes})


@_step
async def resets(stage: Stage, given: Given) -> None:
    log = stage.watch(given)
    await stage.until(
        lambda: [one["why"] for one in log.resets] == given["are"],
        given,
        lambda: f"the resets are {shown(log.resets)}; error {shown(log.error)}",
    )


@_step
async def ended(stage: Stage, given: Given) -> None:
    log = stage.watch(given)
    await stage.until(lambda: log.error is not None, given, lambda: f"the watch goes on; states {log.states}")
    check_error(given["error"], log.error)
    if "last" in given:
        assert [one["kind"] for one in log.changes[-1:]] == [given["last"]], shown(log.changes[-1:])


@_step
async def every(stage: Stage, given: Given) -> None:
    """Each of many watches is in a state, or has told so many changes."""
    name = given.get("watch", "w")
    logs = [stage.puppet.watch(stage.called(f"{name}-{number}")) for number in range(given["count"])]

    def fits(log: WatchLog) -> bool:
        right = "state" not in given or log.state == given["state"]
        return right and ("changes" not in given or len(log.changes) == given["changes"])

    def what() -> str:
        wrong = [log for log in logs if not fits(log)]
        return f"{len(wrong)} of {len(logs)} do not, such as {shown(wrong[:1] and [wrong[0].states, wrong[0].error])}"

    await stage.until(lambda: all(fits(log) for log in logs), given, what)


# --- what happens in the world --------------------------------------------------------------------------------------


@_step
async def accounts(stage: Stage, given: Given) -> None:
    label, hint = given["label"], f"{stage.row.name}-{stage.language}"
    made = [stage.world.account(hint, scenario=label) for _ in range(given["count"])]
    stage.variables[given["step"].given["keep"]] = list(await asyncio.gather(*made))


@_step
async def mail(stage: Stage, given: Given) -> None:
    to, subject = given.get("to", stage.variables["account"]), given.get("subject", "Hello")
    for number in range(given.get("count", 1)):
        title = f"{subject} {number}" if "count" in given else subject
        await stage.world.mail(to, title, wide=given.get("wide", 0))


@_step
async def _letter(stage: Stage, given: Given) -> None:
    account = stage.variables["account"]
    made = await stage.gate.once(given["step"].number, lambda: stage.world.letter(account, given["bytes"]))
    stage.keep(given, made)


@_step
async def issue(stage: Stage, given: Given) -> None:
    token = {"scopes": given["scopes"], "accounts": [stage.variables["account"]]}
    stage.keep(given, await stage.world.rest.post("/v1/tokens", {"token": token}))


@_step
async def revoke(stage: Stage, given: Given) -> None:
    await stage.world.insist("DELETE", f"/v1/{given['token']}")


@_step
async def delete(stage: Stage, given: Given) -> None:
    await stage.world.insist("DELETE", f"/v1/{given['account']}")


@_step
async def cut(stage: Stage, given: Given) -> None:
    if "after_bytes" in given:
        stage.link.cut_after(given["after_bytes"])
    else:
        stage.link.cut()


@_step
async def down(stage: Stage, given: Given) -> None:
    stage.link.down()


@_step
async def freeze(stage: Stage, given: Given) -> None:
    stage.link.freeze()


@_step
async def heal(stage: Stage, given: Given) -> None:
    stage.link.heal()


@_step
async def skew(stage: Stage, given: Given) -> None:
    assert stage.relay is not None
    if given["by"] not in SKEWS:
        raise TableWrong(f"{stage.row.name}: unknown skew {given['by']!r}; there are {', '.join(SKEWS)}")
    stage.relay.skew = given["by"]


@_step
async def refuse(stage: Stage, given: Given) -> None:
    assert stage.relay is not None
    stage.relay.refuse(given["method"], given["times"])


@_step
async def server(stage: Stage, given: Given) -> None:
    """What came to the server of one method, as the relay in front of it counted."""
    assert stage.relay is not None
    tally = stage.relay.tally(given["method"])

    def fits() -> bool:
        return (
            given.get("calls", tally.calls) == tally.calls
            and given.get("open", tally.open) == tally.open
            and given.get("cancelled", tally.cancelled) == tally.cancelled
            and all(tally.ends[one] for one in given.get("ends", ()))
        )

    await stage.until(fits, given, lambda: f"the server saw {tally}")


@_step
async def kill(stage: Stage, given: Given) -> None:
    work = lambda: stage.world.kill(given["part"], wait=given.get("wait", False))  # noqa: E731
    await stage.gate.once(given["step"].number, work)


@_step
async def drain(stage: Stage, given: Given) -> None:
    await stage.gate.once(given["step"].number, lambda: stage.world.drain(given.get("node", 0)))


@_step
async def submissions(stage: Stage, given: Given) -> None:
    """How many submissions the server holds of the account."""
    path = f"/v1/{stage.variables['account']}/submissions"
    found = (await stage.world.insist("GET", path)).get("submissions", [])
    assert len(found) == given["are"], f"{len(found)} submissions, not {given['are']}"
    check_time(given, time.monotonic() - stage.began)
