"""What is published of the Python client: wheel and sdist are whole, and work in an environment that holds nothing else.

No network is needed. The locked dependencies are copied, file by file, from the environment of the tests; pip then takes the
wheel without an index, and so only if its metadata is content with them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

import pytest

from tests.fixtures.postroom import PROGRAM, Up

SOURCE: Final = Path(__file__).resolve().parents[2] / "clients/python"
NEEDED: Final = ("grpcio", "googleapis-common-protos", "protobuf", "typing-extensions")
STUBS: Final = ("types-grpcio", "types-protobuf")
TEST_TOOLS: Final = ("pytest", "pytest-asyncio", "iniconfig", "packaging", "pluggy", "pygments")
PROGRAM_SECONDS: Final = 50
TYPED: Final = """\
import postroom
from postroom.v1.account_service_pb2 import GetAccountRequest


async def email(client: postroom.Postroom) -> str:
    answer = await client.accounts.GetAccount(GetAccountRequest(name="accounts/ada"), timeout=5)
    reveal_type(answer)
    reveal_type(client.watch().state)
    print(answer.account.emial)
    return answer.account.email
"""
USED: Final = """\
import asyncio, os, sys
import postroom
from postroom import testing
from postroom.v1 import message_pb2, submission_pb2

async def main():
    async with postroom.connect(os.environ["POSTROOM_ADDRESS"], os.environ["POSTROOM_TOKEN"]) as client:
        account = await testing.sandbox_account(client)
        raw = f"From: {account.email}\\r\\nTo: {account.email}\\r\\nSubject: Hello\\r\\n\\r\\nFrom a wheel.\\r\\n".encode()
        await client.upload(account.name, raw)
        async with client.watch(account.name, start="EARLIEST", kinds=["MESSAGE_ADDED"]) as watch:
            change = await anext(watch)
        assert b"From a wheel." in await client.download(change.message_added.message.name)
        print(postroom.kind_of(change), postroom.__file__, sep="\\n")

asyncio.run(main())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefacts:
    """What was built, and an environment that the wheel was installed into."""

    wheel: Path
    sdist: Path
    python: Path

    @property
    def stem(self) -> str:
        """Name and version as file names have them."""
        return "-".join(self.wheel.name.split("-")[:2])

    def metadata(self) -> Message:
        """The wheel's own words about itself."""
        with zipfile.ZipFile(self.wheel) as opened:
            name = next(one for one in opened.namelist() if one.endswith(".dist-info/METADATA"))
            return BytesParser().parsebytes(opened.read(name))


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Runs a program to its end, without anything of the environment of the tests; returns what it printed."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL"))}
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=clean | environment, text=True, check=False,
        timeout=PROGRAM_SECONDS, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def build(source: Path, into: Path, *targets: str) -> list[Path]:
    wanted = [word for target in targets for word in ("-t", target)]
    run(sys.executable, "-m", "hatchling", "build", "-d", into, *wanted, cwd=source)
    return sorted(into.iterdir())


def copy(name: str, into: Path) -> None:
    """Puts an installed distribution into another environment, as installing the same wheel would."""
    for file in distribution(name).files or ():
        if ".." not in file.parts and "__pycache__" not in file.parts:
            target = into / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(file.locate()), target)


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Artefacts:
    folder = tmp_path_factory.mktemp("python")
    wheel, sdist = build(SOURCE, folder / "dist", "wheel", "sdist")
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv/bin/python"
    packages = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder)
    for name in NEEDED:
        copy(name, Path(packages.strip()))
    pip = (sys.executable, "-m", "pip", "--python", python, "--quiet", "--no-input")
    run(*pip, "install", "--no-index", wheel, cwd=folder)
    for name in (*STUBS, *TEST_TOOLS):
        copy(name, Path(packages.strip()))
    run(*pip, "install", "--no-index", f"{wheel}[typing]", cwd=folder)
    run(*pip, "check", cwd=folder)
    return Artefacts(wheel=wheel, sdist=sdist, python=python)


