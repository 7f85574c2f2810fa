"""What scripts/openapi.py and scripts/reference.py stand on: the contract as buf builds it, and the document's fixed parts.

Owns the reading of the descriptor set and the texts and schemas that no generator can know: the title, the error model.
Refuses to write anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from google.api import annotations_pb2
from google.protobuf import descriptor_pb2

PACKAGE: Final = "postroom.v1"
HTTP_BODY: Final = ".google.api.HttpBody"
INFO: Final = {
    "title": "Postroom",
    "version": "v1",
    "description": (
        "JSON over HTTP of the contract `postroom.v1`. Field names are in lowerCamelCase, enums are given by name, 64-bit"
        " numbers are strings, times are RFC 3339, durations are seconds with an `s`. Fields that hold their default are"
        " written out; messages that are absent are not; write-only fields are empty in answers. Every answer that is not 2xx is an `Error`."
        " A request with an unknown field, at any depth, or an unknown query parameter is refused with 400."
    ),
    "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
}
ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Why a call was refused: `google.rpc.Status`, whoever refuses. A program looks at the reason.",
    "required": ["code", "message", "details"],
    "properties": {
        "code": {"type": "integer", "format": "int32", "description": "The gRPC code, 1 to 16."},
        "message": {"type": "string", "description": "A sentence for people; it may change."},
        "details": {
            "type": "array",
            "description": "An `ErrorInfo` always, the others where they apply.",
            "items": {
                "anyOf": [
                    {"$ref": "#/components/schemas/ErrorInfo"},
                    {"$ref": "#/components/schemas/BadRequest"},
                    {"$ref": "#/components/schemas/RetryInfo"},
                ]
            },
        },
    },
}


def _detail(name: str, description: str, properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    kind = {"type": "string", "enum": [f"type.googleapis.com/google.rpc.{name}"]}
    return {
        "type": "object",
        "description": description,
        "required": ["@type", *required],
        "properties": {"@type": kind, **properties},
    }


def details(reasons: list[str]) -> dict[str, Any]:
    """The schemas of an error's details."""
    violation = {
        "type": "object",
        "required": ["field", "description"],
        "properties": {
            "field": {
                "type": "string",
                "description": "The field's path, such as `submission.composed.to[1].address`.",
            },
            "description": {"type": "string"},
            "reason": {"type": "string"},
        },
    }
    info = {
        "reason": {"type": "string", "enum": reasons, "description": "What programs go by."},
        "domain": {"type": "string", "enum": ["postroom"]},
        "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
    }
    wait = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]{1,9})?s$"}
    return {
        "Error": ERROR,
        "ErrorInfo": _detail("ErrorInfo", "The reason.", info, ["reason", "domain"]),
        "BadRequest": _detail(
            "BadRequest",
            "The fields at fault.",
            {"fieldViolations": {"type": "array", "items": violation}},
            ["fieldViolations"],
        ),
        "RetryInfo": _detail(
            "RetryInfo", "How long to wait before the next try.", {"retryDelay": wait}, ["retryDelay"]
        ),
    }


class Rpc(NamedTuple):
    """One method of the contract with its messages and its HTTP binding."""

    service: str
    name: str
    verb: str
    path: str
    body: str
    request: descriptor_pb2.DescriptorProto
    response: descriptor_pb2.DescriptorProto

    @property
    def bound(self) -> list[str]:
        """The request's fields that the path binds, as paths."""
        return re.findall(r"\{([a-z_.]+)=", self.path)

    def sends_file(self) -> bool:
        """Tells whether the request's body is a file."""
        return any(field.name == self.body and field.type_name == HTTP_BODY for field in self.request.field)

    def answers_file(self) -> bool:
        """Tells whether the answer is a file."""
        return any(field.type_name == HTTP_BODY for field in self.response.field)


class Contract:
    """The package's messages by schema name, and its methods.

    Args:
        image: The descriptor set that buf builds.
    """

    def __init__(self, image: Path) -> None:
        everything = descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes())
        self.files = [file for file in everything.file if file.package == PACKAGE]
        self.messages = {name: one for file in self.files for name, one in _messages(file.message_type)}

    def rpcs(self) -> Iterator[Rpc]:
        """Every method."""
        for file in self.files:
            for service in file.service:
                for method in service.method:
                    rule = method.options.Extensions[annotations_pb2.http]
                    verb = rule.WhichOneof("pattern")
                    yield Rpc(
                        service.name, method.name, verb, getattr(rule, verb), rule.body,
                        self.messages[method.input_type.rpartition(".")[2]],
                        self.messages[method.output_type.rpartition(".")[2]],
                    )  # fmt: skip

    def reasons(self) -> list[str]:
        """The names of ErrorReason, without the one that is never sent."""
        enums = {enum.name: enum for file in self.files for enum in file.enum_type}
        return [value.name for value in enums["ErrorReason"].value if value.number]

    def json_names(self) -> dict[str, str]:
        """Field names as proto spells them to how JSON does, where they differ."""
        fields = [field for message in self.messages.values() for field in message.field]
        return {
            field.name: field.json_name
            for field in fields
            if field.name != field.json_name and "_" in field.name
        }


def _messages(found: Any, prefix: str = "") -> Iterator[tuple[str, descriptor_pb2.DescriptorProto]]:
    for message in found:
        yield f"{prefix}{message.name}", message
        yield from _messages(message.nested_type, f"{prefix}{message.name}_")
