"""What is loaded late: a command starts as quickly as what it does allows, and the gateway answers first.

The rule that this holds, and the places where something is imported late, are in
`docs/concepts/architecture.md`.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("tidegate._engine", reason="the engine is not built")

ADMIN = {"fastapi", "starlette", "uvicorn", "h11", "httpx"}
ASIDE = {
    "cryptography",
    "matplotlib",
    "pygments",
    "numpy",
    "polars",
    "lightgbm",
    "onnx",
    "sklearn",
    "tidegate.ai.manifest",
}
CONTROL = {"asyncio", "structlog", "watchfiles", "tidegate.control", "tidegate.process"}
READING = {"pydantic", "yaml", "tidegate.config"}
SHOWING = {"rich"}
CALLING = {"http.client", "ssl"}

COMMAND = """
import atexit, json, sys
from tidegate.cli import main

atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))
main()
"""
UNTIL_IT_ANSWERS = """
import json, os, sys
from tidegate.cli import main
from tidegate.control.gateway import Gateway

def end(*_):
    print(json.dumps(sorted(sys.modules)), file=sys.stderr, flush=True)
    os._exit(0)

Gateway._record = end  # what follows once the engine has committed
main()
"""
CONFIGURATION = """
workers: 1
admin: {address: "127.0.0.1:0"}
listeners: [{name: web, address: "127.0.0.1:0"}]
routes: [{name: answer, respond: {body: hello}}]
"""


def loaded(program: str, *arguments: str) -> set[str]:
    """The modules that a program has loaded by its end."""
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments], check=False, capture_output=True, text=True, timeout=60
    )
    modules: list[str] = json.loads(ended.stderr.splitlines()[-1])
    return set(modules)


@pytest.mark.parametrize(
    ("arguments", "late"),
    [
        (["version"], ADMIN | ASIDE | CONTROL | READING | SHOWING | CALLING),
        (["--help"], ADMIN | ASIDE | CONTROL | READING | SHOWING | CALLING),
        (["check", "FILE"], ADMIN | ASIDE | CONTROL | CALLING),
        (["status", "--admin", "http://127.0.0.1:1"], ADMIN | ASIDE | CONTROL | {"yaml", "tidegate.config"}),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_command_loads_what_it_needs(arguments: list[str], late: set[str], tmp_path: Path) -> None:
    file = tmp_path / "tidegate.yaml"
    file.write_text(CONFIGURATION)
    modules = loaded(COMMAND, *(str(file) if word == "FILE" else word for word in arguments))
    assert modules & late == set()


def test_the_gateway_answers_before_more_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "tidegate.yaml"
    file.write_text(CONFIGURATION)
    modules = loaded(UNTIL_IT_ANSWERS, "run", "--config", str(file))
    assert "tidegate.process" in modules
    assert (
        modules & (ADMIN | ASIDE | SHOWING | {"structlog", "tidegate.admin.server", "http.client"}) == set()
    )
