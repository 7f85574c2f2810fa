"""The world of a row: servers, accounts and mail, reached as an operator and a mail user reach them, never by a client.

It owns what is shared by the three languages (the installation, deeds that are done once for all) and refuses expectations.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import secrets
import signal
from collections.abc import Awaitable, Callable
from typing import Any, Final

import aiohttp

from tests.fixtures.eventually import eventually
from tests.fixtures.postroom import Up
from tests.fixtures.rest import Reply, Rest

INSISTS_SECONDS: Final = 60.0
REPLACED_SECONDS: Final = 60.0
LONG_NAME: Final = 500
"""Bytes of one recipient with a long name."""
LINE: Final = b"0123456789abcdef" * 4 + b"\r\n"


class Gate:
    """Where the languages of one row meet: what is done once waits until each of them has come or has left.

    Attributes:
        turn: Held by the one that moves many bytes, so that each has the machine to itself.
    """

    def __init__(self, parties: int) -> None:
        self.turn = asyncio.Lock()
        self._parties = parties
        self._come: dict[int, int] = {}
        self._done: dict[int, asyncio.Future[Any]] = {}
        self._work: dict[int, Callable[[], Awaitable[Any]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def once(self, key: int, work: Callable[[], Awaitable[Any]]) -> Any:
        """What `work` answers; it is done by the last that comes."""
        done = self._done.setdefault(key, asyncio.get_running_loop().create_future())
        self._work.setdefault(key, work)
        self._come[key] = self._come.get(key, 0) + 1
        self._look(key)
        return await asyncio.shield(done)

    def leave(self) -> None:
        """One that will not come any more."""
        self._parties -= 1
        for key in list(self._work):
            self._look(key)

    def _look(self, key: int) -> None:
        if self._come[key] >= self._parties > 0 and key in self._work:
            task = asyncio.create_task(self._do(key, self._work.pop(key)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _do(self, key: int, work: Callable[[], Awaitable[Any]]) -> None:
        try:
            self._done[key].set_result(await work())
        except Exception as error:  # noqa: BLE001 - told to each that waits
            self._done[key].set_exception(error)


class World:
    """One installation as its operator has it.

    Args:
        up: The installation, running.
        session: For REST.
    """

    def __init__(self, up: Up, session: aiohttp.ClientSession) -> None:
        self.up, self.rest = up, Rest(session, up.url, up.token)

    async def insist(self, verb: str, path: str, body: Any = None) -> Any:
        """The JSON of a call that is made again while the gateway, every node or the store is away."""
        return (await self._insist(verb, path, body)).ok()

    async def _insist(self, verb: str, path: str, body: Any = None) -> Reply:

        async def answered() -> Reply | None:
            try:
                reply = await self.rest.call(verb, path, body)
            except (aiohttp.ClientError, OSError):
                return None
            return None if reply.status >= 500 else reply

        reply = await eventually(answered, within=INSISTS_SECONDS)
        assert reply is not None
        return reply

    async def account(self, hint: str, **labels: str) -> str:
        """A sandbox account that keeps no copy of what it sends, connected; its name."""
        ident = f"{hint}-{secrets.token_hex(4)}"
        account = {"email": f"{ident}@sandbox.test", "sandbox": {}, "sentCopy": "NEVER", "labels": labels}
        await self.insist(
            "POST", "/v1/accounts", {"accountId": ident, "account": account, "requestId": ident}
        )
        name = f"accounts/{ident}"

        async def connected() -> bool:
            return bool((await self.insist("GET", f"/v1/{name}"))["account"]["state"] == "CONNECTED")

        await eventually(connected, within=INSISTS_SECONDS)
        return name

    async def mail(self, account: str, subject: str, *, wide: int = 0) -> None:
        """A message arrives in an account's inbox; `wide` bytes of its header go into the change that tells of it."""
        raw = letter(account, subject, wide=wide)
        submission = {
            "raw": base64.b64encode(raw).decode(),
            "envelope": {"from": email(account), "to": [email(account)]},
        }
        body = {"submission": submission, "requestId": secrets.token_hex(8)}
        await self.insist("POST", f"/v1/{account}/submissions", body)

    async def letter(self, account: str, size: int) -> dict[str, Any]:
        """A large message in an account's inbox: its name, and size and SHA-256 of its source, as REST gives them."""
        raw = letter(account, "Large", size=size)
        path = f"/v1/{account}/submissions:upload?requestId={secrets.token_hex(8)}"
        headers = {"content-type": "message/rfc822"}
        (await self.rest.call("POST", path, raw=raw, headers=headers)).ok()

        async def arrived() -> str:
            found = (await self.insist("GET", f"/v1/{account}/mailboxes/inbox/messages")).get("messages", [])
            return next((str(one["name"]) for one in found if one.get("subject") == "Large"), "")

        name = await eventually(arrived, within=INSISTS_SECONDS)
        source = await self._insist("GET", f"/v1/{name}/source")
        assert source.status == 200, source.body[:300]
        assert source.body.endswith(raw[-size // 2 :]), "the source is not what was sent"
        return {
            "name": name,
            "size": len(source.body),
            "sha256": hashlib.sha256(source.body).hexdigest(),
        }

    async def kill(self, part: str, *, wait: bool) -> None:
        """Kills every node, the node of an index (`node 1`) or the gateway; with `wait` until they are replaced."""
        word, _, index = part.partition(" ")
        victims = [int(index)] if index else list(range(len(self.up.up["nodes"]) if word == "node" else 1))
        for one in victims:
            old = await asyncio.to_thread(self.up.kill, word, one)
            if wait:
                await asyncio.to_thread(self.up.wait_replaced, word, old, one, within=REPLACED_SECONDS)

    async def drain(self, node: int) -> None:
        """SIGTERM to one node: it drains; returns when it is replaced."""
        old = self.up.pid("node", node)
        os.kill(old, signal.SIGTERM)
        await asyncio.to_thread(self.up.wait_replaced, "node", old, node, within=REPLACED_SECONDS)


def email(account: str) -> str:
    """The address of a sandbox account."""
    return f"{account.removeprefix('accounts/')}@sandbox.test"


def letter(account: str, subject: str, *, size: int = 0, wide: int = 0) -> bytes:
    """A message from an account to itself, with a body of `size` bytes or a little more."""
    readers = (f"{'A long name ' * 40}<reader-{one}@example.org>" for one in range(wide // LONG_NAME))
    to = ",\r\n ".join([email(account), *readers])
    head = f"From: {email(account)}\r\nTo: {to}\r\nSubject: {subject}\r\n"
    head += f"Message-ID: <{secrets.token_hex(12)}@sandbox.test>\r\n\r\nHello\r\n"
    return head.encode() + LINE * (size // len(LINE) + 1 if size else 0)
