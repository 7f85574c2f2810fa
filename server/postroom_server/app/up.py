"""`postroom up`: the store, the nodes and the gateway of one machine, started, watched and stopped together.

It owns what runs and in which order it stops; `up.json` says where. It refuses to hold state of its own: kill it, and
everything it started dies with it, to be found again by the next start from what the store holds.

    start   Valkey, the nodes and Envoy at once: each waits for what it needs
    death   of a node: its leases are released first, since its nonce is known to be dead; then it is started again
    stop    the nodes (they drain), Envoy, Valkey; all within five seconds
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from postroom_server.app import places as files
from postroom_server.app.children import Child, Program, say
from postroom_server.app.envoy import GatewayOptions, GatewayUnusable, envoy_command, render
from postroom_server.app.parts import NodeSpec, Parts, StartFailed, UpOptions
from postroom_server.app.places import FolderInUse, Places
from postroom_server.app.valkey import (
    StoreUnusable,
    ValkeyOptions,
    sync_always,
    valkey_command,
    wait_until_answering,
)
from postroom_server.app.welcome import welcome

START_TIMEOUT = 60.0
"""Seconds from an answering store to the first answer of the gateway."""
START_DEATHS = 5
"""Deaths of one part before the start is given up."""
POLL_INTERVAL = 0.02
"""Seconds between two looks at a part that starts."""
PROBE_TIMEOUT = 1.0
"""Seconds that one health probe may take."""
MAX_PROBE_REPLY = 1024
"""Bytes of the answer to a health probe that are read."""
LOG_INTERVAL = 10.0
"""Seconds between two looks at how large the logs are."""
RELEASE_INTERVAL = 0.25
"""Seconds between two tries to release a dead node's leases."""
NODE_STOP = 3.3
"""Seconds that the nodes have to drain."""
ENVOY_STOP = 0.5
VALKEY_STOP = 1.0


