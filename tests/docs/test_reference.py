"""The pages in docs/ agree with what they describe: settings, links, the glossary's ban on second words for one thing."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Final

import pytest
from postroom_server.settings import PREFIX, Settings

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("gateway/*.md")])
CONFIGURATION: Final = (ROOT / "docs/reference/configuration.md").read_text()
MAX_LINE: Final = 220


def rows() -> dict[str, str]:
    """Environment variable -> default, as the page's second table shows them."""
    table = CONFIGURATION.partition("## `postroom node`")[2]
    return {
        name: default.strip("` ")
        for name, default in re.findall(r"^\| `(POSTROOM_\w+)`[^|]*\|([^|]*)\|", table, re.MULTILINE)
    }


def test_every_setting_of_a_node_stands_in_the_reference_and_no_other() -> None:
    assert set(rows()) == {PREFIX + one.name.upper() for one in fields(Settings)}


@pytest.mark.parametrize(
    "name", ["redis_url", "listen", "admin", "shards", "log_level", "drain_seconds", "retention_seconds"]
)
def test_the_reference_shows_the_default_that_the_code_has(name: str) -> None:
    default = next(one.default for one in fields(Settings) if one.name == name)
    assert default is not MISSING
    assert rows()[PREFIX + name.upper()] == str(default)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_into_the_repository_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", text)
    inside = [one for one in links if not one.startswith(("http://", "https://"))]
    assert [one for one in inside if not (page.parent / one).exists()] == []


def test_make_help_names_the_targets_that_people_use() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, text=True, capture_output=True, check=True)
    listed = re.findall(r"^  make (\S+) +\S", done.stdout, re.MULTILINE)
    assert {"help", "run", "test", "check", "gen", "bench", "fmt"} <= set(listed)


def test_every_option_of_up_stands_in_the_reference_and_no_other() -> None:
    program = Path(sys.executable).with_name("postroom")
    help_text = subprocess.run([program, "up", "--help"], text=True, capture_output=True, check=True).stdout
    table = CONFIGURATION.partition("## `postroom node`")[0]
    shown = {
        one
        for row in re.findall(r"^\|([^|]*)\|", table, re.MULTILINE)
        for one in re.findall(r"`(--[a-z-]+)", row)
    }
    assert shown == set(re.findall(r"(--[a-z-]+)", help_text)) - {"--help"}
