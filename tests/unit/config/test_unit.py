"""Durations, sizes and counts."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.config.load import Loaded
from tidegate.config.model import Config, Explain, Pool
from tidegate.config.model.unit import (
    MAX_DURATION,
    MAX_SIZE,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
    usable_cpus,
)


@pytest.mark.parametrize(
    ("text", "millis"),
    [("0", 0), ("250ms", 250), ("5s", 5_000), ("1.5s", 1_500), ("1h30m", 5_400_000), ("2d", 172_800_000)],
)
def test_a_duration_is_read_as_milliseconds(text: str, millis: int) -> None:
    assert parse_duration(text) == millis


@pytest.mark.parametrize("text", ["", "5", "s", "5 s", "-1s", "5x", "30m1h", "1s1s", "0.1ms", "٣s", "1e3s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("512", 512), ("64KiB", 65_536), ("10MB", 10_000_000), ("1gib", 1 << 30), ("1.5 KiB", 1_536)],
)
def test_a_size_is_read_as_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "KiB", "-1", "10XB", "10m", "1.5", "1e3", "0.0001KB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_size(text)


@given(st.integers(0, MAX_DURATION))
def test_a_duration_survives_being_written_and_read(millis: int) -> None:
    assert parse_duration(format_duration(millis)) == millis


@given(st.integers(0, 10**15 - 1) | st.sampled_from([1 << 40, 1 << 50, 10**12]))
def test_a_size_survives_being_written_and_read(size: int) -> None:
    assert parse_size(format_size(size)) == size


@given(st.text())
def test_any_text_is_a_unit_or_a_value_error(text: str) -> None:
    for parse in (parse_duration, parse_size):
        try:
            assert parse(text) >= 0
        except ValueError as error:
            assert "expected" in str(error)


@pytest.mark.parametrize("value", [True, 1.5, -1, MAX_DURATION + 1, "9" * 400 + "s", None, []])
def test_a_model_refuses_what_is_no_duration(value: object) -> None:
    with pytest.raises(ValueError, match="idle_timeout"):
        Pool.model_validate({"idle_timeout": value})


@pytest.mark.parametrize("value", [True, 1.5, -1, 1 << 32, "many"])
def test_a_model_refuses_what_is_no_count(value: object) -> None:
    with pytest.raises(ValueError, match="max_idle"):
        Pool.model_validate({"max_idle": value})


def test_sizes_have_an_upper_bound() -> None:
    with pytest.raises(ValueError, match="body"):
        Config.model_validate({"routes": [{"name": "a", "upstream": "b", "limits": {"body": MAX_SIZE + 1}}]})


@pytest.mark.parametrize(
    ("text", "percent"), [("5", 5), ("'0.1%'", 0.1), ("12.5 %", 12.5), ("0", 0), ("100", 100)]
)
def test_a_share_is_percent(load: Callable[..., Loaded], text: str, percent: float) -> None:
    assert load(f"explain: {{sample: {text}}}").config.explain.sample == percent


@pytest.mark.parametrize("value", [-1, 100.5, "101%", "-1%", "half", True, None, []])
def test_a_model_refuses_what_is_no_share(value: object) -> None:
    with pytest.raises(ValueError, match="sample"):
        Explain.model_validate({"sample": value})


def test_auto_workers_are_the_usable_cpus() -> None:
    assert Config.model_validate({"workers": "auto"}).workers == usable_cpus()
