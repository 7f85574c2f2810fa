"""Parameters of Content-Type and Content-Disposition, and the file name among them.

It owns RFC 2045 section 5.1, RFC 2231 (charsets and continuations) and the habit of putting RFC 2047 words where they are
forbidden; it refuses a file name that could be read as a path.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

from postroom_server.domain.mime.headers import decode_header, printable
from postroom_server.domain.mime.text import decode_text

MAX_PARAMETERS: Final = 100
MAX_SEGMENTS: Final = 100
"""Continuations of one parameter that are read."""
MAX_FILENAME: Final = 255
MAX_EXTENSION: Final = 16

_TYPE: Final = re.compile(r"\s*([!-.0-~]{1,127}/[!-.0-:<-~]{1,127})")
_TOKEN: Final = re.compile(r"\s*([^\s;]*)")
_SEPARATOR: Final = re.compile(r"[\s;]*")
_PARAMETER: Final = re.compile(r"([^\s=;\"]{1,128})\s*=\s*")
_QUOTED: Final = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"?', re.DOTALL)
_PLAIN: Final = re.compile(r"[^;]*")
_QUOTED_PAIR: Final = re.compile(r"\\([\"\\])")


def parse_parameters(text: str) -> tuple[str, dict[str, str]]:
    """`(value in lower case, parameters by lower-case name)` of a field such as `text/plain; charset=utf-8`.

    Values are as written, unquoted: `decode_filename` undoes RFC 2231. The first of two equal names wins.
    """
    match = _TOKEN.match(text)
    value, at = (match[1].lower(), match.end()) if match else ("", 0)
    parameters: dict[str, str] = {}
    while at < len(text) and len(parameters) < MAX_PARAMETERS:
        separator = _SEPARATOR.match(text, at)
        assert separator is not None
        at = separator.end()
        match = _PARAMETER.match(text, at)
        if match is None:
            at = text.find(";", at)
            if at < 0:
                break
            continue
        name, at = match[1].lower(), match.end()
        quoted = _QUOTED.match(text, at)
        found = quoted or _PLAIN.match(text, at)
        assert found is not None
        parameters.setdefault(name, _QUOTED_PAIR.sub(r"\1", quoted[1]) if quoted else found[0].strip())
        at = found.end()
    return value, parameters


def parse_content_type(text: str) -> tuple[str, dict[str, str]]:
    """As `parse_parameters`; a value that is no `type/subtype` counts as text/plain (RFC 2045 section 5.2)."""
    value, parameters = parse_parameters(text)
    return (value if _TYPE.fullmatch(value) else "text/plain"), parameters


def decode_parameter(parameters: Mapping[str, str], name: str) -> str | None:
    """One parameter, decoded: the extended form first, then continuations, then the plain one; None without any."""
    if (extended := parameters.get(f"{name}*")) is not None:
        charset, _, rest = extended.partition("'")
        _, mark, value = rest.partition("'")
        return _percent(value, charset) if mark else _percent(extended, "")
    if f"{name}*0" in parameters or f"{name}*0*" in parameters:
        return _continued(parameters, name)
    plain = parameters.get(name)
    return None if plain is None else decode_header(plain)


def _continued(parameters: Mapping[str, str], name: str) -> str:
    """RFC 2231 section 3: segments in number order; only the first one carries the charset."""
    charset, raw = "", bytearray()
    for number in range(MAX_SEGMENTS):
        if (segment := parameters.get(f"{name}*{number}*")) is not None:
            if not number and segment.count("'") >= 2:
                charset, _, segment = segment.split("'", 2)
            raw += _bytes(segment, unquote=True)
        elif (segment := parameters.get(f"{name}*{number}")) is not None:
            raw += _bytes(segment, unquote=False)
        else:
            break
    text = decode_text(bytes(raw), charset or None)
    return decode_header(text)


def _percent(value: str, charset: str) -> str:
    return decode_text(_bytes(value, unquote=True), charset or None)


def _bytes(value: str, *, unquote: bool) -> bytes:
    raw = value.encode("utf-8", "replace")
    return unquote_to_bytes(raw) if unquote else raw


def decode_filename(parameters: Mapping[str, str]) -> str | None:
    """The file name among the parameters of a part, decoded; None when there is none.

    Looks at `filename` and then at `name`. Path separators become `_`, controls and bidirectional overrides go, at most 255
    characters stay and keep their extension. Names of parameters are in lower case.
    """
    for name in ("filename", "name"):
        found = decode_parameter(parameters, name)
        if found and (clean := clean_filename(found)):
            return clean
    return None


def clean_filename(text: str) -> str:
    """`text` as a file name that is no path; may be empty."""
    clean = printable(text).replace("/", "_").replace("\\", "_")
    if clean in {".", ".."}:
        return clean.replace(".", "_")
    if len(clean) <= MAX_FILENAME:
        return clean
    stem, dot, extension = clean.rpartition(".")
    if not dot or len(extension) > MAX_EXTENSION:
        return clean[:MAX_FILENAME]
    return stem[: MAX_FILENAME - len(extension) - 1] + dot + extension
