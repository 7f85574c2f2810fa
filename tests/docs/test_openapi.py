"""The OpenAPI document against a running Postroom: every path is routed, and real requests and answers are as it says."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from openapi_spec_validator import validate

from tests.docs.openapi_document import DOCUMENT, OPERATIONS, PARAMETER, PATH, Checked, Operation, check
from tests.fixtures.contract import Contract
from tests.fixtures.dovecot import PASSWORD, Dovecot
from tests.fixtures.eventually import eventually
from tests.fixtures.rest import NDJSON, SSE, Rest, lines, refused

ARRIVES_WITHIN: Final = 15.0
FRAMES_WITHIN: Final = 10.0
LETTER: Final = b"From: openapi@sandbox.test\r\nTo: b@example.com\r\nSubject: Raw\r\n\r\nHello.\r\n"
OUTSIDE: Final = frozenset({
    "AccountService_AuthorizeAccount", "AccountService_DiscoverSettings", "SubmissionService_ResolveSubmission",
})  # fmt: skip
"""Methods whose success needs more than calls: the consent of a person, DNS, a provider that is cut amid a message."""
SERVED: Final = frozenset(one.ident for one in OPERATIONS if one.served)


def filled(operation: Operation) -> str:
    """The operation's path with ids that nothing has."""
    return PARAMETER.sub("x1nothing", operation.path)


def test_the_document_is_valid_openapi() -> None:
    validate(DOCUMENT)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.ident)
async def test_the_gateway_routes_every_path_of_the_document(operation: Operation, rest: Rest) -> None:
    options: dict[str, Any] = {}
    if operation.sends_file:
        options = {"raw": LETTER, "headers": {"content-type": "message/rfc822"}}
    elif operation.body is not None:
        options = {"body": {}}
    reply = await rest.call(operation.verb, filled(operation), **options)

    if reply.status < 300:
        return
    check(reply.json, {"$ref": "#/components/schemas/Error"}, f"the {reply.status} of {operation.ident}")
    assert reply.reason != "PATH_UNKNOWN"
    assert operation.served or reply.reason == "NOT_IMPLEMENTED" or reply.status in {400, 404}


@pytest.fixture
def api(rest: Rest) -> Checked:
    """Calls that are held against the document."""
    return Checked(rest)


def message(subject: str, to: str, **more: Any) -> dict[str, Any]:
    return {"composed": {"to": [{"address": to}], "subject": subject, "text": "Hello.", **more}}


