"""Reasons on the wire: the single table from reason to gRPC code, and the status that carries it.

It owns how a refusal is said: code, ErrorInfo, BadRequest, RetryInfo. It refuses to invent what a caller may read: an
exception that is not of our tree becomes INTERNAL, and its text stays in the log.

See Also:
    https://google.aip.dev/193
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import grpc
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from postroom_server.errors import (
    AccountGone,
    AccountNotFound,
    Conflict,
    DeadlineExceeded,
    Fenced,
    Internal,
    OwnerUnknown,
    PostroomError,
)
from postroom_server.workers.ledger import LedgerMoved

DOMAIN: Final = "postroom"
MAX_MESSAGE: Final = 1_000
"""Characters of an error's sentence; the status travels in headers, which are bounded on every hop."""
MAX_METADATA_VALUE: Final = 500
MAX_VIOLATIONS: Final = 20
DEFAULT_RETRY_SECONDS: Final = 1.0
"""RetryInfo of a transient refusal that names no time of its own."""

_C = grpc.StatusCode
CODES: Final[Mapping[str, grpc.StatusCode]] = {
    "INTERNAL": _C.INTERNAL,
    "NOT_IMPLEMENTED": _C.UNIMPLEMENTED,
    "DEADLINE_EXCEEDED": _C.DEADLINE_EXCEEDED,
    "REQUEST_INVALID": _C.INVALID_ARGUMENT,
    "PAGE_TOKEN_INVALID": _C.INVALID_ARGUMENT,
    "MESSAGE_TOO_LARGE": _C.INVALID_ARGUMENT,
    "ADDRESS_DENIED": _C.INVALID_ARGUMENT,
    "CURSOR_MALFORMED": _C.INVALID_ARGUMENT,
    "CURSOR_FOREIGN": _C.INVALID_ARGUMENT,
    "CURSOR_EXPIRED": _C.OUT_OF_RANGE,
    "LIMIT_EXCEEDED": _C.RESOURCE_EXHAUSTED,
    "TOKEN_MISSING": _C.UNAUTHENTICATED,
    "TOKEN_INVALID": _C.UNAUTHENTICATED,
    "SCOPE_DENIED": _C.PERMISSION_DENIED,
    "ACCOUNT_NOT_FOUND": _C.NOT_FOUND,
    "MAILBOX_NOT_FOUND": _C.NOT_FOUND,
    "MESSAGE_NOT_FOUND": _C.NOT_FOUND,
    "ATTACHMENT_NOT_FOUND": _C.NOT_FOUND,
    "THREAD_NOT_FOUND": _C.NOT_FOUND,
    "SUBMISSION_NOT_FOUND": _C.NOT_FOUND,
    "TOKEN_NOT_FOUND": _C.NOT_FOUND,
    "CONSUMER_NOT_FOUND": _C.NOT_FOUND,
    "ACCOUNT_EXISTS": _C.ALREADY_EXISTS,
    "MAILBOX_EXISTS": _C.ALREADY_EXISTS,
    "CONSUMER_EXISTS": _C.ALREADY_EXISTS,
    "REQUEST_ID_REUSED": _C.ALREADY_EXISTS,
    "ETAG_MISMATCH": _C.ABORTED,
    "SUBMISSION_FINAL": _C.FAILED_PRECONDITION,
    "SUBMISSION_BUSY": _C.FAILED_PRECONDITION,
    "SUBMISSION_NOT_IN_DOUBT": _C.FAILED_PRECONDITION,
    "NOT_A_DRAFT": _C.FAILED_PRECONDITION,
    "CONSUMER_REPLACED": _C.FAILED_PRECONDITION,
    "ACCOUNT_PAUSED": _C.FAILED_PRECONDITION,
    "ACCOUNT_NOT_READY": _C.UNAVAILABLE,
    "CAPABILITY_MISSING": _C.FAILED_PRECONDITION,
    "FLAG_NOT_SETTABLE": _C.FAILED_PRECONDITION,
    "MEMBERSHIP_SINGLE": _C.FAILED_PRECONDITION,
    "APPEND_DRAFTS_ONLY": _C.FAILED_PRECONDITION,
    "MAILBOX_NOT_SELECTABLE": _C.FAILED_PRECONDITION,
    "PROVIDER_MISBEHAVED": _C.UNAVAILABLE,
    "PROVIDER_UNREACHABLE": _C.UNAVAILABLE,
    "PROVIDER_THROTTLED": _C.RESOURCE_EXHAUSTED,
    "CREDENTIALS_REJECTED": _C.FAILED_PRECONDITION,
    "SCOPE_MISSING": _C.FAILED_PRECONDITION,
    "CONSENT_REQUIRED": _C.FAILED_PRECONDITION,
    "ADMIN_BLOCKED": _C.FAILED_PRECONDITION,
    "PROVIDER_FULL": _C.FAILED_PRECONDITION,
    "RECIPIENTS_REFUSED": _C.FAILED_PRECONDITION,
    "OUTCOME_UNKNOWN": _C.UNKNOWN,
    "STORE_UNAVAILABLE": _C.UNAVAILABLE,
    "STORE_FULL": _C.RESOURCE_EXHAUSTED,
    "OUTBOX_FULL": _C.RESOURCE_EXHAUSTED,
    "OWNER_UNKNOWN": _C.UNAVAILABLE,
    "SERVER_DRAINING": _C.UNAVAILABLE,
    "PATH_UNKNOWN": _C.NOT_FOUND,
    "NODE_UNAVAILABLE": _C.UNAVAILABLE,
}
"""Every reason that a caller can be told. Nothing of a provider is UNAUTHENTICATED or PERMISSION_DENIED."""

