"""Postroom ends as it is told to: in order and within its bound, or at once and completely."""

from __future__ import annotations

import asyncio
import stat
import subprocess
from typing import Any

import aiohttp
import psutil
import pytest

from tests.fixtures.eventually import eventually
from tests.fixtures.postroom import PROGRAM, Up
from tests.fixtures.rest import NDJSON, SSE, Rest

ENDS_WITHIN = 5.0
COLD_START = 6.0


async def test_sigterm_ends_everything_in_order_and_streams_with_an_end_frame(
    own_postroom: Up, web: aiohttp.ClientSession, watch: Any
) -> None:
    rest = Rest(web, own_postroom.url, own_postroom.token)
    account = await rest.account(sandbox={})
    watchers = [await watch(rest, account, NDJSON), await watch(rest, "accounts/-", SSE)]
    processes = own_postroom.processes()
    assert len(processes) >= 4
    took = await asyncio.to_thread(own_postroom.stop)
    assert took <= ENDS_WITHIN
    assert own_postroom.processes() == []
    for watcher in watchers:
        await eventually(lambda watcher=watcher: watcher.breaks, within=ENDS_WITHIN)
        assert watcher.frames[-1]["end"]["reason"] == "DRAINING"


async def test_nothing_outlives_a_killed_supervisor(own_postroom: Up) -> None:
    assert len(own_postroom.processes()) >= 4
    own_postroom.kill("supervisor")
    await eventually(lambda: own_postroom.processes() == [], within=ENDS_WITHIN)


async def test_started_again_on_its_folder_it_goes_on_where_it_was(
    own_postroom: Up, web: aiohttp.ClientSession
) -> None:
    rest = Rest(web, own_postroom.url, own_postroom.token)
    account = await rest.account(sandbox={})
    cursor = (await rest.get(f"/v1/{account}/changes?from=EARLIEST"))["cursor"]
    token = own_postroom.token
    own_postroom.stop()
    own_postroom.start()
    assert own_postroom.token == token
    await rest.state(account, "CONNECTED")
    page = await rest.get(f"/v1/{account}/changes?cursor={cursor}")
    assert "reset" not in page


def test_the_folder_keeps_its_secrets_to_its_owner(postroom: Up) -> None:
    for name in ("token", "key"):
        assert stat.S_IMODE((postroom.data / name).stat().st_mode) == 0o600


def test_up_json_tells_the_processes_that_run(postroom: Up) -> None:
    up = postroom.up
    pids = [
        up["supervisor"]["pid"],
        up["gateway"]["pid"],
        up["valkey"]["pid"],
        *(one["pid"] for one in up["nodes"]),
    ]
    assert all(psutil.pid_exists(pid) for pid in pids)
    assert up["gateway"]["url"] == postroom.url
    assert up["valkey"]["address"].startswith("unix:///")


@pytest.mark.parametrize("what", ["folder", "port"])
def test_a_second_start_is_refused_with_a_sentence(what: str, postroom: Up, tmp_path: Any) -> None:
    data = postroom.data if what == "folder" else tmp_path
    done = subprocess.run(
        [PROGRAM, "up", "--data", data, "--port", str(postroom.port), "--dev"],
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert done.returncode not in {0, None}
    assert "Traceback" not in done.stderr
    assert (str(postroom.data) if what == "folder" else str(postroom.port)) in done.stderr + done.stdout
    assert postroom.healthy()


def test_it_is_ready_soon(own_postroom: Up) -> None:
    own_postroom.stop()
    assert own_postroom.start() <= COLD_START
