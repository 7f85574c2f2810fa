"""What is committed beside proto/: it lints, breaks nothing, and every generated thing is what proto/ generates."""

from __future__ import annotations

import subprocess

import pytest
from google.protobuf import descriptor_pb2

from tests.fixtures.contract import BUF, ROOT, Contract

REGENERATION_SECONDS = 120


def buf(*words: str) -> None:
    """Runs buf on the contract; its complaint is the failure."""
    done = subprocess.run([BUF, *words], cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def gateway_descriptor() -> descriptor_pb2.FileDescriptorSet:
    """The descriptor set that the gateway loads."""
    return descriptor_pb2.FileDescriptorSet.FromString((ROOT / "gateway/descriptor.binpb").read_bytes())


def test_the_contract_lints() -> None:
    buf("lint")


def test_the_contract_is_formatted() -> None:
    buf("format", "proto", "--diff", "--exit-code")


def test_the_contract_breaks_nothing() -> None:
    buf("breaking", "proto", "--against", "proto/.baseline.binpb")


@pytest.mark.timeout(REGENERATION_SECONDS)
def test_generated_files_are_what_the_contract_generates() -> None:
    done = subprocess.run(
        [ROOT / "scripts/check_generated"], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_gateway_can_decode_the_details_of_errors() -> None:
    names = {file.name for file in gateway_descriptor().file}
    assert {"google/rpc/error_details.proto", "google/rpc/status.proto"} <= names


def test_the_gateway_knows_every_method_and_carries_no_comments(contract: Contract) -> None:
    known = {
        f"{service.name}.{method.name}"
        for file in gateway_descriptor().file
        for service in file.service
        for method in service.method
    }
    assert known == {f"{rpc.service}.{rpc.name}" for rpc in contract.rpcs()}
    assert not any(file.HasField("source_code_info") for file in gateway_descriptor().file)


def test_the_vendored_files_are_those_of_the_wheel() -> None:
    from google.api import annotations_pb2

    wheel = (ROOT / annotations_pb2.__file__).resolve().parents[2]
    for path in (ROOT / "third_party/google").rglob("*.proto"):
        original = wheel / path.relative_to(ROOT / "third_party")
        assert path.read_bytes() == original.read_bytes(), path.name
