"""Times of a simulation, which are often shorter than a millisecond."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from tidegate.config.model.unit import describe

_NANOSECONDS = {"us": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000}
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s|m|h)", re.ASCII)
_LONGEST = 1_000_000_000_000_000_000


def _nanoseconds(value: Any) -> int:
    if isinstance(value, str):
        match = _TIME.fullmatch(value.strip())
        if match:
            return round(float(match[1]) * _NANOSECONDS[match[2]])
    elif isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _LONGEST:
        return round(value * _NANOSECONDS["ms"])
    raise ValueError(f"expected a time like 250us, 4ms or 1.5s; found {describe(value)}")


Time = Annotated[
    int, Field(ge=0, le=_LONGEST), BeforeValidator(_nanoseconds, json_schema_input_type=str | float)
]
"""A length of time in nanoseconds; a bare number that is read stands for milliseconds."""

Share = Annotated[float, Field(ge=0, le=1)]
"""A part of a whole."""

MILLISECOND = _NANOSECONDS["ms"]
SECOND = _NANOSECONDS["s"]
