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
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from datetime import datetime
from typing import Any, BinaryIO, Self, TypeVar, cast

import grpc

from postroom.channel import AnswerStream, Calls, Connection, Streaming, open_channel
from postroom.downloads import save
from postroom.places import checked
from postroom.services import Services
from postroom.uploads import submission_pieces
from postroom.v1.change_service_pb2 import WatchChangesRequest
from postroom.v1.export_service_pb2 import DownloadExportRequest
from postroom.v1.message_service_pb2 import DownloadAttachmentRequest, GetMessageSourceRequest
from postroom.v1.submission_pb2 import Submission
from postroom.watch import DEFAULT_HEARTBEAT, State, Watch, watch_request

_Request = TypeVar("_Request")


def connect(address: str, token: str, *, credentials: grpc.ChannelCredentials | None = None) -> Postroom:
    """A client of the server at `address`; it connects with the first call.

    Args:
        address: `host:port`, `http://host:port`, `https://host:port` or `unix:///path`. Without a scheme, loopback is
            plain and everything else is TLS; without a port it is 80 or, by TLS, 443.
        token: The bearer token.
        credentials: For TLS with other roots or a client certificate; an address that begins with `http://` or `unix:`
            stays plain.

    Raises:
        ValueError: The address is none, or no header can carry the token.
    """
    return Postroom(Connection(lambda: open_channel(address, credentials)), checked(token))


class Postroom(Services):
    """A connection to a server. Use it as an asynchronous context, or call `aclose`."""

    def __init__(self, connection: Connection, token: str) -> None:
        super().__init__(Calls(connection, token))
        self._connection = connection
        self._watches: weakref.WeakSet[Watch] = weakref.WeakSet()

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
            start: `NOW`, `EARLIEST` or `SNAPSHOT`.
            kinds: Such as `MESSAGE_ADDED`; empty means all.
            mailboxes: Resource names or roles; empty means all.
            heartbeat: Seconds, 5 to 60, at most which the server stays silent.
            patience: Seconds without any frame after which the last error is raised; by default never. What the handler
                takes does not count.
            on_state: Told each state that the watch enters; it begins in `State.CONNECTING`.

        Raises:
            ValueError: The contract knows no such start or kind, or the heartbeat is not positive.
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
        """Every row of a listing, page by page: `async for account in client.pages(client.accounts.ListAccounts, …)`.

        Args:
            method: A method whose answer has rows in its first field and a `next_page_token`.
            request: Its request, which is left as it is; `page_size` says how many rows one call fetches.
        """
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
        """A raw message, an attachment or an export by resource name, checked against its size and hash.

        With a `target` the bytes are written there, and the answer is empty. Raises DownloadDamaged; then, and after any
        other error, what was written so far is worthless.
        """
        stream: Any
        if "/attachments/" in name:
            stream = self.messages.DownloadAttachment(DownloadAttachmentRequest(name=name))
        elif "/exports/" in name:
            stream = self.exports.DownloadExport(DownloadExportRequest(name=name))
        else:
            stream = self.messages.GetMessageSource(GetMessageSourceRequest(name=name))
        if target is not None:
            await save(stream, target)
            return b""
        buffer = io.BytesIO()
        await save(stream, buffer)
        return buffer.getvalue()

    async def upload(
        self,
        parent: str,
        source: bytes | BinaryIO | AsyncIterable[bytes],
        *,
        request_id: str = "",
        send_time: datetime | None = None,
    ) -> Submission:
        """Hands a raw message of any size over for sending; returns once it is accepted.

        Args:
            parent: The account that sends, `accounts/{account}`.
            source: The RFC 5322 message: bytes, a file opened in binary, or pieces as they come. It is read once and
                never held as a whole by this client.
            request_id: 1 to 128 printable ASCII characters, a UUID is advised. With the same id the same message may be
                uploaded again after a failure: it is sent once.
            send_time: When to send, with a time zone; None or past means at once.

        Raises PostroomError, and what reading the source raises: then nothing was handed over.
        """
        pieces = submission_pieces(parent, source, request_id=request_id, send_time=send_time)
        answer = await self.submissions.UploadSubmission(pieces)
        return answer.submission

    async def aclose(self) -> None:
        """Ends watches and the connection."""
        try:
            for watch in list(self._watches):
                await watch.aclose()
        finally:
            await self._connection.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
