"""Charsets and transfer encodings."""

import base64
import quopri
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroom_server.domain.mime import TransferDecoder, charset_codec, cut_utf8, decode_text, decode_transfer

RUSSIAN = "Привет, как дела? Завтра встречаемся в офисе."


@pytest.mark.parametrize(
    ("raw", "charset", "text"),
    [
        (b"plain", None, "plain"),
        (b"plain", "utf-8", "plain"),
        (b"caf\xe9", "iso-8859-1", "café"),
        (b"\x80 100", "ISO-8859-1", "€ 100"),
        (b"\x81\x93", "latin1", "\x81“"),
        (b"caf\xe9", "us-ascii", "café"),
        ("é".encode(), "us-ascii", "é"),
        (RUSSIAN.encode("koi8-r"), "KOI8-R", RUSSIAN),
        (RUSSIAN.encode("koi8-r"), None, RUSSIAN),
        (RUSSIAN.encode("cp1251"), "x-unknown", RUSSIAN),
        (RUSSIAN.encode("cp1251"), "utf-8", RUSSIAN),
        ("龍".encode("gbk"), "gb2312", "龍"),
        ("①".encode("cp932"), "Shift_JIS", "①"),
        ("똠".encode("cp949"), "ks_c_5601-1987", "똠"),
        ("안녕".encode("cp949"), '"EUC-KR"', "안녕"),
        ("你好".encode("big5"), "big5", "你好"),
        ("hi é".encode("utf-16"), "utf-16", "hi é"),
        (b"hi +AOk-", "utf-7", "hi é"),
        ("naïve".encode("cp1252"), "windows-1252", "naïve"),
        ("año €".encode("iso8859-15"), "iso-8859-15", "año €"),
        ("héllo wörld".encode()[:-1], "utf-8", "héllo wörl"),
        ("schön €".encode()[:-1], "utf-8", "schön "),
        (b"", "utf-8", ""),
    ],
)
def test_text_is_decoded_by_what_the_sender_meant(raw, charset, text):
    assert decode_text(raw, charset) == text


@pytest.mark.parametrize(
    "name",
    [
        "zlib",
        "hex",
        "rot13",
        "base64",
        "punycode",
        "idna",
        "unicode_escape",
        "undefined",
        "../x",
        "a" * 9_999,
    ],
)
def test_codecs_that_are_no_charset_are_never_asked(name):
    assert charset_codec(name) is None
    assert decode_text(b"\xc3\xa9", name) == "é"


@given(
    st.binary(max_size=300),
    st.sampled_from([None, "utf-8", "utf-7", "utf-16", "iso-2022-jp", "gb2312", "big5", "hz", "x"]),
)
def test_decoding_never_raises_and_never_gives_a_lone_surrogate(raw, charset):
    decode_text(raw, charset).encode()


@pytest.mark.parametrize(
    ("raw", "decoded"),
    [
        (b"QUJD", b"ABC"),
        (b"QUJ\r\nD", b"ABC"),
        (b"QU!J*D", b"ABC"),
        (b"QUJDRA", b"ABCD"),
        (b"QUJDRA==QUJD", b"ABCDABC"),
        (b"QUJDQ", b"ABC"),
        (b"====", b""),
        (b"", b""),
    ],
)
@pytest.mark.rfc("2045", "6.8")
def test_base64_is_read_leniently(raw, decoded):
    assert decode_transfer(raw, "BASE64 ") == decoded


@pytest.mark.parametrize(
    ("raw", "decoded"),
    [
        (b"caf=C3=A9", "café".encode()),
        (b"soft=\r\nbreak", b"softbreak"),
        (b"bad =ZZ stays", b"bad =ZZ stays"),
        (b"a=3Db\r\nc", b"a=b\r\nc"),
    ],
)
@pytest.mark.rfc("2045", "6.7")
def test_quoted_printable_is_read_leniently(raw, decoded):
    assert decode_transfer(raw, "Quoted-Printable") == decoded


@given(st.binary(max_size=500), st.lists(st.integers(1, 40), min_size=1, max_size=10))
def test_pieces_decode_like_the_whole(content, cuts):
    for name, encoded in (
        ("base64", base64.encodebytes(content)),
        ("quoted-printable", quopri.encodestring(content)),
    ):
        decoder, out, at, turn = TransferDecoder(name), b"", 0, 0
        while at < len(encoded):
            step = cuts[turn % len(cuts)]
            out += decoder.feed(encoded[at : at + step])
            at, turn = at + step, turn + 1
        assert out + decoder.finish() == content == decode_transfer(encoded, name)


@pytest.mark.parametrize("name", ["7bit", "8bit", "binary", "", "x-unknown"])
def test_identity_encodings_pass_through(name):
    assert decode_transfer(b"\x00=QQ==", name) == b"\x00=QQ=="


@pytest.mark.parametrize("unit", [b"=", b"=\r", b"A", b"=A", b"QQ==", b"\x00"])
@pytest.mark.parametrize("name", ["base64", "quoted-printable"])
def test_endless_lines_decode_in_linear_time_and_little_memory(name, unit):
    decoder = TransferDecoder(name)
    start = time.process_time()
    for _ in range(200):
        decoder.feed(unit * (16_384 // len(unit)))
    decoder.finish()
    assert time.process_time() - start < 2.0


@pytest.mark.parametrize(
    ("text", "budget", "cut"),
    [
        ("abc", 3, "abc"),
        ("abc", 2, "ab"),
        ("é", 1, ""),
        ("aé", 2, "a"),
        ("", 0, ""),
        ("😀", 4, "😀"),
        ("😀x", 4, "😀"),
    ],
)
def test_a_cut_never_splits_a_character(text, budget, cut):
    assert cut_utf8(text, budget) == (cut, cut != text)
