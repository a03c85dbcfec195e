"""Caches: what is kept of responses, and what a route's responses are kept for (RFC 9111)."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from tidegate.config.model.field_match import FieldMatch, HeaderMatch
from tidegate.config.model.mark import Identity, OutputPath, Ref, TokenPath
from tidegate.config.model.options import Options
from tidegate.config.model.text import FieldName, Method, Name, Network
from tidegate.config.model.unit import Duration, Size, size, whole

_STATUSES = re.compile(r"[2-5](xx|\d\d)", re.ASCII)


def _statuses(text: str) -> str:
    statuses = text.lower()
    if not _STATUSES.fullmatch(statuses):
        raise ValueError(f"expected a status like 404 or a class like 5xx, from 200 to 599; found {text!r}")
    return statuses


def _parameter(text: str) -> str:
    if "*" in text[:-1]:
        raise ValueError(f"expected a name, or its beginning and a * at the end; found {text!r}")
    return text


Statuses = Annotated[str, AfterValidator(_statuses), Field(examples=["404"])]
"""A status of a final response, or a class of them."""
Parameters = Annotated[str, AfterValidator(_parameter), Field(min_length=1, examples=["utm_*"])]
"""The name of a query parameter; a `*` at its end stands for any rest."""


DiskSize = Annotated[int, size(1 << 20, 1 << 50)]
"""Room of a cache on disk."""


class CacheDisk(Options):
    """Where a cache keeps what leaves its memory."""

    path: OutputPath = Field(examples=["/var/cache/tidegate"])
    """A directory that is this cache's alone. It is made if it is missing."""
    size: DiskSize = Field(examples=["50GB"])
    """Bytes that files may take there, as the file system counts them."""
    admit: Literal["second_request", "always"] = "second_request"
    """What is kept: what was asked for more than once, so that what is asked for once wears no disk out, or
    everything."""


class CachePurges(Options):
    """How gateways tell each other of the purges of a cache that all of them have under one name."""

    store: Annotated[Name, Ref("store")] = Field(examples=["fleet"])
    """The store."""
    stream: str = Field(default="tidegate:purges", min_length=1, max_length=255, examples=["tidegate:purges"])
    """The stream's key there; caches of several names may share one."""


class Cache(Options):
    """Where responses are stored; routes name it."""

    name: Annotated[Name, Identity("cache")] = Field(examples=["main"])
    """Unique name; what is stored survives a reload under it."""
    memory: Annotated[int, size(1 << 20, 1 << 44)] = 256_000_000
    """Bytes of memory for what is stored and what is being filled."""
    max_object: Size = 32_000_000
    """Bytes of the largest body that is stored."""
    disk: CacheDisk | None = Field(default=None, examples=[{"path": "/var/cache/tidegate", "size": "50GB"}])
    """Where what leaves memory is kept, also when the process ends; null: nowhere."""
    purges: CachePurges | None = Field(default=None, examples=[{"store": "fleet"}])
    """How gateways tell each other of its purges; null: each purges for itself."""

    @model_validator(mode="after")
    def _largest_fits(self) -> Self:
        if "max_object" in self.model_fields_set and self.max_object > self.memory // 5:
            raise ValueError(
                "expected max_object of at most a fifth of memory, a quarter of which is for fills"
            )
        return self


class CacheKeyQuery(Options):
    """Which query parameters count: all, or those of at most one of `allow` and `deny`."""

    allow: tuple[Parameters, ...] | None = Field(default=None, examples=[["page", "size"]])
    """Only these do; a `*` at the end stands for any rest of a name. An empty list: none do. Null: all."""
    deny: tuple[Parameters, ...] | None = Field(default=None, examples=[["utm_*", "fbclid"]])
    """All but these do; null: all."""
    sort: bool = False
    """Whether their order does not count."""

    @model_validator(mode="after")
    def _one_list(self) -> Self:
        self.require_at_most_one("allow", "deny")
        return self


class CacheKey(Options):
    """What requests must have in common to get the same response, beside scheme, host and path."""

    query: CacheKeyQuery = CacheKeyQuery()
    """The query parameters that count."""
    headers: tuple[FieldName, ...] = Field(default=(), examples=[["x-tenant"]])
    """Header fields that count. What the origin names in `Vary` counts without being named here."""
    cookies: tuple[Annotated[str, Field(min_length=1)], ...] = Field(default=(), examples=[["currency"]])
    """Cookies that count."""
    route: bool = False
    """Whether the route counts; otherwise every route of the cache finds what another one has stored."""


