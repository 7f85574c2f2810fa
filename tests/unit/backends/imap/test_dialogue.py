"""What of an IMAP connection may be shown: command words and sizes, never a secret, never the inside of a message."""

from __future__ import annotations

import base64

import pytest
from postroom_server.backends.imap.dialogue import SHOWN_ALIKE, Told, shown_command, shown_response
from postroom_server.backends.imap.wire.encoder import (
    Argument,
    Atom,
    Literals,
    Mailbox,
    String,
    Upload,
    encode,
)
from postroom_server.backends.imap.wire.splitter import Splitter
from postroom_server.domain.dialogue import Direction

SECRET = "canary-5up3r"
WORDS = "canary-words"


class Kept:
    """Keeps every line."""

    open = True

    def __init__(self) -> None:
        self.lines: list[tuple[Direction, str]] = []

    def say(self, direction: Direction, text: str) -> None:
        self.lines.append((direction, text))

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.lines]


def parts_of(wire: bytes) -> list[bytes]:
    found: list[list[bytes]] = []
    Splitter(lambda parts: found.append(list(parts))).feed(wire)
    assert len(found) == 1, found
    return found[0]


COMMANDS: list[tuple[str, list[Argument], str]] = [
    ("LOGIN", [String("ann"), String(SECRET)], "a1 LOGIN *** ***"),
    ("LOGIN", [String("ann"), String(SECRET + "é")], "a1 LOGIN *** ***"),
    ("LOGIN", [String('a"b\\'), String(f'{SECRET}"')], "a1 LOGIN *** ***"),
    ("AUTHENTICATE", [Atom("PLAIN")], "a1 AUTHENTICATE PLAIN"),
    ("AUTHENTICATE", [Atom("PLAIN"), Atom("AGFubgBjYW5hcnk=")], "a1 AUTHENTICATE PLAIN ***"),
    ("AUTHENTICATE", [Atom("XOAUTH2"), Atom("dXNlcj1hbm4=")], "a1 AUTHENTICATE XOAUTH2 ***"),
    ("AUTHENTICATE", [Atom("OAUTHBEARER"), Atom("bixhPWE=")], "a1 AUTHENTICATE OAUTHBEARER ***"),
    ("SELECT", [Mailbox("INBOX")], "a1 SELECT INBOX"),
    ("SELECT", [Mailbox("My Work"), [Atom("CONDSTORE")]], 'a1 SELECT "My Work" (CONDSTORE)'),
    ("UID FETCH", [Atom("7"), [Atom("UID"), Atom("BODY.PEEK[]")]], "a1 UID FETCH 7 (UID BODY.PEEK[])"),
    ("UID SEARCH", [Atom("SUBJECT"), String(WORDS)], "a1 UID SEARCH SUBJECT {12 bytes}"),
    ("UID SEARCH", [Atom("TEXT"), String(WORDS + "é")], "a1 UID SEARCH TEXT {14 bytes}"),
    ("APPEND", [Mailbox("Sent"), Upload(1234)], "a1 APPEND Sent {1234 bytes}"),
    ("ID", [[String("name"), String("Postroom")]], 'a1 ID ("name" "Postroom")'),
    ("NOOP", [], "a1 NOOP"),
]


@pytest.mark.parametrize("literals", list(Literals))
@pytest.mark.parametrize(("command", "arguments", "expected"), COMMANDS)
def test_a_command_is_shown_without_what_it_carries(
    command: str, arguments: list[Argument], expected: str, literals: Literals
) -> None:
    assert shown_command(command, encode(b"a1", command, arguments, literals)) == expected


