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

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Final, TypeAlias

GROUP: Final = "postroom.commands"
INTERRUPTED: Final = 130
"""Exit code of a command that was ended by Ctrl-C."""
USAGE_ERROR: Final = 2
"""Exit code of a command line that cannot be understood, as of argparse."""

Command: TypeAlias = Callable[[Sequence[str]], int]

_HELP = frozenset({"-h", "--help", "help"})
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
    known = commands()
    if not words or words[0] in _HELP:
        _list(known)
        return 0 if words else USAGE_ERROR
    if words[0] in BUILT_IN:
        if find_spec(_NEEDED) is None:
            _say(f"postroom: {words[0]} needs more packages: pip install 'postroom[cli]'")
            return USAGE_ERROR
        try:
            return BUILT_IN[words[0]].load()(words[1:])
        except KeyboardInterrupt:
            return INTERRUPTED
    entry = known.get(words[0])
    if entry is None:
        _say(f"postroom: there is no command {words[0]!r}")
        _say(f"commands: {', '.join([*BUILT_IN, *known])}")
        if not known:
            _say(_NOT_INSTALLED)
        return USAGE_ERROR
    command: Command = entry.load()
    return command(words[1:])


_NOT_INSTALLED = "Commands that run a server come with it: pip install postroom-server"


def _list(known: dict[str, EntryPoint]) -> None:
    _say("usage: postroom COMMAND [ARGUMENTS]")
    width = max(map(len, [*BUILT_IN, *known]))
    _say("\nUse a server:")
    for name, built_in in BUILT_IN.items():
        _say(f"  {name:<{width}}  {built_in.summary}")
    if known:
        _say("\nRun a server:")
    for name, entry in known.items():
        first = (entry.load().__doc__ or "").strip().partition("\n")[0]
        _say(f"  {name:<{width}}  {first}")
    if not known:
        _say(f"\n{_NOT_INSTALLED}")
    _say("\nMore about one: postroom COMMAND --help")


def _say(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - this is what a command line is for
