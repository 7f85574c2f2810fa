"""The Python client on strings: commands come as lines of JSON, answers and events go out as lines of JSON.

It owns the translation between the words of the scenario table and the client's public API; the puppets of Go and
TypeScript speak the same words. It refuses to help: no retry, no state, nothing that the client does not do by itself.

    .venv/bin/python tests/clients/puppets/puppet.py
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import importlib
import io
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import postroom
from google.protobuf.json_format import MessageToDict, ParseDict

LINE_BYTES: Final = 64 * 1024 * 1024
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
SERVICES: Final = {
    "AccountService": "accounts", "AuditService": "audits", "ChangeService": "changes", "ConsumerService": "consumers",
    "ExportService": "exports", "MailboxService": "mailboxes", "MessageService": "messages",
    "OAuthAppService": "oauth_apps", "RelayService": "relays", "RouteService": "routes", "SandboxService": "sandbox",
    "ServerService": "server", "SubmissionService": "submissions", "SuppressionService": "suppressions",
    "TemplateService": "templates", "ThreadService": "threads", "TokenService": "tokens",
}  # fmt: skip

Command = dict[str, Any]
Answer = dict[str, Any]


def say(line: Answer) -> None:
    """One line out."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def error_of(error: BaseException) -> Answer:
    """An error in the words that all puppets share."""
    if isinstance(error, asyncio.CancelledError):
        return {"kind": "Cancelled", "code": "CANCELLED", "reason": "", "message": "cancelled"}
    if not isinstance(error, postroom.PostroomError):
        return {"kind": type(error).__name__, "code": "", "reason": "", "message": str(error)}
    special = (postroom.FeedReset, postroom.WatchEnded, postroom.DownloadDamaged)
    kind = next((one.__name__ for one in special if isinstance(error, one)), "PostroomError")
    return {
        "kind": kind,
        "reason": error.told,
        "code": error.code.name,
        "message": str(error),
        "metadata": dict(error.metadata),
        "violations": [field for field, _ in error.violations],
        "why": getattr(error, "why", ""),
        "cursor": getattr(error, "cursor", ""),
    }


class HandlerFailed(Exception):
    """A handler fails, as it was told to; the loop is entered again."""


class Watched:
    """One watch and what a handler does with its changes."""

    def __init__(self, name: str, client: postroom.Postroom, command: Command) -> None:
        self._name = name
        self._pause, self._fail_at = command.get("pause", 0.0), command.get("fail_at", 0)
        self._quiet = command.get("quiet", False)
        self.changes = 0
        self.watch = client.watch(
            command["parent"],
            cursor=command.get("cursor", ""),
            start=command.get("start", "NOW"),
            kinds=command.get("kinds", ()),
            mailboxes=command.get("mailboxes", ()),
            heartbeat=command.get("heartbeat", 25),
            patience=command.get("patience", 0) or float("inf"),
            on_state=lambda state: self._tell("state", state=state.value),
        )
        self.reading = asyncio.create_task(self._read())

    def _tell(self, event: str, **fields: Any) -> None:
        say({"watch": self._name, "event": event, **fields})

    async def _read(self) -> None:
        while True:
            try:
                await self.watch.each(self._handle)
                return
            except postroom.FeedReset as reset:
                self._tell("reset", why=reset.why, scope=reset.scope, cursor=reset.cursor)
            except HandlerFailed:
                continue
            except postroom.PostroomError as error:
                self._tell("error", error=error_of(error))
                return

    async def _handle(self, change: Any) -> None:
        self.changes += 1
        if not self._quiet:
            self._tell(
                "change",
                kind=postroom.kind_of(change),
                account=change.account,
                sequence=change.sequence,
                subject=change.message_added.message.subject,
                cursor=change.cursor,
                finished=self.watch.cursor,
            )
        if self._pause:
            await asyncio.sleep(self._pause)
        if self.changes == self._fail_at:
            raise HandlerFailed

    def look(self) -> Answer:
        """Where the watch stands."""
        watch = self.watch
        return {
            "state": watch.state.value,
            "cursor": watch.cursor,
            "head": watch.head_cursor,
            "lag": watch.lag_changes,
            "changes": self.changes,
        }

    async def stop(self) -> None:
        """Ends the watch and its handler."""
        await self.watch.aclose()
        self.reading.cancel()
        await asyncio.wait([self.reading])


