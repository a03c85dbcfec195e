"""Every mistake, at once, with its place and what to do."""
# ruff: noqa: E501  (a mistake a line is read more easily)

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.config.conftest import Find, Write
from tidegate.config.default import default_config
from tidegate.config.load import Loaded, load_data, load_file
from tidegate.config.problem import ConfigError, Problem

Mistake = tuple[str, int, str, str, str | None]
"""A text, and what is told of it: column, option, message, hint."""

MISTAKES: list[Mistake] = [
    ("routs: []", 1, "routs", "unknown option", "did you mean routes?"),
    ("admin: {adress: x}", 9, "admin.adress", "unknown option", "did you mean address?"),
    ("listeners: [{name: a}]", 13, "listeners.0.address", "is required", None),
    ("listeners: {}", 12, "listeners", "expected a list; found a mapping", None),
    ("routes: [{name: a, respond: {}, match: {hosts: x.y}}]", 48, "routes.0.match.hosts", "expected a list", "write [x.y]"),
    ("name: 12", 7, "name", "expected text; found 12", "put it in quotes"),
    ("admin: {enabled: maybe}", 18, "admin.enabled", "expected true or false; found 'maybe'", None),
    ("admin: 3", 8, "admin", "expected options (name: value); found 3", None),
    ("workers: 0", 10, "workers", "expected at least 1; found 0", None),
    ("workers: many", 10, "workers", "expected auto or a whole number; found 'many'", None),
    ("drain_timeout: 5x", 16, "drain_timeout", "expected a duration like 250ms, 5s or 1h30m; found '5x'", None),
    ("restore: lst", 10, "restore", "expected one of file, last; found 'lst'", "did you mean last?"),
    ("restore: last", 10, "restore", "nothing can be restored without a folder to keep it in", "set state_dir"),
    ("routes: [{name: a}]", 10, "routes.0", "expected exactly one of upstream, split, redirect, respond; found none", None),
    ("upstreams: [{name: a, balance: least_requests}]", 32, "upstreams.0.balance.policy", "expected one of", "did you mean least_request?"),
    ("upstreams: [{name: a, balance: c3}]", 32, "upstreams.0.balance.policy", "c3 was removed: it was an experiment, and clients went with it. Use prequal", None),
    ("upstreams: [{name: a, endpoints: [x]}]", 35, "upstreams.0.endpoints.0.address", "expected an address with a port", None),
    ("upstreams: [{name: a}, {name: b}, {name: a}]", 42, "upstreams.2.name", "another upstream has the name 'a'", "the first is at"),
    ("upstreams: [{name: a, endpoints: ['a:1', {address: 'A:1'}]}]", 52, "upstreams.0.endpoints.1.address", "another endpoint has the address 'A:1'", "the first is at"),
    ("upstreams: [{name: a, endpoints: ['[::1]:1', '[0::1]:1']}]", 46, "upstreams.0.endpoints.1.address", "another endpoint has the address '[0::1]:1'", "the first is at"),
    ("{routes: [{name: a, upstream: ap}], upstreams: [{name: app}]}", 31, "routes.0.upstream", "unknown upstream 'ap'", "did you mean app?"),
    ("routes: [{name: a, split: [{upstream: x}]}]", 39, "routes.0.split.0.upstream", "unknown upstream 'x'", "no upstream has this name"),
    ("routes: [{name: a, respond: {}, retry: {on: [resets]}}]", 46, "routes.0.retry.on.0", "expected one of connect_failure, ", "did you mean reset?"),
    ("routes: [{name: a, respond: {}, retry: {backoff: {base: 1s}}}]", 50, "routes.0.retry.backoff", "expected max to be no shorter than base", None),
    ("routes: [{name: a, respond: {}, hedge: {budget: 1}}]", 40, "routes.0.hedge", "expected exactly one of after, percentile; found none", None),
    ("routes: [{name: a, respond: {status: 204, body: x}}]", 29, "routes.0.respond", "expected no body", None),
    ("routes: [{name: a, respond: {}, listeners: [web]}]", 45, "routes.0.listeners.0", "unknown listener 'web'", None),
    ("routes: [{name: a, respond: {}, mirror: {upstream: x}}]", 52, "routes.0.mirror.upstream", "unknown upstream 'x'", None),
    ("listeners: [{name: a, address: '1.2.3.4:80'}, {name: b, address: '0.0.0.0:80'}]", 66, "listeners.1.address", "is taken by listeners.0.address", "the first is at"),
    ("listeners: [{name: a, address: '[::]:9090'}]", 1, "admin.address", "127.0.0.1:9090 is taken by", "the first is at"),
    ("admin: {address: '0.0.0.0:9'}", 18, "admin.address", "refuses to start", "give admin.token"),
    ("admin: {token: short}", 16, "admin.token", "expected a text of at least 16 characters", None),
    ("routes: [{name: a, respond: {}, subset: {version: x}}]", 10, "routes.0", "expected subset with upstream", None),
    ("upstreams: [{name: a, balance: {policy: maglev}}]", 32, "upstreams.0.balance", "expected hash with the policies ring_hash, maglev, rendezvous", None),
    ("upstreams: [{name: a, balance: {spill_over: 0}}]", 45, "upstreams.0.balance.spill_over", "expected more than 0 percent; found 0", None),
    ("upstreams: [{name: a, balance: {zone_aware: {}}}]", 45, "upstreams.0.balance.zone_aware", "no zone can be preferred", "set zone"),
    ("upstreams: [{name: a, balance: {sticky: {same_site: none}}}]", 41, "upstreams.0.balance.sticky", "expected secure with same_site none", None),
    ("upstreams: [{name: a, balance: {sticky: {secret: short}}}]", 50, "upstreams.0.balance.sticky.secret", "expected a text of at least 16 characters", None),
    ("upstreams: [{name: a, balance: {sticky: {path: '/;'}}}]", 48, "upstreams.0.balance.sticky.path", "expected a path without a semicolon", None),
    ("routes: [{name: a, respond: {}, match: {headers: [{name: a b, present: true}]}}]", 58, "routes.0.match.headers.0.name", "expected a name", None),
    ("upstreams: [{name: a, health: {grpc: {}}}]", 38, "upstreams.0.health.grpc", "gRPC needs HTTP/2", "set the upstream's protocol to http2"),
    ("upstreams: [{name: a, protocol: http1, tls: {}, health: {grpc: {}}}]", 64, "upstreams.0.health.grpc", "gRPC needs HTTP/2", "set the upstream's"),
    ("rate_limits: [{name: a, windows: [{quota: 4, per: 1s}], cost: {requests: 5}}]", 15, "rate_limits.0", "no request could ever pass: each costs 5, and a window holds 4", None),
    ("rate_limits: [{name: a, in_flight: 1, key: [ip]}]", 45, "rate_limits.0.key.0", "expected one of client, method, host, route, listener, country, asn, identity, certificate, or an option like header: x-api-key; found 'ip'", None),
    ("rate_limits: [{name: a, in_flight: 1, key: [{client: false}]}]", 54, "rate_limits.0.key.0.client", "expected true; found false", None),
    ("routes: [{name: a, respond: {}, grpc_methods: [/shop.Orders]}]", 48, "routes.0.grpc_methods.0", "expected the path of one method, without variables, like /shop.Orders/Place; found '/shop.Orders'", None),
    ("routes: [{name: a, respond: {}, grpc_methods: ['/shop.Orders/{method}']}]", 48, "routes.0.grpc_methods.0", "expected the path of one method, without variables", None),
    ("routes: [{name: a, respond: {}, grpc_methods: [/a/b, /a/c, /a/b]}]", 47, "routes.0.grpc_methods", "expected each method once; found '/a/b' 2 times", None),
    ("routes: [{name: a, respond: {}, grpc_methods: [" + ", ".join(f"/a/m{n}" for n in range(101)) + "]}]", 47, "routes.0.grpc_methods", "expected at most 100 item(s); found a list", None),
    ("rate_limits: [{name: a, in_flight: 1, keys: 1000000001}]", 45, "rate_limits.0.keys", "expected at most 1000000000; found 1000000001", None),
    ("rate_limits: [{name: a, windows: [" + "{quota: 1, per: 1s}, " * 9 + "]}]", 34, "rate_limits.0.windows", "expected at most 8 item(s); found a list", None),
    ("rate_limits: [{name: a, in_flight: 1, store: b}]", 15, "rate_limits.0", "expected windows with store: they are what gateways share through it", None),
    ("rate_limits: [{name: a, in_flight: 1, on_failure: open}]", 15, "rate_limits.0", "expected store with on_failure: it is the store's failure", None),
    ("rate_limits: [{name: a, windows: [{quota: 4, per: 1s}], store: b}]", 64, "rate_limits.0.store", "unknown store 'b'", "no store has this name"),
    ("stores: [{name: a, valkey: {}}]", 28, "stores.0.valkey", "expected exactly one of address, sentinel; found none", None),
    ("stores: [{name: a, valkey: {address: 'a:1', password: x, password_file: y}}]", 28, "stores.0.valkey", "expected at most one of password, password_file; found password and password_file", None),
    ("stores: [{name: a, valkey: {address: 'a:1'}, sync: 5ms}]", 52, "stores.0.sync", "expected at least 10 milliseconds; found 5", None),
    ("{rate_limits: [{name: a, in_flight: 1}], routes: [{name: r, respond: {}, limits: {rate: [a, a]}}]}", 89, "routes.0.limits.rate", "expected each rate limit once; found 'a' 2 times", None),
    ("routes: [{name: a, respond: {headers: {'a b': c}}}]", 40, "routes.0.respond.headers.a b", "expected a name", None),
]  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake[2])
def test_a_mistake_is_named_with_its_place(problems: Find, mistake: Mistake) -> None:
    text, column, path, message, hint = mistake
    problem = next(problem for problem in problems(text) if problem.path == path)
    assert (problem.line, problem.column) == (1, column)
    assert message in problem.message
    assert (problem.hint or "").startswith(hint or "")
    assert str(problem).startswith(f"{problem.file}:1:{column}: {path}: ")


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(problems: Find) -> None:
    found = problems(
        "nam: x\nworkers: 0\nroutes:\n  - {name: a, upstream: nope, timeout: soon}\nrestore: last\n"
    )
    assert [(problem.line, problem.path) for problem in found] == [
        (1, "nam"),
        (2, "workers"),
        (4, "routes.0.upstream"),
        (4, "routes.0.timeout"),
        (5, "restore"),
    ]


