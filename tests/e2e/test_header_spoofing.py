"""What the gateway says of a request by a header field, no client can say: on no route and in no spelling."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from .conftest import Running
from .harness import answers
from .harness.api_keys import api_key, entry, key_file
from .harness.configs import listener, proxy, route, upstream
from .harness.gateway import Gateway
from .harness.message import Fields
from .harness.origin import Origin
from .harness.origin import Request as Received
from .harness.transports import Client, Request, http1, http2
from .harness.waiting import eventually

TRUSTED = {"x-auth-user": ["ann"], "x-auth-mail": ["ann@example.org"]}
"""What the gateway sets on a guarded route: a field of the service's answer, and one of the identity."""
CLIENTS = {"http1": http1, "http2": http2}
PLACES = [{"header": "x-key"}, {"cookie": "key"}, {"query": "key"}, "bearer"]
KEY = api_key("ada")
CARRIED = {
    "header": Request(fields=(("x-key", KEY), ("x-key", KEY))),
    "cookie": Request(cookies=("a=1", f"key={KEY}", "b=2", f"key={KEY}")),
    "query": Request(path=f"?a=1&key={KEY}&b=2&key={KEY}"),
    "bearer": Request(fields=(("authorization", f"bEARER {KEY}"),)),
}
"""A credential in each place, as often as it may stand there."""
SAID = "root"
"""What clients say."""


def spellings(name: str) -> list[str]:
    """Every way to write a name that CGI and WSGI take for it."""
    words = name.split("-")
    signs = itertools.product("-_", repeat=len(words) - 1)
    return ["".join(itertools.chain(*zip(words, (*between, ""), strict=True))) for between in signs]


@dataclass
class World:
    """A gateway, an origin, and one that gets copies."""

    gateway: Gateway
    app: Origin
    copies: Origin

    def sent_on(self, client: Client, request: Request, port: str = "web") -> Received:
        """What the application gets, after it was checked that the copy says no more."""
        self.app.requests.clear()
        self.copies.requests.clear()
        response = client(self.gateway.port(port), request)
        assert response.status == 200, response.body
        (seen,) = self.app.requests
        if request.path and request.path.startswith("/mirrored"):
            eventually(lambda: any(copy.body_complete for copy in self.copies.requests), "a copy comes")
            (copy,) = self.copies.requests
            assert said(copy) == said(seen)
        return seen


