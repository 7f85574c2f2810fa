"""Every HTTP binding of the contract reaches its method, and nothing else does."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from google.api import annotations_pb2
from postroom_server.app.envoy import gateway_folder
from postroom_server.services.contract import services

from tests.fixtures.echo_node import EchoNode
from tests.fixtures.envoy import Gateway

pytestmark = pytest.mark.asyncio(loop_scope="session")

BINDINGS = [
    (method.full_name.removeprefix("postroom.v1."), rule.WhichOneof("pattern").upper(), getattr(rule, rule.WhichOneof("pattern")), rule.body)
    for service in services()
    for method in service.methods
    for rule in [method.GetOptions().Extensions[annotations_pb2.http]]
]  # fmt: skip


@pytest.mark.parametrize(("method", "verb", "template", "body"), BINDINGS, ids=[one[0] for one in BINDINGS])
async def test_the_binding_reaches_its_method(
    echo_node: EchoNode, gateway: Gateway, method, verb, template, body
):
    path = re.sub(r"{[^=]+=([^}]+)}", lambda found: found[1].replace("*", "x1"), template)

    reply = await gateway.raw(verb, path, b"{}" if body else None)

    assert reply.status == 200, reply.body
    assert echo_node.last.method == method


async def test_the_configuration_serves_every_service_of_the_contract(gateway: Gateway):
    """The list of services in envoy.yaml is written by hand."""
    served = yaml.safe_load((gateway_folder() / "envoy.yaml").read_text())["static_resources"]["listeners"][0]
    text = json.dumps(served)

    assert [one.full_name for one in services() if f'"{one.full_name}"' not in text] == []


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", "/"),
        ("GET", "/nope"),
        ("GET", "/v1/nope"),
        ("GET", "/V1/accounts"),
        ("GET", "/v1//accounts"),
        ("PUT", "/v1/accounts"),
        ("DELETE", "/v1/accounts"),
        ("HEAD", "/v1/accounts"),
        ("POST", "/v1/accounts/a:nope"),
        ("GET", "/v1/accounts/a:sync"),
        ("GET", "/v1/accounts/a/messages:modify"),
        ("GET", "/v1/accounts/a/../b"),
        ("GET", "/v1/accounts/a/mailboxes/m/.."),
        ("GET", "/v1/accounts/a/messages/b/c"),
        ("GET", "/v1/../v1/server"),
        ("POST", "/postroom.v1.AccountService/ListAccounts"),
        ("GET", "/admin"),
        ("GET", "/stats"),
        ("GET", "/server_info"),
        ("POST", "/quitquitquit"),
    ],
)
async def test_an_unknown_path_is_404_as_a_status(echo_node: EchoNode, gateway: Gateway, verb, path):
    before = len(echo_node.seen)

    reply = await gateway.raw(verb, path)

    assert reply.status == 404, reply.body
    if verb != "HEAD":
        assert reply.headers["content-type"] == "application/json"
        assert reply.json["code"] == 5
        assert reply.reason == "PATH_UNKNOWN"
    assert len(echo_node.seen) == before


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("DELETE", "/v1/accounts/a/mailboxes/.."),
        ("DELETE", "/v1/accounts/a/mailboxes/%2e%2e"),
        ("DELETE", "/v1/accounts/a/mailboxes/.%2e"),
        ("DELETE", "/v1/accounts/a/mailboxes/..%2F"),
        ("DELETE", "/v1/accounts/a/mailboxes/x%2F.."),
        ("DELETE", "/v1/accounts/a/mailboxes/x%5C.."),
        ("DELETE", "/v1/accounts/a/mailboxes/."),
        ("DELETE", "/v1/accounts/%2e"),
        ("GET", "/v1/accounts/a%2Fb"),
        ("GET", "/v1/accounts/a%2fb"),
        ("GET", "/v1/accounts/a%00b"),
        ("GET", "/v1/accounts/a%0Ab"),
        ("GET", "/v1/accounts/a%0D%0Ab"),
        ("GET", "/v1/accounts/%ff"),
        ("GET", "/v1/accounts/a%C3%28"),
        ("GET", "/v1/accounts?email=%ff"),
    ],
)
async def test_a_path_trick_reaches_no_method(echo_node: EchoNode, gateway: Gateway, verb, path):
    """With a normalised path, `DELETE /v1/accounts/a/mailboxes/..` would delete the account."""
    before = len(echo_node.seen)

    reply = await gateway.raw(verb, path)

    assert reply.status in {400, 404}, reply.body
    assert reply.json["code"] in {3, 5}
    assert reply.reason in {"REQUEST_INVALID", "PATH_UNKNOWN"}
    assert b"Decode" not in reply.body
    assert len(echo_node.seen) == before


@pytest.mark.parametrize("sent", ["..;x", ".;a", "a;b"])
async def test_a_path_parameter_is_part_of_the_id(echo_node: EchoNode, gateway: Gateway, sent):
    """`..;x` is a parent folder to some servers; here it is an id, which the node's grammar refuses."""
    reply = await gateway.raw("DELETE", f"/v1/accounts/a/mailboxes/{sent}")

    assert reply.status == 200
    assert echo_node.last.method == "MailboxService.DeleteMailbox"
    assert echo_node.last.request.name == f"accounts/a/mailboxes/{sent}"


