"""What the gateway cannot refuse, refused in the node: checks of calls that came through the transcoder.

It owns the seam between REST and gRPC: a query parameter that overrides a field of the path or the body
(`DELETE /v1/accounts/a?name=accounts/b` would delete b), ids that are path tricks, text that is not UTF-8, enum
numbers that do not exist, and JSON bodies with unknown fields. It refuses to know callers and resources.

Two interceptors, because a refusal of the body comes after that of token, scope and account:

    errors → token and scope → EdgeInterceptor (parses the request) → account → BodyInterceptor → handler

Calls over gRPC carry no `x-envoy-original-path`, which the gateway strips from what callers send; of these checks they
pass only the one for UTF-8.

See Also:
    `gateway/envoy.yaml`, `gateway/json_body.lua`, `services/strict_json.py`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import unquote

import grpc
from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message

from postroom_server.errors import Internal, RequestInvalid
from postroom_server.services.calling import first
from postroom_server.services.strict_json import StrictJson

ORIGINAL_PATH = "x-envoy-original-path"
"""Metadata of a call that came over REST: the path and query as the caller sent them."""
JSON_BODY = "x-postroom-json-bin"
"""Metadata of a REST call with a JSON body: the body as it came, empty for none."""
MAX_METADATA_BYTES = 12 * 1024 * 1024
"""What a server with these interceptors has to let through as metadata: a JSON body of 8 MiB in base64."""
MAX_SHOWN_KEY = 100
"""Characters of a caller's query key that an error repeats."""

_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
_Continuation: TypeAlias = Callable[[grpc.HandlerCallDetails], Awaitable[_Handler]]
_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

