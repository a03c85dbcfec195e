"""Tunnels: how long connections may last that carry WebSocket or another protocol."""

from tidegate.config.model.options import Options
from tidegate.config.model.unit import Timeout


class Tunnel(Options):
    """How long a WebSocket, or another tunnel, may last."""

    idle: Timeout = 3_600_000
    """Longest silence of both sides."""
    max: Timeout | None = None
    """Longest time that it may be open, silent or not; null: no bound."""
