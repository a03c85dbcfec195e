"""The engine: per-request work, in Rust, on threads of its own."""

from typing import Self, final

__all__ = [
    "Engine",
    "PlanError",
    "Prepared",
    "check_plan",
    "explain_route",
    "plan_schema",
    "route_table",
    "simulate",
    "version",
]

class PlanError(ValueError):
    """The plan cannot be served. `errors` holds `(path, message)` pairs, all of them at once;
    a path is like `listeners.0.tls.certificates.1.key`."""

    errors: list[tuple[str, str]]

@final
class Prepared:
    """A snapshot that is built, its new listeners bound, and that waits to be committed."""

    @property
    def diff(self) -> str:
        """What a commit would change, as JSON: for each of `listeners`, `routes` and `upstreams` the names
        that are `added`, `removed` and `changed`."""

@final
class Engine:
    """The data plane of this process. Any thread may call any method; none waits for a request."""

    def __new__(cls, workers: int, log_format: str = "text", log_filter: str = "info") -> Self:
        """Start `workers` worker threads, with nothing to serve yet.

        Raises ValueError if there are no workers, the format is neither `text` nor `json`, or the filter
        is malformed."""

    def prepare(self, plan: str) -> Prepared:
        """Build everything that `plan` (JSON) asks for and disturb nothing.

        Raises PlanError with every error."""

    def commit(self, prepared: Prepared) -> None:
        """Serve `prepared` from now on. What it did not change is not disturbed.

        Raises RuntimeError if another commit came between prepare and commit."""

    def metrics(self) -> str:
        """All metrics in the Prometheus text format 0.0.4."""

    def status(self) -> str:
        """Listeners, upstreams and endpoints as they are now, as JSON."""

    def endpoint_health(self, upstream: str, address: str) -> str | None:
        """How an endpoint came to be as it is, as JSON: `{"state", "healthy", "cause", "changes": [{"time",
        "from", "to", "cause"}]}`, the latest change first; None if there is no such endpoint."""

    def explain(self, request_id: str) -> str | None:
        """What became of a recent request, as JSON: its route and why, the tries with the candidates, the
        phases and what limits said; None if it is not remembered."""

    def outstanding(self, count: int) -> str:
        """The last `count` remembered requests that stood out, the latest first, as JSON: `[{"request_id",
        "time", "reason", "method", "path", "status", "error", "duration_ms"}]`."""

    def reopen_logs(self) -> None:
        """Open the access log's file anew, after it was renamed."""

    def set_log_filter(self, directives: str) -> None:
        """Change which of the engine's own log events are kept: `info,tidegate_proxy::listen=debug`.

        Raises ValueError on a malformed directive."""

    def drain(self, timeout_ms: int) -> bool:
        """Stop accepting, let connections finish for at most `timeout_ms`, then stop the workers.

        Waits without the GIL; True if everything finished in time."""

def check_plan(plan: str) -> list[tuple[str, str]]:
    """All errors of `plan` that can be found without starting anything, as `(path, message)` pairs."""

def explain_route(plan: str, request: str) -> str:
    """Which route takes a request, and why the nearer ones do not.

    `request` is JSON: `{"method", "scheme", "host", "path", "query", "headers": [[name, value]],
    "client": ip, "listener": name | null}`; the answer is JSON: `{"route": name | null,
    "captures": {name: text}, "considered": [{"route", "matched", "reason"}]}`."""

def route_table(plan: str) -> str:
    """The routes in order of precedence, as JSON: `[{"route", "hosts", "path", "conditions", "action"}]`."""

def simulate(scenario: str) -> str:
    """Run a scenario of `tidegate.sim` (JSON) to its end; the answer is the report, as JSON.

    Runs without the GIL; the same scenario gives the same report. Raises PlanError if it cannot be run."""

def plan_schema() -> str:
    """The JSON Schema of the plan, as the engine reads it."""

def version() -> str:
    """The engine's version."""
