"""The engine keeps what its stub promises: plans that cross as what changed, questions, values, events."""

import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import TypeAdapter, ValidationError

from tidegate.config.load import load_data
from tidegate.config.model.text import RpcPath
from tidegate.config.plan import build_plan
from tidegate.config.problem import ConfigError

native = pytest.importorskip("tidegate._engine")

ITEMS = ("listeners", "routes", "upstreams")
QUICK = 10_000
"""Milliseconds: far more than any event takes, so that a test waits for it and for nothing else."""


def plan(*endpoints: dict[str, Any], **upstream: Any) -> dict[str, Any]:
    """A plan with one route to `app`, which has these endpoints."""
    app = {"name": "app", "endpoints": list(endpoints), **upstream}
    routes = [{"name": "all", "match": {"path": {"prefix": "/"}}, "upstream": "app"}]
    return build_plan(load_data({"workers": 1, "routes": routes, "upstreams": [app]}, Path("/"))).data


def endpoint(port: int, **options: Any) -> dict[str, Any]:
    """An endpoint that no test connects to."""
    return {"address": f"127.0.0.1:{port}", **options}


def text(item: Any) -> bytes:
    return json.dumps(item).encode()


def digest(item: Any) -> str:
    return hashlib.sha256(text(item)).hexdigest()[:32]


class Engine:
    """An engine as its callers see it, in plain values."""

    def __init__(self) -> None:
        self.native = native.Engine(1, "text", "error")

    def serve(self, plan: dict[str, Any]) -> dict[str, Any]:
        prepared = self.native.prepare(text(plan))
        self.native.commit(prepared)
        diff: dict[str, Any] = json.loads(prepared.diff)
        return diff

    def ask(self, question: str, **about: Any) -> Any:
        return json.loads(self.native.ask(text({question: about})))

    def app(self) -> Any:
        return self.ask("status")["upstreams"][0]

    def endpoints(self) -> dict[str, Any]:
        return {each["address"]: each for each in self.app()["endpoints"]}

    def say(self, port: int, word: Any, upstream: str = "app") -> None:
        self.native.supply("endpoint", upstream, text({"address": f"127.0.0.1:{port}", "word": word}))

    def find(self, *ports: int, **options: Any) -> None:
        """Let a source find these endpoints."""
        found = plan(*(endpoint(port, **options) for port in ports))["upstreams"][0]["endpoints"]
        self.native.supply("endpoints", "app", text(found))

    def events(self) -> Any:
        return json.loads(self.native.wait(0))


@pytest.fixture
def engine() -> Iterator[Engine]:
    started = Engine()
    yield started
    started.native.drain(0)


def test_a_change_crosses_as_what_it_changes(engine: Engine) -> None:
    first = plan(endpoint(1))
    engine.serve(first)
    known = {**first, **{kind: [digest(item) for item in first[kind]] for kind in ITEMS}}
    assert engine.serve(known)["routes"] == {"added": [], "removed": [], "changed": []}
    changed = first["routes"][0] | {"timeout": 1_000}
    assert engine.serve({**known, "routes": [changed]})["routes"]["changed"] == ["all"]
    assert engine.serve({**known, "routes": [digest(changed)]})["routes"]["changed"] == []


def test_an_item_that_the_engine_does_not_have_is_asked_for(engine: Engine) -> None:
    first = plan(endpoint(1))
    engine.serve(first)
    other = digest(first["routes"][0] | {"timeout": 1_000})
    with pytest.raises(native.UnknownItemsError) as refused:
        engine.native.prepare(text({**first, "routes": [other]}))
    assert refused.value.digests == [other]


def test_what_is_wrong_with_an_item_is_told_with_its_place(engine: Engine) -> None:
    first = plan(endpoint(1))
    wrong = first["routes"][0] | {"timeout": "soon"}
    with pytest.raises(native.PlanError) as refused:
        engine.native.prepare(text({**first, "routes": [*first["routes"], wrong]}))
    assert [path for path, _ in refused.value.errors] == ["routes.1.timeout"]


@pytest.mark.parametrize(
    ("template", "wrong"),
    [
        ("users/{id}", "a template begins with `/`"),
        ("/users/{}", "`{}` is not a capture"),
        ("/users/{id}/{id}", "`id` is captured twice"),
        ("/{*rest}/x", "`{*name}` takes all that is left, so it stands last"),
    ],
)
def test_a_route_with_a_template_that_is_none_is_refused_with_what_is_wrong(
    engine: Engine, template: str, wrong: str
) -> None:
    first = plan(endpoint(1))
    route = first["routes"][0] | {"template": template}
    with pytest.raises(native.PlanError) as refused:
        engine.native.prepare(text({**first, "routes": [route]}))
    ((path, message),) = refused.value.errors
    assert path == "routes.0.template"
    assert wrong in message


