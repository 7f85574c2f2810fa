"""Strict JSON bodies, held against protobuf's own strict parser."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest
from google.api import annotations_pb2, http_pb2
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, json_format, message_factory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from postroom.v1 import account_service_pb2, search_pb2, submission_service_pb2
from postroom_server.errors import RequestInvalid
from postroom_server.services.contract import services
from postroom_server.services.strict_json import MAX_DEPTH, MAX_SHOWN_PATH, StrictJson

CASES = 2_000
REQUESTS = {
    "/postroom.v1.SubmissionService/SubmitMessage": submission_service_pb2.SubmitMessageRequest,
    "/postroom.v1.MessageService/SearchMessages": search_pb2.SearchMessagesRequest,
    "/postroom.v1.AccountService/CreateAccount": account_service_pb2.CreateAccountRequest,
}
SUBMIT = next(iter(REQUESTS))
STRICT = StrictJson(services())
OURS_TO_REFUSE = ("no field named", "duplicate key", "multiple", "oneof", "null")
"""What of the other parser's complaints is about shape; values are the transcoder's to judge."""


class Pairs(list):
    """An object as it is written: keys may come twice."""


def written(value: object) -> str:
    """JSON text of a document with `Pairs` for objects."""
    if isinstance(value, Pairs):
        return "{" + ",".join(f"{json.dumps(key)}:{written(one)}" for key, one in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value)


SCALARS = {
    "string": st.text(max_size=4),
    "bytes": st.binary(max_size=4).map(lambda raw: base64.b64encode(raw).decode()),
    "bool": st.booleans(),
    "double": st.floats(allow_nan=False, allow_infinity=False, width=16),
    "number": st.integers(0, 9),
}
JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-9, 99), st.text(max_size=3), st.just([]), st.just(Pairs())
)
ANY_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(st.text(max_size=3), inner, max_size=2).map(lambda made: Pairs(made.items())),
    ),
    max_leaves=4,
)
WELL_KNOWN = {
    "google.protobuf.Timestamp": st.just("2026-11-22T10:00:00Z"),
    "google.protobuf.Duration": st.just("25s"),
    "google.protobuf.FieldMask": st.just("displayName"),
    "google.protobuf.Struct": st.dictionaries(st.text(max_size=3), ANY_JSON, max_size=2).map(
        lambda made: Pairs(made.items())
    ),
    "google.protobuf.Value": ANY_JSON,
}


def leaf(draw, field, depth: int, spoilt: bool) -> object:
    """A value of the field's type, rarely a wrong one."""
    if spoilt and draw(st.integers(0, 9)) == 0:
        return draw(JUNK)
    if field.enum_type is not None:
        return draw(st.sampled_from([one.name for one in field.enum_type.values]))
    if field.message_type is not None:
        known = WELL_KNOWN.get(field.message_type.full_name)
        return draw(known) if known is not None else document(draw, field.message_type, depth + 1, spoilt)
    kinds = {
        field.TYPE_STRING: "string",
        field.TYPE_BYTES: "bytes",
        field.TYPE_BOOL: "bool",
        field.TYPE_DOUBLE: "double",
    }
    return draw(SCALARS[kinds.get(field.type, "number")])


def document(draw, message, depth: int, spoilt: bool) -> Pairs:
    """A document of a message type; a spoilt one may hold anything, a sound one is what protobuf describes."""
    made = Pairs()
    taken: set[str] = set()
    fields = (
        draw(st.lists(st.sampled_from(list(message.fields)), max_size=3, unique_by=lambda one: one.name))
        if depth < 4 and message.fields
        else []
    )
    for field in fields:
        group = field.containing_oneof.name if field.containing_oneof else field.name
        if group in taken and not spoilt:
            continue
        taken.add(group)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            inner = field.message_type.fields_by_name["value"]
            keys = draw(st.lists(st.text(max_size=3), max_size=2, unique=True))
            value = Pairs((key, leaf(draw, inner, depth, spoilt)) for key in keys)
        elif field.is_repeated:
            value = [leaf(draw, field, depth, spoilt) for _ in range(draw(st.integers(0, 2)))]
        else:
            value = leaf(draw, field, depth, spoilt)
        made.append((draw(st.sampled_from([field.json_name, field.name])), value))
    if spoilt and message.fields and draw(st.integers(0, 3)) == 0:
        names = [one.json_name for one in message.fields]
        key = draw(
            st.one_of(st.text(max_size=5), st.sampled_from(names), st.sampled_from(names).map(str.title))
        )
        made.insert(draw(st.integers(0, len(made))), (key, draw(JUNK)))
    return made


