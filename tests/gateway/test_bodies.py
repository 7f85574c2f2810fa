"""JSON bodies: what the contract does not describe is refused and does nothing.

The transcoder alone drops unknown fields, takes the last of two, and reads text that is not quite JSON; each case here
was seen to pass it or to be refused by it.
"""

from __future__ import annotations

import json

import pytest

from tests.fixtures.echo_node import EchoNode
from tests.fixtures.envoy import Gateway

pytestmark = pytest.mark.asyncio(loop_scope="session")

SUBMIT = "/v1/accounts/a/submissions"
SEARCH = "/v1/accounts/a:searchMessages"
CREATE = "/v1/accounts"
DEEP = 40

REFUSED = [
    # name, path, body, the field that the error names ("" for the whole body, None where the transcoder names none)
    ("unknown", SUBMIT, '{"submision":{}}', "submision"),
    ("unknown, nested", SUBMIT, '{"submission":{"sendTme":"2026-11-22T10:00:00Z"}}', "submission.sendTme"),
    ("unknown, in a list", SUBMIT, '{"submission":{"composed":{"to":[{"address":"a"},{"adress":"b"}]}}}', "submission.composed.to[1].adress"),
    ("unknown, by its case", SUBMIT, '{"submission":{"SendTime":"2026-11-22T10:00:00Z"}}', "submission.SendTime"),
    ("unknown, empty", SUBMIT, '{"":1}', None),
    ("unknown, @type", SUBMIT, '{"@type":"x"}', "@type"),
    ("unknown, __proto__", SUBMIT, '{"__proto__":{}}', "__proto__"),
    ("unknown, in an update", "/v1/accounts/a", '{"dispName":"x"}', "dispName"),
    ("twice", SUBMIT, '{"requestId":"1","requestId":"2"}', "requestId"),
    ("twice, nested", SUBMIT, '{"submission":{"relay":"1","relay":"2"}}', "submission.relay"),
    ("twice, as two spellings", SUBMIT, '{"requestId":"1","request_id":"2"}', "requestId"),
    ("twice, as two objects", SUBMIT, '{"submission":{"relay":"1"},"submission":{"dsn":{}}}', "submission"),
    ("twice, in a map", CREATE, '{"account":{"labels":{"k":"1","k":"2"}}}', None),
    ("twice, in a struct", SUBMIT, '{"submission":{"template":{"params":{"k":1,"k":2}}}}', None),
    ("twice, by an escape", SUBMIT, '{"requestId":"1","request\\u0049d":"2"}', "requestId"),
    ("text for a bool", SUBMIT, '{"validateOnly":"yes"}', "validateOnly"),
    ("'true' for a bool", SUBMIT, '{"validateOnly":"true"}', "validateOnly"),
    ("number for a bool", SUBMIT, '{"validateOnly":1}', None),
    ("number for text", SUBMIT, '{"requestId":5}', None),
    ("text for a message", SUBMIT, '{"submission":"x"}', None),
    ("object for text", SUBMIT, '{"requestId":{}}', None),
    ("list for text", SUBMIT, '{"requestId":["a"]}', None),
    ("list for a message", SUBMIT, '{"submission":[]}', None),
    ("object for a list", SUBMIT, '{"submission":{"composed":{"to":{"address":"a"}}}}', "submission.composed.to"),
    ("null in a list", SUBMIT, '{"submission":{"composed":{"to":[null]}}}', "submission.composed.to[0]"),
    ("null in a map", CREATE, '{"account":{"labels":{"k":null}}}', "account.labels.k"),
    ("bad time", SUBMIT, '{"submission":{"sendTime":"tomorrow"}}', None),
    ("number for a time", SUBMIT, '{"submission":{"sendTime":5}}', None),
    ("bad base64", SUBMIT, '{"submission":{"raw":"***"}}', None),
    ("fraction for an int", SEARCH, '{"pageSize":1.5}', None),
    ("int32 overflow", SEARCH, '{"pageSize":99999999999}', None),
    ("int64 overflow", SEARCH, '{"filter":{"condition":{"minSize":"9223372036854775808"}}}', None),
    ("not a number", SEARCH, '{"pageSize":NaN}', None),
    ("unknown enum name", SEARCH, '{"view":"WHOLE"}', None),
    ("unknown enum number", SEARCH, '{"view":77}', "view"),
    ("unknown enum number, as text", SEARCH, '{"view":"77"}', None),
    ("enum in lower case", SEARCH, '{"view":"full"}', None),
    ("oneof twice", SUBMIT, '{"submission":{"raw":"AA==","composed":{}}}', None),
    ("null as the body", SUBMIT, "null", None),
    ("list as the body", SUBMIT, "[]", None),
    ("text as the body", SUBMIT, '"x"', None),
    ("trailing text", SUBMIT, '{"requestId":"1"}x', None),
    ("two documents", SUBMIT, '{"requestId":"1"}{"requestId":"2"}', None),
    ("trailing comma", SUBMIT, '{"requestId":"1",}', ""),
    ("comment", SUBMIT, '{"requestId":"1"/*c*/}', None),
    ("single quotes", SUBMIT, "{'requestId':'1'}", ""),
    ("key without quotes", SUBMIT, '{requestId:"1"}', ""),
    ("newline in text", SUBMIT, '{"requestId":"a\nb"}', ""),
    ("byte order mark", SUBMIT, b'\xef\xbb\xbf{"requestId":"1"}', None),
    ("not UTF-8", SUBMIT, b'{"requestId":"\xff"}', None),
    ("lone surrogate", SUBMIT, '{"requestId":"\\ud800"}', None),
    ("lone surrogate in a key", SUBMIT, '{"\\ud800":1}', None),
    ("too deep", SEARCH, '{"filter":' + '{"filters":[' * DEEP + "{}" + "]}" * DEEP + "}", None),
    ("far too deep", SUBMIT, "[" * 50_000, None),
    ("deep struct", SUBMIT, '{"submission":{"template":{"params":{"a":' + "[" * 20_000 + "]" * 20_000 + "}}}}", None),
    ("a form", SUBMIT, "requestId=1", None),
]  # fmt: skip

