"""Writes docs/status.md: every method of the contract, its HTTP binding, and whether this server serves it.

Owns the table only. The methods come from the generated descriptors; a method is live if a servicer class in
`postroom_server.services` defines it, and later if the generated base's refusal is still in place. Nothing is listed by hand.

Usage: `scripts/status.py [--root DIR] [--check]`
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

HOME = Path(__file__).resolve().parent.parent
SERVICE_ORDER = (
    "AccountService",
    "MailboxService",
    "MessageService",
    "ThreadService",
    "SubmissionService",
    "ChangeService",
    "ConsumerService",
    "AuditService",
    "SandboxService",
    "TokenService",
    "ServerService",
    "OAuthAppService",
    "TemplateService",
    "RelayService",
    "SuppressionService",
    "ExportService",
    "RouteService",
)
HEAD = """\
# Status of the contract

Every method of `postroom.v1`, made from the contract and the server's code by `scripts/status.py`. `live` is served; `later` is
part of the contract, keeps its names and answers UNIMPLEMENTED until then.

{live} of {total} methods are live.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One row of the table."""

    service: str
    name: str
    binding: str
    body: str
    stream: str
    live: bool


def modules(package: ModuleType) -> Iterator[ModuleType]:
    """Yields the package's modules that can be imported; names the others, whose failure counts where CI is set."""
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        try:
            yield importlib.import_module(found.name)
        except Exception as error:
            if os.environ.get("CI"):
                raise
            print(
                f"status: {found.name} cannot be imported and counts as not served: {error}", file=sys.stderr
            )


def stubs() -> dict[str, ModuleType]:
    """Returns the generated service modules by the name of their service."""
    package = importlib.import_module("postroom.v1")
    found: dict[str, ModuleType] = {}
    for module in modules(package):
        for name in vars(module):
            if name.endswith("Servicer"):
                found[name.removesuffix("Servicer")] = module
    return found


def live_methods(bases: dict[str, ModuleType]) -> set[tuple[str, str]]:
    """Returns (service, method) of each method that a servicer class of the server defines itself."""
    live: set[tuple[str, str]] = set()
    try:
        package = importlib.import_module("postroom_server.services")
    except ImportError:
        return live
    for module in modules(package):
        for _, servicer in inspect.getmembers(module, inspect.isclass):
            for service, stub in bases.items():
                base = getattr(stub, f"{service}Servicer")
                if servicer is not base and issubclass(servicer, base):
                    live |= {(service, name) for name in vars(base) if overrides(servicer, base, name)}
    return live


def overrides(servicer: type, base: type, name: str) -> bool:
    """Tells whether `servicer` has its own way to answer the method `name` of `base`."""
    return name[0].isupper() and getattr(servicer, name) is not getattr(base, name)


def methods() -> Iterator[Method]:
    """Yields all methods, service by service, in the contract's order."""
    annotations = importlib.import_module("google.api.annotations_pb2")
    bases = stubs()
    live = live_methods(bases)
    position = {name: index for index, name in enumerate(SERVICE_ORDER)}
    for service in sorted(bases, key=lambda name: (position.get(name, len(position)), name)):
        module = importlib.import_module(bases[service].__name__.removesuffix("_grpc"))
        for method in module.DESCRIPTOR.services_by_name[service].methods:
            rule = method.GetOptions().Extensions[annotations.http]
            verb = rule.WhichOneof("pattern") or ""
            yield Method(
                service=service,
                name=method.name,
                binding=f"{verb.upper()} {getattr(rule, verb, '')}",
                body=rule.body,
                stream=streams(method),
                live=(service, method.name) in live,
            )


def streams(method: Any) -> str:
    """Returns which side streams, in a word."""
    sides = [word for word, on in (("up", method.client_streaming), ("down", method.server_streaming)) if on]
    return " and ".join(sides)


def page(rows: list[Method]) -> str:
    """Returns docs/status.md."""
    parts = [HEAD.format(live=sum(row.live for row in rows), total=len(rows))]
    for service in dict.fromkeys(row.service for row in rows):
        parts.append(f"\n## {service}\n\n| method | HTTP | body | stream | status |\n|---|---|---|---|---|\n")
        for row in rows:
            if row.service == service:
                body = f"`{row.body}`" if row.body else ""
                state = "live" if row.live else "later"
                parts.append(f"| {row.name} | `{row.binding}` | {body} | {row.stream} | {state} |\n")
    return "".join(parts)


def main() -> None:
    """Reads the options; writes the page, or says that it is not up to date."""
    parser = argparse.ArgumentParser(description="Writes docs/status.md.")
    parser.add_argument("--root", type=Path, default=HOME, help="the tree to read and to write")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if the page differs")
    options = parser.parse_args()
    sys.path[:0] = [str(options.root / "server"), str(options.root / "clients/python/src")]
    target = options.root / "docs/status.md"
    text = page(list(methods()))
    if not options.check:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    elif not target.exists() or target.read_text(encoding="utf-8") != text:
        sys.exit("docs/status.md is not up to date: run scripts/status.py")


if __name__ == "__main__":
    main()
