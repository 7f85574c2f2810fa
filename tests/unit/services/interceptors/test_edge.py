"""Queries against the HTTP rules of the contract: what is bound elsewhere is refused in every spelling, the rest passes."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from google.api import annotations_pb2
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from hypothesis import given, settings
from hypothesis import strategies as st
from postroom_server.errors import RequestInvalid
from postroom_server.services.contract import services
from postroom_server.services.interceptors.edge import _Method

SPELLINGS = 20
"""Of each key."""
METHODS = {method.full_name: method for service in services() for method in service.methods}


def rule_of(method: MethodDescriptor):
    return method.GetOptions().Extensions[annotations_pb2.http]


def template_of(method: MethodDescriptor) -> str:
    return getattr(rule_of(method), rule_of(method).WhichOneof("pattern"))


def path_of(method: MethodDescriptor) -> str:
    """A path of the method, `x` for each id."""
    return re.sub(r"{[^=]+=([^}]+)}", lambda found: found[1].replace("*", "x"), template_of(method))


def bound_by(method: MethodDescriptor) -> list[str]:
    """Fields that path or body bind; `*` as body binds all."""
    return re.findall(r"{([^=}]+)", template_of(method)) + [
        one for one in [rule_of(method).body] if one != "*" and one
    ]


def request_of(method: MethodDescriptor):
    """The request that the method's path alone makes."""
    request = message_factory.GetMessageClass(method.input_type)()
    for variable, shape in re.findall(r"{([^=]+)=([^}]+)}", template_of(method)):
        *parents, last = variable.split(".")
        target = request
        for name in parents:
            target = getattr(target, name)
        setattr(target, last, shape.replace("*", "x"))
    return request


def camel(name: str) -> str:
    return re.sub(r"_(.)", lambda found: found[1].upper(), name)


@st.composite
def spellings(draw, key: str) -> str:
    """A way to write a query key: camel or snake, each character plain or as an escape of either case."""
    written = draw(st.sampled_from([key, camel(key)]))
    escape = draw(st.lists(st.sampled_from(["", "x", "X"]), min_size=len(written), max_size=len(written)))
    return "".join(f"%{ord(one):02{how}}" if how else one for one, how in zip(written, escape, strict=True))


BOUND = [(name, field) for name, method in METHODS.items() for field in bound_by(method)]


@pytest.mark.parametrize(("name", "field"), BOUND, ids=[f"{name}-{field}" for name, field in BOUND])
def test_a_key_that_is_bound_elsewhere_is_refused_in_every_spelling(name, field):
    method = _Method(METHODS[name])
    path = path_of(METHODS[name])

    @settings(max_examples=SPELLINGS, deadline=None)
    @given(
        spellings(field),
        st.sampled_from(["", "=", "=accounts/b", "=%61"]),
        st.sampled_from(["", "a=b&", "&"]),
    )
    def check(key, value, before):
        with pytest.raises(RequestInvalid):
            method.checked(f"{path}?{before}{key}{value}")

    check()


def free() -> Iterator[tuple[str, str]]:
    for name, method in METHODS.items():
        taken = {one.partition(".")[0] for one in bound_by(method)}
        if rule_of(method).body != "*":
            yield from (
                (name, field.json_name) for field in method.input_type.fields if field.name not in taken
            )


FREE = list(free())


@pytest.mark.parametrize(("name", "key"), FREE, ids=[f"{name}-{key}" for name, key in FREE])
def test_a_key_of_a_free_field_passes(name, key):
    method = METHODS[name]

    _Method(method).checked(f"{path_of(method)}?{key}=1")(request_of(method))


@pytest.mark.parametrize("name", METHODS)
def test_the_path_alone_is_what_the_request_says(name):
    method = METHODS[name]

    _Method(method).checked(path_of(method))(request_of(method))


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if "{" in template_of(method)])
def test_another_resource_than_the_path_s_is_refused(name):
    """Whatever the way by which it came into the request."""
    method = METHODS[name]
    request = request_of(method)
    *parents, last = re.findall(r"{([^=]+)=", template_of(method))[0].split(".")
    target = request
    for parent in parents:
        target = getattr(target, parent)
    setattr(target, last, "accounts/other")

    with pytest.raises(RequestInvalid, match="bound by the path"):
        _Method(method).checked(path_of(method))(request)


@given(st.text(alphabet="/x:{}*.%2e?&=-", max_size=30))
def test_any_path_is_one_of_the_method_or_refused(path):
    """Nothing but RequestInvalid comes out."""
    method = METHODS["postroom.v1.MailboxService.DeleteMailbox"]
    try:
        _Method(method).checked(path)(request_of(method))
    except RequestInvalid:
        return
    assert path.rstrip("/").partition("?")[0] == path_of(method)
