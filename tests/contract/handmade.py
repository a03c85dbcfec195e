"""Models made by hand: a few trees, and all that goes with them."""

import hashlib
import io
import json
import random
import struct
import tarfile
from collections.abc import Callable
from typing import Any

from tidegate import _engine

SCHEMA: dict[str, Any] = json.loads(_engine.feature_schema())
NAMES: list[str] = [feature["name"] for feature in SCHEMA["features"]]

Tree = dict[str, list[Any]]


def stump(feature: str, threshold: float, below: float, above: float) -> Tree:
    """A tree of one node: what it says up to this threshold, and above it."""
    return {
        "feature": [NAMES.index(feature)],
        "threshold": [threshold],
        "left": [-1],
        "right": [-2],
        "leaf": [below, above],
    }


def said(trees: list[Tree], row: list[float]) -> float:
    """The answer of stumps."""
    return sum(float(tree["leaf"][row[tree["feature"][0]] > tree["threshold"][0]]) for tree in trees)


def rows(count: int = 256) -> list[list[float]]:
    """Inputs, of which each is float32."""
    drawn = random.Random(7)
    return [[drawn.randrange(0, 4096) / 256 for _ in NAMES] for _ in range(count)]


def floats(numbers: list[float]) -> bytes:
    return struct.pack(f"<{len(numbers)}f", *numbers)


def packed(files: dict[str, bytes]) -> bytes:
    """A tar of these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


class Handmade:
    """A model of stumps; `change` may alter its manifest, `golden` the answers to its golden vectors."""

    def __init__(
        self,
        trees: list[Tree],
        change: Callable[[dict[str, Any]], None] = lambda _: None,
        golden: Callable[[list[float]], float] | None = None,
    ) -> None:
        model = json.dumps({"format": 1, "base": 0, "trees": trees}).encode()
        answer = golden or (lambda row: said(trees, row))
        vectors = b"".join(floats([*row, answer(row)]) for row in rows())
        manifest: dict[str, Any] = {
            "format": 1,
            "kind": "cost",
            "features": SCHEMA["name"],
            "features_hash": SCHEMA["hash"],
            "model": "model.trees",
            "files": {
                "model.trees": hashlib.sha256(model).hexdigest(),
                "golden.f32": hashlib.sha256(vectors).hexdigest(),
            },
            "calibration": {"scale": 1, "offset": 0},
            "drift": {"inputs": [], "residuals": {"edges": [], "shares": [1]}},
            "data": {},
            "figures": {},
            "author": "a test",
            "learner": "lightgbm",
            "created": "2026-11-27T00:00:00Z",
        }
        change(manifest)
        text = json.dumps(manifest).encode()
        self.files = {"manifest.json": text, "golden.f32": vectors, "model.trees": model}
        self.name = f"hand-made@{hashlib.sha256(text).hexdigest()}"

    @property
    def tar(self) -> bytes:
        """It, as one value."""
        return packed(self.files)
