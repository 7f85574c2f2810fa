"""Content-Type, Content-Disposition and file names."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroom_server.domain.mime import decode_filename, parse_content_type, parse_parameters

NAMES = [
    ('attachment; filename="a.pdf"', "a.pdf"),
    ("attachment; filename=a b.pdf", "a b.pdf"),
    ("attachment; filename*=utf-8''caf%C3%A9.pdf", "café.pdf"),
    ("attachment; filename*=iso-8859-1'en'caf%E9.pdf; filename=x", "café.pdf"),
    ("attachment; filename*0=long; filename*1=er.pdf", "longer.pdf"),
    ("attachment; filename*0*=utf-8''caf%C3; filename*1*=%A9; filename*2=.pdf", "café.pdf"),
    ('attachment; filename="=?utf-8?B?w6kucGRm?="', "é.pdf"),
    ("attachment; filename==?utf-8?Q?a=3Bb?=", "a;b"),
    ('attachment; filename="a;b\\"c.txt"', 'a;b"c.txt'),
    ('attachment; filename="../../etc/passwd"', ".._.._etc_passwd"),
    ('attachment; filename="C:\\\\dir\\\\a.exe"', "C:_dir_a.exe"),
    ('attachment; filename=".."', "__"),
    ('attachment; filename="invoice\u202efdp.exe"', "invoicefdp.exe"),
    ("attachment; filename*=utf-8''a%0D%0Ab", "a b"),
    ("attachment; filename=", None),
    ("attachment", None),
    ("attachment; ; ;; =x; filename=a", "a"),
    ("attachment; FILENAME=A; filename=b", "A"),
]


@pytest.mark.rfc("2231", "3")
@pytest.mark.parametrize(("field", "name"), NAMES)
def test_file_names_are_decoded_and_are_no_paths(field, name):
    """Threats T30."""
    assert decode_filename(parse_parameters(field)[1]) == name


def test_the_name_of_the_type_stands_in_for_a_missing_file_name():
    assert decode_filename({"name": "=?utf-8?q?=C3=A9?="}) == "é"


def test_a_long_name_keeps_its_extension():
    name = decode_filename({"filename": "x" * 999 + ".tar"})
    assert name is not None
    assert len(name) == 255
    assert name.endswith("x.tar")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("TEXT/HTML; charset=x", "text/html"),
        ("text", "text/plain"),
        ("", "text/plain"),
        ("a/b/c", "text/plain"),
        ("multipart/mixed;boundary=x", "multipart/mixed"),
    ],
)
def test_a_type_that_is_none_counts_as_text(field, value):
    assert parse_content_type(field)[0] == value


@given(st.text(alphabet="ab=;\"'*%0 \\/?\r\n", max_size=300))
def test_parameters_never_raise(field):
    decode_filename(parse_parameters(field)[1])


@pytest.mark.parametrize("unit", ['"', "\\", "=", ";", "a=;", "a*0=b;", 'a="', "a ", "a\t=", "%", "'"])
def test_hostile_parameters_take_linear_time(unit):
    start = time.process_time()
    decode_filename(parse_content_type("x/y;" + unit * (60_000 // len(unit)))[1])
    assert time.process_time() - start < 1.0
