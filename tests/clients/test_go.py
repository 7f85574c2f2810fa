"""The Go client against a running Postroom: its own tests, what its README and examples show, and its module
as a version tag publishes it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import uuid
import zipfile
from pathlib import Path
from typing import Final

import pytest

from tests.clients.counting import each_is_counted_once
from tests.fixtures.postroom import PROGRAM, Up

ROOT: Final = Path(__file__).resolve().parents[2]
CLIENT: Final = ROOT / "clients/go"
EXAMPLES: Final = ROOT / "examples/go"
MODULE: Final = "github.com/postroom/postroom/clients/go"
VERSION: Final = "v0.1.0"
BUILD_SECONDS: Final = 240
"""A cold build cache, on a busy machine."""
GOFLAGS: Final = "-trimpath -buildvcs=false"
"""With paths left out, what is compiled for one folder serves all."""
LETTERS: Final = 60
KILLS_AT: Final = (5, 25)
FRESH: Final = """\
package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"time"

	postroom "github.com/postroom/postroom/clients/go"
	v1 "github.com/postroom/postroom/clients/go/postroom/v1"
)

func main() {
	client, err := postroom.Dial(os.Getenv("POSTROOM_ADDRESS"), os.Getenv("POSTROOM_TOKEN"))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	created, err := client.Accounts.CreateAccount(ctx, &v1.CreateAccountRequest{Account: &v1.Account{
		Email: os.Args[1], Backend: &v1.Account_Sandbox{Sandbox: &v1.SandboxSettings{}},
	}})
	if err != nil {
		log.Fatal(err)
	}
	raw := fmt.Appendf(nil, "From: %[1]s\\r\\nTo: %[1]s\\r\\nSubject: Hello\\r\\n\\r\\nFrom a module.\\r\\n", os.Args[1])
	parent := created.GetAccount().GetName()
	if _, err := client.Upload(ctx, parent, bytes.NewReader(raw), postroom.UploadOptions{}); err != nil {
		log.Fatal(err)
	}
	watch := client.Watch(ctx, parent, postroom.WatchOptions{
		Start: v1.WatchChangesRequest_EARLIEST, Kinds: []v1.Change_Kind{v1.Change_MESSAGE_ADDED},
	})
	for change, err := range watch.Changes() {
		if err != nil {
			log.Fatal(err)
		}
		var came bytes.Buffer
		if _, err := client.Download(ctx, change.GetMessageAdded().GetMessage().GetName(), &came); err != nil {
			log.Fatal(err)
		}
		fmt.Println(postroom.KindOf(change), bytes.Contains(came.Bytes(), []byte("From a module.")), postroom.Version)
		return
	}
}
"""

pytestmark = [
    pytest.mark.skipif(shutil.which("go") is None, reason="go is not installed"),
    pytest.mark.timeout(BUILD_SECONDS),
]


def run(*command: str | Path, cwd: Path, server: Up | None = None, **environment: str) -> str:
    """Runs a program to its end; returns what it printed."""
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=environment_of(server) | environment, text=True, check=False,
        timeout=BUILD_SECONDS - 10, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def environment_of(server: Up | None) -> dict[str, str]:
    reached = {"POSTROOM_ADDRESS": server.grpc_address, "POSTROOM_TOKEN": server.token} if server else {}
    return {**os.environ, "GOFLAGS": GOFLAGS, "POSTROOM_COMMAND": str(PROGRAM), **reached}


# --- the client's own tests ------------------------------------------------------------------------------------------


def test_the_client_passes_its_own_tests_under_the_race_detector(postroom: Up) -> None:
    assert shutil.which("gcc"), "the race detector needs a C compiler"
    run("go", "vet", "./...", cwd=CLIENT)
    printed = run("go", "test", "-race", "-count=1", "-json", "./...", cwd=CLIENT, server=postroom)
    events = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    passed = {one["Test"] for one in events if one["Action"] == "pass" and "Test" in one}
    assert "TestAMessageSentComesBackThroughTheWatch" in passed
    assert "TestAServerOfTheTestsOwnHasAnAccountThatIsConnected" in passed
    assert [one["Test"] for one in events if one["Action"] == "skip" and "Test" in one] == []


# --- the examples ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the built examples."""
    folder = tmp_path_factory.mktemp("go-examples")
    run("go", "vet", "./...", cwd=EXAMPLES)
    run("go", "build", "-o", folder, "./...", cwd=EXAMPLES)
    assert {one.name for one in folder.iterdir()} == {
        "quickstart",
        "search",
        "send_attachment",
        "watch_sqlite",
    }
    return folder


def test_the_quickstart(examples: Path, postroom: Up) -> None:
    printed = run(examples / "quickstart", cwd=examples, server=postroom)
    assert "change: MESSAGE_ADDED" in printed
    assert "text: Sent by examples/go/quickstart." in printed
    assert re.search(r"raw message: \d+ bytes", printed)


