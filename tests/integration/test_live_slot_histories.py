"""Random histories at the provider and by calls of ours: the feed, applied in order, gives what the provider has (F4)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest
from postroom.v1 import change_pb2
from postroom_server.backends.sandbox.positions import lasting_key
from postroom_server.domain.flags import Flag
from postroom_server.domain.ports import Outcome
from postroom_server.domain.sandbox_store import SandboxEdit
from postroom_server.errors import MessageNotFound
from postroom_server.ids import MessageId
from postroom_server.store import Store
from postroom_server.workers.places import find
from pyroaring import BitMap

from tests.fixtures.eventually import eventually
from tests.fixtures.live import make_node, sandbox_backends
from tests.fixtures.slots import ANN, LABELS, Ann, looked, message_of

STEPS = 60
FLAGS = ("$seen", "$flagged", "note")
State = dict[str, tuple[frozenset[str], frozenset[str]]]


def applied(changes: list[change_pb2.Change]) -> State:
    """The account as a reader of its feed knows it; each change must fit what was known."""
    state: State = {}
    for change in changes:
        kind = str(change.WhichOneof("fact"))
        if not kind.startswith(("message", "mailboxes", "flags")):
            continue
        fact, name = getattr(change, kind), message_of(change)
        if kind == "message_added":
            assert name not in state, "a message is added once"
            state[name] = (frozenset(fact.message.flags), frozenset(fact.message.mailboxes))
            continue
        flags, boxes = state[name]
        match kind:
            case "message_removed":
                assert frozenset(fact.mailboxes) == boxes
                del state[name]
            case "message_moved":
                assert fact.source in boxes
                assert fact.destination not in boxes
                state[name] = (flags, boxes - {fact.source} | {fact.destination})
            case "mailboxes_changed":
                assert boxes - set(fact.removed) | set(fact.added) == set(fact.mailboxes)
                assert boxes != set(fact.mailboxes), "nothing is told of what did not change"
                state[name] = (flags, frozenset(fact.mailboxes))
            case "flags_changed":
                assert flags - set(fact.removed) | set(fact.added) == set(fact.flags)
                assert flags != set(fact.flags), "nothing is told of what did not change"
                state[name] = (frozenset(fact.flags), boxes)
    return state


class History:
    """What happens to Ann's account."""

    def __init__(self, ann: Ann, seed: int, *, labels: bool) -> None:
        self.ann, self.rng, self.labels = ann, random.Random(seed), labels
        self.boxes = [box for box in ann.boxes if box != "all mail"]
        self.count = 0

    async def numbers(self) -> list[int]:
        return [one.number for one in await self.ann.store.sandbox.rows(ANN, 0)]

    async def provider_step(self) -> None:
        """Something that another client does."""
        store, rng, numbers = self.ann.store.sandbox, self.rng, await self.numbers()
        some = rng.sample(numbers, min(len(numbers), rng.randint(1, 3)))
        what = rng.choice(["arrive", "arrive", "flags", "move", "move", "move back", "labels", "delete"])
        box = rng.choice(self.boxes)
        if what == "arrive" or not some:
            self.count += 1
            await self.ann.arrive(f"m{self.count}", box)
        elif what == "flags":
            await store.edit(ANN, some, SandboxEdit(add_flags=self.flags(), remove_flags=frozenset()))
            await store.edit(ANN, some, SandboxEdit(remove_flags=self.flags()))
        elif what.startswith("move"):
            await store.move(ANN, some, self.ann.boxes[box])
            if what == "move back":
                await store.move(ANN, some, self.ann.boxes[rng.choice(self.boxes)])
        elif what == "labels" and self.labels:
            edit = SandboxEdit(
                enter=frozenset({self.ann.boxes[box]}),
                leave=frozenset({self.ann.boxes[rng.choice(self.boxes)]} - {self.ann.boxes[box]}),
            )
            await store.edit(ANN, some, edit)
        elif what == "delete":
            await store.delete(ANN, some[:1])

    def flags(self) -> frozenset[str]:
        return frozenset(self.rng.sample(FLAGS, self.rng.randint(1, 2)))

    async def own_step(self) -> None:
        """Something that a caller of ours does, as commands do it."""
        node, rng = self.ann.node, self.rng
        known = list(applied(await node.changes("ann")))
        if not known:
            return
        worker = await node.supervisor.worker(ANN, node.call().deadline)
        mail = await worker.ready(node.call())
        message = MessageId(rng.choice(known).rpartition("/")[2])
        if rng.random() < 0.4:
            add = frozenset({Flag(rng.choice(FLAGS))})
            await node.commands.modify(node.call(), ANN, [message], add=add, remove=frozenset())
            return
        try:
            place = await find(worker, message)
        except MessageNotFound:
            return
        box = rng.choice(self.boxes)
        to = next(
            one.row.key for one in worker.ledger.mailboxes.values() if "/".join(one.row.path).lower() == box
        )
        assert mail.mover is not None
        with worker.sync.editing(place.space, [place.number], "own"):
            async for item in mail.mover.move(node.call(), [place.key], None, to):
                if item.outcome is Outcome.DONE:
                    await worker.sync.slots.moved(BitMap([place.number]), None, to)

    async def name(self, box: str) -> str:
        return f"accounts/ann/mailboxes/{(await self.ann.mailboxes())[box].id}"

    async def truth(self) -> State:
        """What the provider has, in the feed's names."""
        found: State = {}
        listed = await self.ann.mailboxes()
        names = {self.ann.boxes[path]: f"accounts/ann/mailboxes/{one.id}" for path, one in listed.items()}
        worker = await self.ann.node.supervisor.worker(ANN, self.ann.node.call().deadline)
        rows = await self.ann.store.sandbox.rows(ANN, 0)
        epoch = (await self.ann.store.sandbox.state(ANN)).epoch
        slots = await worker.sync.slots.index.slots([lasting_key(epoch, one.number) for one in rows])
        assert worker.ledger.messages is not None
        for row in rows:
            place = worker.ledger.messages.space, slots.get(lasting_key(epoch, row.number), 0)
            message = worker.entries.message_id(*place)
            boxes = frozenset(names[one] for one in row.mailboxes)
            found[f"accounts/ann/messages/{message}"] = (frozenset(row.flags), boxes)
        return found


