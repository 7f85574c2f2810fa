"""What a servicer knows of the call it serves: who calls, until when, under which id.

It owns the context variables that the interceptors set and the servicers read, and refuses anything about the resource.
A call lives in one task, so that no other call sees them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import grpc

from postroom_server.domain.ports import Call, Lane
from postroom_server.domain.tokens import Token
from postroom_server.errors import TokenMissing

DEFAULT_DEADLINE_SECONDS: Final = 30.0
"""Of a call that names none."""
STREAM_STEP_SECONDS: Final = 60.0
"""Deadline of one step of a stream, such as opening a download, when the caller names none."""

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
MetadataPairs: TypeAlias = "Iterable[tuple[str, str | bytes]] | None"


@dataclass(slots=True)
class Notes:
    """What the inner interceptors find out about a call, for its line in the log."""

    reason: str = ""
    caller: str = ""
    account: str = ""
    relayed_to: str = ""


REQUEST_ID: ContextVar[str] = ContextVar("postroom_request_id", default="")
METHOD: ContextVar[str] = ContextVar("postroom_method", default="")
CALL_NOTES: ContextVar[Notes | None] = ContextVar("postroom_notes", default=None)
_CALLER: ContextVar[Token | None] = ContextVar("postroom_caller", default=None)
_DEADLINE: ContextVar[float | None] = ContextVar("postroom_deadline", default=None)


def first(metadata: MetadataPairs, key: str) -> str | bytes | None:
    """The first value of a metadata key."""
    return next((value for name, value in metadata or () if name == key), None)


@contextmanager
def calling_as(token: Token) -> Iterator[None]:
    """Within it, `token` is the caller's."""
    before = _CALLER.get()
    _CALLER.set(token)
    try:
        yield
    finally:
        _CALLER.set(before)


@contextmanager
def until(deadline: float | None) -> Iterator[None]:
    """Within it, `deadline` (the loop's clock) is the call's; None: it has none."""
    before = _DEADLINE.get()
    _DEADLINE.set(deadline)
    try:
        yield
    finally:
        _DEADLINE.set(before)


def notes() -> Notes:
    """The notes of the call; those of nobody outside of one."""
    return CALL_NOTES.get() or Notes()


def remaining() -> float | None:
    """Seconds until the call's deadline, at least 0; None when it has none."""
    deadline = _DEADLINE.get()
    return None if deadline is None else max(0.0, deadline - asyncio.get_running_loop().time())


def caller() -> Token:
    """The token of the call. Raises TokenMissing outside of a call that was let in."""
    token = _CALLER.get()
    if token is None:
        raise TokenMissing
    return token


def current_call(lane: Lane = Lane.INTERACTIVE) -> Call:
    """What workers and backends want to know of the call; a stream without a deadline gets one for its next step."""
    deadline = _DEADLINE.get()
    if deadline is None:
        deadline = asyncio.get_running_loop().time() + STREAM_STEP_SECONDS
    return Call(deadline=deadline, lane=lane, request_id=REQUEST_ID.get())
