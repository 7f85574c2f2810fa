"""AccountStore: a record is made once, changed by its revision, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from postroom_server.domain.accounts import Account, Status
from postroom_server.domain.storage import Nonce
from postroom_server.errors import (
    AccountExists,
    AccountGone,
    AccountNotFound,
    EtagMismatch,
    Fenced,
    Internal,
    RequestIdReused,
)
from postroom_server.ids import AccountId
from postroom_server.store import Keyring, Store

from tests.fixtures.eventually import eventually
from tests.fixtures.store import (
    NOON,
    OWNER,
    SHARDS,
    home,
    make_account,
    make_new,
    make_new_submission,
    open_store,
    register,
)
from tests.fixtures.valkey import Valkey

ANN = AccountId("ann")


async def test_an_account_is_read_as_it_was_made(store: Store) -> None:
    await store.accounts.create(make_new(secrets={"imap.password": "hunter2", "oauth.refreshToken": "rt"}))
    found = await store.accounts.get(ANN)
    assert found is not None
    names = frozenset({"imap.password", "oauth.refreshToken"})
    assert found == (replace(make_account(), has_secrets=names), Status())
    assert await store.accounts.secrets(ANN) == {"imap.password": "hunter2", "oauth.refreshToken": "rt"}


async def test_an_account_without_any_option_is_read_as_it_was_made(store: Store) -> None:
    bare = Account(id=AccountId("bare"), create_time=NOON, update_time=NOON)
    await store.accounts.create(replace(make_new(secrets={}), account=bare))
    assert await store.accounts.get(bare.id) == (bare, Status())


async def test_an_id_is_taken_once(store: Store) -> None:
    await store.accounts.create(make_new())
    with pytest.raises(AccountExists):
        await store.accounts.create(make_new())
    page = await store.feed.read(ANN, 1, 10)
    assert page is not None
    assert page.entries == [b"added ann"]


async def test_the_same_request_makes_one_account_whatever_id_it_would_use(store: Store) -> None:
    """AIP-155: same request id, same answer; here by 20 callers at once, each with an id of its own."""
    made = await asyncio.gather(
        *(store.accounts.create(make_new(f"ann{n}", request_id="r-1")) for n in range(20))
    )
    assert len(set(made)) == 1
    assert await store.accounts.page("", 100) == [made[0]]


async def test_a_request_id_with_another_body_is_refused(store: Store) -> None:
    await store.accounts.create(make_new(request_id="r-1"))
    with pytest.raises(RequestIdReused):
        await store.accounts.create(make_new("bob", request_id="r-1", fingerprint="other"))
    assert await store.accounts.get(AccountId("bob")) is None


async def test_a_claim_whose_maker_died_is_taken_over_and_the_late_maker_is_refused(
    valkey: Valkey, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the claim of a request id and the account's creation a node may die, or only pause."""
    monkeypatch.setattr("postroom_server.store.accounts.CLAIM_MS", 50)
    monkeypatch.setattr("postroom_server.store.accounts.CLAIM_MARGIN_MS", 10)
    slow = make_new("slow", request_id="r-1")
    _, latest = await store.accounts._claim(slow)
    assert await store.accounts.create(make_new("quick", request_id="r-1")) == "quick"
    reply = await store._connection.run(store.accounts._creation(slow, latest))
    assert reply == [b"LATE"]
    assert await store.accounts.page("", 10) == ["quick"]


async def test_pages_go_through_all_shards_in_order(store: Store) -> None:
    names = sorted(f"user{n * 7919 % 1000:03d}" for n in range(120))
    for name in names:
        await store.accounts.create(make_new(name))
    for limit in (1, 7, 50, 500):
        seen: list[str] = []
        while page := await store.accounts.page(seen[-1] if seen else "", limit):
            assert len(page) <= limit
            seen += page
        assert seen == names
    by_shard = {
        name for shard in await store.accounts.occupied() for name in await store.accounts.in_shard(shard)
    }
    assert by_shard == set(names)


async def test_get_many_leaves_out_what_is_not_there(store: Store) -> None:
    await store.accounts.create(make_new("ann"))
    await store.accounts.create(make_new("cy"))
    found = await store.accounts.get_many([AccountId(one) for one in ("cy", "bob", "ann")])
    assert [account.id for account, _ in found] == ["cy", "ann"]
    assert await store.accounts.get_many([]) == []


