"""Sealing: opens for the same account and field under a known key, and for nothing else."""

from __future__ import annotations

import pytest
from postroom_server.store.secrets import CannotOpen, Keyring

OLD, NEW = b"o" * 32, b"n" * 32


def test_what_is_sealed_opens() -> None:
    ring = Keyring(NEW)
    for plain in (b"", b"hunter2", bytes(range(256)) * 10):
        sealed = ring.seal(plain, account="ann", field="imap.password")
        assert len(sealed) == len(plain) + 29
        assert plain not in sealed or not plain
        assert ring.open(sealed, account="ann", field="imap.password") == plain


def test_equal_secrets_look_different() -> None:
    ring = Keyring(NEW)
    assert ring.seal(b"x", account="ann", field="f") != ring.seal(b"x", account="ann", field="f")


@pytest.mark.parametrize(("account", "field"), [("bob", "imap.password"), ("ann", "smtp.password"), ("", "")])
def test_a_sealed_value_opens_nowhere_else(account: str, field: str) -> None:
    ring = Keyring(NEW)
    sealed = ring.seal(b"hunter2", account="ann", field="imap.password")
    with pytest.raises(CannotOpen):
        ring.open(sealed, account=account, field=field)


def test_every_altered_byte_is_noticed() -> None:
    ring = Keyring(NEW)
    sealed = ring.seal(b"hunter2", account="ann", field="f")
    for at in range(len(sealed)):
        broken = sealed[:at] + bytes((sealed[at] ^ 1,)) + sealed[at + 1 :]
        with pytest.raises(CannotOpen):
            ring.open(broken, account="ann", field="f")
    for length in range(len(sealed)):
        with pytest.raises(CannotOpen):
            ring.open(sealed[:length], account="ann", field="f")


def test_a_retired_key_opens_and_does_not_seal() -> None:
    sealed = Keyring(OLD).seal(b"x", account="ann", field="f")
    both = Keyring(NEW, retired=[OLD])
    assert both.open(sealed, account="ann", field="f") == b"x"
    again = both.seal(b"x", account="ann", field="f")
    assert Keyring(NEW).open(again, account="ann", field="f") == b"x"
    with pytest.raises(CannotOpen):
        Keyring(NEW).open(sealed, account="ann", field="f")


def test_a_key_has_32_bytes_and_is_never_shown() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Keyring(b"short")
    assert "nnn" not in repr(Keyring(NEW))
