"""The commands for people beside a real server, with and without --json.

They run in this process, where a command starts at once; in one of their own where the end of a process, a terminal or a pipe
is what is tested.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import pty
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pytest
from postroom.cli import main
from postroom.cli.listing import amount
from postroom.cli.output import as_json, plain, plain_text
from postroom.cli.reading import _new, safe
from postroom.cli.session import Usage
from postroom.cli.watching import CursorFile
from postroom.v1.message_pb2 import Message

from tests.fixtures.dovecot import PASSWORD, Dovecot, free_ports
from tests.fixtures.eventually import wait_until
from tests.fixtures.postroom import Up

POSTROOM: Final = str(Path(sys.executable).parent / "postroom")
SECONDS: Final = 30
BIG: Final = 6 * 1024 * 1024
PRIVATE: Final = ("POSTROOM_URL", "POSTROOM_TOKEN", "POSTROOM_TOKEN_FILE")


class Cli:
    """Runs `postroom` in a folder of its own."""

    def __init__(self, up: Up, folder: Path) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if name not in PRIVATE}
        self.places = {"POSTROOM_URL": up.url, "POSTROOM_TOKEN_FILE": str(up.data / "token")}
        self.environment = {**kept, **self.places}

    def __call__(
        self, *words: str, code: int = 0, given: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """A command that has to end with this code, in this process."""
        streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="\n") for _ in range(2)]
        with pytest.MonkeyPatch.context() as patch:
            for name in PRIVATE:
                patch.delenv(name, raising=False)
            for name, value in {**self.places, **environment}.items():
                patch.setenv(name, value)
            patch.chdir(self.folder)
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
            patch.setattr(sys, "stdout", streams[0])
            patch.setattr(sys, "stderr", streams[1])
            try:
                ended = main(words)
            except SystemExit as left:
                ended = int(str(left.code))
        return self._ended(words, code, ended, *map(_text, streams))

    def process(
        self, *words: str | bytes, code: int = 0, given: bytes = b"", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """A command that has to end with this code, as a process of its own."""
        done = subprocess.run(
            [POSTROOM, *words], check=False, cwd=self.folder, capture_output=True, input=given,
            timeout=SECONDS, env={**self.environment, **environment},
        )  # fmt: skip
        return self._ended(words, code, done.returncode, done.stdout.decode(), done.stderr.decode())

    def _ended(
        self, words: Sequence[str | bytes], code: int, ended: int, stdout: str, stderr: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.CompletedProcess(words, ended, stdout, stderr)
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def json(self, *words: str, **options: Any) -> list[dict[str, Any]]:
        """What it prints with --json: one object a line."""
        return [json.loads(line) for line in self(*words, "--json", **options).stdout.splitlines()]

    @contextlib.contextmanager
    def running(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """A command that does not end by itself."""
        process = subprocess.Popen(
            [POSTROOM, *words], cwd=self.folder, text=True, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - a background job ignores it
        )  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def sandbox(self) -> str:
        """A connected sandbox account; its id."""
        name = f"c{secrets.token_hex(5)}"
        self("accounts", "add", name, "--sandbox")
        return name

    def sent(self, account: str, *words: str, given: str = "hello") -> str:
        """Sends to the account itself and waits; the name of what arrived."""
        before = {one["name"] for one in self.json("messages", account)}
        to = () if "--raw" in words else ("--to", f"{account}@sandbox.test")
        assert self("send", account, *to, "--wait", *words, given=given).stdout.count("\n") >= 1
        arrived: list[str] = []

        def look() -> bool:
            arrived.extend(one["name"] for one in self.json("messages", account) if one["name"] not in before)
            return bool(arrived)

        wait_until(look, within=10)
        return arrived[0]


def _text(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


@pytest.fixture
def cli(postroom: Up, tmp_path: Path) -> Cli:
    return Cli(postroom, tmp_path)


def lines_of(process: subprocess.Popen[str], text: str) -> str:
    """The first line of its output that holds a text."""
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return line
    raise AssertionError(f"ended without {text!r}")


def test_a_sandbox_account_from_its_beginning_to_its_end(cli: Cli) -> None:
    name = f"c{secrets.token_hex(5)}"
    added = cli("accounts", "add", name, "--sandbox", "--display-name", "Ann")
    assert f"accounts/{name} CONNECTED" in added.stderr
    assert "state:   CONNECTED" in added.stdout
    row = next(line for line in cli("accounts", "list").stdout.splitlines() if line.startswith(name))
    assert row.split("\t")[:4] == [name, "CONNECTED", "sandbox", f"{name}@sandbox.test"]
    assert name in {one["name"].removeprefix("accounts/") for one in cli.json("accounts", "list")}
    assert [one["email"] for one in cli.json("accounts", "list", "--email", name)] == [f"{name}@sandbox.test"]
    assert cli.json("accounts", "list", "--email", name, "--state", "PAUSED") == []
    assert cli.json("accounts", "show", name)[0]["displayName"] == "Ann"
    assert "Ann" in cli("accounts", "show", name).stdout
    assert "--yes" in cli("accounts", "remove", name, code=2).stderr
    assert "removed" in cli("accounts", "remove", name, "--yes").stdout
    assert "ACCOUNT_NOT_FOUND" in cli("accounts", "show", name, code=1).stderr


def test_an_account_is_added_as_json(cli: Cli) -> None:
    name = f"c{secrets.token_hex(5)}"
    assert cli.json("accounts", "add", name, "--sandbox")[0]["state"] == "CONNECTED"
    again = cli("accounts", "add", name, "--sandbox", "--json", code=1)
    assert again.stdout == ""
    assert "ACCOUNT_EXISTS" in again.stderr
    assert cli.json("accounts", "remove", name, "--yes") == [{}]


def test_an_imap_account_is_added_and_a_wrong_password_is_explained(
    cli: Cli, dovecot: Dovecot, mail_user: str
) -> None:
    name, file = f"c{secrets.token_hex(5)}", cli.folder / "password"
    words = (
        "--email", mail_user, "--imap-host", dovecot.host, "--imap-port", str(dovecot.imap_port),
        "--imap-security", "NONE", "--password-file",
    )  # fmt: skip
    file.write_text(f"{PASSWORD}\n")
    added = cli("accounts", "add", name, *words, str(file))
    assert f"imap:    {mail_user} at {dovecot.host}:{dovecot.imap_port} (NONE)" in added.stdout
    assert cli.json("mailboxes", name)
    dovecot.deliver(mail_user, b"Subject: for the command line\r\n\r\nhello\r\n")

    def arrived() -> bool:
        return "for the command line" in cli("messages", name).stdout

    wait_until(arrived, within=10)
    failed = cli("accounts", "add", f"{name}x", *words, "-", given="wrong-canary-7r\n", code=1)
    assert "CREDENTIALS_REJECTED" in failed.stderr
    assert f"postroom tail {name}x" in failed.stderr
    said = cli("tail", f"{name}x", "--no-follow").stdout
    assert "AUTHENTICATIONFAILED" in said
    assert "wrong-canary" not in said + failed.stdout + failed.stderr


def test_a_server_that_is_not_there_is_explained(cli: Cli) -> None:
    file = cli.folder / "password"
    file.write_text("secret")
    port = str(free_ports(1)[0])
    failed = cli(
        "accounts", "add", "--email", "a@b.test", "--imap-host", "127.0.0.1", "--imap-port", port,
        "--imap-security", "NONE", "--password-file", str(file), code=1,
    )  # fmt: skip
    assert "PROVIDER_UNREACHABLE: cannot connect: connection refused" in failed.stderr


def test_mailboxes_are_listed(cli: Cli) -> None:
    name = cli.sandbox()
    heading, *rows = cli("mailboxes", name).stdout.splitlines()
    assert heading.split("\t")[:3] == ["MAILBOX", "PATH", "ROLE"]
    assert "inbox" in [row.split("\t")[2] for row in rows]
    assert "inbox" in [one["role"] for one in cli.json("mailboxes", f"accounts/{name}")]


def test_messages_are_sent_listed_shown_and_searched(cli: Cli) -> None:
    name = cli.sandbox()
    address = f"{name}@sandbox.test"
    raw = f"From: {address}\nTo: Ann <{address}>\nSubject: =?utf-8?Q?First=1B[2J?=\n\nline one\n"
    message = cli.sent(name, "--raw", "-", given=raw)
    listed = cli("messages", name).stdout
    assert message in listed
    assert "First" in listed
    assert "\x1b" not in listed
    shown = cli("show", message).stdout
    assert "subject: First [2J\n" in shown
    assert shown.endswith("line one\n")
    assert "message-id:" in cli("show", message, "--headers").stdout
    assert cli.json("show", message)[0]["text"].strip() == "line one"
    assert message in cli("search", name, "line", "one").stdout
    assert [one["name"] for one in cli.json("search", name, "--subject", "First")] == [message]
    assert cli.json("search", name, "--subject", "First", "--since", "2999-01-01") == []
    assert "nothing found" in cli("search", name, "nowhere-at-all").stderr
    assert cli.json("messages", name, "inbox", "--limit", "1")[0]["name"] == message
    path = next(one for one in cli.json("mailboxes", name) if one["role"] == "inbox")
    assert cli.json("messages", path["name"])[0]["name"] == message
    assert cli.json("messages", name, path["path"])[0]["name"] == message
    assert "has no mailbox 'Nope'" in cli("messages", name, "Nope", code=2).stderr


def test_a_submission_is_followed_to_its_end(cli: Cli) -> None:
    name = cli.sandbox()
    states = [
        one["state"]
        for one in cli.json("send", name, "--to", f"{name}@sandbox.test", "--text", "x", "--wait")
    ]
    assert states[-1] == "RELAYED"
    failed = cli("send", name, "--to", "nobody@nowhere.test", "--text", "x", "--wait", code=1)
    assert "FAILED" in failed.stdout
    assert "nobody@nowhere.test was refused" in failed.stderr
    assert "QUEUED" in cli("send", name, "--to", f"{name}@sandbox.test", "--text", "x").stdout


def test_the_same_request_id_is_sent_once(cli: Cli) -> None:
    name = cli.sandbox()
    words = ("send", name, "--to", f"{name}@sandbox.test", "--text", "x", "--request-id", "once")
    assert cli.json(*words)[0]["name"] == cli.json(*words)[0]["name"]


@pytest.mark.parametrize("size", [1_000, BIG])
def test_an_attachment_comes_back_as_it_was_also_a_large_one(cli: Cli, size: int) -> None:
    name, content = cli.sandbox(), secrets.token_bytes(size)
    (cli.folder / "räport.bin").write_bytes(content)
    (cli.folder / "notes.txt").write_text("notes\n")
    message = cli.sent(
        name, "--subject", "files", "--html", "<p>hi</p>", "--attach", "räport.bin", "notes.txt"
    )
    found = cli.json("show", message)[0]
    assert [one["filename"] for one in found["attachments"]] == ["räport.bin", "notes.txt"]
    assert "<p>hi</p>" in cli("show", message, "--html").stdout
    attachment = found["attachments"][0]["name"]
    assert "is there already" in cli("download", attachment, code=2).stderr
    (cli.folder / "räport.bin").unlink()
    assert "räport.bin" in cli("download", attachment).stderr
    assert (cli.folder / "räport.bin").read_bytes() == content
    cli("download", attachment, "-o", "other", "--force")
    assert (cli.folder / "other").read_bytes() == content
    cli("download", message)
    source = cli.folder / f"{message.rpartition('/')[2]}.eml"
    assert b"Subject: files" in source.read_bytes()
    assert "Subject: files" in cli("download", message, "--output", "-").stdout


def test_a_ready_message_is_sent_from_a_file_and_from_a_pipe(cli: Cli) -> None:
    name = cli.sandbox()
    address = f"{name}@sandbox.test"
    raw = f"From: {address}\nTo: {address}\nSubject: ready\n\nhello\n"
    (cli.folder / "ready.eml").write_text(raw)
    cli("send", name, "--raw", "ready.eml", "--wait")
    cli("send", name, "--raw", "-", "--wait", given=raw)
    assert [one["subject"] for one in cli.json("messages", name)] == ["ready", "ready"]


def test_a_download_that_fails_leaves_no_file(cli: Cli) -> None:
    name = cli.sandbox()
    cli("download", f"accounts/{name}/messages/zzzz", "-o", "kept", code=1)
    assert list(cli.folder.iterdir()) == []
    (cli.folder / "kept").write_text("mine")
    cli("download", f"accounts/{name}/messages/zzzz", "-o", "kept", "--force", code=1)
    assert [(one.name, one.read_text()) for one in cli.folder.iterdir()] == [("kept", "mine")]


def test_a_download_is_there_whole_or_not_at_all(cli: Cli) -> None:
    name = cli.sandbox()
    message = cli.sent(name, "--subject", "whole")
    (cli.folder / "behind").write_text("old")
    (cli.folder / "link").symlink_to("behind")
    cli("download", message, "-o", "link", "--force")
    assert "Subject: whole" in (cli.folder / "behind").read_text()
    assert (cli.folder / "link").is_symlink()
    cli("download", message, "-o", "/dev/null", "--force")
    assert not Path("/dev/null").is_file()
    part, taken = cli.folder / "part", cli.folder / "taken"
    with _new(part, force=False) as target:
        target.write(b"all")
        assert not part.exists()
    part.unlink()
    with pytest.raises(Usage), _new(taken, force=False):
        taken.write_text("meanwhile")
    assert sorted(one.name for one in cli.folder.iterdir()) == ["behind", "link", "taken"]


def test_a_watch_tells_changes_and_goes_on_from_its_file(cli: Cli) -> None:
    name = cli.sandbox()
    words = ("watch", name, "--cursor-file", "cursor", "--from", "EARLIEST", "--count")
    first = cli(*words, "2")
    assert [line.split()[2] for line in first.stdout.splitlines()] == [
        "ACCOUNT_ADDED",
        "ACCOUNT_STATE_CHANGED",
    ]
    assert "-- catching up" in first.stderr
    third = cli.json(*words, "1")[0]
    assert (third["account"], third["sequence"]) == (f"accounts/{name}", "3")
    assert (cli.folder / "cursor").read_text().strip() == third["cursor"]
    message = cli.sent(name, "--subject", "watched")
    kind = ("--kind", "MESSAGE_ADDED", "--mailbox", "inbox")
    [added] = cli.json("watch", name, "--from", "EARLIEST", "--count", "1", *kind)
    assert added["messageAdded"]["message"]["name"] == message
    assert [path.name for path in cli.folder.iterdir()] == ["cursor"]


def test_a_watch_that_had_nothing_to_tell_goes_on_from_where_it_was(cli: Cli) -> None:
    name = cli.sandbox()
    words = ("watch", name, "--cursor-file", "cursor", "--kind", "MESSAGE_ADDED")
    with cli.running(*words) as process:
        assert process.stderr is not None
        assert any("live" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 130
    message = cli.sent(name, "--subject", "in between")
    [added] = cli.json(*words, "--mailbox", "inbox", "--count", "1")
    assert added["messageAdded"]["message"]["name"] == message


def test_a_watch_shows_what_happens_while_it_runs_and_ends_by_ctrl_c(cli: Cli) -> None:
    name = cli.sandbox()
    with cli.running("watch", "--kind", "MESSAGE_ADDED", name) as process:
        assert process.stderr is not None
        assert any("live" in line for line in process.stderr)
        cli.sent(name, "--subject", "as it happens")
        assert "as it happens" in lines_of(process, "MESSAGE_ADDED")
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 130
        assert process.stderr.read() == ""


def test_a_watch_waits_for_a_server(cli: Cli) -> None:
    cli.environment["POSTROOM_URL"] = f"http://127.0.0.1:{free_ports(1)[0]}"
    with cli.running("watch") as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "-- connecting\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 130


def test_a_dialogue_is_shown_and_followed(cli: Cli) -> None:
    name = cli.sandbox()
    kept = cli("tail", name, "--no-follow", "--lines", "3").stdout.splitlines()
    assert len(kept) == 3
    assert {"time", "session", "direction", "text"} == set(cli.json("tail", name, "--no-follow")[0])
    with cli.running("tail", name, "-n", "1") as process:
        assert process.stdout is not None
        process.stdout.readline()
        cli.sent(name, "--subject", "said")
        assert "> APPEND" in lines_of(process, "APPEND")
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 130
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_a_dialogue_goes_on_when_its_node_dies(own_postroom: Up, tmp_path: Path) -> None:
    cli = Cli(own_postroom, tmp_path)
    name = cli.sandbox()
    with cli.running("tail", name) as process:
        lines_of(process, "CONNECTED")
        own_postroom.wait_replaced("node", own_postroom.kill("node"))
        cli.sent(name, "--subject", "after the death")
        assert "> APPEND" in lines_of(process, "APPEND")
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 130


@pytest.mark.parametrize("words", [("watch", "--from", "EARLIEST"), ("accounts", "list"), ("tail",)])
def test_a_reader_who_leaves_ends_it_quietly(cli: Cli, words: tuple[str, ...]) -> None:
    name = cli.sandbox()
    words = (*words, name) if words[0] != "accounts" else words
    with cli.running(*words) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        process.stdout = None
        if words[0] != "accounts":
            for number in range(3):
                cli.sent(name, "--subject", str(number))
        assert process.wait(SECONDS) == 0
        assert process.stderr is not None
        assert "Error" not in process.stderr.read()


def test_streams_that_are_closed_or_full_are_no_crash(cli: Cli) -> None:
    cli.sandbox()
    for line, code in (("accounts list >&-", 0), ("accounts list 2>&-", 0), ("accounts list >/dev/full", 1)):
        done = subprocess.run(
            ["/bin/sh", "-c", f"{POSTROOM} {line}"], check=False, env=cli.environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, timeout=SECONDS,
        )  # fmt: skip
        assert done.returncode == code
        assert "Traceback" not in done.stderr


def test_the_token_comes_from_option_environment_and_folder(cli: Cli, postroom: Up) -> None:
    token = (postroom.data / "token").read_text().strip()
    assert "TOKEN_INVALID" in cli("accounts", "list", code=1, POSTROOM_TOKEN="wrong").stderr
    cli("accounts", "list", "--token-file", str(postroom.data / "token"), POSTROOM_TOKEN="wrong")
    cli("accounts", "list", POSTROOM_TOKEN=token, POSTROOM_TOKEN_FILE="/nowhere")
    assert "no token" in cli("accounts", "list", code=2, POSTROOM_TOKEN_FILE="/nowhere").stderr
    (cli.folder / ".postroom").symlink_to(postroom.data)
    cli("accounts", "list", POSTROOM_TOKEN_FILE="")


def test_a_server_that_does_not_listen_is_told_at_once(cli: Cli) -> None:
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    begun = time.monotonic()
    failed = cli("accounts", "list", "--server", url, code=1)
    assert time.monotonic() - begun < 5
    assert f"no server at {url} (connection refused)" in failed.stderr


@pytest.mark.parametrize(
    "words",
    [
        (), ("nope",), ("accounts",), ("accounts", "add"), ("accounts", "add", "--sandbox", "--imap-host", "h"),
        ("accounts", "add", "--imap-host", "h", "--email", "a@b.c"), ("search", "ann"), ("send", "ann"),
        ("send", "ann", "--to", "no address", "--text", "x"), ("send", "ann", "--to", "a@b.c", "--attach", "none"),
        ("watch", "--kind", "NOPE"), ("tail", "ann", "--lines", "0"), ("show",), ("messages",), ("mailboxes",),
        ("accounts", "list", "--server", "http://127.0.0.1:port"), ("accounts", "add", "--password", "secret"),
        ("accounts", "list", "--server", "ftp://127.0.0.1"), ("watch", "--server", "https://h/mail"),
        ("accounts", "add", "--imap-host", "h", "--imap-port", "99999999999", "--email", "a@b.c"),
        ("tail", "ann", "--lines", "99999999999"), ("watch", "--count", "0"), ("messages", "ann", "--limit", "-1"),
        ("send", "ann", "--raw", "-", "--to", "a@b.c"), ("send", "ann", "--raw", "-", "--attach", "f"),
    ],
)  # fmt: skip
def test_a_command_line_that_cannot_be_understood_ends_with_2(cli: Cli, words: tuple[str, ...]) -> None:
    assert cli(*words, code=2).stdout == ""


def test_what_is_no_utf_8_is_said(cli: Cli) -> None:
    assert "not UTF-8" in cli.process("search", "ann", b"\xff", code=2).stderr
    assert "not UTF-8" in cli.process("send", "ann", "--to", "a@b.c", given=b"a\xff", code=2).stderr


def test_too_much_on_standard_input_is_refused_and_not_cut(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroom.cli.sending.LARGEST_BYTES", 10)
    assert "MiB" in cli("send", "ann", "--raw", "-", code=2, given="To: a@b.c\n\nx").stderr


def test_the_script_says_its_version_and_its_commands_on_stdout(cli: Cli) -> None:
    assert cli("--version").stdout == f"postroom {version('postroom')}\n"
    assert "  watch " in cli.process("--help").stdout
    assert "  watch " in cli(code=2).stderr


def test_a_terminal_of_few_letters_gets_what_it_has(cli: Cli) -> None:
    name = cli.sandbox()
    message = cli.sent(name, "--subject", "Gr\u00fc\u00dfe")
    narrow = {"PYTHONIOENCODING": "ascii"}
    assert "subject: Gr??e" in cli.process("show", message, **narrow).stdout
    listed = cli.process("messages", name, "--json", **narrow).stdout
    assert json.loads(listed)["subject"] == "Gr\u00fc\u00dfe"


def test_a_mailbox_that_is_not_there_cannot_write_on_the_terminal(cli: Cli) -> None:
    assert "\x1b" not in cli("messages", cli.sandbox(), "\x1b[2J\n", code=2).stderr


def on_a_terminal(cli: Cli, *words: str, typed: str = "", code: int = 0) -> str:
    """What a command writes when a terminal is all that it has; `typed` is what somebody types there."""
    environment = {**cli.environment, "TERM": "xterm-256color", "COLUMNS": "160"}
    process, master = pty.fork()
    if process == 0:
        os.chdir(cli.folder)
        os.execve(POSTROOM, [POSTROOM, *words], environment)
    shown = b""
    with contextlib.suppress(OSError):
        while piece := os.read(master, 65_536):
            shown += piece
            if typed and shown.endswith((b": ", b"] ")):
                os.write(master, typed.encode())
                typed = ""
    os.close(master)
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == code, shown
    return shown.decode()


def test_a_terminal_gets_a_table_and_colours_and_a_pipe_does_not(cli: Cli) -> None:
    name = cli.sandbox()
    table = on_a_terminal(cli, "accounts", "list", "--email", name)
    assert "\x1b[1m" in table
    assert "\t" not in table
    assert "CONNECTED" in table
    assert "\x1b" not in on_a_terminal(cli, "accounts", "list", "--json", "--email", name)
    assert "\x1b" in on_a_terminal(cli, "watch", name, "--from", "EARLIEST", "--count", "1")
    assert "\x1b" in on_a_terminal(cli, "send", name, "--to", f"{name}@sandbox.test", "--text", "x", "--wait")


def test_a_terminal_is_asked_for_what_must_not_be_an_argument(
    cli: Cli, dovecot: Dovecot, mail_user: str
) -> None:
    name = f"c{secrets.token_hex(5)}"
    shown = on_a_terminal(
        cli, "accounts", "add", name, "--email", mail_user, "--imap-host", dovecot.host,
        "--imap-port", str(dovecot.imap_port), "--imap-security", "NONE", typed=f"{PASSWORD}\n",
    )  # fmt: skip
    assert f"Password of {mail_user}:" in shown
    assert "CONNECTED" in shown
    assert "Remove" in on_a_terminal(cli, "accounts", "remove", name, typed="n\n", code=1)
    assert "Traceback" not in on_a_terminal(cli, "accounts", "remove", name, typed="\x04", code=1)
    assert "removed" in on_a_terminal(cli, "accounts", "remove", name, typed="y\n")


def test_what_a_mail_says_cannot_write_on_the_terminal() -> None:
    assert plain("a\x1b]0;title\x07b\r\nc\u202ed") == "a ]0;title b  c d"
    message = Message(subject="a\u202e\x9b\x1bb")
    assert json.loads(as_json(message))["subject"] == message.subject
    assert not set(as_json(message)) & {"\u202e", "\x9b", "\x1b"}
    assert plain_text("one\r\n\ttwo\x1b[2J\x9b\n") == "one\n\ttwo[2J\n"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("report.pdf", "report.pdf"), ("../../etc/passwd", "_.._etc_passwd"), ("..", "attachment"),
        ("/etc/passwd", "_etc_passwd"), (".bashrc", "bashrc"), ("a\x00b\u202ec.txt", "a b c.txt"),
        ("", "attachment"), ("-rf", "rf"), ("räport 1.txt", "räport 1.txt"), ("字" * 120, "字" * 66),
    ],
)  # fmt: skip
def test_a_file_name_of_a_mail_is_never_a_path(given: str, expected: str) -> None:
    assert safe(given) == expected


def test_sizes_are_for_people() -> None:
    assert [amount(one) for one in (0, 999, 1_000, 12_345, 5_000_000, 10**10)] == [
        "0 B", "999 B", "1.0 KB", "12 KB", "5.0 MB", "10.0 GB",
    ]  # fmt: skip


async def test_a_cursor_file_is_whole_whoever_reads_it(tmp_path: Path) -> None:
    file = CursorFile(tmp_path / "cursor")
    assert file.read() == ""
    stop = asyncio.Event()
    seen: set[int] = set()

    async def look() -> None:
        while not stop.is_set():
            seen.add(len(file.read()))
            await asyncio.sleep(0)

    looking = asyncio.ensure_future(look())
    for number in range(200):
        file.write(f"{number:0100d}")
        await asyncio.sleep(0)
    stop.set()
    await looking
    assert seen <= {0, 100}
    assert [path.name for path in tmp_path.iterdir()] == ["cursor"]
