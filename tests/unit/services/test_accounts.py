"""AccountService and TokenService over a real server: registering, masks, secrets, selectors; what a token may make."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from postroom.v1 import account_care_pb2, account_pb2, server_service_pb2, token_pb2, token_service_pb2
from postroom.v1 import account_service_pb2 as pb

from tests.fixtures.serving import ServedNode, bearer
from tests.unit.services.test_chain import call, refused

SERVICE = "/postroom.v1.AccountService/"
TOKENS = "/postroom.v1.TokenService/"


def imap_account(**fields: Any) -> account_pb2.Account:
    given = account_pb2.Account(
        email="ann@example.com",
        imap=account_pb2.MailServer(host="imap.example.com", password="hunter2"),
        smtp=account_pb2.MailServer(host="smtp.example.com", port=587, password="hunter3"),
    )
    given.MergeFrom(account_pb2.Account(**fields))
    return given


async def create(served: ServedNode, account: account_pb2.Account | None = None, **fields: Any) -> Any:
    request = pb.CreateAccountRequest(account_id="ann", account=account or imap_account(), **fields)
    return (await call(served, SERVICE + "CreateAccount", request, bearer())).account


async def test_an_account_is_stored_with_defaults_and_its_secrets_never_come_back(served: ServedNode) -> None:
    made = await create(served)
    assert (made.name, made.state) == ("accounts/ann", account_pb2.Account.CONNECTING)
    assert (made.imap.port, made.imap.security) == (993, account_pb2.MailServer.TLS)
    assert (made.smtp.port, made.smtp.security) == (587, account_pb2.MailServer.STARTTLS)
    assert "hunter" not in str(made)
    assert served.accounts.secrets["ann"] == {"imap.password": "hunter2", "smtp.password": "hunter3"}  # type: ignore[index]
    assert "hunter" not in repr(served.accounts.rows)
    got = await call(served, SERVICE + "GetAccount", pb.GetAccountRequest(name=made.name), bearer())
    assert got.account == made


async def test_the_same_request_makes_one_account_and_another_body_is_refused(served: ServedNode) -> None:
    first = await create(served, request_id="r1")
    assert (await create(served, request_id="r1")).create_time == first.create_time
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await create(served, imap_account(display_name="Ann"), request_id="r1")
    assert caught.value.code() is grpc.StatusCode.ALREADY_EXISTS


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"email": "nobody"}, "account.email"),
        ({"email": "a@b\r\nc"}, "account.email"),
        ({"display_name": "x" * 257}, "account.displayName"),
        ({"imap": account_pb2.MailServer(host="a b")}, "account.imap.host"),
        ({"imap": account_pb2.MailServer(host="h" * 254)}, "account.imap.host"),
        ({"imap": account_pb2.MailServer(port=70_000)}, "account.imap.port"),
        ({"imap": account_pb2.MailServer(security=9)}, "account.imap.security"),
        ({"imap": account_pb2.MailServer(password="a\r\nb")}, "account.imap.password"),
        ({"sandbox": account_pb2.SandboxSettings()}, "account.imap"),
        ({"mailbox_roles": {"spam": "X"}}, "account.mailboxRoles"),
        ({"watched_mailboxes": [""]}, "account.watchedMailboxes[0]"),
        ({"live_mailboxes": ["x"] * 17}, "account.liveMailboxes"),
        ({"labels": {"a b": "c"}}, "account.labels"),
        ({"labels": {"a": "c" * 256}}, "account.labels.a"),
        ({"sent_copy": 17}, "account.sentCopy"),
    ],
)
async def test_settings_that_cannot_be_are_refused_by_field(
    served: ServedNode, fields: dict[str, Any], at: str
) -> None:
    request = pb.CreateAccountRequest(account_id="ann", account=imap_account(**fields))
    code, reason, told = await refused(served, SERVICE + "CreateAccount", request, bearer())
    assert (code, reason, told["fields"]) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID", [at])
    assert not served.accounts.rows


async def test_an_account_without_any_server_is_refused(served: ServedNode) -> None:
    request = pb.CreateAccountRequest(account=account_pb2.Account(email="a@example.com"))
    assert (await refused(served, SERVICE + "CreateAccount", request, bearer()))[2]["fields"] == ["account"]


async def test_a_backend_that_is_not_served_yet_says_so(served: ServedNode) -> None:
    given = account_pb2.Account(email="a@example.com", gmail=account_pb2.GmailSettings())
    request = pb.CreateAccountRequest(account=given)
    assert (await refused(served, SERVICE + "CreateAccount", request, bearer()))[1] == "NOT_IMPLEMENTED"


async def update(served: ServedNode, *paths: str, etag: str = "", **fields: Any) -> Any:
    given = account_pb2.Account(name="accounts/ann", etag=etag, **fields)
    request = pb.UpdateAccountRequest(account=given, update_mask=FieldMask(paths=paths))
    return (await call(served, SERVICE + "UpdateAccount", request, bearer())).account


async def test_a_mask_changes_what_it_names_and_nothing_else(served: ServedNode) -> None:
    before = await create(served)
    after = await update(served, "display_name", display_name="Ann", email="other@example.com")
    assert (after.display_name, after.email) == ("Ann", "ann@example.com")
    assert after.etag != before.etag
    assert served.accounts.secrets["ann"] == {"imap.password": "hunter2", "smtp.password": "hunter3"}  # type: ignore[index]


async def test_a_password_is_changed_and_cleared_by_its_path(served: ServedNode) -> None:
    await create(served)
    await update(served, "imap.password", imap=account_pb2.MailServer(password="new"))
    assert served.accounts.secrets["ann"]["imap.password"] == "new"  # type: ignore[index]
    await update(served, "smtp.password")
    assert served.accounts.secrets["ann"] == {"imap.password": "new"}  # type: ignore[index]


async def test_without_a_mask_every_field_that_is_set_is_changed(served: ServedNode) -> None:
    await create(served)
    after = await update(
        served, display_name="A", imap=account_pb2.MailServer(port=1143, security="STARTTLS")
    )
    assert (after.display_name, after.imap.host, after.imap.port) == ("A", "imap.example.com", 1143)
    assert served.accounts.secrets["ann"]["imap.password"] == "hunter2"  # type: ignore[index]


@pytest.mark.parametrize(
    "path", ["nope", "imap.nope", "state", "name", "etag", "create_time", "displayName", ""]
)
async def test_an_unknown_path_is_refused(served: ServedNode, path: str) -> None:
    await create(served)
    given = account_pb2.Account(name="accounts/ann", display_name="x")
    request = pb.UpdateAccountRequest(account=given, update_mask=FieldMask(paths=[path]))
    told = (await refused(served, SERVICE + "UpdateAccount", request, bearer()))[2]
    assert told["fields"] == ["updateMask"]


async def test_a_kept_password_is_not_sent_to_another_host(served: ServedNode) -> None:
    await create(served)
    given = account_pb2.Account(name="accounts/ann", imap=account_pb2.MailServer(host="evil.example.com"))
    request = pb.UpdateAccountRequest(account=given, update_mask=FieldMask(paths=["imap.host"]))
    told = (await refused(served, SERVICE + "UpdateAccount", request, bearer()))[2]
    assert told["fields"] == ["account.imap.password"]
    given.imap.password = "again"
    request = pb.UpdateAccountRequest(
        account=given, update_mask=FieldMask(paths=["imap.host", "imap.password"])
    )
    assert (
        await call(served, SERVICE + "UpdateAccount", request, bearer())
    ).account.imap.host == "evil.example.com"


async def test_the_backend_of_an_account_stays(served: ServedNode) -> None:
    await create(served)
    given = account_pb2.Account(name="accounts/ann", sandbox=account_pb2.SandboxSettings())
    request = pb.UpdateAccountRequest(account=given)
    told = (await refused(served, SERVICE + "UpdateAccount", request, bearer()))[2]
    assert told["fields"] == ["account.sandbox"]


async def test_an_old_etag_is_refused(served: ServedNode) -> None:
    made = await create(served)
    await update(served, "display_name", display_name="x")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await update(served, "display_name", display_name="y", etag=made.etag)
    assert caught.value.code() is grpc.StatusCode.ABORTED


async def test_a_server_that_is_taken_away_takes_its_secret_along(served: ServedNode) -> None:
    await create(served)
    after = await update(served, "smtp")
    assert not after.HasField("smtp")
    assert served.accounts.secrets["ann"] == {"imap.password": "hunter2"}  # type: ignore[index]


async def test_accounts_are_listed_by_page_address_and_label(served: ServedNode) -> None:
    for number in range(5):
        given = imap_account(labels={"team": "a" if number % 2 else "b"}, email=f"u{number}@example.com")
        request = pb.CreateAccountRequest(account_id=f"acc{number}", account=given)
        await call(served, SERVICE + "CreateAccount", request, bearer())

    async def listed(**fields: Any) -> list[str]:
        names: list[str] = []
        request = pb.ListAccountsRequest(page_size=2, **fields)
        while True:
            page = await call(served, SERVICE + "ListAccounts", request, bearer())
            names += [one.name.removeprefix("accounts/") for one in page.accounts]
            if not page.next_page_token:
                return names
            request.page_token = page.next_page_token

    assert await listed() == [f"acc{number}" for number in range(5)]
    assert await listed(email="U3@") == ["acc3"]
    assert await listed(label_selector="team!=a") == ["acc0", "acc2", "acc4"]
    assert await listed(states=["CONNECTED"]) == []
    request = pb.ListAccountsRequest(label_selector="a==b==c,,=")
    assert (await refused(served, SERVICE + "ListAccounts", request, bearer()))[2]["fields"] == [
        "labelSelector"
    ]


async def test_an_account_is_paused_and_resumed_and_twice_is_once(served: ServedNode) -> None:
    made = await create(served)
    for verb, request, paused in (
        ("PauseAccount", account_care_pb2.PauseAccountRequest(name=made.name), True),
        ("PauseAccount", account_care_pb2.PauseAccountRequest(name=made.name), True),
        ("ResumeAccount", account_care_pb2.ResumeAccountRequest(name=made.name), False),
    ):
        await call(served, SERVICE + verb, request, bearer())
        assert served.accounts.rows["ann"][0].paused is paused  # type: ignore[index]
    assert served.accounts.rows["ann"][0].revision == 3  # type: ignore[index]
    assert served.accounts.secrets["ann"] == {"imap.password": "hunter2", "smtp.password": "hunter3"}  # type: ignore[index]


async def test_settings_are_tried_and_told_by_protocol(served: ServedNode) -> None:
    request = account_care_pb2.VerifyAccountRequest(account=imap_account())
    answer = await call(served, SERVICE + "VerifyAccount", request, bearer())
    assert [(one.protocol, one.ok) for one in answer.results] == [(1, True)]
    assert not served.accounts.rows


# --- tokens ------------------------------------------------------------------------------------------------------


async def test_a_token_works_until_it_is_revoked(served: ServedNode) -> None:
    request = token_service_pb2.CreateTokenRequest(
        token=token_pb2.Token(display_name="ci", scopes=["accounts.read"])
    )
    made = await call(served, TOKENS + "CreateToken", request, bearer())
    assert made.secret.startswith("prm_")
    assert len(made.secret) > 40
    await create(served)
    get = pb.GetAccountRequest(name="accounts/ann")
    await call(served, SERVICE + "GetAccount", get, bearer(made.secret))
    listed = await call(served, TOKENS + "ListTokens", token_service_pb2.ListTokensRequest(), bearer())
    assert made.token.name in [one.name for one in listed.tokens]
    assert made.secret not in str(listed)
    revoke = token_service_pb2.RevokeTokenRequest(name=made.token.name)
    await call(served, TOKENS + "RevokeToken", revoke, bearer())
    assert (await refused(served, SERVICE + "GetAccount", get, bearer(made.secret)))[1] == "TOKEN_INVALID"
    assert (await refused(served, TOKENS + "RevokeToken", revoke, bearer()))[1] == "TOKEN_NOT_FOUND"


async def test_a_token_cannot_make_one_that_may_do_more(served: ServedNode) -> None:
    """Threats T15."""
    served.tokens.add("prm_maker-secret", "tokens.admin", "accounts.read", accounts=["ann"])
    for token in (
        token_pb2.Token(scopes=["admin"], accounts=["accounts/ann"]),
        token_pb2.Token(scopes=["messages.read"], accounts=["accounts/ann"]),
        token_pb2.Token(scopes=["accounts.read"]),
        token_pb2.Token(scopes=["accounts.read"], accounts=["accounts/bob"]),
    ):
        request = token_service_pb2.CreateTokenRequest(token=token)
        told = await refused(served, TOKENS + "CreateToken", request, bearer("prm_maker-secret"))
        assert told[1] == "SCOPE_DENIED"
    request = token_service_pb2.CreateTokenRequest(
        token=token_pb2.Token(scopes=["accounts.read"], accounts=["accounts/ann"])
    )
    assert (await call(served, TOKENS + "CreateToken", request, bearer("prm_maker-secret"))).secret


async def test_the_server_tells_of_its_nodes(served: ServedNode) -> None:
    request = server_service_pb2.GetServerInfoRequest()
    answer = await call(served, "/postroom.v1.ServerService/GetServerInfo", request, bearer())
    assert [(node.name, node.shards) for node in answer.nodes] == [("n1", 3), ("nonce2", 0)]
    assert (answer.shard_count, answer.retention.seconds) == (256, 604_800)
