"""What is let in to the admin API, before anything of a request is looked at more closely.

- A token, where one is set, has to be shown (RFC 6750), except to ask for health, which orchestrators do.
- Without a token and without TLS client certificates, whoever reaches the loopback address is trusted. A web
  page in the operator's browser reaches it too, so a request has to name a loopback host (against DNS
  rebinding), and one that changes something must not come from another origin and must carry JSON (against
  cross-site request forgery) or, for a model, an archive.
- A body is read as a whole, of bounded size and in bounded time: what follows never waits for a client.
"""

import asyncio
import hmac
import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tidegate.admin.credentials import Credentials
from tidegate.admin.problem import problem

BODY_BYTES = 16 * 1024 * 1024
BODY_SECONDS = 30
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN_PATHS = frozenset({"/v1/health", "/v1/health/live", "/v1/health/ready"})
JSON_TYPES = frozenset({"application/json", "application/merge-patch+json"})
OTHER_TYPES = {"/v1/models": frozenset({"application/x-tar"})}
"""What bodies may be elsewhere than in JSON; no form of a web page sends that."""


class RefusedError(Exception):
    """The request is not let in."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers


class Guard:
    """The ASGI middleware around the whole API."""

    def __init__(self, app: ASGIApp, credentials: Credentials) -> None:
        self.app = app
        self.credentials = credentials

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            self._check_client(scope["path"], headers)
            if scope["method"] not in SAFE_METHODS:
                _check_origin(headers)
            body = await _whole_body(headers, receive)
            if body and scope["method"] not in SAFE_METHODS:
                _check_type(scope["path"], headers)
        except RefusedError as refused:
            answer = problem(refused.status, str(refused), headers=refused.headers)
            await answer(scope, receive, send)
            return
        await self.app(scope, _replay(body, receive), send)

    def _check_client(self, path: str, headers: Headers) -> None:
        if self.credentials.token is not None:
            if path not in OPEN_PATHS and not self._shows_token(headers):
                raise RefusedError(
                    401,
                    "A token is needed: send `Authorization: Bearer …`.",
                    {"WWW-Authenticate": 'Bearer realm="tidegate"'},
                )
        elif not self.credentials.client_certificates and not _names_loopback(headers.get("host", "")):
            raise RefusedError(
                403,
                "Without a token, only requests for localhost, 127.0.0.1 or [::1] are answered (Host field).",
            )

    def _shows_token(self, headers: Headers) -> bool:
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        expected = (self.credentials.token or "").encode()
        return scheme.lower() == "bearer" and hmac.compare_digest(shown.strip().encode(), expected)


def _names_loopback(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname
        return name == "localhost" or (name is not None and ipaddress.ip_address(name).is_loopback)
    except ValueError:
        return False


def _check_origin(headers: Headers) -> None:
    """A browser names the page's origin when it writes; programs do not."""
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2] != headers.get("host"):
        raise RefusedError(403, "Changes from pages of another origin are refused.")


def _check_type(path: str, headers: Headers) -> None:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    expected = OTHER_TYPES.get(path, JSON_TYPES)
    if media_type not in expected:
        raise RefusedError(415, f"The body must be one of {', '.join(sorted(expected))}.")


async def _whole_body(headers: Headers, receive: Receive) -> bytes:
    too_large = RefusedError(413, f"A body may have {BODY_BYTES} bytes.", {"Connection": "close"})
    if int(headers.get("content-length", "0")) > BODY_BYTES:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            more = True
            while more:
                message = await receive()
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > BODY_BYTES:
                    raise too_large
    except TimeoutError:
        raise RefusedError(408, "The body did not arrive in time.", {"Connection": "close"}) from None
    return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Hand the body over once; after that only the client's disconnection is left to be told."""
    handed_over = False

    async def replayed() -> Message:
        nonlocal handed_over
        if handed_over:
            return await receive()
        handed_over = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
