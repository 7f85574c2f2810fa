"""What the provider said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from postroom_server.errors._root import PostroomError


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
