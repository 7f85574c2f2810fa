"""The root of the client's errors, and how a status becomes one.

It owns the reading of `google.rpc.Status` details; the classes by reason are in `postroom.errors`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import ClassVar

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

DETAILS_KEY = "grpc-status-details-bin"
_BY_REASON = "postroom.errors"
_CAMEL = re.compile(r"(?<!^)(?=[A-Z])")
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_CLASSES: dict[str, type[PostroomError]] = {}


class PostroomError(Exception):
    """The server refused a call, or could not be reached (then `reason` is empty)."""

    reason: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.__module__ != _BY_REASON:
            return  # a caller's own: it keeps the reason of what it derives from, and nothing becomes one
        if "reason" not in cls.__dict__:
            cls.reason = _CAMEL.sub("_", cls.__name__).upper()
        if cls.reason:
            _CLASSES[cls.reason] = cls

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode = grpc.StatusCode.UNKNOWN,
        told: str = "",
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[tuple[str, str]] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.told = told or self.reason
        """The reason as the server said it, also one that this version has no class for."""
        self.metadata: Mapping[str, str] = dict(metadata or {})
        self.violations = tuple(violations)
        """(field as a JSON path, what is wrong with it)."""
        self.retry_after = retry_after
        """Seconds after which the same call may succeed; None when waiting does not help or is unknown."""

    @property
    def transient(self) -> bool:
        """Whether the same call may succeed a little later."""
        return self.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)


def from_status(status: status_pb2.Status) -> PostroomError:
    """The error of a `google.rpc.Status`, such as stands in a batch's results."""
    reason, metadata, violations, retry = "", {}, [], None
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        bad = error_details_pb2.BadRequest()
        wait = error_details_pb2.RetryInfo()
        if detail.Unpack(info) and info.domain == "postroom":
            reason, metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(bad):
            violations = [(one.field, one.description) for one in bad.field_violations]
        elif detail.Unpack(wait):
            retry = wait.retry_delay.seconds + wait.retry_delay.nanos / 1e9
    kind = _CLASSES.get(reason, PostroomError)
    return kind(
        status.message,
        code=_CODES.get(status.code, grpc.StatusCode.UNKNOWN),
        told=reason,
        metadata=metadata,
        violations=violations,
        retry_after=retry,
    )


def from_rpc(error: grpc.aio.AioRpcError) -> PostroomError:
    """The error of a call; one that did not come from a server has no reason."""
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            with suppress(DecodeError):  # what is no status was put there on the way
                return from_status(status_pb2.Status.FromString(value))
    code = error.code()
    kind = (
        _CLASSES.get(code.name, PostroomError) if code is grpc.StatusCode.DEADLINE_EXCEEDED else PostroomError
    )
    return kind(error.details() or code.name, code=code)
