"""What a sandbox account does, as lines for people: it has no wire, so that each operation of its store is one exchange.

It owns the words, which are the store's own, and their masking: bytes of messages are a size. It refuses to change what
an operation does, and knows none of them by name, so that a new one is told too.

    SENT      APPEND mailbox 1, {812 bytes}, $seen
    RECEIVED  APPEND OK 7
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final, cast

from postroom_server.domain.dialogue import Direction, SessionLog, size
from postroom_server.domain.sandbox_store import SandboxStore
from postroom_server.errors import PostroomError
from postroom_server.ids import AccountId

MAX_ITEMS: Final = 20
"""Members of a list that are shown."""


def told(store: SandboxStore, log: SessionLog) -> SandboxStore:
    """The store, whose operations are told to `log`."""
    return cast("SandboxStore", _ToldStore(store, log)) if log.open else store


class _ToldStore:
    """Passes everything on."""

    def __init__(self, store: SandboxStore, log: SessionLog) -> None:
        self._store, self._log = store, log

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._store, name)
        if not inspect.iscoroutinefunction(operation):
            return operation
        return self._telling(name, operation)

    def _telling(self, name: str, operation: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        word, names = name.upper().replace("_", " "), list(inspect.signature(operation).parameters)

        async def run(*values: Any, **named: Any) -> Any:
            given = {**dict(zip(names, values, strict=False)), **named}
            words = [shown(key, value) for key, value in given.items() if key != "account"]
            self._log.say(Direction.SENT, f"{word} {', '.join(filter(None, words))}".strip())
            try:
                answer = await operation(*values, **named)
            except PostroomError as error:
                self._log.say(Direction.RECEIVED, f"{word} NO {error.reason}")
                raise
            self._log.say(Direction.RECEIVED, f"{word} OK {shown_answer(answer)}".rstrip())
            return answer

        return run

    @asynccontextmanager
    async def hints(self, account: AccountId) -> AsyncIterator[AsyncIterator[int]]:
        """The store's hints, each told."""
        async with self._store.hints(account) as hints:
            self._log.say(Direction.EVENT, "listens for changes")
            yield self._hinted(hints)

    async def _hinted(self, hints: AsyncIterator[int]) -> AsyncIterator[int]:
        async for mailbox in hints:
            self._log.say(Direction.RECEIVED, f"HINT mailbox {mailbox}")
            yield mailbox


def shown(name: str, value: Any) -> str:
    """An argument as it may be shown; empty where it says nothing."""
    match value:
        case bytes():
            return size(len(value))
        case datetime():
            return value.isoformat(timespec="seconds")
        case bool() | int():
            return f"{name} {value}"
        case str():
            return value
        case None:
            return ""
        case Collection():
            return _listed(value) if not value or name in {"numbers", "flags"} else f"{name} {_listed(value)}"
        case _:
            return name


def shown_answer(value: Any) -> str:
    """A result as it may be shown."""
    match value:
        case None:
            return ""
        case bytes():
            return size(len(value))
        case bool() | int() | str():
            return str(value)
        case Mapping() | Collection():
            return f"{len(value)} found"
        case _:
            return ""


def _listed(values: Collection[Any]) -> str:
    """The first members of a list, and how many more there are."""
    plain = [str(one) for one in values if isinstance(one, int | str)]
    more = len(values) - min(len(plain), MAX_ITEMS)
    return " ".join([*sorted(plain[:MAX_ITEMS]), *([f"and {more} more"] if more else [])])
