"""Pages of other origins: what they may read (CORS), what they cannot make a browser send (CSRF), and what
browsers are told to be careful about."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from .conftest import Running, StartGateway
from .harness import answers
from .harness.certs import Authority
from .harness.configs import listener, proxy, route, upstream
from .harness.gateway import Config, Gateway
from .harness.h2client import H2Client
from .harness.message import Fields, Response
from .harness.origin import Origin

PAGE = "https://app.example.com"
EVIL = "https://evil.example"
PREFLIGHT = [("origin", PAGE), ("access-control-request-method", "PUT")]
CORS: dict[str, Any] = {"origins": [PAGE, "*.Trusted.example"], "methods": ["GET", "PUT"], "max_age": "10m"}


def ask(gateway: Gateway, path: str = "/", method: str = "GET", fields: Fields | None = None) -> Response:
    with gateway.connect() as connection:
        return connection.request(path, method=method, headers=fields or [])


def of_cors(response: Response) -> dict[str, str]:
    """The fields that say something to pages."""
    fields = ((name.lower(), value) for name, value in response.headers)
    return {
        name.removeprefix("access-control-"): value
        for name, value in fields
        if name.startswith("access-control-")
    }


# CORS


@pytest.fixture(scope="module")
def gateway(running: Running, module_origin: Origin) -> Iterator[Gateway]:
    config = proxy(module_origin.address)
    config["upstreams"].append(upstream("nowhere"))
    config["rate_limits"] = [{"name": "one", "windows": [{"quota": 1, "per": "1h"}]}]
    config["routes"] = [
        route("app", "/", cors=CORS),
        route("credentials", "/credentials", cors={**CORS, "credentials": True, "expose": ["x-total"]}),
        route("any", "/any", cors={"origins": ["*"], "methods": ["*"], "headers": ["*"]}),
        route("limited", "/limited", cors=CORS, limits={"rate": ["one"]}),
        route("down", "/down", cors=CORS, upstream="nowhere"),
        route("moved", "/moved", cors=CORS, redirect={"host": "elsewhere.example"}),
        route("edited", "/edited", cors=CORS, request_headers={"remove": ["origin"]}),
        route("plain", "/plain"),
    ]
    with running(config) as gateway:
        yield gateway


@pytest.mark.parametrize("page", [PAGE, "https://a.trusted.example", "https://a.b.trusted.example"])
def test_a_page_of_an_allowed_origin_may_read_the_response(gateway: Gateway, page: str) -> None:
    response = ask(gateway, fields=[("origin", page)])
    assert response.from_origin
    assert of_cors(response) == {"allow-origin": page}
    assert response.values("vary") == ["Origin"]


@pytest.mark.parametrize(
    "page",
    [
        EVIL,
        "null",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com.evil.example",
        "https://trusted.example",
        "https://nottrusted.example",
        "http://a.trusted.example",
    ],
)
def test_a_page_of_another_origin_may_not_but_the_request_goes_on(
    gateway: Gateway, origin: Origin, page: str
) -> None:
    response = ask(gateway, fields=[("origin", page)])
    assert response.from_origin
    assert of_cors(response) == {}
    assert response.values("vary") == ["Origin"], "a cache must not give it to other pages"


def test_a_response_varies_by_origin_even_where_the_request_has_none(gateway: Gateway) -> None:
    response = ask(gateway)
    assert (of_cors(response), response.values("vary")) == ({}, ["Origin"])
    assert ask(gateway, "/plain").values("vary") == [], "nor does anything change where cors is not used"


def test_a_preflight_is_answered_here(gateway: Gateway, origin: Origin) -> None:
    response = ask(gateway, method="OPTIONS", fields=PREFLIGHT)
    assert (response.status, response.body) == (204, b"")
    assert of_cors(response) == {"allow-origin": PAGE, "allow-methods": "GET, PUT", "max-age": "600"}
    assert "Origin" in (response.header("vary") or "")
    assert origin.requests == []


def test_so_it_is_over_http2(running: Running, origin: Origin) -> None:
    config = proxy(origin.address)
    config["routes"] = [route("app", "/", cors=CORS)]
    with running(config) as gateway, H2Client(gateway.port()) as client:
        response = client.request("/", method="OPTIONS", headers=PREFLIGHT)
        assert (response.status, of_cors(response)["allow-origin"]) == (204, PAGE)
        assert of_cors(client.request("/", headers=[("origin", PAGE)])) == {"allow-origin": PAGE}
    assert len(origin.requests) == 1


def test_the_preflight_of_a_page_that_may_not_is_told_nothing(gateway: Gateway, origin: Origin) -> None:
    fields = [("origin", EVIL), ("access-control-request-method", "PUT")]
    response = ask(gateway, method="OPTIONS", fields=fields)
    assert (response.status, of_cors(response)) == (204, {})
    assert origin.requests == []


@pytest.mark.parametrize("fields", [[], PREFLIGHT[:1], PREFLIGHT[1:]])
def test_an_options_request_that_is_no_preflight_goes_on(
    gateway: Gateway, origin: Origin, fields: Fields
) -> None:
    assert ask(gateway, method="OPTIONS", fields=fields).from_origin
    assert [request.method for request in origin.requests] == ["OPTIONS"]


def test_where_anything_may_be_used_what_is_asked_for_is_named(gateway: Gateway) -> None:
    fields = [
        ("origin", EVIL),
        ("access-control-request-method", "PATCH"),
        ("access-control-request-headers", "authorization,x-any"),
    ]
    told = of_cors(ask(gateway, "/any", "OPTIONS", fields))
    assert told == {
        "allow-origin": "*",
        "allow-methods": "PATCH",
        "allow-headers": "authorization,x-any",
    }


def test_credentials_and_exposed_fields_are_told(gateway: Gateway) -> None:
    told = of_cors(ask(gateway, "/credentials", fields=[("origin", PAGE)]))
    assert told == {"allow-origin": PAGE, "allow-credentials": "true", "expose-headers": "x-total"}
    assert of_cors(ask(gateway, "/credentials", fields=[("origin", EVIL)])) == {}


def test_what_the_upstream_says_itself_is_replaced(gateway: Gateway, origin: Origin) -> None:
    own = [
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Expose-Headers", "x-secret"),
        ("Vary", "Accept-Encoding"),
    ]
    origin.on("/own", answers.fixed(headers=own))
    response = ask(gateway, "/own", fields=[("origin", PAGE)])
    assert of_cors(response) == {"allow-origin": PAGE}
    assert sorted(response.values("vary")) == ["Accept-Encoding", "Origin"]


def test_a_page_reads_errors_and_redirects_too(gateway: Gateway) -> None:
    for path, status in [("/down", 503), ("/moved", 308)]:
        response = ask(gateway, path, fields=[("origin", PAGE)])
        told = (response.status, of_cors(response), response.values("vary"))
        assert told == (status, {"allow-origin": PAGE}, ["Origin"]), path


def test_limits_come_before_a_preflight_and_a_page_reads_that_it_was_limited(gateway: Gateway) -> None:
    found = [ask(gateway, "/limited", "OPTIONS", PREFLIGHT) for _ in range(2)]
    assert [response.status for response in found] == [204, 429]
    assert of_cors(found[1]) == {"allow-origin": PAGE}


def test_a_page_reads_the_response_though_the_upstream_is_not_told_of_it(
    gateway: Gateway, origin: Origin
) -> None:
    response = ask(gateway, "/edited", fields=[("origin", PAGE)])
    assert of_cors(response) == {"allow-origin": PAGE}
    assert origin.requests[-1].header("origin") is None


# CSRF


@pytest.fixture(scope="module")
def shop(running: Running, module_origin: Origin) -> Iterator[Gateway]:
    config = proxy(module_origin.address)
    config["routes"] = [
        route("shop", "/", csrf=True),
        route("paid", "/paid", csrf={"trusted_origins": ["https://pay.example"]}),
        route("open", "/open", csrf=False),
    ]
    with running(config) as gateway:
        yield gateway


def post(
    gateway: Gateway, path: str = "/", *, method: str = "POST", cookie: bool = True, **fields: str
) -> int:
    sent = [
        ("host", "shop.example:8080"),
        *((name.replace("_", "-"), value) for name, value in fields.items()),
    ]
    if cookie:
        sent.append(("cookie", "session=1"))
    return ask(gateway, path, method, sent).status


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_a_page_of_the_host_itself_may_change_things(shop: Gateway, site: str) -> None:
    assert post(shop, sec_fetch_site=site) == 200
    assert post(shop, origin="http://shop.example:8080") == 200
    assert post(shop, origin="http://SHOP.example:8080") == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_of_another_origin_may_not(shop: Gateway, origin: Origin, site: str) -> None:
    assert post(shop, sec_fetch_site=site) == 403
    for page in (
        EVIL,
        "null",
        "https://shop.example:8080",
        "http://shop.example",
        "http://a.shop.example:8080",
    ):
        assert post(shop, origin=page) == 403, page
    assert origin.requests == []


def test_a_page_of_a_trusted_origin_may(shop: Gateway) -> None:
    assert post(shop, "/paid", sec_fetch_site="cross-site", origin="https://pay.example") == 200
    assert post(shop, "/paid", sec_fetch_site="cross-site", origin=EVIL) == 403


def test_what_changes_nothing_or_carries_no_cookie_or_is_no_browser_goes_on(shop: Gateway) -> None:
    for method in ("GET", "HEAD", "OPTIONS"):
        assert post(shop, method=method, origin=EVIL) == 200, method
    assert post(shop, cookie=False, origin=EVIL) == 200
    assert post(shop) == 200
    assert post(shop, "/open", origin=EVIL) == 200, "csrf: false"


def test_a_page_of_another_origin_cannot_open_a_websocket(shop: Gateway) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(
            shop.url("/ws", scheme="ws"),
            additional_headers={"Cookie": "session=1", "Origin": EVIL},
        )
    assert refused.value.response.status_code == 403


def test_a_refused_request_is_told_counted_and_explained(start_gateway: StartGateway, origin: Origin) -> None:
    config = proxy(origin.address)
    config["routes"] = [route("shop", "/", csrf=True, cors=CORS)]
    gateway = start_gateway(config)
    fields = [("cookie", "session=1"), ("origin", PAGE), ("accept", "application/json")]
    response = ask(gateway, method="POST", fields=fields)
    assert (response.status, response.json()["error"]) == (403, "forbidden")
    assert of_cors(response) == {"allow-origin": PAGE}, "its page may read why, if cors lets it read"
    assert gateway.metrics().total("tidegate_access_denied_total", route="shop", by="csrf") == 1
    request_id = response.header("x-request-id")
    story = gateway.story(response)
    assert story["access"] == {"by": "csrf", "rule": "Origin is another one"}
    assert EVIL not in json.dumps(story)
    assert "csrf is not fulfilled: Origin is another one" in gateway.says("explain", str(request_id))


# Security headers

CAREFUL = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "strict-origin-when-cross-origin",
    "content-security-policy": "frame-ancestors 'self'",
    "cross-origin-opener-policy": "same-origin-allow-popups",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
HSTS = "strict-transport-security"


def careful(origin: Origin, authority: Authority, options: Any = "recommended") -> Config:
    config = proxy(origin.address)
    certificates = [authority.issue("localhost", file="careful").config()]
    config["listeners"] = [
        listener("web"),
        listener("secure", tls={"certificates": certificates}),
        listener("behind", trusted_proxies=["127.0.0.1"]),
    ]
    config["upstreams"].append(upstream("nowhere"))
    config["routes"] = [
        route("app", "/", security_headers=options),
        route("down", "/down", upstream="nowhere", security_headers=options),
    ]
    return config


def of_care(response: Response) -> dict[str, str]:
    """The fields that tell browsers to be careful."""
    return {name: value for name in (*CAREFUL, HSTS) if (value := response.header(name)) is not None}


def test_the_preset_adds_its_fields_to_every_response(
    start_gateway: StartGateway, origin: Origin, authority: Authority
) -> None:
    gateway = start_gateway(careful(origin, authority))
    for path, status in [("/", 200), ("/down", 503)]:
        response = ask(gateway, path)
        assert (response.status, of_care(response)) == (status, CAREFUL)


def test_hsts_is_sent_over_tls_only(
    start_gateway: StartGateway, origin: Origin, authority: Authority
) -> None:
    gateway = start_gateway(careful(origin, authority))
    with gateway.connect("secure", tls=authority.client()) as client:
        assert client.request("/").header(HSTS) == "max-age=31536000"
    with gateway.connect("behind") as client:
        assert client.request("/", headers=[("x-forwarded-proto", "https")]).header(HSTS), "as a proxy tells"
        assert client.request("/").header(HSTS) is None
    assert ask(gateway, fields=[("x-forwarded-proto", "https")]).header(HSTS) is None, "no client is believed"


def test_what_the_upstream_says_stays_unless_it_is_to_be_replaced(
    start_gateway: StartGateway, origin: Origin, authority: Authority
) -> None:
    own = [
        ("Referrer-Policy", "no-referrer"),
        ("Content-Security-Policy", "default-src *; frame-ancestors *"),
    ]
    origin.on("/own", answers.fixed(headers=own))
    gateway = start_gateway(careful(origin, authority))
    response = ask(gateway, "/own")
    assert response.values("referrer-policy") == ["no-referrer"]
    assert response.values("content-security-policy") == ["default-src *; frame-ancestors *"]
    routes = careful(origin, authority, {"override": True})["routes"]
    with gateway.next_generation():
        gateway.write({**gateway.config, "routes": routes})
    response = ask(gateway, "/own")
    assert response.values("referrer-policy") == ["strict-origin-when-cross-origin"]
    assert response.values("content-security-policy") == ["default-src *", "frame-ancestors 'self'"]


def test_each_field_can_be_changed_or_left_out(
    start_gateway: StartGateway, origin: Origin, authority: Authority
) -> None:
    hsts = {"max_age": "730d", "include_subdomains": True, "preload": True}
    options: dict[str, Any] = {
        "hsts": hsts,
        "frame_ancestors": [],
        "permissions_policy": None,
        "content_type_options": False,
    }
    gateway = start_gateway(careful(origin, authority, options))
    with gateway.connect("secure", tls=authority.client()) as client:
        assert of_care(client.request("/")) == {
            "referrer-policy": CAREFUL["referrer-policy"],
            "cross-origin-opener-policy": CAREFUL["cross-origin-opener-policy"],
            "content-security-policy": "frame-ancestors 'none'",
            HSTS: "max-age=63072000; includeSubDomains; preload",
        }
