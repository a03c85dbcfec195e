"""Studies of caches: what a file may say, what is wrong with it, and what the engine gets."""

import json
from pathlib import Path
from typing import Any

import pytest

from tidegate.config.problem import ConfigError
from tidegate.sim.cache.model import CacheStudy
from tidegate.sim.cache.scenario import CacheScenarios
from tidegate.sim.load import StudyFile

SMALL = """\
synthetic: {requests: 1000, objects: 100, size: {mean: 10KB, cv: 1}}
policies: [lru, s3_fifo]
capacities: [10%, 64KB, 512]
"""
EXAMPLES = Path(__file__).parents[4] / "examples" / "sim" / "cache"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the study is."""
    return tmp_path / "study.yaml"


def study(file: Path, text: str) -> CacheStudy:
    file.write_text(text)
    return StudyFile(file, CacheStudy).study()


def scenario(of: CacheStudy) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(CacheScenarios(of).scenario("lru", seed=2))
    return found


def test_capacities_are_sizes_or_shares(file: Path) -> None:
    made = scenario(study(file, SMALL))
    assert made["capacities"] == [{"share": 0.1}, {"bytes": 64_000}, {"bytes": 512}]
    assert (made["policy"], made["seed"]) == ("lru", 2)


def test_sizes_are_lognormal_unless_they_are_all_alike(file: Path) -> None:
    made = scenario(study(file, SMALL))["stream"]["synthetic"]
    assert made["size"] == {"lognormal": {"mean": 10_000, "cv": 1}}
    made = scenario(study(file, SMALL.replace(", cv: 1", "")))["stream"]["synthetic"]
    assert made["size"] == {"constant": {"value": 10_000}}


def test_a_trace_is_looked_for_beside_the_study(file: Path) -> None:
    found = study(file, "trace: {file: ../log, format: access_log}")
    assert found.trace
    assert found.trace.file == file.parent.parent / "log"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("capacities: [10%]", "expected exactly one of synthetic, trace"),
        (SMALL.replace("10%", "101%"), "expected a size like 64MB, or a share like 10%"),
        (SMALL.replace("64KB", "64 pages"), "expected a size"),
        (SMALL.replace("64KB", "true"), "expected a size"),
        (SMALL.replace("lru", "lruu"), "lru"),
        (SMALL.replace("size:", "once: 0.9, scans: {share: 0.2}, size:"), "at most 1 together"),
    ],
)
def test_what_is_wrong_is_told(file: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        study(file, text)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_examples_are_studies(path: Path) -> None:
    assert StudyFile(path, CacheStudy).study().policies
