"""The process's own log on standard error.

structlog is loaded with the first line that is logged, which is once requests are answered: it takes long,
for it brings along what draws tracebacks.
"""

import logging
import sys
from functools import cached_property
from typing import Any, Literal

Format = Literal["text", "json"]
Level = Literal["error", "warn", "info", "debug", "trace"]
NUMBERS: dict[Level, int] = {"error": 40, "warn": 30, "info": 20, "debug": 10, "trace": 5}
QUIETED = ("watchfiles", "uvicorn", "asyncio")
"""Libraries whose everyday events are no news to an operator."""


class Logger:
    """Logs messages with values, by the methods of structlog's loggers: `log.info("serving", port=80)`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, method: str) -> Any:
        return getattr(self._logger, method)

    @cached_property
    def _logger(self) -> Any:
        from tidegate.control.structured import logger  # noqa: PLC0415 - see above

        return logger(self._name)


class _Formatter(logging.Formatter):
    def __init__(self, format: Format) -> None:
        super().__init__()
        self._shape = format

    def format(self, record: logging.LogRecord) -> str:
        return self._formatter.format(record)

    @cached_property
    def _formatter(self) -> logging.Formatter:
        from tidegate.control.structured import formatter  # noqa: PLC0415 - see above

        return formatter(self._shape)


def configure(format: Format, level: Level) -> None:
    """Send structured and standard logging alike to standard error, in one shape."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(format))
    logging.getLogger().handlers = [handler]
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
