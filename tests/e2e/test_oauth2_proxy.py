"""oauth2-proxy as it is, asked by forward auth: a person logs in and the application learns who it is."""

from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from .conftest import StartGateway
from .harness.configs import proxy, route, upstream
from .harness.gateway import Gateway
from .harness.oauth2_proxy import oauth2_proxy
from .harness.origin import Origin
from .harness.ports import free_port

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

TAKEN = ["x-auth-request-user", "x-auth-request-email"]


def guarded(start: StartGateway, origin: Origin, service: str, port: int) -> Gateway:
    """`/api` is refused and all else is led to the login, as with nginx and as with Traefik."""
    config = proxy(origin.address)
    config["listeners"][0]["address"] = f"127.0.0.1:{port}"
    config["upstreams"].append(upstream("oauth2-proxy", service))
    forward = {"upstream": "oauth2-proxy", "take_headers": TAKEN, "subject": "x-auth-request-email"}
    config["authenticators"] = [
        {"name": "session", "forward": {**forward, "path": "/oauth2/auth"}},
        {"name": "login", "forward": {**forward, "path": "/"}},
    ]
    config["routes"] = [
        route("oauth2", "/oauth2/", upstream="oauth2-proxy"),
        route("api", "/api", access={"authenticate": ["session"]}),
        route("pages", "/", access={"authenticate": ["login"]}),
    ]
    return start(config)


def test_a_person_logs_in_and_out(start_gateway: StartGateway, origin: Origin, tmp_path: Path) -> None:
    port = free_port()
    with oauth2_proxy(port, tmp_path / "oauth2-proxy.log") as service:
        guarded(start_gateway, origin, service, port)
        with httpx.Client(base_url=f"http://localhost:{port}") as browser:
            spoofed = {"X-Auth-Request-Email": "root@example.org", "X_Auth_Request_User": "root"}
            assert browser.get("/api/orders", headers=spoofed).status_code == 401

            asked = browser.get("/page?x=1", headers=spoofed)
            assert asked.status_code == 302
            assert urlsplit(asked.headers["location"]).port != port, "it leads to the provider"
            back = browser.post(asked.headers["location"], data={"sub": "ann@example.org"})
            assert back.status_code == 302
            done = browser.get(back.headers["location"])
            assert (done.status_code, done.headers["location"]) == (302, "/page?x=1")
            assert not origin.requests

            for target in ("/page?x=1", "/api/orders"):
                seen = browser.get(target, headers=spoofed)
                assert seen.status_code == 200
                fields = [(name.lower(), value) for name, value in seen.json()["headers"]]
                told = [value for name, value in fields if "auth" in name and "request" in name]
                assert "ann@example.org" in told
                assert not [value for value in told if "root" in value]

            assert browser.get("/oauth2/sign_out").status_code == 302
            assert browser.get("/api/orders").status_code == 401
