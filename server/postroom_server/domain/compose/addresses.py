"""Addresses that we may write to.

It owns the grammar of RFC 5321 section 4.1.2 with RFC 6531 (UTF-8 in the local part) and RFC 5890 (IDN as A-labels), bounded
by section 4.5.3.1, and refuses everything else by the JSON path of the field. It asks no DNS.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterable
from encodings import idna
from typing import Final

from postroom_server.domain.outbox import MAX_RECIPIENTS, SmtpEnvelope
from postroom_server.errors import RequestInvalid

MAX_LOCAL: Final = 64
MAX_DOMAIN: Final = 255
MAX_LABEL: Final = 63
MAX_ADDRESS_INPUT: Final = 1_000
"""Characters of an address that are looked at; a longer one is refused at once."""

_DOT_ATOM: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+)*"
)
_QUOTED: Final = re.compile(r'"([ !#-\[\]-~]|\\[ -~])*"')
_LABEL: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
_DOTS: Final = re.compile("[\u3002\uff0e\uff61]")
"""What counts as a dot in an internationalised name (RFC 3490 section 3.1)."""
_REFUSED_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"})


def check_address(address: str, field: str) -> str:
    """The address as the envelope carries it: without surrounding white space, its domain as A-labels in lower case.

    Raises:
        RequestInvalid: At `field`, when it is no address of RFC 5321.
    """
    if len(address) > MAX_ADDRESS_INPUT:
        raise RequestInvalid(field, "is longer than an address can be")
    local, at, domain = address.strip(" \t").rpartition("@")
    if not at:
        raise RequestInvalid(field, "is not an address: there is no @")
    _check_local(local, field)
    return f"{local}@{_check_domain(domain, field)}"


def _check_local(local: str, field: str) -> None:
    if any(unicodedata.category(char) in _REFUSED_CATEGORIES for char in local if char != " "):
        raise RequestInvalid(field, "holds a control or invisible character")
    if not _DOT_ATOM.fullmatch(local) and not _QUOTED.fullmatch(local):
        raise RequestInvalid(field, "is not an address: the part before the @ is not well formed")
    if len(local.encode()) > MAX_LOCAL:
        raise RequestInvalid(field, f"has more than {MAX_LOCAL} bytes before the @")


def _check_domain(domain: str, field: str) -> str:
    if domain.startswith("["):
        return _check_literal(domain, field)
    labels = _DOTS.sub(".", domain).split(".")
    if len(domain) > MAX_DOMAIN:
        raise RequestInvalid(field, f"has a domain of more than {MAX_DOMAIN} bytes")
    encoded = ".".join([_a_label(label, field) for label in labels])
    if len(encoded) > MAX_DOMAIN:
        raise RequestInvalid(field, f"has a domain of more than {MAX_DOMAIN} bytes")
    return encoded


def _a_label(label: str, field: str) -> str:
    if not label.isascii() and len(label) <= MAX_LABEL:
        try:
            label = idna.ToASCII(unicodedata.normalize("NFC", label).lower()).decode("ascii")
        except UnicodeError as error:
            raise RequestInvalid(field, "has a domain that is no internationalised name") from error
    if not _LABEL.fullmatch(label):
        raise RequestInvalid(field, "is not an address: the domain is not well formed")
    return label.lower()


def _check_literal(domain: str, field: str) -> str:
    """An address literal (RFC 5321 section 4.1.3)."""
    inside = domain[1:-1]
    try:
        if not domain.endswith("]"):
            raise ValueError(domain)
        if inside[:5].lower() == "ipv6:":
            return f"[IPv6:{ipaddress.IPv6Address(inside[5:])}]"
        return f"[{ipaddress.IPv4Address(inside)}]"
    except ValueError as error:
        raise RequestInvalid(field, "has a domain literal that is no IP address") from error


def check_envelope(sender: str, recipients: Iterable[tuple[str, str]], field: str) -> SmtpEnvelope:
    """The envelope: the sender and every recipient once, in order.

    `recipients` are (address, JSON path of it); `sender` was checked by the caller. `field` is named when there is nobody, or
    are too many.

    Raises:
        RequestInvalid: An address is not well formed, or their number is not in 1..1,000.
    """
    unique: dict[str, str] = {}
    for address, path in recipients:
        checked = check_address(address, path)
        unique.setdefault(checked, checked)
        if len(unique) > MAX_RECIPIENTS:
            raise RequestInvalid(field, f"names more than {MAX_RECIPIENTS} recipients")
    if not unique:
        raise RequestInvalid(field, "names no recipient")
    return SmtpEnvelope(sender=sender, recipients=tuple(unique))
