"""The admin endpoint over a real socket: three pages, and nothing for anybody who misbehaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from postroom_server.telemetry import admin as module
from postroom_server.telemetry.admin import AdminServer
from postroom_server.telemetry.metrics import Metrics

from tests.fixtures.eventually import eventually


class Readiness:
    problem = ""

    async def __call__(self) -> str:
        return self.problem


@pytest.fixture
async def admin() -> AsyncIterator[tuple[AdminServer, str, Readiness, Metrics]]:
    ready, metrics = Readiness(), Metrics()
    server = AdminServer(metrics, ready)
    address = await server.start("127.0.0.1:0")
    yield server, address, ready, metrics
    await server.close()


async def ask(address: str, text: bytes) -> bytes:
    if address.startswith("unix:"):
        reader, writer = await asyncio.open_unix_connection(address.removeprefix("unix://"))
    else:
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(text)
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def test_the_three_pages(admin: tuple[AdminServer, str, Readiness, Metrics]) -> None:
    _, address, ready, metrics = admin
    metrics.commits.labels("done").inc()
    answer = await ask(address, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b'postroom_commits_total{outcome="done"} 1.0' in answer
    assert b"process_resident_memory_bytes" in answer
    assert (await ask(address, b"GET /healthz HTTP/1.1\r\n\r\n")).endswith(b"ok\n")
    assert (await ask(address, b"GET /readyz HTTP/1.1\r\n\r\n")).endswith(b"ready\n")
    ready.problem = "the store does not answer"
    answer = await ask(address, b"GET /readyz HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"the store does not answer" in answer


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /other HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
        (b"GET /healthz?x=1 HTTP/1.1\r\n\r\n", b"200"),
        (b"nonsense\r\n\r\n", b"405"),
        (b"GET\r\n\r\n", b"405"),
    ],
)
async def test_whatever_is_asked_has_an_answer(
    admin: tuple[AdminServer, str, Readiness, Metrics], request_: bytes, status: bytes
) -> None:
    assert (await ask(admin[1], request_)).split(b" ")[1] == status


async def test_a_head_has_no_body(admin: tuple[AdminServer, str, Readiness, Metrics]) -> None:
    assert (await ask(admin[1], b"HEAD /healthz HTTP/1.1\r\n\r\n")).endswith(b"\r\n\r\n")


async def test_a_request_without_end_is_dropped(
    admin: tuple[AdminServer, str, Readiness, Metrics], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await ask(admin[1], b"GET / HTTP/1.1\r\nx: " + b"a" * 100_000) == b""
    monkeypatch.setattr(module, "REQUEST_SECONDS", 0.1)
    assert await asyncio.wait_for(ask(admin[1], b"GET / HT"), 5) == b""


async def test_more_connections_than_may_be_are_dropped(
    admin: tuple[AdminServer, str, Readiness, Metrics], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_CONNECTIONS", 1)
    host, _, port = admin[1].rpartition(":")
    _, slow = await asyncio.open_connection(host, int(port))
    await eventually(lambda: len(admin[0]._open) == 1)
    assert await ask(admin[1], b"GET /healthz HTTP/1.1\r\n\r\n") == b""
    slow.close()


async def test_it_listens_on_a_unix_socket_also_over_an_old_one(tmp_path: Path) -> None:
    address = f"unix://{tmp_path / 'admin.sock'}"
    for _ in range(2):
        server = AdminServer(Metrics(), Readiness())
        await server.start(address)
        assert (await ask(address, b"GET /healthz HTTP/1.1\r\n\r\n")).endswith(b"ok\n")
        await server.close()
