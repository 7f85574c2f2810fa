"""The promises of `senders.MailSender`, over a real SMTP server that misbehaves on demand."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest
from postroom_server.backends.smtp import SmtpSender
from postroom_server.domain.accounts import Account, MailServer, Security
from postroom_server.domain.outbox import SmtpEnvelope
from postroom_server.domain.ports import Call
from postroom_server.domain.senders import OutgoingMessage
from postroom_server.errors import (
    AddressDenied,
    CapabilityMissing,
    CredentialsRejected,
    DeadlineExceeded,
    MessageTooLarge,
    OutcomeUnknown,
    ProviderThrottled,
    ProviderUnreachable,
    RecipientsRefused,
)
from postroom_server.ids import AccountId

from tests.fixtures.clock import START
from tests.fixtures.eventually import eventually
from tests.fixtures.smtpd import Smtpd

RAW = b"From: a@x.test\r\nTo: b@x.test\r\nSubject: s\r\n\r\nhello\r\n"


class Credentials:
    def __init__(self, user="ann", token=None):
        self.user, self.token = user, token

    async def password(self, server):
        assert server == "smtp"
        return None if self.token else (self.user, "pässword")

    async def access_token(self, server):
        return (self.user, self.token) if self.token else None


class NoCredentials(Credentials):
    async def password(self, server):
        return None


class Loopback:
    def __init__(self, *addresses):
        self.addresses = addresses or ("127.0.0.1",)

    async def resolve(self, host, port):
        return self.addresses


class Denied:
    async def resolve(self, host, port):
        raise AddressDenied(host=host)


def call(seconds=10.0):
    return Call(deadline=asyncio.get_running_loop().time() + seconds)


def outgoing(*to, raw=RAW, sender="a@x.test"):
    envelope = SmtpEnvelope(sender=sender, recipients=to or ("b@x.test",))
    return OutgoingMessage(raw=raw, envelope=envelope, internet_message_id="1@x.test")


@asynccontextmanager
async def sending(
    server,
    *,
    user="ann",
    token=None,
    credentials=None,
    security=None,
    egress=None,
    tls=None,
    host="localhost",
    plaintext_allowed=True,
):
    chosen = (
        security or {"": Security.NONE, "implicit": Security.TLS, "starttls": Security.STARTTLS}[server.tls]
    )
    account = Account(
        id=AccountId("a"),
        email="a@x.test",
        smtp=MailServer(host=host, port=server.port, security=chosen),
        create_time=START,
        update_time=START,
    )
    sender = SmtpSender(
        account,
        credentials or Credentials(user, token),
        egress or Loopback(),
        tls or server.client_context(),
        plaintext_allowed=plaintext_allowed,
    )
    try:
        yield sender
    finally:
        await sender.close()


async def send(sender, message=None, seconds=10.0):
    async with sender.prepare(call(seconds), message or outgoing()) as transaction:
        return await transaction.commit(call(seconds))


@pytest.fixture
def server(scripted_smtpd):
    return scripted_smtpd


@pytest.fixture(params=["implicit", "starttls"])
def tls_server(request):
    with Smtpd(tls=request.param) as one:
        yield one


async def test_a_message_arrives_as_it_was_with_its_envelope(server):
    async with sending(server) as sender:
        receipt = await send(sender, outgoing("b@x.test", "c@x.test"))
    (received,) = server.messages
    assert (received.sender, received.recipients, received.raw) == ("a@x.test", ("b@x.test", "c@x.test"), RAW)
    assert received.user == "ann"
    assert received.options == (f"SIZE={len(RAW)}",)
    assert receipt.reply == "250 2.0.0 queued as 1"
    assert receipt.enhanced_status == "2.0.0"
    assert all(reply.accepted for reply in receipt.recipients.values())
    assert set(receipt.recipients) == {"b@x.test", "c@x.test"}


async def test_both_ways_of_tls(tls_server):
    async with sending(tls_server) as sender:
        await send(sender)
        await send(sender)
    assert [one.session for one in tls_server.messages] == [1, 1]


async def test_a_certificate_that_nobody_vouches_for_ends_it(tls_server):
    with Smtpd(tls="implicit") as other:
        async with sending(tls_server, tls=other.client_context()) as sender:
            with pytest.raises(ProviderUnreachable) as refused:
                await send(sender)
    assert refused.value.metadata["stage"] == "tls"
    assert tls_server.messages == []


async def test_a_certificate_for_another_name_ends_it(tls_server):
    async with sending(tls_server, host="elsewhere.test") as sender:
        with pytest.raises(ProviderUnreachable) as refused:
            await sender.verify(call())
    assert refused.value.metadata["stage"] == "tls"


async def test_starttls_that_is_not_offered_is_not_gone_without(server):
    """Threats T05: a stripped STARTTLS must not show the password."""
    async with sending(server, security=Security.STARTTLS) as sender:
        with pytest.raises(ProviderUnreachable):
            await send(sender)
    assert not any(line.startswith(b"AUTH") for line in server.dialogue)


async def test_without_tls_only_where_the_server_allows_it(server):
    async with sending(server, plaintext_allowed=False) as sender:
        with pytest.raises(AddressDenied):
            await sender.verify(call())
    assert server.sessions == 0


async def test_what_was_injected_before_tls_is_not_heard_after_it():
    """Threats T05, CVE-2011-0411."""
    with Smtpd(tls="starttls") as server:
        server.switches.injected_after_starttls = b"250-x\r\n250 AUTH NONE\r\n"
        async with sending(server) as sender:
            await send(sender)
        assert len(server.messages) == 1


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
async def test_passwords_by_what_is_offered(server, mechanism):
    server.switches.mechanisms = (mechanism,)
    async with sending(server) as sender:
        await sender.verify(call())
        await send(sender)
    assert server.messages[0].user == "ann"


async def test_tokens_by_xoauth2(server):
    async with sending(server, token="t") as sender:
        await send(sender)
    assert server.messages[0].user == "ann"


async def test_a_server_without_any_login_is_used_without_one(server):
    server.switches.mechanisms = ()
    async with sending(server) as sender:
        await send(sender)
    assert server.messages[0].user == ""


async def test_an_account_without_credentials_sends_without_a_login(server):
    async with sending(server, credentials=NoCredentials()) as sender:
        await send(sender)
    assert server.messages[0].user == ""


@pytest.mark.parametrize(
    ("user", "token", "mechanisms", "error"),
    [
        ("reject", None, ("PLAIN",), CredentialsRejected),
        ("reject", None, ("LOGIN",), CredentialsRejected),
        ("reject", "t", ("XOAUTH2",), CredentialsRejected),
        ("busy", None, ("PLAIN",), ProviderThrottled),
        ("ann", None, ("GSSAPI",), CapabilityMissing),
        ("ann", "t", ("PLAIN",), CapabilityMissing),
    ],
)
async def test_refused_logins(server, user, token, mechanisms, error):
    server.switches.mechanisms = mechanisms
    async with sending(server, user=user, token=token) as sender:
        with pytest.raises(error):
            await sender.verify(call())
        with pytest.raises(error):
            await send(sender)
    assert server.messages == []


async def test_leaving_without_commit_sends_nothing_and_keeps_the_connection(server):
    async with sending(server) as sender:
        async with sender.prepare(call(), outgoing()):
            pass
        assert server.messages == []
        await send(sender)
    assert (len(server.messages), server.sessions) == (1, 1)


async def test_an_error_inside_sends_nothing(server):
    async with sending(server) as sender:
        with pytest.raises(RuntimeError):
            async with sender.prepare(call(), outgoing()):
                raise RuntimeError
        await send(sender)
    assert len(server.messages) == 1


async def test_recipients_are_refused_one_by_one(server):
    server.switches.refuse_rcpt = {"no@x.test": "550 5.1.1 no such user", "later@x.test": "452 4.2.2 full"}
    message = outgoing("no@x.test", "b@x.test", "later@x.test")
    async with sending(server) as sender, sender.prepare(call(), message) as transaction:
        assert {address: reply.code for address, reply in transaction.refused.items()} == {
            "no@x.test": 550,
            "later@x.test": 452,
        }
        receipt = await transaction.commit(call())
    assert server.messages[0].recipients == ("b@x.test",)
    shown = {address: (reply.accepted, reply.permanent) for address, reply in receipt.recipients.items()}
    assert shown == {"no@x.test": (False, True), "b@x.test": (True, False), "later@x.test": (False, False)}
    assert receipt.recipients["no@x.test"].enhanced_status == "5.1.1"
    assert receipt.recipients["no@x.test"].text == "no such user"


async def test_nobody_left(server):
    server.switches.refuse_rcpt = {"b@x.test": "550 5.1.1 no such user"}
    async with sending(server) as sender:
        with pytest.raises(RecipientsRefused) as refused:
            await send(sender)
        assert refused.value.replies["b@x.test"].permanent
        await send(sender, outgoing("c@x.test"))
    assert len(server.messages) == 1


@pytest.mark.parametrize(
    ("verb", "reply", "error"),
    [
        ("CONNECT", "421 4.3.2 too many connections", ProviderThrottled),
        ("CONNECT", "554 5.7.1 go away", ProviderUnreachable),
        ("MAIL", "421 4.7.0 slow down", ProviderThrottled),
        ("MAIL", "451 4.7.1 slow down", ProviderThrottled),
        ("MAIL", "552 5.3.4 too large", MessageTooLarge),
        ("MAIL", "530 5.7.0 log in first", CredentialsRejected),
        ("MAIL", "550 5.7.1 not you", RecipientsRefused),
        ("MAIL", "451 4.3.0 later", RecipientsRefused),
        ("RCPT", "421 4.7.0 slow down", ProviderThrottled),
    ],
)
async def test_refusals_of_the_envelope(server, verb, reply, error):
    server.switches.replies[verb] = reply
    async with sending(server) as sender:
        with pytest.raises(error) as refused:
            await send(sender)
        del server.switches.replies[verb]
        await send(sender)
    assert "\n" not in str(refused.value)
    assert len(server.messages) == 1


@pytest.mark.parametrize("verb", ["DATA", "."])
@pytest.mark.parametrize(
    ("reply", "permanent"), [("554 5.6.0 spam", True), ("451 4.3.0 later", False), ("421 4.3.2 bye", False)]
)
async def test_a_refused_message_is_a_receipt_without_acceptance(server, verb, reply, permanent):
    server.switches.replies[verb] = reply
    async with sending(server) as sender:
        receipt = await send(sender)
        assert receipt.reply == reply
        assert (receipt.recipients["b@x.test"].accepted, receipt.recipients["b@x.test"].permanent) == (
            False,
            permanent,
        )
        del server.switches.replies[verb]
        await send(sender)
    assert len(server.messages) == 1


async def test_an_answer_lost_after_the_final_dot_is_an_unknown_outcome(server):
    server.switches.drop_after_dot = True
    async with sending(server) as sender:
        with pytest.raises(OutcomeUnknown):
            await send(sender)
    assert len(server.messages) == 1


async def test_an_answer_that_is_late_after_the_final_dot_is_an_unknown_outcome(server):
    server.switches.stall_on.add(".")
    async with sending(server) as sender:
        start = time.monotonic()
        with pytest.raises(OutcomeUnknown):
            await send(sender, seconds=0.5)
        assert time.monotonic() - start < 1.5
        server.switches.stall_on.clear()
        await send(sender)
    assert len(server.messages) == 1


async def test_an_answer_that_cannot_be_read_after_the_final_dot_is_an_unknown_outcome(server):
    server.switches.replies["."] = "what?"
    async with sending(server) as sender:
        with pytest.raises(OutcomeUnknown):
            await send(sender)


@pytest.mark.parametrize("verb", ["CONNECT", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "BODY"])
async def test_a_connection_lost_before_the_final_dot_sent_nothing(server, verb):
    server.switches.close_on.add(verb)
    raw = RAW + b"x" * 8_000_000 if verb == "BODY" else RAW
    async with sending(server) as sender:
        with pytest.raises(ProviderUnreachable):
            await send(sender, outgoing(raw=raw))
        server.switches.close_on.clear()
        await send(sender)
    assert len(server.messages) == 1


@pytest.mark.parametrize("verb", ["CONNECT", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "BODY"])
async def test_the_deadline_holds_at_every_step(server, verb):
    server.switches.stall_on.add(verb)
    raw = RAW + b"x" * 8_000_000 if verb == "BODY" else RAW
    async with sending(server) as sender:
        start = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            await send(sender, outgoing(raw=raw), seconds=0.4)
        assert time.monotonic() - start < 0.4 + 0.4 + 0.25
    assert server.messages == []


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "."])
async def test_after_a_cancel_no_late_reply_is_taken_for_another(server, verb):
    """A cancelled MAIL left `is_connected` true and shifted every reply by one."""
    server.switches.stall_on.add(verb)
    async with sending(server) as sender:
        await sender.verify(call())
        task = asyncio.create_task(send(sender))
        want = {"MAIL": b"MAIL", "RCPT": b"RCPT", "DATA": b"DATA", ".": b"DATA"}[verb]
        await eventually(lambda: any(line.startswith(want) for line in server.dialogue))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        server.switches.stall_on.clear()
        receipt = await send(sender, outgoing("after@x.test"))
    assert receipt.recipients["after@x.test"].accepted
    assert server.messages[-1].recipients == ("after@x.test",)


async def test_a_kept_connection_that_the_server_closed_is_replaced_once(server):
    async with sending(server) as sender:
        await send(sender)
        server.switches.replies["MAIL"] = "421 4.4.2 idle too long"
        task = asyncio.create_task(send(sender))
        await eventually(lambda: server.sessions == 2)
        with pytest.raises(ProviderThrottled):
            await task
        server.switches.replies.clear()
        await send(sender)
        server.cut()
        await send(sender)
    assert len(server.messages) == 3


async def test_a_connection_carries_many_messages_but_not_for_ever(server):
    async with sending(server) as sender:
        for _ in range(101):
            await send(sender)
    assert len(server.messages) == 101
    assert [one.session for one in server.messages] == [1] * 100 + [2]


async def test_at_most_two_connections_at_a_time_and_waiting_counts(server):
    server.switches.delay["DATA"] = 0.2
    async with sending(server) as sender:
        await asyncio.gather(*[send(sender) for _ in range(6)])
        assert server.sessions <= 5
        async with sender.prepare(call(), outgoing()), sender.prepare(call(), outgoing()):
            with pytest.raises(DeadlineExceeded):
                await send(sender, seconds=0.2)
    assert len(server.messages) == 6


async def test_size_is_checked_before_anything_is_sent(server):
    server.switches.extensions = ("SIZE 50",)
    async with sending(server) as sender:
        with pytest.raises(MessageTooLarge) as refused:
            await send(sender)
        assert refused.value.metadata["maxBytes"] == "50"
        assert sender.traits.max_bytes == 50
    assert server.messages == []


async def test_extensions_are_used_where_they_are_offered_and_needed(server):
    raw = "From: ä@x.test\r\n\r\nü\r\n".encode()
    async with sending(server) as sender:
        await send(sender, outgoing("ö@x.test", raw=raw))
    assert server.messages[0].options == (f"SIZE={len(raw)}", "BODY=8BITMIME", "SMTPUTF8")
    assert server.messages[0].recipients == ("ö@x.test",)


async def test_without_smtputf8_an_address_beyond_ascii_is_refused(server):
    server.switches.extensions = ()
    async with sending(server) as sender:
        with pytest.raises(RecipientsRefused) as refused:
            await send(sender, outgoing("ö@x.test"))
        assert refused.value.replies["ö@x.test"].enhanced_status == "5.6.7"
        receipt = await send(sender, outgoing("ö@x.test", "b@x.test"))
    assert server.messages[0].recipients == ("b@x.test",)
    assert not receipt.recipients["ö@x.test"].accepted


async def test_a_host_outside_the_rule_is_never_connected_to(server):
    async with sending(server, egress=Denied()) as sender:
        with pytest.raises(AddressDenied):
            await send(sender)
    assert server.sessions == 0


async def test_the_next_address_is_tried(server):
    async with sending(server, egress=Loopback("127.9.9.9", "127.0.0.1")) as sender:
        await send(sender)
    assert len(server.messages) == 1


async def test_the_kept_connection_is_closed_after_a_while(server, monkeypatch):
    monkeypatch.setattr("postroom_server.backends.smtp.sender.IDLE_SECONDS", 0.05)
    async with sending(server) as sender:
        await send(sender)
        await eventually(lambda: b"QUIT" in server.dialogue)
        await send(sender)
    assert [one.session for one in server.messages] == [1, 2]


SMUGGLING = [
    left + b"." + right
    for left in (b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b"\n\r")
    for right in (b"\n", b"\r", b"\r\n", b"\r\r\n")
]


@pytest.mark.parametrize("end", SMUGGLING, ids=repr)
@pytest.mark.parametrize("lax", [False, True])
async def test_no_end_of_data_is_hidden_in_a_message(server, end, lax):
    """Threats T04: however carelessly the server reads line ends, it is one message."""
    server.switches.lax = lax
    second = (
        b"MAIL FROM:<evil@x.test>\r\nRCPT TO:<victim@x.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"
    )
    async with sending(server) as sender:
        await send(sender, outgoing(raw=RAW + b"text" + end + second))
        await send(sender)
    assert [one.sender for one in server.messages] == ["a@x.test", "a@x.test"]
    assert b"MAIL FROM:<evil@x.test>" in server.messages[0].raw
    assert not any(line.startswith(b"MAIL FROM:<evil") for line in server.dialogue)


async def test_an_address_that_holds_a_command_is_never_spoken(server):
    """Threats T03; addresses are checked before, this is the second fence."""
    async with sending(server) as sender:
        for address in ("b@x.test>\r\nRSET", "b@x.test\r\nDATA", "b\x00@x.test", "b@x.test> SIZE=1"):
            with pytest.raises(Exception, match="control characters"):
                await send(sender, outgoing(address))
    assert not any(b"DATA" in line for line in server.dialogue)
    assert server.messages == []


async def test_lines_that_begin_with_dots_arrive_whole(server):
    raw = RAW + b".\r\n..\r\n.x\r\n"
    async with sending(server) as sender:
        await send(sender, outgoing(raw=raw))
    assert server.messages[0].raw == raw


async def test_texts_of_the_server_are_bounded_and_on_one_line(server):
    server.switches.refuse_rcpt = {"b@x.test": "550 5.1.1 " + "\x1b[31m" + "x" * 3_000}
    async with sending(server) as sender:
        with pytest.raises(RecipientsRefused) as refused:
            await send(sender)
    reply = refused.value.replies["b@x.test"]
    assert len(reply.text) <= 500
    assert "\x1b" not in reply.text
