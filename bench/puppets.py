"""The clients that a measurement drives, one program per language.

It owns which of them are here; a language without its toolchain is left out and said. It refuses to measure.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from tests.clients.scenarios.puppets import BuildFailed, Missing, Puppet, built


async def started(stack: contextlib.AsyncExitStack, languages: str) -> AsyncIterator[Puppet]:
    """The clients of these languages (`python,go`), each built and started when it is asked for; `stack` ends them."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="puppets-")))
    for language in languages.split(","):
        try:
            puppet = Puppet(language, await built(language, folder))
        except (Missing, BuildFailed) as error:
            print(f"{language} is left out: {error}", file=sys.stderr)
            continue
        await puppet.start()
        stack.push_async_callback(puppet.close)
        yield puppet
