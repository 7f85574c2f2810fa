"""What a person is shown once everything is up: the address, the token's file, and three lines that work when pasted.

It owns the box, and the file of curl's options beside the token (curl(1), `--config`), which keeps the token out of command
lines and lets the lines be short. It refuses to change anything else; a box that cannot be made stops nothing.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from postroom_server.app.places import Places, write_secret

MAX_RULE = 100
"""Characters of the box's rules, at most; no line to paste depends on them."""
MAX_CERTIFICATE_BYTES = 1024 * 1024
"""Bytes of a certificate file that are read for its names."""
ACCOUNT = "demo"
"""The account that the pasted lines make."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How a program on this machine reaches the gateway.

    Attributes:
        url: Scheme, host and port.
        options: Lines for curl's configuration beside those that are always there.
    """

    url: str
    options: tuple[str, ...] = ()


def reach(url: str, certificate: Path | None) -> Reach:
    """The gateway by a name that its certificate holds, with that certificate trusted.

    Args:
        url: The address that it listens on.
        certificate: Its certificate chain, PEM; None without TLS.
    """
    if certificate is None:
        return Reach(url=url)
    trust = f'cacert = "{_quoted(str(certificate.resolve()))}"'
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    with suppress(OSError, ValueError):
        names = list(_names(certificate))
        plain = [name for name in names if "*" not in name]
        if host not in names and plain:
            shown = f"[{host}]" if ":" in host else host
            return Reach(
                url=f"https://{plain[0]}:{port}",
                options=(trust, f'connect-to = "{plain[0]}:{port}:{shown}:{port}"'),
            )
    return Reach(url=url, options=(trust,))


def _names(certificate: Path) -> Iterator[str]:
    """The host names and addresses that a certificate is for."""
    from cryptography import x509  # noqa: PLC0415 - only with TLS; it would cost every other start a tenth

    with certificate.open("rb") as file:
        leaf = x509.load_pem_x509_certificates(file.read(MAX_CERTIFICATE_BYTES))[0]
    with suppress(x509.ExtensionNotFound):
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        yield from found.get_values_for_type(x509.DNSName)
        yield from (str(one) for one in found.get_values_for_type(x509.IPAddress))


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def curl_options(token: str, reached: Reach) -> str:
    """The text of `DIR/curl`: the token and the manner of every call."""
    lines = (
        "# Options for curl, with the administrator's token. Use: curl --config FILE URL/v1/…",
        f'header = "authorization: Bearer {_quoted(token)}"',
        "silent",
        "show-error",
        "fail-with-body",
        "no-buffer",
        *reached.options,
    )
    return "".join(f"{line}\n" for line in lines)


def lines_to_paste(url: str, options: Path) -> str:
    """Three statements for a shell: an account, a watch on it in the background, a message to it."""
    curl = f"curl -K {shlex.quote(str(options))}"
    address = f"{ACCOUNT}@sandbox.test"
    return (
        f"{curl} {url}/v1/accounts \\\n"
        f'  --json \'{{"accountId": "{ACCOUNT}", "account": {{"email": "{address}", "sandbox": {{}}}}}}\'\n'
        f"{curl} '{url}/v1/accounts/{ACCOUNT}/changes:watch?from=EARLIEST' &\n"
        f"{curl} {url}/v1/accounts/{ACCOUNT}/submissions \\\n"
        f'  --json \'{{"submission": {{"composed": {{"to": [{{"address": "{address}"}}], "subject": "Hello"}}}}}}\'\n'
    )


def box(url: str, data: Path) -> str:
    """What is printed.

    Args:
        url: Where callers reach the gateway.
        data: The data folder, as it is to be written; relative to the present folder if it lies in it.
    """
    here = "" if data.is_absolute() else ", in this folder"
    pasted = lines_to_paste(url, data / "curl")
    head = f"Postroom is up at {url}\ntoken  {data / 'token'}\nlogs   {data / 'log'}"
    tail = (
        f"Try it: paste these three statements into a second terminal{here}.\n"
        "They make an account, watch it, and send it a message; the watch shows the message arrive.\n"
    )
    lines = f"{head}\n{tail}\n{pasted}".splitlines()
    rule = "─" * min(MAX_RULE, max(map(len, lines)))
    return f"{rule}\n{head}\n{rule}\n{tail}\n{pasted}{rule}"


def welcome(url: str, places: Places, certificate: Path | None) -> str:
    """Writes the file of curl's options and returns the box.

    Raises:
        OSError: The token cannot be read, or the file not be written.
    """
    reached = reach(url, certificate)
    write_secret(places.curl, curl_options(places.token.read_text().strip(), reached).encode())
    here = Path.cwd()
    data = places.data
    return box(reached.url, data.relative_to(here) if data.is_relative_to(here) else data)
