"""Where a call runs: here, or on the node that owns the account.

It owns the table of methods that need the live account, and the waiting while ownership moves: a call during a takeover
is tried again within its deadline, as long as nothing was answered yet and it may be made twice. It refuses to guess: a
node that was asked by another one and is not the owner says so.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, Final

import grpc

from postroom_server.domain.ownership import Directory, Local, Remote
from postroom_server.errors import LimitExceeded, MessageTooLarge, OwnerUnknown, RequestInvalid
from postroom_server.ids import AccountId, BadName, account_in, account_name
from postroom_server.services.calling import DEFAULT_DEADLINE_SECONDS, Context, first, notes, remaining
from postroom_server.services.contract import Method, methods
from postroom_server.services.errors import Relayed
from postroom_server.services.forward import HOP, Relay
from postroom_server.services.interceptors.wrapping import (
    Behaviour,
    Continuation,
    Handler,
    behaviour_of,
    replaced,
)
from postroom_server.telemetry.metrics import Metrics

FIRST_PAUSE_SECONDS: Final = 0.05
LAST_PAUSE_SECONDS: Final = 0.5
PIECE_BYTES: Final = 64
"""What a piece costs beside its bytes, so that empty ones come to an end too."""
MAX_UPLOAD_BYTES: Final = 33 * 1024 * 1024
"""Of an upload's pieces together, which are taken in before its owner is asked; what is larger is no message for sure."""
MAX_HELD_BYTES: Final = 192 * 1024 * 1024
"""Of the uploads that a node has taken in and not finished, all together; what would be more is to be tried again."""
HELD_RETRY_SECONDS: Final = 1.0
AGAIN: Final = frozenset({"OWNER_UNKNOWN", "SERVER_DRAINING", ""})
"""Reasons of UNAVAILABLE that another look at the leases may cure; without a reason, the node was not reached."""

_NAMES: Final = {
    "AccountService": "DeleteAccount ReconnectAccount SyncAccount ResetAccount ExplainAccount DownloadAccountLog",
    "MailboxService": "ListMailboxes GetMailbox CreateMailbox UpdateMailbox DeleteMailbox",
    "MessageService": "ListMessages SearchMessages GetMessage BatchGetMessages GetMessageSource DownloadAttachment"
    " ModifyMessages MoveMessages CopyMessages DeleteMessages AppendMessage UploadMessage",
    "ThreadService": "ListThreads GetThread",
    "AuditService": "AuditMailbox",
    "SandboxService": "DeliverMessage ClearFaults",
}
NEED_OWNER: Final = frozenset(
    f"/postroom.v1.{service}/{method}" for service, names in _NAMES.items() for method in names.split()
)
"""Methods that only the owner of the account can serve; every other one is served by any node."""


class OwnerInterceptor(grpc.aio.ServerInterceptor):
    """Sends calls to where they can be served. Innermost: it takes parsed requests that passed every check.

    Args:
        directory: Knows owners.
        relay: The road to other nodes.
        metrics: Counts relayed calls.
        served: Methods that this server has; those that it has not are refused without asking the owner.
    """

    def __init__(self, directory: Directory, relay: Relay, metrics: Metrics, served: frozenset[str]) -> None:
        self._directory, self._relay, self._metrics, self._served = directory, relay, metrics, served
        self._held = Held()

    async def intercept_service(self, continuation: Continuation, details: Any) -> Handler:
        """Wraps the handlers of the methods in NEED_OWNER."""
        handler = await continuation(details)
        if handler is None or details.method not in NEED_OWNER or details.method not in self._served:
            return handler
        method = methods()[details.method]
        behaviour = behaviour_of(handler)

        async def answering(request: Any, context: Context) -> Any:
            search = _Search(self._directory, method, request, context)
            while True:
                place = await search.place()
                try:
                    if isinstance(place, Local):
                        return await behaviour(request, context)
                    return await self._relay.unary(self._noted(place), request, context)
                except (Relayed, OwnerUnknown) as error:
                    self._count(error)
                    if not search.may_go_on(error):
                        raise

        async def streaming(request: Any, context: Context) -> AsyncIterator[Any]:
            search = _Search(self._directory, method, request, context)
            began = False
            while True:
                place = await search.place()
                messages: AsyncGenerator[Any, None] = (
                    behaviour(request, context)
                    if isinstance(place, Local)
                    else self._relay.stream(self._noted(place), request, context)
                )
                try:
                    async with aclosing(messages):
                        async for message in messages:
                            began = True
                            yield message
                    return
                except (Relayed, OwnerUnknown) as error:
                    self._count(error)
                    if began or not search.may_go_on(error):
                        raise

        if handler.request_streaming:
            return replaced(handler, self._uploading(method, behaviour))
        return replaced(handler, streaming if handler.response_streaming else answering)

    def _uploading(self, method: Method, behaviour: Behaviour) -> Behaviour:
        async def uploading(requests: AsyncIterator[Any], context: Context) -> Any:
            with self._held.room() as take:
                pieces = await _taken_in(requests, take)
                search = _Search(self._directory, method, pieces[0], context)
                place = await search.place()
                try:
                    if isinstance(place, Local):
                        return await behaviour(_again(pieces), context)
                    return await self._relay.upload(self._noted(place), pieces, context)
                except (Relayed, OwnerUnknown) as error:
                    self._count(error)
                    raise

        return uploading

    def _noted(self, place: Remote) -> str:
        notes().relayed_to = place.address
        return place.address

    def _count(self, error: Relayed | OwnerUnknown) -> None:
        if isinstance(error, Relayed):
            self._metrics.relayed.labels(error.code.name).inc()


