"""Reasons: the contract's enum, the exception tree and the table of codes say the same."""

from __future__ import annotations

import inspect
import json
import re

from postroom.v1 import error_reason_pb2
from postroom_server import errors
from postroom_server.services.errors import CODES

from tests.fixtures.contract import Contract, Element

UNSPECIFIED = "ERROR_REASON_UNSPECIFIED"
CALLER_ONLY = {"TOKEN_MISSING", "TOKEN_INVALID", "SCOPE_DENIED"}
NAMED_BY_THE_CONTRACT = """
SCOPE_MISSING CONSENT_REQUIRED ADMIN_BLOCKED FLAG_NOT_SETTABLE MEMBERSHIP_SINGLE APPEND_DRAFTS_ONLY CAPABILITY_MISSING
OUTCOME_UNKNOWN PROVIDER_MISBEHAVED CURSOR_MALFORMED CURSOR_FOREIGN CURSOR_EXPIRED ACCOUNT_EXISTS ACCOUNT_PAUSED
CREDENTIALS_REJECTED SUBMISSION_FINAL PROVIDER_UNREACHABLE PROVIDER_THROTTLED ETAG_MISMATCH PAGE_TOKEN_INVALID
MESSAGE_TOO_LARGE ACCOUNT_NOT_FOUND MAILBOX_NOT_FOUND MESSAGE_NOT_FOUND ATTACHMENT_NOT_FOUND SUBMISSION_NOT_FOUND
"""


def reasons() -> set[str]:
    """The names of the enum's values."""
    return set(error_reason_pb2.ErrorReason.keys()) - {UNSPECIFIED}


def raised() -> set[str]:
    """The reasons of the exception tree."""
    classes = (member for _, member in inspect.getmembers(errors, inspect.isclass))
    return {one.reason for one in classes if issubclass(one, errors.PostroomError)}


def values(contract: Contract) -> list[Element]:
    """The enum's values with their comments."""
    return [
        element
        for element in contract.elements()
        if element.kind == "value"
        and element.name.startswith("ErrorReason.")
        and not element.name.endswith(UNSPECIFIED)
    ]


def test_every_exception_has_a_reason_and_every_reason_an_exception() -> None:
    assert raised() - reasons() == set()
    assert reasons() - raised() == set()


def test_every_reason_has_a_code_and_nothing_else_has() -> None:
    assert CODES.keys() == reasons()


def test_comments_name_the_code_that_is_sent(contract: Contract) -> None:
    for value in values(contract):
        code = re.search(r"Code\s+([A-Z_]+)\.", value.comment)
        assert code is not None, value.name
        assert code[1] == CODES[value.name.removeprefix("ErrorReason.")].name, value.name


def test_comments_show_an_example_that_can_be_read(contract: Contract) -> None:
    for value in values(contract):
        example = json.loads(value.comment.splitlines()[-1])
        assert example["reason"] == value.name.removeprefix("ErrorReason.")
        assert example["domain"] == "postroom"
        assert all(isinstance(text, str) for text in example.get("metadata", {}).values()), value.name


def test_the_reasons_that_the_contract_names_are_there() -> None:
    assert set(NAMED_BY_THE_CONTRACT.split()) <= reasons()


def test_reasons_fit_error_info() -> None:
    """https://google.aip.dev/193: at most 63 characters, upper snake case."""
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]{1,61}[A-Z0-9]", reason) for reason in reasons())


def test_unauthenticated_and_denied_speak_of_the_caller_only() -> None:
    spoken = {
        reason for reason, code in CODES.items() if code.name in {"UNAUTHENTICATED", "PERMISSION_DENIED"}
    }
    assert spoken == CALLER_ONLY
