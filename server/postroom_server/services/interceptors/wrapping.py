"""How an interceptor puts itself around a handler, whatever its shape.

It owns the two shapes that we serve, one answer and a stream of them, each after one request or a stream of requests;
it refuses to look at messages. Inner handlers of streams are generators, closed at once when the call ends; the
outermost one writes, so that a cancelled call is cancelled inside it and not found by the collector (measured: a stream
that is left to the collector keeps its subscription).
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, TypeAlias

import grpc

from postroom_server.services.calling import Context

Handler: TypeAlias = Any
"""A `grpc.RpcMethodHandler`, which is a named tuple in truth; None when there is no such method."""
Continuation: TypeAlias = Callable[[grpc.HandlerCallDetails], Awaitable[Handler]]
Behaviour: TypeAlias = Callable[[Any, Context], Any]
Guard: TypeAlias = Callable[[Context], AbstractAsyncContextManager[None]]


def shape(handler: Handler) -> str:
    """The name of the handler's behaviour, such as `unary_stream`."""
    return f"{'stream' if handler.request_streaming else 'unary'}_{'stream' if handler.response_streaming else 'unary'}"


def behaviour_of(handler: Handler) -> Behaviour:
    """The function that serves the call."""
    return getattr(handler, shape(handler))  # type: ignore[no-any-return]


def replaced(handler: Handler, behaviour: Behaviour) -> Handler:
    """The handler with another function, which keeps its shape."""
    return handler._replace(**{shape(handler): behaviour})


def guarded(handler: Handler, guard: Guard) -> Handler:
    """The handler inside of `guard`, which is entered once per call and sees how it ends."""
    behaviour = behaviour_of(handler)

    async def answering(request: Any, context: Context) -> Any:
        async with guard(context):
            return await behaviour(request, context)

    async def yielding(request: Any, context: Context) -> AsyncIterator[Any]:
        async with guard(context), aclosing(behaviour(request, context)) as responses:
            async for response in responses:
                yield response

    return replaced(handler, yielding if inspect.isasyncgenfunction(behaviour) else answering)


def writing(handler: Handler, guard: Guard, sent: Callable[[], None]) -> Handler:
    """As `guarded`, for the outermost interceptor: a stream is written message by message, `sent` told of each."""
    behaviour = behaviour_of(handler)

    async def answering(request: Any, context: Context) -> Any:
        async with guard(context):
            return await behaviour(request, context)

    async def streaming(request: Any, context: Context) -> None:
        async with guard(context), aclosing(behaviour(request, context)) as responses:
            async for response in responses:
                await context.write(response)
                sent()

    return replaced(handler, streaming if inspect.isasyncgenfunction(behaviour) else answering)
