"""The OpenAPI document as something to hold real requests and answers against.

It owns the document's operations and the check of a request or an answer. Messages are closed here: an answer with a field
that the document does not name is a failure, although clients are told to bear it.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from openapi_schema_validator import OAS30Validator, OAS30WriteValidator

from tests.fixtures.rest import Reply, Rest

PATH: Final = Path(__file__).resolve().parents[2] / "docs/reference/openapi.yaml"
DOCUMENT: Final[dict[str, Any]] = yaml.load(PATH.read_text(), yaml.CSafeLoader)
JSON: Final = "application/json"
SECRET: Final = "is write only and not empty"
PARAMETER: Final = re.compile(r"\{\w+\}")


def _closed(node: Any) -> Any:
    """The same, with no room for fields that are not named."""
    if isinstance(node, list):
        return [_closed(one) for one in node]
    if not isinstance(node, dict):
        return node
    found = {key: _closed(value) for key, value in node.items()}
    if node.get("type") == "object" and "additionalProperties" not in node:
        found["additionalProperties"] = False
    return found


COMPONENTS: Final = _closed(copy.deepcopy(DOCUMENT["components"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of the document."""

    verb: str
    path: str
    tree: dict[str, Any]

    @property
    def ident(self) -> str:
        return str(self.tree["operationId"])

    @property
    def served(self) -> bool:
        return bool(self.tree["x-served"])

    @property
    def body(self) -> dict[str, Any] | None:
        """The schema of a JSON body; None where there is no body, or a file."""
        found: dict[str, Any] | None = (
            self.tree.get("requestBody", {}).get("content", {}).get(JSON, {}).get("schema")
        )
        return found

    @property
    def sends_file(self) -> bool:
        return "requestBody" in self.tree and self.body is None

    def matches(self, verb: str, path: str) -> bool:
        pattern = "[^/:]+".join(map(re.escape, PARAMETER.split(self.path)))
        return verb == self.verb and re.fullmatch(pattern, path.partition("?")[0]) is not None

    def answer(self, status: int) -> tuple[str, dict[str, Any]]:
        """Media type and schema of the answer with this status; no schema where there is no body."""
        found = self.tree["responses"].get(str(status))
        if found is None:
            assert status >= 400, f"{self.ident} does not answer {status} by the document"
            found = DOCUMENT["components"]["responses"]["Error"]
        media, content = next(iter(found.get("content", {}).items()), ("", {}))
        return media, content.get("schema", {})


def operations() -> Iterator[Operation]:
    """Every operation of the document."""
    for path, item in DOCUMENT["paths"].items():
        for verb, tree in item.items():
            yield Operation(verb=verb.upper(), path=path, tree=tree)


OPERATIONS: Final = tuple(operations())


def check(instance: Any, schema: dict[str, Any], where: str, *, sent: bool = False) -> None:
    """Fails with every fault of an instance.

    Args:
        sent: Whether it is a request, which may not set what is read only.
    """
    validator = (OAS30WriteValidator if sent else OAS30Validator)({**schema, "components": COMPONENTS})
    faults = [f"{fault.json_path}: {fault.message[:300]}" for fault in validator.iter_errors(instance)]
    faults += [one for one in _further(instance, schema) if not (sent and one.endswith(SECRET))]
    assert not faults, f"{where} is not as docs/reference/openapi.yaml says:\n" + "\n".join(faults)


def _further(instance: Any, schema: Any) -> Iterator[str]:
    """Oneofs of which more than one field is there, and secrets that are not empty."""
    schema = schema.get("allOf", [schema])[0]
    if "$ref" in schema:
        schema = COMPONENTS["schemas"][schema["$ref"].rpartition("/")[2]]
    if isinstance(instance, list):
        for one in instance:
            yield from _further(one, schema.get("items", {}))
    if isinstance(instance, dict):
        for group in schema.get("x-one-of", []):
            there = [name for name in group if name in instance]
            if len(there) > 1:
                yield f"of {group} there is more than one: {there}"
        for name, value in instance.items():
            field_schema = schema.get("properties", {}).get(name, {})
            if field_schema.get("writeOnly") and value:
                yield f"{name} {SECRET}"
            yield from _further(value, field_schema)


@dataclass(slots=True)
class Checked:
    """REST calls whose requests and answers are held against the document.

    Attributes:
        done: The operations that answered 2xx.
    """

    rest: Rest
    done: set[str] = field(default_factory=set)

    async def call(self, verb: str, path: str, body: Any = None, **options: Any) -> Reply:
        """One call. Parameters of the query have to be in the document as well."""
        operation = next((one for one in OPERATIONS if one.matches(verb, path)), None)
        assert operation is not None, f"{verb} {path} is not in the document"
        known = {one["name"] for one in operation.tree.get("parameters", []) if one["in"] == "query"}
        asked = {one.partition("=")[0] for one in path.partition("?")[2].split("&") if one}
        assert asked <= known, f"{operation.ident} has no parameters {asked - known}"
        if body is not None:
            assert operation.body is not None, f"{operation.ident} takes no JSON"
            check(body, operation.body, f"the request of {operation.ident}", sent=True)
        reply = await self.rest.call(verb, path, body, **options)
        self._check_answer(operation, reply)
        if reply.status < 300:
            self.done.add(operation.ident)
        return reply

    def _check_answer(self, operation: Operation, reply: Reply) -> None:
        media, schema = operation.answer(reply.status)
        if media == JSON:
            assert reply.headers["content-type"] == JSON
            check(reply.json, schema, f"the {reply.status} of {operation.ident}")

    async def get(self, path: str) -> Any:
        return (await self.call("GET", path)).ok()

    async def post(self, path: str, body: Any) -> Any:
        return (await self.call("POST", path, body)).ok()