def test_a_wrong_item_does_not_make_its_list_too_short(problems: Find) -> None:
    (problem,) = problems("routes: [{name: a, split: [{upstream: 3}]}]")
    assert problem.path == "routes.0.split.0.upstream"
    (problem,) = problems("routes: [{name: a, split: []}]")
    assert problem.message.startswith("expected at least 1 item")


@pytest.mark.parametrize(
    "options",
    [
        "protocol: http2",
        "tls: {}",
        "tls: {}, protocol: http2",
        "health: {grpc: {}, port: 9000}",
        "health: {grpc: null}",
    ],
)
def test_a_grpc_check_goes_where_http2_is_spoken(load: Callable[..., Loaded], options: str) -> None:
    assert load(
        f"upstreams: [{{name: a, {options if 'health' in options else f'health: {{grpc: {{}}}}, {options}'}}}]"
    )


def test_a_mistake_without_a_near_word_lists_the_known_ones(problems: Find) -> None:
    (problem,) = problems("log: {zzz: 1}")
    assert problem.hint == "known here: level, format"


def test_listeners_on_one_port_of_different_addresses_are_fine(load: Callable[..., Loaded]) -> None:
    text = "listeners: [{name: a, address: '127.0.0.1:80'}, {name: b, address: '127.0.0.2:80'}]"
    assert load(text)


