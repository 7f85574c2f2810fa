"""The port ChangeSource, one suite for every provider: what changed since a cursor, and hints to look.

The truth is what another client sees; the mirror keeps what the observations say, by their definition alone.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import Self

import pytest
from postroom_server.domain.flags import FLAGGED, SEEN, Flag
from postroom_server.domain.keys import ScopeId
from postroom_server.domain.ports import MailAccount, Numbering, ProviderCursor, Wakeup
from postroom_server.errors import ProviderCursorExpired

from tests.contract.letters import LETTERS, letter
from tests.contract.mirror import Mirror, mirror_of
from tests.fixtures.worlds import World, call

PLAIN = letter("plain").raw
QUIET_SECONDS = 0.8
"""After this silence no hint is on its way any more."""
BLIND_LOOKS = 10
"""Where nothing counts flag changes, one look in so many names the scope."""
FLAGS = ("$seen", "$flagged", "$answered", "project-x")


@pytest.fixture(
    params=["sandbox", "sandbox_labels", "sandbox_folders", "imap", "imap_condstore", "imap_bare"]
)
def world(request: pytest.FixtureRequest) -> World:
    """Every implementation of the port, and IMAP by each of its roads to changes."""
    return request.getfixturevalue(f"{request.param}_world")


@pytest.fixture
async def mirror(account: MailAccount) -> Mirror:
    """The inbox, not looked at yet."""
    return await mirror_of(account)


async def stale(account: MailAccount, mirror: Mirror) -> bool:
    return mirror.scope in await account.stale(call(), {mirror.scope: mirror.cursor})


async def test_a_whole_reading_is_the_truth(mirror, world):
    """Every message with its flags, and nothing else."""
    for turn, one in enumerate(LETTERS):
        await world.put(one.raw, flags=FLAGS[: turn % 4])
    gone = await world.put(PLAIN)
    await world.expunge([gone])
    assert await mirror.look(call()) == dict(await world.truth())


async def test_an_empty_mailbox_has_a_cursor_too(mirror, world):
    """Nothing is a place as well: what comes next is seen from there."""
    assert await mirror.look(call()) == {}
    number = await world.put(PLAIN)
    assert await mirror.look(call()) == {number: frozenset()}


async def test_changes_since_a_cursor_are_exactly_the_differences(mirror, world):
    """Added, flags, gone; what did not change is not named."""
    kept, flagged, doomed = [await world.put(PLAIN, flags=["$seen"]) for _ in range(3)]
    await mirror.look(call())
    new = await world.put(PLAIN)
    await world.flag([flagged], add=["$flagged"], remove=["$seen"])
    await world.expunge([doomed])
    state = await mirror.look(call())
    assert state == {kept: {SEEN}, flagged: {FLAGGED}, new: frozenset()} == dict(await world.truth())
    assert mirror.shown >= {new, flagged}
    assert mirror.shown == {new, flagged} or not world.declares.exact
    assert mirror.gone == {doomed}


async def test_nothing_is_named_when_nothing_changed(mirror, world):
    """F10: an account without changes produces none, however often it is looked at."""
    await world.put(PLAIN)
    await mirror.look(call())
    for _ in range(3):
        before = dict(mirror.state)
        assert await mirror.look(call()) == before
        assert mirror.gone == set()
        assert mirror.shown == set() or not world.declares.exact


async def test_the_same_cursor_gives_the_same_changes_again(mirror, account, world):
    """A commit that was lost is made again from the old cursor, with the same end."""
    await world.put(PLAIN)
    await mirror.look(call())
    again = mirror.again()
    await world.put(PLAIN)
    await world.flag(list(mirror.state), add=["$answered"])
    first, second = await mirror.look(call()), await again.look(call())
    assert first == second == dict(await world.truth())
    assert again.shown == mirror.shown


async def test_a_cursor_is_never_the_same_after_a_change(mirror, world):
    """Two different positions never have equal bytes; where changes are counted, not even after one was taken back."""
    seen: set[ProviderCursor | None] = set()

    async def moved_on() -> None:
        await mirror.look(call())
        assert mirror.cursor not in seen
        seen.add(mirror.cursor)

    await moved_on()
    number = await world.put(PLAIN)
    await moved_on()
    await world.flag([number], add=["$seen"])
    await moved_on()
    await world.flag([number], remove=["$seen"])
    if world.declares.exact:
        await moved_on()
    await world.expunge([number])
    await moved_on()


@pytest.mark.parametrize("seed", [1, 2])
async def test_following_a_busy_mailbox_never_loses_the_truth(mirror, world, seed):
    """A random walk of another client, looked at after random numbers of steps."""
    chance = random.Random(seed)
    numbers: list[int] = []
    for _ in range(40):
        act = chance.choice(("put", "put", "flag", "flag", "flag", "expunge"))
        if act == "put" or not numbers:
            numbers.append(await world.put(PLAIN, flags=chance.sample(FLAGS, chance.randrange(3))))
        elif act == "flag":
            some = chance.sample(numbers, min(len(numbers), chance.randrange(1, 4)))
            added, removed = chance.sample(FLAGS, 2)
            await world.flag(some, add=[added], remove=[removed])
        else:
            await world.expunge([numbers.pop(chance.randrange(len(numbers)))])
        if chance.random() < 0.4:
            assert await mirror.look(call()) == dict(await world.truth())
    assert await mirror.look(call()) == dict(await world.truth())


async def test_a_look_during_changes_misses_nothing(mirror, world):
    """What came while we read is in this look or in the next one."""

    async def writing() -> None:
        for turn in range(15):
            number = await world.put(PLAIN)
            await world.flag([number], add=["$seen"])
            if turn % 3 == 0:
                await world.expunge([number])

    async with asyncio.TaskGroup() as group:
        task = group.create_task(writing())
        while not task.done():
            await mirror.look(call())
    assert await mirror.look(call()) == dict(await world.truth())


async def test_keywords_are_flags_like_others(mirror, world):
    """In lower case, whatever the other client wrote."""
    number = await world.put(PLAIN, flags=["$forwarded", "project-x"])
    assert await mirror.look(call()) == {number: {Flag("$forwarded"), Flag("project-x")}}


async def test_mailboxes_have_positions_of_their_own(account, world):
    """What happens in one is no news in the other."""
    inbox, archive = [await mirror_of(account, path) for path in ("INBOX", "Sent")]
    await inbox.look(call())
    await archive.look(call())
    number = await world.put(PLAIN, "Sent")
    assert await inbox.look(call()) == {}
    assert await archive.look(call()) == {number: frozenset()}


async def test_a_cursor_of_another_epoch_has_expired(mirror, world):
    """UIDVALIDITY changed (RFC 3501 section 2.3.1.1): said before the first page, and a whole reading goes on."""
    await world.put(PLAIN)
    await mirror.look(call())
    epoch = mirror.epoch
    await world.renumber()
    with pytest.raises(ProviderCursorExpired) as caught:
        await mirror.look(call())
    numbered = mirror.account.capabilities.numbering is Numbering.PROVIDER
    lasting = {"HISTORY_EXPIRED", "DELTA_EXPIRED"}
    assert caught.value.kind in ({"UIDVALIDITY_CHANGED"} if numbered else lasting)
    fresh = Mirror(mirror.account, mirror.scope, mirror.mailbox)
    assert await fresh.look(call()) == dict(await world.truth())
    assert fresh.epoch != epoch


# --- stale


async def test_a_changed_scope_is_always_named_stale(mirror, account, world):
    """It may name too many, never too few: new mail, flags, removals."""
    number = await world.put(PLAIN)
    assert await stale(account, mirror), "never looked at"
    await mirror.look(call())
    await world.put(PLAIN)
    assert await stale(account, mirror), "new mail"
    await mirror.look(call())
    await world.flag([number], add=["$flagged"])
    looks = 1 if world.declares.exact else BLIND_LOOKS
    assert any([await stale(account, mirror) for _ in range(looks)]), "flags"
    await mirror.look(call())
    await world.expunge([number])
    assert await stale(account, mirror), "removal"


async def test_a_quiet_scope_is_not_named_stale(mirror, account, world):
    """Looking at everything all the time is not the cheapest look."""
    await world.put(PLAIN)
    await mirror.look(call())
    assert not await stale(account, mirror)


async def test_reading_does_not_make_a_scope_stale(mirror, account, world):
    """Nor do counts, nor a look by another client."""
    await world.put(PLAIN)
    await mirror.look(call())
    await account.list_mailboxes(call(), counts=True)
    await world.truth()
    assert not await stale(account, mirror)


# --- wake-ups


@pytest.fixture
def pushed(account: MailAccount) -> None:
    """The provider pushes; without it the polling floor is all there is."""
    if not account.capabilities.push:
        pytest.skip("capability: the provider pushes nothing")


class Ear:
    """Listens to wake-ups while its context is open."""

    def __init__(self, account: MailAccount, *scopes: ScopeId) -> None:
        self._context = account.wakeups(scopes)
        self._next: asyncio.Task[Wakeup] | None = None

    async def __aenter__(self) -> Self:
        self._hints = await self._context.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._next is not None:
            self._next.cancel()
            await asyncio.wait({self._next})
        await self._context.__aexit__(*error)  # type: ignore[arg-type]

    async def hint(self, seconds: float) -> Wakeup | None:
        """The next hint, None when there is none in time."""
        if self._next is None:
            self._next = asyncio.create_task(anext(self._hints))
        done, _ = await asyncio.wait({self._next}, timeout=seconds)
        if not done:
            return None
        task, self._next = self._next, None
        return task.result()

    async def quiet(self) -> None:
        """Returns when no hint has come for a while."""
        while await self.hint(QUIET_SECONDS):
            pass


async def woken(ear: Ear, scope: ScopeId, seconds: float) -> bool:
    """Whether a hint that means this scope comes in time."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        hint = await ear.hint(left)
        if hint and (not hint.scopes or scope in hint.scopes):
            return True
    return False


