"""Cursors: what was written is read back, and nothing else is."""

import random

import pytest
from postroom_server.domain.cursors import AccountPlace, Cursors, ShardPlace, SitePlace, behind
from postroom_server.domain.storage import PointerId, Shard
from postroom_server.errors import CursorForeign, CursorMalformed
from postroom_server.ids import AccountId

KEY = bytes(range(32))
ANN, BOB = AccountId("ann"), AccountId("bob")
NOW = 1_764_000_000_000


@pytest.fixture
def cursors():
    return Cursors(KEY, "store-1")


def test_an_account_cursor_is_read_back(cursors):
    place = AccountPlace(incarnation="1764000000000000", sequence=812)
    assert cursors.read_account(ANN, cursors.account(ANN, place)) == place


def test_a_cursor_of_another_account_is_foreign(cursors):
    cursor = cursors.account(ANN, AccountPlace(incarnation="1", sequence=1))
    with pytest.raises(CursorForeign):
        cursors.read_account(BOB, cursor)


def test_a_cursor_of_another_store_is_foreign(cursors):
    cursor = Cursors(KEY, "store-2").account(ANN, AccountPlace(incarnation="1", sequence=1))
    with pytest.raises(CursorForeign):
        cursors.read_account(ANN, cursor)


def test_a_cursor_of_another_selection_is_foreign(cursors):
    with pytest.raises(CursorForeign):
        cursors.read_account(ANN, cursors.site(SitePlace(base_ms=NOW)))
    with pytest.raises(CursorForeign):
        cursors.read_site(cursors.account(ANN, AccountPlace(incarnation="1", sequence=1)))


@pytest.mark.parametrize("text", ["", "x", "not base64!", "A" * 9_000, "AAAAAAAAAAAAAAAAAAAAAAAA"])
def test_nonsense_is_malformed_or_foreign(cursors, text):
    with pytest.raises((CursorMalformed, CursorForeign)):
        cursors.read_account(ANN, text)


def test_any_changed_character_is_refused(cursors):
    cursor = cursors.account(ANN, AccountPlace(incarnation="17", sequence=3))
    rng = random.Random(3)
    for at in range(len(cursor)):
        other = rng.choice([c for c in "ABCDEFGHabcdefgh0123-_" if c != cursor[at]])
        with pytest.raises((CursorMalformed, CursorForeign)):
            cursors.read_account(ANN, cursor[:at] + other + cursor[at + 1 :])


@pytest.mark.parametrize("seed", range(20))
def test_a_site_cursor_is_read_back(cursors, seed):
    rng = random.Random(seed)
    shards = {
        Shard(shard): ShardPlace(
            at=PointerId(ms=NOW + rng.randint(-1_000_000, 1_000_000), n=rng.randint(0, 20)),
            skip=rng.randint(0, 3),
        )
        for shard in rng.sample(range(256), rng.randint(0, 256))
    }
    place = SitePlace(base_ms=NOW, shards=shards)
    assert cursors.read_site(cursors.site(place)) == place


def test_shards_that_are_not_listed_stand_at_the_base():
    assert SitePlace(base_ms=NOW).of(Shard(7)) == behind(NOW)
    assert behind(NOW).at > PointerId(ms=NOW, n=10_000)
    assert behind(NOW).at < PointerId(ms=NOW + 1, n=0)


def test_a_site_cursor_stays_small(cursors):
    assert len(cursors.site(SitePlace(base_ms=NOW))) < 40
    busy = {Shard(shard): ShardPlace(at=PointerId(ms=NOW + shard, n=0)) for shard in range(256)}
    assert len(cursors.site(SitePlace(base_ms=NOW, shards=busy))) <= 2_048
