"""Secrets that servers repeat, in whatever dress."""

from __future__ import annotations

import base64

import pytest
from postroom_server.domain.dialogue import MASK, Secrets

PASSWORD = 'canary"5\\pér'
CODED = PASSWORD.encode()


@pytest.mark.parametrize(
    "echo",
    [
        PASSWORD,
        PASSWORD.upper(),
        'LOGIN "ann" "canary\\"5\\\\pér"',
        "\x01".join(PASSWORD),
        "c a n a r y 5 p é r",
        base64.b64encode(CODED).decode(),
        base64.b64encode(b"\0ann\0" + CODED).decode(),
        base64.b64encode(b"\0an\0" + CODED).decode(),
        base64.b64encode(b"\0a\0" + CODED).decode().rstrip("="),
        base64.b64encode(CODED + b"\1\1").decode()[:10]
        + "\r\n "
        + base64.b64encode(CODED + b"\1\1").decode()[10:],
        CODED.hex(),
        "canary%225%5Cp%C3%A9r",
    ],
)
def test_a_secret_is_recognised(echo: str) -> None:
    secrets = Secrets(CODED)
    assert secrets.stand_in(f"wrong: {echo}!")
    assert secrets.cleaned(f"wrong: {echo}!") in (MASK, f"wrong: {MASK}!")


@pytest.mark.parametrize("text", ["", "wrong password", "canary 5", "[AUTHENTICATIONFAILED] no", "Y2FuYXJ5"])
def test_other_words_stay(text: str) -> None:
    assert not Secrets(CODED).stand_in(text)
    assert Secrets(CODED).cleaned(text) == text
    assert Secrets().cleaned(text) == text
    assert Secrets(b"").cleaned(text) == text


@pytest.mark.parametrize(
    ("secret", "text", "cleaned"),
    [
        ("hunter2", "try later, Hunter2.", f"try later, {MASK}."),
        ("hunter2", "aHunter2b", MASK),
        ("pass", "wrong password", MASK),
        ("pass", "wrong: pass", MASK),
        ("a", "bad", MASK),
        ("a", "no", "no"),
        ("!!", "no!!", MASK),
    ],
)
def test_what_is_left_of_a_text_does_not_tell_the_secret(secret: str, text: str, cleaned: str) -> None:
    assert Secrets(secret.encode()).cleaned(text) == cleaned


def test_secrets_do_not_show_themselves() -> None:
    assert "canary" not in repr(Secrets(CODED))
