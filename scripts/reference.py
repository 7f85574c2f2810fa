"""Writes docs/reference/rest.md, grpc.md and errors.md from the contract, its comments and the server's table of codes.

Owns the form of those pages and no fact: REST is docs/reference/openapi.yaml as tables, gRPC is the descriptor set with its
comments, errors are error_reason.proto with the code of each reason as the server sends it. Refuses words of its own beside
the heads of the pages.

Usage: `scripts/reference.py --root DIR --image IMAGE` (called by `scripts/generate`)
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import yaml
from google.protobuf import descriptor_pb2
from openapi_parts import PACKAGE, Contract

HTTP_STATUS: Final = {
    "INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400, "OUT_OF_RANGE": 400, "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403, "NOT_FOUND": 404, "ALREADY_EXISTS": 409, "ABORTED": 409, "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499, "UNKNOWN": 500, "INTERNAL": 500, "DATA_LOSS": 500, "UNIMPLEMENTED": 501, "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}  # fmt: skip
"""What the gateway's transcoder answers for each gRPC code."""
MADE: Final = "<!-- Made by scripts/generate; not to be edited. -->\n\n"
REST_HEAD: Final = """\
# REST reference

Made from the contract; the same as an OpenAPI 3 document is [openapi.yaml](openapi.yaml). Every call but `GET /healthz` needs
the header `authorization: Bearer TOKEN`. Field names are in lowerCamelCase, 64-bit numbers are strings, times are RFC 3339,
durations are seconds with an `s` (`"30s"`). A field of the path is not repeated in the body. An unknown field or query
parameter is refused with 400. [Errors](errors.md) are the same everywhere.
"""
GRPC_HEAD: Final = """\
# gRPC reference

The package `postroom.v1`, made from `proto/` and its comments. The token travels as the metadata `authorization: Bearer TOKEN`.
Each method has a default deadline in the clients and a rule by which they make a failed call again; *with request id* means only
if the request carries one.
"""
ERRORS_HEAD: Final = """\
# Errors

Every call that fails ends with a status whose details hold an `ErrorInfo`: a `reason` from the list below, the domain
`postroom`, and `metadata` with the parts that vary. Over REST the body is that status as JSON, also where the gateway refuses by
itself (an unknown path, a body that is not JSON or too large). Programs look at the reason, never at the message.

A `BadRequest` beside it names the fields at fault; a `RetryInfo` says how long to wait. New reasons may be added: a program that
does not know one goes by the code.

| code | HTTP | what a program does |
|---|---|---|
| INVALID_ARGUMENT, OUT_OF_RANGE | 400 | the request is wrong, and the same one fails again |
| FAILED_PRECONDITION | 400 | the state of the account or resource forbids it; change that first |
| UNAUTHENTICATED, PERMISSION_DENIED | 401, 403 | the caller's token; never the provider's login |
| NOT_FOUND | 404 | no such thing, or no such path |
| ALREADY_EXISTS, ABORTED | 409 | it exists, or it changed meanwhile: read and decide |
| RESOURCE_EXHAUSTED, UNAVAILABLE | 429, 503 | later, after the `RetryInfo` |
| DEADLINE_EXCEEDED | 504 | whether it was done is not known; repeat it with the same `requestId` |
| UNIMPLEMENTED | 501 | part of the contract, not served yet |
| INTERNAL, UNKNOWN | 500 | a fault of the server, or an outcome that nobody knows; the request id leads to the log |

A JSON body that is too large is answered with 413 and the reason `LIMIT_EXCEEDED`.

## Reasons
"""
MESSAGE, ENUM, SERVICE, NESTED, ENUM_IN_MESSAGE, FIELD, VALUE = 4, 5, 6, 3, 4, 2, 2
"""Field numbers in descriptors, of which the paths of comments are made."""
SCALARS: Final = {
    number: name.removeprefix("TYPE_").lower()
    for name, number in descriptor_pb2.FieldDescriptorProto.Type.items()
}


def cell(text: str) -> str:
    """A text as it stands in a table."""
    return " ".join(text.replace("|", "\\|").split())


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; empty without rows."""
    lines = [f"| {' | '.join(cell(one) for one in row)} |" for row in rows]
    names = list(head)
    top = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    return "\n".join([*top, *lines]) + "\n\n" if lines else ""


def anchor(name: str) -> str:
    """A heading's anchor."""
    return re.sub(r"[^a-z0-9_-]", "", name.lower())


