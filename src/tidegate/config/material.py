"""Reads the files that options name: certificates, keys, authorities, OCSP responses, tokens, networks."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tidegate.config.include import MAX_BYTES, read_bounded, reason
from tidegate.config.model.mark import File, Use
from tidegate.config.model.walk import marked
from tidegate.config.problem import Problem
from tidegate.config.stamp import Stamp, stamp_of
from tidegate.config.tree import OptionPath, Source, find_texts

NOT_INSPECTED = {Use.NETWORKS, Use.GEOIP}
"""What the engine alone reads."""
MAX_KEYS_BYTES = 512 << 20
"""A file of API keys may be larger than others: a million keys are about 200 MB."""


@dataclass(slots=True)
class Material:
    """The contents of the files that a configuration names, and what is wrong with them."""

    contents: dict[Path, bytes] = field(default_factory=dict, repr=False)
    files: dict[Path, Stamp] = field(default_factory=dict)
    """Every file that is named, whether it can be read or not."""
    problems: list[Problem] = field(default_factory=list)


def read_material(source: Source, now: datetime | None = None) -> Material:
    """Read every file that an option in `source` names, and check that it holds what the option needs."""
    material, uses = Material(), set[Use]()
    for pattern, mark in marked(File).items():
        if mark.use is Use.OUTPUT:
            continue
        for path, name in find_texts(source.root, pattern):
            uses.add(mark.use)
            if name and (problem := _read(material, source, path, Path(name), mark.use)):
                material.problems.append(problem)
    if uses - NOT_INSPECTED:
        from tidegate.config.inspection import Inspection  # noqa: PLC0415 - cryptography is heavy, and often not needed

        material.problems += Inspection(source, material.contents, now or datetime.now(UTC)).problems()
    return material


def _read(material: Material, source: Source, path: OptionPath, file: Path, use: Use) -> Problem | None:
    if file not in material.contents:
        try:
            stamp = material.files[file] = stamp_of(file)
            material.contents[file] = _content(file, use, stamp)
        except OSError as error:
            return source.problem(path, f"cannot read {file}: {reason(error)}")
        except ValueError:
            return source.problem(path, f"expected the path of a file; found {str(file)!r}")
    return None


def _content(file: Path, use: Use, stamp: Stamp) -> bytes:
    """What is kept of a file: its content, or its stamp where it is read elsewhere. Raises OSError."""
    if use is Use.GEOIP:
        with file.open("rb"):
            return repr(stamp).encode()
    return read_bounded(file, MAX_KEYS_BYTES if use is Use.API_KEYS else MAX_BYTES)