class CacheStale(Options):
    """How long a response may be used when it is not fresh any more, unless it forbids that
    (`must-revalidate` and the like)."""

    if_error: Duration = Field(default=0, examples=["10m"])
    """In place of an answer 5xx of the origin, where the response does not say it itself (`stale-if-error`,
    RFC 5861 section 4)."""
    if_disconnected: Duration = 3_600_000
    """While the origin cannot be reached (RFC 9111 section 4.2.4)."""
    while_revalidate: Duration = Field(default=0, examples=["30s"])
    """While it is validated in the background, where the response does not say it itself
    (`stale-while-revalidate`, RFC 5861 section 3)."""


class CacheCondition(Options):
    """A condition on a request: all that are given must hold."""

    methods: tuple[Method, ...] = Field(default=(), examples=[["HEAD"]])
    """Methods; empty: any."""
    headers: tuple[HeaderMatch, ...] = Field(default=(), examples=[[{"name": "x-preview", "present": True}]])
    """Conditions on header fields."""
    query: tuple[FieldMatch, ...] = Field(default=(), examples=[[{"name": "nocache", "present": True}]])
    """Conditions on query parameters."""
    cookies: tuple[FieldMatch, ...] = Field(default=(), examples=[[{"name": "session", "present": True}]])
    """Conditions on cookies."""

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if not any((self.methods, self.headers, self.query, self.cookies)):
            raise ValueError("expected at least one of methods, headers, query and cookies")
        return self


class RouteCache(Options):
    """What of a route's responses is stored, for how long, and for which requests."""

    name: Annotated[Name, Ref("cache")] = Field(examples=["main"])
    """The cache."""
    key: CacheKey = CacheKey()
    """What requests must have in common to get the same response."""
    ttl: dict[Statuses, Duration] = Field(default={}, examples=[{"404": "10s", "5xx": "1s"}])
    """How long responses are fresh that do not say it themselves, by status (`404`) or class (`5xx`); a
    status holds before its class."""
    stale: CacheStale = CacheStale()
    """How long they may be used after that, and when."""
    tags: tuple[FieldName, ...] = Field(default=("surrogate-key", "cache-tag"), examples=[["xkey"]])
    """Fields of responses that name what can be purged together; clients do not see them."""
    lock: Duration = 5_000
    """How long a request waits for the response to another one with its key, before it is sent itself; 0: not
    at all."""
    targeted: tuple[FieldName, ...] = Field(default=("CDN-Cache-Control",), examples=[["CDN-Cache-Control"]])
    """Fields that tell caches like this one what `Cache-Control` tells all (RFC 9213), the one that counts
    first. The gateway's own, `<name>-Cache-Control` with the gateway's name, counts before all of them."""
    set_cookie: Literal["explicit", "never", "strip"] = "explicit"
    """What is done with responses that set cookies: they are stored where they say how long they are fresh,
    never, or without the cookies."""
    request_directives: Literal["ignore", "honour"] = "ignore"
    """Whether clients may ask for newer responses by `Cache-Control` (RFC 9111 section 5.2.1). `no-store` and
    `only-if-cached` are honoured in any case."""
    vary: Literal["normalised", "exact"] = "normalised"
    """How the values of fields are compared that `Vary` names: by what they mean, where that is known, or
    byte by byte."""
    ignore: tuple[Literal["cache-control", "expires", "set-cookie", "vary"], ...] = Field(
        default=(), examples=[["cache-control", "expires"]]
    )
    """Fields of the origin that are not looked at. `set-cookie` is not stored then either."""
    bypass: tuple[CacheCondition, ...] = Field(
        default=(), examples=[[{"cookies": [{"name": "session", "present": True}]}]]
    )
    """Requests that are answered by the upstream in any case; what it answers is stored."""
    no_store: tuple[CacheCondition, ...] = Field(
        default=(), examples=[[{"headers": [{"name": "x-preview", "present": True}]}]]
    )
    """Requests whose responses are not stored."""
    min_uses: Annotated[int, whole(1, 255)] = 1
    """How often a response must have been asked for before it is stored."""
    slice: Annotated[int, size(1 << 16, 1 << 26)] | None = Field(default=None, examples=["1MiB"])
    """Bytes of the aligned ranges by which objects are fetched and stored, each by itself, where the origin
    answers ranges and has strong validators; at most `max_object`, which bounds each of them. Null: objects
    are fetched as a whole."""
    purge_from: tuple[Network, ...] = Field(default=(), examples=[["127.0.0.0/8", "10.0.0.0/8"]])
    """Networks or addresses of clients that may purge a URL by the method PURGE. With neither this nor
    `purge_token_file` that method goes to the upstream like any other."""
    purge_token_file: TokenPath | None = Field(default=None, examples=["/run/secrets/purge-token"])
    """Path of a file that holds a token of at least 16 characters; clients that show it, as
    `Authorization: Bearer`, may purge so from anywhere."""


def cache_alone(value: Any) -> Any:
    """The options of a route's cache; its name alone stands for all defaults."""
    return {"name": value} if isinstance(value, str) else value
