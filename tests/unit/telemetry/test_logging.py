"""Log lines: their shape, and what never stands in one (threats T18)."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from postroom_server.telemetry.logging import configure_logging, get_logger
from postroom_server.telemetry.redact import MASK, mask_text, redact

CANARY = "hunter2-canary"


@pytest.fixture
def lines() -> Iterator[Any]:
    stream = io.StringIO()
    before = structlog.get_config()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging(level="debug", stream=stream, bound={"node": "n1"})
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.configure(**before)
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_is_one_object_with_what_is_bound(lines: Any) -> None:
    structlog.contextvars.bind_contextvars(request_id="r1")
    get_logger("sync").info("mailbox read", account="a1", messages=3)
    (line,) = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "mailbox read",
        "level": "info",
        "part": "sync",
        "node": "n1",
        "request_id": "r1",
        "account": "a1",
        "messages": 3,
    }


def test_lines_of_other_libraries_join_ours(lines: Any) -> None:
    logging.getLogger("grpc").warning("Bearer %s was %d", "abcdefgh12345678", 7)
    (line,) = lines()
    assert (line["logger"], line["level"]) == ("grpc", "warning")
    assert line["event"] == f"Bearer {MASK} was 7"


@pytest.mark.parametrize(
    "keys",
    [
        {"password": CANARY},
        {"Authorization": CANARY},
        {"access-token": CANARY},
        {"settings": {"imap": {"password": CANARY}}},
        {"headers": [("subject", CANARY)]},
        {"raw": CANARY.encode()},
        {"url": f"redis://:{CANARY}@host/0"},
        {"note": f"password={CANARY}, and so on"},
        {"note": f'{{"secret": "{CANARY}"}}'},
        {"note": "Bearer " + CANARY},
        {"deep": {"a": {"b": {"c": {"d": {"e": CANARY}}}}}},
        {"mail": f"{CANARY}@example.com"},
        {"prm": "prm_" + CANARY},
    ],
)
def test_a_secret_never_stands_in_a_line(lines: Any, keys: dict[str, Any]) -> None:
    get_logger("x").info("said", **keys)
    assert CANARY not in json.dumps(lines())


def test_an_exception_is_told_by_type_and_place_without_its_variables(lines: Any) -> None:
    def fails(password: str) -> None:
        raise ValueError(f"password={password} of ann@example.com is wrong")

    try:
        fails(CANARY)
    except ValueError as error:
        get_logger("x").error("failed", exc_info=error)
    (line,) = lines()
    assert line["error"] == "builtins.ValueError"
    assert line["trace"][-1].endswith("fails")
    assert CANARY not in json.dumps(line)
    assert "ann@" not in json.dumps(line)


def test_long_values_are_cut_and_odd_ones_do_not_break_a_line(lines: Any) -> None:
    get_logger("x").info("said", big="x" * 100_000, odd=object(), many=list(range(10_000)), lone="\udc80")
    (line,) = lines()
    assert len(line["big"]) < 3_000
    assert len(line["many"]) == 50


def test_masking_is_quick_on_hostile_text() -> None:
    import time

    began = time.monotonic()
    for text in ("a" * 1_000_000, "a@" * 500_000, "password=" * 100_000, "://" * 300_000, "x." * 500_000):
        mask_text(text)
    assert time.monotonic() - began < 1.0


def test_an_account_is_named_although_its_id_looks_like_an_address() -> None:
    assert redact(None, "", {"event": "e", "account": "ann@example.com"})["account"] == "ann@example.com"