def test_a_file_is_sent_and_arrives_as_it_was(examples: Path, postroom: Up, tmp_path: Path) -> None:
    file = tmp_path / "größe.pdf"
    file.write_bytes(os.urandom(300_000))
    printed = run(examples / "send_attachment", file, cwd=examples, server=postroom)
    assert "submission: RELAYED" in printed
    assert "arrived: größe.pdf, application/pdf, 300000 bytes" in printed


def test_messages_are_found_page_by_page(examples: Path, postroom: Up) -> None:
    printed = run(examples / "search", cwd=examples, server=postroom)
    found = re.findall(r"^found: (.*)$", printed, re.MULTILINE)
    assert sorted(found) == ["Invoice 1001", "Invoice 1002", "Your invoice 1003"]
    assert "messages: 3" in printed


async def test_each_message_is_counted_once_whenever_the_program_is_killed(
    examples: Path, postroom: Up, tmp_path: Path
) -> None:
    """Feed promise F13."""
    program = [str(examples / "watch_sqlite")]
    await each_is_counted_once(
        postroom,
        program,
        environment_of(postroom),
        tmp_path / "counts.db",
        letters=LETTERS,
        kills_at=KILLS_AT,
    )


def test_what_the_readme_shows_compiles(tmp_path: Path) -> None:
    blocks = re.findall(r"^```go\n(.*?)^```", (CLIENT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    for number, block in enumerate(blocks):
        folder = tmp_path / f"block{number}"
        folder.mkdir()
        (folder / ("shown_test.go" if "func Test" in block else "shown.go")).write_text(block)
    (tmp_path / "go.mod").write_text(f"module shown\n\ngo 1.24.0\n\nreplace {MODULE} => {CLIENT}\n")
    shutil.copyfile(CLIENT / "go.sum", tmp_path / "go.sum")
    offline = {"GOFLAGS": f"{GOFLAGS} -mod=mod", "GOPROXY": "off", "GOWORK": "off"}
    run("go", "get", f"{MODULE}@v0.0.0", cwd=tmp_path, **offline)
    run("go", "vet", "./...", cwd=tmp_path, **offline)


# --- the module ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A module proxy in a folder, that holds the client as a tag of this tree would publish it."""
    folder = tmp_path_factory.mktemp("go-proxy")
    versions = folder / MODULE / "@v"
    versions.mkdir(parents=True)
    (versions / "list").write_text(f"{VERSION}\n")
    (versions / f"{VERSION}.info").write_text(
        json.dumps({"Version": VERSION, "Time": "2026-01-01T00:00:00Z"})
    )
    shutil.copyfile(CLIENT / "go.mod", versions / f"{VERSION}.mod")
    with zipfile.ZipFile(versions / f"{VERSION}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in run("git", "ls-files", "-z", cwd=CLIENT).rstrip("\0").split("\0"):
            archive.write(CLIENT / name, f"{MODULE}@{VERSION}/{name}")
    return folder


def test_the_module_is_fetched_by_its_version_and_used_by_a_program_that_has_nothing_else(
    proxy: Path, postroom: Up, tmp_path: Path
) -> None:
    """Its dependencies come from the cache that building the client has filled; no network is needed."""
    filled = run("go", "env", "GOMODCACHE", cwd=tmp_path).strip()
    environment = {
        "GOPROXY": f"file://{proxy},file://{filled}/cache/download",
        "GOMODCACHE": str(tmp_path / "modules"),
        "GOFLAGS": f"{GOFLAGS} -mod=mod -modcacherw",
        "GOSUMDB": "off",
        "GOWORK": "off",
    }
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    (fresh / "main.go").write_text(FRESH)
    run("go", "mod", "init", "example.com/fresh", cwd=fresh, **environment)
    run("go", "get", f"{MODULE}@{VERSION}", cwd=fresh, **environment)
    run("go", "build", "-o", "fresh", ".", cwd=fresh, **environment)
    told = run("go", "version", "-m", "fresh", cwd=fresh, **environment)
    assert re.search(rf"dep\s+{re.escape(MODULE)}\s+{re.escape(VERSION)}\s+h1:", told), told
    address = f"fresh-{uuid.uuid4().hex[:8]}@sandbox.test"
    printed = run(fresh / "fresh", address, cwd=fresh, server=postroom)
    assert printed.split() == ["MESSAGE_ADDED", "true", VERSION.removeprefix("v")]


def test_the_version_is_that_of_the_other_clients_and_the_module_has_its_licence(proxy: Path) -> None:
    with zipfile.ZipFile(proxy / MODULE / "@v" / f"{VERSION}.zip") as archive:
        names = {name.partition("@")[2].partition("/")[2] for name in archive.namelist()}
    assert {"LICENSE", "README.md", "go.mod", "go.sum", "doc.go", "postroomtest/postroomtest.go"} <= names
    assert f'Version = "{VERSION.removeprefix("v")}"' in (CLIENT / "dial.go").read_text()
    assert f'version = "{VERSION.removeprefix("v")}"' in (ROOT / "clients/python/pyproject.toml").read_text()
