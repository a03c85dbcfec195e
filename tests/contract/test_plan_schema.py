"""The models write exactly the plan that the engine reads: same names, same nesting, same types."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tidegate.config.model import Config
from tidegate.config.model.mark import ControlPlane
from tidegate.config.model.walk import marked

Schema = dict[str, Any]
JSON_TYPES = frozenset({"string", "integer", "number", "boolean", "array", "object"})


class Field(NamedTuple):
    """What a field may hold."""

    kind: str
    """Its type, or the words or numbers that it may be."""
    nullable: bool
    bounds: tuple[float | None, float | None, float | None]
    """The lowest value, the value that all are above, and the highest."""


Shape = dict[str, Field]
LARGEST = {"uint8": 2**8 - 1, "uint16": 2**16 - 1, "uint32": 2**32 - 1}
"""What a whole number of each format of the engine can be at most."""


def written_schema() -> Schema:
    """The schema of what the models write."""
    schema = Config.model_json_schema(mode="serialization")
    schema["properties"] = {
        name: field for name, field in schema["properties"].items() if (name,) not in marked(ControlPlane)
    }
    return schema


def shape(root: Schema) -> Shape:
    """What each field may hold, by its path."""
    return dict(_fields(root, root, ""))


def _fields(schema: Schema, root: Schema, path: str) -> Iterator[tuple[str, Field]]:
    schema, nullable = _without_null(_followed(schema, root), root)
    yield path, Field(_kind(schema), nullable, _bounds(schema))
    for name, field in schema.get("properties", {}).items():
        yield from _fields(field, root, f"{path}.{name}")
    if "items" in schema:
        yield from _fields(schema["items"], root, f"{path}[]")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _fields(schema["additionalProperties"], root, f"{path}{{}}")


def _bounds(schema: Schema) -> tuple[float | None, float | None, float | None]:
    if _words(schema):
        return None, None, None
    highest = schema.get("maximum", LARGEST.get(schema.get("format", "")))
    return schema.get("minimum"), schema.get("exclusiveMinimum"), highest


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
    kinds = {_kind(branch) for branch in schema.get("anyOf", []) if "type" in branch}
    if kinds and not words:
        (kind,) = {"string" if kind not in JSON_TYPES else kind for kind in kinds}
        return kind
    return " | ".join(sorted(map(str, words))) if words else str(schema["type"])


def _words(schema: Schema) -> list[Any]:
    if "const" in schema:
        return [schema["const"]]
    branches = [word for branch in schema.get("oneOf", []) for word in _words(branch)]
    return [*schema.get("enum", []), *branches]


def _fits(written: Field, read: Field) -> bool:
    """Whether all that is written can be read: the same, or one of some words where any is read."""
    some_of_any = written.kind not in JSON_TYPES and read.kind in {"string", "boolean"}
    return written == read or (some_of_any and written._replace(kind=read.kind) == read)


def test_the_models_write_what_the_engine_reads() -> None:
    engine = pytest.importorskip("tidegate._engine")
    written, read = shape(written_schema()), shape(json.loads(engine.plan_schema()))
    assert written.keys() == read.keys()
    unlike = {path: (field, read[path]) for path, field in written.items() if not _fits(field, read[path])}
    assert unlike == {}


def test_every_number_of_the_plan_has_bounds() -> None:
    fields = shape(written_schema())
    numbers = {path: field for path, field in fields.items() if field.kind in {"integer", "number"}}
    assert {path for path, field in numbers.items() if field.bounds[2] is None} == set()


@pytest.mark.parametrize(
    "bounds",
    [{"minimum": 1}, {"maximum": 1024}, {"exclusiveMinimum": 0, "maximum": 100}],
    ids=["minimum", "maximum", "exclusive minimum"],
)
def test_a_bound_of_one_side_alone_is_a_difference(bounds: Schema) -> None:
    bounded = shape({"type": "number", **bounds})
    assert not _fits(bounded[""], shape({"type": "number"})[""])
    assert not _fits(shape({"type": "number"})[""], bounded[""])
