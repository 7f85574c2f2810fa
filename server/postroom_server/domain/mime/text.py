"""Bytes of a mail to text: charsets and transfer encodings, both read leniently.

It owns the table of charset names, detection where the name is missing, unknown or a lie, and the decoders of RFC 2045
section 6; it refuses to raise on anything that a mail can hold, and to ask Python for a codec that is not in its own closed
list (an unknown name would be remembered for ever by the codec cache, and some codecs are not linear).
"""

from __future__ import annotations

import binascii
import codecs
import encodings.aliases
from typing import Final

import cchardet

DETECT_BYTES: Final = 64 * 1024
"""How much of a text is looked at to detect its charset."""
MIN_CONFIDENCE: Final = 0.5
MAX_REPLACED_SHARE: Final = 0.2
"""Beyond this share of broken characters among the non-ASCII bytes, a charset name is taken for a lie."""
MAX_LINE: Final = 64 * 1024
"""A quoted-printable line longer than this is decoded in pieces."""
REPLACEMENT: Final = "\ufffd"

_FORBIDDEN: Final = frozenset(
    {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"}
)
_ALIASES: Final = {
    # What senders write -> what they mean (the supersets that browsers take, WHATWG Encoding section 4.2).
    "ascii": "cp1252",
    "us_ascii": "cp1252",
    "ansi_x3.4_1968": "cp1252",
    "iso_8859_1": "cp1252",
    "iso8859_1": "cp1252",
    "latin_1": "cp1252",
    "latin1": "cp1252",
    "l1": "cp1252",
    "iso_8859_9": "cp1254",
    "iso8859_9": "cp1254",
    "latin5": "cp1254",
    "iso_8859_11": "cp874",
    "iso8859_11": "cp874",
    "tis_620": "cp874",
    "iso_8859_8_i": "iso8859_8",
    "iso_8859_8_e": "iso8859_8",
    "iso_8859_6_i": "iso8859_6",
    "gb2312": "gb18030",
    "gb_2312_80": "gb18030",
    "gbk": "gb18030",
    "x_gbk": "gb18030",
    "cp936": "gb18030",
    "euc_cn": "gb18030",
    "big5": "cp950",
    "x_x_big5": "cp950",
    "ks_c_5601_1987": "cp949",
    "ks_c_5601": "cp949",
    "ksc5601": "cp949",
    "ksc_5601": "cp949",
    "euc_kr": "cp949",
    "windows_949": "cp949",
    "shift_jis": "cp932",
    "shiftjis": "cp932",
    "sjis": "cp932",
    "x_sjis": "cp932",
    "windows_31j": "cp932",
    "iso_2022_jp": "iso2022_jp_ext",
    "iso2022_jp": "iso2022_jp_ext",
    "cp50220": "iso2022_jp_ext",
    "windows_874": "cp874",
    "x_mac_roman": "mac_roman",
    "macintosh": "mac_roman",
    "x_mac_cyrillic": "mac_cyrillic",
    "x_user_defined": "cp1252",
    "unicode_1_1_utf_7": "utf_7",
    "unicode_1_1_utf_8": "utf_8",
    "utf8mb4": "utf_8",
    "koi8": "koi8_r",
    "koi": "koi8_r",
}
_UNDECLARED: Final = frozenset(
    {"", "ascii", "us_ascii", "ansi_x3.4_1968", "unknown_8bit", "8bit", "binary", "default"}
)
"""Names that say nothing about bytes above 127."""

_BASE64_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_NOT_BASE64: Final = bytes(byte for byte in range(256) if byte not in _BASE64_ALPHABET)


def _known_codecs() -> frozenset[str]:
    """Normalised names of every text codec that may be asked for."""
    names = set(encodings.aliases.aliases) | set(encodings.aliases.aliases.values())
    return frozenset(
        name
        for name in names | set(_ALIASES.values())
        if encodings.aliases.aliases.get(name, name) not in _FORBIDDEN and _is_text(name)
    )


def _is_text(name: str) -> bool:
    try:
        b"a".decode(name)
    except LookupError:
        return False
    except UnicodeError:
        return True
    return True


_KNOWN: Final = _known_codecs()


def _c1_as_is(error: UnicodeError) -> tuple[str, int]:
    """Bytes that a Windows code page leaves open are the C1 controls of the same number."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    broken = error.object[error.start : error.end]
    return broken.decode("latin-1") if error.encoding in _C1_PAGES else REPLACEMENT, error.end


_C1_PAGES: Final = frozenset({"charmap", "cp1252", "cp1254"})
codecs.register_error("postroom.lenient", _c1_as_is)


def charset_codec(charset: str | None) -> str | None:
    """The codec for a charset name as mail spells it; None when it is missing, unknown or says nothing."""
    name = _normalise(charset)
    if name in _UNDECLARED:
        return None
    name = _ALIASES.get(name, name)
    if name.startswith("windows_"):
        name = "cp" + name.removeprefix("windows_")
    return name if name in _KNOWN else None


def _normalise(charset: str | None) -> str:
    text = (charset or "")[:64].strip().strip("\"'").partition("*")[0]
    return text.strip().lower().replace("-", "_").replace(" ", "_").replace(":", "_")


def decode_text(raw: bytes, charset: str | None, transfer_encoding: str = "") -> str:
    """Text of `raw`, after undoing `transfer_encoding`; never raises, never holds a lone surrogate.

    An unknown or missing charset is detected. A last character cut short is left out.
    """
    if transfer_encoding:
        raw = decode_transfer(raw, transfer_encoding)
    if raw.isascii() and b"\x1b" not in raw and _normalise(charset) not in {"utf_7", "unicode_1_1_utf_7"}:
        codec = charset_codec(charset)
        if codec is None or not codec.startswith(
            ("utf_16", "utf_32", "hz", "cp037", "cp500", "cp1140", "utf_7")
        ):
            return raw.decode("ascii")
    codec = charset_codec(charset)
    if codec is None:
        return _detected(raw)
    text = _decode(raw, codec)
    if _too_broken(text, raw) and (better := _strict(raw, _detect(raw))) is not None:
        return better
    return text


def _too_broken(text: str, raw: bytes) -> bool:
    """Whether so many characters were lost that the charset must be another one."""
    lost = text.count(REPLACEMENT)
    if not lost:
        return False
    high = len(raw) - len(raw.translate(None, bytes(range(128, 256))))
    return lost > MAX_REPLACED_SHARE * max(high, 1)


def _decode(raw: bytes, codec: str) -> str:
    strict = _strict(raw, codec)
    if strict is not None:
        return strict
    decoder = codecs.getincrementaldecoder(codec)("postroom.lenient")
    try:
        text = decoder.decode(raw, final=False) or decoder.decode(b"", final=True)
    except (UnicodeError, ValueError, OverflowError):
        return raw.decode("latin-1")
    return _scrub(text) if text else raw.decode("latin-1")


def _strict(raw: bytes, codec: str | None) -> str | None:
    if codec is None:
        return None
    try:
        return _scrub(raw.decode(codec))
    except (UnicodeError, ValueError, OverflowError):
        return None


def _scrub(text: str) -> str:
    """Without lone surrogates, which UTF-7 and UTF-16 can smuggle in."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _detected(raw: bytes) -> str:
    guesses = (_detect(raw), "utf_8") if b"\x1b" in raw else ("utf_8", _detect(raw))
    for codec in guesses:
        text = _strict(raw, codec)
        if text is not None:
            return text
    cut = codecs.getincrementaldecoder("utf_8")("replace").decode(raw, final=False)
    return _decode(raw, "cp1252") if REPLACEMENT in cut or cut.isascii() else cut


def _detect(raw: bytes) -> str | None:
    """The codec that the bytes look like, None when nothing is likely."""
    if b"\x1b$" in raw or b"\x1b(" in raw:
        return "iso2022_jp_ext"
    found = cchardet.detect(raw[:DETECT_BYTES])
    if not found["encoding"] or (found["confidence"] or 0.0) < MIN_CONFIDENCE:
        return None
    return charset_codec(found["encoding"])


def cut_utf8(text: str, budget: int) -> tuple[str, bool]:
    """The longest beginning of `text` that takes at most `budget` bytes of UTF-8, and whether something was cut."""
    head = text[: max(budget, 0)]
    raw = head.encode("utf-8", "replace")
    if len(raw) <= budget and len(head) == len(text):
        return text, False
    return raw[: max(budget, 0)].decode("utf-8", "ignore"), True


class TransferDecoder:
    """Undoes one Content-Transfer-Encoding piece by piece; unknown encodings pass through.

    Base64 skips what is not of its alphabet and goes on after padding; quoted-printable keeps what it cannot read. At most
    64 KiB are held back between two calls.
    """

    __slots__ = ("_decode", "_held")

    def __init__(self, transfer_encoding: str) -> None:
        self._held = b""
        name = transfer_encoding.strip().lower()
        self._decode = {"base64": self._base64, "quoted-printable": self._quoted}.get(name)

    def feed(self, piece: bytes) -> bytes:
        """Decoded bytes that `piece` makes certain."""
        return piece if self._decode is None else self._decode(piece)

    def finish(self) -> bytes:
        """What is left at the end."""
        held, self._held = self._held, b""
        if self._decode is None:
            return b""
        return _base64_group(held) if self._decode == self._base64 else binascii.a2b_qp(held)

    def _base64(self, piece: bytes) -> bytes:
        pieces = (self._held + piece.translate(None, _NOT_BASE64)).split(b"=")
        whole = len(pieces[-1]) // 4 * 4
        self._held = pieces[-1][whole:]
        pieces[-1] = pieces[-1][:whole]
        return b"".join([_base64_group(group) for group in pieces if group])

    def _quoted(self, piece: bytes) -> bytes:
        data = self._held + piece
        cut = data.rfind(b"\n") + 1
        if not cut and len(data) > MAX_LINE:
            cut = len(data) - 3
            if b"=" in data[cut - 2 : cut]:
                cut = data.rindex(b"=", cut - 2, cut)
        self._held = data[cut:]
        return binascii.a2b_qp(data[:cut])


def _base64_group(text: bytes) -> bytes:
    """Decodes letters of the alphabet without padding; a last letter that stands alone holds no byte."""
    if len(text) % 4 == 1:
        text = text[:-1]
    return binascii.a2b_base64(text + b"=" * (-len(text) % 4)) if text else b""


def decode_transfer(raw: bytes, transfer_encoding: str) -> bytes:
    """`raw` without its Content-Transfer-Encoding, read leniently; unknown encodings give `raw` itself."""
    decoder = TransferDecoder(transfer_encoding)
    head = decoder.feed(raw)
    return head + decoder.finish()
