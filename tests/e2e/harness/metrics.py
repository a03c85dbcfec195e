"""The Prometheus text format, read back."""

import re
from dataclasses import dataclass

_SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: \d+)?$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Sample:
    """One line: a metric's name, its labels and its value."""

    name: str
    labels: dict[str, str]
    value: float


class Metrics:
    """All samples of one scrape."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.samples = [_sample(line) for line in text.splitlines() if line and not line.startswith("#")]

    def find(self, name: str, **labels: str) -> list[Sample]:
        """The samples of a name that carry all the given labels."""
        wanted = labels.items()
        return [s for s in self.samples if s.name == name and wanted <= s.labels.items()]

    def total(self, name: str, **labels: str) -> float:
        """The sum of `find`."""
        return sum(sample.value for sample in self.find(name, **labels))

    def names(self) -> set[str]:
        """The names of all samples."""
        return {sample.name for sample in self.samples}


def _sample(line: str) -> Sample:
    match = _SAMPLE.match(line)
    if match is None:
        raise AssertionError(f"not a line of the Prometheus text format: {line!r}")
    name, labels, value = match.groups()
    return Sample(name, dict(_LABEL.findall(labels or "")), float(value))