@pytest.mark.parametrize(
    ("sent", "understood"),
    [
        ("a@b.example", "a@b.example"),
        ("a%40b.example", "a@b.example"),
        ("a+tag@b.example", "a+tag@b.example"),
        ("a%2Btag%40b.example", "a+tag@b.example"),
        ("a.b-c_d", "a.b-c_d"),
        ("a..b", "a..b"),
        ("a%252Fb", "a%2Fb"),
        ("-", "-"),
        ("a/", "a"),
        ("x" * 128, "x" * 128),
    ],
)
async def test_an_id_is_decoded_once(echo_node: EchoNode, gateway: Gateway, sent, understood):
    reply = await gateway.raw("GET", f"/v1/accounts/{sent}")

    assert reply.status == 200, reply.body
    assert echo_node.last.request.name == f"accounts/{understood}"


@pytest.mark.parametrize(
    ("verb", "path", "body", "field"),
    [
        ("DELETE", "/v1/accounts/a?name=accounts/b", None, "name"),
        ("DELETE", "/v1/accounts/a?n%61me=accounts/b", None, "name"),
        ("DELETE", "/v1/accounts/a?name=", None, "name"),
        ("DELETE", "/v1/accounts/a?name=accounts/a", None, "name"),
        ("GET", "/v1/accounts/a/changes?parent=accounts/b", None, "parent"),
        ("GET", "/v1/accounts/a/changes:watch?parent=accounts/b", None, "parent"),
        ("GET", "/v1/accounts/a/messages/m/source?name=accounts/b/messages/m", None, "name"),
        ("POST", "/v1/accounts/a/submissions?validateOnly=true", b"{}", "validateOnly"),
        ("POST", "/v1/accounts/a/submissions?requestId=x", b"", "requestId"),
        ("POST", "/v1/accounts/a:sync?name=accounts/b", b"{}", "name"),
        ("PATCH", "/v1/accounts/a?account.imap.password=x", b"{}", "account.imap.password"),
        ("PATCH", "/v1/accounts/a?account.imap.p%61ssword=x", b"{}", "account.imap.password"),
        ("PATCH", "/v1/accounts/a?account.display_name=x", b"{}", "account.display_name"),
        ("PATCH", "/v1/accounts/a?account.name=accounts/b", b"{}", "account.name"),
        ("POST", "/v1/accounts/a/mailboxes/m/messages:upload?parent=accounts/b/mailboxes/m", b"x", "parent"),
        ("POST", "/v1/accounts/a/submissions:upload?parent=accounts/b", b"x", "parent"),
        ("POST", "/v1/accounts/a/submissions:upload?content.contentType=x", b"x", "content.contentType"),
    ],
)
async def test_a_query_parameter_overrides_nothing(
    echo_node: EchoNode, gateway: Gateway, verb, path, body, field
):
    """Left to the transcoder, `DELETE /v1/accounts/a?name=accounts/b` deletes b."""
    before = len(echo_node.seen)

    reply = await gateway.raw(verb, path, body)

    assert reply.status == 400, reply.body
    assert reply.fields in ([field], []), reply.body
    assert reply.reason == "REQUEST_INVALID"
    assert len(echo_node.seen) == before


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/v1/accounts?nope=1", "nope"),
        ("/v1/accounts?states=NOPE", "states"),
        ("/v1/accounts?states=77", "states"),
        ("/v1/accounts?pageSize=", "page_size"),
        ("/v1/accounts?pageSize=1.5", "page_size"),
        ("/v1/accounts?pageSize=99999999999", "page_size"),
        ("/v1/accounts/a/mailboxes/inbox/messages?view=full", "view"),
        ("/v1/accounts/a/mailboxes/inbox/messages?view=9", "view"),
        ("/v1/accounts/a/changes?cursor=a&from=NOW", ""),
        ("/v1/accounts/a/changes?fromTime=yesterday", "from_time"),
    ],
)
async def test_a_bad_query_is_400(echo_node: EchoNode, gateway: Gateway, path, reason):
    before = len(echo_node.seen)

    reply = await gateway.raw("GET", path)

    assert reply.status == 400, (reply.status, reply.body, echo_node.last)
    assert reason in reply.json["message"]
    assert reply.reason == "REQUEST_INVALID"
    assert len(echo_node.seen) == before