class Story:
    """One account that goes through everything; each chapter calls what it names."""

    def __init__(self, api: Checked, dovecot: Dovecot) -> None:
        self.api, self.dovecot = api, dovecot
        self.account = self.address = self.message = ""

    async def opening(self) -> None:
        await self.api.call("GET", "/healthz", token="")
        created = await self.api.post("/v1/accounts", {
            "accountId": "openapi", "account": {"email": "openapi@sandbox.test", "displayName": "O", "sandbox": {}, "labels": {"a": "b"}},
        })  # fmt: skip
        self.account, self.address = created["account"]["name"], created["account"]["email"]
        await self.api.rest.state(self.account, "CONNECTED")
        await self.api.get("/v1/accounts?pageSize=5&email=openapi&labelSelector=a=b")
        await self.api.get(f"/v1/{self.account}")
        changed = {"displayName": "New", "labels": {"a": "c"}}
        (await self.api.call("PATCH", f"/v1/{self.account}?updateMask=displayName,labels", changed)).ok()
        await self.api.get("/v1/server")

    async def settings(self) -> None:
        user = self.dovecot.new_user()
        server = {
            "host": self.dovecot.host,
            "port": self.dovecot.imap_port,
            "security": "NONE",
            "username": user,
            "password": PASSWORD,
        }
        await self.api.post("/v1/accounts:verify", {"account": {"email": user, "imap": server}})
        made = await self.api.post("/v1/accounts", {"account": {"email": user, "imap": server}})
        name = made["account"]["name"]
        await self.api.rest.state(name, "CONNECTED")
        mask = {"imap": {"password": "wrong"}}
        (await self.api.call("PATCH", f"/v1/{name}?updateMask=imap.password", mask)).ok()
        await self.api.get(f"/v1/{name}")
        if "AccountService_DownloadAccountLog" in SERVED:
            assert (await self.api.call("GET", f"/v1/{name}/log?maxLines=10")).status == 200
        (await self.api.call("DELETE", f"/v1/{name}")).ok()

    async def sending(self) -> None:
        parent = f"/v1/{self.account}/submissions"
        attachment = {"filename": "a.txt", "contentType": "text/plain", "content": "SGVsbG8="}
        body = {
            "requestId": "openapi-1",
            "submission": message("Lunch", self.address, attachments=[attachment]),
        }
        sent = await self.api.post(parent, body)
        await self.api.post(parent, {"validateOnly": True, "submission": message("Dry", self.address)})
        headers = {"content-type": "message/rfc822"}
        upload = await self.api.call(
            "POST",
            f"{parent}:upload?requestId=openapi-2&envelope.to={self.address}",
            raw=LETTER,
            headers=headers,
        )
        upload.ok()
        await self.api.get(f"/v1/{sent['submission']['name']}")
        await self.api.get(f"{parent}?pageSize=10&states=RELAYED")

    async def reading(self) -> None:
        self.message = await eventually(self._arrived, within=ARRIVES_WITHIN)
        await self.api.get(f"/v1/{self.message}?view=FULL&textBudgetBytes=100")
        assert (await self.api.call("GET", f"/v1/{self.message}/source")).status == 200
        found = await self.api.get(f"/v1/{self.message}?view=FULL")
        attachment = found["message"]["attachments"][0]["name"]
        whole = await self.api.call("GET", f"/v1/{attachment}/content")
        part = await self.api.call("GET", f"/v1/{attachment}/content", headers={"range": "bytes=0-1"})
        assert (whole.status, whole.body, part.status, part.body) == (200, b"Hello", 206, b"He")
        await self.api.post(
            f"/v1/{self.account}/messages:batchGet", {"names": [self.message], "view": "FULL"}
        )
        await self.api.post(
            f"/v1/{self.account}:searchMessages",
            {"mailboxes": ["inbox"], "filter": {"condition": {"subject": "Lunch"}}},
        )

    async def _arrived(self) -> str:
        await self.api.get(f"/v1/{self.account}/mailboxes?withCounts=true")
        await self.api.get(f"/v1/{self.account}/mailboxes/inbox")
        listed = await self.api.get(f"/v1/{self.account}/mailboxes/inbox/messages?view=BASIC&pageSize=10")
        return next((one["name"] for one in listed["messages"] if one["subject"] == "Lunch"), "")

    async def changing(self) -> None:
        await self.api.post(
            f"/v1/{self.account}/messages:modify", {"names": [self.message], "addFlags": ["$seen"]}
        )
        await self.api.get(f"/v1/{self.account}/changes?from=EARLIEST&maxChanges=500&wait=1s")

    async def caring(self) -> None:
        inbox = f"{self.account}/mailboxes/inbox"
        for verb in ("reconnect", "sync", "reset"):
            await self.if_served(
                f"AccountService_{verb.title()}Account", "POST", f"/v1/{self.account}:{verb}", {}
            )
        await self.api.rest.state(self.account, "CONNECTED")
        await self.if_served("AccountService_ExplainAccount", "GET", f"/v1/{self.account}:explain")
        await self.if_served("ServerService_GetStats", "GET", "/v1/server/stats")
        await self.if_served("AuditService_AuditMailbox", "POST", f"/v1/{inbox}:audit", {"repair": False})
        await self.if_served("ThreadService_ListThreads", "GET", f"/v1/{self.account}/threads?pageSize=5")
        thread = (await self.api.get(f"/v1/{self.message}"))["message"]["threadId"]
        await self.if_served("ThreadService_GetThread", "GET", f"/v1/{self.account}/threads/{thread}")

    async def filing(self) -> None:
        mailboxes, messages = f"/v1/{self.account}/mailboxes", f"/v1/{self.account}/messages"
        made = await self.if_served(
            "MailboxService_CreateMailbox", "POST", mailboxes, {"mailbox": {"path": "Kept"}}
        )
        if made is None:
            return
        kept = made["mailbox"]["name"]
        await self.if_served(
            "MailboxService_UpdateMailbox", "PATCH", f"/v1/{kept}?updateMask=subscribed", {"subscribed": True}
        )
        some = {"names": [self.message]}
        await self.if_served("MessageService_CopyMessages", "POST", f"{messages}:copy", {**some, "to": kept})
        await self.if_served("MessageService_MoveMessages", "POST", f"{messages}:move", {**some, "to": kept})
        await self.if_served(
            "MessageService_DeleteMessages", "POST", f"{messages}:delete", {**some, "permanent": True}
        )
        letter = {
            "composed": {"to": [{"address": self.address}], "subject": "Draft", "text": "x"},
            "flags": ["$draft"],
        }
        draft = await self.if_served(
            "MessageService_AppendMessage", "POST", f"{mailboxes}/drafts/messages", letter
        )
        await self._uploads(f"{mailboxes}/inbox/messages:upload?flags=$seen", "MessageService_UploadMessage")
        if draft:
            await self.if_served(
                "SubmissionService_SubmitDraft", "POST", f"/v1/{draft['message']['name']}:submit", {}
            )
        await self.if_served("MailboxService_DeleteMailbox", "DELETE", f"/v1/{kept}")

    async def reconsidering(self) -> None:
        parent = f"/v1/{self.account}/submissions"
        tomorrow = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
        for verb, extra in (("cancel", {}), ("retry", {}), ("resolve", {"outcome": "FAILED"})):
            later = {**message("Later", self.address), "sendTime": tomorrow}
            held = (await self.api.post(parent, {"submission": later}))["submission"]["name"]
            reply = await self.api.call("POST", f"/v1/{held}:{verb}", extra)
            served = f"SubmissionService_{verb.title()}Submission" in SERVED
            assert reply.status == 200 or not served or reply.reason == "SUBMISSION_NOT_IN_DOUBT", reply.body

    async def following(self) -> None:
        consumer = {
            "consumerId": "openapi",
            "consumer": {"selection": {"parent": self.account}},
            "from": "EARLIEST",
        }
        if await self.if_served("ConsumerService_CreateConsumer", "POST", "/v1/consumers", consumer) is None:
            return
        await self.if_served("ConsumerService_GetConsumer", "GET", "/v1/consumers/openapi")
        await self.if_served("ConsumerService_ListConsumers", "GET", "/v1/consumers?pageSize=5")
        cursor = (await self.api.get(f"/v1/{self.account}/changes?from=EARLIEST&maxChanges=1"))["cursor"]
        await self.if_served(
            "ConsumerService_CommitCursor", "POST", "/v1/consumers/openapi:commit", {"cursor": cursor}
        )
        await self.if_served(
            "ConsumerService_SeekConsumer", "POST", "/v1/consumers/openapi:seek", {"from": "NOW"}
        )
        await self.if_served("ConsumerService_DeleteConsumer", "DELETE", "/v1/consumers/openapi")

    async def playing(self) -> None:
        raw = base64.b64encode(LETTER).decode()
        await self.if_served(
            "SandboxService_DeliverMessage", "POST", f"/v1/{self.account}:deliver", {"raw": raw}
        )
        fault = {"refuseNextSends": {"replyCode": 451, "enhancedStatus": "4.3.0", "count": 1}}
        await self.if_served("SandboxService_InjectFault", "POST", f"/v1/{self.account}:injectFault", fault)
        await self.if_served("SandboxService_ClearFaults", "POST", f"/v1/{self.account}:clearFaults", {})

    async def if_served(self, ident: str, verb: str, path: str, body: Any = None) -> Any:
        """Calls a method; one that is served has to do it, another one to say that it is not. None without an answer."""
        reply = await self.api.call(verb, path, body)
        if ident in SERVED:
            return reply.ok()
        refused(reply, 501, "NOT_IMPLEMENTED")
        return None

    async def _uploads(self, path: str, ident: str) -> None:
        reply = await self.api.call("POST", path, raw=LETTER, headers={"content-type": "message/rfc822"})
        assert reply.status == (200 if ident in SERVED else 501), reply.body

    async def watching(self) -> None:
        for accept in (NDJSON, SSE):
            await asyncio.wait_for(self._frames(accept), FRAMES_WITHIN)
        self.api.done.add("ChangeService_WatchChanges")

    async def _frames(self, accept: str) -> None:
        """Reads frames up to the checkpoint at the head."""
        rest, kinds = self.api.rest, set()
        path = f"{rest.url}/v1/{self.account}/changes:watch?from=EARLIEST"
        async with rest.session.get(path, headers={**rest.headers(), "accept": accept}) as answer:
            assert answer.headers["content-type"] == accept
            async for line in lines(answer.content):
                frame = json.loads(line.removeprefix(b"data:") if accept == SSE else line)
                check(frame, {"$ref": "#/components/schemas/WatchChangesResponse"}, "a frame")
                kinds |= frame.keys()
                if "change" in kinds and frame.get("checkpoint", {}).get("lagChanges") == "0":
                    return

    async def failing(self) -> None:
        missing = f"/v1/{self.account}/messages/nothing"
        refused(await self.api.call("GET", missing), 404, "MESSAGE_NOT_FOUND")
        wrong = await self.api.rest.call(
            "POST", f"/v1/{self.account}/submissions", {"submission": {"subjet": "x"}}
        )
        check(wrong.json, {"$ref": "#/components/schemas/Error"}, "the refusal of an unknown field")
        refused(wrong, 400, "REQUEST_INVALID")
        refused(await self.api.call("GET", f"/v1/{self.account}/changes?cursor=x"), 400, "CURSOR_MALFORMED")
        refused(await self.api.call("GET", "/v1/accounts", token=""), 401, "TOKEN_MISSING")

    async def tokens(self) -> None:
        made = await self.api.post(
            "/v1/tokens",
            {"token": {"displayName": "o", "scopes": ["messages.read"], "accounts": [self.account]}},
        )
        name = made["token"]["name"]
        await self.api.get(f"/v1/{name}")
        await self.api.get("/v1/tokens?pageSize=5")
        refused(await self.api.call("GET", "/v1/server", token=made["secret"]), 403, "SCOPE_DENIED")
        (await self.api.call("DELETE", f"/v1/{name}")).ok()
        refused(await self.api.call("GET", "/v1/server", token=made["secret"]), 401, "TOKEN_INVALID")

    async def ending(self) -> None:
        await self.api.post(f"/v1/{self.account}:pause", {})
        await self.api.post(f"/v1/{self.account}:resume", {})
        (await self.api.call("DELETE", f"/v1/{self.account}")).ok()


