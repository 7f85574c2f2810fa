"""`postroom up` with a stand-in node: the supervisor's own acts, seen without what a node does.

    python -m tests.integration.up_runner up DATA PORT NODES     runs the supervisor
    python -m tests.integration.up_runner node ADDRESS STATE     runs a node: health, and its state file

Releases are written to DATA/released, one nonce a line.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import uuid
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from postroom_server.app.parts import NodeSpec, Parts, StartFailed, UpOptions
from postroom_server.app.places import write_json, write_secret
from postroom_server.app.up import up

DEAF = os.environ.get("STAND_IN_DEAF")
"""Set: the node does not end on SIGTERM."""


TLS = os.environ.get("STAND_IN_TLS")
"""Folder of cert.pem and key.pem for the gateway."""


def node_command(spec: NodeSpec) -> list[str]:
    state = spec.places.node_state(spec.index)
    return [sys.executable, "-m", "tests.integration.up_runner", "node", spec.listen, str(state)]


async def serve(address: str, state: Path) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, (lambda: None) if DEAF else ended.set)
    write_json(
        state, {"pid": os.getpid(), "nonce": uuid.uuid4().hex, "address": address, "admin": "127.0.0.1:1"}
    )
    server = grpc.aio.server()
    ready = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(ready, server)
    await ready.set("", health_pb2.HealthCheckResponse.SERVING)
    server.add_insecure_port(address)
    await server.start()
    await ended.wait()
    await server.stop(0)


async def supervise(data: Path, port: int, nodes: int) -> None:
    async def release(_redis_url: str, nonce: str) -> None:
        with (data / "released").open("a") as file:
            file.write(f"{nonce}\n")

    async def ensure_token(_redis_url: str, _key: Path, token: Path) -> None:
        write_secret(token, b"secret\n")

    options = UpOptions(
        data=data,
        port=port,
        nodes=nodes,
        redis_url=os.environ.get("POSTROOM_REDIS_URL") or None,
        memory="64mb",
        tls=(Path(TLS) / "cert.pem", Path(TLS) / "key.pem") if TLS else None,
    )
    await up(options, Parts(node_command=node_command, release=release, ensure_token=ensure_token))


def main(words: list[str]) -> int:
    try:
        if words[0] == "node":
            asyncio.run(serve(words[1], Path(words[2])))
        else:
            asyncio.run(supervise(Path(words[1]), int(words[2]), int(words[3])))
    except StartFailed as failed:
        print(f"postroom: {failed}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
