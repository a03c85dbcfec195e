"""The tutorial of docs/concepts/models.md, run as it stands there."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

pytest.importorskip("lightgbm", reason="the extra tidegate[ai] is not installed")

from .conftest import StartGateway
from .harness.gateway import Gateway, command
from .harness.origin import Origin
from .harness.priced import ask, price
from .harness.waiting import eventually

PAGE = (Path(__file__).parents[2] / "docs/concepts/models.md").read_text()
CONFIGURATION = next(block for block in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
COMMANDS = [
    line.removeprefix("$ ")
    for block in re.findall(r"^```console\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
    if line.startswith("$ ")
]
OFFLINE = {"train", "evaluate", "explain"}
"""These look at the folder and ask no gateway."""


def run(gateway: Gateway, line: str) -> str:
    """What a command of the page prints, run in the folder of the configuration."""
    program, *words = shlex.split(line)
    product = command()
    assert (program, product is not None) == ("tidegate", True)
    asked = [] if words[1] in OFFLINE else ["--admin", str(gateway.admin.base_url)]
    ended = subprocess.run(
        [*(product or ()), *words, *asked],
        cwd=gateway.directory,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert ended.returncode == 0, f"{line}\n{ended.stdout}{ended.stderr}"
    return ended.stdout


def test_every_command_of_the_tutorial_does_what_the_page_says(
    start_gateway: StartGateway, origin: Origin
) -> None:
    origin.on_every_path(price)
    config = yaml.safe_load(CONFIGURATION)
    del config["listeners"][0]["address"]
    config["upstreams"][0]["endpoints"] = [origin.address]
    gateway = start_gateway(config)
    ask(gateway, 2_000)

    def written() -> int:
        (upstream,) = gateway.admin.get("/v1/upstreams").raise_for_status().json()
        return int(upstream["prediction"]["samples"]["written"])

    eventually(lambda: written() >= 1_500, "enough samples are written", deadline=60)
    said = {line: run(gateway, line) for line in COMMANDS}
    trained = next(text for line, text in said.items() if " train " in line)
    assert "explained variance" in trained
    assert "tidegate ai promote app-cost@" in trained
    assert "lightgbm" in next(text for line, text in said.items() if line.endswith("ai list"))
    statuses = [run(gateway, line) for line in COMMANDS if line.endswith("ai status")]
    assert statuses
    assert "path_number_1" in next(text for line, text in said.items() if " explain " in line)