async def test_an_update_wins_only_on_the_expected_revision(store: Store) -> None:
    await store.accounts.create(make_new())
    first = await store.accounts.update(
        make_account(display_name="One"),
        expected_revision=1,
        secrets={"imap.password": None, "smtp.password": "smtp-secret"},
    )
    assert (first.revision, first.has_secrets) == (2, {"smtp.password"})
    with pytest.raises(EtagMismatch):
        await store.accounts.update(make_account(display_name="Two"), expected_revision=1)
    found = await store.accounts.get(ANN)
    assert found is not None
    assert found[0] == first
    assert await store.accounts.secrets(ANN) == {"smtp.password": "smtp-secret"}
    with pytest.raises(AccountNotFound):
        await store.accounts.update(make_account("nobody"), expected_revision=1)


async def test_one_of_many_racing_updates_wins(store: Store) -> None:
    await store.accounts.create(make_new())
    results = await asyncio.gather(
        *(store.accounts.update(make_account(display_name=str(n)), expected_revision=1) for n in range(10)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, EtagMismatch) for one in results) == 9


async def test_a_secret_that_is_moved_to_another_account_does_not_open(valkey: Valkey, store: Store) -> None:
    """Threats: who can write to the store must not learn a password by moving its ciphertext."""
    await store.accounts.create(make_new("ann"))
    await store.accounts.create(make_new("eve", secrets={}))
    ann, eve = (store.accounts._keys.account(AccountId(one)) for one in ("ann", "eve"))
    sealed = await valkey.do("HGET", ann.config, "s:imap.password")
    await valkey.do("HSET", eve.config, "s:imap.password", sealed)
    with pytest.raises(Internal, match="cannot be opened"):
        await store.accounts.secrets(AccountId("eve"))
    await valkey.do("HSET", ann.config, "s:smtp.password", sealed)
    with pytest.raises(Internal, match="cannot be opened"):
        await store.accounts.secrets(ANN)


async def test_a_retired_key_still_opens_what_it_sealed(valkey: Valkey, store: Store) -> None:
    await store.accounts.create(make_new())
    new_key = b"n" * 32
    async with await Store.open(
        valkey.url, Keyring(new_key, retired=[b"0123456789abcdef0123456789abcdef"]), shard_count=SHARDS
    ) as rotated:
        assert await rotated.accounts.secrets(ANN) == {"imap.password": "hunter2"}
        await rotated.accounts.update(make_account(), expected_revision=1, secrets={"imap.password": "new"})
        assert await rotated.accounts.secrets(ANN) == {"imap.password": "new"}


async def test_only_the_owner_deletes_and_only_once(store: Store) -> None:
    head = await register(store)
    with pytest.raises(Fenced):
        await store.accounts.delete(ANN, Nonce("other"), head.incarnation, b"removed")
    with pytest.raises(AccountGone):
        await store.accounts.delete(ANN, OWNER, "1", b"removed")
    await store.accounts.delete(ANN, OWNER, head.incarnation, b"removed")
    with pytest.raises(AccountGone):
        await store.accounts.delete(ANN, OWNER, head.incarnation, b"removed")
    assert await store.accounts.get(ANN) is None
    assert await store.snapshots.head(ANN) is None
    assert await store.accounts.page("", 10) == []
    assert await store.feed.removed(ANN)


async def test_the_last_entry_outlives_the_account_in_the_reading_order(store: Store) -> None:
    head = await register(store)
    await store.accounts.delete(ANN, OWNER, head.incarnation, b"removed")
    page = await store.feed.read(ANN, 2, 10)
    assert page is not None
    assert page.entries == [b"removed"]
    order = await store.feed.heads([home("ann")])
    assert order[home("ann")].total == 2
    last = (await store.feed.order({home("ann"): order[home("ann")].head}, 1)).pointers[home("ann")]
    assert last == []


