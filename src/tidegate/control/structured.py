"""The shape of the process's own log, for what is logged by structlog and by the standard library alike."""

import logging
import os
import sys
from typing import Any

import structlog
from structlog.stdlib import BoundLogger, ProcessorFormatter

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
        # The richer tracebacks show the values of variables, and so tokens and keys.
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=coloured, pad_event_to=0, exception_formatter=plain)]
    return [
        structlog.processors.EventRenamer("message"),
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ]
