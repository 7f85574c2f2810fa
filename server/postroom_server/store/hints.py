"""Hints: which channels have just been written to, over one connection for all listeners of this process.

It owns that connection, its keep-alive and its return after a loss, and refuses meanings. A hint carries no truth: any
may be lost. Whatever a listener may have missed, before its channels were confirmed or while the connection was away, is
told as a gap. Nothing is queued: a listener holds each item once, however often it was hinted.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Generic, TypeVar

from redis.asyncio.client import PubSub

from postroom_server.errors import StoreUnavailable
from postroom_server.store.connection import Connection, mapped
from postroom_server.telemetry.logging import get_logger

QUIET_S: Final = 10.0
"""After this silence a ping is sent; after the same silence again the connection is given up."""
FIRST_PAUSE_S: Final = 0.05
LONGEST_PAUSE_S: Final = 1.0

_log = get_logger("store")

Item = TypeVar("Item")


class Listener(Generic[Item]):
    """What one consumer has not looked at yet.

    Args:
        channels: Names of the channels.
        item: What (channel, payload) means to the consumer.
    """

    def __init__(self, channels: Iterable[str], item: Callable[[str, bytes], Item]) -> None:
        self.channels = frozenset(channels)
        self._item = item
        self._unconfirmed = set(self.channels)
        self._items: dict[Item, None] = {}
        self._gap = False
        self._woken = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Listener channels={len(self.channels)} waiting={len(self._items)} gap={self._gap}>"

    async def wait(self) -> tuple[bool, list[Item]]:
        """Waits for news: (whether something may have been missed, items hinted since the last call)."""
        await self._woken.wait()
        self._woken.clear()
        news = self._gap, list(self._items)
        self._gap, self._items = False, {}
        return news

    def miss(self) -> None:
        """Something may have been missed."""
        self._gap = True
        self._woken.set()

    def hear(self, channel: str, payload: bytes) -> None:
        """A hint came."""
        self._items[self._item(channel, payload)] = None
        self._woken.set()

    def disconnect(self) -> None:
        """Nothing is heard until the channels are confirmed again."""
        self._unconfirmed = set(self.channels)

    def confirm(self, channel: str) -> None:
        """A channel is heard from now on; when it was the last one, what came before is a gap."""
        self._unconfirmed.discard(channel)
        if not self._unconfirmed:
            self.miss()


class Hints:
    """Listens for every consumer of this process."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._listeners: dict[str, set[Listener[Any]]] = {}
        self._confirmed: set[str] = set()
        self._live: PubSub | None = None
        self._task: asyncio.Task[None] | None = None
        self._any = asyncio.Event()

    @asynccontextmanager
    async def listen(
        self, channels: Iterable[str], item: Callable[[str, bytes], Item]
    ) -> AsyncIterator[Listener[Item]]:
        """A listener, which learns of a gap as soon as its channels are heard."""
        listener = Listener(channels, item)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="store hints")
        new = listener.channels.difference(self._listeners)
        for channel in listener.channels:
            self._listeners.setdefault(channel, set()).add(listener)
        self._any.set()
        try:
            for channel in (listener.channels & self._confirmed) - new:
                listener.confirm(channel)
            await self._tell("ssubscribe", new)
            yield listener
        finally:
            for channel in listener.channels:
                self._listeners[channel].discard(listener)
            left = [channel for channel in listener.channels if not self._listeners[channel]]
            for channel in left:
                del self._listeners[channel]
            self._confirmed.difference_update(left)
            await self._tell("sunsubscribe", left)

    async def _tell(self, verb: str, channels: Iterable[str]) -> None:
        """Changes the subscription if the connection is there; when it is lost, its return subscribes to all."""
        names = list(channels)
        if self._live is not None and names:
            with suppress(StoreUnavailable):
                async with self._connection.limited():
                    await getattr(self._live, verb)(*names)

    async def _run(self) -> None:
        """Keeps a connection for as long as the store is open."""
        pause = FIRST_PAUSE_S
        while True:
            await self._any.wait()
            began = asyncio.get_running_loop().time()
            try:
                await self._session()
            except StoreUnavailable:
                _log.info("store hints lost")
            except Exception:  # noqa: BLE001 - else every listener would wait for ever
                _log.exception("store hints failed")
            if asyncio.get_running_loop().time() - began > QUIET_S:
                pause = FIRST_PAUSE_S
            await asyncio.sleep(pause * (0.5 + random.random() / 2))
            pause = min(2 * pause, LONGEST_PAUSE_S)

    async def _session(self) -> None:
        """Hears until the connection is lost."""
        async with self._connection.listener() as pubsub:
            try:
                with mapped():
                    self._confirmed.clear()
                    for listener in set().union(*self._listeners.values()):
                        listener.disconnect()
                    wanted = set(self._listeners)
                    async with self._connection.limited():
                        if wanted:
                            await pubsub.ssubscribe(*wanted)
                        else:
                            await pubsub.connect()
                        self._live = pubsub
                        late = set(self._listeners) - wanted
                        if late:
                            await pubsub.ssubscribe(*late)
                    await self._hear(pubsub)
            finally:
                self._live = None

    async def _hear(self, pubsub: PubSub) -> None:
        asked = False
        while True:
            message = await pubsub.get_message(timeout=QUIET_S)
            if message is None:
                if asked:
                    raise StoreUnavailable
                asked = True
                async with self._connection.limited():
                    await pubsub.ping()
                continue
            asked = False
            match message["type"]:
                case "smessage":
                    channel = message["channel"].decode()
                    for listener in self._listeners.get(channel, ()):
                        listener.hear(channel, message["data"])
                case "ssubscribe":
                    channel = message["channel"].decode()
                    self._confirmed.add(channel)
                    for listener in self._listeners.get(channel, ()):
                        listener.confirm(channel)

    async def aclose(self) -> None:
        """Ends the connection."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
