"""A provider that has forgotten what happened: the account is read whole, and only what differs is told (promises F9, F11)."""

from __future__ import annotations

import pytest
from postroom.v1 import change_pb2
from postroom_server.domain.accounts import SandboxProfile, State
from postroom_server.domain.messages import View
from postroom_server.ids import MessageId
from postroom_server.store import Store

from tests.fixtures.eventually import eventually
from tests.fixtures.live import LiveNode
from tests.fixtures.slots import ANN, message_of, open_ann


@pytest.mark.parametrize("profile", list(SandboxProfile))
async def test_after_forgotten_history_only_what_differs_is_told_and_ids_stay(
    live: LiveNode, store: Store, profile: SandboxProfile
) -> None:
    ann = await open_ann(live, store, profile)
    kept, lost = await ann.arrive("kept"), await ann.arrive("lost")
    first, _ = await ann.told(2)
    await store.sandbox.go_offline(ANN, None)

    async def is_offline() -> bool:
        found = await store.accounts.get(ANN)
        return found is not None and found[1].state is State.UNREACHABLE

    await eventually(is_offline, within=10)
    await ann.label(kept, flags="$flagged")
    await store.sandbox.delete(ANN, [lost])
    await store.sandbox.expire_history(ANN)
    await store.sandbox.clear_faults(ANN)
    (await live.supervisor.worker(ANN, live.call().deadline)).retry()
    changes: list[change_pb2.Change] = []

    async def all_told() -> bool:
        changes[:] = await live.changes("ann", cursor=ann.cursor)
        return {"flags_changed", "message_removed"} <= {one.WhichOneof("fact") for one in changes}

    await eventually(all_told, within=10)
    about = [one for one in changes if str(one.WhichOneof("fact")).startswith(("message", "flags"))]
    assert sorted(str(one.WhichOneof("fact")) for one in about) == ["flags_changed", "message_removed"]
    assert {one.cause.kind for one in about} == {change_pb2.Change.Cause.RESYNC}
    await live.connected("ann")
    (flagged,) = [one.flags_changed.message for one in about if one.HasField("flags_changed")]
    assert flagged == message_of(first)
    message = MessageId(flagged.rpartition("/")[2])
    found = await live.commands.get_message(live.call(), ANN, message, view=View.BASIC, text_budget=0)
    assert found.summary.subject == "kept"
