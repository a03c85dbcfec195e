"""Arrows between crates point one way, and core stays without I/O: docs/concepts/architecture.md."""

import json
import subprocess

import pytest

MAY_USE = {
    "tidegate-core": set[str](),
    "tidegate-model": {"tidegate-core"},
    "tidegate-proxy": {"tidegate-core", "tidegate-model"},
    "tidegate-sim": {"tidegate-core", "tidegate-model"},
    "tidegate-python": {"tidegate-core", "tidegate-model", "tidegate-proxy", "tidegate-sim"},
}
NOT_IN_CORE = {
    "async-std",
    "futures",
    "getrandom",
    "h2",
    "hyper",
    "mio",
    "pyo3",
    "rand",
    "rustls",
    "socket2",
    "tokio",
}


@pytest.fixture(scope="module")
def dependencies() -> dict[str, set[str]]:
    """What each crate of the workspace is built with; what only its tests use does not count."""
    command = ["cargo", "metadata", "--locked", "--no-deps", "--format-version", "1"]
    told = subprocess.run(command, capture_output=True, check=True, text=True)
    return {
        crate["name"]: {each["name"] for each in crate["dependencies"] if each["kind"] != "dev"}
        for crate in json.loads(told.stdout)["packages"]
    }


def test_a_crate_uses_only_those_below_it(dependencies: dict[str, set[str]]) -> None:
    for crate, used in dependencies.items():
        assert {name for name in used if name.startswith("tidegate-")} <= MAY_USE[crate], crate


def test_core_has_no_io_no_python_and_no_randomness(dependencies: dict[str, set[str]]) -> None:
    assert not dependencies["tidegate-core"] & NOT_IN_CORE
