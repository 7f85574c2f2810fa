"""Tokens between the contract and the domain. A secret is not part of either. Pure."""

from __future__ import annotations

from datetime import datetime

from postroom.v1 import token_pb2 as pb

from postroom_server.domain.tokens import MAX_DISPLAY_NAME, MAX_TOKEN_ACCOUNTS, SCOPES, Token
from postroom_server.errors import RequestInvalid
from postroom_server.ids import AccountId, TokenId, account_name, parse_account, token_name
from postroom_server.services.convert.fields import limited, named, set_time, text, time_of


def token_to_proto(token: Token) -> pb.Token:
    """The token's record."""
    made = pb.Token(
        name=token_name(token.id),
        display_name=token.display_name,
        scopes=sorted(token.scopes),
        accounts=[account_name(account) for account in sorted(token.accounts)],
    )
    set_time(made, "expire_time", token.expire_time)
    set_time(made, "create_time", token.create_time)
    set_time(made, "last_use_time", token.last_use_time)
    return made


def token_from_proto(given: pb.Token, token: TokenId, now: datetime) -> Token:
    """A new token as a request gives it. Raises RequestInvalid."""
    scopes = limited("token.scopes", given.scopes, len(SCOPES))
    if not scopes:
        raise RequestInvalid("token.scopes", "at least one is needed")
    for index, scope in enumerate(scopes):
        if scope not in SCOPES:
            raise RequestInvalid(f"token.scopes[{index}]", f"{scope[:40]!r} is not a scope")
    accounts: set[AccountId] = set()
    for index, name in enumerate(limited("token.accounts", given.accounts, MAX_TOKEN_ACCOUNTS)):
        accounts.add(named(f"token.accounts[{index}]", parse_account, name))
    expires = time_of("token.expireTime", given, "expire_time")
    if expires is not None and expires <= now:
        raise RequestInvalid("token.expireTime", "lies in the past")
    return Token(
        id=token,
        display_name=text("token.displayName", given.display_name, MAX_DISPLAY_NAME),
        scopes=frozenset(scopes),
        accounts=frozenset(accounts),
        create_time=now,
        expire_time=expires,
    )
