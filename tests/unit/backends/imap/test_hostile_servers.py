"""What servers do to clients: refuse, lie, fall silent, inject (threats T05, T06; faults F02 to F05, F11)."""

from __future__ import annotations

import asyncio
import base64
import ssl

import pytest
import trustme
from postroom_server.backends.imap import protocol as receiving
from postroom_server.domain.accounts import Security
from postroom_server.domain.flags import Flag
from postroom_server.domain.keys import MailboxKey, ScopeId, item_key
from postroom_server.domain.messages import ByteStream
from postroom_server.domain.ports import ItemEdit, Outcome
from postroom_server.domain.search import Condition, SearchQuery
from postroom_server.errors import (
    AddressDenied,
    AdminBlocked,
    CapabilityMissing,
    CredentialsRejected,
    DeadlineExceeded,
    MailboxNotFound,
    MessageNotFound,
    OutcomeUnknown,
    PostroomError,
    ProviderCursorExpired,
    ProviderFull,
    ProviderMisbehaved,
    ProviderThrottled,
    ProviderUnreachable,
)

from tests.fixtures.eventually import eventually
from tests.unit.backends.imap.scripted import CAPABILITIES, Credentials, Link, call, opened, scripted

INBOX = ScopeId(b"INBOX")


async def failure(script, kind: type[PostroomError], *args, **kwargs) -> PostroomError:
    """What opening an account at such a server says."""
    async with scripted(script) as server:
        with pytest.raises(PostroomError) as caught:
            async with opened(server, *args, **kwargs):
                pass
        assert type(caught.value) is kind, repr(caught.value)
        return caught.value


# --- greeting and login ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("greeting", "kind"),
    [
        ("* BYE too many connections\r\n", ProviderThrottled),
        ("* BYE shutting down\r\n", ProviderUnreachable),
        ("220 mail.test ESMTP\r\n", ProviderUnreachable),
        ("HTTP/1.1 400 Bad Request\r\n", ProviderUnreachable),
        ("* NO go away\r\n", ProviderUnreachable),
        (b"\x16\x03\x01\x00\r\n", ProviderUnreachable),
    ],
)
async def test_a_greeting_that_is_none_is_told_at_once(greeting, kind):
    begun = asyncio.get_running_loop().time()
    await failure({"greeting": greeting}, kind)
    assert asyncio.get_running_loop().time() - begun < 1.0


async def test_a_server_that_does_not_greet_runs_into_the_deadline():
    await failure({"greeting": ""}, DeadlineExceeded, within=0.2)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("{tag} NO [AUTHENTICATIONFAILED] Authentication failed.\r\n", CredentialsRejected),
        ("{tag} NO [EXPIRED] Password expired\r\n", CredentialsRejected),
        ("{tag} NO Invalid credentials\r\n", CredentialsRejected),
        ("{tag} NO [UNAVAILABLE] Temporary authentication failure.\r\n", ProviderUnreachable),
        ("{tag} NO Temporary authentication failure\r\n", ProviderUnreachable),
        ("{tag} NO [INUSE] Mailbox is in use\r\n", ProviderThrottled),
        ("{tag} NO [LIMIT] Too many connections\r\n", ProviderThrottled),
        ("{tag} NO [ALERT] Too many simultaneous connections. (Failure)\r\n", ProviderThrottled),
        ("{tag} NO [CONTACTADMIN] Ask them\r\n", AdminBlocked),
        ("* BYE server shutting down\r\n", ProviderUnreachable),
    ],
)
async def test_only_a_word_against_the_credentials_counts_against_them(answer, kind):
    def end(link: Link, tag: str, line: str) -> None:
        link.say(answer.replace("{tag}", tag))
        if "BYE" in answer:
            link.writer.close()

    await failure({"AUTHENTICATE": end}, kind)


