"""Writes docs/reference/openapi.yaml: what protoc-gen-openapi reads from the contract, corrected where it is wrong.

Owns the corrections, one function each, named for what they put right. Refuses to describe anything that the contract or
the gateway does not do: tests/docs/test_openapi.py holds the document against a running server.

Usage: `scripts/openapi.py --root DIR --image IMAGE --drafted OPENAPI_YAML` (called by `scripts/generate`)
"""

from __future__ import annotations

import argparse
import copy
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml
from google.protobuf import descriptor_pb2
from openapi_parts import INFO, Contract, Rpc, details

TARGET: Final = "docs/reference/openapi.yaml"
HEAD: Final = "# Made by scripts/generate from proto/; not to be edited.\n"
SINGULARS: Final = {"mailboxe": "mailbox"}
"""Path parameters whose singular the generator gets wrong."""
INTEGERS: Final = {
    descriptor_pb2.FieldDescriptorProto.TYPE_INT64: "int64",
    descriptor_pb2.FieldDescriptorProto.TYPE_UINT64: "uint64",
}
VERBS: Final = ("get", "post", "patch", "delete", "put")
RANGE: Final = {
    "name": "Range",
    "in": "header",
    "description": "The bytes to send, such as `bytes=0-99`.",
    "schema": {"type": "string", "pattern": "^bytes=[0-9]*-[0-9]*$"},
}
FIRST_PIECE: Final = " First piece only."
"""What the contract says of an upload's fields and what has no meaning where the pieces are one body."""
LATER: Final = "Not served yet: answers 501 with the reason `NOT_IMPLEMENTED`."


