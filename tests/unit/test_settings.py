"""Settings: arguments over environment over defaults, checked once."""

from __future__ import annotations

from pathlib import Path

import pytest
from postroom_server.settings import _READERS, Durability, LogLevel, SettingInvalid, Settings


def test_defaults_are_good() -> None:
    made = Settings.read({})
    assert made == Settings()
    assert made.peers_address == made.listen
    assert made.shown_name


def test_every_setting_can_be_read() -> None:
    assert set(_READERS) == set(Settings.__dataclass_fields__)


def test_arguments_win_over_the_environment() -> None:
    environment = {
        "POSTROOM_LISTEN": "0.0.0.0:1",
        "POSTROOM_DEV": "yes",
        "POSTROOM_LOG_LEVEL": "debug",
        "POSTROOM_DURABILITY": "fsync",
        "POSTROOM_ALLOW_NETWORKS": "10.0.0.0/8, fd00::/8",
        "POSTROOM_SHARDS": "64",
        "POSTROOM_UNKNOWN": "other parts'",
    }
    made = Settings.read(environment, {"listen": "127.0.0.1:2", "key_file": Path("/k"), "admin": None})
    assert (made.listen, made.dev, made.log_level) == ("127.0.0.1:2", True, LogLevel.DEBUG)
    assert (made.durability, made.shards, made.key_file) == (Durability.FSYNC, 64, Path("/k"))
    assert [str(one) for one in made.allow_networks] == ["10.0.0.0/8", "fd00::/8"]
    assert made.admin == Settings().admin


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LISTEN", "nowhere"),
        ("LISTEN", "host:port"),
        ("LISTEN", "host:70000"),
        ("LISTEN", "unix://relative"),
        ("LISTEN", "unix:///" + "x" * 120),
        ("REDIS_URL", "http://x"),
        ("SHARDS", "7"),
        ("SHARDS", "many"),
        ("DEV", "maybe"),
        ("LOG_LEVEL", "loud"),
        ("DURABILITY", "always"),
        ("ALLOW_NETWORKS", "10.0.0.0/99"),
        ("DRAIN_SECONDS", "1000"),
        ("DRAIN_SECONDS", "nan"),
        ("RETENTION_SECONDS", "1"),
        ("INDEX", "0"),
        ("NAME", "a\x00b"),
        ("NAME", "x" * 5000),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(SettingInvalid) as caught:
        Settings.read({f"POSTROOM_{name}": value})
    assert caught.value.name == f"POSTROOM_{name}"
