"""An engine that follows the stub and serves nothing; a stand-in where the native module is not built."""

import hashlib
import importlib
import importlib.util
import json
import queue
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, cast

KINDS = ("listeners", "routes", "upstreams", "rate_limits", "authenticators", "stores", "caches")


ENTRY = {
    "key": "0123456789abcdef0123456789abcdef",
    "vary": {"accept-encoding": "gzip"},
    "status": 200,
    "bytes": 4096,
    "held_bytes": 4096,
    "age_seconds": 61.5,
    "ttl_seconds": 300.0,
    "freshness_by": "max-age",
    "tags": ["a1"],
    "tier": "memory",
    "hits": 7,
    "soft_purged": False,
}
"""A stored response."""


class PlanError(ValueError):
    """As the native one."""

    errors: list[tuple[str, str]]


class UnknownItemsError(ValueError):
    """As the native one."""

    digests: list[str]


class FakePrepared:
    """A plan that waits to be committed."""

    def __init__(self, plan: dict[str, Any], served: dict[str, Any]) -> None:
        self.plan = plan
        self.diff = json.dumps({kind: _names(served.get(kind, []), plan.get(kind, [])) for kind in KINDS})


class FakeEngine:
    """Remembers what was committed; `errors` are what the next plans are refused with."""

    def __init__(self, workers: int, log_format: str = "text", log_filter: str = "info") -> None:
        self.workers = workers
        self.served: dict[str, Any] = {}
        self.commits = 0
        self.errors: list[tuple[str, str]] = []
        self.sent_whole: list[str] = []
        """Names of what the last plan held as a whole, not as a digest."""
        self.log_filter = log_filter
        self.reopened = 0
        self.drained_ms: list[int] = []
        self.words: dict[tuple[str, str], dict[str, Any]] = {}
        """The operator's words on endpoints, by upstream and address."""
        self.databases: dict[str, bytes] = {}
        """Of where addresses are."""
        self.api_keys: dict[str, list[dict[str, Any]]] = {}
        """Those beside files, by authenticator."""
        self.keys: dict[str, Any] = {}
        """What authenticators' keys were supplied as."""
        self.revocations: dict[str, Any] = {}
        """The revocations of authenticators."""
        self.learnt: dict[str, Any] = {}
        """What is learnt of the costs of upstreams' requests."""
        self.quic_secret: bytes | None = None
        """What the keys of QUIC are made of."""
        self.fleet: dict[str, Any] | None = None
        """How the gateways share the purges of each cache."""
        self.purges: list[tuple[str, dict[str, Any]]] = []
        """The caches that were purged, and of what."""
        self.models: dict[str, bytes] = {}
        """Archives, by name and digest."""
        self.standing: dict[str, Any] = {}
        """What has been seen of models."""
        self.told: queue.SimpleQueue[list[dict[str, Any]] | None] = queue.SimpleQueue()
        """What `wait` gives."""

    def prepare(self, plan: bytes) -> FakePrepared:
        if self.errors:
            error = importlib.import_module("tidegate._engine").PlanError("the plan cannot be served")
            error.errors = self.errors
            raise error
        return FakePrepared(self._whole(json.loads(plan)), self.served)

    def _whole(self, plan: dict[str, Any]) -> dict[str, Any]:
        """The plan with the items that are served in the place of their digests."""
        had = {_digest(each): each for kind in KINDS for each in self.served.get(kind, [])}
        digests = [each for kind in KINDS for each in plan.get(kind, []) if isinstance(each, str)]
        if unknown := [digest for digest in digests if digest not in had]:
            error = importlib.import_module("tidegate._engine").UnknownItemsError("there are no such items")
            error.digests = unknown
            raise error
        self.sent_whole = [
            each["name"] for kind in KINDS for each in plan.get(kind, []) if each not in digests
        ]
        items = {
            kind: [had.get(each, each) if isinstance(each, str) else each for each in plan[kind]]
            for kind in KINDS
            if kind in plan
        }
        return {**plan, **items}

    def commit(self, prepared: FakePrepared) -> None:
        self.served = prepared.plan
        self.commits += 1

    def metrics(self) -> str:
        return "# HELP tidegate_fake Of the fake.\n# TYPE tidegate_fake gauge\ntidegate_fake 1\n"

    def ask(self, question: bytes) -> bytes:
        ((kind, about),) = json.loads(question).items()
        answers: dict[str, Callable[..., Any]] = {
            "status": self._status,
            "endpoint_health": self._endpoint_health,
            "explain": lambda request_id: None,
            "outstanding": lambda count: [],
            "table": lambda: _table(self.served),
            "authenticators": lambda: [
                {"name": each["name"], "kind": "api_key"} for each in self.served["authenticators"]
            ],
            "check_token": self._check_token,
            "rate_limits": lambda: [{"name": each["name"]} for each in self.served["rate_limits"]],
            "learnt": lambda: [
                {"upstream": upstream, "learnt": learnt} for upstream, learnt in self.learnt.items()
            ],
            "stores": lambda: [{"name": each["name"]} for each in self.served["stores"]],
            "caches": lambda: [
                {"name": each["name"], "purges": self.fleet} for each in self.served["caches"]
            ],
            "cache_entries": self._cache_entries,
            "route": lambda **request: _route(self.served, request),
        }
        return json.dumps(answers[kind](**about)).encode()

    def _check_token(self, route: str, token: str) -> Any:
        if all(each["name"] != route for each in self.served["routes"]):
            return None
        asked = [{"authenticator": "users", "result": "expired", "reason": "its time is over"}]
        refused = {"status": 401, "reason": "its time is over", "asked": asked}
        return {**refused, "subject": None, "claims": None}

    def _status(self) -> Any:
        listeners = [
            {"name": each["name"], "address": each["address"]} for each in self.served.get("listeners", [])
        ]
        upstreams = [
            {
                "name": each["name"],
                "panic_mode": False,
                "prediction": self._prediction(each),
                "endpoints": [
                    {**endpoint, **self._word(each["name"], endpoint["address"]), "healthy": True}
                    for endpoint in each["endpoints"]
                ],
            }
            for each in self.served.get("upstreams", [])
        ]
        return {"listeners": listeners, "upstreams": upstreams}

    def _prediction(self, upstream: dict[str, Any]) -> Any:
        if (use := upstream["predict"]["model"]) is None:
            return None
        given = use["name"] in self.models
        seen = {"state": "shadow" if given else "absent", "reason": None, "skill": 0.0, "predictions": 0}
        return {"model": {**use, **seen, **self.standing}, "samples": {"taken": 5, "dropped": 1}}

    def _word(self, upstream: str, address: str) -> dict[str, Any]:
        word = self.words.get((upstream, address), {})
        return {option: value for option, value in word.items() if option == "weight"}

    def _endpoint_health(self, upstream: str, address: str) -> Any:
        for each in self.served.get("upstreams", []):
            if each["name"] == upstream and any(e["address"] == address for e in each["endpoints"]):
                change = {"time": 0.5, "from": "healthy", "to": "healthy", "cause": "added"}
                return {"state": "healthy", "healthy": True, "cause": "added", "changes": [change]}
        return None

    def _cache_entries(self, url: str, cache: str | None) -> Any:
        if url.endswith("://"):
            raise ValueError("the URL has no host")
        return [
            {**ENTRY, "cache": name["name"], "url": url}
            for name in self.served["caches"]
            if cache in (None, name["name"])
        ]

    def _purge(self, cache: str, of: dict[str, Any]) -> None:
        if of.get("key") == "short":
            raise ValueError("a key is 32 hexadecimal digits")
        self.purges.append((cache, of))

    def _supply_log(self, name: str, value: bytes) -> None:
        if name == "reopen":
            self.reopened += 1
        elif b" " in value:
            raise ValueError("a directive has no spaces")
        else:
            self.log_filter = value.decode()

    def _supply_keys(self, authenticator: str, keys: dict[str, Any]) -> None:
        if not keys["jwks"].get("keys"):
            raise ValueError("the key set has no key to verify with")
        self.keys[authenticator] = keys

    def _supply_word(self, upstream: str, told: dict[str, Any]) -> None:
        if told["word"] is None:
            del self.words[upstream, told["address"]]
        elif told["word"].get("weight", 0) > 1000:
            raise ValueError("a weight is at most 1000")
        else:
            self.words[upstream, told["address"]] = told["word"]

    def _supply_model(self, name: str, archive: bytes) -> None:
        if b"not what it says" in archive:
            raise ValueError("it misses its golden vectors")
        if archive:
            self.models[name] = archive
        else:
            del self.models[name]

    def supply(self, kind: str, name: str, value: bytes) -> None:
        match kind, name:
            case (("api_key" | "revocations"), _):
                of_authenticators = self.api_keys if kind == "api_key" else self.revocations
                of_authenticators[name] = json.loads(value)
            case "log", _:
                self._supply_log(name, value)
            case "endpoint", upstream:
                self._supply_word(upstream, json.loads(value))
            case "geoip", kind:
                if value.startswith(b"<html>"):
                    raise ValueError("it is no whole MaxMind database")
                self.databases[kind] = value
            case "keys", authenticator:
                self._supply_keys(authenticator, json.loads(value))
            case "learnt", upstream:
                self._supply_learnt(upstream, json.loads(value))
            case "model", _:
                self._supply_model(name, value)
            case "purge", cache:
                self._purge(cache, json.loads(value))
            case "quic_secret", _:
                self.quic_secret = value
            case _:
                raise ValueError(f"there is no live value {kind} {name}")

    def _supply_learnt(self, upstream: str, learnt: dict[str, Any]) -> None:
        if learnt["version"] != 1:
            raise ValueError(f"it is of version {learnt['version']}, and this release reads 1")
        self.learnt[upstream] = learnt

    def wait(self, timeout_ms: int) -> bytes:
        try:
            return json.dumps(self.told.get(timeout=timeout_ms / 1000)).encode()
        except queue.Empty:
            return b"[]"

    def drain(self, timeout_ms: int) -> bool:
        self.drained_ms.append(timeout_ms)
        self.told.put(None)
        return True


