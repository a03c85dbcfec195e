"""Which requests are remembered, so that it can be said what became of them."""

from tidegate.config.model.options import Options
from tidegate.config.model.unit import Count, Duration, Percent


class Explain(Options):
    """What is remembered of recent requests: in memory, without the values of fields and without queries."""

    sample: Percent = 1.0
    """Percent of all requests that are remembered whatever becomes of them."""
    keep: Count = 1024
    """How many requests each worker remembers: so many that stood out, and as many others; 0: none."""
    slow: Duration = 1_000
    """A response whose head takes longer than this stands out."""
    identities: bool = False
    """Whether the subject of their identity is remembered too."""
