"""REST paths: each method has one, as the contract's table says, and no request can say one thing in two places."""

from __future__ import annotations

import re

import pytest
from google.protobuf import descriptor_pb2

from tests.fixtures.contract import Contract, Rpc

VARIABLE = re.compile(r"\{([a-z_.]+)=([^}]*)\}")
HTTP_BODY = ".google.api.HttpBody"

TABLE = """
AccountService CreateAccount POST /v1/accounts *
AccountService GetAccount GET /v1/{name=accounts/*}
AccountService ListAccounts GET /v1/accounts
AccountService UpdateAccount PATCH /v1/{account.name=accounts/*} account
AccountService DeleteAccount DELETE /v1/{name=accounts/*}
AccountService VerifyAccount POST /v1/accounts:verify *
AccountService DiscoverSettings GET /v1/accounts:discover
AccountService ReconnectAccount POST /v1/{name=accounts/*}:reconnect *
AccountService SyncAccount POST /v1/{name=accounts/*}:sync *
AccountService ResetAccount POST /v1/{name=accounts/*}:reset *
AccountService PauseAccount POST /v1/{name=accounts/*}:pause *
AccountService ResumeAccount POST /v1/{name=accounts/*}:resume *
AccountService ExplainAccount GET /v1/{name=accounts/*}:explain
AccountService DownloadAccountLog GET /v1/{name=accounts/*}/log
AccountService AuthorizeAccount POST /v1/accounts:authorize *
MailboxService ListMailboxes GET /v1/{parent=accounts/*}/mailboxes
MailboxService GetMailbox GET /v1/{name=accounts/*/mailboxes/*}
MailboxService CreateMailbox POST /v1/{parent=accounts/*}/mailboxes *
MailboxService UpdateMailbox PATCH /v1/{mailbox.name=accounts/*/mailboxes/*} mailbox
MailboxService DeleteMailbox DELETE /v1/{name=accounts/*/mailboxes/*}
MessageService ListMessages GET /v1/{parent=accounts/*/mailboxes/*}/messages
MessageService SearchMessages POST /v1/{parent=accounts/*}:searchMessages *
MessageService GetMessage GET /v1/{name=accounts/*/messages/*}
MessageService BatchGetMessages POST /v1/{parent=accounts/*}/messages:batchGet *
MessageService GetMessageSource GET /v1/{name=accounts/*/messages/*}/source
MessageService DownloadAttachment GET /v1/{name=accounts/*/messages/*/attachments/*}/content
MessageService ModifyMessages POST /v1/{parent=accounts/*}/messages:modify *
MessageService MoveMessages POST /v1/{parent=accounts/*}/messages:move *
MessageService CopyMessages POST /v1/{parent=accounts/*}/messages:copy *
MessageService DeleteMessages POST /v1/{parent=accounts/*}/messages:delete *
MessageService AppendMessage POST /v1/{parent=accounts/*/mailboxes/*}/messages *
MessageService UploadMessage POST /v1/{parent=accounts/*/mailboxes/*}/messages:upload content
ThreadService ListThreads GET /v1/{parent=accounts/*}/threads
ThreadService GetThread GET /v1/{name=accounts/*/threads/*}
SubmissionService SubmitMessage POST /v1/{parent=accounts/*}/submissions *
SubmissionService UploadSubmission POST /v1/{parent=accounts/*}/submissions:upload content
SubmissionService SubmitDraft POST /v1/{name=accounts/*/messages/*}:submit *
SubmissionService GetSubmission GET /v1/{name=accounts/*/submissions/*}
SubmissionService ListSubmissions GET /v1/{parent=accounts/*}/submissions
SubmissionService CancelSubmission POST /v1/{name=accounts/*/submissions/*}:cancel *
SubmissionService RetrySubmission POST /v1/{name=accounts/*/submissions/*}:retry *
SubmissionService ResolveSubmission POST /v1/{name=accounts/*/submissions/*}:resolve *
ChangeService WatchChanges GET /v1/{parent=accounts/*}/changes:watch
ChangeService ListChanges GET /v1/{parent=accounts/*}/changes
ConsumerService CreateConsumer POST /v1/consumers *
ConsumerService GetConsumer GET /v1/{name=consumers/*}
ConsumerService ListConsumers GET /v1/consumers
ConsumerService DeleteConsumer DELETE /v1/{name=consumers/*}
ConsumerService CommitCursor POST /v1/{name=consumers/*}:commit *
ConsumerService SeekConsumer POST /v1/{name=consumers/*}:seek *
AuditService AuditMailbox POST /v1/{name=accounts/*/mailboxes/*}:audit *
SandboxService DeliverMessage POST /v1/{name=accounts/*}:deliver *
SandboxService InjectFault POST /v1/{name=accounts/*}:injectFault *
SandboxService ClearFaults POST /v1/{name=accounts/*}:clearFaults *
TokenService CreateToken POST /v1/tokens *
TokenService GetToken GET /v1/{name=tokens/*}
TokenService ListTokens GET /v1/tokens
TokenService RevokeToken DELETE /v1/{name=tokens/*}
ServerService GetServerInfo GET /v1/server
ServerService GetStats GET /v1/server/stats
"""
STANDARD = {
    "OAuthAppService": ("/v1/oauthApps", "Create Get List Update Delete"),
    "TemplateService": ("/v1/templates", "Create Get List Update Delete"),
    "RelayService": ("/v1/relays", "Create Get List Update Delete"),
    "SuppressionService": ("/v1/{parent=suppressionLists/*}/entries", "Create Get List Delete"),
    "ExportService": ("/v1/{parent=accounts/*}/exports", "Create Get List Delete Download"),
    "RouteService": ("/v1/routes", "Create Get List Update Delete"),
}