ACCEPTED = [
    ("nothing", SUBMIT, ""),
    ("empty", SUBMIT, "{}"),
    ("snake case", SUBMIT, '{"submission":{"send_time":"2026-11-22T10:00:00Z"}}'),
    ("null for a message", SUBMIT, '{"submission":null}'),
    ("null for text", SUBMIT, '{"requestId":null}'),
    ("null beside a oneof", SUBMIT, '{"submission":{"raw":null,"composed":{}}}'),
    (
        "any key in a struct",
        SUBMIT,
        '{"submission":{"template":{"params":{"What Ever":{"a":[1,{"b":null}]}}}}}',
    ),
    ("any key in a map", CREATE, '{"account":{"labels":{"any key":"v"}}}'),
    ("escaped key", SUBMIT, '{"request\\u0049d":"1"}'),
    ("NUL in text", SUBMIT, '{"requestId":"a\\u0000b"}'),
    ("enum number", SEARCH, '{"view":2}'),
    ("whole float for an int", SEARCH, '{"pageSize":5.0}'),
    ("the name of the path", "/v1/accounts/a", '{"name":"accounts/a","displayName":"x"}'),
]


@pytest.mark.parametrize(
    ("path", "body", "field"), [one[1:] for one in REFUSED], ids=[one[0] for one in REFUSED]
)
async def test_a_body_is_refused_and_nothing_is_done(
    echo_node: EchoNode, gateway: Gateway, path, body, field
):
    before = len(echo_node.seen)
    verb = "PATCH" if path == "/v1/accounts/a" else "POST"

    reply = await gateway.raw(verb, path, body if isinstance(body, bytes) else body.encode())

    assert reply.status == 400, (reply.body, echo_node.last.request)
    assert reply.json["code"] == 3
    assert reply.reason == "REQUEST_INVALID"
    if field is not None:
        assert reply.fields == [field], reply.body
    assert len(echo_node.seen) == before


@pytest.mark.parametrize(("path", "body"), [one[1:] for one in ACCEPTED], ids=[one[0] for one in ACCEPTED])
async def test_a_body_is_accepted(echo_node: EchoNode, gateway: Gateway, path, body):
    before = len(echo_node.seen)
    verb = "PATCH" if path == "/v1/accounts/a" else "POST"

    reply = await gateway.raw(verb, path, body.encode())

    assert reply.status == 200, reply.body
    assert len(echo_node.seen) == before + 1


