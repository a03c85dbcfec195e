"""Packages as tests need them, made without any library of the extra."""

import io
import json
import struct
import tarfile
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


def archive(files: list[tuple[str, bytes]], **about: Any) -> bytes:
    """An archive of any files, whose entries are `about` something else than plain files if that is said."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=about.pop("format", tarfile.USTAR_FORMAT)) as tar:
        for name, content in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            for what, value in about.items():
                setattr(entry, what, value)
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
