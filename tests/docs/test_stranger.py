"""scripts/stranger.py finds in the README what it follows; the visit itself is `make stranger`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]


def test_the_readme_has_a_start_a_tour_and_a_first_change_in_every_language(monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import stranger

    page = stranger.readme(ROOT)

    assert [block.language for block in page if block.file] == list(stranger.LANGUAGES)
    assert page[0].text.strip() == stranger.START
    assert page[-1].section != stranger.UNTIL
    assert stranger.UNTIL in {block.section for block in stranger.blocks(ROOT / "README.md")}
    del sys.modules["stranger"], sys.modules["pasting"]


def test_a_block_is_saved_where_the_paragraph_before_it_says(tmp_path: Path) -> None:
    from scripts.pasting import blocks

    page = tmp_path / "page.md"
    page.write_text(
        "# A\n\nNow save this as `a/b.py`:\n\n```python\nx\n```\n\nIt prints `y`.\n\n```python\nz\n```\n"
    )

    assert [(one.file, one.section) for one in blocks(page)] == [("a/b.py", "A"), ("", "A")]