@pytest.mark.parametrize("offered", ["IMAP4rev1", "IMAP4rev1 AUTH=PLAIN", "IMAP4rev1 AUTH=PLAIN SASL-IR"])
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("{tag} NO [AUTHENTICATIONFAILED] wrong: {line}", CredentialsRejected),
        ("{tag} NO wrong password {word}", CredentialsRejected),
        ("{tag} NO WRONG PASSWORD {upper}", CredentialsRejected),
        ("{tag} NO try again later, {word}", ProviderUnreachable),
        ("{tag} BAD what is {word}?", ProviderMisbehaved),
        ("* BYE wrong password {word}", ProviderUnreachable),
    ],
)
async def test_a_server_that_repeats_the_password_is_not_quoted_in_the_error(offered, answer, kind):
    word = 'canary"5up3r'

    async def end(link: Link, tag: str, line: str) -> None:
        if offered.endswith("PLAIN"):
            link.say("+ \r\n")
            line = (await link.line()).decode()
        told = answer.format(tag=tag, line=line.strip(), word=word, upper=word.upper())
        link.say(f"{told}\r\n")
        if "BYE" in answer:
            link.writer.close()

    script = {"CAPABILITY": f"* CAPABILITY {offered}\r\n{{tag}} OK x\r\n", "AUTHENTICATE": end, "LOGIN": end}
    error = await failure(script, kind, credentials=Credentials(password=word))
    letters = "".join(filter(str.isalnum, str(error).lower()))
    assert "canary" not in letters
    assert base64.b64encode(f"\0ann\0{word}".encode()).decode()[:20] not in str(error)


async def test_the_servers_text_is_cut_and_cleaned():
    error = await failure(
        {"AUTHENTICATE": "{tag} NO \x1b[31m<script>" + "x" * 5_000 + "\r\n"}, CredentialsRejected
    )
    assert len(str(error)) < 300
    assert "\x1b" not in str(error)


@pytest.mark.parametrize(
    ("offered", "closing"), [("AUTH=XOAUTH2 SASL-IR", b"\r\n"), ("AUTH=OAUTHBEARER", b"AQ==\r\n")]
)
async def test_a_refused_token_is_answered_and_its_reason_told(offered, closing):
    reason = base64.b64encode(b'{"status":"401","schemes":"bearer","scope":"https://mail.test/"}').decode()
    answers: list[bytes] = []

    async def challenge(link: Link, tag: str, line: str) -> str:
        if "SASL-IR" not in offered:
            link.say("+ \r\n")
            answers.append(await link.line())
        link.say(f"+ {reason}\r\n")
        answers.append(await link.line())
        return f"{tag} NO [AUTHENTICATIONFAILED] bad token\r\n"

    script = {
        "CAPABILITY": f"* CAPABILITY IMAP4rev1 {offered}\r\n{{tag}} OK x\r\n",
        "AUTHENTICATE": challenge,
    }
    error = await failure(script, CredentialsRejected, credentials=Credentials(token="secret-token"))
    assert answers[-1] == closing
    assert "401" in str(error)
    assert "secret-token" not in str(error)


async def test_login_is_used_where_plain_is_not_offered():
    script = {"CAPABILITY": "* CAPABILITY IMAP4rev1\r\n{tag} OK x\r\n"}
    async with scripted(script) as server:
        async with opened(server, credentials=Credentials('pä"ss\\')):
            pass
        login = next(line for line in server.lines if b" LOGIN " in line)
    assert login.endswith(' LOGIN "ann" {7}\r\npä"ss\\\r\n'.encode())


async def test_a_password_is_not_sent_where_logging_in_is_disabled():
    script = {"CAPABILITY": "* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n{tag} OK x\r\n"}
    await failure(script, CapabilityMissing)


async def test_capabilities_are_learned_anew_after_the_login():
    script = {"AUTHENTICATE": "{tag} OK [CAPABILITY IMAP4rev1 NOTIFY IDLE] in\r\n"}
    async with scripted(script) as server, opened(server) as mail:
        assert mail.capabilities.push == {"IDLE", "NOTIFY"}
        assert sum(b"CAPABILITY" in line for line in server.lines) == 1


# --- TLS ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority, tmp_path) -> str:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return str(tmp_path / "ca.pem")


WITH_TLS = {"CAPABILITY": f"* CAPABILITY {CAPABILITIES} STARTTLS\r\n{{tag}} OK x\r\n"}


async def secrets_sent(script, ca_file: str) -> tuple[PostroomError, list[bytes]]:
    async with scripted(script) as server:
        with pytest.raises(PostroomError) as caught:
            async with opened(server, Security.STARTTLS, ca_file=ca_file):
                pass
        return caught.value, [line for line in server.lines if b"AUTHENTICATE" in line or b"LOGIN" in line]


