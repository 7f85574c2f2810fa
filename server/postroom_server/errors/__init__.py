"""The exception tree: one class per reason of the contract; attributes are the metadata of its ErrorInfo.

It owns what can be said to a caller and refuses to know how it is said: the gRPC code of each reason stands in
`services/errors.py`. Foreign exceptions are mapped to these once, at the boundary where they arise.

    PostroomError
        RequestInvalid, PageTokenInvalid, MessageTooLarge, AddressDenied, Cursor*            the caller's request is wrong
        TokenMissing, TokenInvalid, ScopeDenied                                              who the caller is
        *NotFound, AccountExists, RequestIdReused, EtagMismatch, SubmissionFinal             what the caller names
        AccountPaused, AccountNotReady, CapabilityMissing, FlagNotSettable …                 what the account can do now
        ProviderError                                                                        what the provider said
        StoreUnavailable, StoreFull, OutboxFull, OwnerUnknown, ServerDraining …              what we can do now
    Fenced, Conflict, AccountGone, ProviderCursorExpired                                     internal signals, never a caller's
"""

from __future__ import annotations

from postroom_server.errors._account import (
    AccountNotReady,
    AccountPaused,
    AppendDraftsOnly,
    CapabilityMissing,
    FlagNotSettable,
    MailboxNotSelectable,
    MembershipSingle,
)
from postroom_server.errors._caller import ScopeDenied, TokenInvalid, TokenMissing
from postroom_server.errors._provider import (
    AdminBlocked,
    ConsentRequired,
    CredentialsRejected,
    OutcomeUnknown,
    ProviderError,
    ProviderFull,
    ProviderMisbehaved,
    ProviderThrottled,
    ProviderUnreachable,
    RecipientsRefused,
    ScopeMissing,
)
from postroom_server.errors._request import (
    AddressDenied,
    CursorExpired,
    CursorForeign,
    CursorMalformed,
    LimitExceeded,
    MessageTooLarge,
    PageTokenInvalid,
    RequestInvalid,
)
from postroom_server.errors._resources import (
    AccountExists,
    AccountNotFound,
    AttachmentNotFound,
    ConsumerExists,
    ConsumerNotFound,
    ConsumerReplaced,
    EtagMismatch,
    MailboxExists,
    MailboxNotFound,
    MessageNotFound,
    NotADraft,
    RequestIdReused,
    SubmissionBusy,
    SubmissionFinal,
    SubmissionNotFound,
    SubmissionNotInDoubt,
    ThreadNotFound,
    TokenNotFound,
)
from postroom_server.errors._root import DeadlineExceeded, Internal, NotImplementedYet, PostroomError
from postroom_server.errors._server import (
    NodeUnavailable,
    OutboxFull,
    OwnerUnknown,
    PathUnknown,
    ServerDraining,
    StoreFull,
    StoreUnavailable,
)
from postroom_server.errors._signals import AccountGone, Conflict, Fenced, ProviderCursorExpired

__all__ = [
    "AccountExists",
    "AccountGone",
    "AccountNotFound",
    "AccountNotReady",
    "AccountPaused",
    "AddressDenied",
    "AdminBlocked",
    "AppendDraftsOnly",
    "AttachmentNotFound",
    "CapabilityMissing",
    "Conflict",
    "ConsentRequired",
    "ConsumerExists",
    "ConsumerNotFound",
    "ConsumerReplaced",
    "CredentialsRejected",
    "CursorExpired",
    "CursorForeign",
    "CursorMalformed",
    "DeadlineExceeded",
    "EtagMismatch",
    "Fenced",
    "FlagNotSettable",
    "Internal",
    "LimitExceeded",
    "MailboxExists",
    "MailboxNotFound",
    "MailboxNotSelectable",
    "MembershipSingle",
    "MessageNotFound",
    "MessageTooLarge",
    "NodeUnavailable",
    "NotADraft",
    "NotImplementedYet",
    "OutboxFull",
    "OutcomeUnknown",
    "OwnerUnknown",
    "PageTokenInvalid",
    "PathUnknown",
    "PostroomError",
    "ProviderCursorExpired",
    "ProviderError",
    "ProviderFull",
    "ProviderMisbehaved",
    "ProviderThrottled",
    "ProviderUnreachable",
    "RecipientsRefused",
    "RequestIdReused",
    "RequestInvalid",
    "ScopeDenied",
    "ScopeMissing",
    "ServerDraining",
    "StoreFull",
    "StoreUnavailable",
    "SubmissionBusy",
    "SubmissionFinal",
    "SubmissionNotFound",
    "SubmissionNotInDoubt",
    "ThreadNotFound",
    "TokenInvalid",
    "TokenMissing",
    "TokenNotFound",
]
