"""What accounts whose messages keep their keys cost the store: bytes per message, and commands of the first reading."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import cast

import pytest
from postroom_server.backends.sandbox import SandboxBackend
from postroom_server.domain.accounts import Account, SandboxProfile
from postroom_server.domain.ports import Call, MailAccount
from postroom_server.domain.providers import CredentialSource
from postroom_server.store import Store

from tests.fixtures.live import LiveNode, make_node, sandbox_backends
from tests.fixtures.slots import ANN, FOLDERS, LABELS, letter
from tests.fixtures.store import NOON, open_store
from tests.fixtures.valkey import Valkey

MESSAGES = 10_000
BYTES_PER_MESSAGE = 24
SCRIPTS = 100


@pytest.fixture
async def store(valkey: Valkey) -> AsyncIterator[Store]:
    """A store whose sandbox accounts may hold them all."""
    async with await open_store(valkey, sandbox_messages=2 * MESSAGES) as opened:
        yield opened


class Grown(SandboxBackend):
    """Sandbox accounts that were there before they were registered: what they hold is no news."""

    async def open(self, call: Call, account: Account, credentials: CredentialSource) -> MailAccount:
        return cast("MailAccount", GrownAccount(await super().open(call, account, credentials)))


class GrownAccount:
    """An open account that says so."""

    def __init__(self, mail: MailAccount) -> None:
        self._mail = mail
        self.capabilities = replace(mail.capabilities, begins_empty=False)

    def __getattr__(self, name: str) -> object:
        return getattr(self._mail, name)


@pytest.fixture
async def grown(store: Store) -> AsyncIterator[LiveNode]:
    async with sandbox_backends(store) as backends:
        for kind, backend in backends.items():
            backends[kind] = Grown(store.sandbox, backend._parser, backend._clock)  # type: ignore[attr-defined]
        node = make_node(store, backends)
        try:
            yield node
        finally:
            await node.stop()


async def commands(valkey: Valkey) -> dict[str, int]:
    """Calls of each command so far."""
    info = await valkey.do("INFO", "commandstats")
    lines = info.items() if isinstance(info, dict) else []
    return {name.removeprefix("cmdstat_"): int(found["calls"]) for name, found in lines}


@pytest.mark.parametrize("profile", [LABELS, FOLDERS])
async def test_the_first_reading_of_ten_thousand_is_cheap(
    valkey: Valkey, store: Store, grown: LiveNode, profile: SandboxProfile
) -> None:
    """Silent, in few commits; what is kept of a message is a few bytes."""
    await store.sandbox.open(ANN, "ann@example.org", profile)
    boxes = [one.number for one in await store.sandbox.mailboxes(ANN) if one.role != "all"]
    seen = frozenset({"$seen"})
    for start in range(0, MESSAGES, 50):
        numbers = range(start, start + 50)
        await asyncio.gather(
            *(store.sandbox.append(ANN, boxes[one % 50 == 0], letter("x"), seen, NOON) for one in numbers)
        )
    before = await commands(valkey)
    await grown.add("ann", profile=profile)
    await grown.connected("ann", within=30)
    after = await commands(valkey)
    spent = {
        name: calls - before.get(name, 0) for name, calls in after.items() if calls > before.get(name, 0)
    }
    snap = store.snapshots._keys.account(ANN).snap
    held = await valkey.do("MEMORY", "USAGE", snap, "SAMPLES", "0")
    scripts = spent.get("evalsha", 0) + spent.get("eval", 0)
    print(
        f"\n{profile}: {held / MESSAGES:.1f} B per message, {scripts} scripts, {sum(spent.values())} commands, {spent}"
    )
    assert [one for one in await grown.kinds("ann") if one.startswith("message")] == []
    worker = await grown.supervisor.worker(ANN, grown.call().deadline)
    assert worker.ledger.messages is not None
    assert worker.ledger.messages.count == MESSAGES
    assert held / MESSAGES <= BYTES_PER_MESSAGE
    assert scripts <= SCRIPTS
