"""The pages in docs/ agree with what they describe: settings, links, the glossary's ban on second words for one thing."""

from __future__ import annotations

import re
import shutil
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


def live_methods() -> dict[str, bool]:
    """Every method of the contract, and whether it is served, as docs/status.md says."""
    rows = re.findall(
        r"^\| (\w+) \| `.*\| (live|later) \|$", (ROOT / "docs/status.md").read_text(), re.MULTILINE
    )
    return {name: state == "live" for name, state in rows}


def test_the_comparison_calls_nothing_served_that_is_not() -> None:
    methods = live_methods()
    rows = re.findall(
        r"^\| (.*?) \| (now|in the contract|no) \| (.*?) \|$",
        (ROOT / "docs/parity.md").read_text(),
        re.MULTILINE,
    )
    assert rows
    claimed = {name for _, state, how in rows if state == "now" for name in re.findall(r"`([A-Z]\w+)`", how)}
    named = {name for _, _, how in rows for name in re.findall(r"`([A-Z][a-z]\w+)`", how)}
    assert {name for name in claimed & methods.keys() if not methods[name]} == set()
    assert named - methods.keys() == set()


def test_the_site_shows_every_page() -> None:
    shown = set(re.findall(r'= "([\w/-]+\.md)"', (ROOT / "zensical.toml").read_text()))
    assert shown == {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copyfile(ROOT / "zensical.toml", tmp_path / "zensical.toml")
    program = Path(sys.executable).with_name("zensical")
    done = subprocess.run(
        [program, "build", "--strict"], cwd=tmp_path, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    assert (tmp_path / "site/reference/rest/index.html").exists()
    outside = re.findall(r'(?:src|href)="(https?://[^"]+)"', (tmp_path / "site/index.html").read_text())
    assert [one for one in outside if one.endswith((".js", ".css", ".woff2"))] == []
