"""The store needs few rights: its own keys and channels, and no command that reads or changes the server (threats T26)."""

from __future__ import annotations

import pytest
from postroom_server.domain.storage import Commit
from postroom_server.errors import Internal
from postroom_server.ids import AccountId
from postroom_server.store import Keyring, Options, Store

from tests.fixtures.store import KEY, NOON, OWNER, SHARDS, home, make_new_submission, register
from tests.fixtures.valkey import Valkey

ANN = AccountId("ann")
RULES = (
    *("resetkeys", "resetchannels", "-@all", "~pr:*", "&pr:*"),
    *("+@read", "+@write", "+@scripting", "+@transaction", "+@pubsub", "+@connection", "+time", "+info"),
    *("-keys", "-flushall", "-flushdb", "-@admin", "-sort", "-restore", "-migrate", "-swapdb"),
)


async def test_the_whole_way_under_a_user_with_few_rights(valkey: Valkey) -> None:
    await valkey.do("ACL", "SETUSER", "postroom", "on", ">pass", *RULES)
    url = valkey.url.replace("unix://", "unix://postroom:pass@")
    async with await Store.open(url, Keyring(KEY), shard_count=SHARDS) as store:
        head = await register(store)
        async with store.feed.hints() as hints:
            assert await anext(hints) == home("ann")
            await store.snapshots.commit(
                Commit(account=ANN, nonce=OWNER, incarnation=head.incarnation, sequence=1, entries=[b"one"])
            )
            assert await anext(hints) == home("ann")
        await store.outbox.submit(make_new_submission(request_id="r-1"))
        assert len(await store.outbox.take(ANN, OWNER, 5_000, 5)) == 1
        await store.sandbox.open(ANN, "ann@sandbox.example")
        await store.sandbox.append(ANN, 1, b"x", frozenset(), NOON)
        assert len(await store.accounts.page("", 10)) == 1
        await store.leases.beat(OWNER, "node:1", {})
        assert len(await store.leases.nodes()) == 1
        await store.accounts.delete(ANN, OWNER, head.incarnation, b"removed")
        for refused in (("CONFIG", "GET", "*"), ("KEYS", "*"), ("FLUSHALL",), ("SET", "foreign", "1")):
            with pytest.raises(Internal):
                await store._connection.do(*refused)


async def test_a_wrong_password_is_not_shown(valkey: Valkey) -> None:
    await valkey.do("CONFIG", "SET", "requirepass", "right")
    with pytest.raises(Exception, match=r"^The store does not answer") as failed:
        await Store.open(
            valkey.url.replace("unix://", "unix://:wr0ng@"),
            Keyring(KEY),
            shard_count=SHARDS,
            options=Options(),
        )
    chain: BaseException | None = failed.value
    while chain is not None:
        assert "wr0ng" not in f"{chain!s} {chain!r}"
        chain = chain.__cause__
