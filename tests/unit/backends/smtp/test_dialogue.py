"""What of an SMTP connection may be shown."""

from __future__ import annotations

import base64

import pytest
from postroom_server.backends.smtp.dialogue import Told, shown_command
from postroom_server.domain.dialogue import Direction

SECRET = b"canary-5up3r"


class Kept:
    """Keeps every line."""

    open = True

    def __init__(self) -> None:
        self.lines: list[tuple[Direction, str]] = []

    def say(self, direction: Direction, text: str) -> None:
        self.lines.append((direction, text))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((b"EHLO", b"[127.0.0.1]"), "EHLO [127.0.0.1]"),
        ((b"STARTTLS",), "STARTTLS"),
        ((b"AUTH", b"PLAIN", b"AGFubgBj"), "AUTH PLAIN ***"),
        ((b"auth", b"LOGIN", b"YW5u"), "auth LOGIN ***"),
        ((b"AUTH", b"XOAUTH2", b"dXNlcj1h"), "AUTH XOAUTH2 ***"),
        ((b"MAIL", b"FROM:<a@b.test>", b"SIZE=12"), "MAIL FROM:<a@b.test> SIZE=12"),
        ((b"RCPT", b"TO:<c@d.test>"), "RCPT TO:<c@d.test>"),
        ((b"DATA",), "DATA"),
        ((b"NOOP", b"a\r\nb\x1b"), "NOOP ab"),
    ],
)
def test_a_command_is_shown_without_its_secret(words: tuple[bytes, ...], expected: str) -> None:
    assert shown_command(*words) == expected


def test_a_message_is_its_size() -> None:
    kept = Kept()
    Told(kept).sent_message(1234)
    assert [text for _, text in kept.lines] == ["{1234 bytes}", "."]


def test_a_reply_of_several_lines_is_shown_as_such() -> None:
    kept = Kept()
    Told(kept).received(250, "mx\nSIZE 100\nAUTH PLAIN")
    assert [text for _, text in kept.lines] == ["250-mx", "250-SIZE 100", "250 AUTH PLAIN"]
    Told(kept).received(250, "\n".join("x" * 1_000))
    assert len(kept.lines) < 60


@pytest.mark.parametrize("echo", [SECRET, base64.b64encode(SECRET), base64.b64encode(b"\0ann\0" + SECRET)])
def test_a_server_that_repeats_a_secret_is_not_quoted(echo: bytes) -> None:
    kept = Kept()
    told = Told(kept)
    with told.hiding(SECRET, b"\0ann\0" + SECRET):
        told.received(535, f"wrong: {echo.decode()}")
    told.received(250, "after")
    assert [text for _, text in kept.lines] == ["535 ***", "250 after"]
