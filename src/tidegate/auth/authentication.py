"""What authenticators go by beside the configuration."""

from pathlib import Path

from tidegate._engine import Engine
from tidegate.auth.api_keys import ApiKeys
from tidegate.auth.keys import Keys
from tidegate.auth.revocations import Revocations
from tidegate.control.events import Events


class Authentication:
    """Live values that the engine is supplied with. To be used from one event loop."""

    def __init__(self, engine: Engine, events: Events, state_dir: Path | None = None) -> None:
        """Let what is kept in `state_dir` hold again. Raises StoreError."""
        self.keys = Keys(engine, events, state_dir)
        self.api_keys = ApiKeys(engine, events, state_dir)
        self.revocations = Revocations(engine, events, state_dir)
