"""What `postroom up` prints: the lines that it asks people to paste do what it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from postroom_server.app.welcome import curl_options, lines_to_paste, reach

from tests.fixtures.eventually import wait_until
from tests.fixtures.postroom import Up

SHELL_SECONDS = 30
ARRIVES_WITHIN = 15.0
WIDEST_TERMINAL = 120


class TlsUp(Up):
    """An installation whose health nobody can ask without its authority."""

    def healthy(self) -> bool:
        return True


def pasted_lines(up: Up) -> str:
    """The statements of the box: what stands between the empty line and the last rule."""
    box = re.compile(r"arrive\.\n\n(.*?)^─+$", re.MULTILINE | re.DOTALL)
    log = up.data / "up.log"
    wait_until(lambda: box.search(log.read_text()), within=ARRIVES_WITHIN)
    return box.findall(log.read_text())[-1]


def paste(up: Up, folder: Path) -> list[dict]:
    """Pastes the box's lines into a shell in `folder`; answers the frames and answers that came, once a message is there."""
    out = folder / "terminal"
    with out.open("w") as terminal:
        shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc"], cwd=folder, text=True, stdin=subprocess.PIPE,
            stdout=terminal, stderr=subprocess.STDOUT, start_new_session=True, env={**os.environ, "CURL_HOME": str(folder)},
        )  # fmt: skip
        try:
            assert shell.stdin is not None
            shell.stdin.write(pasted_lines(up))
            shell.stdin.flush()
            wait_until(lambda: "messageAdded" in out.read_text(), within=ARRIVES_WITHIN)
        except AssertionError:
            raise AssertionError(out.read_text()) from None
        finally:
            os.killpg(shell.pid, 9)
            shell.wait(SHELL_SECONDS)
    decoder, text, rows = json.JSONDecoder(), out.read_text(), []
    while (start := text.find('{"')) >= 0:
        row, end = decoder.raw_decode(text, start)
        rows.append(row)
        text = text[end:]
    return rows


def added(rows: list[dict]) -> list[str]:
    facts = [row["change"]["messageAdded"] for row in rows if "messageAdded" in row.get("change", {})]
    return [fact["message"]["subject"] for fact in facts]


def test_the_lines_of_the_box_make_an_account_and_show_a_message_arrive(own_postroom: Up, tmp_path: Path):
    rows = paste(own_postroom, tmp_path)

    assert "account" in rows[0]
    assert any("submission" in row for row in rows)
    assert "Hello" in added(rows)
    assert max(map(len, pasted_lines(own_postroom).splitlines())) <= WIDEST_TERMINAL


def test_the_lines_of_the_box_work_again_after_a_restart(own_postroom: Up, tmp_path: Path):
    paste(own_postroom, tmp_path)
    own_postroom.stop()
    own_postroom.start()

    assert added(paste(own_postroom, tmp_path))


def certificate(folder: Path, *names: str) -> list[str]:
    """Files of a certificate for `names`, as options."""
    made = trustme.CA().issue_cert(*names)
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(b"".join(one.bytes() for one in made.cert_chain_pems))
    made.private_key_pem.write_to_path(key)
    return ["--tls-cert", str(chain), "--tls-key", str(key)]


@pytest.fixture(params=["127.0.0.1", "mail.example.com"])
def tls_postroom(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Up]:
    """An installation with a certificate for the address that it listens on, or for its name elsewhere."""
    server = TlsUp(*certificate(tmp_path, request.param))
    try:
        server.start()
        yield server
    finally:
        server.close()


def test_the_lines_of_the_box_work_over_tls(tls_postroom: Up, tmp_path: Path):
    assert "https://" in pasted_lines(tls_postroom)
    assert "Hello" in added(paste(tls_postroom, tmp_path))


def test_a_folder_with_a_space_is_quoted(tmp_path: Path):
    folder = tmp_path / "my mail"
    folder.mkdir()
    (folder / "curl").write_text(curl_options("t", reach("http://127.0.0.1:1", None)))
    line = lines_to_paste("http://127.0.0.1:1", folder / "curl").splitlines()[0].rstrip("\\")

    done = subprocess.run(["bash", "-c", line], check=False, text=True, capture_output=True)

    assert done.returncode == 7, done.stderr  # the address is understood; nobody listens there


def test_a_certificate_that_cannot_be_read_keeps_the_address(tmp_path: Path):
    broken = tmp_path / "chain.pem"
    broken.write_text("not a certificate")

    assert reach("https://127.0.0.1:8443", broken).url == "https://127.0.0.1:8443"