class Held:
    """The bytes of the uploads that a node has taken in."""

    __slots__ = ("_bytes",)

    def __init__(self) -> None:
        self._bytes = 0

    @contextmanager
    def room(self) -> Iterator[Callable[[int], None]]:
        """Room for one upload: takes so many more bytes, or raises LimitExceeded; all are given back at the end."""
        taken = 0

        def take(size: int) -> None:
            nonlocal taken
            if self._bytes + size > MAX_HELD_BYTES:
                full = LimitExceeded("this node has too many uploads at once", limitBytes=str(MAX_HELD_BYTES))
                full.retry_after = HELD_RETRY_SECONDS
                raise full
            self._bytes += size
            taken += size

        try:
            yield take
        finally:
            self._bytes -= taken


async def _taken_in(requests: AsyncIterator[Any], take: Callable[[int], None]) -> deque[Any]:
    """All pieces of an upload. Raises MessageTooLarge, RequestInvalid, LimitExceeded."""
    pieces: deque[Any] = deque()
    size = 0
    async for request in requests:
        more = request.ByteSize() + PIECE_BYTES
        size += more
        if size > MAX_UPLOAD_BYTES:
            raise MessageTooLarge(limitBytes=str(MAX_UPLOAD_BYTES))
        take(more)
        pieces.append(request)
    if not pieces:
        raise RequestInvalid("parent", "is needed")
    return pieces


async def _again(pieces: deque[Any]) -> AsyncIterator[Any]:
    """The pieces, each of which is let go of as it is read."""
    while pieces:
        yield pieces.popleft()


class _Search:
    """One call's search for the owner."""

    __slots__ = ("_account", "_deadline", "_directory", "_hopped", "_method", "_pause")

    def __init__(self, directory: Directory, method: Method, request: Any, context: Context) -> None:
        self._directory, self._method = directory, method
        value = request
        for name in method.account_field.split("."):
            value = getattr(value, name)
        try:
            self._account = AccountId(account_in(value))
        except BadName:
            self._account = AccountId("")
        self._hopped = first(context.invocation_metadata(), HOP) is not None
        left = remaining()
        self._deadline = asyncio.get_running_loop().time() + (
            DEFAULT_DEADLINE_SECONDS if left is None else left
        )
        self._pause = 0.0

    async def place(self) -> Local | Remote:
        """Where to go now; waits while nobody owns the account. Raises OwnerUnknown."""
        if self._account in ("", "-"):
            return Local()
        while True:
            if self._pause:
                await asyncio.sleep(self._pause * random.uniform(0.5, 1.0))
            self._pause = min(self._pause * 2 or FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS)
            owner = await self._directory.owner(self._account)
            if isinstance(owner, Local) or (owner is not None and not self._hopped):
                return owner
            if self._hopped or not self._time_left():
                raise OwnerUnknown(account=account_name(self._account))

    def may_go_on(self, error: Relayed | OwnerUnknown) -> bool:
        """Whether to look again after this refusal."""
        if self._hopped or not self._time_left() or not self._method.repeatable:
            return False
        again = isinstance(error, OwnerUnknown) or (
            error.code is grpc.StatusCode.UNAVAILABLE and error.reason in AGAIN
        )
        if again:
            self._directory.forget(self._account)
        return again

    def _time_left(self) -> bool:
        return asyncio.get_running_loop().time() + self._pause < self._deadline
