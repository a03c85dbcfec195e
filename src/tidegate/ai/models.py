"""The models that the engine has: given before a configuration that names them is served, as live values.

A configuration names a model by the first digits of its digest; its plan has all digits. A model that is not
there, was tampered with or is refused by the engine is a mistake. But a configuration that was served before
is served all the same, and the online learner predicts alone: a lost file must keep no gateway from starting,
nor from its next change.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tidegate._engine import Engine
from tidegate.ai.registry import ModelId, Registry, RegistryError
from tidegate.config.load import Loaded
from tidegate.config.problem import ConfigError, Problem
from tidegate.config.tree import OptionPath
from tidegate.control.named_models import Absent, Names

KIND = "model"
"""What the engine calls such live values."""


@dataclass(frozen=True)
class Use:
    """An upstream that names a model."""

    upstream: str
    option: OptionPath
    """Where it does."""
    model: str
    """As it is written."""

    def problem(self, loaded: Loaded, wrong: Exception) -> Problem:
        """Why that model cannot be used."""
        hint = "tidegate ai list shows those there are; without predict.model the learner predicts alone"
        return loaded.source.problem(self.option, str(wrong), hint=hint)


def uses(loaded: Loaded) -> Iterator[Use]:
    """Every use of a model that a configuration makes."""
    for index, upstream in enumerate(loaded.config.upstreams):
        if upstream.predict.model:
            option = ("upstreams", index, "predict", "model", "name")
            yield Use(upstream.name, option, upstream.predict.model.name)


def problems(loaded: Loaded, registry: Registry) -> list[Problem]:
    """What is wrong with the models that a configuration names, as far as files tell."""
    found = []
    for use in uses(loaded):
        try:
            registry.read(registry.find(use.model))
        except (RegistryError, OSError) as error:
            found.append(use.problem(loaded, error))
    return found


class Models:
    """What the engine was given of a registry."""

    def __init__(self, engine: Engine, registry: Registry) -> None:
        self._engine = engine
        self._registry = registry
        self._given: set[ModelId] = set()
        self._served: Names = {}
        self._reasons: dict[str, str] = {}
        self.absent: frozenset[str] = frozenset()
        """Models that the served configuration names and that are not used, as it calls them."""

    def give(self, loaded: Loaded, *, served_before: bool) -> Names:
        """As `NamedModels` says."""
        names: dict[str, str] = {}
        wrong = []
        for use in uses(loaded):
            names[use.model] = self._served.get(use.model, use.model)
            try:
                id = self._registry.find(names[use.model])
                names[use.model] = str(id)
                self._give(id)
                self._reasons.pop(use.model, None)
            except (RegistryError, OSError, ValueError) as error:
                self._reasons[use.model] = str(error)
                if not served_before and use.model not in self._served:
                    wrong.append(use.problem(loaded, error))
        if wrong:
            raise ConfigError(wrong)
        return names

    def keep(self, names: Names) -> list[Absent]:
        """As `NamedModels` says."""
        for id in [each for each in self._given if str(each) not in names.values()]:
            self._engine.supply(KIND, str(id), b"")
            self._given.remove(id)
        given = {str(id) for id in self._given}
        absent = frozenset(model for model, named in names.items() if named not in given)
        new, self._served, self.absent = absent - self.absent, names, absent
        return [Absent(model, self._reasons[model]) for model in sorted(new)]

    def _give(self, id: ModelId) -> None:
        if id not in self._given:
            self._engine.supply(KIND, str(id), self._registry.read(id).archive())
            self._given.add(id)
