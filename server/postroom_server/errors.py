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

from collections.abc import Mapping
from typing import Any, ClassVar


class PostroomError(Exception):
    """The request could not be done.

    Args:
        message: A sentence for people; empty takes the first line of the class's docstring.
        metadata: Variable parts of the message, as the ErrorInfo carries them. Never a secret.
    """

    reason: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str = "", /, **metadata: str) -> None:
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0])
        self.metadata: dict[str, str] = metadata
        self.retry_after: float | None = None
        """Seconds after which the same call may succeed; None when waiting does not help or is unknown."""
        self.violations: tuple[tuple[str, str], ...] = ()
        """(field as a JSON path, what is wrong with it) for BadRequest."""


class Internal(PostroomError):
    """Something is wrong on our side; the log holds the details under the request id."""

    reason = "INTERNAL"


class NotImplementedYet(PostroomError):
    """This method is part of the contract and not served yet."""

    reason = "NOT_IMPLEMENTED"


class DeadlineExceeded(PostroomError):
    """The deadline passed before the call was done."""

    reason = "DEADLINE_EXCEEDED"


# --- the request ------------------------------------------------------------------------------------------------


class RequestInvalid(PostroomError):
    """A field of the request is not acceptable.

    Args:
        field: JSON path of the field, such as `submission.composed.to[1].address`; empty for the whole body.
        description: What is wrong with it.
    """

    reason = "REQUEST_INVALID"

    def __init__(self, field: str, description: str) -> None:
        super().__init__(f"{field}: {description}" if field else description, field=field)
        self.violations = ((field, description),)


class PageTokenInvalid(PostroomError):
    """The page token is not one of this listing, or its parameters changed."""

    reason = "PAGE_TOKEN_INVALID"


class MessageTooLarge(PostroomError):
    """The message is larger than the account or the server takes."""

    reason = "MESSAGE_TOO_LARGE"


class AddressDenied(PostroomError):
    """The host is not one that this server may connect to."""

    reason = "ADDRESS_DENIED"


class CursorMalformed(PostroomError):
    """The cursor cannot be read."""

    reason = "CURSOR_MALFORMED"


class CursorForeign(PostroomError):
    """The cursor belongs to another account, selection or store."""

    reason = "CURSOR_FOREIGN"


class CursorExpired(PostroomError):
    """The cursor is older than what is retained; start from `earliestCursor` or from a snapshot."""

    reason = "CURSOR_EXPIRED"


class LimitExceeded(PostroomError):
    """A limit of this server is reached."""

    reason = "LIMIT_EXCEEDED"


# --- the caller -------------------------------------------------------------------------------------------------


class TokenMissing(PostroomError):
    """The call carries no bearer token."""

    reason = "TOKEN_MISSING"


class TokenInvalid(PostroomError):
    """The bearer token is unknown, revoked or expired."""

    reason = "TOKEN_INVALID"


class ScopeDenied(PostroomError):
    """The bearer token does not allow this."""

    reason = "SCOPE_DENIED"


# --- resources --------------------------------------------------------------------------------------------------


class AccountNotFound(PostroomError):
    """There is no such account."""

    reason = "ACCOUNT_NOT_FOUND"


class MailboxNotFound(PostroomError):
    """There is no such mailbox."""

    reason = "MAILBOX_NOT_FOUND"


class MessageNotFound(PostroomError):
    """There is no such message, or no longer."""

    reason = "MESSAGE_NOT_FOUND"


class AttachmentNotFound(PostroomError):
    """The message has no such attachment."""

    reason = "ATTACHMENT_NOT_FOUND"


class ThreadNotFound(PostroomError):
    """There is no such thread."""

    reason = "THREAD_NOT_FOUND"


class SubmissionNotFound(PostroomError):
    """There is no such submission, or it is no longer kept."""

    reason = "SUBMISSION_NOT_FOUND"


class TokenNotFound(PostroomError):
    """There is no such token."""

    reason = "TOKEN_NOT_FOUND"


class ConsumerNotFound(PostroomError):
    """There is no such consumer."""

    reason = "CONSUMER_NOT_FOUND"


class AccountExists(PostroomError):
    """An account with this id exists already."""

    reason = "ACCOUNT_EXISTS"


class MailboxExists(PostroomError):
    """A mailbox with this path exists already."""

    reason = "MAILBOX_EXISTS"


class ConsumerExists(PostroomError):
    """A consumer with this id exists already."""

    reason = "CONSUMER_EXISTS"


class RequestIdReused(PostroomError):
    """The request id was used before with another body."""

    reason = "REQUEST_ID_REUSED"


class EtagMismatch(PostroomError):
    """The resource has changed since it was read."""

    reason = "ETAG_MISMATCH"


class SubmissionFinal(PostroomError):
    """The submission has reached an end state."""

    reason = "SUBMISSION_FINAL"


class SubmissionBusy(PostroomError):
    """An attempt is under way or in doubt; the submission cannot be changed now."""

    reason = "SUBMISSION_BUSY"


class SubmissionNotInDoubt(PostroomError):
    """The submission's outcome is not in doubt."""

    reason = "SUBMISSION_NOT_IN_DOUBT"


