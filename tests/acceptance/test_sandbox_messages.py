"""Messages of sandbox accounts of every profile: delivered, filed, moved, copied, deleted, and what the feed says."""

from __future__ import annotations

from typing import Any

from tests.fixtures.eventually import eventually
from tests.fixtures.rest import Rest, Watcher, refused
from tests.fixtures.rpc import Rpc
from tests.fixtures.sandboxes import (
    LASTING,
    changes,
    deliver,
    encoded,
    facts,
    listed,
    mailboxes,
    named,
    raw_letter,
)


async def test_the_profile_is_shown_and_cannot_be_changed(rest: Rest, account: str, profile: str) -> None:
    assert (await rest.get(f"/v1/{account}"))["account"]["sandbox"] == {"profile": profile}
    other = "GRAPH" if profile != "GRAPH" else "IMAP"
    reply = await rest.call("PATCH", f"/v1/{account}", {"sandbox": {"profile": other}})
    assert refused(reply, 400, "REQUEST_INVALID").fields == ["account.sandbox.profile"]
    await rest.call("PATCH", f"/v1/{account}", {"sandbox": {"profile": profile}, "displayName": "Ann"})
    assert (await rest.get(f"/v1/{account}"))["account"]["sandbox"] == {"profile": profile}


async def test_a_delivered_message_has_its_name_and_is_told_as_remote(
    rest: Rest, account: str, watch: Any
) -> None:
    watcher = await watch(rest, account)
    message = await deliver(rest, account, "one", flags=["$flagged", "project-x"])
    assert message["flags"] == ["$flagged", "project-x"]
    assert (await rest.get(f"/v1/{message['name']}"))["message"]["text"].strip() == "Words of one."
    (told,) = await changes(watcher, "messageAdded")
    assert told["messageAdded"]["message"]["name"] == message["name"]
    assert told["cause"]["kind"] == "REMOTE"
    assert message["mailboxes"] == [await named(rest, account, "inbox")]


async def test_mail_arrives_in_any_mailbox_at_any_time(rest: Rest, account: str) -> None:
    junk = await named(rest, account, "junk")
    message = await deliver(rest, account, "spam", mailbox=junk, receiveTime="2020-02-03T04:05:06Z")
    assert message["mailboxes"] == [junk]
    assert message["receiveTime"] == "2020-02-03T04:05:06Z"
    assert await listed(rest, account, "junk") == ["spam"]
    assert (await deliver(rest, account, "sent", mailbox="sent"))["mailboxes"] == [
        await named(rest, account, "sent")
    ]


async def test_a_large_message_arrives_too(rest: Rest, rpc: Rpc) -> None:
    """Over REST up to the gateway's 8 MiB of JSON, over gRPC more."""
    account = await rest.account(sandbox={})
    raw = raw_letter("large") + b"x" * 5_000_000
    found = (await rest.post(f"/v1/{account}:deliver", {"raw": encoded(raw)}))["message"]
    assert int(found["sizeBytes"]) == len(raw)
    more = raw_letter("larger") + b"x" * 20_000_000
    made = await rpc.call("SandboxService/DeliverMessage", name=account, raw=more)
    assert made.message.size_bytes == len(more)


async def test_a_filed_message_is_put_down_to_its_call(rest: Rest, account: str, watch: Any) -> None:
    watcher = await watch(rest, account)
    answer = await rest.call(
        "POST",
        f"/v1/{account}/mailboxes/drafts/messages",
        {"raw": encoded(raw_letter("draft")), "flags": ["$draft"], "receiveTime": "2021-01-01T00:00:00Z"},
        headers={"x-request-id": "file-1"},
    )
    message = answer.ok()["message"]
    assert (message["flags"], message["receiveTime"]) == (["$draft"], "2021-01-01T00:00:00Z")
    (told,) = await changes(watcher, "messageAdded")
    assert told["messageAdded"]["message"]["name"] == message["name"]
    assert told["cause"] == {"kind": "API", "requestId": answer.headers["x-request-id"]}


async def test_what_arrives_after_a_message_of_a_call_is_not_put_down_to_that_call(
    rest: Rest, account: str, watch: Any
) -> None:
    """Not with the same Message-ID, nor with none, nor in the place that a call moved its like to."""
    watcher = await watch(rest, account)
    nameless = encoded(raw_letter("x").partition(b"Message-ID")[0] + b"\r\nWords.\r\n")
    for raw in (nameless, encoded(raw_letter("one"))):
        await rest.post(f"/v1/{account}/mailboxes/inbox/messages", {"raw": raw})
        await rest.post(f"/v1/{account}:deliver", {"raw": raw})
    told = await changes(watcher, "messageAdded", count=4)
    assert [one["cause"]["kind"] for one in told] == ["API", "REMOTE"] * 2
    name = told[3]["messageAdded"]["message"]["name"]
    await rest.post(f"/v1/{account}/messages:move", {"names": [name], "to": "drafts"})
    arrived = (await deliver(rest, account, "one", mailbox="drafts"))["name"]

    def of_it(added: list[dict[str, Any]]) -> list[str]:
        return [one["cause"]["kind"] for one in added if one["messageAdded"]["message"]["name"] == arrived]

    await eventually(lambda: bool(of_it(_added(watcher))), within=15.0)
    assert of_it(_added(watcher)) == ["REMOTE"]


