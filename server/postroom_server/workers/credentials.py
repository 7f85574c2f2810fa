"""Credentials of one account, read from the store for each connection; nothing is kept here.

It owns which password or token goes to which server and refuses to log either.
"""

from __future__ import annotations

from collections.abc import Mapping

from postroom_server.domain.accounts import Account
from postroom_server.domain.storage import AccountStore


class StoredCredentials:
    """The CredentialSource of an account in the store."""

    __slots__ = ("_account", "_accounts")

    def __init__(self, account: Account, accounts: AccountStore) -> None:
        self._account, self._accounts = account, accounts

    async def password(self, server: str) -> tuple[str, str] | None:
        """(user, password) for `imap` or `smtp`; SMTP without a password of its own uses that of IMAP."""
        return password_of(self._account, await self._accounts.secrets(self._account.id), server)

    async def access_token(self, server: str) -> tuple[str, str] | None:
        """(user, access token) where the account has one and the server no password."""
        return token_of(self._account, await self._accounts.secrets(self._account.id), server)


class GivenCredentials:
    """The CredentialSource of an account that is only being tried."""

    __slots__ = ("_account", "_secrets")

    def __init__(self, account: Account, secrets: Mapping[str, str]) -> None:
        self._account, self._secrets = account, secrets

    async def password(self, server: str) -> tuple[str, str] | None:
        """As StoredCredentials."""
        return password_of(self._account, self._secrets, server)

    async def access_token(self, server: str) -> tuple[str, str] | None:
        """As StoredCredentials."""
        return token_of(self._account, self._secrets, server)


def _user(account: Account, server: str) -> str:
    settings = account.smtp if server == "smtp" else account.imap
    fallback = account.imap.username if account.imap is not None else ""
    return (settings.username if settings is not None else "") or fallback or account.email


def password_of(account: Account, secrets: Mapping[str, str], server: str) -> tuple[str, str] | None:
    """The password for a server; SMTP falls back on IMAP's when the account has no token."""
    password = secrets.get(f"{server}.password")
    if password is None and server == "smtp" and "oauth.accessToken" not in secrets:
        password = secrets.get("imap.password")
    return (_user(account, server), password) if password is not None else None


def token_of(account: Account, secrets: Mapping[str, str], server: str) -> tuple[str, str] | None:
    """The access token for a server that has no password."""
    token = secrets.get("oauth.accessToken")
    if token is None or f"{server}.password" in secrets:
        return None
    user = account.oauth.user if account.oauth is not None and account.oauth.user else _user(account, server)
    return user, token