async def test_nothing_of_a_deleted_account_is_left(valkey: Valkey) -> None:
    """F42: 0 keys of the account once its grave has expired."""
    async with await open_store(valkey, grave_ms=50) as store:
        head = await register(store)
        await store.sandbox.open(ANN, "ann@sandbox.example")
        await store.sandbox.append(ANN, 1, b"raw", frozenset(), NOON)
        await store.outbox.submit(make_new_submission(request_id="r-1"))
        await store.outbox.submit(make_new_submission("s2"))
        assert len(await valkey.keys("*a:ann:*")) >= 10
        await store.accounts.delete(ANN, OWNER, head.incarnation, b"removed")
        await eventually(lambda: _none_of(valkey, "*ann*"), within=2)
        assert await store.sandbox.find("ann@sandbox.example") is None
        assert await store.feed.read(ANN, 1, 1) is None
        assert await store.outbox.next_due([home("ann")]) is None
        with pytest.raises(AccountGone):
            await store.outbox.submit(make_new_submission("s3"))
        assert await valkey.keys("*a:ann:*") == []


async def _none_of(valkey: Valkey, pattern: str) -> bool:
    return await valkey.keys(pattern) == []


async def test_an_account_that_is_made_again_never_reuses_a_sequence(store: Store) -> None:
    """Feed: a new incarnation's sequences begin 1,000,000 above the old one's."""
    head = await register(store)
    await store.accounts.delete(ANN, OWNER, head.incarnation, b"removed")
    await store.accounts.create(make_new())
    again = await store.snapshots.head(ANN)
    assert again is not None
    assert again.incarnation != head.incarnation
    assert (again.sequence, again.low) == (2_000_001, 2_000_001)
    page = await store.feed.read(ANN, 2_000_001, 10)
    assert page is not None
    assert page.entries == [b"added ann"]
    assert not await store.feed.removed(ANN)


async def test_a_deleted_accounts_request_id_makes_a_new_account(store: Store) -> None:
    await store.accounts.create(make_new(request_id="r-1"))
    await store.leases.acquire([home("ann")], OWNER, "node:1")
    head = await store.snapshots.head(ANN)
    assert head is not None
    await store.accounts.delete(ANN, OWNER, head.incarnation, b"removed")
    assert await store.accounts.create(make_new("bob", request_id="r-1")) == "bob"


async def test_a_name_that_is_no_secret_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="not the name of a secret"):
        await store.accounts.create(make_new(secrets={"imap.user": "x"}))


async def test_deleting_an_account_touches_no_other(valkey: Valkey, store: Store) -> None:
    """T16: ids that contain, begin or end with one another, in every shape that an id may have."""
    names = ["a", "aa", "a.b", "a@b", "a+b", "a-b", "a_b", "A", "a.", "0", "a" * 128, "ann@example.org"]
    heads = {name: await register(store, name) for name in names}
    for name in names:
        await store.outbox.submit(make_new_submission("s1", name, request_id="r-1"))
        await store.sandbox.open(AccountId(name), f"{name.lower()}.{len(name)}@sandbox.example")
    for gone in ("a", "ann@example.org"):
        kept = {key for key in await valkey.keys("*:a:*") if f":a:{gone}:" not in key}
        await store.accounts.delete(AccountId(gone), OWNER, heads[gone].incarnation, b"removed")
        left = set(await valkey.keys("*:a:*"))
        assert kept <= left
        assert {key.rpartition(":")[2] for key in left - kept} == {"meta", "feed"}
    assert len(await store.accounts.page("", 100)) == len(names) - 2


async def test_what_a_provider_can_is_noted_beside_the_record_by_the_owner_only(store: Store) -> None:
    await register(store)
    await store.accounts.probed(ANN, OWNER, {"push": ["IDLE"]})
    found = await store.accounts.get(ANN)
    assert found is not None
    assert found[0].capabilities == {"push": ["IDLE"]}
    assert found[0].revision == 1
    with pytest.raises(Fenced):
        await store.accounts.probed(ANN, Nonce("another"), {})
    with pytest.raises((AccountGone, Fenced)):
        await store.accounts.probed(AccountId("nobody"), OWNER, {})


async def test_sequences_are_not_used_again_after_the_grave_has_gone_either(valkey: Valkey) -> None:
    """F1: positions are never reused."""
    async with await open_store(valkey, grave_ms=50) as store:
        head = await register(store)
        await store.accounts.delete(ANN, OWNER, head.incarnation, b"removed")

        async def is_gone() -> bool:
            return await store.snapshots.head(ANN) is None

        await eventually(is_gone)
        await asyncio.sleep(0.1)
        again = await register(store)
        assert again.sequence > 1_000_000
