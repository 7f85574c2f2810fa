"""The script `postroom` and its subcommands: words, environment twins and exit codes."""

from __future__ import annotations

import pytest
from postroom import cli
from postroom_server.app import commands
from postroom_server.app.children import MAX_DELAY, delays
from postroom_server.app.parts import UpOptions
from postroom_server.app.valkey import StoreUnusable, ValkeyOptions, valkey_command

SERVER = ["check-config", "keys", "migrate", "node", "release", "token", "up"]
PEOPLE = ["accounts", "mailboxes", "messages", "search", "show", "download", "send", "watch", "tail"]
NAMES = [*PEOPLE, *SERVER]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[UpOptions]:
    """What `postroom up` would have run."""
    found: list[UpOptions] = []

    async def keep(options: UpOptions) -> None:
        found.append(options)

    monkeypatch.setattr("postroom_server.app.up.up", keep)
    for name in ("DATA", "PORT", "NODES", "HOST", "MEMORY", "CORS_ORIGINS", "REDIS_URL", "DURABILITY"):
        monkeypatch.delenv(f"POSTROOM_{name}", raising=False)
    return found


def test_the_script_lists_its_commands(capsys):
    assert cli.main(["--help"]) == 0

    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines() if line.startswith("  ")] == NAMES


@pytest.mark.parametrize("words", [[], ["nope"], ["--nope"]])
def test_a_word_that_is_no_command_is_a_usage_error(capsys, words):
    assert cli.main(words) == 2
    assert "up" in capsys.readouterr().err


def test_without_the_server_the_script_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(cli, "entry_points", lambda **_: [])

    assert cli.main(["up"]) == 2
    assert "pip install postroom-server" in capsys.readouterr().err


@pytest.mark.parametrize("name", NAMES)
def test_every_command_explains_itself(capsys, name):
    with pytest.raises(SystemExit) as ended:
        cli.main([name, "--help"])

    assert ended.value.code == 0
    assert f"postroom {name}" in capsys.readouterr().out


def test_up_has_the_defaults_of_the_contract(asked):
    assert commands.up([]) == 0

    assert (str(asked[0].data), asked[0].host, asked[0].port) == (".postroom", "127.0.0.1", 8080)
    assert (asked[0].nodes, asked[0].dev, asked[0].redis_url) == (1, False, None)


def test_up_takes_its_options_from_the_environment_too(asked, monkeypatch):
    given = {"DATA": "/d", "PORT": "9", "NODES": "3", "CORS_ORIGINS": "https://a.example, https://b.example"}
    for name, value in given.items():
        monkeypatch.setenv(f"POSTROOM_{name}", value)
    monkeypatch.setenv("POSTROOM_REDIS_URL", "redis://x")
    commands.up(["--port", "10", "--dev"])

    assert (str(asked[0].data), asked[0].port, asked[0].nodes, asked[0].dev) == ("/d", 10, 3, True)
    assert asked[0].cors_origins == ("https://a.example", "https://b.example")
    assert asked[0].redis_url == "redis://x"


def test_a_certificate_needs_its_key(asked):
    with pytest.raises(SystemExit):
        commands.up(["--tls-cert", "c.pem"])
    commands.up(["--tls-cert", "c.pem", "--tls-key", "k.pem"])

    assert [one and [str(path) for path in one] for one in (asked[0].tls,)] == [["c.pem", "k.pem"]]


def test_auto_is_a_node_per_core(asked, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 7)
    commands.up(["--nodes", "auto"])

    assert asked[0].nodes == 7


@pytest.mark.parametrize(
    "words", [["--port", "x"], ["--port", "70000"], ["--nodes", "0"], ["--nodes", "many"]]
)
def test_a_number_that_is_none_is_a_usage_error(asked, words):
    with pytest.raises(SystemExit) as ended:
        commands.up(words)

    assert ended.value.code == 2
    assert asked == []


def test_a_setting_that_is_none_is_told_in_one_line(monkeypatch, capsys):
    monkeypatch.setenv("POSTROOM_SHARDS", "3")

    assert commands.node([]) == 1
    assert capsys.readouterr().err.startswith("postroom: POSTROOM_SHARDS")


def test_a_release_needs_a_nonce(tmp_path, capsys):
    assert commands.release(["--state", str(tmp_path / "node-1.json")]) == 1
    assert "names no nonce" in capsys.readouterr().err


def test_a_key_is_made_once(tmp_path, capsys):
    path = tmp_path / "key"

    assert commands.keys(["new", str(path)]) == 0
    assert commands.keys(["new", str(path)]) == 1
    assert len(path.read_bytes()) == 32


def test_the_committed_gateway_configuration_is_sound(monkeypatch):
    assert commands.check_config([]) == 0


def test_restarts_back_off_to_five_seconds():
    waits = delays()

    assert [round(next(waits), 1) for _ in range(8)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, MAX_DELAY, MAX_DELAY]


def test_the_store_listens_on_its_socket_only(tmp_path):
    words = valkey_command(ValkeyOptions(folder=tmp_path, socket=tmp_path / "s.sock", durability="fsync"))

    options = dict(zip(words[1::2], words[2::2], strict=True))
    assert options["--port"] == "0"
    assert options["--appendfsync"] == "always"
    assert options["--maxmemory-policy"] == "noeviction"


def test_a_durability_that_is_none_is_refused(tmp_path):
    with pytest.raises(StoreUnusable, match="POSTROOM_DURABILITY"):
        valkey_command(ValkeyOptions(folder=tmp_path, socket=tmp_path / "s", durability="always"))
