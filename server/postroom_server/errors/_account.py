"""What the account can do now."""

from __future__ import annotations

from postroom_server.errors._root import PostroomError


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
