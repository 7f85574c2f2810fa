"""Item keys of providers that number their messages: what goes in comes out, and sets speak of the same keys."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from postroom_server.domain.keys import NumberedKeys, ScopeId, by_scope, item_key, split_key
from pyroaring import BitMap

scopes = st.binary(min_size=1, max_size=300).map(ScopeId)
numbers = st.integers(min_value=0, max_value=2**32 - 1)
places = st.tuples(scopes, numbers, numbers)


@given(places)
def test_a_key_says_what_it_was_made_of(place):
    """Any scope bytes, also those that look like numbers."""
    assert split_key(item_key(*place)) == place


@given(places, places)
def test_two_places_never_share_a_key(one, other):
    """Equal keys mean equal places, however long the scopes are."""
    if item_key(*one) == item_key(*other):
        assert one == other


@given(scopes, numbers, st.sets(numbers, max_size=50))
def test_a_set_of_keys_is_the_keys_of_its_numbers(scope, epoch, members):
    """Iteration yields each key once, by rising number; the length is their count."""
    keys = NumberedKeys(scope=scope, epoch=epoch, numbers=BitMap(members))
    assert list(keys) == [item_key(scope, epoch, number) for number in sorted(members)]
    assert len(keys) == len(members)


@given(st.lists(places, max_size=50))
def test_grouping_keeps_every_key_and_its_order(listed):
    """by_scope loses nothing, doubles nothing and keeps the order within a group."""
    groups = by_scope([item_key(*place) for place in listed])
    for (scope, epoch), found in groups.items():
        assert list(found) == [one[2] for one in listed if one[:2] == (scope, epoch)]
    assert sum(map(len, groups.values())) == len(listed)