_VARIABLE = re.compile(r"([^{]+)|{([^}]+)}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f/\\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Binding:
    """One HTTP rule of a method: its path, with a group per variable, and the fields that path and body bind."""

    path: re.Pattern[str]
    variables: tuple[str, ...]
    body: str

    def check_query(self, query: str) -> None:
        """Refuses keys that name what the path or the body binds; `*` as body binds everything."""
        for part in query.split("&"):
            key = unquote(part.partition("=")[0])
            if not key:
                continue
            if self.body == "*":
                raise _refuse(key, "belongs into the body of this method, not into the query")
            for variable in self.variables:
                if _covers(key, variable) or _covers(variable, key):
                    raise _refuse(key, "is bound by the path, may not be a query parameter")
            if self.body and _covers(self.body, key):
                raise _refuse(key, "belongs into the body of this method, not into the query")

    def check_path(self, values: Iterable[str], request: Message) -> None:
        """Refuses a request whose path fields are not those of the path, and ids that are path tricks."""
        for text, variable in zip(values, self.variables, strict=True):
            wanted = unquote(text)
            if any(_is_trick(unquote(segment)) for segment in text.split("/")):
                raise RequestInvalid(variable, "holds a segment that is not an id")
            value: Any = request
            for name in variable.split("."):
                value = getattr(value, name)
            if value != wanted:
                raise RequestInvalid(variable, "is bound by the path, may not be a query parameter")


class _Method:
    """The HTTP rules of one method."""

    __slots__ = ("_bindings",)

    def __init__(self, method: MethodDescriptor) -> None:
        rule = method.GetOptions().Extensions[annotations_pb2.http]
        self._bindings = tuple(_binding(one) for one in (rule, *rule.additional_bindings))

    def checked(self, original: str) -> Callable[[Message], None]:
        """Refuses the query of `original`; what it returns refuses the parsed request."""
        path, _, query = original.partition("?")
        for binding in self._bindings:
            if match := binding.path.fullmatch(path):
                binding.check_query(query)
                values = match.groups()
                break
        else:
            raise RequestInvalid("", "the path is not one of this method")

        def check(request: Message) -> None:
            binding.check_path(values, request)
            if binding.body != "*":
                _check_enums(request, "")

        return check


class EdgeInterceptor(grpc.aio.ServerInterceptor):
    """Parses requests itself, and refuses what path and query may not say.

    Everything inside it gets parsed requests; everything outside it gets bytes.

    Args:
        services: Descriptors of the services that are reached over REST.
    """

    def __init__(self, services: Iterable[ServiceDescriptor]) -> None:
        self._methods = {
            f"/{service.full_name}/{method.name}": _Method(method)
            for service in services
            for method in service.methods
        }

    async def intercept_service(self, continuation: _Continuation, details: Any) -> _Handler:
        """Wraps the handler of a method that is reached over REST."""
        handler: Any = await continuation(details)
        method = self._methods.get(details.method)
        if handler is None or method is None or handler.request_deserializer is None:
            return handler  # type: ignore[no-any-return]
        found = first(details.invocation_metadata, ORIGINAL_PATH)
        original = found if isinstance(found, str) else None
        parse = handler.request_deserializer

        def request_of(raw: bytes, check: Callable[[Message], None] | None) -> Message:
            try:
                request: Message = parse(raw)
            except DecodeError:
                raise RequestInvalid("", "the request holds text that is not UTF-8") from None
            if check is not None:
                check(request)
            return request

        def one(raw: bytes) -> Message:
            return request_of(raw, None if original is None else method.checked(original))

        async def several(raws: AsyncIterator[bytes]) -> AsyncIterator[Message]:
            check = None if original is None else method.checked(original)
            async for raw in raws:
                yield request_of(raw, check)
                check = None

        convert = several if handler.request_streaming else one
        return _wrapped(handler, convert)._replace(request_deserializer=None)  # type: ignore[no-any-return]


class BodyInterceptor(grpc.aio.ServerInterceptor):
    """Refuses JSON bodies that the method's type does not describe in full (`strict_json.py`).

    A REST call of a method with a JSON body that comes without the body is refused: the gateway's script lets a
    request through when it fails.

    Args:
        services: Descriptors of the services that are reached over REST.
    """

    def __init__(self, services: Iterable[ServiceDescriptor]) -> None:
        self._strict = StrictJson(services)

    async def intercept_service(self, continuation: _Continuation, details: Any) -> _Handler:
        """Wraps the handler of a REST call with a JSON body; every other handler stays as it is."""
        handler: Any = await continuation(details)
        if handler is None or not self._strict.has_body(details.method):
            return handler  # type: ignore[no-any-return]
        metadata = details.invocation_metadata
        if first(metadata, ORIGINAL_PATH) is None:
            return handler  # type: ignore[no-any-return]
        body = first(metadata, JSON_BODY)

        def check(request: Message) -> Message:
            if not isinstance(body, bytes):
                raise Internal("the gateway handed on no JSON body")
            self._strict.check(details.method, body)
            return request

        return _wrapped(handler, check)  # type: ignore[no-any-return]


def _wrapped(handler: Any, convert: Callable[[Any], Any]) -> Any:
    """The handler with `convert` before it, which gets and gives a request or an iterator of them."""
    name = f"{'stream' if handler.request_streaming else 'unary'}_{'stream' if handler.response_streaming else 'unary'}"
    behaviour = getattr(handler, name)

    async def answering(request: Any, context: _Context) -> Any:
        return await behaviour(convert(request), context)

    async def yielding(request: Any, context: _Context) -> AsyncIterator[Any]:
        # Closed at once when the call ends, not when the collector finds it.
        async with aclosing(behaviour(convert(request), context)) as responses:
            async for response in responses:
                yield response

    return handler._replace(**{name: yielding if inspect.isasyncgenfunction(behaviour) else answering})


def _binding(rule: Any) -> _Binding:
    """Reads a `google.api.HttpRule`; templates are those of our own contract: literals, `*`, `**`, named variables."""
    variables: list[str] = []
    pattern = ""
    for literal, variable in _VARIABLE.findall(getattr(rule, rule.WhichOneof("pattern"))):
        name, _, shape = variable.partition("=")
        text = re.escape(shape or "*" if variable else literal).replace(r"\*\*", ".+").replace(r"\*", "[^/]+")
        if variable:
            variables.append(name)
        pattern += f"({text})" if variable else text
    return _Binding(path=re.compile(pattern + "/?"), variables=tuple(variables), body=rule.body)


def _plain(path: str) -> str:
    """A field path without what its spellings differ in: `from_time` and `fromTime` are one field."""
    return path.replace("_", "").lower()


def _covers(outer: str, inner: str) -> bool:
    """Whether `inner` is the field path `outer` or lies beneath it."""
    outer, inner = _plain(outer), _plain(inner)
    return inner == outer or inner.startswith(outer + ".")


def _is_trick(segment: str) -> bool:
    return segment in {"", ".", ".."} or _CONTROL.search(segment) is not None


def _refuse(key: str, text: str) -> RequestInvalid:
    return RequestInvalid(key[:MAX_SHOWN_KEY], text)


def _check_enums(message: Message, at: str) -> None:
    """Refuses enum numbers that do not exist: in a query, the transcoder lets them pass."""
    for field, value in message.ListFields():
        name = at + field.json_name
        if field.enum_type is not None:
            known = field.enum_type.values_by_number
            for number in value if field.is_repeated else (value,):
                if number not in known:
                    raise RequestInvalid(name, f"{number} is not a value of this enum")
        elif field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for one in value if field.is_repeated else (value,):
                _check_enums(one, name + ".")