_COLLECTIONS: Final[Mapping[str, str]] = {
    "mailbox": "mailboxes",
    "message": "messages",
    "thread": "threads",
    "submission": "submissions",
}

RETRYABLE: Final = frozenset({_C.UNAVAILABLE, _C.RESOURCE_EXHAUSTED})
"""Codes that carry RetryInfo."""


class Relayed(Exception):
    """The owner's status, passed on as it is.

    Args:
        code: The owner's code.
        details: The owner's sentence.
        trailing: The owner's trailing metadata, `grpc-status-details-bin` included.
        reason: The reason in its ErrorInfo, empty when it had none.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        details: str,
        trailing: Sequence[tuple[str, str | bytes]],
        reason: str = "",
    ) -> None:
        super().__init__(f"{code.name} {reason}")
        self.code, self.details, self.trailing, self.reason = code, details, tuple(trailing), reason


def known(error: BaseException, request_id: str = "") -> PostroomError:
    """The error of our tree that a caller is told of `error`; foreign ones become Internal without their text."""
    if isinstance(error, PostroomError):
        return error
    if isinstance(error, TimeoutError):
        return DeadlineExceeded()
    if isinstance(error, AccountGone):
        return AccountNotFound()
    if isinstance(error, Fenced | Conflict | LedgerMoved):
        return OwnerUnknown()
    return Internal(requestId=request_id)


def to_proto(error: PostroomError, account: str = "") -> status_pb2.Status:
    """The `google.rpc.Status` of an error, with its details.

    Args:
        error: What to say.
        account: The id of the account that the call is about: ids in the metadata become resource names.
    """
    code = CODES[error.reason]
    status = status_pb2.Status(code=code.value[0], message=_cut(str(error), MAX_MESSAGE))
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN)
    for key, value in error.metadata.items():
        if value:
            info.metadata[key] = _cut(_named(key, str(value), account), MAX_METADATA_VALUE)
    status.details.add().Pack(info)
    if error.violations:
        bad = error_details_pb2.BadRequest()
        for field, description in error.violations[:MAX_VIOLATIONS]:
            bad.field_violations.add(
                field=_cut(field, MAX_METADATA_VALUE), description=_cut(description, MAX_METADATA_VALUE)
            )
        status.details.add().Pack(bad)
    seconds = error.retry_after
    if seconds is None and code in RETRYABLE:
        seconds = DEFAULT_RETRY_SECONDS
    if seconds is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(int(seconds * 1e9))
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    return status


def to_status(error: BaseException, request_id: str = "", account: str = "") -> grpc.Status:
    """The status of any exception, ready for `abort_with_status`."""
    status: grpc.Status = rpc_status.to_status(to_proto(known(error, request_id), account))
    return status


def reason_of(trailing: Sequence[tuple[str, str | bytes]] | None) -> str:
    """The reason in the ErrorInfo of trailing metadata; empty when there is none that is ours."""
    for key, value in trailing or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            status = status_pb2.Status.FromString(value)
            for detail in status.details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info) and info.domain == DOMAIN:
                    return str(info.reason)
    return ""


def _named(key: str, value: str, account: str) -> str:
    """The resource name of an id in the metadata; workers know ids only."""
    if "/" in value:
        return value
    if key == "account":
        return f"accounts/{value}"
    collection = _COLLECTIONS.get(key)
    return f"accounts/{account}/{collection}/{value}" if collection and account else value


def _cut(text: str, limit: int) -> str:
    """At most `limit` characters, without control characters and lone surrogates."""
    clean = "".join(" " if ord(one) < 32 or ord(one) == 127 else one for one in text[:limit])
    return clean.encode("utf-8", "replace").decode()
