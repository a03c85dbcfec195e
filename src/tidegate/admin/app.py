"""The admin API as an ASGI application."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Security
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.security import HTTPBearer
from starlette.types import ASGIApp

from tidegate._engine import version
from tidegate.admin import problem
from tidegate.admin.credentials import Credentials
from tidegate.admin.guard import Guard
from tidegate.admin.reference import reference_page
from tidegate.admin.routers import (
    api_keys,
    authenticators,
    cache,
    caches,
    config,
    endpoints,
    events,
    explain,
    generations,
    health,
    listeners,
    log,
    metrics,
    models,
    rate_limits,
    revocations,
    routes,
    status,
    stores,
    upstreams,
    words,
)
from tidegate.ai.model_lifecycle import ModelLifecycle
from tidegate.auth.authentication import Authentication
from tidegate.control.gateway import Gateway

RESOURCES = (
    health,
    status,
    config,
    generations,
    listeners,
    routes,
    upstreams,
    models,
    endpoints,
    words,
    authenticators,
    rate_limits,
    api_keys,
    revocations,
    stores,
    caches,
    cache,
    explain,
    events,
    log,
    metrics,
)
OFFLINE = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}
DESCRIPTION = (
    "The running gateway as HTTP resources. Every change of the configuration becomes a numbered generation; "
    "what an operator says of an endpoint holds beside the configuration. "
    "Send the ETag of what you have read as If-Match: what changed in between is not overwritten (412)."
)


def create_app(gateway: Gateway, authentication: Authentication, model_lifecycle: ModelLifecycle) -> ASGIApp:
    """The admin API of `gateway`."""
    app = FastAPI(
        title="tidegate admin API",
        version=version(),
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        dependencies=[Security(HTTPBearer(auto_error=False))],
        responses={"4XX": {"description": "What is wrong", "model": problem.ProblemDocument}},
    )
    app.state.gateway, app.state.authentication, app.state.model_lifecycle = (
        gateway,
        authentication,
        model_lifecycle,
    )
    problem.add_handlers(app)
    for resource in RESOURCES:
        app.include_router(resource.router)
    app.openapi = _with_problem_type(app.openapi)  # type: ignore[method-assign]

    @app.get("/", include_in_schema=False)
    async def index() -> RedirectResponse:
        return RedirectResponse("/docs")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(reference_page(app.openapi()), headers=OFFLINE)

    return Guard(app, Credentials(gateway))


def _with_problem_type(generate: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """Name errors by their media type, which FastAPI takes to be the same as that of answers."""

    def openapi() -> dict[str, Any]:
        document = generate()
        for path in document["paths"].values():
            for operation in path.values():
                content = operation["responses"]["4XX"]["content"]
                if "application/json" in content:
                    content[problem.MEDIA_TYPE] = content.pop("application/json")
        return document

    return openapi
