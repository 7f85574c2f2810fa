"""Makes the virtual environment that the Makefile's targets run in.

Owns `.venv`: creates it, fills it from the hashed lock files and installs the repository's two distributions as
editable. Refuses what the locks do not name: every downloaded file is checked against its hash. Needs the standard
library only, because it runs before anything is installed.

Usage: `python3 scripts/bootstrap.py run` (what the server needs) or `... dev` (tests and checks as well).
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
MINIMUM_PYTHON = (3, 11)
LOCKS = {
    "run": ("requirements.lock", "requirements-build.lock"),
    "dev": ("requirements-dev.lock",),
}
EDITABLE = ("clients/python", ".")
PIP_OPTIONS = ("--quiet", "--disable-pip-version-check", "--no-input")
NO_ENSUREPIP = """\
This Python has neither ensurepip nor pip, so it cannot fill a virtual environment.
Please install Debian's package for it and try again:  sudo apt-get install python3-venv"""


def say(text: str) -> None:
    """Writes one progress line at once, also into a pipe."""
    print(f"bootstrap: {text}", file=sys.stderr, flush=True)


def run(*command: str) -> None:
    """Runs one command; a failure ends the script with the command's own output."""
    finished = subprocess.run(command, cwd=ROOT, check=False)
    if finished.returncode:
        sys.exit(f"bootstrap: failed ({finished.returncode}): {' '.join(command)}")


def has_module(name: str) -> bool:
    """Tells whether the Python that runs this script can import a module."""
    return importlib.util.find_spec(name) is not None


def make_venv() -> None:
    """Creates `.venv` in the way that this Python allows; Debian's lacks ensurepip until python3-venv is there."""
    say(f"creating {VENV.name} with Python {sys.version.split()[0]}")
    if has_module("ensurepip"):
        run(sys.executable, "-m", "venv", str(VENV))
    elif has_module("pip"):
        run(sys.executable, "-m", "venv", "--without-pip", str(VENV))
    elif os.geteuid() == 0 and shutil.which("apt-get"):
        run("apt-get", "update", "-qq")
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "python3-venv")
        run(sys.executable, "-m", "venv", str(VENV))
    else:
        sys.exit(NO_ENSUREPIP)


def pip(*arguments: str) -> None:
    """Runs pip for `.venv`: its own, or this Python's where the environment was made without one."""
    own = (VENV / "bin" / "pip").exists()
    command = [str(PYTHON), "-m", "pip"] if own else [sys.executable, "-m", "pip", "--python", str(PYTHON)]
    run(*command, *arguments)


def install(kind: str) -> None:
    """Installs the locked packages of a kind, then the repository's distributions without looking for more."""
    locks = [part for lock in LOCKS[kind] for part in ("--requirement", lock)]
    say(f"installing the packages of {' and '.join(LOCKS[kind])}")
    pip("install", *PIP_OPTIONS, "--require-hashes", "--only-binary=:all:", *locks)
    editable = [part for path in EDITABLE for part in ("--editable", path)]
    pip("install", *PIP_OPTIONS, "--no-index", "--no-deps", "--no-build-isolation", *editable)


def main() -> None:
    """Reads the kind of environment from the command line and makes it."""
    parser = argparse.ArgumentParser(description="Makes the virtual environment of this repository.")
    parser.add_argument("kind", choices=sorted(LOCKS))
    kind = parser.parse_args().kind
    if sys.version_info < MINIMUM_PYTHON:
        sys.exit(
            f"bootstrap: Python {'.'.join(map(str, MINIMUM_PYTHON))} or newer is needed, this is {sys.version.split()[0]}"
        )
    started = time.monotonic()
    if not PYTHON.exists():
        make_venv()
    install(kind)
    say(f"ready after {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