@pytest.mark.parametrize(
    "script",
    [
        {},
        {"STARTTLS": "{tag} NO not now\r\n"} | WITH_TLS,
        {"STARTTLS": "{tag} BAD what\r\n"} | WITH_TLS,
        {"greeting": "* PREAUTH welcome\r\n"} | WITH_TLS,
        {"STARTTLS": "{tag} OK begin\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"} | WITH_TLS,
        {"STARTTLS": "{tag} OK begin\r\n* OK inj"} | WITH_TLS,
        {"STARTTLS": "* PREAUTH surprise\r\n{tag} OK begin\r\n"} | WITH_TLS,
        {"STARTTLS": "{tag} OK begin\r\nP9 OK done\r\n"} | WITH_TLS,
    ],
    ids=[
        "not offered",
        "refused",
        "unknown",
        "preauth",
        "injected line",
        "injected half",
        "late preauth",
        "injected tag",
    ],
)
async def test_no_secret_goes_out_when_starttls_is_tampered_with(script, ca_file):
    error, sent = await secrets_sent(script, ca_file)
    assert isinstance(error, ProviderUnreachable | ProviderMisbehaved)
    assert sent == []


async def test_a_plain_connection_must_be_allowed():
    await failure({}, AddressDenied, plaintext_allowed=False)


async def test_an_old_tls_version_is_refused(authority, ca_file):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with scripted({}, context) as server, opened(server, Security.TLS, ca_file=ca_file):
        assert server.lines
    for name in ("other.test", "*.localhost"):
        wrong = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(wrong)
        async with scripted({}, wrong) as server:
            with pytest.raises(ProviderUnreachable) as caught:
                async with opened(server, Security.TLS, ca_file=ca_file):
                    pass
        assert caught.value.metadata["stage"] == "tls"


# --- commands -------------------------------------------------------------------------------------------------------


async def test_untagged_data_is_never_lost_and_a_bye_ends_everything_at_once():
    async def bye(link: Link, tag: str, line: str) -> None:
        link.say("* BYE going down\r\n")
        link.writer.close()

    async with scripted({"LIST": bye}) as server, opened(server) as mail:
        begun = asyncio.get_running_loop().time()
        with pytest.raises(ProviderUnreachable):
            await mail.list_mailboxes(call(), counts=False)
        assert asyncio.get_running_loop().time() - begun < 1.0


async def test_a_bye_in_idle_ends_the_watch():
    def bye(link: Link, tag: str, line: str) -> str:
        asyncio.get_running_loop().call_later(
            0.05, lambda: (link.say("* BYE later\r\n"), link.writer.close())
        )
        return "+ idling\r\n"

    async with scripted({"IDLE": bye}) as server, opened(server) as mail, mail.wakeups([INBOX]) as hints:
        with pytest.raises(ProviderUnreachable):
            await anext(hints)


async def test_a_watch_whose_idle_is_refused_is_told():
    async with scripted({"IDLE": "{tag} NO not here\r\n"}) as server, opened(server) as mail:
        with pytest.raises(PostroomError):
            async with mail.wakeups([INBOX]) as hints:
                await anext(hints)


async def test_news_during_other_commands_reaches_the_watcher():
    def idle(link: Link, tag: str, line: str) -> str:
        asyncio.get_running_loop().call_later(0.02, lambda: link.say("* 4 EXISTS\r\n* 4 RECENT\r\n"))
        return "+ idling\r\n"

    async with scripted({"IDLE": idle}) as server, opened(server) as mail, mail.wakeups([INBOX]) as hints:
        hint = await anext(hints)
        assert hint.scopes == {INBOX}


async def test_a_silent_server_costs_the_caller_no_more_than_the_deadline():
    async with scripted({"LIST": None}) as server, opened(server) as mail:
        with pytest.raises(DeadlineExceeded):
            await mail.list_mailboxes(call(0.1), counts=False)
        server.script.pop("LIST")
        assert await mail.list_mailboxes(call(), counts=False)


async def test_a_late_answer_is_not_taken_for_that_of_the_next_command():
    async def late(link: Link, tag: str, line: str) -> str:
        await asyncio.sleep(0.2)
        return f'* LIST () "/" Late\r\n{tag} OK x\r\n'

    async with scripted({"LIST": late}) as server, opened(server, connections=1) as mail:
        with pytest.raises(DeadlineExceeded):
            await mail.list_mailboxes(call(0.1), counts=False)
        server.script["LIST"] = '* LIST () "/" Now\r\n{tag} OK x\r\n'
        rows = await mail.list_mailboxes(call(), counts=False)
        assert [row.path for row in rows] == [("Now",)]


