"""A study's run as the engine takes it."""

import json
from pathlib import Path
from typing import Any

from tidegate.config.load import load_data
from tidegate.config.plan import build_plan
from tidegate.sim.model import Distribution, Policy, Servers, Study, Work
from tidegate.sim.trace import Arrival, arrivals, offered, sped_up
from tidegate.sim.unit import SECOND


class Scenarios:
    """The runs of one study: what they have in common is made once."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._trace = _trace(study)
        self._common = {
            "warmup": study.warmup,
            "duration": self._duration(),
            "arrivals": self._arrivals(),
            "work": [_class(number, work) for number, work in enumerate(study.work)],
            "keys": study.keys.model_dump() if study.keys else None,
            "gateways": study.gateways,
            "network": _distribution(study.network),
            "timeout": study.timeout,
            "reports": study.reports,
            "retry": study.retry.model_dump(),
            "servers": [_server(group) for group in study.servers for _ in range(group.count)],
        }

    def scenario(self, name: str, seed: int) -> str:
        """The run of the policy of this name with one seed, as JSON."""
        policy = self._study.policies[name]
        own = policy.c3.model_dump() if policy.c3 else None
        predict = policy.predict.model_dump() if policy.predict else None
        mine = {"seed": seed, "upstream": self._upstream(policy), "c3": own, "predict": predict}
        return json.dumps({**self._common, **mine})

    def _upstream(self, policy: Policy) -> dict[str, Any]:
        weights = [group.weight for group in self._study.servers for _ in range(group.count)]
        upstream = {
            "name": "servers",
            "balance": policy.data(exclude={"c3", "predict"}),
            "health": self._study.health.data(),
            "limits": self._study.limits.data(),
            "endpoints": [
                {"address": f"server-{number}:80", "weight": weight} for number, weight in enumerate(weights)
            ],
        }
        plan = build_plan(load_data({"upstreams": [upstream]}, Path())).data
        found: dict[str, Any] = plan["upstreams"][0]
        return found

    def _duration(self) -> int:
        if not self._trace:
            return self._study.duration
        return max(1, self._trace[-1].at + 1 - self._study.warmup)

    def _arrivals(self) -> dict[str, Any]:
        if self._trace:
            return {"trace": [one._asdict() for one in self._trace]}
        study = self._study
        if study.rate is not None:
            return {"poisson": {"rate": study.rate}}
        weights = sum(work.weight for work in study.work)
        mean = sum(work.weight * work.average() for work in study.work) / (weights or 1)
        return {"poisson": {"rate": (study.load or 0) * study.capacity() * SECOND / (mean or 1)}}


def _trace(study: Study) -> list[Arrival]:
    """The study's recorded requests, at its load; none without a trace."""
    if study.trace is None:
        return []
    trace = arrivals(study.trace)
    if study.load is None:
        return trace
    return sped_up(trace, study.load * study.capacity() / offered(trace))


def _class(number: int, work: Work) -> dict[str, Any]:
    template = work.template or f"/class-{number}"
    return {
        "weight": work.weight,
        "service": _distribution(work),
        "template": template,
        "predicted": work.predicted or (),
        "deadline": work.deadline,
        "dearer": work.dearer and work.dearer.model_dump(),
    }


def _distribution(distribution: Distribution) -> dict[str, Any]:
    kind = distribution.distribution
    if kind == "samples":
        return {"samples": distribution.samples}
    if kind == "constant":
        return {"constant": {"value": distribution.mean}}
    names = {"exponential": {"mean"}, "lognormal": {"mean", "cv", "most"}}
    shape = names.get(kind, {"low", "high", "high_share"})
    return {kind: distribution.model_dump(include=shape)}


def _server(group: Servers) -> dict[str, Any]:
    return group.model_dump(exclude={"count", "weight"}, by_alias=True)
