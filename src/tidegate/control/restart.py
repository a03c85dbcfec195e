"""Options that are read once, when the process starts."""

from typing import Any

from tidegate.config.model import Config
from tidegate.config.model.mark import ReadOnce
from tidegate.config.model.walk import Pattern, marked


def read_once(config: Config) -> dict[str, Any]:
    """What a configuration says of them, by their paths."""
    return {".".join(path): _value(config, path) for path in marked(ReadOnce)}


def restart_required(started: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Paths of the options that are `wanted` otherwise than the process was `started` with."""
    return [path for path, value in wanted.items() if value != started[path]]


def _value(config: Any, path: Pattern) -> Any:
    for name in path:
        config = getattr(config, name)
    return config
