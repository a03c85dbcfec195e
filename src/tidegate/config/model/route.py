"""Routes: what is done with which request."""

import re
from collections.abc import Hashable
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from tidegate.config.model.access import Access, IdentityHeader
from tidegate.config.model.cache import RouteCache, cache_alone
from tidegate.config.model.cors import Cors
from tidegate.config.model.csrf import CsrfSwitch
from tidegate.config.model.field_match import FieldMatch, HeaderMatch
from tidegate.config.model.limits import Priority, RoutePriority
from tidegate.config.model.mark import Identity, Ref
from tidegate.config.model.narrow import Labels
from tidegate.config.model.options import Options
from tidegate.config.model.rate import RateLimitNames
from tidegate.config.model.retry import Hedge, Retry
from tidegate.config.model.security_headers import SecurityHeadersPreset
from tidegate.config.model.text import (
    AbsolutePath,
    FieldName,
    FieldValue,
    HostPattern,
    Method,
    Name,
    RpcPath,
    each_once,
)
from tidegate.config.model.tunnel import Tunnel
from tidegate.config.model.unit import Count, Percent, Size, Status, Timeout

UpstreamName = Annotated[Name, Ref("upstream")]
ListenerName = Annotated[Name, Ref("listener")]

_CAPTURE = re.compile(r"\{(\*?)[^}]*\}")
"""A segment of a template that is captured."""


class PathMatch(Options):
    """Condition on the path: exactly one option is given."""

    exact: AbsolutePath | None = Field(default=None, examples=["/status"])
    """The whole path."""
    prefix: AbsolutePath | None = Field(default=None, examples=["/v1"])
    """A prefix that ends on a segment border: `/v1` takes `/v1` and `/v1/x`, not `/v10`."""
    regex: str | None = Field(default=None, min_length=1, examples=["/items/(?<id>[0-9]+)"])
    """A regular expression for the whole path; its named groups can be used in rewrites."""
    template: AbsolutePath | None = Field(default=None, examples=["/users/{id}/files/{*rest}"])
    """Segments with captures: `/users/{id}/files/{*rest}`."""

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        self.require_exactly_one("exact", "prefix", "regex", "template")
        return self


class RouteMatch(Options):
    """Which requests a route takes: all given conditions must hold."""

    hosts: tuple[HostPattern, ...] = Field(default=(), examples=[["api.example.com", "*.example.com"]])
    """Host names: exact or with one leading wildcard; empty: any."""
    path: PathMatch | None = None
    """Condition on the path; null: any."""
    methods: tuple[Method, ...] = Field(default=(), examples=[["GET", "HEAD"]])
    """Methods; empty: any."""
    headers: tuple[HeaderMatch, ...] = Field(default=(), examples=[[{"name": "x-team", "exact": "blue"}]])
    """Conditions on header fields."""
    query: tuple[FieldMatch, ...] = Field(default=(), examples=[[{"name": "debug", "present": True}]])
    """Conditions on query parameters."""
    cookies: tuple[FieldMatch, ...] = Field(default=(), examples=[[{"name": "beta", "exact": "on"}]])
    """Conditions on cookies."""

    @cached_property
    def conditions(self) -> Hashable:
        """All conditions but those on the host, in one form for all spellings."""
        path = self.path
        if path is None or path.prefix is not None:
            spelled: Hashable = path.prefix.rstrip("/") if path and path.prefix else ""
        else:
            spelled = (path.exact, path.regex, _CAPTURE.sub(r"{\1}", path.template or ""))
        if not (self.methods or self.headers or self.query or self.cookies):  # as most are
            return spelled
        headers = frozenset(each.condition(each.name.lower()) for each in self.headers)
        query = frozenset(each.condition(each.name) for each in self.query)
        cookies = frozenset(each.condition(each.name) for each in self.cookies)
        return (spelled, frozenset(self.methods), headers, query, cookies)


class Split(Options):
    """One share of a weighted split."""

    upstream: UpstreamName = Field(examples=["canary"])
    """Where this share goes."""
    subset: Labels = Field(default={}, examples=[{"version": "canary"}])
    """Labels that the endpoint must carry; empty: any will do."""
    weight: Count = 1
    """Its weight beside the others'."""