def bound(rpc: Rpc) -> list[str]:
    """The fields that the path binds."""
    return [match[1] for match in VARIABLE.finditer(rpc.path)]


def type_of(message: descriptor_pb2.DescriptorProto, name: str) -> str:
    """The message type of a field; empty for others."""
    return next((field.type_name for field in message.field if field.name == name), "")


def test_every_path_of_the_contract_is_bound_as_written(contract: Contract) -> None:
    bindings = {(rpc.service, rpc.name): (rpc.verb, rpc.path, rpc.body) for rpc in contract.rpcs()}
    for line in TABLE.strip().splitlines():
        service, name, verb, path, *body = line.split()
        assert bindings.get((service, name)) == (verb, path, *(body or [""])), line


@pytest.mark.parametrize("service", STANDARD)
def test_later_services_have_the_standard_methods(contract: Contract, service: str) -> None:
    collection, verbs = STANDARD[service]
    found = [rpc for rpc in contract.rpcs() if rpc.service == service]
    assert sorted(re.match(r"[A-Z][a-z]+", rpc.name)[0] for rpc in found) == sorted(verbs.split())
    assert [rpc.path for rpc in found if rpc.name.startswith(("Create", "List"))] == [collection, collection]


def test_nothing_else_is_bound(contract: Contract) -> None:
    named = {tuple(line.split()[:2]) for line in TABLE.strip().splitlines()}
    rest = {(rpc.service, rpc.name) for rpc in contract.rpcs()} - named
    assert {service for service, _ in rest} <= STANDARD.keys()


def test_every_method_has_exactly_one_binding(contract: Contract) -> None:
    assert [rpc.name for rpc in contract.rpcs() if rpc.bindings != 1] == []


def test_no_two_methods_share_verb_and_path(contract: Contract) -> None:
    taken: dict[tuple[str, str], str] = {}
    for rpc in contract.rpcs():
        place = (rpc.verb, VARIABLE.sub(r"\2", rpc.path))
        assert place not in taken, (rpc.name, taken.get(place))
        taken[place] = rpc.name


def test_path_fields_exist_and_are_strings(contract: Contract) -> None:
    for rpc in contract.rpcs():
        for name in bound(rpc):
            message, *_ = [rpc.request]
            for step in name.split("."):
                field = next((one for one in message.field if one.name == step), None)
                assert field is not None, f"{rpc.name}: {name}"
                message = contract.messages.get(field.type_name, message)
            assert field.type == field.TYPE_STRING, f"{rpc.name}: {name}"


def test_the_path_binds_no_field_that_the_body_is(contract: Contract) -> None:
    for rpc in contract.rpcs():
        if rpc.verb == "PATCH":
            assert bound(rpc) == [f"{rpc.body}.name"], rpc.name
        elif rpc.body not in {"", "*"}:
            assert all(name.split(".")[0] != rpc.body for name in bound(rpc)), rpc.name


def test_only_methods_with_a_body_take_one(contract: Contract) -> None:
    for rpc in contract.rpcs():
        assert bool(rpc.body) == (rpc.verb in {"POST", "PATCH"}), rpc.name


def test_request_and_response_belong_to_one_method_alone(contract: Contract) -> None:
    for rpc in contract.rpcs():
        assert (rpc.request.name, rpc.response.name) == (f"{rpc.name}Request", f"{rpc.name}Response")


def test_query_fields_can_be_written_in_a_query(contract: Contract) -> None:
    """A query has no place for lists of messages, maps and bytes: a method that takes them takes a body."""
    for rpc in contract.rpcs():
        if rpc.body != "*":
            for field in rpc.request.field:
                nested = contract.messages.get(field.type_name)
                whole = field.name in {rpc.body, *bound(rpc)}
                repeated = field.label == field.LABEL_REPEATED and nested is not None
                assert whole or not (repeated or field.type == field.TYPE_BYTES), f"{rpc.name}.{field.name}"


def test_downloads_are_streams_of_http_bodies(contract: Contract) -> None:
    for rpc in contract.rpcs():
        assert bool(rpc.response_body) == (type_of(rpc.response, "body") == HTTP_BODY), rpc.name
        if rpc.response_body:
            assert rpc.response_body == "body", rpc.name
            assert rpc.method.server_streaming, rpc.name
            assert len(rpc.response.field) == 1, rpc.name


def test_uploads_are_streams_of_http_bodies(contract: Contract) -> None:
    uploads = {rpc.name for rpc in contract.rpcs() if rpc.method.client_streaming}
    assert uploads == {"UploadMessage", "UploadSubmission"}
    for rpc in contract.rpcs():
        assert (rpc.name in uploads) == (rpc.body == "content"), rpc.name
        assert (rpc.name in uploads) == (type_of(rpc.request, "content") == HTTP_BODY), rpc.name


def test_reading_and_repeatable_methods_say_so(contract: Contract) -> None:
    level = descriptor_pb2.MethodOptions
    for rpc in contract.rpcs():
        said = rpc.method.options.idempotency_level
        if rpc.verb == "GET":
            assert said == level.NO_SIDE_EFFECTS, rpc.name
        elif rpc.verb in {"PATCH", "DELETE"}:
            assert said == level.IDEMPOTENT, rpc.name
        elif rpc.name.startswith(("Create", "Submit", "Upload", "Append", "Copy", "Authorize")):
            assert said == level.IDEMPOTENCY_UNKNOWN, rpc.name
