"""The wiring of a node: the only place that names concrete classes.

It owns which part gets which other part, and the order in which they end; it refuses rules.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from postroom_server import __version__
from postroom_server.app.bootstrap import open_store, read_key
from postroom_server.backends.egress import GuardedEgress
from postroom_server.backends.imap import ImapBackend
from postroom_server.backends.parsing import ParserPool
from postroom_server.backends.sandbox import OutsideWorld, SandboxBackend
from postroom_server.backends.smtp import SmtpSender
from postroom_server.domain.accounts import Account, Kind, State
from postroom_server.domain.cursors import Cursors
from postroom_server.domain.identity import Identity
from postroom_server.domain.ports import Clock
from postroom_server.domain.providers import CredentialSource, ProviderBackend
from postroom_server.domain.senders import MailSender
from postroom_server.domain.shards import shard_of
from postroom_server.domain.storage import Nonce
from postroom_server.services.accounts import AccountServicer
from postroom_server.services.authentication import Authenticator
from postroom_server.services.changes import ChangeServicer
from postroom_server.services.convert.changes import encode_change, passes
from postroom_server.services.fingerprint import Fingerprints
from postroom_server.services.forward import Peers, Relay
from postroom_server.services.mailboxes import MailboxServicer
from postroom_server.services.messages import MessageServicer
from postroom_server.services.paging import Pager
from postroom_server.services.registry import Registry
from postroom_server.services.sandbox import SandboxServicer
from postroom_server.services.server import ServerFacts, ServerServicer
from postroom_server.services.submissions import SubmissionServicer
from postroom_server.services.tokens import TokenServicer
from postroom_server.settings import Durability, Settings
from postroom_server.store import Options, Store
from postroom_server.telemetry.metrics import Metrics
from postroom_server.workers.account import AccountTools, AccountWorker
from postroom_server.workers.accounts import Accounts
from postroom_server.workers.commands import Commands
from postroom_server.workers.credentials import StoredCredentials
from postroom_server.workers.dialogues import Dialogues
from postroom_server.workers.directory import Directory
from postroom_server.workers.editing import Editing
from postroom_server.workers.entries import Entries
from postroom_server.workers.feed import FeedReader
from postroom_server.workers.filing import Filing
from postroom_server.workers.ledger import Ledger
from postroom_server.workers.moving import Moving
from postroom_server.workers.outbox import Outbox
from postroom_server.workers.ownership import Ownership
from postroom_server.workers.roles import MailboxRoles
from postroom_server.workers.sandboxes import Sandboxes
from postroom_server.workers.submissions import Submissions
from postroom_server.workers.supervisor import Supervisor
from postroom_server.workers.tailer import Tailer

OPENING_AT_ONCE: Final = 48
"""Accounts of a node that connect at the same time."""


class SystemClock:
    """The wall clock."""

    def now(self) -> datetime:
        """The time now, in UTC."""
        return datetime.now(UTC)


@dataclass(slots=True, kw_only=True)
class Parts:
    """The parts of a running node that its life-cycle needs."""

    store: Store
    ownership: Ownership
    supervisor: Supervisor
    tailer: Tailer
    outbox: Outbox
    directory: Directory
    authenticator: Authenticator
    registry: Registry
    relay: Relay
    peers: Peers
    parser: ParserPool
    dialogues: Dialogues
    metrics: Metrics

    def population(self) -> tuple[int, int]:
        """(connected, all) accounts that this node runs."""
        workers = self.supervisor.workers()
        return sum(worker.ledger.status.state is State.CONNECTED for worker in workers), len(workers)

    async def aclose(self) -> None:
        """Ends what holds processes and connections."""
        await self.peers.close()
        await self.parser.close()
        await self.store.aclose()


async def build(settings: Settings, nonce: Nonce, started: datetime) -> Parts:
    """Connects the store and makes every part; nothing runs yet. Raises KeyUnusable, StoreUnfit, StoreUnavailable."""
    key = read_key(settings.key_file)
    options = Options(
        feed_age_ms=int(settings.retention_seconds * 1000),
        require_fsync=settings.durability is Durability.FSYNC,
    )
    store = await open_store(settings.redis_url, settings.key_file, shards=settings.shards, options=options)
    try:
        return _build(settings, nonce, started, key, store)
    except BaseException:
        await store.aclose()
        raise


def _build(settings: Settings, nonce: Nonce, started: datetime, key: bytes, store: Store) -> Parts:
    clock, metrics, parser = SystemClock(), Metrics(), ParserPool()
    count = store.identity.shard_count
    identity = Identity(key)
    ownership = Ownership(
        store.leases,
        store.feed,
        nonce,
        settings.peers_address,
        {"name": settings.shown_name, "version": __version__, "startTime": started.isoformat()},
    )
    dialogues = Dialogues()
    backends = _backends(settings, store, (parser, clock), dialogues)
    opening = asyncio.Semaphore(OPENING_AT_ONCE)

    def entries(account: Account) -> Entries:
        return Entries(account.id, identity, encode_change, clock)

    def worker(account: Account) -> AccountWorker:
        shard = shard_of(account.id, count)
        ledger = Ledger(account.id, store.snapshots, nonce, lambda: ownership.valid(shard), metrics)
        dialogues.begin(account.id)
        tools = AccountTools(
            backend=backends[account.kind],
            credentials=StoredCredentials(account, store.accounts),
            accounts=store.accounts,
            clock=clock,
            opening=opening,
            log=dialogues.of(account.id).session("account"),
        )
        return AccountWorker(account, ledger, entries(account), tools)

    supervisor = Supervisor(ownership, store.accounts, worker, count)
    supervisor.on_left = dialogues.forget
    tailer = Tailer(store.feed)
    authenticator = Authenticator(store.tokens, clock)
    peers = Peers()
    feed = FeedReader(store.feed, tailer, Cursors(key, store.identity.store_id), clock, count, passes)
    accounts = Accounts(
        store.accounts, supervisor, backends, (identity, encode_change, clock), nonce, dialogues
    )
    pager, prints = Pager(key), Fingerprints(key)
    commands = Commands(supervisor)
    filing = Filing(supervisor, commands)
    submissions = Submissions(store.outbox, identity, encode_change, clock)
    registry = Registry(
        [
            AccountServicer(accounts, authenticator, pager, prints, clock),
            MailboxServicer(commands, Editing(supervisor)),
            MessageServicer(accounts, (commands, Moving(supervisor), filing), pager, clock),
            SandboxServicer(
                Sandboxes(store.accounts, supervisor, OutsideWorld(store.sandbox), filing, clock)
            ),
            SubmissionServicer(accounts, submissions, pager, prints, clock),
            ChangeServicer(
                feed, authenticator, metrics, MailboxRoles(store.accounts, store.snapshots, identity)
            ),
            TokenServicer(store.tokens, authenticator, pager, clock),
            ServerServicer(store.leases, _facts(settings, store)),
        ]
    )
    parts = Parts(
        store=store,
        ownership=ownership,
        supervisor=supervisor,
        tailer=tailer,
        outbox=Outbox(store.outbox, ownership, supervisor, clock, metrics),
        directory=Directory(ownership, store.leases, count),
        authenticator=authenticator,
        registry=registry,
        relay=Relay(peers),
        peers=peers,
        parser=parser,
        dialogues=dialogues,
        metrics=metrics,
    )
    feed.population = parts.population
    ownership.running = lambda: len(supervisor.workers())
    return parts


def _backends(
    settings: Settings, store: Store, shared: tuple[ParserPool, Clock], dialogues: Dialogues
) -> dict[Kind, ProviderBackend]:
    egress = GuardedEgress(settings.allow_networks, allow_loopback=settings.dev)
    tls = _tls(settings)

    def sender(account: Account, credentials: CredentialSource) -> MailSender | None:
        if account.smtp is None:
            return None
        return SmtpSender(
            account,
            credentials,
            egress,
            tls,
            plaintext_allowed=settings.dev,
            dialogue=dialogues.of(account.id),
        )

    return {
        Kind.IMAP: ImapBackend(
            egress,
            sender,
            ca_file=str(settings.ca_file or ""),
            plaintext_allowed=settings.dev,
            dialogues=dialogues.of,
        ),
        Kind.SANDBOX: SandboxBackend(store.sandbox, *shared, dialogues=dialogues.of),
    }


def _tls(settings: Settings) -> ssl.SSLContext:
    """Certificates are always checked; see `Settings.ca_file`."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.ca_file is not None:
        context.load_verify_locations(cafile=settings.ca_file)
    return context


def _facts(settings: Settings, store: Store) -> ServerFacts:
    return ServerFacts(
        version=__version__,
        shard_count=store.identity.shard_count,
        retention_seconds=settings.retention_seconds,
        retention_account_bytes=store.options.feed_bytes,
    )