@pytest.fixture(scope="module")
def world(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    keys = key_file(tmp_path_factory.mktemp("keys") / "keys.json", entry("ada"))
    with Origin("app") as app, Origin("copies") as copies, Origin("authz") as authz:
        for path in ("/check", "/other"):
            authz.on(path, answers.fixed(200, [("X-Auth-User", "ann"), ("X-Mail", "ann@example.org")]))
        config = proxy(app.address)
        config["listeners"] += [listener("behind", trusted_proxies=["127.0.0.0/8"])]
        config["upstreams"] += [upstream("copies", copies.address), upstream("authz", authz.address)]
        forward = {
            "upstream": "authz",
            "path": "/check",
            "take_headers": ["X-Auth-User"],
            "subject": "x-mail",
        }
        unused = {"upstream": "authz", "path": "/other", "take_headers": ["x-unused-field"]}
        config["authenticators"] = [
            {"name": "central", "forward": forward},
            {"name": "unused", "forward": unused},
            {"name": "keys", "api_key": {"file": keys, "from": PLACES}},
            {"name": "kept", "api_key": {"file": keys, "from": PLACES}, "keep_credentials": True},
        ]
        guarded: dict[str, Any] = {
            "access": {"authenticate": ["central"]},
            "identity_headers": {"x-auth-mail": {"subject": True}},
        }
        mirror = {"mirror": {"upstream": "copies"}}
        config["routes"] = [
            route("guarded", "/guarded", **guarded),
            route("mirrored", "/mirrored", **mirror),
            route("both", "/mirrored/guarded", **guarded, **mirror),
            route("open", "/open"),
            route("keys", "/mirrored/keys", access={"authenticate": ["keys"]}, **mirror),
            route("kept", "/mirrored/kept", access={"authenticate": ["kept"]}, **mirror),
        ]
        with running(config) as gateway:
            yield World(gateway, app, copies)


NAMES = [*TRUSTED, "x-unused-field"]
SPELLINGS = [spelling for name in NAMES for spelling in spellings(name)]
PATHS = ["/open", "/guarded", "/mirrored", "/mirrored/guarded"]


def said(seen: Received) -> dict[str, list[str]]:
    """What the application could take for the gateway's word, as CGI and WSGI read names."""
    found: dict[str, list[str]] = {}
    for name, value in (*seen.headers, *seen.trailers):
        canonical = name.lower().replace("_", "-")
        if canonical in NAMES:
            found.setdefault(canonical, []).append(value)
    return found


def expected(path: str) -> dict[str, list[str]]:
    return TRUSTED if path.endswith("guarded") else {}


def forms(version: str, spelling: str) -> list[str]:
    """HTTP/2 has lower case alone."""
    return [spelling] if version == "http2" else [spelling, spelling.title(), spelling.upper()]


@pytest.mark.parametrize("port", ["web", "behind"])
@pytest.mark.parametrize("version", CLIENTS)
@pytest.mark.parametrize("path", PATHS)
def test_no_spelling_of_a_field_reaches_the_application(
    world: World, version: str, path: str, port: str
) -> None:
    """A trusted proxy is believed about addresses, not about who somebody is."""
    for spelling in SPELLINGS:
        for form in forms(version, spelling):
            seen = world.sent_on(CLIENTS[version], Request(path=path, fields=((form, SAID),)), port)
            assert said(seen) == expected(path), form


@pytest.mark.parametrize("version", CLIENTS)
@pytest.mark.parametrize("path", PATHS)
def test_all_spellings_together_and_again_say_nothing(world: World, version: str, path: str) -> None:
    fields = tuple((spelling, SAID) for spelling in [*SPELLINGS, *SPELLINGS])
    assert said(world.sent_on(CLIENTS[version], Request(path=path, fields=fields))) == expected(path)


@pytest.mark.parametrize("version", CLIENTS)
@pytest.mark.parametrize("path", PATHS)
def test_trailers_say_nothing(world: World, version: str, path: str) -> None:
    trailers = tuple((spelling, SAID) for spelling in SPELLINGS)
    request = Request(
        method="POST",
        path=path,
        body=b"abc",
        trailers=(*trailers, ("x-sum", "1")),
        fields=(("te", "trailers"),),
    )
    seen = world.sent_on(CLIENTS[version], request)
    assert said(seen) == expected(path)
    assert ("x-sum", "1") in [(name.lower(), value) for name, value in seen.trailers]


@pytest.mark.parametrize("path", PATHS)
def test_connection_takes_nothing_off_that_the_gateway_sets(world: World, path: str) -> None:
    names: Fields = [("Connection", f"close, {', '.join(SPELLINGS)}"), ("X-Auth-User", SAID)]
    assert said(world.sent_on(http1, Request(path=path, fields=tuple(names)))) == expected(path)


@pytest.mark.parametrize("version", CLIENTS)
@pytest.mark.parametrize("place", CARRIED)
@pytest.mark.parametrize("kept", [False, True])
def test_a_credential_that_was_used_goes_no_further_unless_it_is_to_be_kept(
    world: World, version: str, place: str, kept: bool
) -> None:
    carried = CARRIED[place]
    query = carried.path if place == "query" else ""
    request = replace(carried, path=f"/mirrored/{'kept' if kept else 'keys'}{query}")
    seen = world.sent_on(CLIENTS[version], request)
    (copy,) = world.copies.requests
    for each in (seen, copy):
        assert any(KEY in text for text in (each.target, *map(str, each.headers))) == kept
