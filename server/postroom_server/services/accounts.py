"""AccountService: unpack, call, pack."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from postroom.v1 import account_care_pb2 as care
from postroom.v1 import account_pb2
from postroom.v1 import account_service_pb2 as pb
from postroom.v1.account_service_pb2_grpc import AccountServiceServicer

from postroom_server.domain.accounts import Account, State, Status
from postroom_server.domain.ports import Clock
from postroom_server.errors import EtagMismatch, PostroomError, RequestInvalid
from postroom_server.ids import AccountId, check_account_id, new_id, parse_account
from postroom_server.services.account_log import bodies, wanted_lines, while_valid
from postroom_server.services.authentication import Authenticator
from postroom_server.services.calling import Context, caller, current_call
from postroom_server.services.convert.account_updates import updated
from postroom_server.services.convert.accounts import account_to_proto, settings_from_proto
from postroom_server.services.convert.fields import choice, named, request_id, text
from postroom_server.services.convert.selectors import selector_from
from postroom_server.services.errors import to_proto
from postroom_server.services.fingerprint import Fingerprints
from postroom_server.services.paging import Pager, page_size
from postroom_server.workers.accounts import Accounts

DEFAULT_PAGE: Final = 50
MAX_PAGE: Final = 1_000
MAX_EMAIL_FILTER: Final = 320
UPDATE_TRIES: Final = 4
"""Updates without an etag that lost a race are made again on what is there now."""
_PROTOCOLS: Final[Mapping[str, str]] = {"imap": "IMAP", "smtp": "SMTP", "sandbox": "API"}


class AccountServicer(AccountServiceServicer):
    """Serves accounts."""

    def __init__(
        self,
        accounts: Accounts,
        authenticator: Authenticator,
        pager: Pager,
        fingerprints: Fingerprints,
        clock: Clock,
    ) -> None:
        self._authenticator = authenticator
        self._accounts, self._pager, self._fingerprints, self._clock = accounts, pager, fingerprints, clock

    async def CreateAccount(
        self, request: pb.CreateAccountRequest, context: Context
    ) -> pb.CreateAccountResponse:
        """Stores an account and answers at once."""
        account = (
            named("accountId", check_account_id, request.account_id)
            if request.account_id
            else AccountId(new_id("a"))
        )
        if not request.HasField("account"):
            raise RequestInvalid("account", "is needed")
        wanted = request_id("requestId", request.request_id)
        settings = settings_from_proto(request.account, account, self._clock.now())
        made, status = await self._accounts.create(
            settings.account,
            settings.secrets,
            request_id=wanted,
            fingerprint=self._fingerprints.of(request.account_id, request.account),
        )
        return pb.CreateAccountResponse(account=account_to_proto(made, status))

    async def GetAccount(self, request: pb.GetAccountRequest, context: Context) -> pb.GetAccountResponse:
        """One account."""
        account, status = await self._accounts.get(named("name", parse_account, request.name))
        return pb.GetAccountResponse(account=account_to_proto(account, status))

    async def ListAccounts(
        self, request: pb.ListAccountsRequest, context: Context
    ) -> pb.ListAccountsResponse:
        """One page of accounts, by id."""
        size = page_size(request.page_size, default=DEFAULT_PAGE, most=MAX_PAGE)
        states = frozenset(
            State(choice(f"states[{index}]", account_pb2.Account.State, state))
            for index, state in enumerate(request.states)
        )
        email = text("email", request.email, MAX_EMAIL_FILTER)
        selector = selector_from("labelSelector", request.label_selector)
        parameters = (sorted(states), email, request.label_selector)
        after = self._pager.position("accounts", parameters, request.page_token).decode()
        rows, last = await self._accounts.page(after, size, states=states, email=email, labels=selector.equal)
        return pb.ListAccountsResponse(
            accounts=[
                account_to_proto(account, status)
                for account, status in rows
                if selector.matches(account.labels)
            ],
            next_page_token=self._pager.token("accounts", parameters, last.encode()),
        )

    async def UpdateAccount(
        self, request: pb.UpdateAccountRequest, context: Context
    ) -> pb.UpdateAccountResponse:
        """Changes what the mask names."""
        name = named("account.name", parse_account, request.account.name)
        for attempt in range(UPDATE_TRIES):
            current, _ = await self._accounts.get(name)
            update = updated(current, request.account, request.update_mask.paths, self._clock.now())
            try:
                made, status = await self._accounts.update(
                    update.account, expected_revision=current.revision, secrets=update.secrets
                )
            except EtagMismatch:
                if request.account.etag or attempt == UPDATE_TRIES - 1:
                    raise
            else:
                return pb.UpdateAccountResponse(account=account_to_proto(made, status))
        raise EtagMismatch

    async def DeleteAccount(
        self, request: pb.DeleteAccountRequest, context: Context
    ) -> pb.DeleteAccountResponse:
        """Deletes an account; runs on its owner."""
        await self._accounts.delete(current_call(), named("name", parse_account, request.name))
        return pb.DeleteAccountResponse()

    async def PauseAccount(
        self, request: care.PauseAccountRequest, context: Context
    ) -> care.PauseAccountResponse:
        """Stops the account until it is resumed; pausing a paused one changes nothing."""
        account, status = await self._set_paused(request.name, paused=True)
        return care.PauseAccountResponse(account=account_to_proto(account, status))

    async def ResumeAccount(
        self, request: care.ResumeAccountRequest, context: Context
    ) -> care.ResumeAccountResponse:
        """Starts a paused account again."""
        account, status = await self._set_paused(request.name, paused=False)
        return care.ResumeAccountResponse(account=account_to_proto(account, status))

    async def _set_paused(self, name: str, *, paused: bool) -> tuple[Account, Status]:
        account = named("name", parse_account, name)
        for attempt in range(UPDATE_TRIES):
            current, status = await self._accounts.get(account)
            if current.paused is paused:
                return current, status
            wanted = replace(
                current, paused=paused, revision=current.revision + 1, update_time=self._clock.now()
            )
            try:
                return await self._accounts.update(wanted, expected_revision=current.revision, secrets={})
            except EtagMismatch:
                if attempt == UPDATE_TRIES - 1:
                    raise
        raise EtagMismatch

    async def DownloadAccountLog(
        self, request: care.DownloadAccountLogRequest, context: Context
    ) -> AsyncIterator[care.DownloadAccountLogResponse]:
        """The account's dialogue; runs on its owner, and with `follow` until the caller leaves or his token ends."""
        account = named("name", parse_account, request.name)
        most = wanted_lines(request.max_lines)
        kept = await self._accounts.log(current_call(), account, most=most, follow=request.follow)
        token = caller()
        async with (
            aclosing(kept),
            aclosing(while_valid(kept, lambda: self._authenticator.still_valid(token))) as blocks,
            aclosing(bodies(context, blocks, follow=request.follow)) as found,
        ):
            async for body in found:
                yield care.DownloadAccountLogResponse(body=body)

    async def VerifyAccount(
        self, request: care.VerifyAccountRequest, context: Context
    ) -> care.VerifyAccountResponse:
        """Tries the settings and stores nothing."""
        if not request.HasField("account"):
            raise RequestInvalid("account", "is needed")
        settings = settings_from_proto(request.account, AccountId(new_id("v")), self._clock.now())
        results = await self._accounts.verify(current_call(), settings.account, settings.secrets)
        return care.VerifyAccountResponse(results=[_result(name, error) for name, error in results.items()])


def _result(name: str, error: PostroomError | None) -> care.VerifyAccountResponse.Result:
    made = care.VerifyAccountResponse.Result(protocol=_PROTOCOLS[name], ok=error is None)
    if error is not None:
        made.error.CopyFrom(to_proto(error))
    return made
