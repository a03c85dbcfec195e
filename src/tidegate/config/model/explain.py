"""Which requests are remembered, so that it can be said what became of them."""

from typing import Annotated

from pydantic import Field

from tidegate.config.model.options import Options
from tidegate.config.model.unit import Count, Duration


class Explain(Options):
    """What is remembered of recent requests: in memory, without the values of fields and without queries."""

    sample: Annotated[float, Field(ge=0, le=1)] = 0.01
    """The share of all requests that is remembered whatever becomes of them, from 0 to 1."""
    keep: Count = 1024
    """How many requests each worker remembers: so many that stood out, and as many others; 0: none."""
    slow: Duration = 1_000
    """A response whose head takes longer than this stands out."""