async def test_a_stall_within_a_literal_ends_the_connection(monkeypatch):
    monkeypatch.setattr(receiving, "STALL_SECONDS", 0.2)
    script = {"UID FETCH": "* 1 FETCH (UID 1 BODY[] {1000}\r\nhalf"}
    async with scripted(script) as server, opened(server) as mail:
        stream = await mail.source(call(), item_key(INBOX, 7, 1))
        assert await anext(stream.chunks) == b"half"
        with pytest.raises(ProviderUnreachable):
            await anext(stream.chunks)


@pytest.mark.parametrize(
    "answer",
    [
        "X99 OK done\r\n",
        "garbage\r\n",
        "* 1 FETCH (UID 1 BODY[] {4294967296}\r\n",
        "* 1 FETCH (UID 1 FLAGS {2000000}\r\n",
        "* LIST broken\r\n" * 40,
        b"* OK " + b"a" * (2 << 20),
    ],
)
async def test_nonsense_ends_the_connection_and_the_next_call_has_a_new_one(answer):
    async with scripted({"LIST": answer}) as server, opened(server) as mail:
        with pytest.raises(ProviderMisbehaved):
            await mail.list_mailboxes(call(), counts=False)
        server.script.pop("LIST")
        assert await mail.list_mailboxes(call(), counts=False)
        assert len(server.links) == 2


async def test_a_refused_literal_is_a_refusal_and_not_a_hang():
    async def once(source: bytes):
        yield source

    async with scripted({"+": "{tag} NO [OVERQUOTA] full\r\n"}) as server, opened(server) as mail:
        stream = ByteStream(content_type="message/rfc822", size_bytes=5, exact=True, chunks=once(b"hello"))
        with pytest.raises(ProviderFull):
            await mail.append(call(), MailboxKey(b"INBOX"), stream, frozenset(), None)
        server.script.pop("+")
        assert await mail.list_mailboxes(call(), counts=False)


async def test_an_append_whose_answer_is_lost_is_unknown():
    async def once(source: bytes):
        yield source

    def lose(link: Link, tag: str, line: str) -> None:
        link.writer.close()

    async with scripted({"APPEND": lose}) as server, opened(server) as mail:
        stream = ByteStream(content_type="message/rfc822", size_bytes=5, exact=True, chunks=once(b"hello"))
        with pytest.raises(OutcomeUnknown):
            await mail.append(call(), MailboxKey(b"INBOX"), stream, frozenset(), None)


async def test_a_store_whose_answer_is_lost_is_unknown_and_the_rest_not_tried():
    def lose(link: Link, tag: str, line: str) -> None:
        link.writer.close()

    keys = [item_key(INBOX, 7, uid) for uid in range(1, 4)] + [item_key(ScopeId(b"Other"), 7, 1)]
    async with scripted({"UID STORE": lose}) as server, opened(server) as mail:
        edit = ItemEdit(add_flags=frozenset({Flag("$seen")}))
        outcomes = [result.outcome async for result in mail.modify(call(), keys, edit)]
    assert outcomes == [Outcome.UNKNOWN] * 3 + [Outcome.NOT_TRIED]


# --- data -----------------------------------------------------------------------------------------------------------


def summary_line(number: int, *, structure: str = '("text" "plain" NIL NIL NIL "7bit" 5 1)') -> str:
    envelope = f'(NIL "subject {number}" NIL NIL NIL NIL NIL NIL NIL "<{number}@x>")'
    return (
        f'* {number} FETCH (UID {number} FLAGS () INTERNALDATE "01-Jan-2026 00:00:00 +0000" RFC822.SIZE 9'
        f" ENVELOPE {envelope} BODYSTRUCTURE {structure})\r\n"
    )


async def summaries(mail, *uids: int) -> dict[int, str]:
    keys = [item_key(INBOX, 7, uid) for uid in uids]
    return {summary.key[-1]: summary.subject async for summary in mail.summaries(call(), keys)}


async def test_one_message_that_cannot_be_read_does_not_hide_the_others():
    deep = "(" * 60 + ")" * 60

    def fetch(link: Link, tag: str, line: str) -> str:
        if "HEADER]" in line:
            return (
                "* 2 FETCH (UID 2 FLAGS () RFC822.SIZE 9 BODY[HEADER]<0> {25}\r\nSubject: from the header\r\n)\r\n"
                f"{tag} OK x\r\n"
            )
        return summary_line(1) + summary_line(2, structure=deep) + summary_line(3) + f"{tag} OK x\r\n"

    async with scripted({"UID FETCH": fetch}) as server, opened(server) as mail:
        assert await summaries(mail, 1, 2, 3) == {1: "subject 1", 2: "from the header", 3: "subject 3"}


