"""`postroom.testing`: a user's tests get a real server, and it is gone with them."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import postroom
import psutil
import pytest
from postroom import testing
from postroom.v1.account_pb2 import Account

from tests.fixtures.eventually import eventually
from tests.fixtures.postroom import PROGRAM


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where servers of these tests put their data; the command is the one beside this Python."""
    monkeypatch.setenv(testing.COMMAND, str(PROGRAM))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def running(folder: Path) -> list[psutil.Process]:
    """Processes that have this folder in their command line."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(str(folder) in word for word in process.info["cmdline"] or ()):
            found.append(process)
    return found


async def test_a_server_is_there_for_a_test_and_gone_after_it(folder: Path) -> None:
    async with testing.server() as server:
        assert server.url == f"http://{server.address}"
        async with postroom.connect(server.address, server.token) as client:
            account = await testing.sandbox_account(client, "ada")
        assert (account.name, account.state) == ("accounts/ada", Account.CONNECTED)
        assert running(folder)
    assert not running(folder)
    assert not list(folder.glob("postroom-test-*"))


async def test_a_server_is_found_whatever_proxy_the_environment_names(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setattr(testing, "START_SECONDS", 15.0)
    async with testing.server() as server, postroom.connect(server.address, server.token) as client:
        assert (await testing.sandbox_account(client)).email.endswith("@sandbox.test")


async def test_a_start_that_is_cancelled_leaves_nothing(folder: Path) -> None:
    starting = asyncio.ensure_future(testing.server().__aenter__())
    await eventually(lambda: running(folder))
    starting.cancel()
    await asyncio.wait([starting])
    assert starting.cancelled()
    assert not running(folder)
    assert not list(folder.glob("postroom-test-*"))


def test_a_command_that_is_not_there_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(testing.COMMAND, "/nowhere/postroom")
    with pytest.raises(testing.ServerNotStarted, match="pip install postroom-server"), testing.server():
        pass
    assert not list(folder.glob("postroom-test-*"))


def test_a_command_that_fails_shows_what_it_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(testing.COMMAND, f"{PROGRAM} nonsense")
    with pytest.raises(testing.ServerNotStarted, match="there is no command 'nonsense'"), testing.server():
        pass
