"""ChangeService: unpack, call, pack; and the end of a stream whose token is revoked.

It owns the last frame: whatever ends a stream after its first frame is said in an `end` frame, since a gateway may cut
a status off. It refuses to queue more than a few frames between the feed and the reader.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Final, assert_never

from postroom.v1 import change_pb2
from postroom.v1 import change_service_pb2 as pb
from postroom.v1.change_service_pb2_grpc import ChangeServiceServicer

from postroom_server.domain.messages import View
from postroom_server.domain.tokens import Scope, Token, allows
from postroom_server.errors import (
    CursorMalformed,
    NotImplementedYet,
    PostroomError,
    RequestInvalid,
    ScopeDenied,
    StoreUnavailable,
)
from postroom_server.ids import AccountId, MailboxId, parse_account_or_all
from postroom_server.services.authentication import Authenticator
from postroom_server.services.calling import Context, caller
from postroom_server.services.convert.changes import (
    checkpoint_to_proto,
    decode_change,
    end_to_proto,
    reset_to_proto,
)
from postroom_server.services.convert.fields import (
    choice,
    limited,
    mailbox_reference,
    named,
    seconds_of,
    time_of,
)
from postroom_server.services.convert.messages import view_from
from postroom_server.telemetry.logging import get_logger
from postroom_server.telemetry.metrics import Metrics
from postroom_server.workers.feed import FeedReader
from postroom_server.workers.frames import (
    CheckpointFrame,
    EndFrame,
    EntryFrame,
    Frame,
    ResetFrame,
    StartFrom,
    WatchOptions,
)
from postroom_server.workers.roles import MailboxRoles

MIN_HEARTBEAT_SECONDS: Final = 5.0
MAX_HEARTBEAT_SECONDS: Final = 60.0
DEFAULT_HEARTBEAT_SECONDS: Final = 25.0
DEFAULT_CHANGES: Final = 100
MAX_CHANGES: Final = 1_000
MAX_WAIT_SECONDS: Final = 25.0
MAX_WATCHED_MAILBOXES: Final = 1_000
MAX_CURSOR: Final = 8_192
CHECK_SECONDS: Final = 2.5
"""How often an open stream's token is looked at; with the look-up's cache of 2 s a revocation ends it within 5 s."""
FRAMES_AHEAD: Final = 16
"""Frames that may wait for a reader that is slower than the feed."""
RETRY_SECONDS: Final = 1.0
LIVE_SECONDS: Final = 300.0
"""A change that was noticed longer ago counts as read from the past, not as delivered late."""
_ENDS: Final[Mapping[str, str]] = {"SERVER_DRAINING": "DRAINING", "ACCOUNT_NOT_FOUND": "ACCOUNT_REMOVED"}
_REASONS: Final = frozenset(pb.StreamEnd.Reason.keys())
_log = get_logger("changes")


class ChangeServicer(ChangeServiceServicer):
    """Serves feeds; any node does."""

    def __init__(
        self,
        feed: FeedReader,
        authenticator: Authenticator,
        metrics: Metrics,
        roles: MailboxRoles,
        *,
        check_seconds: float = CHECK_SECONDS,
    ) -> None:
        self._feed, self._authenticator, self._metrics, self._roles = feed, authenticator, metrics, roles
        self._check_seconds = check_seconds

    async def WatchChanges(
        self, request: pb.WatchChangesRequest, context: Context
    ) -> AsyncIterator[pb.WatchChangesResponse]:
        """Frames until the reader leaves."""
        options = _options(
            request,
            heartbeat=seconds_of(
                "heartbeatInterval",
                request,
                "heartbeat_interval",
                least=MIN_HEARTBEAT_SECONDS,
                most=MAX_HEARTBEAT_SECONDS,
                default=DEFAULT_HEARTBEAT_SECONDS,
            ),
        )
        if request.consumer:
            raise NotImplementedYet("consumers are not served yet", field="consumer")
        options = await self._with_roles(options)
        cursor = ""
        try:
            async with aclosing(self._frames(options, caller())) as frames:
                async for frame in frames:
                    cursor = frame.cursor
                    answer = _frame(frame)
                    yield answer
                    self._count(frame, answer)
        except PostroomError as error:
            if not cursor:
                raise
            _log.warning("stream ended", reason=error.reason)
            yield _frame(_end_of(cursor, error))
        except Exception as error:
            if not cursor:
                raise
            _log.error("a stream met a fault of our own", exc_info=error)
            yield _frame(EndFrame(cursor=cursor, reason="INTERNAL", retry_after=RETRY_SECONDS))

    def _count(self, frame: Frame, answer: pb.WatchChangesResponse) -> None:
        if isinstance(frame, EntryFrame):
            noticed = answer.change.detect_time
            delay = time.time() - noticed.seconds - noticed.nanos / 1e9
            # What is read again from the past says nothing about delivery.
            if delay < LIVE_SECONDS:
                self._metrics.delivery_seconds.observe(max(delay, 0.0))
        elif isinstance(frame, ResetFrame):
            self._metrics.resets.labels(frame.reason.value).inc()

    async def _frames(self, options: WatchOptions, token: Token) -> AsyncGenerator[Frame, None]:
        """The feed's frames, ended when the token is."""
        waiting: asyncio.Queue[Frame | BaseException | None] = asyncio.Queue(FRAMES_AHEAD)
        feeding = asyncio.create_task(_feed(self._feed.watch(options), waiting))
        loop = asyncio.get_running_loop()
        check_at = loop.time() + self._check_seconds
        cursor = ""
        try:
            while True:
                if loop.time() >= check_at:
                    if not await self._holds(token):
                        yield EndFrame(cursor=cursor, reason="TOKEN_REVOKED")
                        return
                    check_at = loop.time() + self._check_seconds
                try:
                    async with asyncio.timeout_at(check_at):
                        frame = await waiting.get()
                except TimeoutError:
                    continue
                if frame is None:
                    return
                if isinstance(frame, BaseException):
                    raise frame
                cursor = frame.cursor
                yield frame
        finally:
            feeding.cancel()
            with suppress(asyncio.CancelledError):
                await feeding

    async def _holds(self, token: Token) -> bool:
        """Whether the token is still good. A store that does not answer ends no stream: the feed sees to that."""
        try:
            return await self._authenticator.still_valid(token)
        except StoreUnavailable:
            return True

    async def _with_roles(self, options: WatchOptions) -> WatchOptions:
        if options.account is None or not options.mailboxes:
            return options
        return replace(options, mailboxes=await self._roles.resolved(options.account, options.mailboxes))

    async def ListChanges(self, request: pb.ListChangesRequest, context: Context) -> pb.ListChangesResponse:
        """Changes after a place, for callers that poll."""
        options = _options(request, heartbeat=DEFAULT_HEARTBEAT_SECONDS)
        if request.max_changes < 0:
            raise RequestInvalid("maxChanges", "must not be negative")
        wait = seconds_of("wait", request, "wait", least=0.0, most=3_600.0, default=0.0)
        options = await self._with_roles(options)
        found = await self._feed.list(
            options,
            limit=min(request.max_changes or DEFAULT_CHANGES, MAX_CHANGES),
            wait=min(wait, MAX_WAIT_SECONDS),
        )
        answer = pb.ListChangesResponse(
            changes=[
                decode_change(one.entry, one.cursor, one.account, one.sequence) for one in found.entries
            ],
            cursor=found.cursor,
            head_cursor=found.head_cursor,
            earliest_cursor=found.earliest_cursor,
        )
        if found.reset is not None:
            answer.reset.CopyFrom(reset_to_proto(found.reset.account, found.reset.reason))
        return answer


