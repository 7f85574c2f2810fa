"""The preview: the first words that a person wrote, for a list of messages.

It owns what is left out (quotations, attribution lines, markup, invisible characters) and refuses to be exact: a
preview is for eyes. Bounded and linear: only the beginning of a body is looked at.
"""

from __future__ import annotations

import html as html_entities
import re
from typing import Final

MAX_PREVIEW: Final = 200
"""Characters of a preview."""
MAX_LOOKED_AT: Final = 16_384
"""Characters of a body that are looked at."""
_SILENT: Final = ("style", "script", "head", "title", "template", "blockquote")
"""Elements whose text is not shown; a quotation is what somebody else wrote."""
_ATTRIBUTION = re.compile(r".{0,200}\b(?:wrote|schrieb|a écrit|escribió|ha scritto)\s?:")
_TAG = re.compile(r"/?[a-z][a-z0-9]{0,20}")


def preview_of(text: str | None, html: str | None) -> str:
    """At most MAX_PREVIEW characters of the text, of the page where there is no text, on one line; may be empty."""
    shown = _unquoted(text[:MAX_LOOKED_AT]) if text else ""
    if not shown and html:
        shown = _words(_visible(html[:MAX_LOOKED_AT]))
    return shown if len(shown) <= MAX_PREVIEW else shown[: MAX_PREVIEW - 1].rstrip() + "…"


def _unquoted(text: str) -> str:
    lines = []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith(">") or _ATTRIBUTION.fullmatch(stripped):
            continue
        if line.rstrip() == "--" or stripped.startswith(("-----Original Message", "________________")):
            break
        lines.append(stripped)
    return _words(" ".join(lines))


def _visible(page: str) -> str:
    """The text of a page: tags become spaces, silent elements are skipped up to their end."""
    lowered = page.lower()
    pieces: list[str] = []
    at = 0
    while at < len(page):
        begin = page.find("<", at)
        if begin < 0:
            pieces.append(page[at:])
            break
        pieces.append(page[at:begin])
        comment = page.startswith("<!--", begin)
        end = page.find("-->" if comment else ">", begin)
        if end < 0:
            break
        name = _TAG.match(lowered, begin + 1)
        at = end + (3 if comment else 1)
        if name is not None and name[0] in _SILENT:
            closing = lowered.find(f"</{name[0]}", at)
            if closing < 0:
                break
            at = closing
    return html_entities.unescape(" ".join(pieces))


def _words(text: str) -> str:
    """One line: white space joined, characters that show nothing left out."""
    return " ".join("".join(one if one.isprintable() or one.isspace() else "" for one in text).split())
