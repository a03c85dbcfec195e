"""What a service measures of its own load."""

import subprocess
import sys
import time

import pytest

from tidegate.probe import Meter


class Clock:
    """Time that a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def serve(measured: Meter, clock: Clock, took: float, status: int | None = 200) -> None:
    began = measured.begin()
    clock.now += took
    measured.end(began, status)


def test_nothing_is_known_before_the_first_answer() -> None:
    assert Meter().answer() == b'{"in_flight": 0, "latency_ms": null}'
    assert Meter().report() == "TEXT named_metrics.in_flight=0"


def test_latency_is_that_of_the_nearest_level_of_load(clock: Clock) -> None:
    measured = Meter()
    serve(measured, clock, 0.010)
    held = [measured.begin() for _ in range(8)]
    serve(measured, clock, 0.500)
    assert measured.latency() == pytest.approx(0.500)
    assert measured.report() == "TEXT named_metrics.in_flight=8, named_metrics.latency_ms=500.000"
    for began in held:
        measured.end(began, None)
    assert measured.latency() == pytest.approx(0.010)
    assert measured.answer() == b'{"in_flight": 0, "latency_ms": 10.0}'


@pytest.mark.parametrize("status", [None, 500, 503, 429])
def test_a_fast_failure_does_not_look_quick(clock: Clock, status: int | None) -> None:
    measured = Meter()
    serve(measured, clock, 0.100)
    serve(measured, clock, 0.001, status)
    assert measured.latency() == pytest.approx(0.100)
    assert measured.in_flight == 0


def test_a_level_moves_slowly_and_is_forgotten(clock: Clock) -> None:
    measured = Meter()
    serve(measured, clock, 0.100)
    serve(measured, clock, 0.900)
    assert measured.latency() == pytest.approx(0.200)
    clock.now += 11
    assert measured.latency() is None


def test_the_middleware_needs_nothing_but_the_standard_library() -> None:
    program = """if True:
        import sys
        before = set(sys.modules)
        import tidegate.probe
        roots = {name.partition(".")[0] for name in set(sys.modules) - before}
        print(roots - sys.stdlib_module_names, "tidegate._engine" in sys.modules)
    """
    ran = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "{'tidegate'} False\n"
