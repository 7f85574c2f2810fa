"""Submissions, as contract.md has them: what is refused, what is checked only, what is done once."""

from __future__ import annotations

import asyncio
import base64
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from tests.fixtures.eventually import eventually
from tests.fixtures.rest import Reply, Rest, refused
from tests.fixtures.rpc import Rpc

MEGABYTE: Final = 1024 * 1024
LATER: Final = (datetime.now(UTC) + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Sender:
    """A sandbox account that sends to another one."""

    def __init__(self, rest: Rest, account: str, own: str, to: str) -> None:
        self.rest, self.account, self.own, self.to = rest, account, own, to

    def composed(self, **fields: Any) -> dict[str, Any]:
        return {"to": [{"address": self.to}], "subject": "S", "text": "T", **fields}

    async def submit(self, submission: dict[str, Any] | None, **fields: Any) -> Reply:
        body = fields if submission is None else {"submission": submission, **fields}
        return await self.rest.call("POST", f"/v1/{self.account}/submissions", body)

    async def submissions(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.rest.get(f"/v1/{self.account}/submissions")).get(
            "submissions", []
        )
        return found

    async def relayed(self, name: str) -> dict[str, Any]:
        async def done() -> dict[str, Any] | None:
            found: dict[str, Any] = (await self.rest.get(f"/v1/{name}"))["submission"]
            return found if found["state"] == "RELAYED" else None

        found = await eventually(done, within=15.0)
        assert found is not None
        return found


@pytest.fixture
async def sender(rest: Rest) -> Sender:
    account, other = await rest.account(sandbox={}), await rest.account(sandbox={})
    addresses = [(await rest.get(f"/v1/{one}"))["account"]["email"] for one in (account, other)]
    return Sender(rest, account, *addresses)


COMPOSED: Final[list[tuple[dict[str, Any], str]]] = [
    ({"to": []}, ""),
    ({"to": [{"address": "nobody"}]}, ".to[0].address"),
    ({"to": [{"address": "x\r\nRCPT TO:<y@z.test>"}]}, ".to[0].address"),
    ({"cc": [{"address": "a@b.test>\r\n"}]}, ".cc[0].address"),
    ({"bcc": [{"address": "a b@c.test"}]}, ".bcc[0].address"),
    ({"replyTo": [{"address": "a@b.test", "displayName": "x\r\ny"}]}, ".replyTo[0].displayName"),
    ({"subject": "a\r\nBcc: x@y.test"}, ".subject"),
    ({"headers": [{"name": "X-A", "value": "b\r\nBcc: x@y.test"}]}, ".headers[0].value"),
    ({"headers": [{"name": "X A", "value": "b"}]}, ".headers[0].name"),
    ({"headers": [{"name": "Bcc", "value": "x@y.test"}]}, ".headers[0].name"),
    ({"headers": [{"name": "From", "value": "x@y.test"}]}, ".headers[0].name"),
    ({"from": {"address": "else@elsewhere.test"}}, ".from.address"),
    ({"internetMessageId": "a b"}, ".internetMessageId"),
    ({"internetMessageId": "a@b>\r\nX: y"}, ".internetMessageId"),
    ({"attachments": [{"filename": "a\r\nb", "content": "eA=="}]}, ".attachments[0].filename"),
    ({"attachments": [{"contentType": "a/b\r\nc", "content": "eA=="}]}, ".attachments[0].contentType"),
    ({"to": [{"address": f"u{n}@x.test"} for n in range(1_001)]}, ".to"),
]


@pytest.mark.parametrize(("fields", "at"), COMPOSED)
async def test_a_message_that_cannot_be_sent_is_refused_by_field(
    fields: dict[str, Any], at: str, sender: Sender
) -> None:
    """Threats T03 and T35: nothing of the caller's becomes a line of SMTP or of the header; no foreign sender."""
    reply = refused(await sender.submit({"composed": sender.composed(**fields)}), 400, "REQUEST_INVALID")
    assert reply.fields == [f"submission.composed{at}"]
    assert await sender.submissions() == []


@pytest.mark.parametrize(
    ("submission", "fields", "at"),
    [
        (None, {}, "submission"),
        ({}, {}, "submission"),
        ({"raw": base64.b64encode(b"no header").decode()}, {}, "submission.raw"),
        ({"raw": base64.b64encode(b"From: x@y.test\r\nTo: z@y.test\r\n\r\nhi").decode()}, {}, "submission.raw"),
        ({"composed": None, "sendTime": "2090-01-01T00:00:00Z"}, {}, "submission.sendTime"),
        ({"composed": None, "envelope": {"to": ["a@b.test\r\n"]}}, {}, "submission.envelope.to[0]"),
        ({"composed": None, "envelope": {"from": "x@y.test", "to": ["a@b.test"]}}, {}, "submission.envelope.from"),
        ({"composed": None}, {"requestId": "a b"}, "requestId"),
        ({"composed": None}, {"requestId": "x" * 129}, "requestId"),
    ],
)  # fmt: skip
async def test_a_submission_that_cannot_be_is_refused_by_field(
    submission: dict[str, Any] | None, fields: dict[str, Any], at: str, sender: Sender
) -> None:
    if submission and "composed" in submission:
        submission = {**submission, "composed": sender.composed()}
    reply = refused(await sender.submit(submission, **fields), 400, "REQUEST_INVALID")
    assert reply.fields == [at]
    assert await sender.submissions() == []


@pytest.mark.parametrize("later", ["relay", "dsn", "tracking", "template", "recipients"])
async def test_what_is_not_served_yet_is_not_left_out_in_silence(later: str, sender: Sender) -> None:
    value: Any = {"relay": "relays/r", "recipients": [{"address": "a@b.test"}]}.get(later, {})
    refused(await sender.submit({"composed": sender.composed(), later: value}), 501, "NOT_IMPLEMENTED")
    assert await sender.submissions() == []


async def test_checking_only_shows_the_bytes_and_keeps_nothing(sender: Sender) -> None:
    wanted = {
        "composed": sender.composed(
            bcc=[{"address": "hidden@x.test"}], internetMessageId="check@sandbox.test"
        )
    }
    shown = (await sender.submit(wanted, validateOnly=True, requestId="checked")).ok()["submission"]
    raw = base64.b64decode(shown["raw"])
    assert raw.count(b"\n") == raw.count(b"\r\n")
    assert b"Message-ID: <check@sandbox.test>" in raw
    assert b"hidden@x.test" not in raw
    assert (shown["name"], int(shown["message"]["sizeBytes"])) == ("", len(raw))
    assert sender.to in shown["envelope"]["to"]
    assert "hidden@x.test" in shown["envelope"]["to"]
    assert await sender.submissions() == []
    sent = (await sender.submit({"composed": sender.composed()}, requestId="checked")).ok()["submission"]
    assert "raw" not in sent
    refused(
        await sender.submit({"composed": sender.composed(to=[])}, validateOnly=True), 400, "REQUEST_INVALID"
    )
    reply = await sender.rest.call("POST", f"/v1/{sender.account}/submissions?validateOnly=true", {})
    refused(reply, 400, "REQUEST_INVALID")


async def test_a_submission_is_shown_from_acceptance_to_its_end(sender: Sender, rpc: Rpc) -> None:
    wanted = secrets.token_hex(8)
    made = (await sender.submit({"composed": sender.composed()}, requestId=wanted)).ok()["submission"]
    again = (await sender.submit({"composed": sender.composed()}, requestId=wanted)).ok()["submission"]
    assert made["name"] == again["name"]
    done = await sender.relayed(made["name"])
    assert done["requestId"] == wanted
    assert done["envelope"] == {"from": sender.own, "to": [sender.to]}
    assert [one["state"] for one in done["recipients"]] == ["ACCEPTED"]
    assert len(done["attempts"]) == 1
    assert done["internetMessageId"] == made["internetMessageId"]
    assert "composed" not in done
    assert "raw" not in done
    assert (await sender.submit({"composed": sender.composed()}, requestId=wanted)).ok()["submission"][
        "state"
    ] == "RELAYED"
    refused(
        await sender.submit({"composed": sender.composed(subject="Else")}, requestId=wanted),
        409,
        "REQUEST_ID_REUSED",
    )
    request = rpc.request("SubmissionService/SubmitMessage", parent=sender.account, request_id=wanted)
    request.submission.composed.to.add(address=sender.to)  # type: ignore[attr-defined]
    found = await rpc.refused("SubmissionService/SubmitMessage", request)
    assert (found.code, found.reason) == ("ALREADY_EXISTS", "REQUEST_ID_REUSED")


async def test_submissions_are_listed_by_state_and_page(sender: Sender) -> None:
    rest, path = sender.rest, f"/v1/{sender.account}/submissions"
    names = []
    for number in range(3):
        composed = sender.composed(subject=str(number))
        names.append(
            (await sender.submit({"composed": composed, "sendTime": LATER})).ok()["submission"]["name"]
        )
    assert {one["state"] for one in await sender.submissions()} == {"SCHEDULED"}
    assert (await rest.get(f"{path}?states=RELAYED"))["submissions"] == []
    first = await rest.get(f"{path}?states=SCHEDULED&pageSize=2")
    second = await rest.get(f"{path}?states=SCHEDULED&pageSize=2&pageToken={first['nextPageToken']}")
    assert sorted(one["name"] for one in first["submissions"] + second["submissions"]) == sorted(names)
    refused(await rest.call("GET", f"{path}?pageToken={first['nextPageToken']}"), 400, "PAGE_TOKEN_INVALID")
    refused(await rest.call("GET", f"{path}?pageSize=-1"), 400, "REQUEST_INVALID")
    refused(await rest.call("GET", f"{path}?states=NOPE"), 400, "REQUEST_INVALID")
    refused(await rest.call("GET", f"{path}/s0"), 404, "SUBMISSION_NOT_FOUND")
    other = names[0].replace(sender.account, "accounts/nobody")
    refused(await rest.call("GET", f"/v1/{other}"), 404, "ACCOUNT_NOT_FOUND")


async def upload(sender: Sender, raw: bytes, query: str = "", *, token: str | None = None) -> Reply:
    path = f"/v1/{sender.account}/submissions:upload{query}"
    return await sender.rest.call(
        "POST", path, raw=raw, headers={"content-type": "message/rfc822"}, token=token
    )


async def test_a_large_message_goes_by_upload(sender: Sender) -> None:
    head = f"From: <{sender.own}>\r\nTo: <{sender.to}>\r\nSubject: Large\r\nMessage-ID: <large@sandbox.test>\r\n\r\n"
    raw = head.encode() + (b"x" * 76 + b"\r\n") * (20 * MEGABYTE // 78)
    made = (await upload(sender, raw, "?requestId=large")).ok()["submission"]
    again = (await upload(sender, raw, "?requestId=large")).ok()["submission"]
    assert made["name"] == again["name"]
    assert made["internetMessageId"] == "large@sandbox.test"
    await sender.relayed(made["name"])
    refused(await upload(sender, raw[:-10], "?requestId=large"), 409, "REQUEST_ID_REUSED")
    refused(await upload(sender, b"nonsense"), 400, "REQUEST_INVALID")
    refused(await upload(sender, b""), 400, "REQUEST_INVALID")
    refused(await upload(sender, raw, "?parent=accounts/other"), 400, "REQUEST_INVALID")
    refused(await upload(sender, raw, "?sendTime=soon"), 400, "REQUEST_INVALID")
    refused(await upload(sender, raw, token=""), 401, "TOKEN_MISSING")
    refused(await upload(sender, head.encode() + b"x" * 60 * MEGABYTE), 400, "MESSAGE_TOO_LARGE")


async def test_twenty_callers_with_one_request_id_over_grpc_send_one_message(
    sender: Sender, rpc: Rpc
) -> None:
    """Fault F26, as test_refusals has it over REST."""
    request = rpc.request("SubmissionService/SubmitMessage", parent=sender.account, request_id="one-of-many")
    request.submission.composed.subject = "Once"  # type: ignore[attr-defined]
    request.submission.composed.to.add(address=sender.to)  # type: ignore[attr-defined]
    answers = await asyncio.gather(*(rpc.call("SubmissionService/SubmitMessage", request) for _ in range(20)))
    assert len({one.submission.name for one in answers}) == 1
    await sender.relayed(answers[0].submission.name)
    assert len(await sender.submissions()) == 1
