"""Studies are read without the native module where it is not built."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tidegate.sim.load import StudyFile
from tidegate.sim.model import Study

SMALL = """\
servers:
  - {count: 2, workers: 4}
  - {speed: 0.5}
work:
  - {mean: 4ms, weight: 3}
  - {distribution: lognormal, mean: 40ms, cv: 0.7}
load: 0.5
policies:
  two: {policy: least_request, choices: 2}
  any: random
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], StudyFile[Study]]:
    """Makes a study's file of a text."""

    def write(text: str) -> StudyFile[Study]:
        file = tmp_path / "study.yaml"
        file.write_text(text)
        return StudyFile(file, Study)

    return write