async def _feed(
    frames: AsyncGenerator[Frame, None], waiting: asyncio.Queue[Frame | BaseException | None]
) -> None:
    """Carries frames to the queue, and after them how the feed ended."""
    try:
        async with aclosing(frames):
            async for frame in frames:
                await waiting.put(frame)
    except Exception as error:  # noqa: BLE001 - raised again by whoever reads the queue
        await waiting.put(error)
    else:
        await waiting.put(None)


def _options(request: pb.WatchChangesRequest | pb.ListChangesRequest, *, heartbeat: float) -> WatchOptions:
    account = named("parent", parse_account_or_all, request.parent)
    if request.label_selector:
        raise NotImplementedYet("label selectors of feeds are not served yet", field="labelSelector")
    if request.partition.count < 0 or request.partition.index < 0:
        raise RequestInvalid("partition", "must not be negative")
    if request.partition.count > 1 or request.partition.index:
        raise NotImplementedYet("partitions are not served yet", field="partition")
    if view_from("view", request.view, View.BASIC) is View.FULL:
        if not allows(caller().scopes, Scope.MESSAGES_READ):
            raise ScopeDenied(scope=Scope.MESSAGES_READ.value)
        raise NotImplementedYet("the view FULL of a feed is not served yet", field="view")
    start = choice("from", pb.WatchChangesRequest.StartFrom, request.start_from, default="NOW")
    if start == "SNAPSHOT":
        raise NotImplementedYet("a feed from a snapshot is not served yet", field="from")
    if len(request.cursor) > MAX_CURSOR:
        raise CursorMalformed
    return WatchOptions(
        account=account,
        cursor=request.cursor,
        start=StartFrom[start],
        from_time=time_of("fromTime", request, "from_time"),
        kinds=frozenset(
            choice(f"kinds[{index}]", change_pb2.Change.Kind, kind)
            for index, kind in enumerate(request.kinds)
        ),
        mailboxes=_mailboxes(request, account),
        heartbeat=heartbeat,
    )


