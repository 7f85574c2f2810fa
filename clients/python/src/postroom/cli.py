"""The script `postroom`: one name for every command line that an installation offers.

It owns the choice of the subcommand and the list of them. It refuses to know any: they register in the entry-point
group `postroom.commands`, which the distribution `postroom-server` fills. A subcommand is a callable that takes the
arguments after its name and returns an exit code; the first line of its docstring is its line in the list.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Final, TypeAlias

GROUP: Final = "postroom.commands"
USAGE_ERROR: Final = 2
"""Exit code of a command line that cannot be understood, as of argparse."""

Command: TypeAlias = Callable[[Sequence[str]], int]

_HELP = frozenset({"-h", "--help", "help"})


def commands() -> dict[str, EntryPoint]:
    """The installed subcommands by name."""
    return {entry.name: entry for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name)}


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
    entry = known.get(words[0])
    if entry is None:
        _say(f"postroom: there is no command {words[0]!r}" if known else _NOT_INSTALLED)
        if known:
            _say(f"commands: {', '.join(known)}")
        return USAGE_ERROR
    command: Command = entry.load()
    return command(words[1:])


_NOT_INSTALLED = "postroom: no commands are installed; they come with the server: pip install postroom-server"


def _list(known: dict[str, EntryPoint]) -> None:
    if not known:
        _say(_NOT_INSTALLED)
        return
    _say("usage: postroom COMMAND [ARGUMENTS]\n")
    width = max(map(len, known))
    for name, entry in known.items():
        first = (entry.load().__doc__ or "").strip().partition("\n")[0]
        _say(f"  {name:<{width}}  {first}")
    _say("\nMore about one: postroom COMMAND --help")


def _say(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - this is what a command line is for
