"""A study's run as the engine takes it."""

import json
from typing import Any

from tidegate.config.model.unit import parse_size
from tidegate.sim.cache.model import CacheStudy, Sizes, Synthetic
from tidegate.sim.cache.trace import requests


class CacheScenarios:
    """The runs of one study: what they have in common is made once."""

    def __init__(self, study: CacheStudy) -> None:
        """Of a trace, raises OSError if it cannot be read, ValueError if it is not of its format."""
        self._common = {
            "capacities": [_capacity(text) for text in study.capacities],
            "stream": _stream(study),
        }

    def scenario(self, policy: str, seed: int) -> str:
        """The run of one policy with one seed, as JSON."""
        return json.dumps({**self._common, "seed": seed, "policy": policy})


def _capacity(text: str) -> dict[str, float]:
    return {"share": float(text[:-1]) / 100} if text.endswith("%") else {"bytes": parse_size(text)}


def _stream(study: CacheStudy) -> dict[str, Any]:
    if study.trace:
        return {"recorded": requests(study.trace)}
    synthetic = study.synthetic or Synthetic()
    return {"synthetic": {**synthetic.model_dump(), "size": _sizes(synthetic.size)}}


def _sizes(sizes: Sizes) -> dict[str, Any]:
    return {"lognormal": sizes.model_dump()} if sizes.cv else {"constant": {"value": sizes.mean}}
