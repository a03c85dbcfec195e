"""Python and Rust have the same schema of features."""

import json

import pytest

from tidegate.ai import features

_engine = pytest.importorskip("tidegate._engine", reason="the engine is not built")


def test_both_sides_know_the_same_features_in_the_same_order() -> None:
    schema = json.loads(_engine.feature_schema())
    assert schema["name"] == features.SCHEMA
    assert tuple(each["name"] for each in schema["features"]) == features.NAMES
    assert schema["hash"] == features.HASH
    assert all(each["meaning"] for each in schema["features"])
