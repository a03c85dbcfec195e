"""Forward auth: a service is asked about each request."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tidegate.config.model.mark import Ref
from tidegate.config.model.options import Options
from tidegate.config.model.retry import Retry
from tidegate.config.model.text import FieldName, Name
from tidegate.config.model.unit import Timeout

CachePart = Annotated[str, Field(pattern=r"^(:method|:authority|:path|[!#$%&'*+.^_`|~0-9A-Za-z-]+)$")]
"""The name of a header field (RFC 9110 section 5.6.2), or of a part of the request as HTTP/2 names it."""


class ForwardAuth(Options):
    """Asks a service whether a request may go on, as ForwardAuth of Traefik, `auth_request` of nginx and
    HTTP `ext_authz` of Envoy do."""

    upstream: Annotated[Name, Ref("upstream")] = Field(examples=["authz"])
    """The upstream that is asked, by its balancing, health, timeouts and limits."""
    path: str = Field(default="/", pattern="^/", examples=["/check"])
    """Path of the question, with a query if it needs one."""
    append_target: bool = False
    """Whether the request's own path and query follow it, as services for Envoy expect."""
    method: Literal["get", "original"] = "get"
    """Method of the question: GET, or that of the request."""
    timeout: Timeout = 1_000
    """How long the whole question may take, its tries included."""
    retry: Retry = Retry()
    """When a try is repeated."""
    send_headers: tuple[FieldName, ...] | None = Field(default=None, examples=[["authorization", "cookie"]])
    """The request's header fields that the service gets; null: all but those that are about the content."""
    take_headers: tuple[FieldName, ...] = Field(default=(), examples=[["x-user"]])
    """Header fields of the answer that the request goes on with; clients cannot write them. They are the
    identity's claims."""
    subject: FieldName | None = Field(default=None, examples=["x-user"])
    """The header field of the answer that tells the identity's subject; null: it has none."""
    cache: Timeout | None = Field(default=None, examples=["5s"])
    """How long an answer that lets a request go on holds for others that are alike; null: each is asked
    about."""
    cache_by: tuple[CachePart, ...] = Field(default=(), examples=[["cookie", ":authority"]])
    """What requests are alike in: header fields, `:method`, `:authority` and `:path` (with its query). A
    request that has none of the fields is always asked about."""
    on_failure: Literal["deny", "allow"] = "deny"
    """What becomes of a request of which the service says nothing: it is refused with 503, or goes on."""

    @model_validator(mode="after")
    def _known_by_something(self) -> Self:
        if self.cache is not None and not self.cache_by:
            raise ValueError("expected cache_by beside cache: fields by which the service knows a request")
        if self.cache is None and self.cache_by:
            raise ValueError("expected cache beside cache_by: how long an answer holds")
        return self