class NotADraft(PostroomError):
    """The message is not a draft."""

    reason = "NOT_A_DRAFT"


class ConsumerReplaced(PostroomError):
    """Another stream reads for the consumer."""

    reason = "CONSUMER_REPLACED"


# --- the account ------------------------------------------------------------------------------------------------


class AccountPaused(PostroomError):
    """The account is paused."""

    reason = "ACCOUNT_PAUSED"


class AccountNotReady(PostroomError):
    """The account is still connecting."""

    reason = "ACCOUNT_NOT_READY"


class CapabilityMissing(PostroomError):
    """The account's provider cannot do this."""

    reason = "CAPABILITY_MISSING"


class FlagNotSettable(PostroomError):
    """The account's provider cannot keep this flag."""

    reason = "FLAG_NOT_SETTABLE"


class MembershipSingle(PostroomError):
    """A message of this account is in exactly one mailbox."""

    reason = "MEMBERSHIP_SINGLE"


class AppendDraftsOnly(PostroomError):
    """The account's provider stores new messages as drafts only."""

    reason = "APPEND_DRAFTS_ONLY"


class MailboxNotSelectable(PostroomError):
    """The mailbox holds mailboxes only, no messages."""

    reason = "MAILBOX_NOT_SELECTABLE"


# --- the provider -----------------------------------------------------------------------------------------------


class ProviderError(PostroomError):
    """The provider refused or failed."""

    reason = "PROVIDER_MISBEHAVED"


class ProviderUnreachable(ProviderError):
    """The provider cannot be reached.

    Metadata `stage` is one of `dns`, `tcp`, `tls`, `greeting`, `closed`, `timeout`.
    """

    reason = "PROVIDER_UNREACHABLE"


class ProviderThrottled(ProviderError):
    """The provider asks us to slow down."""

    reason = "PROVIDER_THROTTLED"


class CredentialsRejected(ProviderError):
    """The provider refused the account's credentials."""

    reason = "CREDENTIALS_REJECTED"


class ScopeMissing(ProviderError):
    """The provider's token lacks a scope."""

    reason = "SCOPE_MISSING"


class ConsentRequired(ProviderError):
    """The account's owner has to consent again."""

    reason = "CONSENT_REQUIRED"


class AdminBlocked(ProviderError):
    """The provider's administrator does not allow this."""

    reason = "ADMIN_BLOCKED"


class ProviderFull(ProviderError):
    """The mailbox is over its quota at the provider."""

    reason = "PROVIDER_FULL"


class RecipientsRefused(ProviderError):
    """The provider refused every recipient."""

    reason = "RECIPIENTS_REFUSED"

    def __init__(self, message: str = "", /, **metadata: str) -> None:
        super().__init__(message, **metadata)
        self.replies: Mapping[str, Any] = {}
        """Address -> `ports.RecipientReply`, as the next hop gave them; empty: not known one by one."""


class OutcomeUnknown(ProviderError):
    """The answer to a write was lost; whether it happened is not known."""

    reason = "OUTCOME_UNKNOWN"


class ProviderMisbehaved(ProviderError):
    """The provider's answer makes no sense."""

    reason = "PROVIDER_MISBEHAVED"


# --- ourselves --------------------------------------------------------------------------------------------------


class StoreUnavailable(PostroomError):
    """The store does not answer."""

    reason = "STORE_UNAVAILABLE"


class StoreFull(PostroomError):
    """The store is full."""

    reason = "STORE_FULL"


class OutboxFull(PostroomError):
    """The outbox holds as many submissions as it may."""

    reason = "OUTBOX_FULL"


class OwnerUnknown(PostroomError):
    """No node runs this account at the moment."""

    reason = "OWNER_UNKNOWN"


class ServerDraining(PostroomError):
    """This node is stopping; another one takes the call."""

    reason = "SERVER_DRAINING"


class PathUnknown(PostroomError):
    """No method is bound to this verb and path. The gateway says it, no node does."""

    reason = "PATH_UNKNOWN"


class NodeUnavailable(PostroomError):
    """No node is ready to take the call. The gateway says it, no node does."""

    reason = "NODE_UNAVAILABLE"


# --- internal signals -------------------------------------------------------------------------------------------


class Fenced(Exception):
    """Another process holds the shard's lease: drop the shard at once."""


class Conflict(Exception):
    """The store is not where the writer thought: read it again and decide.

    Args:
        sequence: The feed's sequence in the store.
        incarnation: The account's incarnation in the store.
        field: The position that differed, empty when sequence or incarnation did.
    """

    def __init__(self, sequence: int, incarnation: str, field: str = "") -> None:
        super().__init__(f"at {incarnation}/{sequence}, {field or 'sequence'} differs")
        self.sequence, self.incarnation, self.field = sequence, incarnation, field


class AccountGone(Exception):
    """The account was deleted."""


class ProviderCursorExpired(Exception):
    """The provider no longer knows the position of a scope; it is read from nothing.

    Args:
        kind: `UIDVALIDITY_CHANGED`, `HISTORY_EXPIRED` or `DELTA_EXPIRED`.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind
