"""Commands: whatever the argument, exactly one command goes out and the same text arrives (RFC 9051 section 9).

The judge is a small server-side reader of its own that knows the grammar of atoms, quoted strings and literals.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroom_server.backends.imap.wire.encoder import (
    Argument,
    Atom,
    Flag,
    HeaderName,
    Literals,
    Mailbox,
    Number,
    Sequence,
    String,
    Upload,
    encode,
)
from postroom_server.backends.imap.wire.faults import LimitExceeded, Malformed, NotEncodable
from postroom_server.backends.imap.wire.sequences import MAX_UID, read_ordered, read_set, write_sets
from postroom_server.backends.imap.wire.utf7 import decode_utf7, encode_utf7
from pyroaring import BitMap

ATOM = re.compile(rb'[^\x00-\x1f\x7f-\xff(){ %*"\\]+')


class Server:
    """Reads the bytes of commands as RFC 9051 tells a server to."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def command(self) -> list[object]:
        words: list[object] = [self.atom()]
        while not self.skip(b"\r\n"):
            assert self.skip(b" ")
            words.append(self.value())
        return words

    def skip(self, expected: bytes) -> bool:
        found = self.data.startswith(expected, self.at)
        self.at += len(expected) * found
        return found

    def atom(self) -> bytes:
        match = ATOM.match(self.data, self.at)
        assert match
        self.at = match.end()
        return match.group()

    def value(self) -> object:
        if self.skip(b'"'):
            return self.quoted()
        if literal := re.compile(rb"\{(\d+)\+?\}\r\n").match(self.data, self.at):
            self.at = literal.end() + int(literal.group(1))
            return self.data[literal.end() : self.at]
        if self.skip(b"("):
            items: list[object] = []
            while not self.skip(b")"):
                assert not items or self.skip(b" ")
                items.append(self.value())
            return items
        backslash = b"\\" if self.skip(b"\\") else b""
        return backslash + self.atom()

    def quoted(self) -> bytes:
        found = bytearray()
        while not self.skip(b'"'):
            self.skip(b"\\")
            byte = self.data[self.at]
            assert byte not in b"\r\n\0"
            assert byte < 0x80
            found.append(byte)
            self.at += 1
        return bytes(found)


def received(
    command: str, arguments: list[Argument], literals: Literals = Literals.SYNCHRONISING
) -> list[object]:
    chunks = encode(b"T1", command, arguments, literals)
    for chunk in chunks[:-1]:
        assert re.search(rb"\{\d+\}\r\n\Z", chunk)
    server = Server(b"".join(chunks))
    words = server.command()
    assert server.at == len(server.data)
    assert words[0] == b"T1"
    return words[1:]


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
nasty = st.text(st.sampled_from('a"\\\r\n{}()%*& +-~]é\t1'), max_size=30)
modes = st.sampled_from(Literals)


@pytest.mark.rfc("9051", "4.3")
@given(st.lists(texts | nasty, min_size=1, max_size=5), modes)
def test_any_text_arrives_as_one_command_and_unchanged(values, literals):
    words = received("SEARCH", [String(value) for value in values], literals)
    assert words == [b"SEARCH", *(value.encode() for value in values)]


@given(texts | nasty, modes)
def test_any_mailbox_name_arrives_unchanged(name, literals):
    verb, encoded = received("SELECT", [Mailbox(name)], literals)
    assert verb == b"SELECT"
    assert isinstance(encoded, bytes)
    assert decode_utf7(encoded) == name


@given(st.binary(max_size=60).filter(lambda raw: b"\0" not in raw))
def test_a_mailbox_name_of_the_servers_goes_back_as_it_came(raw):
    assert received("SELECT", [Mailbox(raw)]) == [b"SELECT", raw]


@given(st.recursive(texts | nasty, lambda inner: st.lists(inner, max_size=4), max_leaves=12))
def test_lists_keep_their_shape(tree):
    def arguments(node):
        return String(node) if isinstance(node, str) else [arguments(item) for item in node]

    def wanted(node):
        return node.encode() if isinstance(node, str) else [wanted(item) for item in node]

    assert received("X", [arguments(tree)]) == [b"X", wanted(tree)]


@given(st.text(max_size=20))
def test_a_flag_is_one_flag_or_refused(name):
    try:
        words = received("STORE", [[Flag(name), Flag(r"\Seen")]])
    except NotEncodable:
        return
    assert words == [b"STORE", [name.encode(), rb"\Seen"]]


@given(st.text(max_size=20))
def test_a_header_name_is_one_name_or_refused(name):
    try:
        words = received("SEARCH", [Atom("HEADER"), HeaderName(name), String("x")])
    except NotEncodable:
        return
    assert words == [b"SEARCH", b"HEADER", name.encode(), b"x"]
    assert not set(name) & set(' :\r\n"(){')


@given(st.text(max_size=20))
def test_an_atom_is_one_word_or_refused(text):
    try:
        chunks = encode(b"T1", "X", [Atom(text)])
    except NotEncodable:
        return
    assert chunks == [b"T1 X " + text.encode() + b"\r\n"]
    assert "\r" not in text
    assert "\n" not in text


@pytest.mark.parametrize("name", ["NIL", "nil", "", "INBOX", "a b", "2024", "[Gmail]/Sent"])
def test_words_that_mean_something_are_quoted_where_they_could_be_misread(name):
    (chunk,) = encode(b"T1", "SELECT", [Mailbox(name)])
    bare = name in {"INBOX", "2024", "[Gmail]/Sent"}
    assert chunk == b"T1 SELECT " + (name.encode() if bare else b'"' + name.encode() + b'"') + b"\r\n"


def test_fetch_items_are_atoms_with_sections():
    chunks = encode(
        b"T1",
        "UID FETCH",
        [
            Sequence(b"1:5,9"),
            [Atom("UID"), Atom("BODY.PEEK[HEADER.FIELDS (REFERENCES)]"), Atom("BODY.PEEK[1.2]<0.100>")],
        ],
    )
    assert chunks == [
        b"T1 UID FETCH 1:5,9 (UID BODY.PEEK[HEADER.FIELDS (REFERENCES)] BODY.PEEK[1.2]<0.100>)\r\n"
    ]


def test_literals_wait_unless_the_server_takes_them_at_once():
    value = String("é" * 3)
    assert encode(b"T1", "X", [value, value]) == [b"T1 X {6}\r\n", "ééé {6}\r\n".encode(), "ééé\r\n".encode()]
    assert encode(b"T1", "X", [value], Literals.PLUS) == ["T1 X {6+}\r\nééé\r\n".encode()]
    long = String("é" * 3000)
    assert len(encode(b"T1", "X", [long], Literals.MINUS)) == 2
    assert len(encode(b"T1", "X", [long], Literals.PLUS)) == 1


@pytest.mark.parametrize(("literals", "mark"), [(Literals.SYNCHRONISING, b""), (Literals.PLUS, b"+")])
def test_an_upload_is_announced_and_the_command_ended_behind_it(literals, mark):
    chunks = encode(b"T1", "APPEND", [Mailbox("INBOX"), [Flag(r"\Seen")], Upload(70_000)], literals)
    assert chunks == [rb"T1 APPEND INBOX (\Seen) {70000" + mark + b"}\r\n", b"\r\n"]


@pytest.mark.parametrize(
    "arguments",
    [
        [String("a\0b")],
        [String("\ud800")],
        [Mailbox("\ud800")],
        [Number(-1)],
        [Number(1 << 64)],
        [Sequence(b"1:2\r\nX")],
        [Sequence(b"")],
        [Flag("")],
        [Flag("a b")],
        [HeaderName("")],
        [Atom("")],
        [Atom("UID\r\nX")],
        [Atom("BODY[\r\n]")],
        [Upload(1), Atom("X")],
        [[Upload(1)]],
        [Upload(-1)],
        [String("x" * (1 << 19))],
    ],
)
def test_what_has_no_spelling_is_refused(arguments):
    with pytest.raises(NotEncodable):
        encode(b"T1", "X", arguments)


def test_a_command_name_is_words():
    with pytest.raises(NotEncodable):
        encode(b"T1", "NOOP\r\nX", [])


@pytest.mark.rfc("3501", "5.1.3")
@pytest.mark.parametrize(
    ("text", "wire"),
    [
        ("Entwürfe", b"Entw&APw-rfe"),
        ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
        ("A&B", b"A&-B"),
        ("😀", b"&2D3eAA-"),
        ("a\tb", b"a&AAk-b"),
    ],
)
def test_modified_utf7(text, wire):
    assert encode_utf7(text) == wire
    assert decode_utf7(wire) == text


@pytest.mark.parametrize(
    ("wire", "text"),
    [(b"a&b", "a&b"), (b"&AA-", "&AA-"), (b"&2D0-", "&2D0-"), (b"caf\xc3\xa9", "café"), (b"caf\xe9", "café")],
)
def test_names_that_are_no_utf7_are_shown_anyway(wire, text):
    assert decode_utf7(wire) == text


@given(st.sets(st.integers(1, 5_000) | st.integers(1, MAX_UID), max_size=200), st.integers(12, 200))
def test_sets_survive_the_wire(numbers, limit):
    pieces = list(write_sets(BitMap(numbers), max_bytes=limit))
    assert sum(count for _, count in pieces) == len(numbers)
    union = BitMap()
    for text, _ in pieces:
        assert len(text) <= max(limit, 21)
        union |= read_set(text)
    assert union == BitMap(numbers)


def test_ranges_cost_the_same_however_wide():
    assert len(read_set(b"5:1,1:4294967295,7")) == MAX_UID
    assert read_set(b"9:7,8:12,3") == BitMap([3, *range(7, 13)])


def test_ordered_sets_are_expanded_up_to_a_limit():
    assert read_ordered(b"304,319:320,9:7", limit=6) == [304, 319, 320, 9, 8, 7]
    with pytest.raises(LimitExceeded):
        read_ordered(b"1:4294967295", limit=1_000)


@pytest.mark.parametrize(
    "text", [b"", b",", b"1,", b"*", b"1:*", b"0", b"1:0", b"4294967296", b"99999999999", b"1:2:3", b"a"]
)
def test_what_is_no_set_is_malformed(text):
    with pytest.raises(Malformed):
        read_set(text)