@pytest.mark.timeout(120)
async def test_requests_and_answers_of_every_served_method_are_as_the_document_says(
    api: Checked, dovecot: Dovecot
) -> None:
    story = Story(api, dovecot)
    for chapter in (
        story.opening, story.settings, story.sending, story.reading, story.changing, story.watching, story.failing,
        story.caring, story.reconsidering, story.following, story.playing, story.tokens, story.filing, story.ending,
    ):  # fmt: skip
        await chapter()

    assert SERVED - api.done - OUTSIDE == set()


@pytest.mark.parametrize(
    "answer",
    [
        {"account": {"name": "accounts/a", "email": "a@b.c", "stat": "CONNECTED"}},
        {"account": {"name": 1, "email": "a@b.c"}},
        {"account": {"email": "a@b.c", "state": "ASLEEP"}},
        {"account": {"email": "a@b.c", "gmail": {}, "sandbox": {}}},
        {"account": {"email": "a@b.c", "imap": {"host": "h", "password": "secret"}}},
    ],
    ids=[
        "a field without a name in it",
        "a wrong type",
        "an enum's unknown value",
        "two of a oneof",
        "a secret read back",
    ],
)
def test_an_answer_that_differs_is_noticed(answer: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match="is not as"):
        check(answer, {"$ref": "#/components/schemas/GetAccountResponse"}, "an answer")


def test_the_references_hold_every_method_and_every_reason(contract: Contract) -> None:
    folder = PATH.parent
    rest, grpc = ((folder / name).read_text() for name in ("rest.md", "grpc.md"))
    reasons = [value.name for value in contract.enum("ErrorReason").value if value.number]
    methods = {f"{rpc.service}_{rpc.name}" for rpc in contract.rpcs()}
    headings = set(re.findall(r"^### (\w+)$", (folder / "errors.md").read_text(), re.MULTILINE))

    assert {one.ident for one in OPERATIONS} == methods | {"Health_Check"}
    assert [rpc.name for rpc in contract.rpcs() if f"\n### {rpc.name}\n" not in rest] == []
    assert [rpc.name for rpc in contract.rpcs() if f"\n### {rpc.name}\n" not in grpc] == []
    assert headings == set(reasons)
