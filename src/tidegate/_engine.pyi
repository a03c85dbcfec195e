"""The engine: per-request work, in Rust, on threads of its own.

What crosses this border is JSON in UTF-8, handles and plain values; there are fourteen calls.
"""

from typing import Self, final

__all__ = [
    "Engine",
    "PlanError",
    "Prepared",
    "UnknownItemsError",
    "feature_schema",
    "inspect",
    "plan_schema",
    "score_model",
    "simulate",
    "version",
]

class PlanError(ValueError):
    """The plan cannot be served. `errors` holds `(path, message)` pairs, all of them at once;
    a path is like `listeners.0.tls.certificates.1.key`."""

    errors: list[tuple[str, str]]

class UnknownItemsError(ValueError):
    """The plan names items by `digests` that the engine does not have: they must be sent themselves."""

    digests: list[str]

@final
class Prepared:
    """A snapshot that is built, its new listeners bound, and that waits to be committed."""

    @property
    def diff(self) -> str:
        """What a commit would change, as JSON: for each of `listeners`, `routes`, `upstreams`,
        `rate_limits`, `authenticators`, `stores` and `caches` the names that are `added`, `removed` and
        `changed`."""

@final
class Engine:
    """The data plane of this process. Any thread may call any method; none waits for a request."""

    def __new__(cls, workers: int, log_format: str = "text", log_filter: str = "info") -> Self:
        """Start `workers` worker threads, with nothing to serve yet.

        Raises ValueError if there are no workers, the format is neither `text` nor `json`, or the filter
        is malformed."""

    def prepare(self, plan: bytes) -> Prepared:
        """Build everything that `plan` asks for and disturb nothing.

        The plan is of the shape that `plan_schema` describes, except that in the place of an item of
        `listeners`, `routes`, `upstreams`, `rate_limits`, `authenticators`, `stores` or `caches` may stand
        the item's digest: the first 32 hexadecimal digits of the SHA-256 of the very text that the item had
        in an earlier plan. The engine has every item of the plan that is served and of those that are
        prepared.

        Raises UnknownItemsError if there is no such item, and PlanError with every error."""

    def commit(self, prepared: Prepared) -> None:
        """Serve `prepared` from now on. What it did not change is not disturbed.

        Raises RuntimeError if another commit came between prepare and commit."""

    def supply(self, kind: str, name: str, value: bytes) -> None:
        """Put a live value into force at once. It survives every commit. These there are:

        - kind `api_key`, name of an authenticator: a list of API keys, each as a file has it, which it
          believes beside those of its file. It takes the place of the list before it;
        - kind `endpoint`, name of an upstream: an operator's word on one of its endpoints:
          `{"address", "word": {"duty": "serving" | "draining" | "maintenance", "weight", "reason"} | null}`.
          Of the word's keys each may be left out, but not both `duty` and `weight`. It takes the place of the
          word before it, null takes it back. It holds over the file, whether the endpoint is there or not;
          65,536 are kept;
        - kind `endpoints`, name of an upstream: the endpoints that a source found, as a plan has them. They
          join the file's own, which hold where an address is in both; an empty list takes them back;
        - kind `fresh_bucket`, name of a rate limit: what the parts of a key are, each a text or null where
          requests lack it; what the key has spent is forgotten;
        - kind `geoip`, name `country` or `asn`: a database in the MaxMind DB format that tells it;
          an empty value takes it back;
        - kind `keys`, name of an authenticator: the keys of its identity provider, and where and when they
          were fetched, in seconds since 1970: `{"source": issuer or URL, "fetched", "jwks"}`. They hold where
          the authenticator's keys are from that source;
        - kind `log`, name `filter`: which of the engine's own log events are kept, as directives:
          `info,tidegate_proxy::listen=debug`;
        - kind `log`, name `reopen`: nothing; the access log's file is opened anew, after it was renamed;
        - kind `model`, name `name@digest`, the digest whole: a model that upstreams may name: a tar (POSIX
          ustar) of `manifest.json`, `golden.f32` and `model.trees` or `model.onnx`, in this order. It is
          checked here, which may take a second; an empty value takes it back; 64 are kept;
        - kind `purge`, name of a cache, empty for all caches: stored responses that are not to be used any
          more: one of `{"url"}`, `{"key"}`, `{"tag"}`, `{"prefix"}`, `{"host"}` and `{"all": true}`, with
          `"soft"`: whether they are kept and stale from now on. It is true for responses that are being
          stored too, and for every worker when the call returns;
        - kind `quic_secret`, without a name: 32 bytes that the keys of listeners with HTTP/3 are made of.
          Where none is supplied before the first of them is prepared, the engine has one of its own;
        - kind `revocations`, name of an authenticator: all tokens that it is not to believe, until then, in
          seconds since 1970: `[{"revoked": "token" | "subject" | "session", "name", "until"}]`; at most
          100,000.

        Raises ValueError on a bad value, kind or name; nothing has changed then."""

    def ask(self, question: bytes) -> bytes:
        """The answer to a question, which is an object with one key. These there are:

        - `{"status": {}}`: listeners, upstreams and endpoints as they are now. An endpoint has the operator's
          `word`, and what the file says of it as `configured`: `{"weight", "drain", "maintenance"}`, null if
          a source found it. Words on what is not there are in `absent`, of an upstream
          (`[{"address", "word"}]`) and of the whole (`[{"upstream", "endpoints"}]`);
        - `{"endpoint_health": {"upstream": name, "address": address}}`: how an endpoint came to be as it is:
          `{"state", "healthy", "cause", "changes": [{"time", "from", "to", "cause"}]}`, the latest change
          first; null if there is no such endpoint;
        - `{"explain": {"request_id": id}}`: what became of a recent request: its route and why, the tries
          with the candidates, the phases and what limits said; null if it is not remembered;
        - `{"outstanding": {"count": number}}`: the last remembered requests that stood out, the latest first:
          `[{"request_id", "time", "reason", "method", "path", "status", "error", "duration_ms"}]`;
        - `{"authenticators": {}}`: `[{"name", "kind", "keys"}]`; keys that were fetched are
          `{"age_seconds", "kids", "unusable": [{"kid", "reason"}]}`;
        - `{"check_token": {"route": name, "token": text}}`: what would be decided of a request with this
          token, and why: `{"status", "reason", "asked": [{"authenticator", "result", "reason"}], "subject",
          "claims"}`, where the status is null if the request would be let go; null if there is no such route;
        - `{"rate_limits": {}}`: `[{"name", "keys", "waiting", "evictions"}]`, as the metrics of these names;
        - `{"rate_limit_key": {"limit": name, "parts": [text | null]}}`: what a key has left, by window:
          `[{"window", "left", "full_in_seconds"}]`; null if there is no such limit;
        - `{"rate_limit_top": {"limit": name, "count": number}}`: its keys with the most requests:
          `[{"parts": [text | null], "requests", "at_most_too_many"}]`; null if there is no such limit;
        - `{"stores": {}}`: `[{"name", "up", "cause", "for_seconds", "gateways", "rate_limits"}]`: whether
          each answers, why not (else null), and the names of the limits that are shared through it;
        - `{"caches": {}}`: `[{"name", "memory_bytes", "used_bytes", "filling_bytes", "objects", "fills",
          "disk"}]`: bytes that a cache may use, that stored responses use and that are being filled, how many
          are stored and how many are being filled, and of its disk `{"path", "size_bytes", "used_bytes",
          "objects"}`, or null;
        - `{"cache_entries": {"url": text, "cache": name | null}}`: what is stored of a URL, in one cache or
          all: `[{"cache", "key", "url", "vary": {field: value}, "status", "bytes", "held_bytes",
          "age_seconds", "ttl_seconds", "freshness_by", "tags", "tier", "hits", "soft_purged"}]`;
        - `{"route": request}` and `{"table": {}}`, as `inspect` answers them, of what is served.

        Raises ValueError, which lists the known questions, on any other."""

    def wait(self, timeout_ms: int) -> bytes:
        """Wait without the GIL for events: a list, the oldest first; `[]` if none comes in time.

        Every event has `time`, in seconds since 1970, and `kind`:

        - `health_changed`: `upstream`, `endpoint`, the states `from` and `to`, `cause`;
        - `panic_mode`: of which `upstream`, and whether it is `active` now: too few endpoints are well, so
          requests go to all that serve;
        - `store_changed`: of which `store`, whether it is `up` now, and the `cause` where it is not;
        - `word_applied`: `upstream`, `endpoint`, the `word` or null, and whether it is `present`;
        - `model_fallback`: `upstream`, `model`, `reason` (`skill`, `drift`, `budget`, `outcome` or
          `not_finite`): the model is not asked any more until it is supplied anew or used otherwise;
        - `samples`: requests of an `upstream`, for models to learn from: `features`, the schema's name, and
          `rows`: `[[time, cost in seconds, requests that it stands for, *features]]`; once a second at most,
          and 1,000 rows of all upstreams together;
        - `unknown_key`: `authenticator`, `kid`: a token names a key that is not there;
        - `task_panicked`: `thread` (a worker's number, `health`, `long-work` or `stores`), `message`,
          `place`; what it did for one connection ends;
        - `thread_restarted`: `thread`, `message`; all of its connections end;
        - `events_lost`: `count`: so many came after these and did not fit.

        An event is given once. After `drain` the answer is null once the last has been given."""

    def metrics(self) -> str:
        """All metrics in the Prometheus text format 0.0.4."""

    def drain(self, timeout_ms: int) -> bool:
        """Stop accepting, let connections finish for at most `timeout_ms`, then stop the workers.

        Waits without the GIL; True if everything finished in time."""