class Supervisor:
    """Everything that runs for one data folder.

    Args:
        options: What was asked for; the port is one that is free.
        places: The prepared data folder.
        parts: What to run and call.
    """

    def __init__(self, options: UpOptions, places: Places, parts: Parts) -> None:
        self._options, self._places, self._parts = options, places, parts
        self._stop = asyncio.Event()
        self._is_ready = False
        store = ValkeyOptions(
            folder=places.valkey,
            socket=places.socket("valkey"),
            durability=options.durability,
            **({"memory": options.memory} if options.memory else {}),
        )
        self._redis_url = options.redis_url or store.url
        self._environment = {**os.environ, "POSTROOM_REDIS_URL": self._redis_url}
        self._valkey = None if options.redis_url else self._valkey_child(store)
        self._nodes = [self._node_child(index) for index in range(1, options.nodes + 1)]
        self._envoy = self._envoy_child()

    def __repr__(self) -> str:
        return f"<Supervisor {self._places.data} {self._children()}>"

    @property
    def url(self) -> str:
        """Where callers reach the gateway."""
        host = self._options.host
        shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
        return f"{'https' if self._options.tls else 'http'}://{shown}:{self._options.port}"

    def stop(self) -> None:
        """Begins the end; `run` returns when it is done."""
        self._stop.set()

    async def run(self) -> None:
        """Runs everything until `stop`.

        Raises:
            ExceptionGroup: Of StartFailed, when a part does not come up.
        """
        self._places.up.unlink(missing_ok=True)  # of a supervisor that was killed
        earlier = self._earlier_nonces()
        try:
            async with asyncio.TaskGroup() as group:
                for child in self._children():
                    group.create_task(child.run())
                beside = [group.create_task(self._start(earlier)), group.create_task(self._trim_logs())]
                try:
                    await self._stop.wait()
                finally:
                    for task in beside:
                        task.cancel()
                    await self._stop_children()
        finally:
            self._places.up.unlink(missing_ok=True)
            self._places.remove_sockets()

    async def _sync(self) -> None:
        """Keeps our own store's file on disk, where it does not do so by itself."""
        if self._valkey and self._options.durability == "kill":
            await sync_always(self._places.valkey)

    def _children(self) -> list[Child]:
        store = [self._valkey] if self._valkey else []
        return [*store, *self._nodes, self._envoy]

    # --- the parts ------------------------------------------------------------------------------------------------

    def _child(
        self,
        name: str,
        command: list[str],
        settled: Callable[[int], Awaitable[None]],
        after_death: Callable[[int], Awaitable[None]] | None = None,
    ) -> Child:
        program = Program(
            name=name,
            command=command,
            environment=self._environment,
            log=self._places.log(name),
            after_death=after_death or _nothing,
            settled=settled,
        )
        return Child(program, self._publish)

    def _valkey_child(self, store: ValkeyOptions) -> Child:
        async def answers(_pid: int) -> None:
            await wait_until_answering(store.socket)

        return self._child("valkey", valkey_command(store), answers)

    def _node_child(self, index: int) -> Child:
        state = self._places.node_state(index)
        spec = NodeSpec(index=index, listen=self._address(index), places=self._places, dev=self._options.dev)

        async def has_said_who_it_is(pid: int) -> None:
            while True:
                said = files.read_state(state)
                if said.get("pid") == pid and said.get("admin"):
                    return
                await asyncio.sleep(POLL_INTERVAL)

        async def release(pid: int) -> None:
            said = files.read_state(state)
            if said.get("pid") == pid and said.get("nonce"):
                await self._release(str(said["nonce"]))

        return self._child(f"node-{index}", self._parts.node_command(spec), has_said_who_it_is, release)

    async def _release(self, nonce: str) -> None:
        """Releases a dead node's leases; the store may have died with it and be on its way back."""
        while True:
            try:
                return await self._parts.release(self._redis_url, nonce)
            except Exception as error:  # noqa: BLE001 - the caller's time-out ends this, and the leases run out
                say(f"the leases of a dead node are not released yet: {error}")
            await asyncio.sleep(RELEASE_INTERVAL)

    def _envoy_child(self) -> Child:
        admin = self._places.socket("envoy-admin")
        config = render(
            GatewayOptions(
                listen=f"{self._options.host}:{self._options.port}",
                admin=f"unix://{admin}",
                nodes=tuple(self._address(index) for index in range(1, self._options.nodes + 1)),
                cors_origins=self._options.cors_origins,
                tls=self._options.tls,
            )
        )
        files.write_secret(self._places.envoy, config.encode())

        async def serves(_pid: int) -> None:
            while True:
                if await _is_healthy(self.url):
                    return
                await asyncio.sleep(POLL_INTERVAL)

        return self._child("envoy", envoy_command(self._places.envoy), serves)

    def _address(self, index: int) -> str:
        return f"unix://{self._places.socket(f'node-{index}')}"

    # --- start and stop -------------------------------------------------------------------------------------------

    def _earlier_nonces(self) -> list[str]:
        """Of the nodes of an earlier supervisor: they died with it, so their leases need not run out."""
        states = self._places.node_states()
        said = [files.read_state(state).get("nonce") for state in states]
        for state in states:
            state.unlink()
        return [str(nonce) for nonce in said if nonce]

    async def _start(self, earlier: list[str]) -> None:
        if self._valkey:
            await self._wait_for(self._valkey)
        try:
            async with asyncio.timeout(START_TIMEOUT):
                for nonce in earlier:
                    await self._parts.release(self._redis_url, nonce)
                await self._parts.ensure_token(self._redis_url, self._places.key, self._places.token)
                for child in (*self._nodes, self._envoy):
                    await self._wait_for(child)
        except TimeoutError:
            raise StartFailed(self._late()) from None
        except StartFailed:
            raise
        except Exception as error:
            raise StartFailed(f"the store cannot be used: {error}") from error
        self._is_ready = True
        self._publish()
        _show(self.url, self._places, self._options.tls)

    async def _wait_for(self, child: Child) -> None:
        while not child.is_settled.is_set():
            for one in self._children():
                if one.deaths >= START_DEATHS:
                    raise StartFailed(f"{one.name} does not start; its log ends with:\n{one.tail()}")
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_INTERVAL * 5):
                    await child.is_settled.wait()

    def _late(self) -> str:
        late = [child for child in self._children() if not child.is_settled.is_set()]
        tails = "\n".join(f"--- {child.name}\n{child.tail()}" for child in late)
        return f"not ready after {START_TIMEOUT:g} s\n{tails}"

    async def _trim_logs(self) -> None:
        while True:
            for child in self._children():
                child.trim_log()
            await asyncio.sleep(LOG_INTERVAL)

    async def _stop_children(self) -> None:
        await asyncio.gather(*(node.stop(NODE_STOP) for node in self._nodes))
        await self._envoy.stop(ENVOY_STOP)
        if self._valkey:
            await self._valkey.stop(VALKEY_STOP)

    def _publish(self) -> None:
        """Rewrites `up.json`, once everything has come up."""
        if not self._is_ready or self._stop.is_set():
            return
        nodes = []
        for index, node in enumerate(self._nodes, 1):
            said = files.read_state(self._places.node_state(index))
            nodes.append({"pid": node.pid, "address": self._address(index), "admin": said.get("admin", "")})
        content = {
            "supervisor": {"pid": os.getpid()},
            "gateway": {"pid": self._envoy.pid, "url": self.url},
            "nodes": nodes,
            "valkey": {
                "pid": self._valkey.pid if self._valkey else None,
                "address": _without_password(self._redis_url),
            },
        }
        try:
            files.write_json(self._places.up, content)
        except OSError as error:
            say(f"{self._places.up} cannot be written: {error}")