async def test_a_message_whose_answer_is_too_large_is_found_by_halves():
    def fetch(link: Link, tag: str, line: str) -> str:
        wanted = line.split(" ")[2]
        low, _, high = wanted.partition(":")
        uids = range(int(low), int(high or low) + 1)
        if "HEADER]" in line:
            return (
                f'* 2 FETCH (UID 2 FLAGS () RFC822.SIZE 9 BODY[HEADER]<0> "Subject: poor")\r\n{tag} OK x\r\n'
            )
        huge = '("text" "plain" ("x" "' + "y" * (2 << 20) + '") NIL NIL "7bit" 5 1)'
        lines = [summary_line(uid, structure=huge) if uid == 2 else summary_line(uid) for uid in uids]
        return "".join(lines) + f"{tag} OK x\r\n"

    async with scripted({"UID FETCH": fetch}) as server, opened(server) as mail:
        assert await summaries(mail, 1, 2, 3, 4) == {
            1: "subject 1",
            2: "poor",
            3: "subject 3",
            4: "subject 4",
        }


async def observed(mail, since=None):
    return [page async for page in mail.changes(call(), INBOX, since)]


@pytest.mark.parametrize(
    "fetch",
    [
        "* 1 FETCH (FLAGS ())\r\n* 2 FETCH (FLAGS ())\r\n* 3 FETCH (FLAGS ())\r\n{tag} OK x\r\n",
        "* 1 FETCH (UID 1 FLAGS ())\r\n{tag} OK x\r\n",
        "* 1 FETCH (UID 1 FLAGS ())\r\n* 2 FETCH (UID 2 FLAGS ()\r\n* 3 FETCH (UID 3 FLAGS ())\r\n{tag} OK x\r\n",
    ],
    ids=["without UIDs", "fewer than there are", "unreadable"],
)
async def test_a_scan_that_cannot_be_trusted_shows_nothing(fetch):
    """Otherwise messages would be taken for gone."""
    async with scripted({"UID FETCH": fetch}) as server, opened(server) as mail:
        with pytest.raises(ProviderMisbehaved):
            await observed(mail)


async def test_an_expunge_during_a_scan_is_no_lie():
    fetch = "* 1 FETCH (UID 1 FLAGS ())\r\n* 2 EXPUNGE\r\n* 2 FETCH (UID 3 FLAGS ())\r\n{tag} OK x\r\n"
    async with scripted({"UID FETCH": fetch}) as server, opened(server) as mail:
        (page,) = await observed(mail)
        assert list(page.present.numbers) == [1, 3]


def modseq_script(modseq: int) -> dict[str, str]:
    select = (
        "* 1 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 4] x\r\n"
        f"* OK [HIGHESTMODSEQ {modseq}] x\r\n{{tag}} OK [READ-WRITE] x\r\n"
    )
    return {
        "CAPABILITY": f"* CAPABILITY {CAPABILITIES} CONDSTORE ENABLE QRESYNC\r\n{{tag}} OK x\r\n",
        "ENABLE": "* ENABLED QRESYNC\r\n{tag} OK x\r\n",
        "SELECT": select,
        "UID FETCH": "* 1 FETCH (UID 1 FLAGS () MODSEQ (5))\r\n{tag} OK x\r\n",
    }


async def test_a_modification_sequence_that_goes_back_expires_the_cursor():
    async with scripted(modseq_script(9)) as server, opened(server) as mail:
        (page,) = await observed(mail)
        server.script.update(modseq_script(8))
        with pytest.raises(ProviderCursorExpired):
            await observed(mail, page.cursor)


async def test_what_vanished_is_bounded_by_what_there_was():
    async with scripted(modseq_script(9)) as server, opened(server) as mail:
        (page,) = await observed(mail)
        script = modseq_script(10)
        server.script["SELECT"] = "* VANISHED (EARLIER) 1:4294967295\r\n" + script["SELECT"]
        (page,) = await observed(mail, page.cursor)
        assert list(page.gone.numbers) == [1, 2, 3]


async def test_a_mailbox_without_uidvalidity_is_not_believed():
    async with scripted({"SELECT": "* 3 EXISTS\r\n{tag} OK x\r\n"}) as server, opened(server) as mail:
        with pytest.raises(ProviderMisbehaved):
            await observed(mail)


