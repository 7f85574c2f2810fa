"""One node: from its settings to a served address, and gracefully to its end.

It owns the order of starting and stopping. Start: say who we are (the supervisor must know the nonce before we hold a
lease), connect the store, serve, then take shards. Stop on SIGTERM: health says NOT_SERVING, watches end in-band, calls
finish, leases go back, connections close.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import uvloop

from postroom_server.app.bootstrap import KeyUnusable
from postroom_server.app.places import write_json
from postroom_server.app.server import Server
from postroom_server.app.wiring import Parts, build
from postroom_server.domain.storage import Nonce
from postroom_server.errors import StoreUnavailable
from postroom_server.settings import Settings
from postroom_server.store import StoreUnfit
from postroom_server.telemetry.admin import AdminServer
from postroom_server.telemetry.logging import configure_logging, get_logger

STORE_WAIT_SECONDS: Final = 30.0
"""How long a node waits for its store at start."""
STORE_PAUSE_SECONDS: Final = 0.02
LAG_SECONDS: Final = 1.0
CLOSE_SECONDS: Final = 1.0

log = get_logger("node")


def run(settings: Settings) -> int:
    """Runs a node until SIGTERM or SIGINT; the exit code."""
    configure_logging(
        level=settings.log_level.value, json=settings.log_json, bound={"node": settings.shown_name}
    )
    try:
        uvloop.run(_node(settings))
    except (KeyUnusable, StoreUnfit, OSError) as error:
        print(f"postroom: {error}", file=sys.stderr)  # noqa: T201 - the last word to whoever started us
        return 1
    except StoreUnavailable:
        print("postroom: the store does not answer", file=sys.stderr)  # noqa: T201 - as above
        return 1
    return 0


async def _node(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    nonce, started = Nonce(secrets.token_hex(16)), datetime.now(UTC)
    _say(settings, nonce, "")
    parts = await _built(settings, nonce, started)
    admin = AdminServer(parts.metrics, lambda: _ready(parts))
    server = Server(settings, parts)
    try:
        _say(settings, nonce, await admin.start(settings.admin))
        await server.start()
        await _serve(settings, parts, server, stop)
    finally:
        await admin.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await parts.aclose()


async def _built(settings: Settings, nonce: Nonce, started: datetime) -> Parts:
    """The parts, once the store answers."""
    until = asyncio.get_running_loop().time() + STORE_WAIT_SECONDS
    while True:
        try:
            return await build(settings, nonce, started)
        except StoreUnavailable:
            if asyncio.get_running_loop().time() >= until:
                raise
            await asyncio.sleep(STORE_PAUSE_SECONDS)


async def _serve(settings: Settings, parts: Parts, server: Server, stop: asyncio.Event) -> None:
    log.info("the node serves", listen=settings.listen)
    async with asyncio.TaskGroup() as group:
        running = [
            group.create_task(parts.supervisor.run()),
            group.create_task(parts.tailer.run()),
            group.create_task(parts.outbox.run()),
            group.create_task(_measure(parts)),
        ]
        await stop.wait()
        log.info("the node drains")
        parts.tailer.stop()
        parts.dialogues.stop()
        async with asyncio.TaskGroup() as draining:
            draining.create_task(server.drain(settings.drain_seconds))
            draining.create_task(parts.outbox.drain(settings.drain_seconds))
        await parts.ownership.leave()
        for task in running:
            task.cancel()
    log.info("the node has ended")


async def _measure(parts: Parts) -> None:
    """Keeps the gauges that nobody counts up."""
    loop, metrics = asyncio.get_running_loop(), parts.metrics
    while True:
        due = loop.time() + LAG_SECONDS
        await asyncio.sleep(LAG_SECONDS)
        metrics.loop_lag.set(max(loop.time() - due, 0.0))
        metrics.shards.set(len(parts.ownership.shards))
        metrics.watchers.set(parts.tailer.watchers)
        states: dict[str, int] = {}
        for worker in parts.supervisor.workers():
            state = worker.ledger.status.state.value
            states[state] = states.get(state, 0) + 1
        metrics.accounts.clear()
        for state, number in states.items():
            metrics.accounts.labels(state).set(number)


async def _ready(parts: Parts) -> str:
    try:
        await parts.store.ping()
    except StoreUnavailable:
        return "the store does not answer"
    return ""


def _say(settings: Settings, nonce: Nonce, admin: str) -> None:
    """Tells the supervisor who we are, before anything can be held under our nonce."""
    if settings.data is not None:
        path = Path(settings.data) / f"node-{settings.index}.json"
        write_json(path, {"pid": os.getpid(), "nonce": nonce, "admin": admin})
