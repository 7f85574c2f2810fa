"""TokenService: unpack, call, pack. A caller can never give more than it has."""

from __future__ import annotations

from typing import Final

from postroom.v1 import token_service_pb2 as pb
from postroom.v1.token_service_pb2_grpc import TokenServiceServicer

from postroom_server.domain.ports import Clock
from postroom_server.domain.tokens import TokenStore, may_grant, new_secret, secret_hash
from postroom_server.errors import RequestInvalid, ScopeDenied, TokenNotFound
from postroom_server.ids import TokenId, new_id, parse_token, token_name
from postroom_server.services.authentication import Authenticator
from postroom_server.services.calling import Context, caller
from postroom_server.services.convert.fields import named
from postroom_server.services.convert.tokens import token_from_proto, token_to_proto
from postroom_server.services.paging import Pager, page_size

DEFAULT_PAGE: Final = 50
MAX_PAGE: Final = 1_000


class TokenServicer(TokenServiceServicer):
    """Serves tokens."""

    def __init__(self, tokens: TokenStore, authenticator: Authenticator, pager: Pager, clock: Clock) -> None:
        self._tokens, self._authenticator, self._pager, self._clock = tokens, authenticator, pager, clock

    async def CreateToken(self, request: pb.CreateTokenRequest, context: Context) -> pb.CreateTokenResponse:
        """Creates a token and shows its secret."""
        if not request.HasField("token"):
            raise RequestInvalid("token", "is needed")
        made = token_from_proto(request.token, TokenId(new_id("t")), self._clock.now())
        own = caller()
        if not may_grant(own.scopes, made.scopes):
            raise ScopeDenied("a token cannot allow more than the one that makes it")
        if own.accounts and not (made.accounts and made.accounts <= own.accounts):
            raise ScopeDenied("a token cannot reach more accounts than the one that makes it")
        secret = new_secret()
        await self._tokens.create(made, secret_hash(secret))
        return pb.CreateTokenResponse(token=token_to_proto(made), secret=secret)

    async def GetToken(self, request: pb.GetTokenRequest, context: Context) -> pb.GetTokenResponse:
        """One token."""
        token = named("name", parse_token, request.name)
        found = await self._tokens.get(token)
        if found is None:
            raise TokenNotFound(token=token_name(token))
        return pb.GetTokenResponse(token=token_to_proto(found))

    async def ListTokens(self, request: pb.ListTokensRequest, context: Context) -> pb.ListTokensResponse:
        """One page of tokens, oldest first."""
        size = page_size(request.page_size, default=DEFAULT_PAGE, most=MAX_PAGE)
        after = self._pager.position("tokens", (), request.page_token).decode()
        found = await self._tokens.page(after, size + 1)
        last = found[size - 1].id.encode() if len(found) > size else b""
        return pb.ListTokensResponse(
            tokens=[token_to_proto(one) for one in found[:size]],
            next_page_token=self._pager.token("tokens", (), last),
        )

    async def RevokeToken(self, request: pb.RevokeTokenRequest, context: Context) -> pb.RevokeTokenResponse:
        """Ends a token."""
        token = named("name", parse_token, request.name)
        existed = await self._tokens.revoke(token)
        self._authenticator.forget(token)
        if not existed:
            raise TokenNotFound(token=token_name(token))
        return pb.RevokeTokenResponse()
