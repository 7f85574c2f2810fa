"""The TypeScript client: its own tests, its examples, the package as npm installs it, and a page in a browser."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import postroom as client_package
import pytest
import trustme
from postroom import testing
from postroom.v1.account_pb2 import Account

from tests.clients.browsers import CHROMIUM, page_server, shown_by
from tests.fixtures.eventually import eventually
from tests.fixtures.postroom import PROGRAM, Up

ROOT: Final = Path(__file__).resolve().parents[2]
CLIENT: Final = ROOT / "clients/ts"
EXAMPLES: Final = ROOT / "examples/typescript"
BUILD_SECONDS: Final = 60
RUN_SECONDS: Final = 40.0
TSC: Final = str(CLIENT / "node_modules/.bin/tsc")
ESBUILD: Final = str(CLIENT / "node_modules/.bin/esbuild")
UNIT: Final = ("small", "places", "calls", "watch")

pytestmark = pytest.mark.timeout(BUILD_SECONDS * 2)


def run(*command: str, folder: Path, server: Up | None = None, within: float = RUN_SECONDS) -> str:
    """Runs one command, beside the server if one is given; its output is the failure's message."""
    done = subprocess.run(
        command, cwd=folder, env=environment(server), text=True, check=False, timeout=within,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def environment(server: Up | None) -> dict[str, str]:
    places = {"POSTROOM_ADDRESS": server.grpc_address, "POSTROOM_TOKEN": server.token} if server else {}
    return {**os.environ, "POSTROOM_COMMAND": str(PROGRAM), "npm_config_update_notifier": "false", **places}


@pytest.fixture(scope="session")
def built() -> Path:
    """The client and its tests, compiled; the folder of the tests."""
    if shutil.which("node") is None or not (CLIENT / "node_modules").exists():
        pytest.skip("node is not installed, or its packages are not (npm ci in clients/ts)")
    run(TSC, "-p", "tsconfig.build.json", folder=CLIENT, within=BUILD_SECONDS)
    run(TSC, "-p", "tsconfig.test.json", folder=CLIENT, within=BUILD_SECONDS)
    return CLIENT / "dist/tests/test"


@pytest.fixture(scope="session")
def examples(built: Path) -> Path:
    """The examples, compiled; the folder of the programs."""
    if not (EXAMPLES / "node_modules").exists():
        run("npm", "ci", "--prefer-offline", "--no-audit", "--no-fund", folder=EXAMPLES, within=BUILD_SECONDS)
    run(TSC, folder=EXAMPLES, within=BUILD_SECONDS)
    return EXAMPLES / "dist"


@pytest.fixture(scope="session")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in a clean place that has the packed package; programs that use it and the README's, compiled strictly."""
    folder = tmp_path_factory.mktemp("installed")
    run("npm", "pack", "--silent", "--ignore-scripts", f"--pack-destination={folder}", folder=CLIENT)
    (package,) = folder.glob("postroom-*.tgz")
    (folder / "package.json").write_text('{"name": "user", "private": true, "type": "module"}')
    version = json.loads((CLIENT / "node_modules/@types/node/package.json").read_text())["version"]
    types = f"@types/node@{version}"
    run("npm", "install", "--silent", "--prefer-offline", "--no-audit", "--no-fund", str(package), types,
        folder=folder, within=BUILD_SECONDS)  # fmt: skip
    for source in (CLIENT / "test/installed").iterdir():
        shutil.copy(source, folder)
    for number, block in enumerate(
        re.findall(r"^```ts\n(.*?)^```$", (CLIENT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    ):
        (folder / f"readme_{number}.ts").write_text(block)
    run(TSC, folder=folder, within=BUILD_SECONDS)
    return folder


@pytest.fixture
async def account(postroom: Up) -> AsyncIterator[Account]:
    async with client_package.connect(postroom.grpc_address, postroom.token) as client:
        yield await testing.sandbox_account(client, f"ts-{uuid.uuid4().hex[:10]}")


def passed(printed: str) -> None:
    assert "# fail 0" in printed, printed
    assert "# skipped 0" in printed, printed


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """A folder with an authority, and with a certificate of it for this machine."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    return tmp_path


def test_it_keeps_every_rule_against_a_server_that_follows_a_script(
    built: Path, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTROOM_TEST_CERTIFICATES", str(certificates))
    passed(run("node", "--test", *(f"{name}.test.js" for name in UNIT), folder=built))


def test_it_works_over_grpc_and_over_grpc_web(built: Path, postroom: Up) -> None:
    passed(run("node", "--test", "live.test.js", folder=built, server=postroom))


def test_a_server_for_tests_is_started_and_ended(built: Path) -> None:
    passed(run("node", "--test", "testing.test.js", folder=built))


def test_the_quickstart_runs(examples: Path, postroom: Up) -> None:
    printed = run("node", "quickstart.js", folder=examples, server=postroom)
    assert "text: Sent by examples/typescript." in printed
    assert "change: MESSAGE_ADDED" in printed
    assert "removed: accounts/quickstart-" in printed


def test_an_attachment_is_sent_and_a_search_finds_it(
    examples: Path, postroom: Up, account: Account, tmp_path: Path
) -> None:
    invoice = tmp_path / "invoice.pdf"
    invoice.write_bytes(b"%PDF-1.7 " + os.urandom(50_000))
    sent = run(
        "node",
        "send_attachment.js",
        account.name,
        account.email,
        str(invoice),
        folder=examples,
        server=postroom,
    )
    assert "accepted: " + account.name in sent
    assert sent.strip().endswith("state: RELAYED")
    found = run("node", "search.js", account.name, "inbox", "invoice", folder=examples, server=postroom)
    assert "Here is invoice.pdf" in found
    assert found.strip().endswith("1 found")


def test_a_wrong_recipient_is_told_by_its_field(examples: Path, postroom: Up, account: Account) -> None:
    done = subprocess.run(
        ["node", "send_attachment.js", account.name, "nonsense", "search.js"],
        cwd=examples, env=environment(postroom), text=True, check=False, timeout=RUN_SECONDS, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "submission.composed.to[0].address: " in done.stderr


class Keeper:
    """The SQLite example as a process that is killed and started again."""

    def __init__(self, examples: Path, server: Up, account: Account, file: Path) -> None:
        self.file, self._server = file, server
        self._command = ["node", str(examples / "watch_sqlite.js"), str(file), account.name]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, env=environment(self._server), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )

    def end(self, how: int) -> int:
        assert self._process is not None
        self._process.send_signal(how)
        code = self._process.wait(RUN_SECONDS)
        self._process = None
        return code

    def close(self) -> None:
        if self._process is not None:
            self.end(signal.SIGKILL)

    def subjects(self) -> list[str]:
        """What was kept, as seen from a copy: the example's own lock is not one that others know."""
        copy = self.file.with_suffix(".copy")
        for suffix in ("", "-journal"):
            source = self.file.with_name(self.file.name + suffix)
            target = copy.with_name(copy.name + suffix)
            target.unlink(missing_ok=True)
            with contextlib.suppress(FileNotFoundError):  # a journal is there only within a transaction
                shutil.copy(source, target)
        connection = sqlite3.connect(copy)
        try:
            return [row[0] for row in connection.execute("SELECT subject FROM arrivals ORDER BY rowid")]
        except sqlite3.DatabaseError:
            return []
        finally:
            connection.close()


@pytest.fixture
def keeper(examples: Path, postroom: Up, account: Account, tmp_path: Path) -> Iterator[Keeper]:
    keeper = Keeper(examples, postroom, account, tmp_path / "mail.db")
    try:
        yield keeper
    finally:
        keeper.close()


async def test_the_sqlite_example_keeps_each_arrival_once_though_it_is_killed(
    keeper: Keeper, postroom: Up, account: Account
) -> None:
    async with client_package.connect(postroom.grpc_address, postroom.token) as client:
        sent: list[str] = []

        async def write() -> None:
            subject = f"Letter {len(sent)}"
            raw = f"From: {account.email}\r\nTo: {account.email}\r\nSubject: {subject}\r\n\r\nHello\r\n"
            await client.upload(account.name, raw.encode(), request_id=uuid.uuid4().hex)
            sent.append(subject)

        for _ in range(3):
            keeper.start()
            for _ in range(4):
                await write()
            await eventually(lambda: len(set(keeper.subjects())) >= len(sent) - 2, within=20)
            keeper.end(signal.SIGKILL)
        keeper.start()
        await write()  # once it is kept the program is up, and ends as it is asked to
        wanted = sorted([*sent, *sent])  # each letter is in two mailboxes of the account: sent and inbox
        await eventually(lambda: sorted(keeper.subjects()) == wanted, within=20)
    assert keeper.end(signal.SIGTERM) == 0
    assert sorted(keeper.subjects()) == wanted


def test_the_package_is_installed_compiled_strictly_and_used(installed: Path, postroom: Up) -> None:
    printed = run("node", "dist/program.js", folder=installed, server=postroom)
    assert printed.splitlines() == [
        "state: CONNECTED",
        "change: ACCOUNT_ADDED",
        "listed: true",
        "refused: accounts/nobody",
        "the same by require: true",
    ]
    held = {path.name for path in (installed / "node_modules/postroom").iterdir()}
    assert held == {"dist", "LICENSE", "README.md", "package.json"}
    assert not (installed / "node_modules/postroom/dist/tests").exists()


def test_a_page_in_a_browser_sends_watches_and_downloads(installed: Path) -> None:
    """gRPC-Web and uploads from another origin, in a context that is not secure; hashes are visible to the page."""
    if shutil.which(CHROMIUM) is None:
        pytest.skip("chromium is not installed (scripts/debian_packages)")
    run(
        ESBUILD,
        "page.ts",
        "--bundle",
        "--format=esm",
        "--platform=browser",
        "--outfile=page.js",
        folder=installed,
    )
    with page_server() as pages:
        server = Up("--cors-origin", pages.origin)
        try:
            server.start()
            settings = f'{{"address": "{server.url}", "token": "{server.token}"}}'
            pages.files["/page.js"] = ("text/javascript", (installed / "page.js").read_bytes())
            pages.files["/settings.json"] = ("application/json", settings.encode())
            told = shown_by(pages)
        finally:
            server.close()
    assert told == {
        "uploaded": True,
        "size": True,
        "length": True,
        "hash": 64,
        "refused": True,
        "missing": "accounts/nobody",
        "live": True,
        "secure": False,
    }