def test_a_disabled_admin_api_needs_no_address(load: Callable[..., Loaded]) -> None:
    assert load("admin: {enabled: false, address: '0.0.0.0:9'}\nlisteners: [{name: a, address: '0.0.0.0:9'}]")


def test_an_open_admin_api_with_a_token_is_fine(load: Callable[..., Loaded]) -> None:
    assert load("admin: {address: '0.0.0.0:9', token: 0123456789abcdef}")


@pytest.mark.parametrize("text", ["- a\n", "3", "[]", "a"])
def test_the_top_of_a_file_is_a_mapping(problems: Find, text: str) -> None:
    (problem,) = problems(text)
    assert "at the top of the file" in problem.message


def test_an_unreadable_file_is_a_mistake(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none.yaml", "no such file"), (tmp_path, "is a directory")):
        with pytest.raises(ConfigError, match=reason):
            load_file(path)


def test_a_file_that_is_no_text_is_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"name: a\nname2: \xff\n")
    with pytest.raises(ConfigError, match=r"x\.yaml:2: not a text file in UTF-8"):
        load_file(path)


def test_the_schema_comment_of_json_is_no_option(load: Callable[..., Loaded]) -> None:
    assert load('{"$schema": "x.json", "name": "a"}', "t.json").config.name == "a"