async def test_an_error_says_what_was_meant(gateway: Gateway):
    reply = await gateway.raw("POST", SUBMIT, b'{"submission":{"SendTime":"2026-11-22T10:00:00Z"}}')

    assert "did you mean 'sendTime'" in reply.json["message"]


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/x-www-form-urlencoded", "text/plain", "multipart/form-data"],
)
async def test_the_content_type_changes_nothing(echo_node: EchoNode, gateway: Gateway, content_type):
    reply = await gateway.raw("POST", SUBMIT, b'{"nope":1}', {"content-type": content_type})

    assert reply.status == 400
    assert reply.fields == ["nope"]


async def test_json_as_grpc_reaches_no_method(echo_node: EchoNode, gateway: Gateway):
    before = len(echo_node.seen)

    await gateway.raw("POST", SUBMIT, b'{"nope":1}', {"content-type": "application/grpc"})

    assert len(echo_node.seen) == before


async def test_a_forged_body_header_is_not_the_body(echo_node: EchoNode, gateway: Gateway):
    """base64 of {}: with it, a caller could have another body checked than the one that is used."""
    reply = await gateway.raw("POST", SUBMIT, b'{"nope":1}', {"x-postroom-json-bin": "e30="})

    assert reply.status == 400
    assert reply.fields == ["nope"]


@pytest.mark.parametrize("name", ["json-bin", "hop", "peer", "epoch", "principal-bin", "anything"])
async def test_headers_of_ours_do_not_reach_a_node(echo_node: EchoNode, gateway: Gateway, name):
    await gateway.raw("GET", "/v1/accounts/a", None, {f"x-postroom-{name}": "Zm9yZ2Vk"})

    assert f"x-postroom-{name}" not in echo_node.last.metadata


@pytest.mark.parametrize(
    "name", ["original-path", "original-method", "retry-on", "max-retries", "upstream-rq-timeout-ms"]
)
async def test_headers_of_envoy_s_are_not_taken_from_a_caller(echo_node: EchoNode, gateway: Gateway, name):
    await gateway.raw("GET", "/v1/accounts/a", None, {f"x-envoy-{name}": "forged"})

    assert echo_node.last.metadata.get(f"x-envoy-{name}") in {None, "/v1/accounts/a", "GET"}


async def test_a_chunked_body_is_checked(echo_node: EchoNode, gateway: Gateway):
    body = b'{"submission":{"nope":1}}'
    chunks = b"".join(b"%x\r\n%s\r\n" % (1, body[at : at + 1]) for at in range(len(body))) + b"0\r\n\r\n"
    head = f"POST {SUBMIT} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"

    reply = await gateway.exchange(head.encode() + chunks, "POST")

    assert reply.status == 400
    assert reply.fields == ["submission.nope"]


SHAPES = {
    SUBMIT: '{"requestId":"%s"}',
    SEARCH: '{"pageToken":"%s"}',
    CREATE: '{"requestId":"%s"}',
    "/v1/accounts/a/mailboxes/inbox/messages": '{"composed":{"text":"%s"}}',
    "/v1/accounts/a/messages:modify": '{"names":["%s"]}',
    "/v1/tokens": '{"token":{"displayName":"%s"}}',
}


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        (SUBMIT, 8 << 20),
        ("/v1/accounts/a/mailboxes/inbox/messages", 8 << 20),
        ("/v1/accounts/a/messages:modify", 8 << 20),
        (SEARCH, 1 << 20),
        (CREATE, 1 << 20),
        ("/v1/tokens", 1 << 20),
    ],
)
async def test_a_body_has_its_limit(echo_node: EchoNode, gateway: Gateway, path, limit):
    """8 MiB where mail travels, 1 MiB elsewhere; larger mail goes by :upload."""
    shape = SHAPES[path]
    fits = shape % ("x" * (limit - len(shape) - 64))
    exceeds = shape % ("x" * limit)

    accepted = await gateway.raw("POST", path, fits.encode())
    reached = len(echo_node.seen)
    refused = await gateway.raw("POST", path, exceeds.encode())

    assert accepted.status == 200, accepted.body
    assert refused.status == 413, refused.body
    assert refused.reason == "LIMIT_EXCEEDED"
    assert len(echo_node.seen) == reached


async def test_a_large_body_is_checked_to_its_end(echo_node: EchoNode, gateway: Gateway):
    attachment = {"filename": "x", "content": "QUFB" * ((6 << 20) // 4)}
    body = {"submission": {"composed": {"attachments": [attachment], "subjct": "x"}}}

    reply = await gateway.raw("POST", SUBMIT, json.dumps(body).encode())

    assert reply.status == 400
    assert reply.fields == ["submission.composed.subjct"]