def _digest(item: dict[str, Any]) -> str:
    """What the engine calls an item: the digest of its very text."""
    return hashlib.sha256(json.dumps(item, separators=(",", ":")).encode()).hexdigest()[:32]


def _names(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> dict[str, list[str]]:
    before, after = ({each["name"]: each for each in side} for side in (old, new))
    return {
        "added": [name for name in after if name not in before],
        "removed": [name for name in before if name not in after],
        "changed": [name for name in after if name in before and before[name] != after[name]],
    }


def install_native_stand_in() -> None:
    """Make `tidegate._engine` importable where it is not built."""
    if importlib.util.find_spec("tidegate._engine") is not None:
        return
    module = cast(Any, ModuleType("tidegate._engine"))
    module.__spec__ = importlib.util.spec_from_loader("tidegate._engine", loader=None)
    module.PlanError, module.Engine, module.Prepared = PlanError, FakeEngine, FakePrepared
    module.UnknownItemsError = UnknownItemsError
    module.version = lambda: "0.0.0"
    module.inspect = _inspect
    module.plan_schema = lambda: "{}"
    module.score_model = lambda archive, rows: b""
    sys.modules["tidegate._engine"] = module


def _inspect(plan: bytes, question: bytes) -> bytes:
    ((kind, about),) = json.loads(question).items()
    read = json.loads(plan)
    answers: dict[str, Any] = {"check": [], "table": _table(read)}
    if kind == "route":
        return json.dumps(_route(read, about)).encode()
    return json.dumps(answers[kind]).encode()


def _table(plan: dict[str, Any]) -> Any:
    return [
        {"route": route["name"], "hosts": [], "path": "", "conditions": [], "action": route["upstream"] or ""}
        for route in plan["routes"]
    ]


def _route(plan: dict[str, Any], request: dict[str, Any]) -> Any:
    path = request["path"]
    nothing = dict.fromkeys(("route", "action", "host", "path", "location"))
    for route in plan["routes"]:
        if path.startswith((route["match"]["path"] or {}).get("prefix") or "/"):
            considered = [{"route": route["name"], "matched": True, "reason": None}]
            taken = {"route": route["name"], "action": f"upstream {route['upstream']}", "path": path}
            return {**nothing, **taken, "captures": {}, "considered": considered}
    return {**nothing, "captures": {}, "considered": []}
