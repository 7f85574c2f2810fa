"""What an address and a token may be: the same in every client (clients/go/dial_test.go, clients/ts/test/small.test.ts)."""

from __future__ import annotations

import postroom
import pytest
from postroom.places import target_of


@pytest.mark.parametrize(
    ("address", "secure", "target", "tls"),
    [
        ("127.0.0.1:8080", False, "127.0.0.1:8080", False),
        ("127.9.9.9:8080", False, "127.9.9.9:8080", False),
        ("localhost:8080", False, "localhost:8080", False),
        ("localhost", False, "localhost:80", False),
        ("[::1]:8080", False, "[::1]:8080", False),
        ("127.0.0.1:8080", True, "127.0.0.1:8080", True),
        ("mail.example", False, "mail.example:443", True),
        ("mail.example:8443", False, "mail.example:8443", True),
        ("10.0.0.1:8080", False, "10.0.0.1:8080", True),
        ("http://mail.example", False, "mail.example:80", False),
        ("http://mail.example:8080/", True, "mail.example:8080", False),
        ("HTTPS://mail.example/", False, "mail.example:443", True),
        ("https://127.0.0.1:8443", False, "127.0.0.1:8443", True),
        ("https://[2001:db8::1]", False, "[2001:db8::1]:443", True),
        ("unix:///run/postroom.sock", True, "unix:///run/postroom.sock", False),
    ],
)
def test_an_address_says_how_to_connect(address: str, secure: bool, target: str, tls: bool) -> None:
    assert target_of(address, secure=secure) == (target, tls)


@pytest.mark.parametrize(
    "address",
    ["", "ftp://mail.example", "https://", "https://mail.example/mail", "mail.example:port", "mail.example:70000",
     "https://ann:secret-canary@mail.example"],
)  # fmt: skip
async def test_what_is_no_address_is_refused_at_once(address: str) -> None:
    with pytest.raises(ValueError) as caught:
        postroom.connect(address, "token")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("token", ["secret-canary\n", "secret\r\ncanary", "secret-cänäry"])
async def test_a_token_that_no_header_carries_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(ValueError, match="the token holds") as caught:
        postroom.connect("127.0.0.1:1", token)
    assert "secret" not in str(caught.value)