class Redirect(Options):
    """Answer with a redirect; what is not given stays as requested."""

    status: Literal[301, 302, 303, 307, 308] = 308
    """Status code."""
    scheme: Literal["http", "https"] | None = Field(default=None, examples=["https"])
    """Scheme to redirect to; null: the request's."""
    host: FieldValue | None = Field(default=None, min_length=1, examples=["www.example.com"])
    """Host, and port where it is not the scheme's own."""
    path: AbsolutePath | None = Field(default=None, examples=["/users/{id}"])
    """The whole path, with `{captures}`."""
    prefix: AbsolutePath | None = Field(default=None, examples=["/v2"])
    """What takes the place of the matched prefix."""
    strip_query: bool = False
    """Whether the query is left out."""

    @model_validator(mode="after")
    def _goes_elsewhere(self) -> Self:
        self.require_at_most_one("path", "prefix")
        if not self.given(("scheme", "host", "path", "prefix")) and not self.strip_query:
            raise ValueError("expected at least one of scheme, host, path, prefix and strip_query")
        return self


class Respond(Options):
    """Answer with a fixed response."""

    status: Status = 200
    """Status code."""
    headers: dict[FieldName, FieldValue] = Field(default={}, examples=[{"content-type": "text/html"}])
    """Header fields; a body without `content-type` is `text/plain; charset=utf-8`."""
    body: str = Field(default="", examples=["gone for lunch"])
    """Body."""

    @model_validator(mode="after")
    def _status_has_content(self) -> Self:
        if self.body and self.status in {204, 205, 304}:
            raise ValueError(f"expected no body: a response with status {self.status} has no content")
        return self


class RegexRewrite(Options):
    """Replace every match of a pattern in the path."""

    pattern: str = Field(min_length=1, examples=["^/old/(.*)$"])
    """A regular expression."""
    replacement: str = Field(examples=["/new/$1"])
    """The replacement; `$1` and `$name` stand for groups."""


class Rewrite(Options):
    """Changes of a request's target. At most one of `prefix`, `path` and `regex` is given."""

    prefix: AbsolutePath | None = Field(default=None, examples=["/"])
    """What takes the place of the matched prefix."""
    path: AbsolutePath | None = Field(default=None, examples=["/users/{id}"])
    """The whole path, with `{captures}`."""
    regex: RegexRewrite | None = None
    """Replace by regular expression."""
    host: FieldValue | None = Field(default=None, min_length=1, examples=["app.internal"])
    """The `Host` sent upstream; null: the client's."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        self.require_at_most_one("prefix", "path", "regex")
        return self


class HeaderEdits(Options):
    """Changes of header fields, done in the order remove, set, add."""

    set: dict[FieldName, FieldValue] = Field(default={}, examples=[{"x-frame-options": "DENY"}])
    """Fields that get exactly this value."""
    add: dict[FieldName, FieldValue] = Field(default={}, examples=[{"vary": "accept"}])
    """Fields that get this value beside those they have."""
    remove: tuple[FieldName, ...] = Field(default=(), examples=[["server"]])
    """Fields that are taken away."""


class Mirror(Options):
    """Send a copy of each request elsewhere and forget the answer."""

    upstream: UpstreamName = Field(examples=["shadow"])
    """Where the copies go."""
    percent: Percent = 100.0
    """Percent of the requests that are copied."""


class RouteLimits(Options):
    """What a request may cost."""

    body: Size | None = 1 << 30
    """Bytes of a request's body; null: no bound."""
    rate: RateLimitNames = Field(default=(), examples=[["per-client"]])
    """Names of the rate limits that its requests must all pass."""


def _level_alone(value: Any) -> Any:
    return {"level": value} if isinstance(value, str) else value


