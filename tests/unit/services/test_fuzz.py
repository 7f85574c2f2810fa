"""Whatever a caller writes into a request, the answer is a refusal by name, never a fault of ours."""

from __future__ import annotations

import random
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from postroom_server.services.contract import methods

from tests.fixtures.serving import ServedNode, a_message, bearer
from tests.unit.services.test_chain import an_account, call

CASES = 60
FAULTS = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DEADLINE_EXCEEDED)
TEXTS = (
    *(
        "",
        "a",
        "-",
        "accounts/ann",
        "accounts/-",
        "accounts/ann/mailboxes/inbox",
        "accounts/ann/messages/AQAB",
    ),
    *(
        "accounts/ann/messages/AQAB/attachments/2",
        "tokens/admin",
        "\x00",
        "\r\n",
        "ann@example.com",
        "é" * 50,
    ),
    *(
        "x" * 3000,
        "../..",
        "{a}",
        "*",
        "$seen",
        "(",
        "bytes=0-1",
        "\u202e",
        "accounts/ann/submissions/s1",
        "1:*",
    ),
)
NUMBERS = (0, 1, -1, 2, 50, 1000, 2**31 - 1, -(2**31))


def filled(kind: Any, rng: random.Random, depth: int = 0) -> Message:
    """A message with some fields set to something odd."""
    made: Message = kind()
    for field in made.DESCRIPTOR.fields:
        if rng.random() < (0.35 if depth else 0.2):
            continue
        if depth > 4 and field.message_type is not None:
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].type == FieldDescriptor.TYPE_STRING:
                getattr(made, field.name)[rng.choice(TEXTS)] = rng.choice(TEXTS)
            continue
        values = [value_of(field, rng, depth) for _ in range(rng.randint(1, 3) if field.is_repeated else 1)]
        target: Any = getattr(made, field.name)
        if field.is_repeated:
            target.extend(values)
        elif field.message_type is not None:
            target.CopyFrom(values[0])
        else:
            setattr(made, field.name, values[0])
    return made


def value_of(field: FieldDescriptor, rng: random.Random, depth: int) -> Any:
    if field.message_type is not None:
        if field.message_type.full_name == "google.protobuf.Timestamp":
            return GetMessageClass(field.message_type)(
                seconds=rng.choice((0, -1, 2**40, -(2**62), 2**62, 1_700_000_000)),
                nanos=rng.choice((0, -1, 2**31 - 1)),
            )
        return filled(GetMessageClass(field.message_type), rng, depth + 1)
    if field.enum_type is not None:
        return rng.choice((0, 1, 2, 77, -1))
    if field.type == FieldDescriptor.TYPE_STRING:
        return rng.choice(TEXTS)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return rng.choice((b"", b"\x00", b"From: ann@example.com\r\nTo: b@c.example\r\n\r\nx", b"\xff" * 100))
    if field.type == FieldDescriptor.TYPE_BOOL:
        return rng.random() < 0.5
    if field.type in (FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_UINT64):
        return rng.choice((0, 1, 2**32 - 1))
    return rng.choice(NUMBERS)


@pytest.mark.parametrize("seed", range(3))
async def test_no_request_makes_us_fail(served: ServedNode, seed: int) -> None:
    rng = random.Random(seed)
    await served.accounts.create(an_account("ann"), {}, request_id="", fingerprint="")
    served.commands.messages[a_message().id] = a_message()
    told: set[grpc.StatusCode] = set()
    for name in sorted(served.registry.served):
        kind = GetMessageClass(methods()[name].descriptor.input_type)
        for _ in range(CASES):
            request = filled(kind, rng)
            if rng.random() < 0.7 and methods()[name].account_field in ("name", "parent"):
                setattr(request, methods()[name].account_field, rng.choice(TEXTS[3:8]))
            try:
                await call(served, name, request, bearer(), timeout=10)
            except grpc.aio.AioRpcError as error:
                told.add(error.code())
                if error.code() in FAULTS:
                    pytest.fail(f"{name}: {error.details()} for {request}")
    assert {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND} <= told


async def test_bytes_that_are_no_message_are_refused(served: ServedNode) -> None:
    for name in sorted(served.registry.served):
        descriptor = methods()[name].descriptor
        if descriptor.client_streaming or descriptor.server_streaming:
            continue
        field = descriptor.input_type.fields_by_number.get(1)
        no_text = field is None or field.type != FieldDescriptor.TYPE_STRING
        for raw in (b"\xff\xff\xff", b"\x0a\x05ab", *(() if no_text else (b"\x0a\x02\xff\xfe",))):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await served.channel.unary_unary(name)(raw, metadata=bearer())  # type: ignore[misc]
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT, (name, raw)