def _added(watcher: Watcher) -> list[dict[str, Any]]:
    found = [one["change"] for one in watcher.frames if "change" in one]
    return [one for one in found if "messageAdded" in one]


async def test_a_composed_draft_keeps_its_blind_copies(rest: Rest, account: str) -> None:
    composed = {"bcc": [{"address": "zoe@sandbox.test"}], "subject": "Half", "text": "Not done."}
    answer = await rest.post(f"/v1/{account}/mailboxes/drafts/messages", {"composed": composed})
    found = (await rest.get(f"/v1/{answer['message']['name']}"))["message"]
    assert (found["subject"], found["text"].strip()) == ("Half", "Not done.")
    assert [one["address"] for one in found["bcc"]] == ["zoe@sandbox.test"]


async def test_an_upload_files_the_bytes_as_they_are(rest: Rest, rpc: Rpc, account: str) -> None:
    raw = raw_letter("large") + b"x" * 3_000_000 + b"\r\n"
    reply = await rest.call(
        "POST",
        f"/v1/{account}/mailboxes/drafts/messages:upload?flags=$seen",
        raw=raw,
        headers={"content-type": "message/rfc822"},
    )
    message = reply.ok()["message"]
    assert message["flags"] == ["$seen"]
    assert (await rest.call("GET", f"/v1/{message['name']}/source")).body == raw
    pieces = [
        rpc.request("MessageService/UploadMessage", parent=f"{account}/mailboxes/drafts"),
        *(
            rpc.request("MessageService/UploadMessage", content={"data": raw[at : at + 900_000]})
            for at in range(0, len(raw), 900_000)
        ),
    ]
    again = await rpc.upload("MessageService/UploadMessage", pieces)
    assert (await rest.call("GET", f"/v1/{again.message.name}/source")).body == raw


async def test_a_moved_message(rest: Rest, account: str, profile: str, watch: Any) -> None:
    """It keeps its name where keys are for life, and is told as one change; else as removed and added."""
    message = (await deliver(rest, account, "one"))["name"]
    watcher = await watch(rest, account)
    reply = await rest.call("POST", f"/v1/{account}/messages:move", {"names": [message], "to": "trash"})
    (result,) = reply.ok()["results"]
    assert result["name"] == message
    cause = {"kind": "API", "requestId": reply.headers["x-request-id"]}
    trash, inbox = await named(rest, account, "trash"), await named(rest, account, "inbox")
    if profile in LASTING:
        (told,) = await changes(watcher, "messageMoved", "mailboxesChanged")
        assert told["messageMoved"]["message"] == message == result["result"]
        assert (told["messageMoved"]["from"], told["messageMoved"]["to"]) == (inbox, trash)
        assert told["cause"] == cause
        assert facts(watcher) == ["messageMoved"]
    else:
        gone, added = await changes(watcher, "messageRemoved", "messageAdded", count=2)
        if "messageAdded" in gone:
            gone, added = added, gone
        assert gone["messageRemoved"]["message"] == message
        assert added["messageAdded"]["message"]["name"] == result["result"]
        assert gone["cause"] == added["cause"] == cause
    assert (await rest.get(f"/v1/{result['result']}"))["message"]["mailboxes"] == [trash]
    assert (await listed(rest, account, "inbox"), await listed(rest, account, "trash")) == ([], ["one"])


async def test_a_copy(rest: Rest, account: str, profile: str, watch: Any) -> None:
    """A message of its own; with labels the same message in one more mailbox."""
    message = (await deliver(rest, account, "one"))["name"]
    watcher = await watch(rest, account)
    reply = await rest.call("POST", f"/v1/{account}/messages:copy", {"names": [message], "to": "junk"})
    (result,) = reply.ok()["results"]
    cause = {"kind": "API", "requestId": reply.headers["x-request-id"]}
    if profile == "GMAIL":
        (told,) = await changes(watcher, "mailboxesChanged")
        assert result["result"] == message
        assert len(told["mailboxesChanged"]["mailboxes"]) == 2
    else:
        (told,) = await changes(watcher, "messageAdded")
        assert result["result"] == told["messageAdded"]["message"]["name"] != message
    assert told["cause"] == cause
    assert (await listed(rest, account, "inbox"), await listed(rest, account, "junk")) == (["one"], ["one"])


async def test_deleting_once_is_the_trash_and_twice_is_for_good(rest: Rest, account: str, watch: Any) -> None:
    message = (await deliver(rest, account, "one"))["name"]
    (first,) = (await rest.post(f"/v1/{account}/messages:delete", {"names": [message]}))["results"]
    assert await listed(rest, account, "trash") == ["one"]
    watcher = await watch(rest, account)
    (second,) = (await rest.post(f"/v1/{account}/messages:delete", {"names": [first["result"]]}))["results"]
    assert second == {"name": first["result"], "result": ""}
    assert await listed(rest, account, "trash") == []
    (told,) = await changes(watcher, "messageRemoved")
    assert (told["messageRemoved"]["message"], told["cause"]["kind"]) == (first["result"], "API")
    refused(await rest.call("GET", f"/v1/{first['result']}"), 404, "MESSAGE_NOT_FOUND")