@pytest.mark.parametrize("body", ["BODY[] NIL", 'BODY[] ""', "FLAGS ()"])
async def test_a_source_that_does_not_come_as_a_literal(body):
    fetch = f"* 1 FETCH (UID 1 {body})\r\n{{tag}} OK x\r\n"
    async with scripted({"UID FETCH": fetch}) as server, opened(server) as mail:
        if '""' in body:
            stream = await mail.source(call(), item_key(INBOX, 7, 1))
            assert [chunk async for chunk in stream.chunks] == []
        else:
            with pytest.raises(MessageNotFound):
                await mail.source(call(), item_key(INBOX, 7, 1))


async def test_keys_of_another_uidvalidity_are_gone():
    async with scripted({}) as server, opened(server) as mail:
        key = item_key(INBOX, 6, 1)
        assert [summary async for summary in mail.summaries(call(), [key])] == []
        edit = ItemEdit(add_flags=frozenset({Flag("$seen")}))
        assert [result.outcome async for result in mail.modify(call(), [key], edit)] == [Outcome.GONE]
        assert not [line for line in server.lines if b"STORE" in line]


async def test_a_server_without_utf8_says_so():
    async with (
        scripted({"UID SEARCH": "{tag} NO [BADCHARSET (US-ASCII)] no\r\n"}) as server,
        opened(server) as mail,
    ):
        query = SearchQuery(mailbox=MailboxKey(b"INBOX"), filter=Condition(text="ü"), limit=5)
        with pytest.raises(CapabilityMissing):
            await mail.search(call(), query, None)


async def test_a_mailbox_name_cannot_carry_a_command():
    script = {"SELECT": "{tag} NO [NONEXISTENT] no\r\n"}
    async with scripted(script) as server, opened(server) as mail:
        for name in (b"a\r\nX1 DELETE INBOX", b'a" b', b"a\\", b"*", b"{5}"):
            with pytest.raises(MailboxNotFound):
                [page async for page in mail.changes(call(), ScopeId(name), None)]
        assert not [line for line in server.lines if line.startswith(b"X1 ")]
        assert all(line.split(b" ")[1].strip() in KNOWN for line in server.lines)


KNOWN = {b"CAPABILITY", b"AUTHENTICATE", b"SELECT", b"NOOP", b"LOGOUT"}


async def test_twenty_callers_share_two_connections_and_all_are_served():
    async with scripted({}) as server, opened(server) as mail:
        rows = await asyncio.gather(*(mail.list_mailboxes(call(), counts=False) for _ in range(20)))
        assert all(len(row) == 1 for row in rows)
        assert len(server.links) <= 2


async def test_unused_connections_are_closed(monkeypatch):
    from postroom_server.backends.imap import pool

    monkeypatch.setattr(pool, "LINGER_SECONDS", 0.15)
    async with scripted({}) as server, opened(server) as mail:
        await mail.list_mailboxes(call(), counts=False)
        await eventually(lambda: any(b"LOGOUT" in line for line in server.lines))
        assert await mail.list_mailboxes(call(), counts=False)


async def test_the_content_of_a_message_whose_structure_cannot_be_read_is_its_headers():
    def fetch(link: Link, tag: str, line: str) -> str:
        if "ENVELOPE" in line:
            return summary_line(1, structure="(" * 60 + ")" * 60) + f"{tag} OK x\r\n"
        items = 'FLAGS () RFC822.SIZE 9 BODY[HEADER]<0> "Subject: poor"'
        return f"* 1 FETCH (UID 1 {items})\r\n{tag} OK x\r\n"

    async with scripted({"UID FETCH": fetch}) as server, opened(server) as mail:
        content = await mail.content(call(), item_key(INBOX, 7, 1), text_budget=100)
    assert (content.headers, content.summary.subject) == ([("subject", "poor")], "poor")
    assert (content.text, content.html, content.truncated) == (None, None, True)


async def test_an_idle_tls_connection_has_a_small_buffer(authority, ca_file):
    """CPython keeps 256 KiB for each unless told otherwise: ten thousand accounts would need gigabytes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    async with scripted({}, context) as server, opened(server, Security.TLS, ca_file=ca_file) as mail:
        (session,) = mail._pool._idle
        assert len(session.connection.protocol.transport._ssl_protocol._ssl_buffer) == 16 << 10
