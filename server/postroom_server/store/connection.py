"""The one door to the server: commands, pipelines and scripts over a bounded pool of connections.

It owns connections, timeouts and the mapping of foreign exceptions, and refuses keys and meanings. Nothing is sent twice:
retries are off, because a retried write whose first reply was lost is a second write; who gets StoreUnavailable reads
again and compares. The protocol is RESP2, so that every server and every version of the library answers in one shape.
"""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    ConnectionError,  # noqa: A004
    MasterDownError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004
    TryAgainError,
)

from postroom_server.errors import Internal, StoreFull, StoreUnavailable
from postroom_server.store.options import Options
from postroom_server.store.scripts import Script, Value

SCHEMES: Final = ("unix", "redis", "rediss")
PROTOCOL: Final = 2
_AWAY: Final = (
    ConnectionError,
    TimeoutError,
    BusyLoadingError,
    ReadOnlyError,
    MasterDownError,
    ClusterDownError,
    TryAgainError,
)
_FULL_WORDS: Final = ("OOM", "MISCONF")
"""Answers of a server that has no room: in memory, or on the disk of its append-only file."""
_BUSY_WORDS: Final = ("BUSY", "NOREPLICAS", "UNBLOCKED")
"""Answers of a server that cannot serve now and may later."""

Command = tuple[Value, ...]


@contextmanager
def mapped() -> Iterator[None]:
    """Turns what the library raises into StoreUnavailable, StoreFull or Internal; NoScriptError passes."""
    try:
        yield
    except NoScriptError:
        raise
    except _AWAY as error:
        raise StoreUnavailable from error
    except OutOfMemoryError as error:
        raise StoreFull from error
    except ResponseError as error:
        if str(error).startswith(_FULL_WORDS):
            raise StoreFull from error
        if str(error).startswith(_BUSY_WORDS):
            raise StoreUnavailable from error
        raise Internal from error
    except RedisError as error:
        raise Internal from error


class Connection:
    """Connections to one server.

    Args:
        url: `unix:///path`, `redis://[user:password@]host[:port][/db]` or the same with `rediss`.
    """

    def __init__(self, url: str, options: Options) -> None:
        if urlsplit(url).scheme not in SCHEMES:
            raise ValueError(f"the store's URL begins with one of {', '.join(SCHEMES)}")
        self._options = options
        self._url = url
        self._redis = Redis(connection_pool=self._pool(options.connections))
        self._hints = Redis(connection_pool=self._pool(1))
        self._execute: Callable[..., Awaitable[Any]] = self._redis.execute_command

    def __repr__(self) -> str:
        url = urlsplit(self._url)
        return f"<Connection {url.scheme}://{url.hostname or ''}{url.path}>"

    def _pool(self, connections: int) -> BlockingConnectionPool:
        """Connections without a limit of the library's, `limited` sets it.

        The library waits by asyncio.wait_for, which can lose a cancellation before Python 3.12: the task that was
        cancelled would go on.
        """
        return BlockingConnectionPool.from_url(
            self._url,
            max_connections=connections,
            timeout=self._options.pool_wait_s,
            socket_timeout=None,
            socket_connect_timeout=self._options.connect_s,
            retry=Retry(NoBackoff(), 0),
            protocol=PROTOCOL,
        )

    async def do(self, *command: Value) -> Any:
        """The reply to one command."""
        async with self.limited():
            return await self._execute(*command)

    async def batch(self, commands: Sequence[Command], *, atomic: bool = False) -> list[Any]:
        """Replies to commands sent in one round trip; `atomic`: as of one instant (all keys in one slot)."""
        replies = await self._send(commands, atomic=atomic)
        for reply in replies:
            if isinstance(reply, Exception):
                with mapped():
                    raise reply
        return replies

    async def run(self, script: Script) -> list[bytes]:
        """The reply to one script."""
        async with self.limited():
            try:
                return list(await self._execute(*_by_sha(script)))
            except NoScriptError:
                return list(await self._execute(*_by_text(script)))

    async def run_many(self, scripts: Sequence[Script]) -> list[list[bytes]]:
        """Replies to scripts sent in one round trip.

        A script that the server has forgotten did not run, so it is sent once more with its text.
        """
        replies = await self._send([_by_sha(script) for script in scripts])
        unknown = [at for at, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if unknown:
            again = await self._send([_by_text(scripts[at]) for at in unknown])
            for at, reply in zip(unknown, again, strict=True):
                replies[at] = reply
        for reply in replies:
            if isinstance(reply, Exception):
                with mapped():
                    raise reply
        return replies

    def listener(self) -> PubSub:
        """A connection for hints, not connected yet; the caller bounds its reads, and its writes by `limited`."""
        return self._hints.pubsub()

    async def aclose(self) -> None:
        """Closes every connection."""
        await self._redis.aclose(close_connection_pool=True)
        await self._hints.aclose(close_connection_pool=True)

    @asynccontextmanager
    async def limited(self) -> AsyncIterator[None]:
        """A command ends in `command_s`, the wait for a free connection included, or its outcome is unknown."""
        limit = asyncio.timeout(self._options.command_s)
        with mapped():
            try:
                async with limit:
                    yield
            except builtins.TimeoutError as error:
                raise StoreUnavailable from error

    async def _send(self, commands: Sequence[Command], *, atomic: bool = False) -> list[Any]:
        if not commands:
            return []
        async with self.limited(), self._redis.pipeline(transaction=atomic) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            return await pipeline.execute(raise_on_error=False)


def _by_sha(script: Script) -> Command:
    keys = script.keys()
    return ("EVALSHA", script.source().sha, len(keys), *keys, *script.args())


def _by_text(script: Script) -> Command:
    keys = script.keys()
    return ("EVAL", script.source().text, len(keys), *keys, *script.args())
