"""What every provider must say of the letters in tests/data/letters.

It owns the expectations and refuses one provider's words: the same table judges all of them. Texts are compared with runs
of white space made one space, because line ends are the reader's choice.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[1] / "data" / "letters"
PDF: Final = b"%PDF-1.4\n" + bytes(range(256)) * 4 + b"\n%%EOF\n"
GIF: Final = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A part that is to be shown as an attachment, and its decoded bytes."""

    id: str
    content_type: str
    filename: str | None
    content: bytes
    inline: bool = False
    content_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message and what it says; `text` None: there is none."""

    name: str
    subject: str
    text: str | None = None
    html: str | None = None
    sender: tuple[str, str] = ("Ann Lee", "ann@mail.test")
    files: tuple[File, ...] = ()

    @property
    def raw(self) -> bytes:
        """The message as it is stored."""
        return (FOLDER / f"{self.name}.eml").read_bytes()

    @property
    def internet_message_id(self) -> str:
        """Its Message-ID without brackets."""
        return f"{self.name}@letters.test"


LETTERS: Final = (
    Letter(name="plain", subject="Lunch on Friday", text="Shall we say noon? Ann"),
    Letter(
        name="latin1",
        subject="Schöne Grüße",
        sender=("Jörg Müller", "joerg@mail.test"),
        text="Schöne Grüße aus München, die Rechnung über 20 € liegt bei.",
    ),
    Letter(name="split-word", subject="Привет", text="Привет, как дела?"),
    Letter(name="unlabelled", subject="Žluťoučký kůň", text="Příliš žluťoučký kůň úpěl ďábelské ódy."),
    Letter(name="gb2312", subject="镕基你好", text="镕基，你好。"),
    Letter(
        name="alternative",
        subject="Two bodies",
        text="A café for two.",
        html="<p>A <b>café</b> for two.</p>",
    ),
    Letter(
        name="nested",
        subject="Report with picture",
        text="See the picture.",
        html='<img src="cid:dot@letters.test">',
        files=(
            File(
                id="1.2",
                content_type="image/gif",
                filename="dot.gif",
                content=GIF,
                inline=True,
                content_id="dot@letters.test",
            ),
            File(id="2", content_type="application/pdf", filename="Quartalsbericht €.pdf", content=PDF),
        ),
    ),
    Letter(
        name="flowed",
        subject="Flowing",
        text="This paragraph goes on and on until the line is full. > quoted words > go on -- Ann",
    ),
    Letter(
        name="forwarded",
        subject="Fwd: Inside",
        text="Have a look.",
        files=(
            File(
                id="2",
                content_type="message/rfc822",
                filename="inside.eml",
                content=(
                    b"From: eve@mail.test\r\nTo: ann@mail.test\r\nSubject: Inside\r\n"
                    b"Message-ID: <inside@letters.test>\r\n\r\nThe forwarded words.\r\n"
                ),
            ),
        ),
    ),
    Letter(
        name="only-attachment",
        subject="Scan",
        files=(File(id="1", content_type="application/pdf", filename="Scan älter.pdf", content=PDF),),
    ),
    Letter(
        name="html-only",
        subject="Price list",
        html="<html><body><p>Only 5 € – today</p></body></html>",
    ),
    Letter(
        name="cut-off",
        subject="Cut off",
        text="The end is missing.",
        files=(
            File(
                id="2",
                content_type="application/octet-stream",
                filename="notes.bin",
                content=b"first line\r\n\r\nsecond=line\r\n",
            ),
        ),
    ),
)


def letter(name: str) -> Letter:
    """The letter of this name."""
    return next(one for one in LETTERS if one.name == name)
