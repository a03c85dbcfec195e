"""Where samples are: `samples/<upstream>/<day>.<number>.parquet` of `state_dir`, a column for each
feature.
"""

from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

FOLDER = "samples"
TIME, COST, WEIGHT = "time", "cost_seconds", "weight"
"""The columns before the features: when the request ended, what it cost, and how many requests it stands
for.
"""

_LONGEST = 200


class SamplesError(Exception):
    """Samples cannot be learnt from; the message says why, and what to do."""


def folder_of(state_dir: Path, upstream: str) -> Path:
    """The folder of an upstream, whose name may have characters that a folder's may not."""
    name = quote(upstream, safe=" ").replace(".", "%2E")
    if len(name) > _LONGEST:
        name = f"{name[: _LONGEST - 17]}-{sha256(upstream.encode()).hexdigest()[:16]}"
    return state_dir / FOLDER / name


def files_of(state_dir: Path, upstream: str) -> list[Path]:
    """The files of an upstream, the earliest first."""
    return sorted(folder_of(state_dir, upstream).glob("*.parquet"))


def all_files(state_dir: Path) -> list[Path]:
    """The files of all upstreams, the earliest first."""
    return sorted((state_dir / FOLDER).glob("*/*.parquet"), key=lambda file: (file.name, file.parent.name))
