"""Recorded requests."""

from pathlib import Path
from typing import Any

import pytest

from tidegate.sim.model import Trace
from tidegate.sim.trace import arrivals, offered, sped_up

TRACES = Path(__file__).parents[4] / "shared" / "data" / "traces"
AZURE = """\
TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:17:03.9799600,4808,10
2023-11-16 18:17:04.0319600,3180,8
"""
MOONCAKE = (
    '{"timestamp": 0, "input_length": 6758, "output_length": 500, "hash_ids": [0, 14, 15]}\n'
    '{"timestamp": 27, "input_length": 10, "output_length": 1, "hash_ids": [0]}\n'
)


def trace(file: Path, **options: Any) -> Trace:
    return Trace.model_validate({"file": file, "per_input": "1ms", "per_output": "1s", **options})


def test_azures_trace_has_times_to_a_tenth_of_a_microsecond(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    file.write_text(AZURE)
    first, second = arrivals(trace(file, format="azure_llm"))
    assert (first.at, second.at) == (0, 52_000_000)
    assert second.work == 3_180 * 1_000_000 + 8 * 1_000_000_000


def test_mooncakes_requests_share_the_block_after_the_systems_prompt(tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_text(MOONCAKE)
    first, second = arrivals(trace(file, format="mooncake"))
    assert (first.key, second.key) == (14, 0)
    assert second.at == 27_000_000


def test_a_trace_is_sped_up_to_a_load(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    file.write_text(AZURE)
    recorded = arrivals(trace(file, format="azure_llm"))
    assert offered(sped_up(recorded, 2)) == pytest.approx(2 * offered(recorded))


@pytest.mark.parametrize(
    ("format_", "text"), [("azure_llm", "a,b\n1,2\n"), ("mooncake", "{}\n"), ("mooncake", "x")]
)
def test_what_is_no_trace_is_told(tmp_path: Path, format_: str, text: str) -> None:
    file = tmp_path / "trace"
    file.write_text(text)
    with pytest.raises(ValueError, match="trace"):
        arrivals(trace(file, format=format_))


@pytest.mark.parametrize(
    ("file", "format_", "requests"),
    [
        ("azure-llm-2023/data/AzureLLMInferenceTrace_conv.csv", "azure_llm", 19_366),
        ("azure-llm-2023/data/AzureLLMInferenceTrace_code.csv", "azure_llm", 8_819),
        ("mooncake/FAST25-release/traces/conversation_trace.jsonl", "mooncake", 12_031),
    ],
)
def test_the_published_traces_are_read_whole(file: str, format_: str, requests: int) -> None:
    path = TRACES / file
    if not path.exists():
        pytest.skip(f"{path} is not there")
    recorded = arrivals(trace(path, format=format_))
    assert len(recorded) == requests
    assert 3_000 < recorded[-1].at / 1e9 < 3_700, "about an hour"