class Route(Options):
    """What is done with the requests that match.

    Exactly one of `upstream`, `split`, `redirect` and `respond` is given.
    """

    name: Annotated[Name, Identity("route")] = Field(examples=["api"])
    """Unique name; the identity that survives a reload."""
    listeners: tuple[ListenerName, ...] = Field(default=(), examples=[["web"]])
    """Names of the listeners this route serves; empty: all."""
    match: RouteMatch = RouteMatch()
    """Which requests it takes."""
    upstream: UpstreamName | None = Field(default=None, examples=["app"])
    """Action: send to this upstream."""
    subset: Labels = Field(default={}, examples=[{"version": "canary"}])
    """Labels that the endpoint must carry, with the action `upstream`; empty: any will do."""
    split: tuple[Split, ...] | None = Field(
        default=None,
        min_length=1,
        examples=[[{"upstream": "app", "weight": 9}, {"upstream": "canary", "weight": 1}]],
    )
    """Action: share out between upstreams by weight."""
    redirect: Redirect | None = Field(default=None, examples=[{"scheme": "https"}])
    """Action: answer with a redirect."""
    respond: Respond | None = None
    """Action: answer with a fixed response."""
    cache: (
        Annotated[
            RouteCache,
            BeforeValidator(cache_alone, json_schema_input_type=Name | RouteCache),
            Ref("cache"),
        ]
        | None
    ) = Field(default=None, examples=["main"])
    """What of the responses is stored, to answer other requests, with the actions `upstream` and `split`: the
    name of a cache, or a name with its options; null: nothing."""
    rewrite: Rewrite | None = None
    """Changes of the request's target before it is sent upstream."""
    request_headers: HeaderEdits = HeaderEdits()
    """Changes of the request's fields."""
    response_headers: HeaderEdits = HeaderEdits()
    """Changes of the response's fields."""
    mirror: Mirror | None = None
    """Send a copy of each request elsewhere and forget the answer."""
    timeout: Timeout | None = Field(default=None, examples=["30s"])
    """Longest time from the request's head to the response's end, all tries included; null: no bound."""
    deadline_header: FieldName | None = Field(default=None, examples=["x-request-deadline-ms"])
    """Field that says how many milliseconds are left for a request: taken from the client where that is
    shorter than `timeout`, and told to endpoints. `grpc-timeout` is always treated so. Null: none."""
    retry: Retry = Retry()
    """When a failed try is repeated."""
    hedge: Hedge | None = None
    """When a request that takes long is sent to a second endpoint; null: never."""
    tunnel: Tunnel = Tunnel()
    """How long a WebSocket, or another tunnel, may last."""
    grpc_web: bool = False
    """Whether requests in gRPC-Web are made ones in gRPC, and their responses the other way round."""
    grpc_methods: Annotated[tuple[RpcPath, ...], Field(max_length=100), each_once("method")] = Field(
        default=(), examples=[["/shop.Orders/Place", "/shop.Orders/Cancel"]]
    )
    """Methods of gRPC whose RPCs are counted by name, by their paths; all others of the route are counted
    together. Empty: none are counted."""
    limits: RouteLimits = RouteLimits()
    """What a request may cost."""
    template: AbsolutePath | None = Field(default=None, examples=["/users/{id}/orders/{order}"])
    """The path of all its requests with its variables, by which predictions tell them apart from others;
    null: it is learnt."""
    priority: Annotated[
        RoutePriority, BeforeValidator(_level_alone, json_schema_input_type=Priority | RoutePriority)
    ] = RoutePriority()
    """How important its requests are where the upstream cannot serve all: a level, or a level with its
    options."""
    cors: Cors | None = None
    """Which pages of other origins may read the responses; null: what the upstream says of it holds."""
    csrf: CsrfSwitch = Field(default=None, examples=[True])
    """Refuse requests that pages of other origins make a browser send with its cookies: `true`, or options;
    null: they are not told apart."""
    security_headers: SecurityHeadersPreset = Field(default=None, examples=["recommended"])
    """Fields that tell browsers to be careful with the responses: `recommended`, or options; null: none are
    added."""
    access: Access | None = None
    """Who may use it; null: all."""
    identity_headers: dict[FieldName, IdentityHeader] = Field(
        default={}, examples=[{"x-user": {"subject": True}}]
    )
    """Fields that tell the upstream of the identity. Those that any route names here are taken off what
    clients send on all routes."""

    @model_validator(mode="after")
    def _one_action(self) -> Self:
        self.require_exactly_one("upstream", "split", "redirect", "respond")
        return self

    @model_validator(mode="after")
    def _subset_of_an_upstream(self) -> Self:
        if self.subset and self.upstream is None:
            raise ValueError("expected subset with upstream; in a split each share has its own")
        return self

    @model_validator(mode="after")
    def _origin_to_store_from(self) -> Self:
        if self.cache and self.upstream is None and self.split is None:
            raise ValueError(
                "expected cache with upstream or split: the gateway's own answers are not stored"
            )
        return self

    @model_validator(mode="after")
    def _shares_add_up(self) -> Self:
        if self.split and not any(share.weight for share in self.split):
            raise ValueError("expected a split with at least one weight above 0")
        return self

    @model_validator(mode="after")
    def _identity_to_tell(self) -> Self:
        if self.identity_headers and not (self.access and self.access.authenticate):
            raise ValueError(
                "identity_headers needs access.authenticate: without it no request has an identity"
            )
        return self

    @model_validator(mode="after")
    def _prefix_to_replace(self) -> Self:
        replaces = (self.rewrite and self.rewrite.prefix) or (self.redirect and self.redirect.prefix)
        if replaces and not (self.match.path and self.match.path.prefix):
            raise ValueError("a prefix can be replaced only where match.path.prefix matched one")
        return self
