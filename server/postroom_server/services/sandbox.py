"""SandboxService: unpack, call, pack. Faults are set on any node; the rest runs on the account's owner."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from postroom.v1 import sandbox_service_pb2 as pb
from postroom.v1.sandbox_service_pb2_grpc import SandboxServiceServicer

from postroom_server.domain.messages import View
from postroom_server.domain.sandbox_store import Refusal
from postroom_server.errors import RequestInvalid
from postroom_server.ids import AccountId, MailboxId, parse_account
from postroom_server.services.calling import Context, current_call
from postroom_server.services.convert.fields import mailbox_reference, named, seconds_of, text, time_of
from postroom_server.services.convert.filing import filed_raw
from postroom_server.services.convert.messages import flags_from, message_to_proto
from postroom_server.workers.sandboxes import Sandboxes

INBOX: Final = MailboxId("inbox")
MAX_REFUSALS: Final = 1_000
MAX_REFUSAL_TEXT: Final = 500
MAX_OFFLINE_SECONDS: Final = 30 * 86_400.0
TRANSIENT, PERMANENT = 4, 5
WORDS: Final = {TRANSIENT: "refused for now by the sandbox", PERMANENT: "refused by the sandbox"}


class SandboxServicer(SandboxServiceServicer):
    """Serves the outside world of sandbox accounts."""

    def __init__(self, sandboxes: Sandboxes) -> None:
        self._sandboxes = sandboxes

    async def DeliverMessage(
        self, request: pb.DeliverMessageRequest, context: Context
    ) -> pb.DeliverMessageResponse:
        """A message arrives."""
        account = named("name", parse_account, request.name)
        mailbox = mailbox_reference("mailbox", request.mailbox, account) if request.mailbox else INBOX
        flags = flags_from("flags", request.flags)
        received: datetime | None = time_of("receiveTime", request, "receive_time")
        filed = filed_raw(request.raw, "raw")
        found = await self._sandboxes.deliver(current_call(), account, mailbox, filed.raw, flags, received)
        if found is None:
            return pb.DeliverMessageResponse()
        return pb.DeliverMessageResponse(message=message_to_proto(account, found, View.BASIC))

    async def InjectFault(self, request: pb.InjectFaultRequest, context: Context) -> pb.InjectFaultResponse:
        """The provider fails from now on."""
        account = named("name", parse_account, request.name)
        match request.WhichOneof("fault"):
            case "refuse_next_sends":
                await self._refuse(account, request.refuse_next_sends)
            case "offline":
                given = request.offline
                seconds = seconds_of(
                    "offline.duration", given, "duration", least=0.001, most=MAX_OFFLINE_SECONDS, default=0.0
                )
                await self._sandboxes.go_offline(account, seconds or None)
            case "expire_cursors":
                await self._sandboxes.expire_cursors(account)
            case _:
                raise RequestInvalid("refuseNextSends", "is needed, or offline or expireCursors")
        return pb.InjectFaultResponse()

    async def ClearFaults(self, request: pb.ClearFaultsRequest, context: Context) -> pb.ClearFaultsResponse:
        """The provider works again."""
        await self._sandboxes.clear_faults(current_call(), named("name", parse_account, request.name))
        return pb.ClearFaultsResponse()

    async def _refuse(self, account: AccountId, given: pb.InjectFaultRequest.RefuseNextSends) -> None:
        path = "refuseNextSends"
        kind = given.reply_code // 100
        if kind not in WORDS:
            raise RequestInvalid(f"{path}.replyCode", "must be 400 to 599")
        status = given.enhanced_status
        if status and not _is_status(status, kind):
            raise RequestInvalid(
                f"{path}.enhancedStatus", f"must be {kind} and two numbers, such as {kind}.3.0"
            )
        words = text(f"{path}.text", given.text, MAX_REFUSAL_TEXT) or WORDS[kind]
        if not words.isprintable():
            raise RequestInvalid(f"{path}.text", "must be one line without control characters")
        if not 0 <= given.count <= MAX_REFUSALS:
            raise RequestInvalid(f"{path}.count", f"must be 1 to {MAX_REFUSALS:,}")
        refusal = Refusal(code=given.reply_code, enhanced_status=status, text=words)
        await self._sandboxes.refuse_sends(account, refusal, given.count or 1)


def _is_status(status: str, kind: int) -> bool:
    """RFC 3463 section 2: class, subject and detail, of the reply code's class."""
    parts = status.split(".")
    plain = all(part.isascii() and part.isdecimal() and 1 <= len(part) <= 3 for part in parts)
    return len(parts) == 3 and plain and parts[0] == str(kind)