async def _nothing(_pid: int) -> None:
    """What most parts need after a death."""


async def _is_healthy(url: str) -> bool:
    """Whether the gateway answers and has a node; its certificate is for callers to check, by their name for it."""
    target, writer, tls = urlsplit(url), None, None
    if target.scheme == "https":
        tls = ssl.create_default_context()
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            reader, writer = await asyncio.open_connection(target.hostname, target.port, ssl=tls)
            writer.write(b"GET /healthz HTTP/1.1\r\nhost: postroom\r\nconnection: close\r\n\r\n")
            return (await reader.read(MAX_PROBE_REPLY)).startswith(b"HTTP/1.1 200")
    except (OSError, TimeoutError):
        return False
    finally:
        if writer is not None:
            writer.close()


def free_port(host: str, port: int) -> int:
    """`port` if it can be bound on `host`, a free one for 0.

    Raises:
        StartFailed: It is in use, or the host is not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StartFailed(
                f"cannot listen on {host}:{port}: {error.strerror}; choose another --port"
            ) from None
        return int(probe.getsockname()[1])


def _without_password(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"


def _show(url: str, places: Places, tls: tuple[Path, Path] | None) -> None:
    """Tells the person who started it what they can do now."""
    try:
        print(welcome(url, places, tls[0] if tls else None), flush=True)  # noqa: T201 - for people
    except OSError as error:
        say(f"Postroom is up at {url}; {error}")


def _raise_file_limit() -> None:
    """Lets the parts open as many files as the system allows: each connection is one, and the usual limit is 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


_ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


async def up(options: UpOptions, parts: Parts | None = None) -> None:
    """Runs Postroom on one machine until SIGTERM, SIGINT or SIGHUP.

    Raises:
        StartFailed: It did not come up; nothing is left running.
    """
    try:
        held = files.lock(options.data)
    except FolderInUse as error:
        raise StartFailed(str(error)) from None
    try:
        await _run_locked(options, parts or Parts())
    except (GatewayUnusable, StoreUnusable, OSError) as error:
        raise StartFailed(str(error)) from error
    finally:
        os.close(held)


async def _run_locked(options: UpOptions, parts: Parts) -> None:
    _raise_file_limit()
    os.umask(0o077)  # what the parts write, the store's file above all, is their owner's only
    options = replace(options, port=free_port(options.host, options.port))
    supervisor = Supervisor(options, files.prepare(options.data), parts)
    loop = asyncio.get_running_loop()
    for number in _ENDS:
        loop.add_signal_handler(number, supervisor.stop)
    try:
        await supervisor.run()
    except* StartFailed as failed:
        raise StartFailed(str(failed.exceptions[0])) from None
    finally:
        for number in _ENDS:
            loop.remove_signal_handler(number)