def inspect(plan: bytes, question: bytes) -> bytes:
    """The answer to a question about a plan that is not served; the question is an object with one key:

    - `{"check": {}}`: all errors that can be found without starting anything: `[[path, message]]`;
    - `{"route": {"method", "scheme", "host", "path", "query", "headers": [[name, value]],
      "listener": name | null}}`: which route takes a request, why the nearer ones do not, what that route
      does, and the `host` and `path` that an endpoint gets or the `location` that a redirect leads to:
      `{"route": name | null, "action", "captures": {name: text}, "considered": [{"route", "matched",
      "reason"}], "host", "path", "location"}`;
    - `{"table": {}}`: the routes in order of precedence:
      `[{"route", "hosts", "path", "conditions", "action"}]`.

    Runs without the GIL. Raises PlanError if the plan does not allow for an answer, and ValueError if the
    question is none."""

def simulate(kind: str, scenario: str) -> str:
    """Run a scenario (JSON) to its end; the answer is the report, as JSON. What it is of, is its `kind`:

    - `balancing`: a scenario of `tidegate.sim.scenario`;
    - `cache`: one of `tidegate.sim.cache.scenario`.

    Runs without the GIL; the same scenario gives the same report. Raises PlanError if it cannot be run, and
    ValueError if there is no such kind."""

def feature_schema() -> str:
    """What models are told of a request, as JSON: the schema's `name`, its `hash` (the SHA-256 of the names,
    with line feeds between them), and its `features` in order: `[{"name", "meaning"}]`."""

def score_model(tar: bytes, rows: bytes) -> bytes:
    """The answers of a model, which is a tar as `supply` takes it, to `rows`: float32, little-endian, all
    features of a request in each row; and an answer of each, of the same kind.

    Runs without the GIL. Raises ValueError if the model is refused, and why, and if a row is not whole."""

def plan_schema() -> str:
    """The JSON Schema of the plan, as the engine reads it."""

def version() -> str:
    """The engine's version."""
