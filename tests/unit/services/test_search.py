"""Search filters and label selectors: what they mean, and what is refused by its path."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from postroom.v1.search_pb2 import SearchFilter
from postroom_server.domain.flags import SEEN
from postroom_server.domain.search import MAX_CONDITIONS, Condition, Coverage, Node, Operator
from postroom_server.errors import RequestInvalid
from postroom_server.services.convert.search import coverage_to_proto, filter_from
from postroom_server.services.convert.selectors import selector_from


def read(given: dict[str, Any]) -> Any:
    return filter_from("filter", ParseDict(given, SearchFilter()))


def test_nothing_asked_for_matches_everything() -> None:
    assert filter_from("filter", None) == Condition() == read({}) == read({"condition": {}})


@pytest.mark.rfc("8621", "4.4.1")
def test_a_tree_keeps_its_shape() -> None:
    found = read(
        {
            "operator": "OR",
            "filters": [
                {"condition": {"from": "ann", "hasFlag": "$SEEN", "minSize": "10", "hasAttachment": False}},
                {
                    "operator": "NOT",
                    "filters": [{"condition": {"header": {"name": "List-Id", "value": "x"}}}],
                },
            ],
        }
    )
    assert found == Node(
        operator=Operator.OR,
        filters=(
            Condition(from_="ann", has_flag=SEEN, min_size=10, has_attachment=False),
            Node(operator=Operator.NOT, filters=(Condition(header=("List-Id", "x")),)),
        ),
    )


def test_uids_are_ranges() -> None:
    assert read({"condition": {"uid": "1:100,205, 7:*"}}).uid == ((1, 100), (205, 205), (7, 2**32 - 1))


@pytest.mark.parametrize(
    ("given", "at"),
    [
        ({"condition": {"subject": "a\r\nb"}}, "filter.condition.subject"),
        ({"condition": {"text": "x" * 1001}}, "filter.condition.text"),
        ({"condition": {"hasFlag": "a b"}}, "filter.condition.hasFlag"),
        ({"condition": {"minSize": "-1"}}, "filter.condition.minSize"),
        ({"condition": {"header": {"name": "a:b"}}}, "filter.condition.header.name"),
        ({"condition": {"header": {"name": "A", "value": "\x00"}}}, "filter.condition.header.value"),
        ({"condition": {"uid": "5:1"}}, "filter.condition.uid"),
        ({"condition": {"uid": "a"}}, "filter.condition.uid"),
        ({"condition": {"uid": "4294967296"}}, "filter.condition.uid"),
        ({"condition": {"after": "0001-01-01T00:00:00Z"}}, "filter.condition.after"),
        ({"condition": {}, "operator": "AND"}, "filter.condition"),
        ({"operator": "OR"}, "filter.filters"),
        ({"filters": [{}, {"condition": {"to": "\n"}}]}, "filter.filters[1].condition.to"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_its_path(given: dict[str, Any], at: str) -> None:
    with pytest.raises(RequestInvalid) as caught:
        read(given)
    assert caught.value.violations[0][0] == at


def test_a_filter_is_bounded_in_depth_and_number() -> None:
    deep: dict[str, Any] = {"condition": {"to": "x"}}
    for _ in range(9):
        deep = {"operator": "NOT", "filters": [deep]}
    with pytest.raises(RequestInvalid, match="deeper"):
        read(deep)
    with pytest.raises(RequestInvalid, match="more than"):
        read({"operator": "OR", "filters": [{"condition": {"to": "x"}}] * (MAX_CONDITIONS + 1)})


def test_coverage_is_told() -> None:
    made = coverage_to_proto(
        Coverage(condition="condition.subject", answered_by="SERVER", match="SUBSTRING", complete=True)
    )
    assert (made.answered_by, made.match, made.complete) == (1, 2, True)


@pytest.mark.parametrize(
    ("selector", "labels", "matches"),
    [
        ("", {}, True),
        ("a=1", {"a": "1"}, True),
        ("a=1", {"a": "2"}, False),
        ("a!=1", {}, True),
        ("a!=1", {"a": "1"}, False),
        ("a", {"a": ""}, True),
        ("a", {}, False),
        ("a=1, b=2", {"a": "1", "b": "2"}, True),
        ("a=", {"a": ""}, True),
    ],
)
def test_a_selector_selects(selector: str, labels: dict[str, str], matches: bool) -> None:
    assert selector_from("labelSelector", selector).matches(labels) is matches


@pytest.mark.parametrize(
    "selector", ["=", "a==b==c", "a=1,a=2", "-a=1", "a b", "x" * 3000, ",".join("abcdefghijklmnopqrstuvw")]
)
def test_a_selector_that_is_none_is_refused(selector: str) -> None:
    with pytest.raises(RequestInvalid):
        selector_from("labelSelector", selector)
