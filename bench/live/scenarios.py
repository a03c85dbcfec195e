"""What happens to the replicas during a measurement.

A scenario is a function that is called when the measurement begins and acts on the replicas at fractions of
its duration. Its first line of documentation describes it in the tables.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.e2e.harness.replica import Replica


class Stage:
    """The replicas, and the time."""

    def __init__(self, replicas: Sequence[Replica], seconds: float, begun: float) -> None:
        self.replicas = replicas
        self._seconds = seconds
        self._begun = begun

    def at(self, fraction: float) -> None:
        """Wait for a fraction of the duration to have passed."""
        time.sleep(max(0.0, self._begun + fraction * self._seconds - time.monotonic()))

    def between(
        self, start: float, end: float, harm: Callable[[], object], heal: Callable[[], object]
    ) -> None:
        """Do harm at a fraction of the duration, and heal it at another."""
        self.at(start)
        harm()
        self.at(end)
        heal()


@dataclass(frozen=True)
class Scenario:
    """A measurement's circumstances."""

    act: Callable[[Stage], None]
    load: float = 0.6
    """Requests per second as a part of the capacity of all replicas when well."""
    try_timeout: str = "5s"
    """How long the proxy waits for one replica."""

    @property
    def name(self) -> str:
        """As it is named on the command line."""
        return self.act.__name__.replace("_", "-")

    @property
    def text(self) -> str:
        """What happens."""
        assert self.act.__doc__ is not None
        return self.act.__doc__


def healthy(_: Stage) -> None:
    """Nothing happens."""


def kill(stage: Stage) -> None:
    """One of eight is killed (SIGKILL), and started again after 40 % of the time."""
    victim = stage.replicas[0]
    stage.between(0.3, 0.7, victim.kill, victim.start)


def hang(stage: Stage) -> None:
    """One of eight stops (SIGSTOP) for 60 % of the time: connections are accepted, nothing answers."""
    victim = stage.replicas[0]
    stage.between(0.2, 0.8, victim.hang, victim.resume)


def reset(stage: Stage) -> None:
    """One of eight resets the connection of every request for 40 % of the time, health checks too."""
    victim = stage.replicas[0]
    stage.between(0.3, 0.7, victim.reset, victim.serve)


def errors(stage: Stage) -> None:
    """One of eight answers 503 at once for 25 % of the time; its health check still passes."""
    victim = stage.replicas[0]
    stage.between(0.4, 0.65, lambda: victim.fail(503), victim.serve)


def flapping(stage: Stage) -> None:
    """One of eight is killed and started again five times."""
    victim = stage.replicas[0]
    for turn in range(5):
        stage.between(0.2 + 0.14 * turn, 0.27 + 0.14 * turn, victim.kill, victim.start)


def slow_phase(stage: Stage) -> None:
    """Two of eight work ten times slower for 30 % of the time."""
    _speeds(stage, 2, 0.1, 0.4, 0.7)


def slow(stage: Stage) -> None:
    """Two of eight work ten times slower, all the time."""
    _speeds(stage, 2, 0.1, 0, 1)


def uneven(stage: Stage) -> None:
    """Three of eight work at half speed, all the time."""
    _speeds(stage, 3, 0.5, 0, 1)


def _speeds(stage: Stage, count: int, factor: float, start: float, end: float) -> None:
    def work(speed: float) -> None:
        for replica in stage.replicas[:count]:
            replica.speed(speed)

    stage.between(start, end, lambda: work(factor), lambda: work(1))


def rolling(stage: Stage) -> None:
    """All eight are restarted, one after the other: SIGTERM, an orderly end, a start."""
    for turn, replica in enumerate(stage.replicas):
        stage.at(0.1 + 0.1 * turn)
        replica.stop()
        replica.start()


def overload(_: Stage) -> None:
    """120 % of what all replicas can work off."""


def retry_storm(_: Stage) -> None:
    """120 % of what all replicas can work off, and the proxy tries again after 1 s without an answer."""


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(healthy),
        Scenario(kill),
        Scenario(hang),
        Scenario(reset),
        Scenario(errors),
        Scenario(flapping),
        Scenario(rolling),
        Scenario(slow_phase),
        Scenario(slow),
        Scenario(uneven),
        Scenario(overload, load=1.2),
        Scenario(retry_storm, load=1.2, try_timeout="1s"),
    )
}
