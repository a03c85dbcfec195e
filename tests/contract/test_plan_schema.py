"""The models write exactly the plan that the engine reads: same names, same nesting, same types."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tidegate.config.model import Config
from tidegate.config.model.mark import ControlPlane
from tidegate.config.model.walk import marked

Schema = dict[str, Any]
JSON_TYPES = frozenset({"string", "integer", "number", "boolean", "array", "object"})
Shape = dict[str, tuple[str, bool]]


def written_schema() -> Schema:
    """The schema of what the models write."""
    schema = Config.model_json_schema(mode="serialization")
    schema["properties"] = {
        name: field for name, field in schema["properties"].items() if (name,) not in marked(ControlPlane)
    }
    return schema


def shape(root: Schema) -> Shape:
    """For each field's path its type, or the words it may be, and whether it may be null."""
    return dict(_fields(root, root, ""))


def _fields(schema: Schema, root: Schema, path: str) -> Iterator[tuple[str, tuple[str, bool]]]:
    schema, nullable = _without_null(_followed(schema, root), root)
    yield path, (_kind(schema), nullable)
    for name, field in schema.get("properties", {}).items():
        yield from _fields(field, root, f"{path}.{name}")
    if "items" in schema:
        yield from _fields(schema["items"], root, f"{path}[]")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _fields(schema["additionalProperties"], root, f"{path}{{}}")


def _followed(schema: Schema, root: Schema) -> Schema:
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return schema


def _without_null(schema: Schema, root: Schema) -> tuple[Schema, bool]:
    if isinstance(schema.get("type"), list):
        (kind,) = (kind for kind in schema["type"] if kind != "null")
        return {**schema, "type": kind}, "null" in schema["type"]
    branches = schema.get("anyOf", [])
    others = [branch for branch in branches if branch != {"type": "null"}]
    if len(branches) == 2 and len(others) == 1:
        return _followed(others[0], root), True
    return schema, False


def _kind(schema: Schema) -> str:
    words = _words(schema)
    if words and all(isinstance(word, str) for word in words):
        return " | ".join(sorted(words))
    return str(schema["type"])


def _words(schema: Schema) -> list[Any]:
    if "const" in schema:
        return [schema["const"]]
    branches = [word for branch in schema.get("oneOf", []) for word in _words(branch)]
    return [*schema.get("enum", []), *branches]


def _fits(written: tuple[str, bool], read: tuple[str, bool]) -> bool:
    """Whether all that is written can be read: the same, or some words where the engine reads any text."""
    return written == read or (written[0] not in JSON_TYPES and read == ("string", written[1]))


def test_the_models_write_what_the_engine_reads() -> None:
    engine = pytest.importorskip("tidegate._engine")
    written, read = shape(written_schema()), shape(json.loads(engine.plan_schema()))
    assert written.keys() == read.keys()
    assert {path: kind for path, kind in written.items() if not _fits(kind, read[path])} == {}
