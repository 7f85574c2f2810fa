"""A message goes out through a real SMTP server, is filed, found, flagged and read back."""

from __future__ import annotations

import base64
import secrets
from typing import Any

from tests.fixtures.dovecot import Dovecot
from tests.fixtures.eventually import eventually
from tests.fixtures.mail import imap_account
from tests.fixtures.rest import Rest
from tests.fixtures.smtpd import Smtpd

SENT_WITHIN = 10.0


def composed(*to: str, **more: Any) -> dict[str, Any]:
    """A submission's `composed`."""
    return {"to": [{"address": one} for one in to], "subject": "Grüße", "text": "Bis bald.\n", **more}


async def sent(rest: Rest, name: str, state: str = "RELAYED") -> dict[str, Any]:
    """Waits until a submission has a state and returns it."""

    async def reached() -> dict[str, Any]:
        found: dict[str, Any] = (await rest.get(f"/v1/{name}"))["submission"]
        assert found["state"] == state, found["attempts"]
        return found

    return await eventually(reached, within=SENT_WITHIN)


async def test_a_submission_reaches_the_smtp_server_once_and_is_filed_under_sent(
    rest: Rest, watch: Any, dovecot: Dovecot, mail_user: str, smtpd: Smtpd
) -> None:
    dovecot.create(mail_user, "Sent")
    account = await rest.account(**imap_account(dovecot, mail_user, smtp_port=smtpd.port))
    watcher = await watch(rest, account)
    content = secrets.token_bytes(3_000)
    attachment = {
        "filename": "Übersicht.bin",
        "contentType": "application/octet-stream",
        "content": base64.b64encode(content).decode(),
    }
    to = f"friend-{secrets.token_hex(4)}@elsewhere.test"
    body = {
        "requestId": "r1",
        "submission": {"composed": composed(to, bcc=[{"address": f"b{to}"}], attachments=[attachment])},
    }
    made = (await rest.post(f"/v1/{account}/submissions", body))["submission"]
    done = await sent(rest, made["name"])
    assert {row["address"]: row["state"] for row in done["recipients"]} == {
        to: "ACCEPTED",
        f"b{to}": "ACCEPTED",
    }
    mine = [one for one in smtpd.messages if to in one.recipients]
    assert len(mine) == 1
    assert sorted(mine[0].recipients) == sorted([to, f"b{to}"])
    assert f"b{to}".encode() not in mine[0].raw
    assert f"<{done['internetMessageId']}>".encode() in mine[0].raw

    await eventually(lambda: watcher.added() == [done["internetMessageId"]], within=SENT_WITHIN)
    listed = await rest.get(f"/v1/{account}/mailboxes/sent/messages?pageSize=10")
    filed = (await rest.get(f"/v1/{listed['messages'][0]['name']}?view=FULL"))["message"]
    assert (filed["subject"], filed["text"].strip()) == ("Grüße", "Bis bald.")
    assert filed["attachments"][0]["filename"] == "Übersicht.bin"
    download = await rest.call("GET", f"/v1/{filed['attachments'][0]['name']}/content")
    assert (download.status, download.body) == (200, content)
    part = await rest.call("GET", f"/v1/{filed['attachments'][0]['name']}/content?offset=100&length=100")
    assert (part.status, part.body) == (200, content[100:200])


async def test_a_submission_that_is_only_validated_sends_nothing(
    rest: Rest, dovecot: Dovecot, mail_user: str, smtpd: Smtpd
) -> None:
    account = await rest.account(**imap_account(dovecot, mail_user, smtp_port=smtpd.port))
    to = f"nobody-{secrets.token_hex(4)}@elsewhere.test"
    body = {"validateOnly": True, "submission": {"composed": composed(to)}}
    await rest.post(f"/v1/{account}/submissions", body)
    wrong = {"validateOnly": True, "submission": {"composed": composed("not an address")}}
    reply = await rest.call("POST", f"/v1/{account}/submissions", wrong)
    assert reply.status == 400
    assert reply.fields == ["submission.composed.to[0].address"]
    assert (await rest.get(f"/v1/{account}/submissions")).get("submissions", []) == []
    assert [one for one in smtpd.messages if to in one.recipients] == []