async def test_deleting_for_good_needs_one_call(rest: Rest, account: str) -> None:
    message = (await deliver(rest, account, "one"))["name"]
    body = {"names": [message], "permanent": True}
    assert (await rest.post(f"/v1/{account}/messages:delete", body))["results"] == [
        {"name": message, "result": ""}
    ]
    assert await listed(rest, account, "inbox") == await listed(rest, account, "trash") == []


async def test_each_message_of_a_batch_has_its_own_result(rest: Rest, rpc: Rpc, account: str) -> None:
    names = [(await deliver(rest, account, f"m{turn}"))["name"] for turn in range(3)]
    await rest.post(f"/v1/{account}/messages:delete", {"names": [names[1]], "permanent": True})
    moved = await rpc.call("MessageService/MoveMessages", parent=account, names=names, destination="trash")
    assert [one.name for one in moved.results] == names
    assert [one.HasField("error") for one in moved.results] == [False, True, False]
    assert moved.results[1].error.code == 5
    assert sorted(await listed(rest, account, "trash")) == ["m0", "m2"]


async def test_what_cannot_be_done_names_the_field(rest: Rest, account: str) -> None:
    message = (await deliver(rest, account, "one"))["name"]
    for path, body, field in (
        ("messages:move", {"names": [message]}, "to"),
        ("messages:move", {"to": "trash"}, "names"),
        ("messages:move", {"names": [message], "to": "nonsense"}, "to"),
        ("messages:move", {"names": [message], "to": "trash", "from": "trash"}, "from"),
        ("messages:copy", {"names": ["accounts/x/messages/AAAA"], "to": "trash"}, "names[0]"),
        (":deliver", {}, "raw"),
        (":deliver", {"raw": encoded(b"\r\n\r\nno header")}, "raw"),
        (":deliver", {"raw": encoded(raw_letter("x")), "mailbox": "nonsense"}, "mailbox"),
        (":deliver", {"raw": encoded(raw_letter("x")), "flags": ["two words"]}, "flags[0]"),
        ("mailboxes/drafts/messages", {}, "raw"),
        ("mailboxes/drafts/messages", {"composed": {"to": [{"address": "no"}]}}, "composed.to[0].address"),
    ):
        where = f"/v1/{account}{path}" if path.startswith(":") else f"/v1/{account}/{path}"
        reply = await rest.call("POST", where, body)
        assert refused(reply, 400, "REQUEST_INVALID").fields == [field], (path, body)
    gone = f"{account}/mailboxes/mAAAAAAAA"
    for path, body in (
        ("messages:move", {"names": [message], "to": gone}),
        ("mailboxes/mAAAAAAAA/messages", {"raw": encoded(raw_letter("x"))}),
    ):
        refused(await rest.call("POST", f"/v1/{account}/{path}", body), 404, "MAILBOX_NOT_FOUND")


async def test_mailboxes_by_difference_are_for_labels(
    rest: Rest, account: str, profile: str, watch: Any
) -> None:
    message = (await deliver(rest, account, "one"))["name"]
    watcher = await watch(rest, account)
    body = {"names": [message], "addMailboxes": ["sent", "drafts"], "removeMailboxes": ["inbox"]}
    reply = await rest.call("POST", f"/v1/{account}/messages:modify", body)
    if profile != "GMAIL":
        refused(reply, 400, "MEMBERSHIP_SINGLE")
        return
    assert reply.ok()["results"] == [{"name": message, "result": message}]
    (told,) = await changes(watcher, "mailboxesChanged")
    inbox, sent = await named(rest, account, "inbox"), await named(rest, account, "sent")
    assert told["mailboxesChanged"]["removed"] == [inbox]
    assert sent in told["mailboxesChanged"]["added"]
    assert told["cause"]["kind"] == "API"
    assert await listed(rest, account, "sent") == await listed(rest, account, "all") == ["one"]


async def test_all_mail_is_what_is_neither_trash_nor_junk(rest: Rest) -> None:
    account = await rest.account(sandbox={"profile": "GMAIL"})
    names = [(await deliver(rest, account, f"m{turn}"))["name"] for turn in range(3)]
    assert await listed(rest, account, "all") == ["m2", "m1", "m0"]
    await rest.post(f"/v1/{account}/messages:move", {"names": [names[0]], "to": "trash"})
    await rest.post(f"/v1/{account}/messages:move", {"names": [names[1]], "to": "all"})
    assert await listed(rest, account, "all") == ["m2", "m1"]
    assert await listed(rest, account, "inbox") == ["m2"]
    assert (await rest.get(f"/v1/{names[1]}"))["message"].get("mailboxes", []) == []
    rows = await mailboxes(rest, account)
    assert (rows["All Mail"]["virtual"], rows["All Mail"]["messageCount"]) == (True, 2)
