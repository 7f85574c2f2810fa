"""Files of one data folder."""

from __future__ import annotations

import os
import stat

import pytest
from postroom_server.app.places import (
    FolderInUse,
    lock,
    prepare,
    read_state,
    write_json,
    write_new_key,
    write_secret,
)


def test_a_secret_is_its_owners_alone_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        write_secret(tmp_path / "secret", b"x")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["secret"]


def test_a_secret_replaces_what_was_there_with_its_mode(tmp_path):
    (tmp_path / "secret").write_text("old")
    (tmp_path / "secret").chmod(0o644)

    write_secret(tmp_path / "secret", b"new")

    assert (tmp_path / "secret").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_a_key_is_never_replaced(tmp_path):
    """What the old one sealed would be lost."""
    write_new_key(tmp_path / "key")
    before = (tmp_path / "key").read_bytes()

    with pytest.raises(FileExistsError):
        write_new_key(tmp_path / "key")
    prepare(tmp_path)

    assert (tmp_path / "key").read_bytes() == before
    assert len(before) == 32


def test_a_folder_is_locked_until_the_lock_is_closed(tmp_path):
    held = lock(tmp_path)
    with pytest.raises(FolderInUse, match=str(os.getpid())):
        lock(tmp_path)

    os.close(held)

    os.close(lock(tmp_path))


@pytest.mark.parametrize("content", [None, b"", b"{", b"[1]", b"\xff", b"{" * 100_000])
def test_a_state_that_cannot_be_read_is_empty(tmp_path, content):
    if content is not None:
        (tmp_path / "node-1.json").write_bytes(content)

    assert read_state(tmp_path / "node-1.json") == {}


def test_a_state_is_read_as_it_was_written(tmp_path):
    write_json(tmp_path / "node-1.json", {"nonce": "n", "pid": 1})

    assert read_state(tmp_path / "node-1.json") == {"nonce": "n", "pid": 1}