async def test_submissions_states_are_in_the_feed(
    rest: Rest, watch: Any, dovecot: Dovecot, mail_user: str, smtpd: Smtpd
) -> None:
    account = await rest.account(**imap_account(dovecot, mail_user, smtp_port=smtpd.port))
    watcher = await watch(rest, account)
    body = {"requestId": "r1", "submission": {"composed": composed("friend@elsewhere.test")}}
    name = (await rest.post(f"/v1/{account}/submissions", body))["submission"]["name"]

    def states() -> list[str]:
        seen = [one["submissionChanged"]["submission"] for one in watcher.of("submissionChanged")]
        return [one["state"] for one in seen if one["name"] == name]

    await eventually(lambda: "RELAYED" in states(), within=SENT_WITHIN)
    assert states()[0] in {"QUEUED", "SENDING"}


async def test_flags_set_here_are_set_at_the_provider_and_come_back_as_one_change(
    rest: Rest, watch: Any, dovecot: Dovecot, mail_user: str
) -> None:
    account = await rest.account(**imap_account(dovecot, mail_user))
    watcher = await watch(rest, account)
    dovecot.deliver(mail_user, b"Subject: needle in hay\r\nMessage-ID: <n@x.test>\r\n\r\nx\r\n")
    added = await eventually(lambda: watcher.of("messageAdded"), within=SENT_WITHIN)
    name = added[0]["messageAdded"]["message"]["name"]
    body = {"names": [name], "addFlags": ["$seen", "$flagged"]}
    answer = await rest.post(f"/v1/{account}/messages:modify", body)
    assert "error" not in answer["results"][0]
    assert set(dovecot.truth(mail_user).popitem()[1]) == {"\\Seen", "\\Flagged"}
    changes = await eventually(lambda: watcher.of("flagsChanged"), within=SENT_WITHIN)
    assert set(changes[0]["flagsChanged"]["flags"]) == {"$seen", "$flagged"}
    found = await rest.post(
        f"/v1/{account}:searchMessages",
        {"mailboxes": ["inbox"], "filter": {"condition": {"subject": "needle"}}},
    )
    assert [row["name"] for row in found["messages"]] == [name]
    missed = await rest.post(
        f"/v1/{account}:searchMessages",
        {"mailboxes": ["inbox"], "filter": {"condition": {"subject": "haystack"}}},
    )
    assert missed.get("messages", []) == []
    assert len(watcher.of("flagsChanged")) == 1


async def test_a_refused_recipient_is_a_state_of_the_submission_not_an_error_of_the_call(rest: Rest) -> None:
    account = await rest.account(sandbox={})
    body = {"requestId": "r1", "submission": {"composed": composed("no-such-person@sandbox.test")}}
    name = (await rest.post(f"/v1/{account}/submissions", body))["submission"]["name"]
    done = await sent(rest, name, "FAILED")
    assert done["recipients"][0]["state"] == "REFUSED"
    assert done["recipients"][0]["reply"].startswith("550")


async def test_a_range_of_a_download_is_a_partial_answer(rest: Rest) -> None:
    """RFC 9110 §14: where the size is known, `Range` is answered with 206, and one past the end with 416."""
    account = await rest.account(sandbox={})
    email = (await rest.get(f"/v1/{account}"))["account"]["email"]
    content = secrets.token_bytes(3_000)
    attachment = {"filename": "a.bin", "contentType": "application/octet-stream"}
    attachment["content"] = base64.b64encode(content).decode()
    body = {"requestId": "r1", "submission": {"composed": composed(email, attachments=[attachment])}}
    await sent(rest, (await rest.post(f"/v1/{account}/submissions", body))["submission"]["name"])
    page = await rest.get(f"/v1/{account}/changes?from=EARLIEST&kinds=MESSAGE_ADDED&wait=10s")
    message = page["changes"][0]["messageAdded"]["message"]["name"]
    found = (await rest.get(f"/v1/{message}?view=FULL"))["message"]["attachments"][0]
    path = f"/v1/{found['name']}/content"
    whole = await rest.call("GET", path)
    assert (whole.status, whole.body) == (200, content)
    part = await rest.call("GET", path, headers={"range": "bytes=100-199"})
    assert (part.status, part.body) == (206, content[100:200])
    assert part.headers["content-range"] == "bytes 100-199/3000"
    beyond = await rest.call("GET", path, headers={"range": "bytes=5000-"})
    assert beyond.status == 416
    same = await rest.call("GET", path, headers={"if-none-match": whole.headers["etag"]})
    assert (same.status, same.body) == (304, b"")