@st.composite
def requests(draw, *, spoilt: bool) -> tuple[str, str]:
    """(method, body)."""
    method = draw(st.sampled_from(sorted(REQUESTS)))
    return method, written(document(draw, REQUESTS[method].DESCRIPTOR, 0, spoilt))


def refused(method: str, body: str | bytes) -> RequestInvalid | None:
    try:
        STRICT.check(method, body if isinstance(body, bytes) else body.encode())
    except RequestInvalid as error:
        return error
    return None


@settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(requests(spoilt=True))
def test_what_protobuf_refuses_for_its_shape_is_refused(case):
    """Every body that `json_format` refuses for an unknown or repeated field is refused here too."""
    method, body = case
    complaint = ""
    try:
        json_format.Parse(body, REQUESTS[method](), ignore_unknown_fields=False)
    except json_format.ParseError as error:
        complaint = str(error)

    if any(words in complaint.lower() for words in OURS_TO_REFUSE):
        assert refused(method, body) is not None, complaint


@settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(requests(spoilt=False))
def test_what_protobuf_describes_is_accepted(case):
    method, body = case
    json_format.Parse(body, REQUESTS[method](), ignore_unknown_fields=False)

    assert refused(method, body) is None


@settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=60))
def test_any_bytes_are_accepted_or_refused(raw):
    """Nothing but RequestInvalid comes out, whatever goes in."""
    error = refused(SUBMIT, raw)
    assert error is None or str(error)


def nested(levels: int) -> str:
    return '{"filter":' + '{"filters":[' * levels + "{}" + "]}" * levels + "}"


def test_depth_is_bounded():
    search = "/postroom.v1.MessageService/SearchMessages"

    assert refused(search, nested(MAX_DEPTH - 2)) is None
    assert "nested deeper" in str(refused(search, nested(MAX_DEPTH)))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"submission":{"template":{"params":{"a":' + "[" * 60 + "]" * 60 + "}}}}",
    ],
)
def test_very_deep_text_is_refused(text):
    assert refused(SUBMIT, text) is not None


def test_a_long_path_is_shown_in_part():
    error = refused(
        SUBMIT, json.dumps({"submission": {"template": {"params": {"k" * 9_000: [[[{}]]]}}}, "x" * 9_000: 1})
    )

    assert error is not None
    assert len(error.violations[0][0]) <= MAX_SHOWN_PATH


def test_every_method_with_a_json_body_has_a_table():
    """And none other: an upload's body is no JSON."""

    def bodies() -> Iterator[str]:
        for service in services():
            for method in service.methods:
                if method.GetOptions().Extensions[annotations_pb2.http].body not in {"", "content"}:
                    yield f"/{service.full_name}/{method.name}"

    methods = [f"/{service.full_name}/{method.name}" for service in services() for method in service.methods]
    assert [one for one in methods if STRICT.has_body(one)] == list(bodies())


def test_a_type_whose_json_cannot_be_checked_is_refused_at_the_start():
    """google.protobuf.Any names its type inside of itself."""
    file = descriptor_pb2.FileDescriptorProto(name="x.proto", package="x", syntax="proto3")
    file.dependency.extend([any_pb2.DESCRIPTOR.name, annotations_pb2.DESCRIPTOR.name])
    message = file.message_type.add(name="R")
    message.field.add(name="a", number=1, type=11, label=1, type_name=".google.protobuf.Any")
    method = file.service.add(name="S").method.add(name="M", input_type=".x.R", output_type=".x.R")
    method.options.Extensions[annotations_pb2.http].CopyFrom(http_pb2.HttpRule(post="/x", body="*"))
    pool = descriptor_pool.Default()
    service = pool.AddSerializedFile(file.SerializeToString()) and pool.FindServiceByName("x.S")
    message_factory.GetMessageClass(pool.FindMessageTypeByName("x.R"))

    with pytest.raises(TypeError, match=r"x\.R\.a"):
        StrictJson([service])
