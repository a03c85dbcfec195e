"""How metrics of a shared gateway grow."""

from .gateway import Gateway
from .waiting import eventually


class Counts:
    """How much more of a listener is counted than there was."""

    def __init__(self, gateway: Gateway, listener: str = "quic") -> None:
        self._gateway, self._listener = gateway, listener
        self._before = gateway.metrics()

    def more(self, name: str, **labels: str) -> float:
        """Of one metric."""
        name, labels = f"tidegate_{name}", {**labels, "listener": self._listener}
        return self._gateway.metrics().total(name, **labels) - self._before.total(name, **labels)

    def become(self, count: int, name: str, **labels: str) -> None:
        """Wait until it is so much."""
        eventually(lambda: self.more(name, **labels) == count, f"{count} more {name} {labels}")
