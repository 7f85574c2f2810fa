"""What the caller names: it is not there, is there already, or has moved on."""

from __future__ import annotations

from postroom_server.errors._root import PostroomError


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
