"""One child: its log, its restarts and its end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from postroom_server.app import children
from postroom_server.app.children import Child, Program

from tests.fixtures.eventually import eventually


async def nothing(_pid: int) -> None:
    pass


def program(folder: Path, text: str, **more) -> Program:
    """A Python program of a few words."""
    parts = {"after_death": nothing, "settled": nothing, **more}
    return Program(
        name="part", command=[sys.executable, "-c", text], environment={}, log=folder / "part.log", **parts
    )


async def test_a_log_that_is_too_large_is_set_aside_while_it_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(children, "MAX_LOG_BYTES", 1000)
    text = "import sys\nprint('x' * 2000, flush=True)\nsys.stdin.read()\nimport time\nprint('y', flush=True)\ntime.sleep(60)"
    child = Child(program(tmp_path, text), lambda: None)
    log = tmp_path / "part.log"
    async with asyncio.TaskGroup() as group:
        group.create_task(child.run())
        await eventually(lambda: log.exists() and log.read_text().endswith("y\n"))
        child.trim_log()
        assert log.read_text() == ""
        assert (tmp_path / "part.log.1").stat().st_size > 2000
        child.trim_log()
        assert (tmp_path / "part.log.1").exists()
        await child.stop(1.0)


async def test_a_child_is_started_again_after_what_its_death_asks_for(tmp_path):
    dead: list[int] = []

    async def after_death(pid: int) -> None:
        dead.append(pid)

    child = Child(program(tmp_path, "raise SystemExit(3)", after_death=after_death), lambda: None)
    async with asyncio.TaskGroup() as group:
        group.create_task(child.run())
        await eventually(lambda: child.deaths >= 3)
        await child.stop(1.0)

    assert len(set(dead)) == len(dead) >= 2


async def test_a_failing_clean_up_does_not_keep_a_child_down(tmp_path, capsys):
    async def fails(_pid: int) -> None:
        raise OSError("the store is gone")

    child = Child(program(tmp_path, "", after_death=fails), lambda: None)
    async with asyncio.TaskGroup() as group:
        group.create_task(child.run())
        await eventually(lambda: child.deaths >= 2)
        await child.stop(1.0)

    assert "the store is gone" in capsys.readouterr().err


async def test_a_program_that_cannot_be_started_is_tried_again(tmp_path, capsys):
    missing = Program(
        name="part",
        command=[str(tmp_path / "missing")],
        environment={},
        log=tmp_path / "part.log",
        after_death=nothing,
        settled=nothing,
    )
    child = Child(missing, lambda: None)
    async with asyncio.TaskGroup() as group:
        group.create_task(child.run())
        await eventually(lambda: child.deaths >= 2)
        await child.stop(1.0)

    assert "cannot be started" in capsys.readouterr().err


@pytest.mark.parametrize("moment", ["before", "between"])
async def test_a_child_that_is_to_stop_is_not_started_again(tmp_path, moment):
    child = Child(program(tmp_path, "raise SystemExit(1)"), lambda: None)
    if moment == "before":
        await child.stop(1.0)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(child.run())
        if moment == "between":
            await eventually(lambda: child.deaths == 1)
            await child.stop(1.0)

    assert child.deaths == (0 if moment == "before" else 1)


@pytest.mark.parametrize("how", ["stopped", "killed"])
async def test_what_a_child_started_ends_with_it(tmp_path, how):
    """Its whole session is ended, also when it ends by itself."""
    inner = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('inner', flush=True); signal.pause()"
    text = f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {inner!r}])\nimport signal; signal.pause()"
    child = Child(program(tmp_path, text), lambda: None)
    async with asyncio.TaskGroup() as group:
        group.create_task(child.run())
        await eventually(
            lambda: (tmp_path / "part.log").exists() and "inner" in (tmp_path / "part.log").read_text()
        )
        pid = child.pid
        if how == "killed":
            os.kill(pid, signal.SIGKILL)
            await eventually(lambda: child.deaths == 1)
            assert not session_members(pid)
        await child.stop(1.0)

    await eventually(lambda: not session_members(pid))


def session_members(session: int) -> list[int]:
    """Processes of a session that are not zombies."""
    found = []
    for one in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = one.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(one.parent.name))
    return found