class Puppet:
    """Everything that is open, and one method per command."""

    def __init__(self) -> None:
        self.clients: dict[str, postroom.Postroom] = {}
        self.watches: dict[str, Watched] = {}
        self.running: dict[int, asyncio.Task[None]] = {}

    def start(self, command: Command) -> None:
        """Begins a command; it answers when it is done."""
        task = asyncio.create_task(self._answer(command))
        self.running[command["id"]] = task
        task.add_done_callback(lambda _: self.running.pop(command["id"], None))

    async def _answer(self, command: Command) -> None:
        try:
            method: Callable[[Command], Awaitable[Answer]] | None = getattr(self, f"do_{command['do']}", None)
            if method is None:
                raise ValueError(f"there is no command {command['do']!r}")
            say({"id": command["id"], "ok": await method(command)})
        except asyncio.CancelledError as error:
            say({"id": command["id"], "error": error_of(error)})
            raise
        except Exception as error:  # noqa: BLE001 - every failure is an answer
            say({"id": command["id"], "error": error_of(error)})

    async def close(self) -> None:
        """Ends everything."""
        tasks = list(self.running.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for watched in self.watches.values():
            await watched.stop()
        for client in self.clients.values():
            await client.aclose()

    def _method(self, command: Command) -> tuple[Any, Any]:
        """The client's method and its request."""
        service, _, name = command["method"].partition(".")
        method = getattr(getattr(self.clients[command["client"]], SERVICES[service]), name)
        return method, ParseDict(command.get("request", {}), request_class(service, name)())

    async def do_connect(self, command: Command) -> Answer:
        self.clients[command["client"]] = postroom.connect(command["address"], command["token"])
        return {}

    async def do_close(self, command: Command) -> Answer:
        await self.clients.pop(command["client"]).aclose()
        return {}

    async def do_cancel(self, command: Command) -> Answer:
        task = self.running.get(command["of"])
        if task is not None:
            task.cancel()
        return {"running": task is not None}

    async def do_call(self, command: Command) -> Answer:
        method, request = self._method(command)
        return as_json(await method(request, timeout=command.get("seconds")))

    async def do_pages(self, command: Command) -> Answer:
        method, request = self._method(command)
        client = self.clients[command["client"]]
        return {"names": [row.name async for row in client.pages(method, request)]}

    async def do_download(self, command: Command) -> Answer:
        sink = Sink()
        await self.clients[command["client"]].download(command["name"], sink)
        return {"size": sink.size, "sha256": sink.digest.hexdigest()}

    async def do_upload(self, command: Command) -> Answer:
        client = self.clients[command["client"]]
        with Path(command["path"]).open("rb") as file:
            made = await client.upload(command["parent"], file, request_id=command.get("requestId", ""))
        return as_json(made)

    async def do_watch(self, command: Command) -> Answer:
        name = command["watch"]
        self.watches[name] = Watched(name, self.clients[command["client"]], command)
        return {}

    async def do_look(self, command: Command) -> Answer:
        return self.watches[command["watch"]].look()

    async def do_stop(self, command: Command) -> Answer:
        await self.watches.pop(command["watch"]).stop()
        return {}

    async def do_stats(self, command: Command) -> Answer:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return {"rssBytes": pages * PAGE_BYTES, "tasks": len(asyncio.all_tasks())}

    async def do_bench(self, command: Command) -> Answer:
        method, request = self._method(command)
        began = time.monotonic()
        end = began + command.get("seconds", 3)
        calls = errors = 0

        async def call_on() -> None:
            nonlocal calls, errors
            while time.monotonic() < end:
                try:
                    await method(request)
                    calls += 1
                except postroom.PostroomError:
                    errors += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(command.get("callers", 16)):
                group.create_task(call_on())
        return {"calls": calls, "seconds": time.monotonic() - began, "errors": errors}

    async def do_bench_watch(self, command: Command) -> Answer:
        client = self.clients[command["client"]]
        began, changes = time.monotonic(), 0
        async with client.watch(command["parent"], start="EARLIEST") as watch:
            async for _ in watch:
                changes += 1
                if changes >= command["count"]:
                    break
        return {"changes": changes, "seconds": time.monotonic() - began}


class Sink(io.BytesIO):
    """Takes bytes, and keeps their number and hash only."""

    def __init__(self) -> None:
        super().__init__()
        self.size, self.digest = 0, hashlib.sha256()

    def write(self, data: Any) -> int:
        self.size += len(data)
        self.digest.update(data)
        return len(data)


def request_class(service: str, method: str) -> Any:
    """The request message of a method, found by the contract's descriptors."""
    noun = "oauth_app" if service == "OAuthAppService" else service.removesuffix("Service").lower()
    module = importlib.import_module(f"postroom.v1.{noun}_service_pb2")
    described = module.DESCRIPTOR.services_by_name[service].methods_by_name[method].input_type
    where = described.file.name.removesuffix(".proto").replace("/", ".") + "_pb2"
    return getattr(importlib.import_module(where), described.name)


def as_json(message: Any) -> Answer:
    """proto3 JSON."""
    return MessageToDict(message)


async def lines() -> AsyncIterator[str]:
    """Lines of standard input, until its end."""
    reader = asyncio.StreamReader(limit=LINE_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        yield line.decode()


async def main() -> int:
    """Until standard input ends."""
    puppet = Puppet()
    try:
        async for line in lines():
            puppet.start(json.loads(line))
    finally:
        await puppet.close()
    return 0


if __name__ == "__main__":
    with suppress(KeyboardInterrupt, BrokenPipeError):
        sys.exit(asyncio.run(main()))
