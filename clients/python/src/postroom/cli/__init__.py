"""The script `postroom`: one name for every command line that an installation offers.

It owns the choice of the subcommand and the list of them: those of this client, and those that register in the entry-point
group `postroom.commands`, which the distribution `postroom-server` fills. It refuses to import any before it is asked for.
A subcommand is a callable that takes the arguments after its name and returns an exit code:

    0    done, also when whoever reads the output has left
    1    refused by the server, or the server cannot be reached; the reason is on stderr
    2    the command line cannot be understood
    130  ended by Ctrl-C
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final, TextIO, TypeAlias

GROUP: Final = "postroom.commands"
FAILED: Final = 1
"""Exit code of a command that was not done."""
INTERRUPTED: Final = 130
"""Exit code of a command that was ended by Ctrl-C."""
USAGE_ERROR: Final = 2
"""Exit code of a command line that cannot be understood, as of argparse."""

Command: TypeAlias = Callable[[Sequence[str]], int]

_HELP = frozenset({"-h", "--help", "help"})
_VERSION = frozenset({"-V", "--version", "version"})
_NEEDED: Final = "rich"
"""What the extra `cli` brings."""


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A subcommand of this client: where it is, and its line in the list."""

    place: str
    summary: str

    def load(self) -> Command:
        """The subcommand."""
        module, _, name = self.place.partition(":")
        command: Command = getattr(import_module(module), name)
        return command


BUILT_IN: Final[Mapping[str, BuiltIn]] = {
    "accounts": BuiltIn("postroom.cli.accounts:accounts", "List, add, show and remove accounts."),
    "mailboxes": BuiltIn("postroom.cli.listing:mailboxes", "List the mailboxes of an account."),
    "messages": BuiltIn("postroom.cli.listing:messages", "List the messages of a mailbox, newest first."),
    "search": BuiltIn("postroom.cli.listing:search", "Search messages of an account."),
    "show": BuiltIn("postroom.cli.reading:show", "Show a message."),
    "download": BuiltIn("postroom.cli.reading:download", "Save a message or an attachment to a file."),
    "send": BuiltIn("postroom.cli.sending:send", "Send a message."),
    "watch": BuiltIn("postroom.cli.watching:watch", "Show changes as they happen."),
    "tail": BuiltIn("postroom.cli.watching:tail", "Show what the server and an account's provider say."),
}
"""For people who use a server."""


def commands() -> dict[str, EntryPoint]:
    """The subcommands that other distributions bring, by name."""
    found = entry_points(group=GROUP)
    return {entry.name: entry for entry in sorted(found, key=lambda entry: entry.name)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a subcommand.

    Args:
        arguments: Words after the script's name, by default those of this process.

    Returns:
        The exit code: the subcommand's, or 2 where there is none of that name.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] in _VERSION:
        print(f"postroom {version('postroom')}")  # noqa: T201 - this is what a command line is for
        return 0
    known = commands()
    if not words or words[0] in _HELP:
        _list(known, sys.stdout if words else sys.stderr)
        return 0 if words else USAGE_ERROR
    if words[0] in BUILT_IN:
        return _built_in(words[0], words[1:])
    entry = known.get(words[0])
    if entry is None:
        _say(f"postroom: there is no command {words[0]!r}")
        _say(f"commands: {', '.join([*BUILT_IN, *known])}")
        if not known:
            _say(_NOT_INSTALLED)
        return USAGE_ERROR
    command: Command = entry.load()
    return command(words[1:])


def _built_in(name: str, words: Sequence[str]) -> int:
    if find_spec(_NEEDED) is None:
        _say(f"postroom: {name} needs more packages: pip install 'postroom[cli]'")
        return USAGE_ERROR
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:  # it was closed before the command began: nobody reads
            setattr(sys, stream, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - until the process ends
    try:
        return BUILT_IN[name].load()(words)
    except KeyboardInterrupt:
        return INTERRUPTED
    except EOFError:
        _say("")  # Ctrl-D where something was asked
        return FAILED
    except UnicodeEncodeError:
        # The contract's texts are UTF-8; the system hands over what is not as half of a pair.
        _say("postroom: an argument or a file's name is not UTF-8")
        return USAGE_ERROR


_NOT_INSTALLED = "Commands that run a server come with it: pip install postroom-server"


def _list(known: dict[str, EntryPoint], to: TextIO) -> None:
    _say("usage: postroom COMMAND [ARGUMENTS]", to)
    width = max(map(len, [*BUILT_IN, *known]))
    _say("\nUse a server:", to)
    for name, built_in in BUILT_IN.items():
        _say(f"  {name:<{width}}  {built_in.summary}", to)
    if known:
        _say("\nRun a server:", to)
    for name, entry in known.items():
        first = (entry.load().__doc__ or "").strip().partition("\n")[0]
        _say(f"  {name:<{width}}  {first}", to)
    if not known:
        _say(f"\n{_NOT_INSTALLED}", to)
    _say("\nMore about one: postroom COMMAND --help", to)


def _say(text: str, to: TextIO | None = None) -> None:
    print(text, file=to or sys.stderr)
