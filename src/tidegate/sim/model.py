"""What a study's file says: a system, its load, and the policies that are compared on it."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from tidegate.config.model.health import Health
from tidegate.config.model.limits import UpstreamLimits
from tidegate.config.model.options import Options
from tidegate.config.model.text import Name
from tidegate.config.model.unit import Count, Positive
from tidegate.config.model.upstream import Balance
from tidegate.sim.recording import Recording
from tidegate.sim.study import AnyStudy
from tidegate.sim.unit import SECOND, Share, Time

_SHAPES: dict[str, tuple[str, ...]] = {
    "constant": ("mean",),
    "exponential": ("mean",),
    "lognormal": ("mean", "cv"),
    "bimodal": ("low", "high", "high_share"),
    "samples": ("samples",),
}


class Distribution(Options):
    """A distribution of times. A time alone stands for a constant."""

    distribution: Literal["constant", "exponential", "lognormal", "bimodal", "samples"] = "exponential"
    """`constant` (`mean`), `exponential` (`mean`), `lognormal` (`mean`, `cv`), `bimodal` (`low`, `high`,
    `high_share`) or `samples` (any of `samples`)."""
    mean: Time | None = None
    """Mean."""
    cv: Annotated[float, Field(ge=0, le=100)] | None = None
    """Coefficient of variation: the standard deviation in means."""
    most: Time | None = None
    """The largest value of `lognormal`; what is above is cut to it. Null: none."""
    low: Time | None = None
    """The usual time."""
    high: Time | None = None
    """The other one."""
    high_share: Share | None = None
    """How often it is the other one."""
    samples: Annotated[tuple[Time, ...], Field(min_length=1)] | None = None
    """Times of equal probability."""

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        needed = _SHAPES[self.distribution]
        given = self.given(["mean", "cv", "low", "high", "high_share", "samples"])
        if sorted(given) != sorted(needed):
            raise ValueError(f"{self.distribution} takes {', '.join(needed)}; found {', '.join(given)}")
        if self.most is not None and self.distribution != "lognormal":
            raise ValueError("only lognormal takes most")
        return self

    def average(self) -> float:
        """Its mean in nanoseconds."""
        if self.samples is not None:
            return sum(self.samples) / len(self.samples)
        if self.mean is not None:
            return self.mean
        low, high, share = self.low or 0, self.high or 0, self.high_share or 0
        return low + (high - low) * share


class Dearer(Options):
    """From when on requests ask for more."""

    after: Time
    """How long after the warm-up the first of them arrives."""
    factor: Annotated[float, Field(gt=0, le=1e6)]
    """They ask for so many times as much; `load` is meant without it."""


class Work(Distribution):
    """Requests of one class, by the time that a server of speed 1 works on one."""

    weight: Annotated[float, Field(ge=0)] = 1
    """How many of all requests are of this class, beside the others' weights."""
    template: str | None = Field(default=None, examples=["/users/{n}/orders"])
    """Its path, where `{n}` stands for a number that each request has for itself; null: one path for each
    class."""
    predicted: Annotated[tuple[Annotated[Time, Field(gt=0)], ...], Field(max_length=20_000)] | None = None
    """What a model predicts for each of `samples` in turn, for policies that `predict`; null: what they
    learn."""
    deadline: Annotated[Time, Field(gt=0)] | None = None
    """How long after its arrival an answer is of use; null: however late."""
    dearer: Dearer | None = None
    """When its requests ask for more than before; null: never."""

    @model_validator(mode="after")
    def _one_prediction_for_each_sample(self) -> Self:
        if self.predicted is not None and len(self.predicted) != len(self.samples or ()):
            raise ValueError("expected as many predicted as there are samples")
        return self


class Antagonist(Options):
    """A neighbour on the server that comes and goes at random."""

    share: Annotated[float, Field(gt=0, lt=1)]
    """Share of the time that it is there."""
    speed: Annotated[float, Field(ge=0)]
    """The server's speed is multiplied by this while it is there."""
    length: Annotated[Time, Field(gt=0)] = SECOND
    """How long it stays: the mean of an exponential distribution."""


class Phase(Options):
    """A time when a server is not itself."""

    start: Time = Field(default=0, alias="from")
    """When it begins, counted from the end of the warm-up."""
    until: Time | None = None
    """When it is over; null: never."""
    speed: Annotated[float, Field(ge=0)] = 1
    """The server's speed is multiplied by this; 0: it hangs."""
    errors: Share = 0
    """Share of requests that are answered with an error, without work."""
    error_after: Time = 0
    """How long that takes."""
    drops: Share = 0
    """Share of requests that are never answered."""
    down: bool = False
    """Whether it cannot be connected to."""


class Servers(Options):
    """Servers that are alike. Each has workers that share one queue, first come, first served."""

    count: Positive = 1
    """How many there are."""
    workers: Positive = 1
    """Requests that one works on at once."""
    queue: Count | None = None
    """Requests that may wait at one; more are refused with an error. Null: any number."""
    speed: Annotated[float, Field(gt=0)] = 1
    """Work done in a second, in seconds of work."""
    weight: Count = 1
    """The weight that gateways know it by."""
    antagonist: Antagonist | None = None
    """A neighbour that slows each down, each at times of its own."""
    phases: tuple[Phase, ...] = ()
    """Slow times and faults."""

    def capacity(self) -> float:
        """Work that they do in a second, in seconds, without their phases."""
        slowed = self.antagonist.share * (1 - self.antagonist.speed) if self.antagonist else 0
        return self.count * self.workers * self.speed * (1 - slowed)


