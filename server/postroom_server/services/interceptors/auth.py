"""Who calls, and whether they may: token and scope before the request is read, account after.

It owns the order token, scope, account, and refuses to tell a caller anything about accounts that are not theirs: the
same answer whether such an account exists or not (threats T15, T36). Reasons: TOKEN_MISSING, TOKEN_INVALID, SCOPE_DENIED.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import grpc
import structlog

from postroom_server.domain.tokens import allows
from postroom_server.errors import RequestInvalid, ScopeDenied
from postroom_server.ids import ALL_ACCOUNTS, AccountId, BadName, account_in, check_account_id
from postroom_server.services.authentication import Authenticator
from postroom_server.services.calling import Context, caller, calling_as, first, notes
from postroom_server.services.contract import Method, methods
from postroom_server.services.interceptors.wrapping import (
    Continuation,
    Handler,
    behaviour_of,
    guarded,
    replaced,
)
from postroom_server.services.policy import Policy, Reach, is_open, policy_of

AUTHORIZATION = "authorization"
CREATE_ACCOUNT = "/postroom.v1.AccountService/CreateAccount"


class TokenInterceptor(grpc.aio.ServerInterceptor):
    """Lets in whoever has a token with the method's scope.

    Args:
        authenticator: Knows tokens.
    """

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    async def intercept_service(self, continuation: Continuation, details: Any) -> Handler:
        """Wraps every handler but those that are open."""
        handler = await continuation(details)
        method: str = details.method
        if handler is None or is_open(method):
            return handler
        policy = policy_of(method)

        @asynccontextmanager
        async def guard(context: Context) -> AsyncIterator[None]:
            token = await self._authenticator.authenticate(
                first(context.invocation_metadata(), AUTHORIZATION)
            )
            notes().caller = token.id
            if policy is None:
                raise ScopeDenied("no token allows this method")
            if not allows(token.scopes, policy.scope):
                raise ScopeDenied(scope=policy.scope.value)
            with calling_as(token):
                yield

        return guarded(handler, guard)


class AccountInterceptor(grpc.aio.ServerInterceptor):
    """Keeps a token that is bound to accounts to these. Sits inside of what parses the request."""

    async def intercept_service(self, continuation: Continuation, details: Any) -> Handler:
        """Wraps the handlers of the contract."""
        handler = await continuation(details)
        method = methods().get(details.method)
        policy = policy_of(details.method)
        if handler is None or method is None or policy is None:
            return handler
        return _checked(handler, method, policy)


def _checked(handler: Handler, method: Method, policy: Policy) -> Handler:
    behaviour = behaviour_of(handler)

    def check(request: Any) -> None:
        _check(method, policy, request)

    async def several(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        began = False
        async for request in requests:
            if not began:
                check(request)
                began = True
            yield request

    async def uploading(requests: AsyncIterator[Any], context: Context) -> Any:
        return await behaviour(several(requests), context)

    async def answering(request: Any, context: Context) -> Any:
        check(request)
        return await behaviour(request, context)

    async def streaming(request: Any, context: Context) -> AsyncIterator[Any]:
        check(request)
        async with aclosing(behaviour(request, context)) as responses:
            async for response in responses:
                yield response

    if handler.request_streaming:
        return replaced(handler, uploading)
    return replaced(handler, streaming if handler.response_streaming else answering)


def _check(method: Method, policy: Policy, request: Any) -> None:
    bound = caller().accounts
    if policy.reach is Reach.SITE:
        if bound:
            raise ScopeDenied("the token is bound to accounts, and this is about the whole server")
        return
    if policy.reach is Reach.FREE:
        return
    account = _account(method, request)
    if account is None:
        if bound:
            raise ScopeDenied("the token is bound to accounts, and the request names none")
        return
    if bound and account not in bound:
        raise ScopeDenied("the token is not for this account")
    if account != ALL_ACCOUNTS:
        notes().account = account
        structlog.contextvars.bind_contextvars(account=account)


def _account(method: Method, request: Any) -> AccountId | None:
    """The account that the request is about, `-` for all; None where it names none. Raises RequestInvalid."""
    try:
        if method.full_name == CREATE_ACCOUNT:
            return check_account_id(request.account_id) if request.account_id else None
        value = request
        for name in method.account_field.split("."):
            value = getattr(value, name)
        return AccountId(account_in(value))
    except BadName as error:
        field = "accountId" if method.full_name == CREATE_ACCOUNT else method.account_field
        raise RequestInvalid(field, str(error)) from None
