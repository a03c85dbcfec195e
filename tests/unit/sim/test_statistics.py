"""What several runs say together."""

import random

import pytest

from tidegate.sim.statistics import change, estimate


def test_one_run_has_no_margin() -> None:
    assert estimate([3.0]) == (3.0, None)


def test_the_interval_is_students() -> None:
    mean, margin = estimate([1.0, 2.0, 3.0])
    assert mean == 2.0
    assert margin == pytest.approx(4.303 / 3**0.5)


def test_the_interval_holds_the_mean_19_times_of_20() -> None:
    chance = random.Random(3)
    held = 0
    for _ in range(2_000):
        mean, margin = estimate([chance.gauss(10, 2) for _ in range(5)])
        held += abs(mean - 10) <= (margin or 0)
    assert held / 2_000 == pytest.approx(0.95, abs=0.015)


def test_a_change_is_measured_run_by_run() -> None:
    found = change([11.0, 22.0, 33.0], [10.0, 20.0, 30.0])
    assert found
    assert found.mean == pytest.approx(0.1)
    assert found.margin == pytest.approx(0, abs=1e-9)


def test_there_is_no_change_against_nothing() -> None:
    assert change([1.0], [0.0]) is None
