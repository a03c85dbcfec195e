"""Upstreams: groups of endpoints that serve the same thing."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from tidegate.config.model.health import Health
from tidegate.config.model.limits import UpstreamLimits
from tidegate.config.model.mark import CaPath, CertPath, Identity, KeyPath
from tidegate.config.model.narrow import Labels, SlowStart, Sticky, ZoneAware
from tidegate.config.model.options import Options
from tidegate.config.model.predict import Predict
from tidegate.config.model.retired import now_in_percent
from tidegate.config.model.retry import RetryBudget
from tidegate.config.model.text import AbsolutePath, EndpointAddress, FieldName, Name, endpoint_address
from tidegate.config.model.unit import (
    Count,
    Duration,
    Percent,
    Positive,
    PositivePercent,
    Timeout,
    duration,
    whole,
)

BalancePolicy = Literal[
    "round_robin",
    "random",
    "fastest_free",
    "least_request",
    "peak_ewma",
    "prequal",
    "ring_hash",
    "maglev",
    "rendezvous",
    "first_available",
]
HASHING = ("ring_hash", "maglev", "rendezvous")
"""Policies that give a key its endpoint."""


def _not_removed(policy: Any) -> Any:
    if policy == "c3":
        raise ValueError(
            "c3 was removed: it was an experiment, and clients went with it. Use prequal where several "
            "gateways share the endpoints, else fastest_free"
        )
    return policy


class HashKey(Options):
    """What is hashed: exactly one option is given."""

    header: FieldName | None = Field(default=None, examples=["x-user"])
    """A header field's value."""
    cookie: FieldName | None = Field(default=None, examples=["session"])
    """A cookie's value."""
    path: Literal[True] | None = Field(default=None, examples=[True])
    """The path without its query."""
    client_address: Literal[True] | None = Field(default=None, examples=[True])
    """The client's address."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        self.require_exactly_one("header", "cookie", "path", "client_address")
        return self


class Prequal(Options):
    """The pool of probe answers of Prequal (Wydrowski et al., NSDI 2024)."""

    retired = (now_in_percent("quantile", "percentile"),)

    pool: Annotated[int, whole(2, 256)] = 16
    """Answers that are kept."""
    probes: Annotated[int, whole(1, 16)] = 3
    """Endpoints that are probed for each request."""
    age: Timeout = 1_000
    """How long an answer is used."""
    remove: Count = 1
    """Answers that are removed for each request, in turn the oldest and the worst; fewer than `probes`."""
    reuse: float = Field(default=1.0, ge=0, le=1000)
    """Answers may be used 1 + this number times as often as they come (the paper's δ)."""
    percentile: Percent = 60.0
    """Endpoints with more requests in flight than this percentile of all are hot: chosen only if all are."""

    @model_validator(mode="after")
    def _pool_fills(self) -> Self:
        if self.remove >= self.probes:
            raise ValueError("expected remove to be less than probes, or the pool runs dry")
        return self


class Probe(Options):
    """Asking the endpoints how loaded they are. `tidegate.probe` answers in a Python service."""

    path: AbsolutePath = "/.tidegate/probe"
    """Request target; the answer is JSON like `{"in_flight": 3, "latency_ms": 12.5}`."""
    interval: Annotated[int, duration(1, 1_000)] = 250
    """Time between two probes of an endpoint; an answer is believed for a second."""
    limit: Annotated[int, whole(1, 1024)] = 16
    """Probes under way at once."""


class Balance(Options):
    """How an endpoint is picked. A policy's name alone stands for the policy with its defaults."""

    policy: Annotated[BalancePolicy, BeforeValidator(_not_removed)] = "fastest_free"
    """`fastest_free` (the quickest that has a worker free, as far as is known; else as `least_request`),
    `round_robin` (smooth, by weight), `random` (by weight), `least_request` (fewest requests in flight,
    by weight), `peak_ewma` (lowest latency times requests in flight, by weight), `prequal` (lowest latency
    among endpoints that are not hot); the same endpoint for the same key: `ring_hash` (a ring of hashes),
    `maglev` (a look-up table) or `rendezvous` (the highest score; for up to a hundred); or `first_available`
    (the first in order that is not at `limits.endpoint_requests`)."""
    choices: Positive | None = Field(default=None, examples=[2])
    """`fastest_free`, `least_request`, `peak_ewma`: how many endpoints are drawn and compared;
    null: all up to 16, beyond that 5."""
    decay: Timeout = 10_000
    """Time after which what was seen of an endpoint's latency and failures weighs 1/e."""
    prequal: Prequal = Prequal()
    """`prequal`: its pool of probe answers."""
    probe: Probe | None = None
    """`prequal`: ask the endpoints how loaded they are; null: no."""
    forward_reports: bool = False
    """`prequal`: whether the endpoints' load reports (ORCA's `endpoint-load-metrics`) are passed on
    to clients."""
    hash: HashKey | None = None
    """`ring_hash`, `maglev`, `rendezvous`: what is hashed."""
    load_bound: float = Field(default=1.25, ge=1, le=1000)
    """The same policies: an endpoint carries at most this multiple of the mean load
    (Mirrokni et al., 2016)."""
    spill_over: PositivePercent = 70.0
    """Percent of a priority's weight that must be available for it to take all requests; of what is less, the
    next priority takes its part."""
    zone_aware: ZoneAware | None = Field(default=None, examples=[{}])
    """Preference for endpoints in the gateway's own zone; null: none."""
    subset_fallback: Literal["any", "none"] = "any"
    """Where requests go that ask for labels which no available endpoint carries: to `any` endpoint, or
    `none` else."""
    sticky: Sticky | None = Field(default=None, examples=[{"cookie": "tidegate"}])
    """A signed cookie that keeps a client with its endpoint; null: none."""
    slow_start: SlowStart | None = Field(default=None, examples=[{"window": "30s"}])
    """The growing weight of an endpoint that is new or has recovered; null: all at once."""

    @model_validator(mode="after")
    def _hash_with_its_policy(self) -> Self:
        if (self.policy in HASHING) != (self.hash is not None):
            raise ValueError(f"expected hash with the policies {', '.join(HASHING)}, and only there")
        return self


class Endpoint(Options):
    """A member of an upstream. An address alone stands for an endpoint with the defaults."""

    address: Annotated[EndpointAddress, Identity("endpoint", endpoint_address)]
    """`ip:port`, `[ipv6]:port`, `host:port` or `unix:/path`; the identity within its upstream."""
    weight: Count = 1
    """Its share of the load beside the others'."""
    drain: bool = False
    """Whether it gets no new requests while those it has are finished."""
    priority: Count = 0
    """Lower ones are preferred: others get requests only when too few of these are available."""
    zone: Name | None = Field(default=None, examples=["eu-1a"])
    """The zone that it runs in."""
    labels: Labels = Field(default={}, examples=[{"version": "canary"}])
    """What routes may ask for."""
    maintenance: Annotated[str, Field(min_length=1, max_length=1000)] | None = Field(
        default=None, examples=["disk replaced, back on Monday"]
    )
    """Why it is out of service: it gets no new requests and no checks; null: it is in service."""


class UpstreamTls(Options):
    """TLS towards the endpoints."""

    verify: bool = True
    """Whether the endpoint's certificate is checked."""
    ca: CaPath | None = Field(default=None, examples=["internal-ca.pem"])
    """Path of the certificate authorities to check against, in PEM; null: the system's."""
    server_name: str | None = Field(default=None, min_length=1, examples=["app.internal"])
    """Name for SNI and for the check; null: the endpoint's own host."""
    cert: CertPath | None = Field(default=None, examples=["client.pem"])
    """Path of the client certificate chain, in PEM."""
    key: KeyPath | None = Field(default=None, examples=["client-key.pem"])
    """Path of its private key, in PEM."""

    @model_validator(mode="after")
    def _cert_with_key(self) -> Self:
        if (self.cert is None) != (self.key is None):
            raise ValueError("expected cert and key together")
        return self


class Pool(Options):
    """Connections kept for reuse."""

    idle_timeout: Duration = 55_000
    """How long an unused connection is kept."""
    max_age: Duration = 3_600_000
    """How long a connection is used for new requests."""
    max_idle: Count = 512
    """Unused connections kept for one endpoint by one worker."""
    max_connections: Positive | None = Field(default=None, examples=[1000])
    """Open connections to one endpoint, over all workers; null: no bound."""


class UpstreamTimeouts(Options):
    """How long an endpoint may take."""

    connect: Timeout = 5_000
    """To connect, TLS handshake included."""
    response: Timeout = 60_000
    """From the request's end to the response's head."""
    idle: Timeout = 60_000
    """Longest silence while a body is transferred."""


def _policy_alone(value: Any) -> Any:
    return {"policy": value} if isinstance(value, str) else value


def _address_alone(value: Any) -> Any:
    return {"address": value} if isinstance(value, str) else value


class Upstream(Options):
    """A group of endpoints that serve the same thing."""

    name: Annotated[Name, Identity("upstream")] = Field(examples=["app"])
    """Unique name; the identity that survives a reload."""
    balance: Annotated[
        Balance, BeforeValidator(_policy_alone, json_schema_input_type=BalancePolicy | Balance)
    ] = Balance()
    """How an endpoint is picked: a policy's name, or a policy with its options."""
    endpoints: tuple[
        Annotated[
            Endpoint, BeforeValidator(_address_alone, json_schema_input_type=EndpointAddress | Endpoint)
        ],
        ...,
    ] = Field(default=(), examples=[["127.0.0.1:9001", {"address": "127.0.0.1:9002", "weight": 2}]])
    """The members: addresses, or addresses with their options."""
    protocol: Literal["http1", "http2", "http3", "auto"] = "auto"
    """Version of HTTP spoken to the endpoints: `http1`, `http2` (in plain text by prior knowledge), `http3`
    (needs `tls`), or `auto`: what ALPN agrees on, HTTP/1.1 in plain text."""
    http3: bool = False
    """`auto` with `tls`: whether HTTP/3 is used once an endpoint has announced it (`Alt-Svc`, RFC 7838)."""
    tls: UpstreamTls | None = None
    """TLS settings; null: plain text."""
    pool: Pool = Pool()
    """Connections kept for reuse."""
    timeouts: UpstreamTimeouts = UpstreamTimeouts()
    """How long an endpoint may take."""
    health: Health = Health()
    """How it is found out which endpoints are well."""
    retry_budget: RetryBudget = RetryBudget()
    """How many retries its requests allow for."""
    limits: UpstreamLimits = UpstreamLimits()
    """What it is given at a time."""
    predict: Predict = Predict()
    """What is predicted of its requests."""
    client_cert_header: bool = False
    """Whether it is told the certificate that a client showed, in `Client-Cert` (RFC 9440)."""
