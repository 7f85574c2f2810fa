"""What callers entrust to Postroom is nowhere to be read: not in answers, logs, metrics or what lies on disk (T13, T18)."""

from __future__ import annotations

import stat
from typing import Any

import aiohttp

from tests.fixtures.eventually import eventually
from tests.fixtures.postroom import Up
from tests.fixtures.rest import Rest

PASSWORDS = tuple(f"canary-password-{number}-q7x" for number in range(6))
BODY = "canary-body-w3k"


def server(password: str) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": 1, "security": "NONE", "username": "ann", "password": password}


async def entrust(rest: Rest) -> list[str]:
    """Every road by which a password or a text comes in, mistakes included; what was answered."""
    account = {"email": "ann@canary.test", "imap": server(PASSWORDS[0]), "smtp": server(PASSWORDS[1])}
    message = {"to": [{"address": "ben@canary.test"}], "subject": "hello", "text": BODY}
    replies = [
        await rest.call("POST", "/v1/accounts", {"accountId": "canary", "account": account}),
        await rest.call(
            "PATCH", "/v1/accounts/canary?updateMask=imap.password", {"imap": {"password": PASSWORDS[2]}}
        ),
        await rest.call(
            "POST", "/v1/accounts:verify", {"account": {**account, "imap": server(PASSWORDS[3])}}
        ),
        await rest.call("POST", "/v1/accounts", {"account": {"imap": {"passwrd": PASSWORDS[4]}}}),
        await rest.call("POST", "/v1/accounts", {"account": {"imap": server(PASSWORDS[5]), "emial": "x"}}),
        await rest.call("POST", "/v1/accounts/canary/submissions", {"submission": {"composed": message}}),
        await rest.call("GET", "/v1/accounts/canary"),
        await rest.call("GET", "/v1/accounts/canary/changes?from=EARLIEST"),
    ]
    assert [reply.status for reply in replies] == [200, 200, 200, 400, 400, 200, 200, 200]
    return [reply.body.decode() for reply in replies]


async def test_no_password_and_no_text_can_be_read_anywhere(
    own_postroom: Up, web: aiohttp.ClientSession
) -> None:
    rest = Rest(web, own_postroom.url, own_postroom.token)
    answers = await entrust(rest)

    async def tried() -> bool:
        found = await rest.call("GET", "/v1/accounts/canary")
        return bool(found.json["account"]["state"] == "UNREACHABLE")

    await eventually(tried, within=10)
    async with web.get(f"http://{own_postroom.up['nodes'][0]['admin']}/metrics") as metrics:
        shown = await metrics.text()
    told = "".join(answers) + shown
    assert [word for word in (*PASSWORDS, BODY) if word in told] == []
    files = {path: path.read_bytes() for path in own_postroom.data.rglob("*") if path.is_file()}
    assert len(files) >= 6
    for word in (*PASSWORDS, BODY):
        assert [path.name for path, content in files.items() if word.encode() in content] == []
    secret = own_postroom.token.encode()
    holders = {path.name for path, content in files.items() if secret in content}
    assert holders == {"token", "curl"}, (
        "the token's own file, and curl's options of the same owner beside it"
    )


async def test_the_data_folder_is_its_owners_only(own_postroom: Up) -> None:
    console = own_postroom.data / "up.log"  # the fixture's own, made before Postroom starts
    for path in {own_postroom.data, *own_postroom.data.rglob("*")} - {console}:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
