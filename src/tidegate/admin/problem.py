"""Errors of the admin API: problem documents (RFC 9457), whatever went wrong."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from tidegate.ai.registry import RegistryError
from tidegate.auth.api_keys import TooManyApiKeysError
from tidegate.auth.revocations import TooManyRevocationsError
from tidegate.config.problem import ConfigError, Problem
from tidegate.control import logs
from tidegate.control.gateway import ConflictError, MissingError, StaleError
from tidegate.control.store import StoreError
from tidegate.control.words import TooManyWordsError

MEDIA_TYPE = "application/problem+json"
STATUSES = {
    StaleError: 412,
    MissingError: 404,
    ConflictError: 409,
    TooManyWordsError: 409,
    TooManyApiKeysError: 409,
    TooManyRevocationsError: 409,
    RegistryError: 409,
    StoreError: 500,
}

log = logs.Logger("tidegate.admin")


class ErrorView(BaseModel):
    """One mistake: the path of the option, what is wrong, and where it stands, as far as known."""

    path: str
    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None
    hint: str | None = None
    severity: str = "error"

    @classmethod
    def of(cls, problem: Problem) -> "ErrorView":
        """The view of a configuration's problem."""
        return cls(
            path=problem.path,
            message=problem.message,
            file=str(problem.file) if problem.file else None,
            line=problem.line,
            column=problem.column,
            hint=problem.hint,
            severity=problem.severity,
        )


class ProblemDocument(BaseModel):
    """A problem document (RFC 9457 §3); `errors` lists every single mistake."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[ErrorView] = []


def problem(
    status: int, detail: str, errors: Sequence[ErrorView] = (), headers: dict[str, str] | None = None
) -> JSONResponse:
    """An answer that is a problem document."""
    document = ProblemDocument(
        title=HTTPStatus(status).phrase, status=status, detail=detail, errors=list(errors)
    )
    return JSONResponse(document.model_dump(), status, headers, MEDIA_TYPE)


def add_handlers(app: FastAPI) -> None:
    """Answer every exception with a problem document."""
    app.exception_handler(ConfigError)(_refused)
    app.exception_handler(RequestValidationError)(_malformed)
    app.exception_handler(HTTPException)(_http)
    app.exception_handler(Exception)(_unforeseen)
    for kind, status in STATUSES.items():
        app.exception_handler(kind)(_answering(status))


def _answering(status: int) -> Any:
    async def answer(_: Request, error: Exception) -> JSONResponse:
        return problem(status, str(error))

    return answer


async def _refused(_: Request, error: ConfigError) -> JSONResponse:
    errors = [ErrorView.of(each) for each in error.problems]
    return problem(422, "The configuration is refused; the running one stays.", errors)


async def _malformed(_: Request, error: RequestValidationError) -> JSONResponse:
    errors = [ErrorView(path=_path(each["loc"]), message=each["msg"]) for each in error.errors()]
    return problem(422, "The request is not what this resource takes.", errors)


async def _http(_: Request, error: HTTPException) -> JSONResponse:
    return problem(error.status_code, str(error.detail), headers=dict(error.headers or {}))


async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    log.error("an admin request failed", method=request.method, path=request.url.path, exc_info=error)
    return problem(500, "The admin API failed; its log says more.")


def _path(location: Sequence[str | int]) -> str:
    """The option's path; the leading `body` or `query` says nothing where more follows."""
    return ".".join(str(part) for part in (location[1:] or location))