RESPONSES: list[tuple[bytes, str]] = [
    (b"* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n", "* OK [CAPABILITY IMAP4rev1 IDLE] ready"),
    (b"a1 NO [AUTHENTICATIONFAILED] no\r\n", "a1 NO [AUTHENTICATIONFAILED] no"),
    (b"* BYE too many connections\r\n", "* BYE too many connections"),
    (b"+ idling\r\n", "+ idling"),
    (b"* 12 EXISTS\r\n", "* 12 EXISTS"),
    (b"* VANISHED (EARLIER) 1:4\r\n", "* VANISHED (EARLIER) 1:4"),
    (b'* LIST (\\Sent) "/" "My Sent"\r\n', '* LIST (\\Sent) "/" "My Sent"'),
    (b'* STATUS "A b" (UIDNEXT 4)\r\n', '* STATUS "A b" (UIDNEXT 4)'),
    (b"* 1 FETCH (UID 7 FLAGS (\\Seen))\r\n", "* 1 FETCH (UID 7 FLAGS (\\Seen))"),
    (
        b'* 1 FETCH (ENVELOPE ("Mon, 5 Jan" "canary-words" ((NIL NIL "ann" "a.b"))))\r\n',
        "* 1 FETCH (ENVELOPE ({10 bytes} {12 bytes} ((NIL NIL {3 bytes} {3 bytes}))))",
    ),
    (
        b"* 1 FETCH (UID 7 BODY[] {12}\r\ncanary-words FLAGS ())\r\n",
        "* 1 FETCH (UID 7 BODY[] {12 bytes} FLAGS ())",
    ),
    (
        b'* 1 FETCH (BODY[TEXT] {5}\r\na"b)c BODY[1] "canary-words")\r\n',
        "* 1 FETCH (BODY[TEXT] {5 bytes} BODY[1] {12 bytes})",
    ),
    (b'* 1 FETCH (X "a\\"canary-words")\r\n', "* 1 FETCH (X {15 bytes})"),
    (b'* XFOO "canary-words"\r\n', "* XFOO {12 bytes}"),
    (b"canary-words of a message that came loose\r\n", "{43 bytes} not understood"),
    (b"* canary_words of a message\r\n", "*  {29 bytes} not understood"),
    (b'* 1 FETCH (BODY[1] "canary-words\r\n', "* 1 FETCH (BODY[1] {14 bytes}"),
]


@pytest.mark.parametrize(("wire", "expected"), RESPONSES)
def test_a_response_is_shown_without_what_it_carries(wire: bytes, expected: str) -> None:
    shown = shown_response(parts_of(wire))
    assert shown == expected
    assert WORDS not in shown


def test_answers_to_challenges_are_masked_and_done_is_not() -> None:
    kept = Kept()
    told = Told(kept)
    with told.hiding(SECRET.encode()):
        told.received([b"+ \r\n"])
        told.answered("AUTHENTICATE", base64.b64encode(SECRET.encode()))
        told.received([b"+ eyJzdGF0dXMiOiI0MDAifQ==\r\n"])
        told.answered("AUTHENTICATE", b"*")
    told.answered("", b"DONE")
    assert kept.texts == ["+", "***", "+ {24 bytes}", "*", "DONE"]


@pytest.mark.parametrize(
    "echo",
    [
        SECRET.encode(),
        base64.b64encode(SECRET.encode()),
        base64.b64encode(b"\0ann\0" + SECRET.encode()),
    ],
)
def test_a_server_that_repeats_a_secret_is_not_quoted(echo: bytes) -> None:
    kept = Kept()
    told = Told(kept)
    with told.hiding(b"\0ann\0" + SECRET.encode(), SECRET.encode()):
        told.received([b"a2 NO wrong password " + echo + b"\r\n"])
        told.event(f"closed: wrong password {echo.decode()}")
    assert kept.texts == ["a2 ***", "***"]


def test_of_many_alike_the_first_are_shown_and_the_others_counted() -> None:
    kept = Kept()
    told = Told(kept)
    for number in range(SHOWN_ALIKE + 980):
        told.received([b"* %d FETCH (UID %d)\r\n" % (number, number)])
    told.received([b"a3 OK done\r\n"])
    assert len(kept.lines) == SHOWN_ALIKE + 2
    assert kept.texts[-2:] == ["* FETCH 980 more of them", "a3 OK done"]


def test_long_lines_and_control_characters_are_cut() -> None:
    assert len(shown_response([b"* SEARCH " + b"1 " * 500_000 + b"\r\n"])) < 3_000
    assert len(shown_command("UID FETCH", [b"a1 UID FETCH " + b"1," * 100_000 + b" (UID)\r\n"])) < 3_000
    assert shown_response(["* OK \x1b[31mred\u202e \r\n".encode()]) == "* OK [31mred "


def test_nothing_is_masked_for_nobody() -> None:
    """Costs nothing where no dialogue is kept."""
    Told().received([])
    Told().sent("LOGIN", [])