class Document:
    """The document that is put right, in place.

    Args:
        tree: What the generator wrote.
        contract: What it read.
        live: `(service, method)` of every method that is served.
    """

    def __init__(self, tree: dict[str, Any], contract: Contract, live: set[tuple[str, str]]) -> None:
        self.tree, self.contract, self.live = tree, contract, live
        self.rpcs = {f"{rpc.service}_{rpc.name}": rpc for rpc in contract.rpcs()}

    @property
    def schemas(self) -> dict[str, Any]:
        """The schemas by name."""
        found: dict[str, Any] = self.tree["components"]["schemas"]
        return found

    def operations(self) -> Iterator[tuple[dict[str, Any], Rpc]]:
        """Every operation with its method."""
        for item in self.tree["paths"].values():
            for verb in VERBS:
                if verb in item:
                    yield item[verb], self.rpcs[item[verb]["operationId"]]

    def name_and_secure(self) -> None:
        """The title, and the bearer token that every call but the health probe needs."""
        tags = self.tree.get("tags", [])
        rest = {key: self.tree[key] for key in ("paths", "components")}
        self.tree.clear()
        self.tree.update(openapi="3.0.3", info=INFO, servers=[{"url": "http://127.0.0.1:8080"}])
        self.tree.update(security=[{"token": []}], tags=tags, **rest)
        self.tree["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}

    def name_path_parameters(self) -> None:
        """Singulars that the generator gets wrong: `{mailboxe}`."""
        for drafted in list(self.tree["paths"]):
            path, item = drafted, self.tree["paths"].pop(drafted)
            for wrong, right in SINGULARS.items():
                path = drafted.replace(f"{{{wrong}}}", f"{{{right}}}")
                for parameter in [one for verb in VERBS for one in item.get(verb, {}).get("parameters", [])]:
                    if parameter["name"] == wrong and parameter["in"] == "path":
                        parameter.update(name=right, description=f"The {right} id.")
            self.tree["paths"][path] = item

    def leave_path_fields_out_of_bodies(self) -> None:
        """What the path says is not said again: the generator lists `name` and `parent` in bodies, and as required."""
        for rpc in self.rpcs.values():
            schema = self.schemas.get(rpc.request.name)
            for name in rpc.bound if schema and rpc.body == "*" else ():
                field = _json_name(rpc.request, name)
                schema["properties"].pop(field, None)
                schema["required"] = [one for one in schema.get("required", []) if one != field]
        for schema in self.schemas.values():
            if schema.get("required") == []:
                del schema["required"]

    def allow_partial_updates(self) -> None:
        """A PATCH names what it changes: nothing in its body is required, at any depth."""
        for operation, rpc in self.operations():
            if rpc.verb == "patch":
                media = operation["requestBody"]["content"]["application/json"]
                media["schema"] = self._relaxed(media["schema"])

    def _relaxed(self, node: Any) -> Any:
        """The schema without `required`, in copies of those that it leads to."""
        if isinstance(node, list):
            return [self._relaxed(one) for one in node]
        if not isinstance(node, dict):
            return node
        if "$ref" not in node:
            return {key: self._relaxed(value) for key, value in node.items() if key != "required"}
        name = node["$ref"].rpartition("/")[2]
        if not self._requires(name, set()):
            return node
        patch = f"{name}Patch"
        if patch not in self.schemas:
            self.schemas[patch] = {}
            self.schemas[patch] = self._relaxed(copy.deepcopy(self.schemas[name]))
        return {"$ref": f"#/components/schemas/{patch}"}

    def _requires(self, name: str, seen: set[str]) -> bool:
        """Tells whether a schema, or one that it leads to, requires anything."""
        seen.add(name)
        schema = self.schemas[name]
        return "required" in schema or any(
            self._requires(one, seen) for one in _references(schema) if one not in seen
        )

    def carry_files_as_they_are(self) -> None:
        """`google.api.HttpBody` is the body itself, in both directions; a download knows ranges."""
        for operation, rpc in self.operations():
            binary = {"schema": {"type": "string", "format": "binary"}}
            if rpc.sends_file():
                operation["requestBody"] = {"required": True, "content": {"message/rfc822": binary}}
                operation["parameters"] = [
                    one for one in operation["parameters"] if not one["name"].startswith(f"{rpc.body}.")
                ]
                for parameter in operation["parameters"]:
                    parameter["description"] = parameter["description"].replace(FIRST_PIECE, "")
            if rpc.answers_file():
                media = "message/rfc822" if rpc.name == "GetMessageSource" else "*/*"
                whole = {"description": "The file.", "content": {media: binary}}
                operation["responses"]["200"] = whole
                if any(field.name == "offset" for field in rpc.request.field):
                    operation["responses"]["206"] = {
                        **whole,
                        "description": "The range that `Range` asks for.",
                    }
                    operation["parameters"].append(RANGE)

    def stream_frames(self) -> None:
        """A watch answers frame after frame: a JSON object a line, or Server-Sent Events."""
        operation = self.tree["paths"]["/v1/accounts/{account}/changes:watch"]["get"]
        frame = {"$ref": "#/components/schemas/WatchChangesResponse"}
        operation["responses"]["200"] = {
            "description": (
                "Frames, each one `WatchChangesResponse`: a line each, or after `data: ` when the request accepts"
                " `text/event-stream`. The stream is open until either side ends it."
            ),
            "content": {
                "application/json": {"schema": frame},
                "text/event-stream": {"schema": {"type": "string"}},
            },
        }

    def say_how_calls_fail(self) -> None:
        """The error model: one schema for every answer that is not 2xx, with its details typed."""
        answer = {
            "description": "The call was refused.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
        self.tree["components"]["responses"] = {"Error": answer}
        for operation, _ in self.operations():
            operation["responses"]["default"] = {"$ref": "#/components/responses/Error"}
        self.schemas.update(details(self.contract.reasons()))
        for node in _nodes(self.tree):
            if node.get("$ref") == "#/components/schemas/Status":
                node["$ref"] = "#/components/schemas/Error"

    def mark_what_is_served(self) -> None:
        """`x-served` on every operation; what is not served says so."""
        for operation, rpc in self.operations():
            operation["x-served"] = (rpc.service, rpc.name) in self.live
            if not operation["x-served"]:
                operation["description"] += f"\n\n{LATER}"

    def name_one_of(self) -> None:
        """The oneofs, which the generator drops: `x-one-of` lists the fields of which at most one is set."""
        for name, message in self.contract.messages.items():
            groups: dict[int, list[str]] = {}
            for field in message.field:
                if field.HasField("oneof_index") and not field.proto3_optional:
                    groups.setdefault(field.oneof_index, []).append(field.json_name)
            for schema in filter(None, (self.schemas.get(name), self.schemas.get(f"{name}Patch"))):
                kept = [[one for one in group if one in schema["properties"]] for group in groups.values()]
                if choices := [group for group in kept if len(group) > 1]:
                    schema["x-one-of"] = choices

    def spell_types_as_openapi_does(self) -> None:
        """`byte` for base64, and the width of 64-bit numbers, which are strings."""
        for name, message in self.contract.messages.items():
            for schema in filter(None, (self.schemas.get(name), self.schemas.get(f"{name}Patch"))):
                for field in message.field:
                    found = schema["properties"].get(field.json_name, {}) if "properties" in schema else {}
                    target = found.get("items", found)
                    if field.type in INTEGERS and target.get("type") == "string":
                        target["format"] = INTEGERS[field.type]
                    if target.get("format") == "bytes":
                        target["format"] = "byte"

    def mend_descriptions(self) -> None:
        """Paragraphs on one line each, and fields as JSON spells them."""
        names = self.contract.json_names()
        for node in _nodes(self.tree):
            text = node.get("description")
            if isinstance(text, str):
                node["description"] = _mended(text, names)
            schema = node.get("schema")
            if "in" in node and isinstance(schema, dict):
                schema.pop("description", None)

    def add_health(self) -> None:
        """The probe that needs no token."""
        answers = {
            "200": {"description": "A node is ready."},
            "default": {"$ref": "#/components/responses/Error"},
        }
        self.tree["paths"]["/healthz"] = {
            "get": {
                "tags": ["Health"],
                "operationId": "Health_Check",
                "description": "Tells whether a node is ready to answer calls.",
                "security": [],
                "responses": answers,
                "x-served": True,
            }
        }

    def drop_what_nothing_uses(self) -> None:
        """Schemas that no operation leads to."""
        wanted: set[str] = set()
        waiting = _references(self.tree["paths"]) | _references(self.tree["components"]["responses"])
        while waiting:
            wanted |= waiting
            waiting = {one for name in waiting for one in _references(self.schemas[name])} - wanted
        for name in self.schemas.keys() - wanted:
            del self.schemas[name]

    def correct(self) -> None:
        """Applies every correction."""
        self.name_path_parameters()
        self.leave_path_fields_out_of_bodies()
        self.allow_partial_updates()
        self.carry_files_as_they_are()
        self.stream_frames()
        self.say_how_calls_fail()
        self.mark_what_is_served()
        self.name_one_of()
        self.spell_types_as_openapi_does()
        self.name_and_secure()
        self.mend_descriptions()
        self.add_health()
        self.drop_what_nothing_uses()


def _json_name(message: descriptor_pb2.DescriptorProto, path: str) -> str:
    first = path.partition(".")[0]
    return next(field.json_name for field in message.field if field.name == first)


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _nodes(value)
    elif isinstance(node, list):
        for value in node:
            yield from _nodes(value)


def _references(node: Any) -> set[str]:
    found = (one.get("$ref") for one in _nodes(node))
    return {
        ref.rpartition("/")[2]
        for ref in found
        if isinstance(ref, str) and ref.startswith("#/components/schemas/")
    }


def _mended(text: str, names: dict[str, str]) -> str:
    paragraphs = [" ".join(one.split()) for one in re.split(r"\n\s*\n", text)]
    whole = "\n\n".join(paragraphs)
    return re.sub(
        r"`([A-Za-z]+\.)?([a-z]+(?:_[a-z]+)+)`", lambda m: f"`{m[1] or ''}{names.get(m[2], m[2])}`", whole
    )


def live_methods(root: Path) -> set[tuple[str, str]]:
    """What the server serves, by the same rule as docs/status.md."""
    sys.path[:0] = [str(root / "server"), str(root / "clients/python/src"), str(root / "scripts")]
    import status

    found: set[tuple[str, str]] = status.live_methods(status.stubs())
    return found


def main() -> None:
    """Reads the options and writes the document."""
    parser = argparse.ArgumentParser(description=f"Writes {TARGET}.")
    parser.add_argument("--root", type=Path, required=True, help="the tree to write to")
    parser.add_argument("--image", type=Path, required=True, help="the contract as buf builds it")
    parser.add_argument("--drafted", type=Path, required=True, help="what protoc-gen-openapi wrote")
    options = parser.parse_args()
    tree = yaml.safe_load(options.drafted.read_text(encoding="utf-8"))
    document = Document(tree, Contract(options.image), live_methods(options.root))
    document.correct()
    text = yaml.safe_dump(document.tree, sort_keys=False, allow_unicode=True, width=120)
    target = options.root / TARGET
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(HEAD + text, encoding="utf-8")


if __name__ == "__main__":
    main()
