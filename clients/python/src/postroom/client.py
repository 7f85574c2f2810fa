"""The client: one connection, the services of the contract, and helpers for what calls alone do not give.

    async with postroom.connect("127.0.0.1:8080", token) as client:
        account = (await client.accounts.GetAccount(GetAccountRequest(name="accounts/ada"))).account
        async for change in client.watch("accounts/ada", cursor=stored):
            ...

It refuses to hide the contract: requests and answers are the generated messages of `postroom.v1`.
"""

from __future__ import annotations

import io
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, BinaryIO, Self, TypeVar, cast

import grpc

from postroom.channel import AnswerStream, Calls, Streaming, open_channel
from postroom.downloads import save
from postroom.v1.account_service_pb2_grpc import AccountServiceStub
from postroom.v1.audit_service_pb2_grpc import AuditServiceStub
from postroom.v1.change_service_pb2 import WatchChangesRequest
from postroom.v1.change_service_pb2_grpc import ChangeServiceStub
from postroom.v1.consumer_service_pb2_grpc import ConsumerServiceStub
from postroom.v1.mailbox_service_pb2_grpc import MailboxServiceStub
from postroom.v1.message_service_pb2 import DownloadAttachmentRequest, GetMessageSourceRequest
from postroom.v1.message_service_pb2_grpc import MessageServiceStub
from postroom.v1.server_service_pb2_grpc import ServerServiceStub
from postroom.v1.submission_service_pb2_grpc import SubmissionServiceStub
from postroom.v1.thread_service_pb2_grpc import ThreadServiceStub
from postroom.v1.token_service_pb2_grpc import TokenServiceStub
from postroom.watch import DEFAULT_HEARTBEAT, State, Watch, watch_request

if TYPE_CHECKING:
    from postroom.v1.account_service_pb2_grpc import AccountServiceAsyncStub
    from postroom.v1.audit_service_pb2_grpc import AuditServiceAsyncStub
    from postroom.v1.change_service_pb2_grpc import ChangeServiceAsyncStub
    from postroom.v1.consumer_service_pb2_grpc import ConsumerServiceAsyncStub
    from postroom.v1.mailbox_service_pb2_grpc import MailboxServiceAsyncStub
    from postroom.v1.message_service_pb2_grpc import MessageServiceAsyncStub
    from postroom.v1.server_service_pb2_grpc import ServerServiceAsyncStub
    from postroom.v1.submission_service_pb2_grpc import SubmissionServiceAsyncStub
    from postroom.v1.thread_service_pb2_grpc import ThreadServiceAsyncStub
    from postroom.v1.token_service_pb2_grpc import TokenServiceAsyncStub

_Request = TypeVar("_Request")


def connect(address: str, token: str, *, credentials: grpc.ChannelCredentials | None = None) -> Postroom:
    """A client of the server at `address`; it connects with the first call.

    Args:
        address: `host:port`, `http://host:port`, `https://host:port` or `unix:///path`. Without a scheme, loopback is
            plain and everything else is TLS.
        token: The bearer token.
        credentials: For TLS with other roots or a client certificate.
    """
    return Postroom(open_channel(address, credentials), token)


class Postroom:
    """A connection to a server. Use it as an asynchronous context, or call `aclose`."""

    accounts: AccountServiceAsyncStub
    audits: AuditServiceAsyncStub
    changes: ChangeServiceAsyncStub
    consumers: ConsumerServiceAsyncStub
    mailboxes: MailboxServiceAsyncStub
    messages: MessageServiceAsyncStub
    server: ServerServiceAsyncStub
    submissions: SubmissionServiceAsyncStub
    threads: ThreadServiceAsyncStub
    tokens: TokenServiceAsyncStub

    def __init__(self, channel: grpc.aio.Channel, token: str) -> None:
        self._channel = channel
        self._watches: weakref.WeakSet[Watch] = weakref.WeakSet()
        calls: Any = Calls(channel, token)
        self.accounts = cast("AccountServiceAsyncStub", AccountServiceStub(calls))
        self.audits = cast("AuditServiceAsyncStub", AuditServiceStub(calls))
        self.changes = cast("ChangeServiceAsyncStub", ChangeServiceStub(calls))
        self.consumers = cast("ConsumerServiceAsyncStub", ConsumerServiceStub(calls))
        self.mailboxes = cast("MailboxServiceAsyncStub", MailboxServiceStub(calls))
        self.messages = cast("MessageServiceAsyncStub", MessageServiceStub(calls))
        self.server = cast("ServerServiceAsyncStub", ServerServiceStub(calls))
        self.submissions = cast("SubmissionServiceAsyncStub", SubmissionServiceStub(calls))
        self.threads = cast("ThreadServiceAsyncStub", ThreadServiceStub(calls))
        self.tokens = cast("TokenServiceAsyncStub", TokenServiceStub(calls))

    def watch(
        self,
        parent: str = "accounts/-",
        *,
        cursor: str = "",
        start: str = "NOW",
        kinds: Iterable[str] = (),
        mailboxes: Iterable[str] = (),
        heartbeat: float = DEFAULT_HEARTBEAT,
        patience: float = float("inf"),
        on_state: Callable[[State], None] | None = None,
    ) -> Watch:
        """Changes of one account or of all, endlessly.

        Args:
            parent: `accounts/{account}` or `accounts/-`.
            cursor: Where to go on; empty: from `start`.
            start: `NOW` or `EARLIEST`.
            kinds: Such as `MESSAGE_ADDED`; empty means all.
            mailboxes: Resource names; empty means all.
            heartbeat: Seconds, 5 to 60, at most which the server stays silent.
            patience: Seconds without any frame after which the last error is raised; by default never.
            on_state: Told of each change between connecting, live and waiting.
        """
        request = watch_request(parent, cursor=cursor, start=start, kinds=kinds, mailboxes=mailboxes)
        streaming = cast("Streaming", self.changes.WatchChanges)

        def opening(wanted: WatchChangesRequest) -> AnswerStream:
            return streaming(wanted)

        made = Watch(opening, request, heartbeat=heartbeat, patience=patience, on_state=on_state)
        self._watches.add(made)
        return made

    async def pages(
        self, method: Callable[[_Request], Awaitable[Any]], request: _Request
    ) -> AsyncIterator[Any]:
        """Every row of a listing, page by page: `async for account in client.pages(client.accounts.ListAccounts, …)`."""
        wanted: Any = type(request)()
        wanted.CopyFrom(request)
        while True:
            answer = await method(wanted)
            for row in getattr(answer, answer.DESCRIPTOR.fields_by_number[1].name):
                yield row
            if not answer.next_page_token:
                return
            wanted.page_token = answer.next_page_token

    async def download(self, name: str, target: BinaryIO | None = None) -> bytes:
        """A raw message or an attachment by resource name, checked against its size and hash.

        With a `target` the bytes are written there, and the answer is empty. Raises DownloadDamaged.
        """
        stream: Any
        if "/attachments/" in name:
            stream = self.messages.DownloadAttachment(DownloadAttachmentRequest(name=name))
        else:
            stream = self.messages.GetMessageSource(GetMessageSourceRequest(name=name))
        if target is not None:
            await save(stream, target)
            return b""
        buffer = io.BytesIO()
        await save(stream, buffer)
        return buffer.getvalue()

    async def aclose(self) -> None:
        """Ends watches and the connection."""
        for watch in list(self._watches):
            await watch.aclose()
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
