"""Packages as tests need them, made without any library of the extra."""

import json
import struct
from datetime import UTC, datetime
from typing import Any

from tidegate.ai.features import NAMES
from tidegate.ai.package import Package

MADE = datetime(2026, 11, 27, 3, tzinfo=UTC)


def package(base: float = 0.0, **about: Any) -> Package:
    """A model that answers `base`, whatever it is asked."""
    tree = {"feature": [], "threshold": [], "left": [], "right": [], "leaf": [0.0]}
    content = json.dumps({"format": 1, "base": base, "trees": [tree]}).encode()
    row = struct.pack(f"<{len(NAMES) + 1}f", *[0.0] * len(NAMES), base)
    about = {"learner": "lightgbm", "created": MADE, "author": "a test", **about}
    return Package.made("model.trees", content, row * 256, **about)