class Rest:
    """The REST page.

    Args:
        tree: The OpenAPI document.
    """

    def __init__(self, tree: dict[str, Any]) -> None:
        self.tree = tree
        self.schemas: dict[str, Any] = tree["components"]["schemas"]

    def page(self) -> str:
        """The whole page."""
        parts = [MADE, REST_HEAD]
        for tag in self.tree["tags"]:
            parts.append(f"\n## {tag['name']}\n\n{tag['description']}\n\n")
            parts.extend(self._operations(tag["name"]))
        parts.append("\n## Messages\n\n")
        parts.extend(self._schema(name) for name in sorted(self.schemas))
        return "".join(parts).rstrip() + "\n"

    def _operations(self, tag: str) -> Iterator[str]:
        for path, item in self.tree["paths"].items():
            for verb, operation in item.items():
                if tag in operation["tags"]:
                    yield self._operation(verb, path, operation)

    def _operation(self, verb: str, path: str, operation: dict[str, Any]) -> str:
        title = operation["operationId"].partition("_")[2]
        parts = [f"### {title}\n\n`{verb.upper()} {path}`\n\n{operation['description']}\n\n"]
        rows = [
            (f"`{one['name']}`", one["in"], self._type(one["schema"]), one.get("description", ""))
            for one in operation.get("parameters", [])
        ]
        parts.append(table(("parameter", "in", "type", "meaning"), rows))
        if "requestBody" in operation:
            parts.append(f"Body: {self._media(operation['requestBody']['content'])}.\n\n")
        answers = [
            self._answer(code, one) for code, one in operation["responses"].items() if code != "default"
        ]
        parts.append(f"Answers {' or '.join(answers)}.\n\n")
        return "".join(parts)

    def _answer(self, code: str, answer: dict[str, Any]) -> str:
        return f"{code}: {self._media(answer['content'])}" if "content" in answer else code

    def _media(self, content: dict[str, Any]) -> str:
        return " or ".join(
            self._type(one["schema"]) + ("" if kind == "application/json" else f" (`{kind}`)")
            for kind, one in content.items()
        )

    def _schema(self, name: str) -> str:
        schema = self.schemas[name]
        rows = [
            (f"`{field}`", self._type(one), self._remarks(schema, field, one) + one.get("description", ""))
            for field, one in schema.get("properties", {}).items()
        ]
        choices = "".join(
            f"At most one of {', '.join(f'`{one}`' for one in group)}.\n\n"
            for group in schema.get("x-one-of", [])
        )
        text = schema.get("description", "")
        return f"### {name}\n\n{text}\n\n{choices}" + table(("field", "type", "meaning"), rows)

    def _remarks(self, schema: dict[str, Any], field: str, one: dict[str, Any]) -> str:
        words = [
            *(["required"] if field in schema.get("required", []) else []),
            *(["read only"] if one.get("readOnly") else []),
            *(["write only"] if one.get("writeOnly") else []),
        ]
        return f"*{', '.join(words)}.* " if words else ""

    def _type(self, schema: dict[str, Any]) -> str:
        if "allOf" in schema:
            return self._type(schema["allOf"][0])
        if "anyOf" in schema:
            return " or ".join(self._type(one) for one in schema["anyOf"])
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return f"[{name}](#{anchor(name)})"
        if schema.get("type") == "array":
            return f"list of {self._type(schema['items'])}"
        if "enum" in schema:
            return ", ".join(f"`{one}`" for one in schema["enum"] if not one.endswith("_UNSPECIFIED"))
        if schema.get("pattern", "").endswith("s$"):
            return "duration"
        if isinstance(schema.get("additionalProperties"), dict):
            return f"map to {self._type(schema['additionalProperties'])}"
        return (
            f"{schema.get('type', 'any')} ({schema['format']})"
            if "format" in schema
            else schema.get("type", "any")
        )


class Comments:
    """The comments of one file by path in its descriptor."""

    def __init__(self, file: descriptor_pb2.FileDescriptorProto) -> None:
        self._texts = {tuple(one.path): one.leading_comments for one in file.source_code_info.location}

    def of(self, *path: int) -> str:
        """The comment with its own line breaks, without the margin."""
        lines = self._texts.get(path, "").splitlines()
        return "\n".join(line.removeprefix(" ") for line in lines).strip()


