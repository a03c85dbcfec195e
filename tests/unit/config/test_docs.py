"""What the documentation says holds: its links lead somewhere, its configurations load, its options exist."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.config.conftest import Write
from tidegate._engine import inspect
from tidegate.config.load import load_file
from tidegate.config.model import Config
from tidegate.config.model.walk import Pattern, secrets, walk
from tidegate.config.plan import build_plan
from tidegate.config.syntax import parse
from tidegate.config.tree import plain

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXTS = {str(page.relative_to(ROOT)): page.read_text() for page in PAGES}


def blocks() -> list[tuple[str, dict[str, Any], str]]:
    """Every block of YAML that sets options of ours: where it stands, what it says, its text."""
    found = []
    for name, text in TEXTS.items():
        for block in re.finditer(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            data = plain(parse(block[1], Path("block.yaml")))
            if isinstance(data, dict) and Config.model_fields.keys() & data.keys():
                line = text[: block.start()].count("\n") + 1
                found.append((f"{name}:{line}", data, block[1]))
    return found


BLOCKS = blocks()
WHOLE = [(where, text) for where, data, text in BLOCKS if {"listeners", "routes"} <= data.keys()]
PARTS = [(where, data) for where, data, _ in BLOCKS if not {"listeners", "routes"} <= data.keys()]


@pytest.mark.parametrize(("where", "text"), WHOLE, ids=[where for where, _ in WHOLE])
def test_a_configuration_in_the_docs_passes_the_check(
    where: str, text: str, write: Write, certificates: Path
) -> None:
    write("keys.yaml", "[]")
    plan = build_plan(load_file(write("tidegate.yaml", text)))
    assert inspect(plan.json.encode(), b'{"check": {}}') == b"[]"


@pytest.mark.parametrize(("where", "data"), PARTS, ids=[where for where, _ in PARTS])
def test_a_part_of_a_configuration_in_the_docs_has_its_shape(where: str, data: dict[str, Any]) -> None:
    Config.model_validate(data)


@pytest.mark.parametrize("page", TEXTS)
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", TEXTS[page]):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        assert file.exists(), f"{page}: {target}"
        if anchor:
            titles = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
            assert anchor in map(_anchor, titles), f"{page}: {target}"


def _anchor(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


FOLDERS = "bench|crates|docs|examples|schema|src|tests"


@pytest.mark.parametrize("page", TEXTS)
def test_files_that_a_page_names_are_there(page: str) -> None:
    named = re.findall(rf"`((?:{FOLDERS})/[\w./-]*)`", TEXTS[page])
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_page_is_listed() -> None:
    listed = re.findall(r"\]\(([^)#]+\.md)\)", TEXTS["docs/README.md"])
    pages = {page.removeprefix("docs/") for page in TEXTS if page.startswith("docs/")}
    assert pages - set(listed) == {"README.md"}


def test_the_secrets_that_are_stored_are_named() -> None:
    page = TEXTS["docs/concepts/live-change.md"]
    assert {path for path in secrets() if f"`{_spelled(path)}`" not in page} == set()


def _spelled(path: Pattern) -> str:
    return ".".join(path).replace(".*", "[]")


def test_options_that_pages_name_exist() -> None:
    known = {_spelled(option.path) for option in walk()}
    for page, text in TEXTS.items():
        for named in re.findall(r"`((?:listeners|routes|upstreams)\[\]\.[\w.\[\]]+)`", text):
            assert named.removesuffix("[]") in known, f"{page}: {named}"