def test_the_three_languages_load_alike(load: Callable[..., Loaded]) -> None:
    yaml = "upstreams:\n  - {name: a, endpoints: ['127.0.0.1:1'], timeouts: {connect: 1s}}\n"
    toml = "[[upstreams]]\nname = 'a'\nendpoints = ['127.0.0.1:1']\ntimeouts.connect = '1s'\n"
    json = '{"upstreams": [{"name": "a", "endpoints": ["127.0.0.1:1"], "timeouts": {"connect": 1000}}]}'
    configs = [load(yaml).config, load(toml, "t.toml").config, load(json, "t.json").config]
    assert configs[0] == configs[1] == configs[2]


def test_data_has_problems_without_places(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        load_data({"routes": [{"name": "a", "upstream": "b"}]}, tmp_path)
    (problem,) = error.value.problems
    assert str(problem) == "routes.0.upstream: unknown upstream 'b' (no upstream has this name)"


def test_what_was_loaded_loads_again(write: Write, tmp_path: Path) -> None:
    text = "workers: auto\nroutes: [{name: a, upstream: b, timeout: 5s}]\nupstreams: [{name: b, balance: random}]\n"
    config = load_file(write("a.yaml", text)).config
    assert load_data(config.model_dump(mode="json"), tmp_path).config == config


def test_data_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    data: dict[str, object] = {}
    for _ in range(900):
        data = {"a": data}
    with pytest.raises(ConfigError, match="nested too deeply"):
        load_data(data, tmp_path)


def test_a_secret_is_not_shown(problems: Find) -> None:
    (problem,) = problems("admin: {token: hush}")
    assert "hush" not in str(problem)


def test_data_keeps_variables_as_they_are(tmp_path: Path) -> None:
    data = {"routes": [{"name": "${HOME}", "respond": {}}]}
    assert load_data(data, tmp_path).config.routes[0].name == "${HOME}"


def test_the_defaults_greet_a_newcomer() -> None:
    config = load_data(default_config().data(), Path()).config
    assert config.listeners[0].address == "0.0.0.0:8080"
    assert config.admin.address == "127.0.0.1:9090"
    (route,) = config.routes
    assert route.respond is not None
    assert "tidegate run --config" in route.respond.body


def test_a_problem_is_written_on_one_line() -> None:
    problem = Problem("is wrong", "a.b", Path("f"), 1, 2, hint="do that", severity="warning")
    assert str(problem) == "warning: f:1:2: a.b: is wrong (do that)"
