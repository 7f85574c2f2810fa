"""What may never stand in a log line, and the processor that takes it out.

It owns two nets, one over the other: keys whose values are never written, and patterns of secrets and addresses inside
values that are. It refuses to be the first defence: callers do not log secrets, addresses or subjects; this is for the
day when one does (threats T18).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

MASK: Final = "[masked]"
MAX_TEXT: Final = 2_000
"""Characters of one value that are written."""
MAX_DEPTH: Final = 4
MAX_ITEMS: Final = 50

HIDDEN_KEYS: Final = frozenset(
    {
        *(
            "password",
            "passwd",
            "secret",
            "secrets",
            "token",
            "bearer",
            "authorization",
            "cookie",
            "credential",
        ),
        *(
            "credentials",
            "access_token",
            "refresh_token",
            "api_key",
            "key",
            "sasl",
            "username",
            "user",
            "login",
        ),
        *(
            "subject",
            "address",
            "addresses",
            "email",
            "from",
            "from_",
            "to",
            "cc",
            "bcc",
            "sender",
            "recipient",
        ),
        *(
            "recipients",
            "body",
            "raw",
            "text",
            "html",
            "content",
            "preview",
            "headers",
            "envelope",
            "filename",
        ),
    }
)
"""Keys that are masked, compared without case and separators at any depth."""

SHOWN_KEYS: Final = frozenset(
    {"account", "level", "timestamp", "part", "logger", "method", "error", "request_id"}
)
"""Keys whose values are written although they may look like an address: names that a caller chose for the purpose."""

_PATTERNS: Final = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{4,}"), r"\1 " + MASK),
    (re.compile(r"\bprm_[A-Za-z0-9_-]{8,}"), MASK),
    (re.compile(r"(?i)((?:password|passwd|secret|token|api_?key)[\"']?\s*[=:]\s*)[^\s,;&]+"), r"\1" + MASK),
    (re.compile(r"(://[^/\s:@]{0,100}:)[^@/\s]{1,200}@"), r"\1" + MASK + "@"),
    (re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+"), MASK),
)


def mask_text(text: str) -> str:
    """`text` without bearer tokens, passwords in URLs and assignments, and mail addresses; at most MAX_TEXT long."""
    text = text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…"
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The structlog processor: masks hidden keys and secrets inside values, in place."""
    for key in list(event):
        if key not in SHOWN_KEYS:
            event[key] = MASK if _hidden(key) else _masked(event[key], 0)
    return event


def _hidden(key: str) -> bool:
    return key.lower().replace("-", "_") in HIDDEN_KEYS


def _masked(value: object, depth: int) -> object:
    if isinstance(value, str):
        return mask_text(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, bytes):
        return f"[{len(value)} bytes]"
    if depth >= MAX_DEPTH:
        return MASK
    if isinstance(value, Mapping):
        return {
            str(key): MASK if _hidden(str(key)) else _masked(one, depth + 1)
            for key, one in list(value.items())[:MAX_ITEMS]
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(one, depth + 1) for one in list(value)[:MAX_ITEMS]]
    return mask_text(str(value))