async def several(step: Callable[[], Awaitable[None]], times: int) -> None:
    for _ in range(times):
        await step()


async def at_rest(history: History) -> None:
    """Once all was looked at, the feed gives what the provider has, and so does the snapshot."""
    ann = history.ann
    await looked(await ann.node.supervisor.worker(ANN, ann.node.call().deadline))

    async def agrees() -> bool:
        assert applied(await ann.node.changes("ann")) == await history.truth()
        return True

    await eventually(agrees, within=10)
    for box in history.boxes:
        wanted = {
            one for one, (_, boxes) in (await history.truth()).items() if await history.name(box) in boxes
        }
        assert {f"accounts/ann/messages/{one.id}" for one in await ann.listed(box)} == wanted


@pytest.mark.parametrize("seed", range(2))
async def test_the_feed_gives_what_the_provider_has(ann: Ann, store: Store, seed: int) -> None:
    """Two clients and two callers at once, restarts, and a history that expires."""
    labels = (await store.sandbox.state(ANN)).profile is LABELS
    history = History(ann, seed, labels=labels)
    async with sandbox_backends(store) as backends:
        for turn in range(3):
            await asyncio.gather(
                *(several(history.provider_step, STEPS // 2) for _ in range(2)),
                *(several(history.own_step, STEPS // 4) for _ in range(2)),
            )
            await at_rest(history)
            await ann.node.stop()
            await several(history.provider_step, 10)
            if turn == 1:
                await store.sandbox.expire_history(ANN)
            ann.node = make_node(store, backends)
            await ann.node.connected("ann")
            await at_rest(history)
        await ann.node.stop()
