"""The middleware for WSGI applications (PEP 3333)."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from tidegate.probe.meter import PROBE_PATH, REPORT_FIELD, Began, Meter

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class Wsgi:
    """A WSGI application that answers probes and reports its load in each response."""

    def __init__(self, app: "WSGIApplication", path: str = PROBE_PATH, meter: Meter | None = None) -> None:
        self._app, self._path, self._meter = app, path, meter or Meter()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Serve one request, as WSGI has it."""
        if environ.get("PATH_INFO") == self._path:
            body = self._meter.answer()
            headers = [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
                ("Cache-Control", "no-store"),
            ]
            start_response("200 OK", headers)
            return [body]
        return self._serve(environ, start_response)

    def _serve(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        answer = _Answer(self._meter)

        def reporting(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            answer.status = int(status.partition(" ")[0])
            return start_response(status, [*headers, (REPORT_FIELD, self._meter.report())], *error)

        try:
            answer.parts = self._app(environ, reporting)
        except BaseException:
            answer.status = None
            answer.close()
            raise
        return answer


class _Answer:
    """An answer's parts; the request is in flight until the server closes it."""

    def __init__(self, meter: Meter) -> None:
        self.parts: Iterable[bytes] = ()
        self.status: int | None = None
        self._meter = meter
        self._began: Began | None = meter.begin()

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.parts)

    def close(self) -> None:
        """The server is done with the answer."""
        try:
            if close := getattr(self.parts, "close", None):
                close()
        finally:
            if self._began is not None:
                self._meter.end(self._began, self.status)
                self._began = None
