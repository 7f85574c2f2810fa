"""The scenario table: `clients/scenarios.yaml`, read strictly.

It owns the words of the table, and what each word takes; a word, a key or a name that it does not know is an error with the
row and the step in it, so that a row never passes because a misspelt step did nothing. It refuses to run anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

TABLE: Final = Path(__file__).resolve().parents[3] / "clients/scenarios.yaml"
LEAST_ROWS: Final = 22
WORLDS: Final = ("shared", "breakable")
PUPPETS: Final = ("shared", "own")
NAME: Final = re.compile(r"[a-z][a-z0-9-]*")
SENTENCE: Final = re.compile(r"[A-Z][^.]*\.")
VARIABLE: Final = re.compile(r"\$([a-z_]+)")
GIVEN: Final = frozenset({"account", "other", "email", "token", "address", "nowhere", "row"})
"""Variables that every row has."""


class TableWrong(Exception):
    """The table says something that means nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What a step takes: keys and their types; the key that a bare value stands for; keys that must be there.

    Attributes:
        makes: The key under which it makes a variable, a watch or an answer that later steps may name.
        once: Whether it is done once for all languages, when each has come to it.
    """

    keys: Mapping[str, type | tuple[type, ...]]
    bare: str = ""
    must: tuple[str, ...] = ()
    once: bool = False


NUMBER: Final = (int, float)
OUTCOME: Final[Mapping[str, Any]] = {
    "ok": dict,
    "error": dict,
    "within": NUMBER,
    "after": NUMBER,
    "keep": dict,
}
WORDS: Final[Mapping[str, Word]] = {
    # What the client does, in the words of the puppet.
    "connect": Word(keys={"client": str, "address": str, "token": str}, bare="client"),
    "close": Word(keys={"client": str}, bare="client"),
    "call": Word(
        keys={"client": str, "method": str, "request": dict, "seconds": NUMBER, "as": str, "times": int, **OUTCOME},
        must=("method",),
    ),
    "pages": Word(keys={"client": str, "method": str, "request": dict, "names": (list, str)}, must=("method", "names")),
    "download": Word(keys={"client": str, "name": str, **OUTCOME}, must=("name",)),
    "upload": Word(keys={"client": str, "subject": str, "bytes": int, "requestId": str, **OUTCOME}, must=("bytes",)),
    "watch": Word(
        keys={
            "watch": str, "client": str, "parent": str, "cursor": str, "start": str, "kinds": list, "heartbeat": NUMBER,
            "patience": NUMBER, "pause": NUMBER, "fail_at": int, "quiet": bool, "count": int,
        },
        bare="watch",
    ),
    "look": Word(keys={"watch": str, "state": str, "lag": int, "changes": int, "past": str, "within": NUMBER, "keep": dict}, bare="watch"),
    "stop": Word(keys={"watch": str}, bare="watch"),
    "cancel": Word(keys={"answer": str}, bare="answer", must=("answer",)),
    "stats": Word(keys={"keep": dict, "tasks_at_most": (int, str), "within": NUMBER}),
    # What is expected of it.
    "answer": Word(keys={"of": str, **OUTCOME}, bare="of", must=("of",)),
    "running": Word(keys={"answer": str}, bare="answer", must=("answer",)),
    "states": Word(keys={"watch": str, "are": list, "within": NUMBER}, bare="are", must=("are",)),
    "state": Word(keys={"watch": str, "becomes": str, "within": NUMBER, "after": NUMBER}, bare="becomes", must=("becomes",)),
    "changes": Word(
        keys={"watch": str, "subjects": list, "kinds": list, "within": NUMBER, "keep": dict}, bare="subjects"
    ),
    "resets": Word(keys={"watch": str, "are": list, "within": NUMBER}, bare="are", must=("are",)),
    "ended": Word(keys={"watch": str, "error": dict, "within": NUMBER, "after": NUMBER, "last": str}, must=("error",)),
    "every": Word(keys={"watch": str, "count": int, "state": str, "changes": int, "within": NUMBER}, must=("count",)),
    # What happens in the world.
    "accounts": Word(keys={"count": int, "label": str, "keep": str}, must=("count", "label", "keep")),
    "mail": Word(keys={"subject": str, "to": str, "count": int, "wide": int}, bare="subject"),
    "letter": Word(keys={"bytes": int, "keep": dict}, bare="bytes", must=("bytes",), once=True),
    "issue": Word(keys={"scopes": list, "keep": dict}, must=("scopes", "keep")),
    "revoke": Word(keys={"token": str}, bare="token", must=("token",)),
    "delete": Word(keys={"account": str}, bare="account", must=("account",)),
    "cut": Word(keys={"after_bytes": int}, bare="after_bytes"),
    "down": Word(keys={}),
    "freeze": Word(keys={}),
    "heal": Word(keys={}),
    "skew": Word(keys={"by": str}, bare="by", must=("by",)),
    "refuse": Word(keys={"method": str, "times": int}, must=("method", "times")),
    "server": Word(
        keys={"method": str, "calls": int, "cancelled": int, "open": int, "ends": list, "within": NUMBER}, must=("method",)
    ),
    "kill": Word(keys={"part": str, "wait": bool}, bare="part", must=("part",), once=True),
    "drain": Word(keys={"node": int}, bare="node", must=("node",), once=True),
    "submissions": Word(keys={"are": int, "within": NUMBER}, bare="are", must=("are",)),
}  # fmt: skip
_WATCHING: Final = frozenset({"look", "stop", "states", "state", "changes", "resets", "ended", "every"})
_CALLING: Final = frozenset({"close", "call", "pages", "download", "upload", "watch"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: its place in the row (from 1), its word, and what it takes."""

    number: int
    word: str
    given: Mapping[str, Any]

    @property
    def once(self) -> bool:
        """Whether it is done once for all languages."""
        return WORDS[self.word].once

    def __str__(self) -> str:
        return f"step {self.number}, {self.word} {dict(self.given)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row.

    Attributes:
        world: `shared`, or `breakable`: parts of it may be killed, and such rows take turns.
        puppet: `shared`, or `own`: a process of its own.
        relay: Whether the gRPC relay stands before the gateway.
        waits: Whether it mostly waits, so that it takes no place from the rows beside it.
    """

    name: str
    promise: str
    world: str
    puppet: str
    relay: bool
    waits: bool
    steps: tuple[Step, ...]

    @property
    def heavy(self) -> bool:
        """Whether it moves so many bytes that it would slow down rows beside it."""
        return any(step.word in ("letter", "upload") for step in self.steps)


def load(text: str | None = None) -> list[Row]:
    """The rows of the table, in its order. Raises TableWrong."""
    given = yaml.safe_load(TABLE.read_text() if text is None else text)
    if not isinstance(given, list):
        raise TableWrong("the table is a list of rows")
    rows = [_row(one) for one in given]
    names = [row.name for row in rows]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise TableWrong(f"rows of one name: {', '.join(doubled)}")
    return rows


def _row(given: Any) -> Row:
    if not isinstance(given, dict) or not NAME.fullmatch(str(given.get("row", ""))):
        raise TableWrong(f"a row begins with `row: its-name`, not with {str(given)[:80]}")
    name = given["row"]
    if unknown := given.keys() - {"row", "promise", "world", "puppet", "relay", "waits", "steps"}:
        raise TableWrong(f"{name}: unknown {', '.join(sorted(unknown))}")
    if not SENTENCE.fullmatch(str(given.get("promise", ""))):
        raise TableWrong(f"{name}: its promise is one sentence with a full stop")
    for key, choices in (("world", WORLDS), ("puppet", PUPPETS)):
        if given.get(key, "shared") not in choices:
            raise TableWrong(f"{name}: {key} is one of {', '.join(choices)}")
    for key in ("relay", "waits"):
        if not isinstance(given.get(key, False), bool):
            raise TableWrong(f"{name}: {key} is true or false")
    steps = tuple(_step(name, number, one) for number, one in enumerate(given.get("steps") or (), 1))
    if not steps:
        raise TableWrong(f"{name}: it has no steps")
    row = Row(
        name=name,
        promise=given["promise"],
        world=given.get("world", "shared"),
        puppet=given.get("puppet", "shared"),
        relay=given.get("relay", False),
        waits=given.get("waits", False),
        steps=steps,
    )
    _check_names(row)
    return row


def _step(row: str, number: int, given: Any) -> Step:
    if isinstance(given, str):
        given = {given: None}
    if not isinstance(given, dict) or len(given) != 1:
        raise TableWrong(f"{row}, step {number}: a step is one word and what it takes, not {given}")
    ((name, taken),) = given.items()
    if name not in WORDS:
        raise TableWrong(f"{row}, step {number}: unknown step `{name}`; there are {', '.join(WORDS)}")
    word = WORDS[name]
    if taken is None:
        taken = {}
    elif not isinstance(taken, dict):
        if not word.bare:
            raise TableWrong(f"{row}, step {number}: `{name}` takes keys, not {taken!r}")
        taken = {word.bare: taken}
    for key, value in taken.items():
        if key not in word.keys:
            raise TableWrong(f"{row}, step {number}: `{name}` knows no `{key}`")
        if not isinstance(value, word.keys[key]) or (isinstance(value, bool) and word.keys[key] is not bool):
            raise TableWrong(f"{row}, step {number}: `{key}` of `{name}` is of another type: {value!r}")
    if absent := [key for key in word.must if key not in taken]:
        raise TableWrong(f"{row}, step {number}: `{name}` needs {', '.join(absent)}")
    return Step(number=number, word=name, given=taken)


def _check_names(row: Row) -> None:
    """Each variable, client, watch and answer is made before it is named; the relay is there where it is used."""
    known, clients, watches, answers = set(GIVEN), set[str](), set[str](), set[str]()
    for step in row.steps:
        given, where = step.given, f"{row.name}, {step}"
        if unknown := {name for text in _texts(given) for name in VARIABLE.findall(text)} - known:
            raise TableWrong(f"{where}: nothing made ${', $'.join(sorted(unknown))}")
        if step.word == "connect":
            clients.add(given.get("client", "c"))
        elif step.word in _CALLING and given.get("client", "c") not in clients:
            raise TableWrong(f"{where}: the client is not connected")
        if step.word == "watch":
            watches.add(given.get("watch", "w"))
        elif step.word in _WATCHING and given.get("watch", "w") not in watches:
            raise TableWrong(f"{where}: there is no such watch")
        if (
            step.word in ("answer", "running", "cancel")
            and given.get("of", given.get("answer")) not in answers
        ):
            raise TableWrong(f"{where}: no earlier step is named so by `as`")
        if step.word in ("skew", "refuse", "server") and not row.relay:
            raise TableWrong(f"{where}: only a row with `relay: true` has a relay")
        if (step.word in ("kill", "drain")) and row.world != "breakable":
            raise TableWrong(f"{where}: only a row with `world: breakable` may break it")
        answers |= {given["as"]} if "as" in given else set()
        kept = given.get("keep", {})
        known |= {kept} if isinstance(kept, str) else set(kept)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            if key != "keep":
                yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
