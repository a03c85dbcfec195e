"""Files that must load as they stand."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.config.conftest import Write
from tidegate.config.load import Loaded, load_file
from tidegate.config.plan import build_plan

ROOT = Path(__file__).parents[3]
SHARED = ROOT.parent / "shared"


@pytest.mark.parametrize("file", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda file: file.name)
def test_an_example_loads(file: Path, write: Write, certificates: Path) -> None:
    loaded = load_file(write(file.name, file.read_text()))
    assert loaded.config.listeners
    assert build_plan(loaded).data["routes"]


def test_the_benchmarks_file_loads(load: Callable[..., Loaded], certificates: Path) -> None:
    file = SHARED / "tools/peers.yaml"
    if not file.exists():
        pytest.skip(f"{file} is not there")
    loaded = load(file.read_text().replace("@W@", str(certificates)))
    assert len(build_plan(loaded).data["listeners"]) == 3


def test_the_designs_sketch_loads(load: Callable[..., Loaded], certificates: Path) -> None:
    file = SHARED / "DESIGN.md"
    if not file.exists():
        pytest.skip(f"{file} is not there")
    sketch = re.search(r"```yaml\n(.*?)```", file.read_text(), re.DOTALL)
    assert sketch
    plan = build_plan(load(sketch[1])).data
    assert plan["routes"][0]["timeout"] == 5000
    second = plan["upstreams"][0]["endpoints"][1]
    assert (second["address"], second["weight"], second["drain"]) == ("127.0.0.1:9002", 2, False)
