"""SubmissionService over a real server: what is accepted, as whom, once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.timestamp_pb2 import Timestamp
from postroom.v1 import composed_message_pb2, message_pb2
from postroom.v1 import submission_pb2 as sub
from postroom.v1 import submission_service_pb2 as pb

from tests.fixtures.serving import RealClock, ServedNode, bearer
from tests.unit.services.test_chain import an_account, call, refused

SERVICE = "/postroom.v1.SubmissionService/"
RAW = b"From: Ann <ann@example.com>\r\nTo: bob@example.com\r\nBcc: eve@example.com\r\nSubject: Hi\r\n\r\nText\r\n"


def composed(**fields: Any) -> sub.Submission:
    given = composed_message_pb2.ComposedMessage(
        to=[message_pb2.Address(address="bob@example.com")], subject="Hi", text="Text"
    )
    given.MergeFrom(composed_message_pb2.ComposedMessage(**fields))
    return sub.Submission(composed=given)


async def submit(served: ServedNode, submission: sub.Submission, **fields: Any) -> sub.Submission:
    await with_account(served)
    request = pb.SubmitMessageRequest(parent="accounts/ann", submission=submission, **fields)
    answer: pb.SubmitMessageResponse = await call(served, SERVICE + "SubmitMessage", request, bearer())
    return answer.submission


async def with_account(served: ServedNode) -> None:
    if not served.accounts.rows:
        await served.accounts.create(an_account("ann"), {}, request_id="", fingerprint="")


async def test_a_composed_message_is_accepted_and_comes_back_without_content(served: ServedNode) -> None:
    made = await submit(served, composed(bcc=[message_pb2.Address(address="eve@example.com")]))
    assert made.WhichOneof("content") is None
    assert sub.Submission.State.Name(made.state) == "QUEUED"
    assert made.envelope.from_address == "ann@example.com"
    assert list(made.envelope.to) == ["bob@example.com", "eve@example.com"]
    assert made.message.subject == "Hi"
    (raw,) = served.submissions.raws.values()
    assert b"eve@" not in raw
    assert f"<{made.internet_message_id}>".encode() in raw
    got = await call(served, SERVICE + "GetSubmission", pb.GetSubmissionRequest(name=made.name), bearer())
    assert got.submission == made


async def test_raw_bytes_go_as_they_are_without_bcc(served: ServedNode) -> None:
    made = await submit(served, sub.Submission(raw=RAW))
    (raw,) = served.submissions.raws.values()
    assert b"Bcc" not in raw
    assert list(made.envelope.to) == ["bob@example.com", "eve@example.com"]


async def test_checking_only_stores_nothing(served: ServedNode) -> None:
    made = await submit(served, composed(), validate_only=True)
    assert (made.name, made.message.subject) == ("", "Hi")
    assert not served.submissions.items


async def test_one_request_id_is_one_submission_and_another_body_is_refused(served: ServedNode) -> None:
    first = await submit(served, composed(), request_id="r1")
    assert (await submit(served, composed(), request_id="r1")).name == first.name
    request = pb.SubmitMessageRequest(
        parent="accounts/ann", submission=composed(subject="Other"), request_id="r1"
    )
    code, reason, _ = await refused(served, SERVICE + "SubmitMessage", request, bearer())
    assert (code, reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")


async def test_a_later_time_is_kept_and_a_past_one_means_now(served: ServedNode) -> None:
    later = Timestamp()
    later.FromDatetime(RealClock().now() + timedelta(hours=1))
    given = composed()
    given.send_time.CopyFrom(later)
    assert (await submit(served, given)).send_time == later
    past = composed()
    past.send_time.FromSeconds(1_000_000)
    assert not (await submit(served, past)).HasField("send_time")


def address(text: str) -> list[message_pb2.Address]:
    return [message_pb2.Address(address=text)]


@pytest.mark.parametrize(
    ("submission", "at"),
    [
        (sub.Submission(), "submission"),
        (composed(to=address("nobody")), "submission.composed.to[1].address"),
        (composed(to=address("a@b\r\nRCPT TO:<x@y>")), "submission.composed.to[1].address"),
        (composed(from_address=address("eve@example.com")[0]), "submission.composed.from.address"),
        (composed(headers=[message_pb2.Header(name="Bcc", value="x")]), "submission.composed.headers[0].name"),
        (composed(headers=[message_pb2.Header(name="X-A", value="a\r\nb")]), "submission.composed.headers[0].value"),
        (composed(subject="a\r\nBcc: x"), "submission.composed.subject"),
        (sub.Submission(raw=b"no header"), "submission.raw"),
        (sub.Submission(raw=RAW.replace(b"ann@", b"eve@")), "submission.raw"),
        (sub.Submission(raw=RAW, envelope=sub.Submission.Envelope(to=["x"])), "submission.envelope.to[0]"),
        (sub.Submission(raw=RAW, envelope=sub.Submission.Envelope(from_address="eve@x.example", to=["a@b.example"])),
         "submission.envelope.from"),
        (sub.Submission(raw=RAW, envelope=sub.Submission.Envelope(from_address="ann@example.com")),
         "submission.envelope.to"),
    ],
)  # fmt: skip
async def test_what_may_not_leave_is_refused_by_field(
    served: ServedNode, submission: sub.Submission, at: str
) -> None:
    """Threats T03, T04, T35."""
    await with_account(served)
    request = pb.SubmitMessageRequest(parent="accounts/ann", submission=submission)
    code, reason, told = await refused(served, SERVICE + "SubmitMessage", request, bearer())
    assert (code, reason, told["fields"]) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID", [at])
    assert not served.submissions.items


async def test_an_account_sends_as_a_subaddress_of_its_own(served: ServedNode) -> None:
    made = await submit(served, composed(from_address=address("Ann+news@example.com")[0]))
    assert made.envelope.from_address == "Ann+news@example.com"


async def test_an_unknown_account_is_told_before_the_body(served: ServedNode) -> None:
    request = pb.SubmitMessageRequest(parent="accounts/nobody", submission=sub.Submission())
    assert (await refused(served, SERVICE + "SubmitMessage", request, bearer()))[1] == "ACCOUNT_NOT_FOUND"


@pytest.mark.parametrize("request_id", ["a b", "x" * 129, "é", "a\n"])
async def test_a_request_id_is_printable_and_short(served: ServedNode, request_id: str) -> None:
    await with_account(served)
    request = pb.SubmitMessageRequest(parent="accounts/ann", submission=composed(), request_id=request_id)
    assert (await refused(served, SERVICE + "SubmitMessage", request, bearer()))[2]["fields"] == ["requestId"]


async def test_a_large_message_is_uploaded_in_pieces(served: ServedNode) -> None:
    await with_account(served)
    body = RAW + b"x" * 70 + b"\r\n"
    pieces = [
        pb.UploadSubmissionRequest(parent="accounts/ann", content=HttpBody(data=body[:40]), request_id="u1"),
        pb.UploadSubmissionRequest(content=HttpBody(data=body[40:])),
    ]
    upload: Any = served.channel.stream_unary(
        SERVICE + "UploadSubmission",
        request_serializer=pb.UploadSubmissionRequest.SerializeToString,
        response_deserializer=pb.UploadSubmissionResponse.FromString,
    )
    made = (await upload(iter(pieces), metadata=bearer())).submission
    assert (made.message.subject, made.request_id) == ("Hi", "u1")


async def test_submissions_are_listed_newest_first_by_state(served: ServedNode) -> None:
    names = [(await submit(served, composed(subject=str(number)))).name for number in range(3)]
    request = pb.ListSubmissionsRequest(parent="accounts/ann", page_size=2)
    page = await call(served, SERVICE + "ListSubmissions", request, bearer())
    request.page_token = page.next_page_token
    rest = await call(served, SERVICE + "ListSubmissions", request, bearer())
    assert [one.name for one in (*page.submissions, *rest.submissions)] == names[::-1]
    request = pb.ListSubmissionsRequest(parent="accounts/ann", states=["FAILED"])
    assert not (await call(served, SERVICE + "ListSubmissions", request, bearer())).submissions


@pytest.mark.parametrize("field", ["relay", "template", "tracking", "dsn"])
async def test_what_is_not_served_yet_is_refused_and_nothing_is_sent(served: ServedNode, field: str) -> None:
    await with_account(served)
    given = composed()
    if field == "relay":
        given.relay = "relays/r1"
    else:
        getattr(given, field).SetInParent()
    request = pb.SubmitMessageRequest(parent="accounts/ann", submission=given)
    _, reason, told = await refused(served, SERVICE + "SubmitMessage", request, bearer())
    assert (reason, told["metadata"]["field"]) == ("NOT_IMPLEMENTED", f"submission.{field}")
    assert not served.submissions.items
