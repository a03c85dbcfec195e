"""What is predicted of an upstream's requests."""

from typing import Literal

from pydantic import Field

from tidegate.config.model.options import Options
from tidegate.config.model.unit import Percent, PositivePercent


class ModelUse(Options):
    """A model that predicts beside what is learnt, and how far it is used."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}@[0-9a-f]{4,64}$", examples=["shop-cost@3f9c"])
    """Its name and the first digits of its digest, at least four, as `tidegate ai list` shows them."""
    stage: Literal["shadow", "canary", "live"] = "shadow"
    """`shadow`: it is asked of some requests, and shown what that is worth. `canary`: it predicts the cost of
    a share of the requests that wait. `live`: of all that wait."""
    share: PositivePercent = 10.0
    """Percent of the requests whose cost it predicts as a `canary`."""


class Predict(Options):
    """What is predicted of an upstream's requests: how long each will keep a worker."""

    mode: Literal["off", "shadow", "auto"] = "shadow"
    """`off`: nothing is learnt. `shadow`: it is learnt what requests cost, and shown what that is worth.
    `auto`: the requests that wait are let in by what they will cost, as far as predictions are worth
    something."""
    samples: Percent = 0.0
    """Percent of the requests of which samples are taken for models to learn from, beside those that take
    longer than 99 of 100 of their kind, as far as they are learnt from; 0: none at all. A sample is numbers:
    no path, no address."""
    model: ModelUse | None = None
    """The model that predicts beside what is learnt."""