def _mailboxes(
    request: pb.WatchChangesRequest | pb.ListChangesRequest, account: AccountId | None
) -> frozenset[MailboxId]:
    names = limited("mailboxes", request.mailboxes, MAX_WATCHED_MAILBOXES)
    if names and account is None:
        raise NotImplementedYet("mailboxes of all accounts cannot be selected yet", field="mailboxes")
    return frozenset(
        mailbox_reference(f"mailboxes[{index}]", name, account)
        for index, name in enumerate(names)
        if account is not None
    )


def _end_of(cursor: str, error: PostroomError) -> EndFrame:
    retry = error.retry_after if error.retry_after is not None else RETRY_SECONDS
    return EndFrame(cursor=cursor, reason=error.reason, retry_after=retry)


def _frame(frame: Frame) -> pb.WatchChangesResponse:
    match frame:
        case EntryFrame():
            change = decode_change(frame.entry, frame.cursor, frame.account, frame.sequence)
            return pb.WatchChangesResponse(cursor=frame.cursor, change=change)
        case CheckpointFrame():
            return pb.WatchChangesResponse(
                cursor=frame.cursor,
                checkpoint=checkpoint_to_proto(
                    head_cursor=frame.head_cursor,
                    earliest_cursor=frame.earliest_cursor,
                    server_time=frame.server_time,
                    lag_changes=frame.lag_changes,
                    retention_used=frame.retention_used,
                    connected=frame.connected,
                    total=frame.total,
                ),
            )
        case ResetFrame():
            return pb.WatchChangesResponse(
                cursor=frame.cursor, reset=reset_to_proto(frame.account, frame.reason)
            )
        case EndFrame():
            reason = _ENDS.get(frame.reason, frame.reason)
            return pb.WatchChangesResponse(
                cursor=frame.cursor,
                end=end_to_proto(reason if reason in _REASONS else "INTERNAL", frame.retry_after),
            )
        case _:
            assert_never(frame)
