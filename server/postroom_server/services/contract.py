"""The contract as the server needs to know it: its services, and what their descriptors say of each method.

It owns the list of services that exist and facts that are read from annotations, never written twice: the field that
names the account, whether a call may be made again, whether it is a download. It refuses to serve.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import postroom.v1
from google.api import annotations_pb2
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

_HTTP_BODY = "google.api.HttpBody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method of the contract.

    `account_field`: path of the request's field whose name begins with the account, empty for methods without one.
    `repeatable`: making the call twice is the same as making it once.
    `download`: its stream is a file.
    """

    full_name: str
    descriptor: MethodDescriptor
    account_field: str
    repeatable: bool
    download: bool


@cache
def services() -> Sequence[ServiceDescriptor]:
    """Every service of `postroom.v1`, by name."""
    found: list[ServiceDescriptor] = []
    for module in pkgutil.iter_modules(postroom.v1.__path__):
        if module.name.endswith("_service_pb2"):
            file: FileDescriptor = importlib.import_module(f"postroom.v1.{module.name}").DESCRIPTOR
            found.extend(file.services_by_name.values())
    return tuple(sorted(found, key=lambda service: str(service.full_name)))


@cache
def methods() -> dict[str, Method]:
    """Every method, by `/package.Service/Method`."""
    return {method.full_name: method for service in services() for method in _methods(service)}


def downloads() -> frozenset[str]:
    """Full names of the methods whose stream is a file."""
    return frozenset(name for name, method in methods().items() if method.download)


def _methods(service: ServiceDescriptor) -> Iterator[Method]:
    for method in service.methods:
        options = method.GetOptions()
        body = method.output_type.fields_by_name.get("body")
        yield Method(
            full_name=f"/{service.full_name}/{method.name}",
            descriptor=method,
            account_field=_account_field(method),
            repeatable=options.idempotency_level != MethodOptions.IDEMPOTENCY_UNKNOWN,
            download=method.server_streaming
            and body is not None
            and body.message_type is not None
            and body.message_type.full_name == _HTTP_BODY,
        )


def _account_field(method: MethodDescriptor) -> str:
    """The path variable of the HTTP rule that is bound to `accounts/*`."""
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    template = getattr(rule, rule.WhichOneof("pattern") or "get")
    for piece in template.split("{")[1:]:
        name, _, shape = piece.partition("}")[0].partition("=")
        if shape.startswith("accounts/"):
            return str(name)
    return ""
