"""The databases of where addresses are: read when they change, and given to the engine, which uses them.

They are live values, too large for a plan: the engine keeps one until it is given a better one.
"""

from pathlib import Path

from tidegate._engine import Engine
from tidegate.config.include import reason
from tidegate.config.load import Loaded
from tidegate.config.problem import ConfigError
from tidegate.control import logs

KINDS = ("country", "asn")
"""What the engine calls them, and the configuration."""

log = logs.Logger("tidegate.control")


class GeoDatabases:
    """The databases that the engine has. Used by one thread at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._seen: dict[str, tuple[Path, bytes]] = {}
        """Path and stamp of each, when it was looked at last."""

    def give(self, loaded: Loaded) -> None:
        """Give the engine the databases of a configuration that it does not have yet, before it is served.

        Raises ConfigError if one is of no use. Of a file that was good before, the last good content stays.
        """
        for kind, path in _named(loaded).items():
            seen, before = (path, loaded.contents[path]), self._seen.get(kind)
            if seen == before:
                continue
            try:
                self._engine.supply("geoip", kind, path.read_bytes())
                log.info("database of addresses loaded", kind=kind, file=str(path))
            except (OSError, ValueError) as error:
                wrong = reason(error) if isinstance(error, OSError) else str(error)
                problem = loaded.source.problem(("geoip", kind), f"{path} cannot be used: {wrong}")
                if before is None or before[0] != path:
                    raise ConfigError([problem]) from error
                log.error("the last good database of addresses stays", kind=kind, reason=str(problem))
            self._seen[kind] = seen

    def take_back(self, loaded: Loaded) -> None:
        """Take back what the configuration, which is served now, does not name."""
        for kind in self._seen.keys() - _named(loaded).keys():
            self._engine.supply("geoip", kind, b"")
            del self._seen[kind]


def _named(loaded: Loaded) -> dict[str, Path]:
    """The paths of the databases that there are, by what they are of."""
    paths = ((kind, getattr(loaded.config.geoip, kind)) for kind in KINDS)
    return {kind: Path(path) for kind, path in paths if path is not None}
