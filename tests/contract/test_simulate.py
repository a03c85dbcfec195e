"""The engine takes the scenarios that studies make, and the command line shows what comes out."""

import json
from pathlib import Path
from typing import Any

import pytest

from tidegate import _engine as native
from tidegate import cli
from tidegate.sim.load import StudyFile
from tidegate.sim.model import Study
from tidegate.sim.scenario import Scenarios

EXAMPLES = Path(__file__).parents[2] / "examples" / "sim"
BRIEF = [("duration", "300"), ("warmup", "100")]
STUDY = """\
description: a small study
servers:
  - {count: 3, workers: 2, queue: 100, antagonist: {share: 0.1, speed: 0.4}}
  - {weight: 2, phases: [{from: 100, until: 200, errors: 0.5, error_after: 1ms}, {drops: 0.1, down: false}]}
work:
  - {distribution: constant, mean: 4ms}
  - {distribution: exponential, mean: 4ms, dearer: {after: 100ms, factor: 2}}
  - {distribution: lognormal, mean: 4ms, cv: 1}
  - {distribution: bimodal, low: 1ms, high: 20ms, high_share: 0.1}
  - {distribution: samples, samples: [1ms, 2ms, 9ms]}
load: 0.6
keys: {count: 100}
network: {distribution: lognormal, mean: 500us, cv: 0.5}
timeout: 200ms
retry: {attempts: 2, backoff: 1ms}
gateways: 2
policies: {two: {policy: least_request, choices: 2}, by key: {policy: maglev, hash: {path: true}}}
warmup: 100ms
duration: 500ms
seeds: 2
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A study that uses nearly every option."""
    file = tmp_path / "study.yaml"
    file.write_text(STUDY)
    return file


def tidegate(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["tidegate", *arguments])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return int(end.value.code or 0)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_each_policy_of_an_example_can_be_run(path: Path) -> None:
    study = StudyFile(path, Study).study(BRIEF)
    if study.trace and not study.trace.file.exists():
        pytest.skip(f"{study.trace.file} is not there")
    scenarios = Scenarios(study)
    for policy in study.policies:
        report = json.loads(native.simulate("balancing", scenarios.scenario(policy, seed=1)))
        assert report["answered"] + report["failed"] + report["unanswered"] > 0


def test_every_option_reaches_the_engine_and_a_seed_gives_one_report(file: Path) -> None:
    study = StudyFile(file, Study).study()
    scenarios = Scenarios(study)
    for policy in study.policies:
        first, again, other = (
            native.simulate("balancing", scenarios.scenario(policy, seed)) for seed in (1, 1, 2)
        )
        assert first == again
        assert first != other


def test_what_the_engine_refuses_is_told_with_its_place(file: Path) -> None:
    study = StudyFile(file, Study).study([("timeout", "null")])
    with pytest.raises(native.PlanError, match=r"servers\.3\.phases") as refused:
        native.simulate("balancing", Scenarios(study).scenario("two", 1))
    assert refused.value.errors


def test_compare_shows_each_policy_with_its_margin_and_what_each_class_gets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], file: Path
) -> None:
    assert tidegate(monkeypatch, "sim", "compare", str(file), "--vary", "load=0.3,0.6") == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if "±" in line]
    assert [row.split()[0] for row in rows] == ["0.3", "0.3", "0.6", "0.6"] * 2


def test_compare_prints_each_report_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], file: Path
) -> None:
    assert tidegate(monkeypatch, "sim", "compare", str(file), "--seeds", "3", "--json") == 0
    cells: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    assert [(cell["policy"], len(cell["reports"])) for cell in cells] == [("two", 3), ("by key", 3)]


def test_run_shows_classes_and_servers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], file: Path
) -> None:
    assert tidegate(monkeypatch, "sim", "run", str(file), "-p", "two") == 0
    shown = capsys.readouterr().out
    assert "class 4" in shown
    assert "servers 1" in shown
    assert "by key" not in shown


@pytest.mark.parametrize("vary", [[], ["--vary", "gateways=1,2"]])
def test_a_plot_is_the_same_each_time(monkeypatch: pytest.MonkeyPatch, file: Path, vary: list[str]) -> None:
    pytest.importorskip("matplotlib")
    drawn = []
    for name in ("one.svg", "two.svg"):
        plot = file.parent / name
        assert tidegate(monkeypatch, "sim", "compare", str(file), "--plot", str(plot), *vary) == 0
        drawn.append(plot.read_bytes())
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["compare", "nowhere.yaml"], 1),
        (["compare", "{file}", "--policy", "three"], 2),
        (["compare", "{file}", "--vary", "load"], 2),
        (["compare", "{file}", "--vary", "load=-1"], 1),
        (["compare", "{file}", "--vary", "timeout=null"], 1),
        (["compare", "{file}", "--plot", "{file}.nonsense"], 4),
    ],
)
def test_a_mistake_ends_with_its_code(
    monkeypatch: pytest.MonkeyPatch, file: Path, arguments: list[str], code: int
) -> None:
    assert tidegate(monkeypatch, "sim", *(argument.format(file=file) for argument in arguments)) == code
