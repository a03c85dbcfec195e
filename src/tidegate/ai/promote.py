"""How a model comes into use and out of it: stage by stage, and only as far as it has shown what it is worth.

Stages are options of the configuration, so that each step is a change like any other.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tidegate.ai.registry import ModelId
from tidegate.control.document import Document
from tidegate.control.gateway import ConflictError, Gateway
from tidegate.control.members import Data, Edit, missing

STAGES = ("shadow", "canary", "live")
NEEDED = 20_000
"""So many predictions must have been judged before a model is used for more than that."""
SEARCHED = 100
"""So many generations are looked at for the model that was used before."""

ModelUse = Mapping[str, Any]
"""What `predict.model` of an upstream says."""


class Standing(NamedTuple):
    """What has been seen of the model that an upstream uses."""

    state: str
    """`serving`, `shadow`, `absent` or `fallback`."""
    reason: str | None
    """Why it is in that state."""
    predictions: int
    skill: float | None
    """Which part of what the online learner leaves unexplained it explains: the lower bound, at 95 %
    confidence; None: nothing has been seen.
    """

    @classmethod
    def of(cls, seen: Mapping[str, Any]) -> "Standing":
        """That of what the engine tells of a model."""
        return cls(seen["state"], seen["reason"], seen["predictions"], seen["skill"])


def using(document: Document, id: ModelId) -> list[str]:
    """The upstreams that use a model, whatever part of its digest they write."""
    return [
        each["name"]
        for each in document.get("upstreams", [])
        if (use := use_of(each)) and is_meant(use["name"], id)
    ]


def use_of(upstream: Data | None) -> ModelUse | None:
    """The model that an upstream uses."""
    use: ModelUse | None = ((upstream or {}).get("predict") or {}).get("model")
    return use


def is_meant(written: str, id: ModelId) -> bool:
    """Whether a model is the one that is written so; of those with that beginning there is one."""
    return str(id).startswith(written)


def promotion(upstream: str, id: ModelId, standing: Standing | None) -> Edit:
    """An upstream that uses a model one stage further; at first, in shadow.

    Raises MissingError, and ConflictError, with what has been seen, if that is not enough.
    """

    def edit(current: Data | None) -> Data:
        use = use_of(current)
        if use is None or not is_meant(use["name"], id):
            return _with(upstream, current, {"name": id.short, "stage": STAGES[0]})
        stage = use.get("stage", STAGES[0])
        if stage == STAGES[-1]:
            raise ConflictError(f"the model {id.short} is {stage} in the upstream {upstream} already")
        _check(upstream, id, standing)
        return _with(upstream, current, {**use, "stage": STAGES[STAGES.index(stage) + 1]})

    return edit


def demotion(upstream: str, id: ModelId, former: ModelUse | None) -> Edit:
    """An upstream that uses a model one stage less; instead of the first, what it used before.

    Raises MissingError, and ConflictError if it does not use the model.
    """

    def edit(current: Data | None) -> Data:
        use = use_of(current)
        if use is None or not is_meant(use["name"], id):
            raise ConflictError(f"the upstream {upstream} does not use the model {id.short}")
        stage = use.get("stage", STAGES[0])
        if stage == STAGES[0]:
            return _with(upstream, current, former)
        return _with(upstream, current, {**use, "stage": STAGES[STAGES.index(stage) - 1]})

    return edit


def former_use(gateway: Gateway, upstream: str, id: ModelId) -> ModelUse | None:
    """What an upstream used before it used a model, as far back as generations are looked at."""
    for document in _earlier(gateway, upstream):
        member = next((each for each in document.get("upstreams", []) if each["name"] == upstream), None)
        use = use_of(member)
        if use is None or not is_meant(use["name"], id):
            return use
    return None


def _earlier(gateway: Gateway, upstream: str) -> Iterator[Document]:
    """The documents of generations that changed an upstream, the latest first."""
    for generation in gateway.store.newest(SEARCHED):
        touched = generation.summary.get("upstreams", {})
        named = any(upstream in names for names in touched.values())
        if named and (document := gateway.store.document(generation.number)):
            yield document


def _check(upstream: str, id: ModelId, standing: Standing | None) -> None:
    if standing is None or standing.state in {"absent", "fallback"}:
        state = standing.state if standing else "absent"
        why = f" ({standing.reason})" if standing and standing.reason else ""
        message = f"the model {id.short} predicts nothing in the upstream {upstream}: {state}{why}"
        raise ConflictError(message)
    skill = standing.skill or 0.0
    if standing.predictions < NEEDED or skill <= 0:
        raise ConflictError(
            f"the model {id.short} has not shown in the upstream {upstream} that it is better than the "
            f"online learner: expected {NEEDED} predictions and a skill above 0; "
            f"found {standing.predictions} and {skill:.3f}"
        )


def _with(upstream: str, current: Data | None, use: ModelUse | None) -> Data:
    if current is None:
        raise missing("upstreams", upstream)
    others = {option: value for option, value in (current.get("predict") or {}).items() if option != "model"}
    return {**current, "predict": {**others, **({"model": dict(use)} if use else {})}}
