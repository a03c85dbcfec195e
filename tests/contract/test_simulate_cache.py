"""The engine takes what studies of caches make, and the command line shows what comes out."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract.test_simulate import tidegate
from tidegate import _engine as native
from tidegate.sim.cache.model import CacheStudy
from tidegate.sim.cache.scenario import CacheScenarios
from tidegate.sim.load import StudyFile

EXAMPLES = Path(__file__).parents[2] / "examples" / "sim" / "cache"
BRIEF = [("synthetic.requests", "2000"), ("synthetic.objects", "500")]
STUDY = """\
description: a small cache
synthetic:
  requests: 5000
  objects: 500
  skew: 0.8
  once: 0.2
  scans: {share: 0.1, length: 50}
  size: {mean: 10KB, cv: 2}
capacities: [1%, 10%, 1MB]
seeds: 2
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A study that uses every option of what is asked for at random."""
    file = tmp_path / "study.yaml"
    file.write_text(STUDY)
    return file


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_each_policy_of_an_example_can_be_run(path: Path) -> None:
    study = StudyFile(path, CacheStudy).study()
    if study.trace and not study.trace.file.exists():
        pytest.skip(f"{study.trace.file} is not there")
    if study.synthetic:
        study = StudyFile(path, CacheStudy).study(BRIEF)
    scenarios = CacheScenarios(study)
    for policy in study.policy_names():
        report = json.loads(native.simulate("cache", scenarios.scenario(policy, seed=1)))
        assert report["unbounded"]["requests"] == report["objects"]
        assert len(report["misses"]) == len(study.capacities)
        for misses in report["misses"]:
            assert report["objects"] <= misses["requests"] <= report["requests"]


def test_a_seed_gives_one_report(file: Path) -> None:
    scenarios = CacheScenarios(StudyFile(file, CacheStudy).study())
    for policy in ("fifo", "w_tiny_lfu"):
        first, again, other = (
            native.simulate("cache", scenarios.scenario(policy, seed)) for seed in (1, 1, 2)
        )
        assert first == again
        assert first != other


def test_what_the_engine_refuses_is_told_with_its_place() -> None:
    scenario = {"seed": 1, "policy": "lru", "capacities": [{"share": 2}], "stream": {"recorded": []}}
    with pytest.raises(native.PlanError, match=r"capacities\.0"):
        native.simulate("cache", json.dumps(scenario))
    with pytest.raises(native.PlanError, match="policy"):
        native.simulate("cache", json.dumps({**scenario, "policy": "mru"}))
    with pytest.raises(ValueError, match="no simulator of weather"):
        native.simulate("weather", json.dumps(scenario))


def test_it_shows_what_each_policy_misses_by_capacity(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], file: Path
) -> None:
    options = ("--policy", "lru", "--policy", "s3_fifo", "--vary", "synthetic.skew=0.7,1")
    assert tidegate(monkeypatch, "sim", "cache", str(file), *options) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "a small cache"
    assert lines[1].split() == ["synthetic.skew", "requests", "missed,", "%", "1%", "10%", "1MB", "unbounded"]
    assert [line.split()[:2] for line in lines[2:6]] == [
        ["0.7", "lru"],
        ["0.7", "s3_fifo"],
        ["1", "lru"],
        ["1", "s3_fifo"],
    ]
    assert "bytes missed, %" in lines[6]


def test_it_prints_each_report_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], file: Path
) -> None:
    assert tidegate(monkeypatch, "sim", "cache", str(file), "--seeds", "3", "-p", "sieve", "--json") == 0
    cells: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    assert [(cell["policy"], len(cell["reports"])) for cell in cells] == [("sieve", 3)]


@pytest.mark.parametrize("vary", [[], ["--vary", "synthetic.once=0,0.5"]])
def test_a_plot_is_the_same_each_time(monkeypatch: pytest.MonkeyPatch, file: Path, vary: list[str]) -> None:
    pytest.importorskip("matplotlib")
    drawn = []
    for name in ("one.svg", "two.svg"):
        plot = file.parent / name
        assert tidegate(monkeypatch, "sim", "cache", str(file), "--plot", str(plot), *vary) == 0
        drawn.append(plot.read_bytes())
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nowhere.yaml"], 1),
        (["{file}", "--policy", "mru"], 2),
        (["{file}", "--vary", "synthetic.skew=-1"], 1),
        (["{file}", "--vary", "capacities=[200%]"], 1),
        (["{file}", "--plot", "{file}.nonsense"], 4),
    ],
)
def test_a_mistake_ends_with_its_code(
    monkeypatch: pytest.MonkeyPatch, file: Path, arguments: list[str], code: int
) -> None:
    given = (argument.format(file=file) for argument in arguments)
    assert tidegate(monkeypatch, "sim", "cache", *given) == code
