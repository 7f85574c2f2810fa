"""Previews show what a person wrote, on one line, in bounded time."""

from __future__ import annotations

import time

import pytest
from postroom_server.domain.mime.preview import MAX_PREVIEW, preview_of


@pytest.mark.parametrize(
    ("text", "html", "wanted"),
    [
        ("Hello\r\n\r\nBen,  at noon?", None, "Hello Ben, at noon?"),
        ("> you said\n\nI say\n-- \nAda\n", "<p>other</p>", "I say"),
        ("On Monday Ben wrote:\n> lunch?\n\nYes.", None, "Yes."),
        ("", "<head><title>T</title></head><style>p{}</style><p>Fish &amp; chips</p>", "Fish & chips"),
        (None, "<!-- <p>no</p> --><p>yes<br>indeed", "yes indeed"),
        (None, "<blockquote>theirs</blockquote>mine", "mine"),
        (None, "<script>never ends", ""),
        ("a\u200bb\x07c", None, "abc"),
        (None, None, ""),
    ],
)
def test_a_preview_is_what_was_written(text: str | None, html: str | None, wanted: str) -> None:
    assert preview_of(text, html) == wanted


def test_a_long_text_is_cut_and_says_so() -> None:
    found = preview_of("word " * 1_000, None)
    assert len(found) <= MAX_PREVIEW
    assert found.endswith("…")


@pytest.mark.parametrize("piece", ["<style", "<!--", "<style>", "</", "On x wrote:\n", "&", "> \n"])
def test_hostile_pages_take_no_time(piece: str) -> None:
    began = time.monotonic()
    preview_of(piece * 200_000, None)
    preview_of(None, piece * 200_000)
    assert time.monotonic() - began < 0.5
