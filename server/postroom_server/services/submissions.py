"""SubmissionService: unpack, call, pack. Any node accepts; the account's owner sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Final

from postroom.v1 import submission_pb2
from postroom.v1 import submission_service_pb2 as pb
from postroom.v1.submission_service_pb2_grpc import SubmissionServiceServicer

from postroom_server.domain.accounts import Account
from postroom_server.domain.outbox import Recipient, Submission, SubmissionState
from postroom_server.domain.ports import Clock
from postroom_server.errors import MessageTooLarge, NotImplementedYet, RequestInvalid, SubmissionNotFound
from postroom_server.ids import SubmissionId, parse_account, parse_submission
from postroom_server.services.calling import Context
from postroom_server.services.convert.composing import MAX_MESSAGE_BYTES, Ready, ready_from, ready_from_raw
from postroom_server.services.convert.fields import choice, named, request_id, time_of
from postroom_server.services.convert.submissions import submission_to_proto
from postroom_server.services.fingerprint import Fingerprints
from postroom_server.services.paging import Pager, page_size
from postroom_server.workers.accounts import Accounts
from postroom_server.workers.submissions import Submissions

DEFAULT_PAGE: Final = 50
MAX_PAGE: Final = 1_000
MAX_AHEAD: Final = timedelta(days=366)
"""How far a send time may lie ahead."""
SMALL_BYTES: Final = 64 * 1024
"""Up to here a message is made on the event loop; a larger one in a thread, where it holds up nobody."""


class SubmissionServicer(SubmissionServiceServicer):
    """Serves submissions."""

    def __init__(
        self,
        accounts: Accounts,
        submissions: Submissions,
        pager: Pager,
        fingerprints: Fingerprints,
        clock: Clock,
    ) -> None:
        self._accounts, self._submissions, self._pager = accounts, submissions, pager
        self._fingerprints, self._clock = fingerprints, clock

    async def SubmitMessage(
        self, request: pb.SubmitMessageRequest, context: Context
    ) -> pb.SubmitMessageResponse:
        """Accepts a message for sending."""
        account, _ = await self._accounts.get(named("parent", parse_account, request.parent))
        if not request.HasField("submission"):
            raise RequestInvalid("submission", "is needed")
        wanted = request_id("requestId", request.request_id)
        given, now = request.submission, self._clock.now()
        send_time = self._send_time("submission.sendTime", given, now)
        ready = (
            ready_from(given, account, now)
            if given.ByteSize() <= SMALL_BYTES
            else await asyncio.to_thread(ready_from, given, account, now)
        )
        if request.validate_only:
            return pb.SubmitMessageResponse(submission=_preview(account, ready, send_time, now))
        made = await self._submissions.submit(
            account.id,
            ready.raw,
            ready.envelope,
            internet_message_id=ready.internet_message_id,
            subject=ready.subject,
            request_id=wanted,
            fingerprint=self._fingerprints.of(_input(given)),
            send_time=send_time,
        )
        return pb.SubmitMessageResponse(submission=submission_to_proto(made))

    async def UploadSubmission(
        self, request: AsyncIterator[pb.UploadSubmissionRequest], context: Context
    ) -> pb.UploadSubmissionResponse:
        """Accepts a raw message that comes in pieces."""
        head, raw = await _collected(request)
        account, _ = await self._accounts.get(named("parent", parse_account, head.parent))
        if head.relay:
            raise NotImplementedYet("relays are not served yet", field="relay")
        wanted = request_id("requestId", head.request_id)
        now = self._clock.now()
        send_time = self._send_time("sendTime", head, now)
        envelope = head.envelope if head.HasField("envelope") else None
        ready = await asyncio.to_thread(ready_from_raw, raw, envelope, account, now, path="content")
        made = await self._submissions.submit(
            account.id,
            ready.raw,
            ready.envelope,
            internet_message_id=ready.internet_message_id,
            subject=ready.subject,
            request_id=wanted,
            fingerprint=self._fingerprints.of(head.send_time, head.envelope, raw),
            send_time=send_time,
        )
        return pb.UploadSubmissionResponse(submission=submission_to_proto(made))

    async def GetSubmission(
        self, request: pb.GetSubmissionRequest, context: Context
    ) -> pb.GetSubmissionResponse:
        """One submission."""
        account, submission = named("name", parse_submission, request.name)
        try:
            found = await self._submissions.get(account, submission)
        except SubmissionNotFound:
            await self._accounts.get(account)  # the account is what is missing, where it is
            raise
        return pb.GetSubmissionResponse(submission=submission_to_proto(found))

    async def ListSubmissions(
        self, request: pb.ListSubmissionsRequest, context: Context
    ) -> pb.ListSubmissionsResponse:
        """One page of submissions, newest first."""
        account, _ = await self._accounts.get(named("parent", parse_account, request.parent))
        size = page_size(request.page_size, default=DEFAULT_PAGE, most=MAX_PAGE)
        states = frozenset(
            SubmissionState(choice(f"states[{index}]", submission_pb2.Submission.State, state))
            for index, state in enumerate(request.states)
        )
        parameters = (request.parent, sorted(states))
        after = self._pager.position("submissions", parameters, request.page_token).decode()
        found = await self._submissions.page(account.id, after, size + 1, states)
        last = found[size - 1].id.encode() if len(found) > size else b""
        return pb.ListSubmissionsResponse(
            submissions=[submission_to_proto(one) for one in found[:size]],
            next_page_token=self._pager.token("submissions", parameters, last),
        )

    def _send_time(
        self, path: str, given: submission_pb2.Submission | pb.UploadSubmissionRequest, now: datetime
    ) -> datetime | None:
        """When to send; None for at once, also where the time is past."""
        wanted = time_of(path, given, "send_time")
        if wanted is None or wanted <= now:
            return None
        if wanted > now + MAX_AHEAD:
            raise RequestInvalid(path, f"must lie at most {MAX_AHEAD.days} days ahead")
        return wanted


async def _collected(
    pieces: AsyncIterator[pb.UploadSubmissionRequest],
) -> tuple[pb.UploadSubmissionRequest, bytes]:
    """The first piece, which carries the fields, and all bytes. Raises MessageTooLarge while they come."""
    head: pb.UploadSubmissionRequest | None = None
    chunks: list[bytes] = []
    size = 0
    async for piece in pieces:
        head = head or piece
        size += len(piece.content.data)
        if size > MAX_MESSAGE_BYTES:
            raise MessageTooLarge(limitBytes=str(MAX_MESSAGE_BYTES))
        chunks.append(piece.content.data)
    if head is None:
        raise RequestInvalid("parent", "is needed")
    return head, b"".join(chunks)


def _input(given: submission_pb2.Submission) -> submission_pb2.Submission:
    """What a caller asks for: the submission without the fields that only the server writes."""
    kept = submission_pb2.Submission()
    kept.CopyFrom(given)
    for field in ("name", "state", "message", "attempts", "next_attempt_time", "request_id", "create_time"):
        kept.ClearField(field)
    return kept


def _preview(
    account: Account, ready: Ready, send_time: datetime | None, now: datetime
) -> submission_pb2.Submission:
    """The submission as it would be accepted; it has no name, because it is not kept."""
    made = submission_to_proto(
        Submission(
            id=SubmissionId("-"),
            account=account.id,
            state=SubmissionState.SCHEDULED if send_time else SubmissionState.QUEUED,
            envelope=ready.envelope,
            internet_message_id=ready.internet_message_id,
            subject=ready.subject,
            size_bytes=len(ready.raw),
            recipients=tuple(Recipient(address=one) for one in ready.envelope.recipients),
            send_time=send_time,
            next_attempt_time=send_time or now,
            create_time=now,
            update_time=now,
        )
    )
    made.ClearField("name")
    made.raw = ready.raw
    return made