@pytest.mark.usefixtures("pushed")
async def test_new_mail_is_hinted_at(account, mirror, world):
    """Within the time that the provider declares; the hint is no truth, the look that follows is."""
    async with Ear(account, mirror.scope) as ear:
        await mirror.look(call())
        await ear.quiet()
        await world.deliver(PLAIN)
        assert await woken(ear, mirror.scope, world.declares.hint_seconds)
        assert await mirror.look(call()) == dict(await world.truth())
        assert len(mirror.state) == 1


@pytest.mark.usefixtures("pushed")
async def test_flags_and_removals_are_hinted_at(account, mirror, world):
    """Not only new mail."""
    number = await world.put(PLAIN)
    async with Ear(account, mirror.scope) as ear:
        await ear.quiet()
        await world.flag([number], add=["$flagged"])
        assert await woken(ear, mirror.scope, world.declares.hint_seconds)
        await ear.quiet()
        await world.expunge([number])
        assert await woken(ear, mirror.scope, world.declares.hint_seconds)


@pytest.mark.usefixtures("pushed")
async def test_calls_go_on_while_hints_are_awaited(account, mirror, world):
    """The watch has a connection of its own."""
    await world.put(PLAIN)
    async with Ear(account, mirror.scope) as ear:
        for _ in range(5):
            await mirror.look(call(3.0))
            assert await account.list_mailboxes(call(3.0), counts=True)
        await ear.quiet()
        await world.put(PLAIN)
        assert await woken(ear, mirror.scope, world.declares.hint_seconds)


@pytest.mark.usefixtures("pushed")
async def test_a_burst_is_few_hints(account, mirror, world):
    """At most one hint per scope is pending, however much happens while nobody listens."""
    async with Ear(account, mirror.scope) as ear:
        await ear.quiet()
        for _ in range(20):
            await world.put(PLAIN)
        await mirror.look(call())
        hints = 0
        while await ear.hint(QUIET_SECONDS):
            hints += 1
    assert 1 <= hints <= 6


@pytest.mark.usefixtures("pushed")
async def test_hints_can_be_awaited_again(account, mirror, world):
    """Closing the context ends the push and leaves the account usable."""
    for _ in range(3):
        async with Ear(account, mirror.scope) as ear:
            await ear.hint(0.01)
    async with Ear(account, mirror.scope) as ear:
        await ear.quiet()
        await world.put(PLAIN)
        assert await woken(ear, mirror.scope, world.declares.hint_seconds)
