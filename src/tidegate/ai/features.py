"""The schema `features/v1`: which numbers a model is told of a request, and in which order.

The engine has the same table (`crates/core/src/predict/features.rs`), with what each number means; a contract
test compares both.
"""

import hashlib

SCHEMA = "features/v1"

NAMES = (
    "expected",
    "variance",
    "answers",
    "route",
    "template",
    "method",
    "path_depth",
    "path_number_1",
    "path_number_2",
    "query_count",
    "query_number_1",
    "query_number_2",
    "query_number_3",
    "query_number_4",
    "content_length",
    "content_type",
    "hour_sin",
    "hour_cos",
    "weekday_sin",
    "weekday_cos",
    "client_class",
    "load",
    "priority",
)
HASH = hashlib.sha256("\n".join(NAMES).encode()).hexdigest()
"""Tells schemas apart; a model names the one that it was trained with."""
