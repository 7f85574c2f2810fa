"""ServerService: unpack, call, pack."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from postroom.v1 import server_service_pb2 as pb
from postroom.v1.server_service_pb2_grpc import ServerServiceServicer

from postroom_server.domain.leases import LeaseStore
from postroom_server.services.calling import Context
from postroom_server.services.convert.fields import set_time, to_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """What does not change while the server runs."""

    version: str
    shard_count: int
    retention_seconds: float
    retention_account_bytes: int


class ServerServicer(ServerServiceServicer):
    """Serves what the server says of itself.

    Each node tells of itself in its heartbeat: `name`, `shards`, `accounts`, `startTime` (RFC 3339), beside `address`.
    """

    def __init__(self, leases: LeaseStore, facts: ServerFacts) -> None:
        self._leases, self._facts = leases, facts

    async def GetServerInfo(
        self, request: pb.GetServerInfoRequest, context: Context
    ) -> pb.GetServerInfoResponse:
        """Version, nodes, retention."""
        nodes = await self._leases.nodes()
        return pb.GetServerInfoResponse(
            version=self._facts.version,
            nodes=[_node(nonce, seen) for nonce, seen in sorted(nodes.items())],
            shard_count=self._facts.shard_count,
            retention=to_duration(self._facts.retention_seconds),
            retention_account_bytes=self._facts.retention_account_bytes,
        )


def _node(nonce: str, seen: Mapping[str, str]) -> pb.Node:
    made = pb.Node(
        name=seen.get("name", "") or nonce,
        address=seen.get("address", ""),
        shards=_count(seen.get("shards", "")),
        accounts=_count(seen.get("accounts", "")),
    )
    with suppress(ValueError):
        set_time(made, "start_time", datetime.fromisoformat(seen.get("startTime", "")))
    return made


def _count(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else 0
