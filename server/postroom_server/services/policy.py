"""What each method needs of a token: the one table, deny by default.

It owns scope and reach per method. A method that is not in the table is refused, and a test fails for it (threats T15).
Reach says what a token that is bound to accounts may do with methods that name no account.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from postroom_server.domain.tokens import Scope

PACKAGE: Final = "postroom.v1"
OPEN: Final = ("/grpc.health.v1.Health/", "/grpc.reflection.")
"""Prefixes of methods that need no token; reflection is served in development only."""


class Reach(Enum):
    """Which part of the server a method is about."""

    ACCOUNT = 1
    """One account, named in the request; for a bound token, one of its own."""
    SITE = 2
    """The whole server: refused for a token that is bound to accounts."""
    FREE = 3
    """Nothing that belongs to an account; the servicer checks what else there is to check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What one method needs."""

    scope: Scope
    reach: Reach


def _table(*rows: tuple[str, Scope, Reach, str]) -> Mapping[str, Policy]:
    return {
        f"/{PACKAGE}.{service}/{method}": Policy(scope=scope, reach=reach)
        for service, scope, reach, names in rows
        for method in names.split()
    }


_S, _ONE, _SITE, _FREE = Scope, Reach.ACCOUNT, Reach.SITE, Reach.FREE

POLICIES: Final[Mapping[str, Policy]] = _table(
    ("AccountService", _S.ACCOUNTS_READ, _ONE, "GetAccount ExplainAccount"),
    ("AccountService", _S.ACCOUNTS_READ, _SITE, "ListAccounts"),
    ("AccountService", _S.ACCOUNTS_READ, _FREE, "DiscoverSettings"),
    ("AccountService", _S.ACCOUNTS_WRITE, _ONE, "CreateAccount UpdateAccount DeleteAccount ReconnectAccount"),
    ("AccountService", _S.ACCOUNTS_WRITE, _ONE, "SyncAccount ResetAccount PauseAccount ResumeAccount"),
    ("AccountService", _S.ACCOUNTS_WRITE, _ONE, "DownloadAccountLog"),
    ("AccountService", _S.ACCOUNTS_WRITE, _FREE, "VerifyAccount"),
    ("AccountService", _S.ACCOUNTS_WRITE, _SITE, "AuthorizeAccount"),
    ("MailboxService", _S.MESSAGES_READ, _ONE, "GetMailbox ListMailboxes"),
    ("MailboxService", _S.MESSAGES_WRITE, _ONE, "CreateMailbox UpdateMailbox DeleteMailbox"),
    ("MessageService", _S.MESSAGES_READ, _ONE, "ListMessages SearchMessages GetMessage BatchGetMessages"),
    ("MessageService", _S.MESSAGES_READ, _ONE, "GetMessageSource DownloadAttachment"),
    ("MessageService", _S.MESSAGES_WRITE, _ONE, "ModifyMessages MoveMessages CopyMessages DeleteMessages"),
    ("MessageService", _S.MESSAGES_WRITE, _ONE, "AppendMessage UploadMessage"),
    ("ThreadService", _S.MESSAGES_READ, _ONE, "ListThreads GetThread"),
    ("SubmissionService", _S.MESSAGES_SEND, _ONE, "SubmitMessage UploadSubmission SubmitDraft"),
    ("SubmissionService", _S.MESSAGES_SEND, _ONE, "GetSubmission ListSubmissions"),
    ("SubmissionService", _S.MESSAGES_SEND, _ONE, "CancelSubmission RetrySubmission ResolveSubmission"),
    ("ChangeService", _S.CHANGES_READ, _ONE, "WatchChanges ListChanges"),
    ("ConsumerService", _S.CHANGES_READ, _SITE, "GetConsumer ListConsumers"),
    ("ConsumerService", _S.CONSUMERS_WRITE, _SITE, "CreateConsumer DeleteConsumer CommitCursor SeekConsumer"),
    ("AuditService", _S.MESSAGES_READ, _ONE, "AuditMailbox"),
    ("SandboxService", _S.MESSAGES_WRITE, _ONE, "DeliverMessage"),
    ("SandboxService", _S.ACCOUNTS_WRITE, _ONE, "InjectFault ClearFaults"),
    ("TokenService", _S.TOKENS_ADMIN, _FREE, "CreateToken"),
    ("TokenService", _S.TOKENS_ADMIN, _SITE, "GetToken ListTokens RevokeToken"),
    ("ServerService", _S.SERVER_READ, _FREE, "GetServerInfo"),
    ("ServerService", _S.SERVER_READ, _SITE, "GetStats"),
    (
        "OAuthAppService",
        _S.ADMIN,
        _SITE,
        "CreateOAuthApp GetOAuthApp ListOAuthApps UpdateOAuthApp DeleteOAuthApp",
    ),
    ("TemplateService", _S.MESSAGES_SEND, _SITE, "CreateTemplate GetTemplate ListTemplates UpdateTemplate"),
    ("TemplateService", _S.MESSAGES_SEND, _SITE, "DeleteTemplate"),
    ("RelayService", _S.ADMIN, _SITE, "CreateRelay GetRelay ListRelays UpdateRelay DeleteRelay"),
    ("RouteService", _S.ADMIN, _SITE, "CreateRoute GetRoute ListRoutes UpdateRoute DeleteRoute"),
    (
        "ExportService",
        _S.MESSAGES_READ,
        _ONE,
        "CreateExport GetExport ListExports DeleteExport DownloadExport",
    ),
    ("SuppressionService", _S.MESSAGES_SEND, _SITE, "GetSuppressionEntry ListSuppressionEntries"),
    ("SuppressionService", _S.MESSAGES_SEND, _SITE, "CreateSuppressionEntry DeleteSuppressionEntry"),
)


def policy_of(method: str) -> Policy | None:
    """The policy of a method by full name; None: nobody may call it."""
    return POLICIES.get(method)


def is_open(method: str) -> bool:
    """Whether a method needs no token."""
    return method.startswith(OPEN)
