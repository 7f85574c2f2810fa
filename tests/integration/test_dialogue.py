"""Dialogues with real servers: every way to log in and to encrypt is told, and no secret is in what is told."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from dataclasses import replace

import pytest
from postroom_server.backends.imap import ImapBackend
from postroom_server.backends.smtp import SmtpSender
from postroom_server.domain.accounts import Account, Kind, MailServer, Security
from postroom_server.domain.outbox import SmtpEnvelope
from postroom_server.domain.senders import OutgoingMessage
from postroom_server.errors import CredentialsRejected, PostroomError
from postroom_server.ids import AccountId
from postroom_server.workers.dialogues import Dialogues

from tests.fixtures.dovecot import Dovecot
from tests.fixtures.smtpd import Smtpd
from tests.fixtures.worlds import FixedPassword, LoopbackEgress, account_record, call

ANN = AccountId("ann")
CANARY = "canary-secret-3xz"


class Token:
    """One user and access token for every server."""

    def __init__(self, user: str, token: str) -> None:
        self._given = (user, token)

    async def password(self, server: str) -> tuple[str, str] | None:
        return None

    async def access_token(self, server: str) -> tuple[str, str] | None:
        return self._given


class Password:
    """One user and password for every server."""

    def __init__(self, user: str, password: str = CANARY) -> None:
        self._given = (user, password)

    async def password(self, server: str) -> tuple[str, str] | None:
        return self._given

    async def access_token(self, server: str) -> tuple[str, str] | None:
        return None


@pytest.fixture
def dialogues() -> Dialogues:
    made = Dialogues()
    made.begin(ANN)
    return made


async def texts(dialogues: Dialogues) -> list[str]:
    return [line.text async for some in dialogues.read(ANN, most=0, follow=False) for line in some]


def imap(dovecot: Dovecot, dialogues: Dialogues) -> ImapBackend:
    return ImapBackend(
        LoopbackEgress(), ca_file=str(dovecot.ca_file), plaintext_allowed=True, dialogues=dialogues.of
    )


def imap_record(dovecot: Dovecot, user: str, security: Security) -> Account:
    port = dovecot.imaps_port if security is Security.TLS else dovecot.imap_port
    server = MailServer(host="localhost", port=port, username=user, security=security)
    return account_record(ANN, user, Kind.IMAP, server)


@pytest.mark.parametrize("security", list(Security))
async def test_a_login_with_a_token_is_told_without_it(
    dovecot: Dovecot, dialogues: Dialogues, security: Security
) -> None:
    user = dovecot.new_user()
    token = dovecot.access_token(user)
    record = imap_record(dovecot, user, security)
    account = await imap(dovecot, dialogues).open(call(), record, Token(user, token))
    await account.close()
    told = await texts(dialogues)
    whole = "\n".join(told)
    assert any("AUTHENTICATE" in text and text.endswith("***") for text in told)
    assert any(text.startswith("encrypted: TLSv1.") for text in told) == (security is not Security.NONE)
    assert any(text.endswith("LOGOUT") for text in told)
    assert told[-1].startswith("closed")
    for secret in (token, base64.b64encode(token.encode()).decode().rstrip("="), token.split(".")[2]):
        assert secret not in whole


@pytest.mark.parametrize("expired", [True, False])
async def test_a_refused_login_is_told_without_its_secret(
    dovecot: Dovecot, dialogues: Dialogues, expired: bool
) -> None:
    user = dovecot.new_user()
    token = dovecot.access_token(user, lifetime=-10)
    credentials = Token(user, token) if expired else Password(user)
    with pytest.raises(CredentialsRejected):
        await imap(dovecot, dialogues).open(call(), imap_record(dovecot, user, Security.TLS), credentials)
    told = "\n".join(await texts(dialogues))
    assert "[AUTHENTICATIONFAILED]" in told
    assert [word for word in (token, CANARY) if word in told] == []


async def test_the_watch_tells_its_own_connection(dovecot: Dovecot, dialogues: Dialogues) -> None:
    user = dovecot.new_user()
    record = imap_record(dovecot, user, Security.TLS)
    account = await imap(dovecot, dialogues).open(call(), record, FixedPassword(user))
    scopes = [row.scope for row in await account.list_mailboxes(call(), counts=False) if row.scope]
    async with account.wakeups(scopes) as hints:
        await asyncio.to_thread(dovecot.deliver, user, b"Subject: canary-subject\r\n\r\ncanary-text\r\n")
        await anext(aiter(hints))
    await account.close()
    lines = [line async for some in dialogues.read(ANN, most=0, follow=False) for line in some]
    assert any(line.session == "watch-1" and line.text.endswith("IDLE") for line in lines)
    assert any(line.session == "watch-1" and line.text.endswith("EXISTS") for line in lines)
    assert any(line.session == "pool-1" for line in lines)
    assert "canary" not in "\n".join(line.text for line in lines)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "XOAUTH2"])
@pytest.mark.parametrize("user", ["ann", "reject", "busy"])
async def test_an_smtp_login_is_told_without_its_secret(
    scripted_smtpd: Smtpd, dialogues: Dialogues, mechanism: str, user: str
) -> None:
    scripted_smtpd.switches.mechanisms = (mechanism,)
    server = MailServer(host="localhost", port=scripted_smtpd.port, username=user, security=Security.NONE)
    record = account_record(ANN, "ann@mail.test", Kind.IMAP)
    record = replace(record, smtp=server)
    credentials = Token(user, CANARY) if mechanism == "XOAUTH2" else Password(user)
    sender = SmtpSender(
        record, credentials, LoopbackEgress(), scripted_smtpd.client_context(), plaintext_allowed=True,
        dialogue=dialogues.of(ANN),
    )  # fmt: skip
    message = OutgoingMessage(
        raw=b"Subject: canary-subject\r\n\r\ncanary-text\r\n.dot\r\n",
        envelope=SmtpEnvelope(sender="ann@mail.test", recipients=("ben@mail.test",)),
        internet_message_id="a@b",
    )
    expected = contextlib.nullcontext() if user == "ann" else pytest.raises(PostroomError)
    with expected:
        async with sender.prepare(call(), message) as transaction:
            await transaction.commit(call())
    await sender.close()
    told = await texts(dialogues)
    assert f"AUTH {mechanism} ***" in told
    if user == "ann":
        assert told[told.index("DATA") :][2:4] == ["{46 bytes}", "."]
    assert "canary" not in "\n".join(told)
    assert base64.b64encode(CANARY.encode()).decode().rstrip("=")[:16] not in "\n".join(told)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "XOAUTH2"])
@pytest.mark.parametrize("code", ["535 5.7.8", "454 4.7.0", "501 5.5.2"])
async def test_a_server_that_repeats_the_secret_is_quoted_nowhere(
    scripted_smtpd: Smtpd, dialogues: Dialogues, mechanism: str, code: str
) -> None:
    secret = 'canary"5up3r'
    coded = base64.b64encode(f"user=ann\1auth=Bearer {secret}\1\1".encode()).decode()
    scripted_smtpd.switches.mechanisms = (mechanism,)
    scripted_smtpd.switches.replies["AUTH"] = f"{code} no: {secret} {secret.upper()} {coded}"
    server = MailServer(host="localhost", port=scripted_smtpd.port, username="ann", security=Security.NONE)
    record = replace(account_record(ANN, "ann@mail.test", Kind.IMAP), smtp=server)
    credentials = Token("ann", secret) if mechanism == "XOAUTH2" else Password("ann", secret)
    sender = SmtpSender(
        record, credentials, LoopbackEgress(), scripted_smtpd.client_context(), plaintext_allowed=True,
        dialogue=dialogues.of(ANN),
    )  # fmt: skip
    envelope = SmtpEnvelope(sender="ann@mail.test", recipients=("ben@mail.test",))
    message = OutgoingMessage(raw=b"Subject: a\r\n\r\nb\r\n", envelope=envelope, internet_message_id="a@b")
    with pytest.raises(PostroomError) as caught:
        async with sender.prepare(call(), message):
            pass
    await sender.close()
    told = "\n".join([str(caught.value), *await texts(dialogues)])
    assert "canary" not in told.lower()
    assert coded[24:] not in told
