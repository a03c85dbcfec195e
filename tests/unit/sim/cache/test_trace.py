"""Recorded requests for objects."""

import json
from pathlib import Path
from typing import Any

import pytest

from tidegate.sim.cache.model import CacheTrace
from tidegate.sim.cache.trace import Requested, requests

MOONCAKE = (
    Path(__file__).parents[5] / "shared/data/traces/mooncake/FAST25-release/traces/conversation_trace.jsonl"
)


def trace(file: Path, format_: str) -> CacheTrace:
    return CacheTrace.model_validate({"file": file, "format": format_})


def line(path: str, size: int, **different: Any) -> str:
    row = {"method": "GET", "host": "shop.example", "path": path, "query": "", "status": 200}
    return json.dumps({**row, "response_bytes": size, **different}) + "\n"


def test_an_access_log_tells_what_was_asked_for_and_how_large_it_is(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    file.write_text(
        line("/a", 100)
        + line("/b", 0, status=304)
        + line("/a", 7, query="page=2")
        + line("/a", 5, method="POST")
        + line("/gone", 5, status=404)
        + line("/b", 900)
        + line("/a", 100, host="other.example")
        + line("/a", 20, status=206)
    )
    found = requests(trace(file, "access_log"))
    assert found == [
        Requested(0, 100),
        Requested(1, 900),
        Requested(2, 7),
        Requested(1, 900),
        Requested(3, 100),
        Requested(0, 100),
    ]


def test_of_mooncake_each_block_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_text('{"hash_ids": [7, 9]}\n{"hash_ids": [7, 8]}\n')
    assert [one.number for one in requests(trace(file, "mooncake"))] == [0, 1, 0, 2]


def test_of_the_hour_of_mooncake_a_cache_that_keeps_everything_hits_36_6_percent() -> None:
    if not MOONCAKE.exists():
        pytest.skip(f"{MOONCAKE} is not there")
    found = requests(trace(MOONCAKE, "mooncake"))
    objects = {one.number for one in found}
    assert len(found) == 288_500
    assert 1 - len(objects) / len(found) == pytest.approx(0.366, abs=0.0005)


@pytest.mark.parametrize(
    ("format_", "text"),
    [("access_log", "GET / 200\n"), ("access_log", "{}\n"), ("access_log", "[]\n"), ("mooncake", "{}\n")],
)
def test_what_is_no_trace_is_told(tmp_path: Path, format_: str, text: str) -> None:
    file = tmp_path / "trace"
    file.write_text(text)
    with pytest.raises(ValueError, match="is not a trace of the format"):
        requests(trace(file, format_))


def test_a_log_without_anything_to_keep_is_told(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    file.write_text(line("/a", 5, method="POST"))
    with pytest.raises(ValueError, match="no requests"):
        requests(trace(file, "access_log"))