class Keys(Options):
    """Keys of requests, for policies that hash: the k-th comes with a probability in proportion to 1 / kˢ."""

    count: Positive = 10_000
    """How many there are."""
    skew: Annotated[float, Field(ge=0, le=10)] = 1
    """Zipf's exponent s; 0: all alike."""


class Retry(Options):
    """What happens after a failed try."""

    attempts: Positive = 1
    """Tries of one request, the first included."""
    backoff: Time = 0
    """Delay before the next try."""


class Trace(Recording):
    """Requests of a language model's service as recorded; one costs time by token."""

    format: Literal["azure_llm", "mooncake"]
    """`azure_llm` (CSV: TIMESTAMP, ContextTokens, GeneratedTokens) or `mooncake` (JSON lines)."""
    per_input: Time = 100_000
    """Work for a token that is read."""
    per_output: Time = 20_000_000
    """Work for a token that is written."""


def _time_alone(value: Any) -> Any:
    alone = isinstance(value, str | int | float)
    return {"distribution": "constant", "mean": value} if alone else value


class C3(Options):
    """A cost like that of C3 (Suresh et al., NSDI 2015), which is cubic in the queue."""

    clients: Positive = 1
    """How many gateways it takes to share the servers."""


class Predict(Options):
    """Gateways predict what requests cost. What may be wrong with the predictions."""

    guarded: bool = True
    """Whether they are believed as far as their skill goes; else in full."""
    comparison: bool = True
    """Whether requests with predictions are compared with some without, and predictions that do harm turned
    off."""
    noise: Annotated[float, Field(ge=0, le=100)] = 0
    """Errors are added to them, whose logarithm has this standard deviation."""
    useless: bool = False
    """They are random numbers with the spread of the costs."""
    constant: bool = False
    """They are all the same."""
    inverted: bool = False
    """What is dear is said to be cheap, and the other way round."""
    drift: Time | None = None
    """They are right until so long after the warm-up, and inverted then."""
    oracle: bool = False
    """It is known of each request what it asks of a server: the best that any prediction can do."""


class Policy(Balance):
    """A policy that is compared: an upstream's `balance`, or what only the simulator has."""

    c3: C3 | None = None
    """Go by C3's cost instead of `policy`; null: no."""
    predict: Predict | None = None
    """Predict what requests cost; null: no."""


def _policy_alone(value: Any) -> Any:
    if value == "c3":
        return {"c3": {}}
    return {"policy": value} if isinstance(value, str) else value


class Study(AnyStudy):
    """A system, its load, and the policies that are compared on it."""

    servers: Annotated[tuple[Servers, ...], Field(min_length=1)]
    """The servers, in groups that are alike."""
    work: tuple[Work, ...] = ()
    """The classes of requests; none with a trace."""
    load: Annotated[float, Field(gt=0, le=10)] | None = None
    """Work that arrives, as a share of what the servers can do. A trace is sped up or slowed down to it."""
    rate: Annotated[float, Field(gt=0)] | None = None
    """Requests in a second instead."""
    trace: Trace | None = None
    """Requests as recorded instead of a Poisson process."""
    gateways: Positive = 1
    """Gateways, each of which knows only its own requests."""
    network: Annotated[Distribution, BeforeValidator(_time_alone)] = Distribution(
        distribution="constant", mean=0
    )
    """Delay between a gateway and a server, one way. What a gateway knows is late by as much."""
    timeout: Annotated[Time, Field(gt=0)] | None = None
    """How long a try may take; null: for ever."""
    reports: bool = False
    """Whether servers tell their load with each answer, as ORCA's header does. What `balance.probe` says, is
    done anyway."""
    retry: Retry = Retry()
    """What happens after a failed try."""
    keys: Keys | None = None
    """Keys of requests, for policies that hash."""
    health: Health = Health()
    """How gateways find out which servers are well: an upstream's option of this name."""
    limits: UpstreamLimits = UpstreamLimits()
    """How many requests a gateway lets in at a time, and how the others wait: an upstream's option of this
    name."""
    policies: Annotated[dict[Name, Annotated[Policy, BeforeValidator(_policy_alone)]], Field(min_length=1)]
    """What is compared: an upstream's `balance`, or `c3`, by the name that tables and plots call it. The
    first one is what the others are measured by."""
    warmup: Time = 10 * SECOND
    """How long the system runs before requests are counted."""
    duration: Annotated[Time, Field(gt=0)] = 60 * SECOND
    """How long requests are counted."""

    @model_validator(mode="after")
    def _one_source_of_requests(self) -> Self:
        if self.trace is None:
            self.require_exactly_one("load", "rate")
            if not self.work:
                raise ValueError("expected work, or a trace")
        elif self.work or self.rate is not None:
            raise ValueError("a trace brings its own requests: expected neither work nor rate beside it")
        return self

    def capacity(self) -> float:
        """Work that the servers do in a second, in seconds."""
        return sum(group.capacity() for group in self.servers)

    def policy_names(self) -> tuple[str, ...]:
        return tuple(self.policies)

    def class_names(self) -> tuple[str, ...]:
        """The classes of requests, by the names that tables call them; none with a trace."""
        return tuple(work.template or f"class {number}" for number, work in enumerate(self.work))