class Grpc:
    """The gRPC page.

    Args:
        contract: The descriptors, with comments.
        calls: The clients' rules by service and method.
    """

    def __init__(self, contract: Contract, calls: dict[str, Any]) -> None:
        self.contract, self.calls = contract, calls
        self.paths = {(rpc.service, rpc.name): f"{rpc.verb.upper()} {rpc.path}" for rpc in contract.rpcs()}

    def page(self) -> str:
        """The whole page."""
        parts = [MADE, GRPC_HEAD]
        for file in self.contract.files:
            comments = Comments(file)
            for index, service in enumerate(file.service):
                parts.append(f"\n## {service.name}\n\n{comments.of(SERVICE, index)}\n\n")
                parts.extend(self._methods(service, index, comments))
        parts.append("\n## Messages\n\n")
        for file in self.contract.files:
            comments = Comments(file)
            for index, message in enumerate(file.message_type):
                parts.extend(self._message(message, "", (MESSAGE, index), comments))
        parts.append("Every value of `ErrorReason` is in [errors.md](errors.md).\n")
        return "".join(parts)

    def _methods(
        self, service: descriptor_pb2.ServiceDescriptorProto, index: int, comments: Comments
    ) -> Iterator[str]:
        for number, method in enumerate(service.method):
            request, response = (self._link(one) for one in (method.input_type, method.output_type))
            sides = (
                ("stream of " if method.client_streaming else ""),
                ("stream of " if method.server_streaming else ""),
            )
            rule = self.calls[service.name][method.name]
            seconds = f"{rule['seconds']} s" if rule["seconds"] else "none"
            repeat = rule["repeat"].lower().replace("_", " ")
            yield (
                f"### {method.name}\n\n{comments.of(SERVICE, index, 2, number)}\n\n"
                f"Takes {sides[0]}{request}, answers {sides[1]}{response}. Deadline: {seconds}. Repeated: {repeat}."
                f" REST: `{self.paths[service.name, method.name]}`\n\n"
            )

    def _message(
        self, message: descriptor_pb2.DescriptorProto, scope: str, path: tuple[int, ...], comments: Comments
    ) -> Iterator[str]:
        if message.options.map_entry:
            return
        name = f"{scope}{message.name}"
        rows = [
            (
                f"`{field.name}`",
                self._type(message, field),
                f"{field.number}",
                comments.of(*path, FIELD, index),
            )
            for index, field in enumerate(message.field)
        ]
        yield f"### {name}\n\n{comments.of(*path)}\n\n{table(('field', 'type', 'number', 'meaning'), rows)}"
        for index, enum in enumerate(message.enum_type):
            yield self._enum(enum, f"{name}.", (*path, ENUM_IN_MESSAGE, index), comments)
        for index, nested in enumerate(message.nested_type):
            yield from self._message(nested, f"{name}.", (*path, NESTED, index), comments)

    def _enum(
        self, enum: descriptor_pb2.EnumDescriptorProto, scope: str, path: tuple[int, ...], comments: Comments
    ) -> str:
        rows = [
            (f"`{value.name}`", f"{value.number}", comments.of(*path, VALUE, index))
            for index, value in enumerate(enum.value)
        ]
        return (
            f"### {scope}{enum.name}\n\n{comments.of(*path)}\n\n{table(('value', 'number', 'meaning'), rows)}"
        )

    def _type(
        self, message: descriptor_pb2.DescriptorProto, field: descriptor_pb2.FieldDescriptorProto
    ) -> str:
        entry = next((one for one in message.nested_type if field.type_name.endswith(f".{one.name}")), None)
        if entry is not None and entry.options.map_entry:
            return f"map from {self._one(entry.field[0])} to {self._one(entry.field[1])}"
        few = "repeated " if field.label == field.LABEL_REPEATED else ""
        return few + self._one(field)

    def _one(self, field: descriptor_pb2.FieldDescriptorProto) -> str:
        return self._link(field.type_name) if field.type_name else SCALARS[field.type]

    def _link(self, type_name: str) -> str:
        own = f".{PACKAGE}."
        if not type_name.startswith(own):
            return f"`{type_name.lstrip('.')}`"
        name = type_name.removeprefix(own)
        return "[ErrorReason](errors.md#reasons)" if name == "ErrorReason" else f"[{name}](#{anchor(name)})"


def errors_page(contract: Contract, codes: dict[str, str]) -> str:
    """The page of reasons.

    Args:
        contract: The descriptors, with comments.
        codes: The gRPC code of each reason, as the server sends it.
    """
    parts = [MADE, ERRORS_HEAD]
    file = next(one for one in contract.files if one.name.endswith("error_reason.proto"))
    comments = Comments(file)
    for index, value in enumerate(file.enum_type[0].value):
        if not value.number:
            continue
        text, _, example = comments.of(ENUM, 0, VALUE, index).partition("\n\n")
        code = codes.get(value.name)
        told = f"{code}, over REST {HTTP_STATUS[code]}" if code else "not sent by this version"
        sentence = re.sub(r"\s*Code [A-Z_]+\.$", "", " ".join(text.split()))
        shown = "\n".join(line.removeprefix("    ") for line in example.splitlines()).strip()
        parts.append(f"\n### {value.name}\n\n{sentence} ({told})\n")
        parts.append(f"\n```json\n{shown}\n```\n" if shown else "")
    return "".join(parts)


def codes_of(root: Path) -> dict[str, str]:
    """The server's table of codes."""
    sys.path[:0] = [str(root / "server"), str(root / "clients/python/src")]
    from postroom_server.services.errors import CODES

    return {reason: code.name for reason, code in CODES.items()}


def main() -> None:
    """Reads the options and writes the pages."""
    parser = argparse.ArgumentParser(description="Writes the reference pages.")
    parser.add_argument("--root", type=Path, required=True, help="the tree to read and to write")
    parser.add_argument(
        "--image", type=Path, required=True, help="the contract as buf builds it, with comments"
    )
    options = parser.parse_args()
    folder = options.root / "docs/reference"
    contract = Contract(options.image)
    document = yaml.safe_load((folder / "openapi.yaml").read_text(encoding="utf-8"))
    calls = yaml.safe_load((options.root / "clients/calls.yaml").read_text(encoding="utf-8"))
    pages = {
        "rest.md": Rest(document).page(),
        "grpc.md": Grpc(contract, calls).page(),
        "errors.md": errors_page(contract, codes_of(options.root)),
    }
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
