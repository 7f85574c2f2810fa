"""Errors by reason: one class per value of `postroom.v1.ErrorReason`.

Every error of the server carries a reason, metadata and, where they help, the fields at fault and a time after which to
try again. A reason that this version does not know becomes a plain `PostroomError` with its code.

    try:
        await client.accounts.GetAccount(GetAccountRequest(name="accounts/ada"))
    except postroom.errors.AccountNotFound as error:
        print(error.metadata["account"])
"""

from __future__ import annotations

from postroom.statuses import PostroomError


class FeedReset(PostroomError):
    """The changes so far no longer lead to the present: list again what `scope` names, then go on with the same watch."""

    reason = ""

    def __init__(self, scope: str, why: str, cursor: str) -> None:
        super().__init__(f"the feed of {scope} was reset: {why}")
        self.scope, self.why, self.cursor = scope, why, cursor

    def __reduce__(self) -> tuple[type[FeedReset], tuple[str, str, str]]:
        return type(self), (self.scope, self.why, self.cursor)


class WatchEnded(PostroomError):
    """The server ended the stream for good; `why` is REPLACED, TOKEN_REVOKED, ACCOUNT_REMOVED or CONSUMER_CHANGED."""

    reason = ""

    def __init__(self, why: str, cursor: str) -> None:
        super().__init__(f"the stream ended: {why}")
        self.why, self.cursor = why, cursor

    def __reduce__(self) -> tuple[type[WatchEnded], tuple[str, str]]:
        return type(self), (self.why, self.cursor)


class DownloadDamaged(PostroomError):
    """What came is not what the server announced: too short, too long, or another hash."""

    reason = ""


class Internal(PostroomError):
    """Something is wrong on our side; the log holds the details under the request id."""


class NotImplementedYet(PostroomError):
    """The method is part of the contract and not served yet."""

    reason = "NOT_IMPLEMENTED"


class DeadlineExceeded(PostroomError):
    """The deadline passed before the call was done."""


class RequestInvalid(PostroomError):
    """A field of the request is not acceptable: unknown, of the wrong type, or out of its bounds."""


class PageTokenInvalid(PostroomError):
    """The page token is not one of this listing, or the other parameters changed since it was made."""


class MessageTooLarge(PostroomError):
    """The message is larger than the account or the server takes."""


class AddressDenied(PostroomError):
    """The host is not one that this server may connect to."""


class CursorMalformed(PostroomError):
    """The cursor cannot be read: it was cut, changed or never made by Postroom."""


class CursorForeign(PostroomError):
    """The cursor belongs to another account, selection or store."""


class CursorExpired(PostroomError):
    """The cursor is older than what is retained."""


class LimitExceeded(PostroomError):
    """A limit of this server is reached."""


class TokenMissing(PostroomError):
    """The call carries no bearer token."""


class TokenInvalid(PostroomError):
    """The bearer token is unknown, revoked or expired."""


class ScopeDenied(PostroomError):
    """The bearer token does not allow this method or this account."""


class AccountNotFound(PostroomError):
    """There is no such account."""


class MailboxNotFound(PostroomError):
    """There is no such mailbox, or no mailbox has this role."""


class MessageNotFound(PostroomError):
    """There is no such message, or no longer."""


class AttachmentNotFound(PostroomError):
    """The message has no such attachment."""


class ThreadNotFound(PostroomError):
    """There is no such thread."""


class SubmissionNotFound(PostroomError):
    """There is no such submission, or it is no longer kept."""


class TokenNotFound(PostroomError):
    """There is no such token."""


class ConsumerNotFound(PostroomError):
    """There is no such consumer."""


class AccountExists(PostroomError):
    """An account with this id exists already."""


class MailboxExists(PostroomError):
    """A mailbox with this path exists already."""


class ConsumerExists(PostroomError):
    """A consumer with this id exists already."""


class RequestIdReused(PostroomError):
    """The request id was used before with another body."""


class EtagMismatch(PostroomError):
    """The resource has changed since it was read."""


class SubmissionFinal(PostroomError):
    """The submission has reached an end state."""


class SubmissionBusy(PostroomError):
    """An attempt is under way, or its outcome is in doubt, so the submission cannot be changed now."""


class SubmissionNotInDoubt(PostroomError):
    """The submission's outcome is not in doubt, so there is nothing to decide."""


class NotADraft(PostroomError):
    """The message is not a draft."""


class ConsumerReplaced(PostroomError):
    """Another stream reads for the consumer, so this reader may not commit."""


class AccountPaused(PostroomError):
    """The account is paused."""


class AccountNotReady(PostroomError):
    """The account was still connecting when the call's time was up."""


class CapabilityMissing(PostroomError):
    """The account's provider cannot do this."""


class FlagNotSettable(PostroomError):
    """The account's provider cannot keep this flag."""


class MembershipSingle(PostroomError):
    """A message of this account is in exactly one mailbox, so mailboxes cannot be added or removed."""


class AppendDraftsOnly(PostroomError):
    """The account's provider stores new messages as drafts only."""


class MailboxNotSelectable(PostroomError):
    """The mailbox is a level of the path only and holds no messages."""


class ProviderUnreachable(PostroomError):
    """The provider cannot be reached."""


class ProviderThrottled(PostroomError):
    """The provider asks us to slow down."""


class CredentialsRejected(PostroomError):
    """The provider refused the account's credentials."""


class ScopeMissing(PostroomError):
    """The account's grant at the provider lacks a scope."""


class ConsentRequired(PostroomError):
    """The account's owner has to give consent again, by `AuthorizeAccount`."""


class AdminBlocked(PostroomError):
    """The provider's administrator does not allow this."""


class ProviderFull(PostroomError):
    """The mailbox is over its quota at the provider."""


class RecipientsRefused(PostroomError):
    """The provider refused every recipient."""


class OutcomeUnknown(PostroomError):
    """The answer to a write was lost; whether it happened is not known."""


class ProviderMisbehaved(PostroomError):
    """The provider's answer makes no sense."""


class StoreUnavailable(PostroomError):
    """The store does not answer."""


class StoreFull(PostroomError):
    """The store is full."""


class OutboxFull(PostroomError):
    """The outbox holds as many submissions or bytes as it may."""


class OwnerUnknown(PostroomError):
    """No node runs the account at the moment."""


class ServerDraining(PostroomError):
    """The node is stopping; another one takes the call when it is made again."""


class PathUnknown(PostroomError):
    """No method is bound to this verb and path."""


class NodeUnavailable(PostroomError):
    """No node is ready to take the call."""
