"""What is wrong with a configuration, said so that a person can mend it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: where it is, what was wrong, what to do."""

    message: str
    """What is wrong and what was expected."""
    path: str = ""
    """The option, like `routes.3.match.path.prefix`; empty: the whole file."""
    file: Path | None = None
    """The file it is written in; None: it did not come from a file."""
    line: int | None = None
    """Counted from 1; None: unknown."""
    column: int | None = None
    """Counted from 1; None: unknown."""
    hint: str | None = None
    """What would be right."""
    severity: Literal["error", "warning"] = "error"
    """A warning does not keep the configuration from being used."""
    quotable: bool = True
    """Whether its line may be shown: no secret is written there."""

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        text = ": ".join(part for part in (place, self.path, self.message) if part)
        if self.severity == "warning":
            text = f"warning: {text}"
        return f"{text} ({self.hint})" if self.hint else text


class ConfigError(Exception):
    """The configuration cannot be used. `problems` holds every mistake, in the file's order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
