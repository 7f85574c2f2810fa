"""A server in cluster mode refuses a script that touches two slots; every script is run against one (I9)."""

from __future__ import annotations

import hashlib
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from postroom_server.domain.keys import ItemKey
from postroom_server.domain.outbox import SubmissionState
from postroom_server.domain.sandbox_store import SandboxEdit
from postroom_server.domain.storage import Bucket, Chunk, Commit, KeyChunk, PointerId, Position, Step
from postroom_server.domain.tokens import Token
from postroom_server.ids import AccountId, TokenId
from postroom_server.store import Store
from pyroaring import BitMap

from tests.fixtures.eventually import eventually
from tests.fixtures.store import NOON, OWNER, home, make_account, make_new, make_new_submission, open_store
from tests.fixtures.valkey import Valkey

ANN = AccountId("ann")


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


@pytest.fixture
async def clustered() -> AsyncIterator[Store]:
    """A store on one server that owns every slot of a cluster."""
    folder = Path(tempfile.mkdtemp(prefix="valkey-"))
    server = Valkey(folder)
    port, bus = free_ports(2)
    try:
        await server.start(
            *("--cluster-enabled", "yes", "--port", str(port), "--cluster-port", str(bus)),
            *("--bind", "127.0.0.1", "--protected-mode", "yes"),
        )
        await server.do("CLUSTER", "ADDSLOTSRANGE", "0", "16383")

        async def whole() -> bool:
            return b"cluster_state:ok" in str(await server.do("CLUSTER", "INFO")).encode().replace(
                b"': '", b":"
            )

        await eventually(whole)
        async with await open_store(server) as store:
            yield store
    finally:
        await server.kill()
        shutil.rmtree(folder, ignore_errors=True)


async def test_every_script_keeps_to_one_slot(clustered: Store) -> None:
    store = clustered
    await store.accounts.create(make_new(request_id="r-1"))
    assert await store.accounts.create(make_new("other", request_id="r-1")) == "ann"
    await store.accounts.update(make_account(), expected_revision=1, secrets={"smtp.password": "x"})
    await store.leases.acquire([home("ann")], OWNER, "node:1")
    await store.leases.renew([home("ann")], OWNER)
    await store.leases.beat(OWNER, "node:1", {})
    head = await store.snapshots.head(ANN)
    assert head is not None
    await store.snapshots.commit(
        Commit(
            account=ANN,
            nonce=OWNER,
            incarnation=head.incarnation,
            sequence=1,
            positions={1: (None, Position(space=1, mailbox=1, epoch=1))},
            chunks={(1, 0): Chunk(members=BitMap([1]))},
            key_chunks={(1, 0): KeyChunk(keys={1: ItemKey(b"k")})},
            buckets={(1, 0): Bucket(prints={1: 7})},
            entries=[b"one"],
        )
    )
    assert len(await store.snapshots.all_chunks(ANN, 1)) == 1
    assert len(await store.snapshots.key_chunks(ANN, 1, [0])) == 1
    assert len(await store.snapshots.buckets(ANN, 1, [0])) == 1
    await store.outbox.submit(make_new_submission(raw=bytes(2_000_000), request_id="r-2"))
    assert await store.outbox.due(home("ann"), OWNER, 5_000, 5) == [ANN]
    (item,) = await store.outbox.take(ANN, OWNER, 5_000, 5)
    done = replace(item, state=SubmissionState.RELAYED)
    assert await store.outbox.step(
        Step(
            nonce=OWNER,
            expected_state=item.state,
            expected_attempt=1,
            submission=done,
            due_ms=None,
            entry=b"relayed",
        )
    )
    await store.sandbox.open(ANN, "ann@sandbox.example")
    await store.sandbox.append(ANN, 1, b"x", frozenset(), NOON)
    await store.sandbox.edit(ANN, [1], SandboxEdit(add_flags=frozenset({"a"})))
    await store.sandbox.append(ANN, 2, b"y", frozenset(), NOON)
    await store.sandbox.copy(ANN, [1], 3)
    await store.sandbox.delete(ANN, [1])
    await store.sandbox.create_mailbox(ANN, ["New"])
    await store.sandbox.expire_history(ANN)
    assert len(await store.sandbox.mailboxes(ANN)) == 7
    page = await store.feed.read(ANN, 1, 10)
    assert page is not None
    assert len(page.entries) == 4
    assert (await store.feed.order({home("ann"): PointerId(ms=0, n=0)}, 9)).pointers[home("ann")][
        -1
    ].total == 4
    await store.accounts.delete(ANN, OWNER, head.incarnation, b"removed")
    await store.sandbox.drop(ANN)
    await store.leases.release([home("ann")], OWNER)


async def test_tokens_keep_to_one_slot(clustered: Store) -> None:
    token = Token(
        id=TokenId("t1"), display_name="", scopes=frozenset(), accounts=frozenset(), create_time=NOON
    )
    secret = hashlib.sha256(b"x").digest()
    await clustered.tokens.create(token, secret)
    assert await clustered.tokens.by_secret(secret) == token
    await clustered.tokens.touch(token.id, NOON)
    assert await clustered.tokens.revoke(token.id)