def test_both_sides_take_the_same_paths_for_those_of_methods(engine: Engine) -> None:
    good = ["/shop.v1.Orders/Place", "/a/b", "/my-service/do_it~2", f"/a/{'m' * 253}"]
    bad = [
        "",
        "/",
        "/a",
        "/a/",
        "//b",
        "a/b",
        "/a/b/c",
        "/a/{m}",
        "/a/b?c",
        "/a/%62",
        "/a b/c",
        "/./b",
        "/a/..",
    ]
    bad += ["/café/b", f"/a/{'m' * 254}", "/a/b\n"]
    taken = TypeAdapter(RpcPath)
    first = plan(endpoint(1))
    for path in good:
        taken.validate_python(path)
    for path in bad:
        with pytest.raises(ValidationError):
            taken.validate_python(path)
    route = first["routes"][0] | {"grpc_methods": [*good, *bad]}
    with pytest.raises(native.PlanError) as refused:
        engine.native.prepare(text({**first, "routes": [route]}))
    places = [f"routes.0.grpc_methods.{number}" for number in range(len(good), len(good) + len(bad))]
    assert [path for path, _ in refused.value.errors] == places


def test_both_sides_refuse_early_data_of_clients_that_show_certificates_in_the_same_words(
    engine: Engine, tmp_path: Path
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = authority.issue_cert("localhost")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "c.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "k.pem")
    tls = {"certificates": [{"cert": "c.pem", "key": "k.pem"}], "client_auth": {"ca": "ca.pem"}}
    listener = {"name": "a", "address": "127.0.0.1:1", "protocols": ["http3"], "tls": tls}
    plan = build_plan(load_data({"workers": 1, "listeners": [listener]}, tmp_path)).data
    plan["listeners"][0]["http3"]["early_data"] = True
    with pytest.raises(native.PlanError) as refused:
        engine.native.prepare(text(plan))
    with pytest.raises(ConfigError) as wrong:
        load_data({"workers": 1, "listeners": [{**listener, "http3": {"early_data": True}}]}, tmp_path)
    assert refused.value.errors[0][1] in {problem.message for problem in wrong.value.problems}


def test_both_sides_take_as_many_methods(engine: Engine) -> None:
    first = plan(endpoint(1))
    for count in (100, 101):
        methods = [f"/a/m{number}" for number in range(count)]
        route = {"name": "all", "upstream": "app", "grpc_methods": methods}
        upstreams = [{"name": "app", "endpoints": ["127.0.0.1:1"]}]
        told = {"routes": [route], "upstreams": upstreams}
        prepared = text({**first, "routes": [first["routes"][0] | {"grpc_methods": methods}]})
        if count == 100:
            load_data(told, Path("/"))
            engine.native.prepare(prepared)
        else:
            with pytest.raises(ConfigError, match="100"):
                load_data(told, Path("/"))
            with pytest.raises(native.PlanError, match="100"):
                engine.native.prepare(prepared)


@pytest.mark.parametrize("question", [b"", b"[]", b'{"status": {}, "table": {}}', b'{"weather": {}}'])
def test_a_question_that_is_none_is_refused_with_those_that_there_are(
    engine: Engine, question: bytes
) -> None:
    with pytest.raises(ValueError, match="not a question"):
        engine.native.ask(question)
    with pytest.raises(ValueError, match="`status`, `endpoint_health`, `explain`, `outstanding`"):
        engine.native.ask(b'{"weather": {}}')
    with pytest.raises(ValueError, match="`check`, `route`"):
        native.inspect(text(plan()), b'{"weather": {}}')


def test_an_operators_word_holds_over_the_file_until_it_is_taken_back(engine: Engine) -> None:
    configured = plan(endpoint(1, weight=5), endpoint(2))
    engine.serve(configured)
    engine.say(1, {"duty": "maintenance", "weight": 2, "reason": "a new disk"})
    told = engine.endpoints()["127.0.0.1:1"]
    assert (told["state"], told["weight"], told["healthy"]) == ("maintenance", 2, False)
    assert told["cause"] == "maintenance: a new disk"
    assert told["word"] == {"duty": "maintenance", "weight": 2, "reason": "a new disk"}
    assert told["configured"] == {"weight": 5, "drain": False, "maintenance": None}
    assert engine.endpoints()["127.0.0.1:2"]["word"] is None
    # A commit that builds the upstream anew does not take it back.
    engine.serve(plan(endpoint(1, weight=7), endpoint(2)))
    told = engine.endpoints()["127.0.0.1:1"]
    assert (told["state"], told["weight"], told["configured"]["weight"]) == ("maintenance", 2, 7)
    engine.say(1, None)
    told = engine.endpoints()["127.0.0.1:1"]
    assert (told["state"], told["weight"], told["word"]) == ("healthy", 7, None)


def test_a_word_of_serving_holds_over_a_file_that_drains(engine: Engine) -> None:
    engine.serve(plan(endpoint(1, drain=True)))
    assert not engine.endpoints()["127.0.0.1:1"]["healthy"]
    engine.say(1, {"duty": "serving"})
    assert engine.endpoints()["127.0.0.1:1"]["healthy"]


def test_a_word_may_come_first_and_outlives_what_it_is_about(engine: Engine) -> None:
    word = {"duty": "draining"}
    engine.say(1, word)
    absent = {"upstream": "app", "endpoints": [{"address": "127.0.0.1:1", "word": word}]}
    assert engine.ask("status")["absent"] == [absent]
    engine.serve(plan(endpoint(2)))
    assert engine.ask("status")["absent"] == []
    assert engine.app()["absent"] == [{"address": "127.0.0.1:1", "word": word}]
    engine.serve(plan(endpoint(1), endpoint(2)))
    assert engine.app()["absent"] == []
    assert engine.endpoints()["127.0.0.1:1"]["state"] == "draining"


def test_a_word_that_comes_between_prepare_and_commit_holds(engine: Engine) -> None:
    engine.serve(plan(endpoint(1)))
    prepared = engine.native.prepare(text(plan(endpoint(1), endpoint(2))))
    engine.say(1, {"duty": "draining"})
    engine.find(3)
    engine.native.commit(prepared)
    states = {address: each["state"] for address, each in engine.endpoints().items()}
    assert states == {"127.0.0.1:1": "draining", "127.0.0.1:2": "healthy", "127.0.0.1:3": "healthy"}


@pytest.mark.parametrize("policy", ["ring_hash", "maglev", "rendezvous", "round_robin"])
def test_a_weight_can_be_told_under_every_kind_of_policy(engine: Engine, policy: str) -> None:
    balance: dict[str, Any] = {"policy": policy}
    if policy != "round_robin":
        balance["hash"] = {"path": True}
    engine.serve(plan(endpoint(1), endpoint(2), balance=balance))
    engine.say(2, {"weight": 9})
    assert [each["weight"] for each in engine.endpoints().values()] == [1, 9]


def test_a_sources_endpoints_join_the_files_own(engine: Engine) -> None:
    engine.serve(plan(endpoint(1, weight=5)))
    engine.find(1, 2, 3, weight=2)
    weights = {address: each["weight"] for address, each in engine.endpoints().items()}
    assert weights == {"127.0.0.1:1": 5, "127.0.0.1:2": 2, "127.0.0.1:3": 2}
    assert engine.endpoints()["127.0.0.1:2"]["configured"] is None
    engine.find(3)
    assert engine.endpoints().keys() == {"127.0.0.1:1", "127.0.0.1:3"}
    engine.serve(plan())
    assert engine.endpoints().keys() == {"127.0.0.1:3"}
    engine.find()
    assert engine.endpoints() == {}


@pytest.mark.parametrize(
    ("kind", "value", "wrong"),
    [
        ("endpoint", {"address": "127.0.0.1:1", "word": {}}, "says `duty` or `weight`"),
        ("endpoint", {"address": "127.0.0.1:1", "word": {"duty": "gone"}}, "`draining`"),
        ("endpoint", {"address": "nowhere", "word": {"weight": 1}}, "is not an address"),
        ("endpoint", {"word": None}, "missing field `address`"),
        ("endpoints", [{"address": "127.0.0.1:1"}], "missing field"),
        ("endpoints", {}, "invalid type"),
        ("weather", {}, "expected `api_key`, `endpoint`, `endpoints`, `fresh_bucket`"),
        ("log", {}, "expected `filter` or `reopen`"),
    ],
)
def test_a_bad_live_value_is_refused_at_once(engine: Engine, kind: str, value: Any, wrong: str) -> None:
    engine.serve(plan(endpoint(1)))
    before = engine.app()["endpoints"][0]["weight"]
    with pytest.raises(ValueError, match=wrong):
        engine.native.supply(kind, "app", text(value))
    assert engine.app()["endpoints"][0]["weight"] == before


def test_words_and_changes_of_health_are_events(engine: Engine) -> None:
    engine.serve(plan(endpoint(1)))
    engine.say(1, {"duty": "draining", "reason": "a new disk"})
    engine.say(9, {"weight": 2})
    changed, told, absent = (dict(event) for event in engine.events())
    assert changed.pop("time") <= told.pop("time") <= absent.pop("time")
    about = {"upstream": "app", "endpoint": "127.0.0.1:1"}
    states = {"from": "healthy", "to": "draining", "cause": "the operator lets it drain"}
    assert changed == {"kind": "health_changed", **about, **states}
    word = {"duty": "draining", "reason": "a new disk"}
    assert told == {"kind": "word_applied", **about, "word": word, "present": True}
    assert (absent["endpoint"], absent["present"]) == ("127.0.0.1:9", False)
    assert engine.events() == []


def test_a_wait_ends_with_an_event_and_for_good_with_the_drain(engine: Engine) -> None:
    engine.serve(plan(endpoint(1)))
    taken: list[Any] = []

    def take() -> None:
        while (events := json.loads(engine.native.wait(QUICK))) is not None:
            taken.extend(events)

    taker = threading.Thread(target=take)
    taker.start()
    engine.say(1, {"duty": "draining"})
    engine.native.drain(0)
    taker.join(QUICK / 1_000)
    assert not taker.is_alive()
    assert [event["kind"] for event in taken] == ["health_changed", "word_applied"]