async def test_a_good_query_arrives(echo_node: EchoNode, gateway: Gateway):
    await gateway.raw(
        "GET", "/v1/accounts?states=CONNECTED&states=3&page_size=5&pageToken=a%2Bb&email=a%2Bb@x.example"
    )

    request = echo_node.last.request
    assert (list(request.states), request.page_size) == ([request.states[0], 3], 5)
    assert (request.page_token, request.email) == ("a+b", "a+b@x.example")


async def test_a_field_that_is_named_otherwise_in_python_keeps_its_json_name_in_a_query(
    echo_node: EchoNode, gateway: Gateway
):
    """`from` is a keyword there, so the contract calls the field `start_from` and its JSON `from`."""
    reply = await gateway.raw(
        "GET",
        "/v1/accounts/-/changes:watch?from=EARLIEST&kinds=MESSAGE_ADDED&kinds=FLAGS_CHANGED&heartbeatInterval=5s&partition.index=1&partition.count=4",
    )

    request = echo_node.last.request
    assert reply.status == 200, reply.body
    assert (request.start_from, len(request.kinds), request.heartbeat_interval.seconds) == (2, 2, 5)
    assert (request.partition.index, request.partition.count) == (1, 4)


async def test_a_body_that_a_method_does_not_take_changes_nothing(echo_node: EchoNode, gateway: Gateway):
    reply = await gateway.raw("DELETE", "/v1/accounts/a", b'{"name": "accounts/b"}')

    assert reply.status != 200 or echo_node.last.request.name == "accounts/a"


@pytest.mark.parametrize("mask", ["imap.password,displayName", "imap.password&updateMask=displayName"])
async def test_an_update_mask_comes_by_query(echo_node: EchoNode, gateway: Gateway, mask):
    reply = await gateway.raw("PATCH", f"/v1/accounts/a@b?updateMask={mask}", b'{"displayName": "D"}')

    assert reply.status == 200, reply.body
    assert list(echo_node.last.request.update_mask.paths) == ["imap.password", "display_name"]
    assert echo_node.last.request.account.name == "accounts/a@b"


async def test_a_name_in_the_body_that_differs_from_the_path_is_400(gateway: Gateway):
    reply = await gateway.raw("PATCH", "/v1/accounts/a", b'{"name": "accounts/b"}')

    assert reply.status == 400
