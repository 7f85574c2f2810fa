"""Comments of the contract: one on everything, whole sentences, no filler (docs of every client are made from them)."""

from __future__ import annotations

import re

import pytest

from tests.fixtures.contract import ROOT, Contract, Element

MAX_LINES = 310
BANNED = re.compile(r"\b(simply|just|etc|various|information|todo|fixme)\b", re.IGNORECASE)


def said(element: Element) -> str:
    """The comment without indented examples, on one line."""
    return " ".join(line for line in element.comment.splitlines() if not line.startswith("     "))


def test_everything_has_a_comment(contract: Contract) -> None:
    assert [element.name for element in contract.elements() if not element.comment] == []


def test_the_walk_sees_every_kind_of_element(contract: Contract) -> None:
    kinds = {element.kind for element in contract.elements()}
    assert kinds == {"service", "rpc", "message", "field", "oneof", "enum", "value"}


def test_comments_are_whole_sentences(contract: Contract) -> None:
    for element in contract.elements():
        text = said(element).strip()
        assert text[:1].isupper() or text[:1] == "`", element.name
        assert text.endswith((".", "…`.")), element.name


def test_comments_hold_no_filler(contract: Contract) -> None:
    for element in contract.elements():
        assert not BANNED.search(said(element)), element.name


def test_comments_of_messages_and_services_begin_with_the_name(contract: Contract) -> None:
    for element in contract.elements():
        if element.kind in {"message", "service", "enum"}:
            assert said(element).split()[0] == element.name.split(".")[-1], element.name


def test_comments_of_methods_begin_with_a_verb_in_the_third_person(contract: Contract) -> None:
    for element in contract.elements():
        if element.kind == "rpc":
            assert re.match(r"[A-Z][a-z]+s\b", said(element)), element.name


def test_lists_tell_default_and_maximum_of_a_page(contract: Contract) -> None:
    for element in contract.elements():
        if element.name.endswith((".page_size", ".max_changes")):
            assert re.search(r"\d+ by default, at most [\d,]+", said(element)), element.name


@pytest.mark.parametrize(
    "path", sorted((ROOT / "proto/postroom/v1").glob("*.proto")), ids=lambda path: path.name
)
def test_files_are_short(path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES
