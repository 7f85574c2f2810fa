"""The IMAP backend against a real Dovecot."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime

import pytest
from postroom_server.backends.imap import ImapBackend
from postroom_server.backends.imap.account import ImapAccount
from postroom_server.backends.imap.session import Endpoint, Session, open_session
from postroom_server.backends.imap.tls import client_context
from postroom_server.domain.accounts import Account, MailServer, Security
from postroom_server.domain.flags import Flag
from postroom_server.domain.keys import ItemKey, MailboxKey, ScopeId
from postroom_server.domain.mailboxes import Role, RoleSource
from postroom_server.domain.messages import CHUNK_BYTES, Address, ByteStream
from postroom_server.domain.ports import Call, ItemEdit, Lane, Observations, Outcome, Wakeup
from postroom_server.domain.search import Condition, Node, Operator, SearchQuery
from postroom_server.errors import (
    AttachmentNotFound,
    CapabilityMissing,
    CredentialsRejected,
    DeadlineExceeded,
    Internal,
    MailboxNotFound,
    MessageNotFound,
    ProviderCursorExpired,
    ProviderUnreachable,
)
from postroom_server.ids import AccountId
from pyroaring import BitMap

from tests.fixtures.dovecot import PASSWORD, Dovecot, require_dovecot
from tests.fixtures.eventually import eventually


class Loopback:
    """The egress rule of a test: everything is on this machine."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]


class Keys:
    """Credentials as the store would give them."""

    def __init__(self, user: str, password: str | None = PASSWORD, token: str | None = None) -> None:
        self.user, self.secret, self.token = user, password, token

    async def password(self, server: str) -> tuple[str, str] | None:
        return (self.user, self.secret) if self.secret is not None else None

    async def access_token(self, server: str) -> tuple[str, str] | None:
        return (self.user, self.token) if self.token is not None else None


def endpoint(
    dovecot: Dovecot, security: Security = Security.TLS, keys: Keys | None = None, **changes
) -> Endpoint:
    port = dovecot.imaps_port if security is Security.TLS else dovecot.imap_port
    values = {
        "server": MailServer(host="localhost", port=port, security=security),
        "egress": Loopback(),
        "credentials": keys or Keys(dovecot.new_user()),
        "tls": client_context(str(dovecot.ca_file)),
        "plaintext_allowed": True,
    }
    return Endpoint(**{**values, **changes})


def soon(seconds: float = 10.0) -> float:
    return asyncio.get_running_loop().time() + seconds


async def session_of(dovecot: Dovecot, *args, **kwargs) -> Session:
    return await open_session(endpoint(dovecot, *args, **kwargs), deadline=soon())


@pytest.mark.parametrize("security", list(Security))
async def test_a_session_selects_the_inbox_over_each_kind_of_connection(dovecot, security):
    session = await session_of(dovecot, security)
    try:
        inbox = await session.select(b"INBOX", deadline=soon())
        assert inbox.uidvalidity > 0
        assert inbox.uidnext == 1
        assert session.qresync
        assert session.server_id["name"] == "Dovecot"
        assert session.connection.settled
    finally:
        await session.connection.close(deadline=soon())
    assert session.connection.failed


@pytest.mark.parametrize("lifetime", [3600, -3600])
async def test_an_access_token_logs_in_and_an_expired_one_is_told(dovecot, lifetime):
    user = dovecot.new_user()
    keys = Keys(user, None, dovecot.access_token(user, lifetime=lifetime))
    if lifetime > 0:
        session = await session_of(dovecot, keys=keys)
        session.connection.drop()
        return
    with pytest.raises(CredentialsRejected) as refusal:
        await session_of(dovecot, keys=keys)
    assert refusal.value.metadata["mechanism"] == "OAUTHBEARER"


async def test_a_wrong_password_is_told(dovecot):
    with pytest.raises(CredentialsRejected):
        await session_of(dovecot, keys=Keys("deny@mail.test", "wrong"))


async def test_a_certificate_that_nobody_vouches_for_is_refused(dovecot):
    with pytest.raises(ProviderUnreachable) as failure:
        await session_of(dovecot, tls=ssl.create_default_context())
    assert failure.value.metadata["stage"] == "tls"


async def test_a_certificate_for_another_name_is_refused(dovecot):
    server = MailServer(host="mail.example.org", port=dovecot.imaps_port)
    with pytest.raises(ProviderUnreachable) as failure:
        await session_of(dovecot, server=server)
    assert failure.value.metadata["stage"] == "tls"


async def test_a_closed_port_is_unreachable(dovecot):
    server = MailServer(host="localhost", port=1)
    with pytest.raises(ProviderUnreachable) as failure:
        await session_of(dovecot, server=server)
    assert failure.value.metadata["stage"] == "tcp"


# --- the account ----------------------------------------------------------------------------------------------------

PLAIN = b"""\
From: "J\xc3\xb6rg" <joerg@mail.test>\r
To: You <you@mail.test>, undisclosed: ;\r
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= (5*\r
Message-ID: <one@mail.test>\r
In-Reply-To: <zero@mail.test>\r
References: <root@mail.test>\r
 <zero@mail.test>\r
Date: Wed, 25 Nov 2026 10:00:00 +0100\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=x\r
\r
--x\r
Content-Type: multipart/alternative; boundary=y\r
\r
--y\r
Content-Type: text/plain; charset=iso-8859-1\r
Content-Transfer-Encoding: quoted-printable\r
\r
Sch=F6n\r
--y\r
Content-Type: text/html; charset=utf-8\r
\r
<p>Sch\xc3\xb6n</p>\r
--y--\r
--x\r
Content-Type: application/pdf; name="=?utf-8?q?Z=C3=BCrich.pdf?="\r
Content-Disposition: attachment; filename*0*=utf-8''Z%C3%BC; filename*1=rich.pdf\r
Content-Transfer-Encoding: base64\r
\r
aGVsbG8sIHdvcmxk\r
--x--\r
"""


def note(number: int, body: str = "hello") -> bytes:
    return (
        f"From: a@mail.test\r\nTo: b@mail.test\r\nSubject: note {number}\r\nMessage-ID: <note{number}@mail.test>\r\n"
        f"Date: Wed, 25 Nov 2026 10:00:00 +0000\r\n\r\n{body} {number}\r\n"
    ).encode()


def call(seconds: float = 10.0, lane: Lane = Lane.INTERACTIVE) -> Call:
    return Call(deadline=soon(seconds), lane=lane)


INBOX = ScopeId(b"INBOX")


@contextlib.asynccontextmanager
async def opened(
    server: Dovecot, user: str, live: Sequence[str] = (), **options
) -> AsyncIterator[ImapAccount]:
    backend = ImapBackend(Loopback(), ca_file=str(server.ca_file), **options)
    now = datetime.now(UTC)
    account = Account(
        id=AccountId("a"),
        imap=MailServer(host="localhost", port=server.imaps_port),
        live_mailboxes=tuple(live),
        create_time=now,
        update_time=now,
    )
    mail = await backend.open(call(), account, Keys(user))
    try:
        yield mail
    finally:
        await mail.close()


@pytest.fixture
async def mail(dovecot, mail_user) -> AsyncIterator[ImapAccount]:
    async with opened(dovecot, mail_user) as account:
        yield account


OLD = "IMAP4rev1 IDLE UIDPLUS LITERAL+"
CONDSTORE = "IMAP4rev1 IDLE UIDPLUS CONDSTORE ESEARCH SPECIAL-USE ENABLE NAMESPACE"


@pytest.fixture(scope="module")
def old_server() -> Iterator[Dovecot]:
    require_dovecot()
    server = Dovecot(OLD)
    server.start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def condstore_server() -> Iterator[Dovecot]:
    require_dovecot()
    server = Dovecot(CONDSTORE)
    server.start()
    yield server
    server.close()


@pytest.fixture(params=["qresync", "condstore", "scan"])
def any_server(request, dovecot) -> Dovecot:
    if request.param == "qresync":
        return dovecot
    return request.getfixturevalue("condstore_server" if request.param == "condstore" else "old_server")


async def pages(mail: ImapAccount, since=None, scope: ScopeId = INBOX) -> list[Observations]:
    return [page async for page in mail.changes(call(lane=Lane.SYNC), scope, since)]


class Mirror:
    """What a reader of changes() knows: UIDs with flags."""

    def __init__(self) -> None:
        self.flags: dict[int, set[str]] = {}
        self.cursor = None

    async def follow(self, mail: ImapAccount) -> None:
        everything = BitMap()
        for page in await pages(mail, self.cursor):
            for uid in page.present.numbers:
                if "flag" in page.absolute:
                    self.flags[uid] = set()
                else:
                    self.flags.setdefault(uid, set())
            for (_, flag), keys in page.on.items():
                for uid in keys.numbers:
                    self.flags[uid].add(flag)
            for uid in page.gone.numbers:
                self.flags.pop(uid, None)
            if page.whole:
                everything |= page.present.numbers
                if page.cursor is not None:
                    self.flags = {uid: flags for uid, flags in self.flags.items() if uid in everything}
            if page.cursor is not None:
                self.cursor = page.cursor


async def test_changes_follow_the_mailbox_on_every_kind_of_server(any_server):
    user = any_server.new_user()
    uids = [any_server.append(user, note(number)) for number in range(5)]
    async with opened(any_server, user) as mail:
        mirror = Mirror()
        await mirror.follow(mail)
        assert mirror.flags == {uid: set() for uid in uids}
        seen = {mirror.cursor}
        assert not await mail.stale(call(), {INBOX: mirror.cursor})

        any_server.store(user, uids[:2], r"+FLAGS (\Seen $Forwarded blue)")
        any_server.expunge(user, [uids[3]])
        new = any_server.append(user, note(9), flags=[r"\Flagged"])
        await eventually(lambda: _is_stale(mail, mirror.cursor))
        await mirror.follow(mail)
        assert mirror.flags == {
            uids[0]: {"$seen", "$forwarded", "blue"},
            uids[1]: {"$seen", "$forwarded", "blue"},
            uids[2]: set(),
            uids[4]: set(),
            new: {"$flagged"},
        }
        assert mirror.cursor not in seen

        any_server.store(user, uids[:1], r"-FLAGS (\Seen)")
        any_server.expunge(user, [uids[1]])
        await mirror.follow(mail)
        assert mirror.flags[uids[0]] == {"$forwarded", "blue"}
        assert uids[1] not in mirror.flags


async def _is_stale(mail: ImapAccount, cursor) -> bool:
    return bool(await mail.stale(call(), {INBOX: cursor}))


async def test_a_mailbox_that_was_made_anew_expires_the_cursor(dovecot, mail_user, mail):
    dovecot.create(mail_user, "Box")
    dovecot.append(mail_user, note(1), "Box")
    (page,) = await pages(mail, None, ScopeId(b"Box"))
    dovecot.delete(mail_user, "Box")
    await asyncio.sleep(1.1)  # Dovecot makes UIDVALIDITY of the second
    dovecot.create(mail_user, "Box")
    with pytest.raises(ProviderCursorExpired) as expired:
        await pages(mail, page.cursor, ScopeId(b"Box"))
    assert expired.value.kind == "UIDVALIDITY_CHANGED"


async def test_a_mailbox_that_is_gone_is_told_and_named_stale(dovecot, mail_user, mail):
    with pytest.raises(MailboxNotFound):
        await pages(mail, None, ScopeId(b"Nowhere"))
    assert await mail.stale(call(), {ScopeId(b"Nowhere"): None, INBOX: None}) == [ScopeId(b"Nowhere"), INBOX]


async def test_mailboxes_have_paths_roles_and_counts(any_server):
    user = any_server.new_user()
    any_server.append(user, note(1))
    any_server.create(user, "Projekte/Über")
    async with opened(any_server, user) as mail:
        rows = {row.path: row for row in await mail.list_mailboxes(call(), counts=True)}
    inbox = rows["INBOX",]
    assert (inbox.role, inbox.messages, inbox.unseen, inbox.key) == (Role.INBOX, 1, 1, b"INBOX")
    assert rows["Sent",].role is Role.SENT
    assert rows["Projekte", "Über"].key == b"Projekte/&ANw-ber"
    assert rows["Projekte", "Über"].role is None
    assert rows["Trash",].role_source in {RoleSource.SERVER, RoleSource.NAME}


async def first_key(mail: ImapAccount, uid: int | None = None) -> ItemKey:
    (page,) = await pages(mail)
    return next(key for key in page.present if uid is None or key.endswith(uid.to_bytes(4, "big")))


async def test_a_summary_is_decoded(dovecot, mail_user, mail):
    dovecot.append(mail_user, PLAIN, flags=[r"\Seen"], received='"24-Nov-2026 08:00:00 +0100"')
    key = await first_key(mail)
    (found,) = [summary async for summary in mail.summaries(call(), [key])]
    assert found.subject == "Grüße (5*"
    assert found.from_ == (Address(display_name="Jörg", address="joerg@mail.test"),)
    assert found.to == (Address(display_name="You", address="you@mail.test"),)
    assert (found.internet_message_id, found.in_reply_to) == ("one@mail.test", ("zero@mail.test",))
    assert found.references == ("root@mail.test", "zero@mail.test")
    assert found.send_time == datetime(2026, 11, 25, 9, tzinfo=UTC)
    assert found.receive_time == datetime(2026, 11, 24, 7, tzinfo=UTC)
    assert found.size_bytes == len(PLAIN)
    assert found.flags == {"$seen"}
    (attachment,) = found.parts
    assert (attachment.id, attachment.filename, attachment.content_type) == (
        "2",
        "Zürich.pdf",
        "application/pdf",
    )


async def test_the_content_has_headers_and_both_texts_and_reading_sets_no_flag(dovecot, mail_user, mail):
    uid = dovecot.append(mail_user, PLAIN)
    key = await first_key(mail)
    content = await mail.content(call(), key, text_budget=1000)
    assert (content.text.strip(), content.html.strip(), content.truncated) == ("Schön", "<p>Schön</p>", False)
    assert ("message-id", "<one@mail.test>") in content.headers
    cut = await mail.content(call(), key, text_budget=3)
    assert (cut.text, cut.truncated) == ("Sch", True)
    stream = await mail.source(call(), key)
    assert b"".join([chunk async for chunk in stream.chunks]) == PLAIN
    assert stream.size_bytes == len(PLAIN)
    part = await mail.part(call(), key, "2")
    assert b"".join([chunk async for chunk in part.chunks]) == b"hello, world"
    assert dovecot.truth(mail_user)[uid] == frozenset()


async def test_what_is_gone_is_told(dovecot, mail_user, mail):
    uid = dovecot.append(mail_user, note(1))
    key = await first_key(mail)
    with pytest.raises(AttachmentNotFound):
        await mail.part(call(), key, "7")
    with pytest.raises(AttachmentNotFound):
        await mail.part(call(), key, "1] BODY[")
    dovecot.expunge(mail_user, [uid])
    await eventually(lambda: _no_summary(mail, key))
    for reading in (
        mail.source(call(), key),
        mail.content(call(), key, text_budget=9),
        mail.part(call(), key, "1"),
    ):
        with pytest.raises(MessageNotFound):
            await reading


async def _no_summary(mail: ImapAccount, key: ItemKey) -> bool:
    return not [summary async for summary in mail.summaries(call(), [key])]


async def test_many_summaries_come_in_order_of_the_keys(dovecot, mail_user, mail):
    with dovecot.session(mail_user, "") as link:
        for number in range(450):
            link.append("INBOX", "", None, note(number))
    (page,) = await pages(mail)
    keys = sorted(page.present, reverse=True)
    found = [summary async for summary in mail.summaries(call(30), keys)]
    assert [summary.key for summary in found] == keys
    assert found[0].subject == "note 449"


async def test_a_large_source_streams_in_bounded_chunks_while_others_call(dovecot, mail_user, mail):
    big = note(1) + b"x" * 70 + b"\r\n" + (b"0123456789" * 7 + b"\r\n") * 150_000
    dovecot.append(mail_user, big)
    key = await first_key(mail)
    stream = await mail.source(call(30, Lane.BULK), key)
    digest, size, largest = hashlib.sha256(), 0, 0
    async for chunk in stream.chunks:
        digest.update(chunk)
        size, largest = size + len(chunk), max(largest, len(chunk))
        if size == len(chunk):
            assert await mail.list_mailboxes(call(), counts=False)
    assert (size, digest.digest()) == (len(big), hashlib.sha256(big).digest())
    assert largest <= CHUNK_BYTES


async def test_a_stream_that_is_closed_early_frees_its_connection(dovecot, mail_user, mail):
    dovecot.append(mail_user, note(1) + (b"0123456789" * 7 + b"\r\n") * 150_000)
    key = await first_key(mail)
    for _ in range(6):
        stream = await mail.source(call(), key)
        assert await anext(stream.chunks)
        await stream.chunks.aclose()
    assert (await mail.content(call(3), key, text_budget=10)).truncated


async def test_search_finds_by_conditions_newest_first_in_pages(any_server):
    user = any_server.new_user()
    for number in range(5):
        any_server.append(user, note(number, "grüße" if number % 2 else "hello"))
    any_server.store(user, [1], r"+FLAGS (\Seen)")
    async with opened(any_server, user) as mail:

        async def found(limit=10, page_token=None, **asks) -> tuple[list[int], bytes | None]:
            query = SearchQuery(mailbox=MailboxKey(b"INBOX"), filter=Condition(**asks), limit=limit)
            page = await mail.search(call(), query, page_token)
            return [int.from_bytes(key[-4:], "big") for key in page.keys], page.next

        assert await found() == ([5, 4, 3, 2, 1], None)
        assert await found(text="grüße") == ([4, 2], None)
        assert await found(subject="NOTE 3") == ([4], None)
        assert await found(has_flag="$seen") == ([1], None)
        assert await found(not_flag="$seen", from_="a@mail.test") == ([5, 4, 3, 2], None)
        assert await found(internet_message_id="note2@mail.test") == ([3], None)
        assert await found(header=("X-None", "")) == ([], None)
        assert await found(uid=[(2, 3)]) == ([3, 2], None)
        assert await found(sent_after=datetime(2026, 11, 25, 10, tzinfo=UTC)) == ([5, 4, 3, 2, 1], None)
        assert await found(sent_before=datetime(2026, 11, 25, 10, tzinfo=UTC)) == ([], None)
        assert await found(after=datetime(2100, 1, 1, tzinfo=UTC)) == ([], None)
        first, token = await found(limit=2)
        assert first == [5, 4]
        second, token = await found(limit=2, page_token=token)
        assert second == [3, 2]
        assert await found(limit=2, page_token=token) == ([1], None)
        with pytest.raises(CapabilityMissing):
            await found(has_attachment=True)


async def test_search_combines_with_and_or_and_not(dovecot, mail_user, mail):
    for number in range(4):
        dovecot.append(mail_user, note(number))

    def subject(number: int) -> Condition:
        return Condition(subject=f"note {number}")

    tree = Node(
        operator=Operator.AND,
        filters=(
            Node(operator=Operator.OR, filters=(subject(0), subject(1), subject(2))),
            Node(operator=Operator.NOT, filters=(subject(1), subject(3))),
        ),
    )
    page = await mail.search(call(), SearchQuery(mailbox=MailboxKey(b"INBOX"), filter=tree, limit=9), None)
    assert [key[-1] for key in page.keys] == [3, 1]
    assert page.total == 2
    assert {covered.complete for covered in page.coverage} == {True}


async def test_flags_are_changed_and_told_per_item(dovecot, mail_user, mail):
    uids = [dovecot.append(mail_user, note(number)) for number in range(3)]
    (page,) = await pages(mail)
    keys = list(page.present)
    dovecot.expunge(mail_user, [uids[2]])
    edit = ItemEdit(add_flags=frozenset({Flag("$seen"), Flag("$forwarded"), Flag("blue")}))
    results = [result async for result in mail.modify(call(), keys, edit)]
    assert [result.outcome for result in results] == [Outcome.DONE, Outcome.DONE, Outcome.GONE]
    assert dovecot.truth(mail_user)[uids[0]] == {r"\Seen", "$Forwarded", "blue"}
    edit = ItemEdit(remove_flags=frozenset({Flag("$seen"), Flag("$forwarded")}))
    assert [result.outcome async for result in mail.modify(call(), keys[:1], edit)] == [Outcome.DONE]
    assert dovecot.truth(mail_user)[uids[0]] == {"blue"}


async def test_a_message_is_appended_with_flags_and_date(any_server):
    user = any_server.new_user()
    raw = note(7) + b"y" * 600_000 + b"\r\n"

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(raw), 100_000):
            yield raw[start : start + 100_000]

    def stream(size: int | None = None) -> ByteStream:
        return ByteStream(
            content_type="message/rfc822",
            size_bytes=len(raw) if size is None else size,
            exact=True,
            chunks=chunks(),
        )

    async with opened(any_server, user) as mail:
        received = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        key = await mail.append(call(), MailboxKey(b"Sent"), stream(), frozenset({Flag("$seen")}), received)
        (found,) = [summary async for summary in mail.summaries(call(), [key])]
        assert (found.subject, found.flags, found.receive_time) == ("note 7", {"$seen"}, received)
        with pytest.raises(MailboxNotFound):
            await mail.append(call(), MailboxKey(b"Nowhere"), stream(), frozenset(), None)
        with pytest.raises(Internal):
            await mail.append(call(), MailboxKey(b"Sent"), stream(len(raw) + 1), frozenset(), None)
        assert await mail.list_mailboxes(call(), counts=True)


