"""`tidegate ai`: what people see of it, and where a model goes."""

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.ai.packages import package
from tests.unit.cli.conftest import Answer, answer, tidegate
from tidegate.ai.package import Package
from tidegate.ai.registry import ModelId, Registry

MODEL = "shop-cost@0123456789ab"
USE = {
    "upstream": "app",
    "stage": "canary",
    "share": 10.0,
    "state": "serving",
    "reason": None,
    "skill": 0.12,
    "predictions": 20_123,
}
LISTED = {
    "model": MODEL,
    "name": "shop-cost",
    "digest": "0123456789ab" + "0" * 52,
    "kind": "cost",
    "learner": "lightgbm",
    "created": "2026-11-27T03:00:00Z",
    "author": "ann",
    "problem": None,
    "uses": [USE],
}
BROKEN = {
    **LISTED,
    "learner": None,
    "created": None,
    "author": None,
    "uses": [],
    "problem": "manifest.json: broken",
}
CHANGE = {
    "generation": 7,
    "changes": [{"path": "upstreams[app].predict.model.stage", "old": "shadow", "new": "canary"}],
}


def says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str, code: int = 0
) -> str:
    """What `tidegate ai` prints."""
    assert tidegate(monkeypatch, "ai", *words) == code
    said = capsys.readouterr()
    return said.err if code else said.out


Says = Any


@pytest.fixture
def ai(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Says:
    return lambda *words, code=0: says(monkeypatch, capsys, *words, code=code)


def test_models_are_listed_with_where_they_are_used(ai: Says, answers: dict[str, Answer]) -> None:
    answers["GET /v1/models"] = answer(200, [LISTED, BROKEN])
    said = ai("list")
    assert MODEL in said
    assert "app (canary)" in said
    assert "manifest.json: broken" in said
    answers["GET /v1/models"] = answer(200, [])
    assert "tidegate ai train makes one" in ai("list")


def test_a_model_is_shown_with_its_figures_and_how_it_does(ai: Says, answers: dict[str, Answer]) -> None:
    manifest = {
        "data": {"rows": 4000, "upstream": "app", "from": "a", "until": "b"},
        "figures": {"explained": {"model": 0.91, "learner": 0.8, "constant": 0.0}, "gain": {"load": 1.0}},
    }
    answers["GET /v1/models/shop-cost"] = answer(200, {**LISTED, "manifest": manifest})
    said = ai("show", "shop-cost")
    assert "made of 4000 samples of app, a to b" in said
    assert "0.910" in said
    assert "app: canary of 10 %, serving; skill 0.120 after 20123 predictions" in said
    answers["GET /v1/models/shop-cost"] = answer(200, {**BROKEN, "manifest": None})
    assert "It cannot be used: manifest.json: broken" in ai("show", "shop-cost")


def test_a_step_shows_what_it_changed(ai: Says, answers: dict[str, Answer]) -> None:
    answers[f"POST /v1/models/{MODEL}/promote?upstream=a+b"] = answer(200, CHANGE)
    said = ai("promote", MODEL, "--upstream", "a b")
    assert "Generation 7 is served." in said
    assert "upstreams[app].predict.model.stage: shadow → canary" in said
    answers[f"POST /v1/models/{MODEL}/rollback"] = answer(409, {"detail": "it does not use the model"})
    assert "it does not use the model" in ai("rollback", MODEL, code=4)


def test_the_status_shows_models_and_why_no_samples_are_written(ai: Says, answers: dict[str, Answer]) -> None:
    samples = {"taken": 9, "dropped": 1, "written": 5, "lost": 3, "stopped": "No space left on device"}
    prediction = {
        "mode": "auto",
        "skill": 0.5,
        "weight": 1.0,
        "mean_cost_ms": 4.2,
        "model": {**USE, "name": MODEL},
        "samples": samples,
    }
    upstreams = [{"name": "app", "prediction": prediction}, {"name": "other", "prediction": None}]
    answers["GET /v1/upstreams"] = answer(200, upstreams)
    said = ai("status")
    assert f"{MODEL} in app: canary of 10 %" in said
    assert "5 samples written since the start, 4 dropped; none are written now: No space left" in said
    answers["GET /v1/upstreams"] = answer(200, upstreams[1:])
    assert "predict.mode of all upstreams is off" in ai("status")


def test_an_archive_is_imported_without_any_library(
    ai: Says, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for library in ("numpy", "polars", "lightgbm", "onnx"):
        monkeypatch.setitem(sys.modules, library, None)
    file, made = tmp_path / "model.tar", package()
    file.write_bytes(made.archive())
    said = ai("import", str(file), "--name", "shop-cost", "--state-dir", str(tmp_path))
    assert f"The model is shop-cost@{made.digest[:12]}." in said
    assert Registry(tmp_path).read(ModelId("shop-cost", made.digest)) == made


def test_an_archive_is_sent_to_the_running_gateway(
    ai: Says, tmp_path: Path, answers: dict[str, Answer]
) -> None:
    file = tmp_path / "model.tar"
    file.write_bytes(package().archive())
    answers["POST /v1/models?name=shop-cost"] = answer(201, LISTED)
    assert f"tidegate ai promote {MODEL} --upstream UPSTREAM" in ai(
        "import", str(file), "--name", "shop-cost"
    )


def test_a_missing_library_is_named(ai: Says, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("tidegate.ai.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "numpy", None)
    monkeypatch.setitem(sys.modules, "polars", None)
    words = ("train", "cost", "--upstream", "app", "--state-dir", str(tmp_path))
    said = ai(*words, code=4)
    assert "which is not installed: pip install 'tidegate[ai]'" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("evaluate", "shop-cost", "--upstream", "app"), "there is no model shop-cost"),
        (("train", "cost", "--upstream", "app"), "there are no samples of the upstream 'app'"),
        (("explain", "shop-cost", "--upstream", "app"), "there is no model shop-cost"),
    ],
)
def test_what_is_not_there_is_told(ai: Says, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    pytest.importorskip("lightgbm", reason="the extra tidegate[ai] is not installed")
    assert said in ai(*words, "--state-dir", str(tmp_path), code=4)


def test_a_file_that_is_no_model_is_refused(ai: Says, tmp_path: Path) -> None:
    pytest.importorskip("lightgbm", reason="the extra tidegate[ai] is not installed")
    file = tmp_path / "model.pickle"
    file.write_bytes(b"\x80\x04garbage")
    said = ai("import", str(file), "--name", "shop-cost", "--state-dir", str(tmp_path), code=1)
    assert f"{file} cannot be imported: it is no ONNX file" in said
    missing = ai("import", str(tmp_path / "none"), "--name", "shop-cost", code=4)
    assert "cannot be read: No such file or directory" in missing
    assert "expected --state-dir with --upstream" in ai(
        "import", str(file), "--name", "x", "--upstream", "app", code=2
    )


def test_a_model_goes_into_a_file_where_one_is_named(ai: Says, tmp_path: Path) -> None:
    pytest.importorskip("lightgbm", reason="the extra tidegate[ai] is not installed")
    from tests.unit.ai import synthetic  # noqa: PLC0415 - it needs the extra

    synthetic.write(tmp_path, "app", synthetic.samples())
    out = tmp_path / "model.tar"
    words = ("--upstream", "app", "--state-dir", str(tmp_path), "--learner", "linear", "--out", str(out))
    said = ai("train", "cost", *words)
    assert "explained variance" in said
    assert Package.of_archive(out.read_bytes()).manifest.learner == "linear"
    assert Registry(tmp_path).entries() == []
