"""Sealing: secrets and bodies are AES-256-GCM ciphertexts under the site's key.

It owns the sealed form (key id, nonce, ciphertext) and refuses to store or log anything. Account and field name are the
associated data, so that a sealed value copied to another account or field does not open. Each account has a key of its
own, derived from the site's, so that random 96-bit nonces stay far from their limit (NIST SP 800-38D section 8.3).
A retired key still opens what it sealed; new values are always sealed under the current one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16


class CannotOpen(Exception):
    """The value was sealed under another key, for another account or field, or was altered."""


class Keyring:
    """Seals under the current key, opens under the current and the retired ones.

    Args:
        key: 32 random bytes; who loses them loses every secret in the store.
        retired: Former keys, still needed to open what they sealed.
    """

    __slots__ = ("_current", "_keys")

    def __init__(self, key: bytes, *, retired: Sequence[bytes] = ()) -> None:
        self._keys: dict[int, bytes] = {}
        for one in (*retired, key):
            if len(one) != KEY_BYTES:
                raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(one)}")
            self._keys[_key_id(one)] = one
        if len(self._keys) != len({*retired, key}):
            raise ValueError("two keys share an id; make another key")
        self._current = _key_id(key)

    def __repr__(self) -> str:
        return f"<Keyring current={self._current} keys={len(self._keys)}>"

    def seal(self, plain: bytes, *, account: str, field: str) -> bytes:
        """Ciphertext of `plain`, 29 bytes longer, that opens only for the same account and field."""
        nonce = os.urandom(NONCE_BYTES)
        cipher = AESGCM(_derived(self._keys[self._current], account))
        return bytes((self._current,)) + nonce + cipher.encrypt(nonce, plain, _bound_to(account, field))

    def open(self, sealed: bytes, *, account: str, field: str) -> bytes:
        """What was sealed for this account and field. Raises CannotOpen."""
        key = self._keys.get(sealed[0]) if len(sealed) > NONCE_BYTES + TAG_BYTES else None
        if key is None:
            raise CannotOpen(f"{field}: sealed under a key that this server does not have")
        nonce, ciphertext = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        try:
            return AESGCM(_derived(key, account)).decrypt(nonce, ciphertext, _bound_to(account, field))
        except InvalidTag:
            raise CannotOpen(f"{field}: not sealed for this account, or altered") from None


def _key_id(key: bytes) -> int:
    return hashlib.blake2b(key, digest_size=1, person=b"postroom-keyid").digest()[0]


def _derived(key: bytes, account: str) -> bytes:
    return hashlib.blake2b(account.encode(), key=key, digest_size=KEY_BYTES, person=b"postroom-seal").digest()


def _bound_to(account: str, field: str) -> bytes:
    return b"postroom\0" + account.encode() + b"\0" + field.encode()
