"""Handlers of every method of the contract, made in one way.

It owns which methods this server serves: those that a servicer defines. Every other one answers UNIMPLEMENTED with the
reason NOT_IMPLEMENTED, after token, scope and account were checked. It refuses the generated registration, whose
default handlers know no reasons.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NoReturn

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from postroom_server.errors import NotImplementedYet
from postroom_server.services.calling import Context
from postroom_server.services.contract import services


class Registry:
    """The handlers of some servicers and of the rest of the contract.

    Args:
        servicers: Instances of the generated servicer classes' subclasses.
    """

    def __init__(self, servicers: Sequence[object]) -> None:
        by_name = {_service_name(servicer): servicer for servicer in servicers}
        self._handlers: dict[str, dict[str, grpc.RpcMethodHandler[Any, Any]]] = {}
        served: set[str] = set()
        for service in services():
            servicer = by_name.pop(str(service.full_name), None)
            table = self._handlers.setdefault(str(service.full_name), {})
            for method in service.methods:
                behaviour = _behaviour(servicer, method)
                if behaviour is not None:
                    served.add(f"/{service.full_name}/{method.name}")
                table[method.name] = _handler(method, behaviour or _later(method))
        if by_name:
            raise TypeError(f"no service of the contract: {sorted(by_name)}")
        self.served: frozenset[str] = frozenset(served)
        """Full names of the methods that a servicer defines."""

    def generic_handlers(self) -> Sequence[grpc.GenericRpcHandler]:
        """For `server.add_generic_rpc_handlers`."""
        return [
            grpc.method_handlers_generic_handler(service, handlers)
            for service, handlers in self._handlers.items()
        ]

    def handlers(self) -> Mapping[str, Mapping[str, grpc.RpcMethodHandler[Any, Any]]]:
        """Service name -> method name -> handler."""
        return self._handlers


def _service_name(servicer: object) -> str:
    base = _generated(type(servicer))
    return f"postroom.v1.{base.__name__.removesuffix('Servicer')}"


def _generated(kind: type) -> type:
    """The generated base class of a servicer."""
    for base in kind.__mro__:
        if base.__module__.endswith("_pb2_grpc"):
            return base
    raise TypeError(f"{kind.__name__} is no servicer")


def _behaviour(servicer: object | None, method: MethodDescriptor) -> Any:
    """The servicer's own method; None where it has only the generated default."""
    if servicer is None:
        return None
    own = getattr(type(servicer), method.name, None)
    default = getattr(_generated(type(servicer)), method.name)
    return None if own is default else getattr(servicer, method.name)


def _handler(method: MethodDescriptor, behaviour: Any) -> grpc.RpcMethodHandler[Any, Any]:
    shapes: dict[tuple[bool, bool], Any] = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    make = shapes[bool(method.client_streaming), bool(method.server_streaming)]
    handler: grpc.RpcMethodHandler[Any, Any] = make(
        behaviour,
        request_deserializer=GetMessageClass(method.input_type).FromString,
        response_serializer=_serialized,
    )
    return handler


def _serialized(message: Any) -> bytes:
    """An answer as bytes; one that was relayed is bytes already."""
    return message if isinstance(message, bytes) else message.SerializeToString()


def _later(method: MethodDescriptor) -> Any:
    name = f"{method.containing_service.full_name}/{method.name}"

    async def refuse(_request: Any, _context: Context) -> NoReturn:
        raise NotImplementedYet(method=name)

    async def refuse_stream(_request: Any, _context: Context) -> AsyncIterator[Any]:
        for _ in ("a generator that never yields",):
            raise NotImplementedYet(method=name)
        yield b""

    async def refuse_upload(requests: AsyncIterator[Any], _context: Context) -> NoReturn:
        # The first piece names the account, which is checked when it is read.
        async for _ in requests:
            break
        raise NotImplementedYet(method=name)

    if method.client_streaming:
        return refuse_upload
    return refuse_stream if method.server_streaming else refuse
