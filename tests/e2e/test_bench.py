"""The benchmarks run; what they say is not judged here."""

import json
from pathlib import Path

import pytest
from bench import curve, first_byte, scale, start


def test_the_scale_is_measured_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures, drawing = tmp_path / "scale.json", tmp_path / "scale.svg"
    scale.main(["--sizes", "10", "--rounds", "1", "--changes", "2", "--json", str(figures)])
    measured = {row["measure"] for row in json.loads(figures.read_text())}
    told = capsys.readouterr().out
    assert {"start, ms", "reload with one route changed, ms"} <= measured
    assert all(measure in told for measure in measured)
    curve.main(figures, drawing)
    assert drawing.read_text().startswith("<?xml")


def test_the_start_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    start.main(["--rounds", "1", "--idle", "0"])
    told = capsys.readouterr().out
    assert "first answer of the admin API" in told
    assert "tidegate status" in told


def test_the_first_event_of_a_stream_is_timed_over_every_version(capsys: pytest.CaptureFixture[str]) -> None:
    first_byte.main(["--rounds", "3", "--pause", "1"])
    told = capsys.readouterr().out
    assert all(f"{way} to the gateway" in told for way in ("HTTP/1", "HTTP/2", "HTTP/3"))
