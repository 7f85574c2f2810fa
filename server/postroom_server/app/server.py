"""The gRPC server of a node: the contract, health, reflection, and its drain.

It owns the server's options and the order of stopping: health first, so that Envoy looks elsewhere, then the streams end
in-band by themselves, then calls finish within the drain's bound. The interceptors and their order are `services.chain`.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from postroom_server.app.wiring import Parts
from postroom_server.services.chain import interceptors
from postroom_server.services.contract import services
from postroom_server.settings import Settings

MAX_MESSAGE_BYTES: Final = 36 * 1024 * 1024
MAX_METADATA_BYTES: Final = 12 * 1024 * 1024
"""Room for the raw JSON body (8 MiB, in base64) that the gateway hands on beside the message."""
MAX_STREAMS: Final = 10_000
LAST_CALLS_SECONDS: Final = 0.3
"""Between the end of the drain and the end of everything."""
OPTIONS: Final = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.max_concurrent_streams", MAX_STREAMS),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
)


class Server:
    """Serves one node's parts at its address."""

    def __init__(self, settings: Settings, parts: Parts) -> None:
        self._settings = settings
        self._health = HealthServicer()
        self._server = grpc.aio.server(
            options=OPTIONS,
            interceptors=interceptors(
                parts.registry,
                metrics=parts.metrics,
                authenticator=parts.authenticator,
                directory=parts.directory,
                relay=parts.relay,
            ),
        )
        self._server.add_generic_rpc_handlers(tuple(parts.registry.generic_handlers()))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if settings.reflection or settings.dev:
            names = [str(one.full_name) for one in services()]
            reflection.enable_server_reflection((*names, reflection.SERVICE_NAME), self._server)

    async def start(self) -> None:
        """Listens. Raises OSError when the address cannot be used."""
        address = _free(self._settings.listen)
        try:
            self._server.add_insecure_port(address)
            await self._server.start()
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address}: {error}") from None
        if address.startswith("unix:"):
            os.chmod(address.removeprefix("unix:"), 0o600)  # noqa: PTH101 - one system call at start
        await self._health.set("", health_pb2.HealthCheckResponse.SERVING)

    async def drain(self, seconds: float) -> None:
        """Stops taking calls, lets those in flight finish within `seconds`, then ends them."""
        await self._health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
        async with asyncio.timeout(seconds + LAST_CALLS_SECONDS):
            await self._server.stop(seconds)


def _free(address: str) -> str:
    """The address as gRPC writes it; the socket that an earlier process left there is removed."""
    if not address.startswith("unix:"):
        return address
    path = Path(address.removeprefix("unix:").removeprefix("//"))
    path.unlink(missing_ok=True)
    return f"unix:{path}"