async def test_new_mail_and_changes_elsewhere_wake_the_watcher(dovecot, mail_user, mail):
    scopes = [ScopeId(row.scope) for row in await mail.list_mailboxes(call(), counts=False) if row.scope]
    async with mail.wakeups(scopes) as hints:
        heard: list[Wakeup] = []

        async def listen() -> None:
            async for hint in hints:
                heard.append(hint)  # the others look at it meanwhile

        task = asyncio.ensure_future(listen())
        dovecot.deliver(mail_user, note(1))
        await eventually(lambda: any(INBOX in hint.scopes for hint in heard))
        heard.clear()
        dovecot.append(mail_user, note(2), "Sent")
        await eventually(lambda: any(b"Sent" in hint.scopes for hint in heard))
        heard.clear()
        dovecot.store(mail_user, [1], r"+FLAGS (\Seen)")
        await eventually(lambda: any(INBOX in hint.scopes for hint in heard))
        heard.clear()
        dovecot.create(mail_user, "Fresh")
        await eventually(lambda: any(not hint.scopes for hint in heard))
        assert await mail.stale(call(), {INBOX: None}) == [INBOX]
        heard.clear()
        dovecot.deliver(mail_user, note(3))
        await eventually(lambda: any(INBOX in hint.scopes for hint in heard))
        task.cancel()


@pytest.mark.parametrize("live", ["Sent", "sent"])
async def test_a_live_mailbox_has_a_connection_of_its_own_where_notify_is_missing(old_server, live):
    user = old_server.new_user()
    old_server.create(user, "Other")
    async with opened(old_server, user, live=[live]) as mail:
        scopes = [ScopeId(row.scope) for row in await mail.list_mailboxes(call(), counts=False) if row.scope]
        async with mail.wakeups(scopes) as hints:
            old_server.append(user, note(1), "Sent")
            async with asyncio.timeout(5):
                assert (await anext(hints)).scopes == {b"Sent"}
                old_server.append(user, note(2))
                assert (await anext(hints)).scopes == {INBOX}


async def test_the_watcher_is_told_when_the_connection_is_lost():
    require_dovecot()
    server = Dovecot()
    server.start()
    try:
        async with opened(server, server.new_user()) as mail:
            async with mail.wakeups([INBOX]) as hints:
                server.kill()
                with pytest.raises(ProviderUnreachable):
                    await anext(hints)
            with pytest.raises(ProviderUnreachable):
                await mail.list_mailboxes(call(), counts=False)
            server.start()
            assert await mail.list_mailboxes(call(), counts=False)
    finally:
        server.close()


async def test_a_kept_connection_that_the_server_has_closed_is_replaced_once():
    require_dovecot()
    server = Dovecot()
    server.start()
    try:
        user = server.new_user()
        server.append(user, note(1))
        async with opened(server, user) as mail:
            key = await first_key(mail)
            server.kill()
            server.start()
            stream = await mail.source(call(), key)
            assert b"".join([chunk async for chunk in stream.chunks]) == note(1)
    finally:
        server.close()


async def test_a_deadline_in_the_past_is_told_at_once(mail):
    with pytest.raises(DeadlineExceeded):
        await mail.list_mailboxes(call(-1), counts=False)


async def test_a_cancelled_call_leaves_the_account_usable(dovecot, mail_user, mail):
    dovecot.append(mail_user, note(1))
    key = await first_key(mail)
    for delay in (0.0, 0.0005, 0.001, 0.002, 0.004):
        task = asyncio.ensure_future(mail.content(call(), key, text_budget=100))
        await asyncio.sleep(delay)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    content = await mail.content(call(3), key, text_budget=100)
    assert content.text.strip() == "hello 1"


async def test_bulk_readers_never_take_the_last_connection(dovecot, mail_user, mail):
    dovecot.append(mail_user, note(1) + (b"0123456789" * 7 + b"\r\n") * 150_000)
    key = await first_key(mail)
    stream = await mail.source(call(20, Lane.BULK), key)
    waiting = asyncio.ensure_future(mail.source(call(20, Lane.SYNC), key))
    assert await mail.list_mailboxes(call(2), counts=False)
    assert not waiting.done()
    await stream.chunks.aclose()
    other = await waiting
    await other.chunks.aclose()
