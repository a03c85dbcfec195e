"""The process's own log on standard error: text for people, JSON for machines. The engine logs in the same two shapes."""

import logging
import os
import sys
from typing import Literal

import structlog

Format = Literal["text", "json"]
LEVELS = ("debug", "info", "warning", "error")
QUIETED = ("watchfiles", "uvicorn", "asyncio")
"""Libraries whose everyday events are no news to an operator."""


def configure(format: Format, level: str) -> None:
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


def default_format() -> Format:
    """Text where a person is watching, JSON otherwise."""
    return "text" if sys.stderr.isatty() else "json"


def level() -> str:
    """The level that is logged from."""
    return logging.getLevelName(logging.getLogger().level).lower()


def set_level(level: str) -> None:
    """Log from `level` on. Raises ValueError if it is not one of LEVELS."""
    if level not in LEVELS:
        raise ValueError(f"{level!r} is not a level; levels are {', '.join(LEVELS)}")
    logging.getLogger().setLevel(level.upper())


def engine_directive(level: str) -> str:
    """The level in the words of the engine's log."""
    return "warn" if level == "warning" else level


def _shape(format: Format) -> list[structlog.typing.Processor]:
    if format == "text":
        coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        return [structlog.dev.ConsoleRenderer(colors=coloured, pad_event_to=0)]
    return [
        structlog.processors.EventRenamer("message"),
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ]
