"""A real Postroom for your own tests: started in a folder of its own on a free port, gone with the test.

    import postroom
    import pytest
    from postroom import testing


    @pytest.fixture(scope="session")
    def server():
        with testing.server() as server:
            yield server


    async def test_my_handler(server):
        async with postroom.connect(server.address, server.token) as client:
            account = await testing.sandbox_account(client)

It owns the process, from its start until nothing of it is left. It refuses to be a fake: what answers is the server that
runs in production, with sandbox accounts for mailboxes, so the command `postroom up` has to be there
(`pip install postroom-server`, or POSTROOM_COMMAND).
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request
import uuid
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from postroom.client import Postroom
from postroom.v1.account_pb2 import Account, SandboxSettings
from postroom.v1.account_service_pb2 import CreateAccountRequest, GetAccountRequest
from postroom.v1.mailbox_service_pb2 import ListMailboxesRequest

COMMAND: Final = "POSTROOM_COMMAND"
"""The variable that names the command, with its first arguments; without it `postroom` is looked for on PATH."""
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 15.0
PROBE_SECONDS: Final = 2.0
LOOK_SECONDS: Final = 0.02
LOG_BYTES: Final = 4_000
_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Without the proxy of the environment, which does not know this machine's servers."""


class ServerNotStarted(Exception):
    """`postroom up` could not be started, or was not ready in time; the text holds the end of its output."""


def server() -> Server:
    """A server to be used as a context, `with` or `async with`."""
    return Server()


async def sandbox_account(client: Postroom, account_id: str = "") -> Account:
    """Registers an account at the sandbox, the server's own provider, and returns it once its mailboxes are there.

    Mail that is sent to its address arrives in its inbox, from any account of the same server.

    Args:
        client: A client with the scope `accounts.write`.
        account_id: Chosen by the caller; empty makes one up.
    """
    name = account_id or f"sandbox-{uuid.uuid4().hex[:12]}"
    given = Account(email=f"{name}@sandbox.test", sandbox=SandboxSettings())
    made = await client.accounts.CreateAccount(CreateAccountRequest(account_id=name, account=given))
    await client.mailboxes.ListMailboxes(ListMailboxesRequest(parent=made.account.name))
    return (await client.accounts.GetAccount(GetAccountRequest(name=made.account.name))).account


class Server:
    """A running Postroom. Its data is gone once its context is left."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._given_up = threading.Event()
        self.url = ""
        """Where the gateway listens, such as `http://127.0.0.1:40001`."""
        self.address = ""
        """The same for `postroom.connect`, such as `127.0.0.1:40001`."""
        self.token = ""
        """The administrator's token."""

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="postroom-test-"))
        try:
            self._process = self._start(self._folder)
            self._wait(self._process, self._folder)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    async def __aenter__(self) -> Self:
        starting = asyncio.create_task(asyncio.to_thread(self.__enter__))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            self._given_up.set()
            await asyncio.wait([starting])
            if starting.exception() is None:
                await asyncio.to_thread(self._end)
            raise

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._end)

    def _start(self, folder: Path) -> subprocess.Popen[bytes]:
        command = shlex.split(os.environ.get(COMMAND, "postroom"))
        arguments = ["up", "--dev", "--data", str(folder), "--port", "0"]
        with (folder / "up.log").open("wb") as log:
            try:
                return subprocess.Popen(
                    [*command, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise ServerNotStarted(
                    f"{' '.join(command)}: {error.strerror}. Install the server (pip install postroom-server), or "
                    f"name its command in {COMMAND}."
                ) from error

    def _wait(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        end = time.monotonic() + START_SECONDS
        while not self._ready(folder):
            if process.poll() is not None or self._given_up.is_set() or time.monotonic() >= end:
                shown = (folder / "up.log").read_bytes()[-LOG_BYTES:].decode(errors="replace")
                raise ServerNotStarted(f"postroom up was not ready (exit code {process.poll()}):\n{shown}")
            self._given_up.wait(LOOK_SECONDS)

    def _ready(self, folder: Path) -> bool:
        """Whether the gateway answers; then the places are known."""
        try:
            url = json.loads((folder / "up.json").read_text())["gateway"]["url"]
            with _DIRECT.open(f"{url}/healthz", timeout=PROBE_SECONDS):
                pass
            self.token = (folder / "token").read_text().strip()
        except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
            return False
        self.url, self.address = url, urlsplit(url).netloc
        return True

    def _end(self) -> None:
        process, self._process = self._process, None
        folder, self._folder = self._folder, None
        if process is not None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
