"""Options that are read once, when the process starts."""

from typing import Any

from tidegate.config.model import Config

READ_ONCE = (
    ("workers",),
    ("state_dir",),
    ("log", "format"),
    ("admin", "enabled"),
    ("admin", "address"),
    ("admin", "tls"),
)


def restart_required(started: Config, wanted: Config) -> list[str]:
    """Paths of the options that `wanted` sets otherwise than the process was started with."""
    return [".".join(path) for path in READ_ONCE if _value(started, path) != _value(wanted, path)]


def _value(config: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        config = getattr(config, name)
    return config
