"""The shape of the process's own log, for what is logged by structlog and by the standard library alike."""

import logging
import os
import sys
from typing import Any

# Where rich is installed, structlog loads it to draw tracebacks with the values of variables: with tokens and
# keys. That is not wanted here, and not worth 3 MB: to structlog, rich looks as if it were not installed.
_rich = sys.modules.get("rich")
sys.modules["rich"] = None  # type: ignore[assignment]
import structlog  # noqa: E402
from structlog.stdlib import BoundLogger, ProcessorFormatter  # noqa: E402

del sys.modules["rich"]
if _rich:
    sys.modules["rich"] = _rich

_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]

structlog.configure(
    processors=[structlog.stdlib.filter_by_level, *_SHARED, ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=BoundLogger,
    cache_logger_on_first_use=True,
)


def logger(name: str) -> Any:
    """The logger of that name; values are given to it beside the message, by their names."""
    return structlog.get_logger(name)


def formatter(format: str) -> logging.Formatter:
    """Text for people, or JSON for machines, as the engine's is."""
    processors = [ProcessorFormatter.remove_processors_meta, *_shape(format)]
    return ProcessorFormatter(foreign_pre_chain=_SHARED, processors=processors)


def _shape(format: str) -> list[structlog.typing.Processor]:
    if format == "text":
        coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=coloured, pad_event_to=0, exception_formatter=plain)]
    return [
        structlog.processors.EventRenamer("message"),
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ]
