"""Log lines: JSON, one event each, with what the call or the worker has bound.

It owns the processors and the one way in which other libraries' lines join ours; it refuses secrets (`redact.py`) and
local variables of tracebacks. Events are constant sentences; what varies stands in keys, request and account ids in
contextvars.

    log = get_logger("sync")
    log.info("mailbox read", account=account, space=3, messages=120)
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import FilteringBoundLogger, Processor

from postroom_server.telemetry.redact import redact

MAX_FRAMES = 30
"""Frames of a traceback that are written."""


def get_logger(name: str) -> FilteringBoundLogger:
    """A logger whose lines carry `part: name`; it may be made before `configure_logging`."""
    logger: FilteringBoundLogger = structlog.get_logger(part=name)
    return logger


def configure_logging(
    *,
    level: str = "info",
    json: bool = True,
    stream: TextIO | None = None,
    bound: dict[str, str] | None = None,
) -> None:
    """Sends our lines and those of the standard library to one stream. Call once, at start.

    Args:
        level: The least severe line that is written: debug, info, warning, error.
        json: One JSON object per line; else text for people.
        stream: Where to; standard error by default.
        bound: Keys that every line of this process carries, such as the node's name.
    """
    number = getattr(logging, level.upper())
    target = stream or sys.stderr
    shared = _shared(bound or {})
    render: list[Processor] = [_Traceback(), redact]
    render.append(
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if json
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[*shared, *render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=target),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.WARNING))


def _shared(bound: dict[str, str]) -> list[Processor]:
    def add_bound(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        for key, value in bound.items():
            event.setdefault(key, value)
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_bound,
    ]


class _Traceback:
    """Turns `exc_info` into the exception's type, its masked text and the places it passed, without local variables."""

    def __call__(
        self, _logger: object, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        given = event.pop("exc_info", None)
        event.pop("stack_info", None)
        error = given if isinstance(given, BaseException) else None
        if isinstance(given, tuple):
            error = given[1]
        elif given is True:
            error = sys.exc_info()[1]
        if error is None:
            return event
        event["error"] = f"{type(error).__module__}.{type(error).__qualname__}"
        event["error_text"] = str(error)
        event["trace"] = [*_places(error)]
        return event


def _places(error: BaseException) -> list[str]:
    """`file:line function` from the outermost to the innermost frame, causes first."""
    places: list[str] = []
    cause = error.__cause__
    if cause is not None:
        places += [*_places(cause)[-MAX_FRAMES:], f"… was {type(cause).__qualname__}, and so"]
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(
            f"{code.co_filename.rpartition('/postroom_server/')[2]}:{trace.tb_lineno} {code.co_name}"
        )
        trace = trace.tb_next
    return places[-MAX_FRAMES:]
