"""No secret lies in the store in clear: not in its memory, not in its file, not after any step."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from postroom_server.domain.outbox import SubmissionState
from postroom_server.domain.storage import Step
from postroom_server.domain.tokens import Token
from postroom_server.errors import EtagMismatch
from postroom_server.ids import AccountId, TokenId
from postroom_server.store import Store

from tests.fixtures.store import KEY, NOON, OWNER, make_account, make_new, make_new_submission, register
from tests.fixtures.valkey import Valkey

ANN = AccountId("ann")
CANARIES = {
    "imap.password": "canary-imap-7f3a",
    "smtp.password": "canary-smtp-91bc",
    "oauth.refreshToken": "canary-refresh-d00d",
    "oauth.accessToken": "canary-access-beef",
}
BODY = "canary-body-5150"
BEARER = "canary-bearer-4711"


async def test_no_canary_is_found_on_disk(valkey: Valkey, store: Store) -> None:
    await register(store, "bob")
    await store.accounts.create(make_new("ann", secrets=CANARIES, request_id="r-1"))
    with pytest.raises(EtagMismatch):
        await store.accounts.update(make_account(), expected_revision=9, secrets=CANARIES)
    await store.accounts.update(make_account(), expected_revision=1, secrets=CANARIES)
    for account in ("ann", "bob"):
        raw = (f"Subject: x\r\n\r\n{BODY}\r\n" * 30_000).encode()
        await store.outbox.submit(make_new_submission("s1", account, raw=raw, request_id="r-2"))
        await store.outbox.submit(make_new_submission("s2", account, raw=raw, request_id="r-2"))
    (item,) = await store.outbox.take(AccountId("bob"), OWNER, 5_000, 5)
    await store.outbox.step(
        Step(
            nonce=OWNER,
            expected_state=item.state,
            expected_attempt=item.attempt_count,
            submission=replace(item, state=SubmissionState.RELAYED),
            due_ms=None,
            entry=None,
        )
    )
    token = Token(
        id=TokenId("t1"), display_name="", scopes=frozenset(), accounts=frozenset(), create_time=NOON
    )
    await store.tokens.create(token, hashlib.sha256(BEARER.encode()).digest())
    assert await store.accounts.secrets(ANN) == CANARIES

    await valkey.restart()
    on_disk = valkey.file()
    assert b"bob@example.org" in on_disk, "the file does not hold what was written"
    for canary in (*CANARIES.values(), BODY, BEARER):
        assert canary.encode() not in on_disk
    assert KEY not in on_disk
    assert KEY.hex().encode() not in on_disk
