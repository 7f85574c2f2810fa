"""Keys and scripts, statically: one module spells keys, one slot per script, checks before writes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import postroom_server.store
import pytest
from postroom_server.domain.storage import Shard
from postroom_server.ids import AccountId, SubmissionId, TokenId
from postroom_server.store.keys import AccountKeys, Keys, ShardKeys, SiteKeys, TokenKeys
from postroom_server.store.scripts import (
    FOLDER,
    Script,
    accounts,
    leases,
    load,
    outbox,
    sandbox,
    snapshots,
    tokens,
)

STORE = Path(postroom_server.store.__file__).parent
KEYS = Keys(64)
ANN = KEYS.account(AccountId("ann"))
WORDS = r"\b(lease|epoch|order|total|due|ohint|accounts|gone|meta|config|names|snap|feed|subs|final|idem)\b"
GROUPS = (accounts, leases, outbox, sandbox, snapshots, tokens)


def scripts() -> Iterator[type[Script]]:
    for group in GROUPS:
        for one in vars(group).values():
            if isinstance(one, type) and issubclass(one, Script) and one is not Script:
                yield one


EXAMPLES: dict[str, Any] = {
    "account": ANN,
    "shard": ShardKeys(Shard(7)),
    "submission": SubmissionId("s1"),
    "token": TokenId("t1"),
    "request_id": "r-1",
    "limits": accounts.FeedLimits(age_ms=1, bytes=1),
    "feed": accounts.FeedLimits(age_ms=1, bytes=1),
    "secrets": {"imap.password": b"x"},
    "expected": ("QUEUED", 1),
    "new": ("QUEUED", 1),
    "mailbox": 3,
    "counters": None,
    "fields": [("p1", b"", b"x")],
    "chunks": [("1.u.0", b"x")],
    "mailboxes": [(1, b"x")],
    "entries": [b"x"],
    "add": ["a"],
    "remove": ["b"],
    "messages": [1, 2],
    "enter": [1],
    "leave": [2],
    "raw": b"raw",
}


def example(script: type[Script]) -> Script:
    """A call with every field given."""
    values = {one.name: EXAMPLES.get(one.name, "x") for one in fields(script)}  # type: ignore[arg-type]
    if script is accounts.RequestClaim or script is sandbox.AddressRelease:
        values["account"] = "ann"
    if script in {outbox.BodyPut, outbox.OutboxSubmit}:
        values["limits"] = outbox.OutboxLimits(items=1, bytes=1)
    if script is outbox.OutboxSubmit:
        values["chunks"] = 1
    return script(**values)


def slot(key: str) -> str:
    """What decides the slot: the text in the first braces, else the whole key."""
    found = re.search(r"\{(.+?)\}", key)
    return found[1] if found else key


@pytest.mark.parametrize("script", list(scripts()), ids=lambda one: one.file)
def test_all_keys_of_a_script_share_one_slot(script: type[Script]) -> None:
    """I9: no key outside one tag is used in a multi-key script."""
    keys = example(script).keys()
    assert len({slot(key) for key in keys}) == 1
    assert all(key.startswith("pr:") for key in keys)


@pytest.mark.parametrize("script", list(scripts()), ids=lambda one: one.file)
def test_a_script_gets_the_keys_and_arguments_that_its_header_names(script: type[Script]) -> None:
    text = (FOLDER / f"{script.file}.lua").read_text()
    header = "\n".join(line for line in text.splitlines()[1:] if line.startswith("--"))
    named = header[header.index("KEYS") : header.find("ARGV") if "ARGV" in header else None]
    numbers = [int(one) for one in re.findall(r"(?:^|\s)(\d+)(?:\.\.)?\s", named)]
    call = example(script)
    given = len(call.keys())
    assert given >= max(numbers), named
    if f"{max(numbers)}.." not in named:
        assert given == max(numbers), named
    assert call.args() is not None


def test_every_script_has_one_class_and_every_class_its_script() -> None:
    files = {path.stem for path in FOLDER.glob("*.lua") if path.read_text().startswith("#!lua")}
    assert sorted(one.file for one in scripts()) == sorted(files)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.lua")), ids=lambda path: path.stem)
def test_no_script_spells_a_key(path: Path) -> None:
    assert "pr:" not in path.read_text()
    assert not re.search(r"redis\.call\('\w+', '", path.read_text().replace("redis.call('TIME')", ""))


@pytest.mark.parametrize("name", sorted({one.file for one in scripts()}))
def test_a_script_declares_how_it_behaves_when_memory_is_full(name: str) -> None:
    """Without `#!lua` a script may write past the limit and stop half done."""
    source = load(name)
    first = source.text.decode().splitlines()[0]
    assert first in {"#!lua", "#!lua flags=allow-oom", "#!lua flags=no-writes"}
    assert b"-- include" not in source.text


def test_no_module_but_keys_spells_a_key() -> None:
    for path in STORE.rglob("*.py"):
        if path.name in {"keys.py", "records_pb2.py"}:
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            strings = re.findall(r"[\"']([^\"']*)[\"']", line)
            for text in strings:
                assert "pr:" not in text, f"{path.name}:{number}"
                assert not re.fullmatch(rf".*[:}}]{WORDS}:?.*", text), f"{path.name}:{number}: {text}"


def test_keys_of_an_account_are_all_different_and_under_its_prefix() -> None:
    names = [
        name for name, one in vars(AccountKeys).items() if isinstance(one, property) and name != "prefix"
    ]
    keys = [getattr(ANN, name) for name in names]
    keys += [ANN.item(SubmissionId("s")), ANN.body(SubmissionId("s")), ANN.request("r")]
    assert len(set(keys)) == len(keys)
    assert all(key.startswith(ANN.prefix) for key in keys)


def test_no_account_can_reach_the_keys_of_another() -> None:
    """The id stands between colons, and no id has one."""
    other = KEYS.account(AccountId("ann2"))
    assert not other.prefix.startswith(ANN.prefix)
    assert KEYS.account(AccountId("Ann")).prefix.lower() != other.prefix.lower()


def test_shards_have_four_digits() -> None:
    assert ShardKeys(Shard(7)).lease == "pr:{s0007}:lease"
    assert KEYS.account(AccountId("ann")).meta == f"pr:{{s{ANN.shard.shard:04d}}}:a:ann:meta"
    assert TokenKeys.secrets.startswith("pr:{tok}:")
    assert SiteKeys.request("r-1") != SiteKeys.request("r-2")
