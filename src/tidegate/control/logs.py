"""The process's own log on standard error: text for people, JSON for machines, as the engine's is."""

import logging
import os
import sys
from typing import Literal

import structlog

Format = Literal["text", "json"]
Level = Literal["error", "warn", "info", "debug", "trace"]
NUMBERS: dict[Level, int] = {"error": 40, "warn": 30, "info": 20, "debug": 10, "trace": 5}
QUIETED = ("watchfiles", "uvicorn", "asyncio")
"""Libraries whose everyday events are no news to an operator."""


def configure(format: Format, level: Level) -> None:
    """Send structured and standard logging alike to standard error, in one shape."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_shape(format)],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    for name in QUIETED:
        logging.getLogger(name).setLevel(logging.WARNING)
    set_level(level)


def level() -> Level:
    """The level that is logged from."""
    threshold = logging.getLogger().level
    return next(name for name, number in NUMBERS.items() if number <= threshold)


def set_level(level: Level) -> None:
    """Log from `level` on."""
    logging.getLogger().setLevel(NUMBERS[level])


def _shape(format: Format) -> list[structlog.typing.Processor]:
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
