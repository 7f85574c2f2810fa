"""What a store needs before people can use it: the key that seals its secrets, and an admin token.

It owns reading the key and making the token; it refuses to make a key (what the old one sealed would be lost: `places`
makes it once, in an empty folder) and to print a secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from postroom_server.app.places import write_secret
from postroom_server.domain.tokens import Scope, Token, new_secret, secret_hash
from postroom_server.ids import AccountId, TokenId, check_account_id, new_id
from postroom_server.settings import Settings
from postroom_server.store import Keyring, Options, Store

KEY_BYTES: Final = 32


class KeyUnusable(Exception):
    """The key file is missing or does not hold 32 bytes."""


def read_key(path: Path) -> bytes:
    """The key in a file of 32 bytes. Raises KeyUnusable."""
    try:
        key = path.read_bytes()
    except OSError as error:
        raise KeyUnusable(f"the key file {path} cannot be read: {error.strerror}") from None
    if len(key) != KEY_BYTES:
        raise KeyUnusable(f"the key file {path} must hold exactly {KEY_BYTES} bytes")
    return key


async def open_store(
    redis_url: str, key_file: Path, *, shards: int | None = None, options: Options | None = None
) -> Store:
    """The store under its key. Raises KeyUnusable, StoreUnfit, StoreUnavailable."""
    keyring = Keyring(read_key(key_file))
    return await Store.open(redis_url, keyring, shard_count=shards or Settings().shards, options=options)


async def create_token(
    store: Store, *, name: str, scopes: frozenset[str], accounts: frozenset[AccountId]
) -> tuple[Token, str]:
    """Makes a token; the secret is in nobody's hands but the caller's."""
    secret = new_secret()
    token = Token(
        id=TokenId(new_id("t")),
        display_name=name,
        scopes=scopes,
        accounts=accounts,
        create_time=datetime.now(UTC),
    )
    await store.tokens.create(token, secret_hash(secret))
    return token, secret


async def ensure_admin_token(*, redis_url: str, key_file: Path, token_file: Path) -> None:
    """Writes an admin token that the store knows to `token_file` (0600), unless the one in it is good."""
    async with await open_store(redis_url, key_file) as store:
        secret = _kept(token_file)
        if secret and await store.tokens.by_secret(secret_hash(secret)) is not None:
            return
        _, secret = await create_token(
            store, name="admin of this data folder", scopes=frozenset({Scope.ADMIN}), accounts=frozenset()
        )
        write_secret(token_file, f"{secret}\n".encode())


def _kept(token_file: Path) -> str:
    return token_file.read_text().strip() if token_file.exists() else ""


async def print_new_token(
    *, redis_url: str, key_file: Path, name: str, scopes: Sequence[str], accounts: Sequence[str]
) -> None:
    """Makes a token and prints its secret, the only time that it is seen. Raises ValueError for an unknown scope."""
    unknown = set(scopes) - {scope.value for scope in Scope}
    if unknown:
        raise ValueError(f"no such scope: {', '.join(sorted(unknown))}; there are {', '.join(Scope)}")
    bound = frozenset(check_account_id(account) for account in accounts)
    async with await open_store(redis_url, key_file) as store:
        _, secret = await create_token(store, name=name, scopes=frozenset(scopes), accounts=bound)
    print(secret)  # noqa: T201 - what the command is for


async def migrate_store(*, redis_url: str, key_file: Path) -> None:
    """Checks that the store's layout is this version's; there is one version so far."""
    async with await open_store(redis_url, key_file) as store:
        print(f"schema {store.identity.schema}, nothing to do")  # noqa: T201 - what the command is for