def test_the_wheel_says_what_it_is(artefacts: Artefacts) -> None:
    told = artefacts.metadata()
    assert (told["Name"], told["License-Expression"], told["License-File"]) == (
        "postroom",
        "Apache-2.0",
        "LICENSE",
    )
    assert told["Requires-Python"] == ">=3.11"
    assert told["Description-Content-Type"] == "text/markdown"
    assert str(told.get_payload()).startswith("# postroom for Python")
    assert "](../" not in str(told.get_payload()), "relative links lead nowhere on an index"
    assert "Typing :: Typed" in told.get_all("Classifier", [])
    links = dict(one.split(", ", 1) for one in told.get_all("Project-URL", []))
    assert {"Homepage", "Source", "Documentation", "Issues", "Changelog"} <= set(links)


def test_the_wheel_holds_the_package_and_nothing_else(artefacts: Artefacts) -> None:
    with zipfile.ZipFile(artefacts.wheel) as opened:
        names = set(opened.namelist())
    assert {name.split("/")[0] for name in names} == {"postroom", f"{artefacts.stem}.dist-info"}
    sources = {
        str(one.relative_to(SOURCE / "src"))
        for one in (SOURCE / "src/postroom").rglob("*")
        if one.is_file() and "__pycache__" not in one.parts
    }
    assert {name for name in names if name.startswith("postroom/")} == sources
    assert {"postroom/py.typed", "postroom/v1/account_service_pb2_grpc.pyi"} <= names


def test_the_sdist_makes_the_same_wheel(artefacts: Artefacts, tmp_path: Path) -> None:
    with tarfile.open(artefacts.sdist) as opened:
        opened.extractall(tmp_path, filter="data")
    (again,) = build(tmp_path / artefacts.stem, tmp_path / "dist", "wheel")
    assert again.read_bytes() == artefacts.wheel.read_bytes()


def test_the_wheel_is_used_against_a_server(artefacts: Artefacts, postroom: Up, tmp_path: Path) -> None:
    place = {"POSTROOM_ADDRESS": postroom.grpc_address, "POSTROOM_TOKEN": postroom.token}
    kind, where = run(artefacts.python, "-c", USED, cwd=tmp_path, **place).split()
    assert kind == "MESSAGE_ADDED"
    assert Path(where).is_relative_to(artefacts.python.parents[1])


def test_the_command_says_where_its_subcommands_come_from(artefacts: Artefacts, tmp_path: Path) -> None:
    printed = run(artefacts.python.with_name("postroom"), "--help", cwd=tmp_path)
    assert "pip install postroom-server" in printed


def readme_programs(folder: Path) -> list[Path]:
    """The Python blocks of the README, each a file."""
    blocks = re.findall(
        r"^```python\n(.*?)^```$", (SOURCE / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    programs = [folder / f"readme_{number}.py" for number in range(len(blocks))]
    for program, block in zip(programs, blocks, strict=True):
        program.write_text(block)
    return programs


def test_a_type_checker_knows_the_types_of_calls_and_the_readme_is_typed(
    artefacts: Artefacts, tmp_path: Path
) -> None:
    """mypy knows of the clean environment only."""
    typed = tmp_path / "typed.py"
    typed.write_text(TYPED)
    options = ("--strict", "--no-incremental", "--config-file=", "--python-executable", str(artefacts.python))
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, typed, *readme_programs(tmp_path)],
        cwd=tmp_path, text=True, check=False, timeout=PROGRAM_SECONDS, capture_output=True,
    )  # fmt: skip
    told = done.stdout + done.stderr
    assert 'Revealed type is "postroom.v1.account_service_pb2.GetAccountResponse"' in told
    assert 'Revealed type is "postroom.watch.State"' in told
    assert '"Account" has no attribute "emial"' in told
    assert "Found 1 error in 1 file" in told, told


def test_the_programs_of_the_readme_run(artefacts: Artefacts, postroom: Up, tmp_path: Path) -> None:
    programs = readme_programs(tmp_path)
    (tmp_path / ".postroom").mkdir()
    (tmp_path / ".postroom/token").write_text(postroom.token)
    first = programs[0].read_text().replace("127.0.0.1:8080", postroom.grpc_address)
    first = first.replace("accounts/ada", "accounts/nobody")
    assert run(artefacts.python, "-c", first, cwd=tmp_path) == "no such account: accounts/nobody\n"
    pytest_command = ("-m", "pytest", "-q", "-o", "asyncio_mode=auto", programs[-1])
    tested = run(artefacts.python, *pytest_command, cwd=tmp_path, POSTROOM_COMMAND=str(PROGRAM))
    assert "1 passed" in tested
