"""The lifecycle of models, as far as the gateway has a part in it: from samples to what is served."""

from pathlib import Path

from tidegate._engine import Engine
from tidegate.ai.models import Models
from tidegate.ai.registry import Registry
from tidegate.ai.samples import Samples
from tidegate.control.events import Events


class ModelLifecycle:
    """The registry, what the engine was given of it, and the samples that models are trained with."""

    def __init__(self, engine: Engine, events: Events, state_dir: Path | None = None) -> None:
        """Samples are taken from `events` from now on."""
        self.registry = Registry(state_dir)
        self.models = Models(engine, self.registry)
        self.samples = Samples(state_dir, events)
        events.take_aside("samples", self.samples.take)
