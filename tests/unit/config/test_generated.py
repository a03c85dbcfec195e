"""What is generated from the models: the schema and the reference page."""

import json
from pathlib import Path
from typing import Annotated, Any

import jsonschema_rs
import pytest
from pydantic import TypeAdapter

from tidegate.config.model.walk import Option, walk
from tidegate.config.reference import example_of, meaning_of, reference
from tidegate.config.schema import json_schema, schema_text
from tidegate.config.syntax import parse
from tidegate.config.tree import plain

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


def test_the_reference_page_is_up_to_date() -> None:
    page = (ROOT / "docs/reference/configuration.md").read_text()
    assert page == reference(), "run: python -m tidegate.config.reference > docs/reference/configuration.md"


def test_the_schema_file_is_up_to_date() -> None:
    file = (ROOT / "schema/tidegate.schema.json").read_text()
    assert file == schema_text(), "run: python -m tidegate.config.schema > schema/tidegate.schema.json"


@pytest.mark.parametrize("option", list(walk()), ids=lambda option: ".".join(option.path))
def test_every_option_has_a_meaning_and_a_valid_example(option: Option) -> None:
    assert meaning_of(option)
    example = example_of(option)
    if not str(example).startswith("${"):
        kind: Any = option.field.annotation
        for mark in option.field.metadata:
            kind = Annotated.__class_getitem__((kind, mark))  # type: ignore[attr-defined]
        TypeAdapter(kind).validate_python(example)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_the_schema_takes_the_examples(file: Path) -> None:
    jsonschema_rs.validate(json_schema(), plain(parse(file.read_text(), file)))
    first = file.read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=../schema/tidegate.schema.json"


@pytest.mark.parametrize(
    "data",
    [
        {"upstreams": [{"name": "a", "balance": "best"}]},
        {"drain_timeout": "5 sec"},
        {"routs": []},
        {"workers": "some"},
        {"listeners": [{"name": "a"}]},
    ],
)
def test_the_schema_refuses_what_the_models_refuse(data: dict[str, Any]) -> None:
    assert not jsonschema_rs.is_valid(json_schema(), data)


def test_the_schema_is_json() -> None:
    assert json.loads(schema_text()) == json_schema()
