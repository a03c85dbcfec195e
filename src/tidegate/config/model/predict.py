"""What is predicted of an upstream's requests."""

from typing import Literal

from tidegate.config.model.options import Options


class Predict(Options):
    """What is predicted of an upstream's requests: how long each will keep a worker."""

    mode: Literal["off", "shadow", "auto"] = "off"
    """`off`: nothing is learnt. `shadow`: it is learnt what requests cost, and shown what that is worth.
    `auto`: the requests that wait are let in by what they will cost, as far as predictions are worth
    something."""
