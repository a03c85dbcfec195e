"""Tokens: which are believed, where their keys come from, and what ends them before their time."""

import hmac
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from oidc_provider_mock import run_server_in_thread

from .conftest import StartGateway
from .harness.configs import proxy, route
from .harness.gateway import Config, Gateway
from .harness.h2client import H2Client
from .harness.identity import KEYS, Answer, IdentityProvider, SigningKey, encoded
from .harness.message import Response
from .harness.origin import Origin
from .harness.waiting import eventually


@pytest.fixture
def provider() -> Iterator[IdentityProvider]:
    """An identity provider."""
    with IdentityProvider(SigningKey("first")) as running:
        yield running


def guarded(provider: IdentityProvider, origin: Origin | None = None, **jwt: Any) -> Config:
    """Everything needs a token of the provider; without an origin the gateway answers by itself."""
    options = {"issuer": provider.issuer, "audience": ["api"], "jwks": {"discover": True}, **jwt}
    config = proxy(*([origin.address] if origin else []))
    given = {name: value for name, value in options.items() if value is not None}
    config["authenticators"] = [{"name": "users", "jwt": given}]
    action = {} if origin else {"respond": {"body": "let in"}}
    config["routes"] = [route("all", "/", access={"authenticate": ["users"]}, **action)]
    return config


def ask(gateway: Gateway, token: str | bytes | None = None, path: str = "/", **fields: str) -> Response:
    headers = [(name.replace("_", "-"), value) for name, value in fields.items()]
    if token is not None:
        text = token.decode("latin-1") if isinstance(token, bytes) else token
        headers.append(("authorization", f"Bearer {text}"))
    with gateway.connect() as connection:
        return connection.request(path, headers=headers)


def results(gateway: Gateway, authenticator: str = "users") -> dict[str, float]:
    metrics = gateway.metrics()
    names = ("ok", "cached", "missing", "invalid", "expired", "unknown_key", "revoked", "unavailable")
    counts = {
        name: metrics.total("tidegate_auth_total", authenticator=authenticator, result=name) for name in names
    }
    return {name: value for name, value in counts.items() if value}


def wait_for_keys(gateway: Gateway, provider: IdentityProvider) -> None:
    """Wait until a token is let in."""
    eventually(lambda: ask(gateway, provider.token()).status == 200, "the keys have come", 20)


def test_a_token_of_the_issuer_is_believed_and_then_remembered(
    start_gateway: StartGateway, provider: IdentityProvider
) -> None:
    gateway = start_gateway(guarded(provider))
    wait_for_keys(gateway, provider)
    before, token = results(gateway), provider.token(jti="one")
    assert [ask(gateway, token).status for _ in range(3)] == [200] * 3
    after = results(gateway)
    assert after["ok"] - before["ok"] == 1
    assert after["cached"] - before.get("cached", 0) == 2


def test_http2_asks_for_a_token_too(start_gateway: StartGateway, provider: IdentityProvider) -> None:
    config = guarded(provider)
    config["listeners"][0]["protocols"] = ["http1", "http2"]
    gateway = start_gateway(config)
    wait_for_keys(gateway, provider)
    with H2Client(gateway.port()) as client:
        assert client.request("/").status == 401
        bearer = [("authorization", f"Bearer {provider.token()}")]
        assert client.request("/", headers=bearer).status == 200


def test_tokens_of_an_identity_provider_that_others_wrote_are_believed(start_gateway: StartGateway) -> None:
    with run_server_in_thread() as server:
        issuer = f"http://localhost:{server.server_port}"
        token = _signed_in(issuer)
        config = proxy()
        jwt = {"issuer": issuer, "audience": ["web"], "jwks": {"discover": True}}
        config["authenticators"] = [{"name": "users", "jwt": jwt}]
        config["routes"] = [route("all", "/", access={"authenticate": ["users"]}, respond={"body": "let in"})]
        gateway = start_gateway(config)
        eventually(lambda: ask(gateway, token).status == 200, "the keys have come", 20)
        assert ask(gateway, token[:-4] + "AAAA").status == 401


def _signed_in(issuer: str) -> str:
    """The id token of somebody who signed in (OpenID Connect Core 1.0 section 3.1)."""
    asked = {
        "response_type": "code",
        "client_id": "web",
        "redirect_uri": "http://localhost/",
        "scope": "openid",
    }
    form = httpx.post(f"{issuer}/oauth2/authorize", params=asked, data={"sub": "alice"})
    code = httpx.URL(form.headers["location"]).params["code"]
    grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": asked["redirect_uri"]}
    granted = httpx.post(f"{issuer}/oauth2/token", data=grant, auth=("web", "secret"))
    return str(granted.raise_for_status().json()["id_token"])


def test_a_request_without_a_token_is_told_what_is_needed(
    start_gateway: StartGateway, provider: IdentityProvider
) -> None:
    gateway = start_gateway(guarded(provider))
    answer = ask(gateway)
    assert answer.status == 401
    assert (answer.header("www-authenticate") or "").startswith("Bearer")
    assert results(gateway) == {"missing": 1}


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (rsa.generate_private_key(65537, 2048), "RS256"),
        (ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
    ],
    ids=["RS256", "ES256", "EdDSA"],
)
def test_keys_of_each_kind_verify(start_gateway: StartGateway, key: Any, algorithm: str) -> None:
    with IdentityProvider(SigningKey("a", key)) as provider:
        gateway = start_gateway(guarded(provider, algorithms=[algorithm]))
        wait_for_keys(gateway, provider)


def _bad_tokens(provider: IdentityProvider) -> dict[str, str | bytes]:
    """Tokens that must not be believed; each differs in one thing from one that is."""
    good, claims, key = provider.token(), provider.claims(), provider.keys[0]
    header, body, signature = good.split(".")
    stranger = SigningKey(key.kid)
    point = key.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    deep = json.loads("[" * 200 + "]" * 200)
    text = json.dumps(claims)
    return {
        "truncated": good[:-10],
        "without a signature": f"{header}.{body}.",
        "two parts": f"{header}.{body}",
        "empty parts": "..",
        "padded": f"{header}=.{body}.{signature}",
        "long": provider.token(padding="x" * 12_000),
        "deeply nested": provider.token(deep=deep),
        "many claims": key.token({**claims, **{f"c{number}": 1 for number in range(500)}}),
        "alg none": f"{encoded({'alg': 'none'})}.{body}.",
        "alg None": f"{encoded({'alg': 'None'})}.{body}.{signature}",
        "alg HS256 with the public key": _hs256(provider, point),
        "another algorithm's name": provider.token(header={"alg": "ES384"}),
        "claims twice": key.token(text.replace("{", '{"sub": "root", ', 1)),
        "header twice": _signed(key, '{"alg": "ES256", "kid": "first", "kid": "first"}', text),
        "exp as text": provider.token(exp=str(claims["exp"])),
        "exp 1e400": key.token(text.replace(str(claims["exp"]), "1e400")),
        "exp in the past": provider.token(exp=int(time.time()) - 60),
        "no exp": provider.token(exp=None),
        "nbf in the future": provider.token(nbf=int(time.time()) + 300),
        "iat in the future": provider.token(iat=int(time.time()) + 300),
        "claims that are not UTF-8": key.token(b'{"sub": "\xff\xfe"}'),
        "bytes that are not UTF-8": b"\xff\xfe." + good.encode(),
        "claims that are no object": key.token("[1, 2]"),
        "wrong curve": _signed(
            SigningKey(key.kid, ec.generate_private_key(ec.SECP384R1())),
            '{"alg": "ES256", "kid": "first"}',
            text,
        ),
        "kid with a path": provider.token(header={"kid": "../../../../etc/passwd"}),
        "kid with SQL": provider.token(header={"kid": "' OR '1'='1"}),
        "kid that is a list": provider.token(header={"kid": ["first"]}),
        "another's signature": stranger.token(claims),
        "a key of its own": stranger.token(claims, jwk=stranger.jwk()),
        "keys from elsewhere": stranger.token(
            claims, jku="http://127.0.0.1:1/keys", x5u="http://127.0.0.1:1/"
        ),
        "crit": provider.token(header={"crit": ["exp"]}),
        "another audience": provider.token(aud="elsewhere"),
        "no audience": provider.token(aud=None),
        "another issuer": provider.token(iss="https://elsewhere.test"),
        "a subject that is a number": provider.token(sub=7),
    }


def _signed(key: SigningKey, header: str, claims: str) -> str:
    signed = f"{encoded(header)}.{encoded(claims)}"
    return f"{signed}.{encoded(key.sign(signed.encode()))}"


def _hs256(provider: IdentityProvider, secret: bytes) -> str:
    signed = f"{encoded({'alg': 'HS256', 'kid': 'first'})}.{encoded(provider.claims())}"
    return f"{signed}.{encoded(hmac.digest(secret, signed.encode(), 'sha256'))}"


def test_no_bad_token_is_believed(start_gateway: StartGateway, provider: IdentityProvider) -> None:
    gateway = start_gateway(guarded(provider, leeway="5s"))
    wait_for_keys(gateway, provider)
    believed = {}
    for name, token in _bad_tokens(provider).items():
        answer = ask(gateway, token)
        if answer.status != 401:
            believed[name] = answer.status
        reasons = ("expired", "audience", "signature", "unknown", "issuer")
        assert not any(reason in answer.body.decode() for reason in reasons), f"{name}: the client learns why"
    assert believed == {}
    found = results(gateway)
    assert found["expired"] == 1
    assert found["unknown_key"] == 2
    assert ask(gateway, provider.token()).status == 200


def test_a_token_of_a_megabyte_is_refused(start_gateway: StartGateway, provider: IdentityProvider) -> None:
    config = guarded(provider)
    config["listeners"][0]["limits"] = {"header_bytes": "2MB"}
    gateway = start_gateway(config)
    wait_for_keys(gateway, provider)
    assert ask(gateway, provider.token(padding="x" * (1 << 20))).status == 401


def test_a_token_is_over_when_it_expires_though_it_is_remembered(
    start_gateway: StartGateway, provider: IdentityProvider
) -> None:
    gateway = start_gateway(guarded(provider, leeway="0s"))
    wait_for_keys(gateway, provider)
    token = provider.token(exp=int(time.time()) + 2)
    assert [ask(gateway, token).status for _ in range(2)] == [200, 200]
    eventually(lambda: ask(gateway, token).status == 401, "the token has expired", 10)


@pytest.mark.parametrize(
    ("place", "path", "fields"),
    [
        ({"cookie": "session"}, "/", {"cookie": "a=b; session={token}; c=d"}),
        ({"header": "x-token"}, "/", {"x-token": "{token}"}),
        ({"query": "access_token"}, "/?a=b&access_token={token}&c=d", {}),
        ("bearer", "/", {"authorization": "Bearer {token}"}),
    ],
    ids=["cookie", "header", "query", "bearer"],
)
def test_a_token_is_taken_off_before_the_upstream(
    start_gateway: StartGateway,
    provider: IdentityProvider,
    origin: Origin,
    place: Any,
    path: str,
    fields: dict[str, str],
) -> None:
    gateway = start_gateway(guarded(provider, origin, **{"from": [place]}))
    age = "tidegate_jwks_age_seconds"
    eventually(lambda: gateway.metrics().find(age, authenticator="users"), "the keys have come")
    token = provider.token()
    headers = {name: value.format(token=token) for name, value in fields.items()}
    answer = ask(gateway, None, path.format(token=token), **headers)
    assert answer.status == 200, answer.body
    (seen,) = origin.requests
    assert token not in str(seen), "the endpoint does not get it"


def test_two_issuers_are_told_apart_by_what_their_tokens_say(
    start_gateway: StartGateway, provider: IdentityProvider
) -> None:
    with IdentityProvider(SigningKey("first")) as other:
        config = guarded(provider)
        options = {"issuer": other.issuer, "audience": ["api"], "jwks": {"url": other.keys_address}}
        config["authenticators"].append({"name": "partners", "jwt": options})
        config["routes"][0]["access"]["authenticate"] = ["users", "partners"]
        gateway = start_gateway(config)
        wait_for_keys(gateway, provider)
        wait_for_keys(gateway, other)
        assert ask(gateway, provider.keys[0].token(other.claims())).status == 401, "signed by the wrong one"
        assert ask(gateway, provider.token(iss="https://third.test")).status == 401
        assert results(gateway, "partners")["ok"] >= 1


# Keys


def test_a_new_key_is_fetched_when_a_token_names_it(
    start_gateway: StartGateway, provider: IdentityProvider
) -> None:
    provider.cache_control = "max-age=3600"
    gateway = start_gateway(guarded(provider))
    wait_for_keys(gateway, provider)
    provider.keys.append(SigningKey("second"))
    fetched = provider.count(KEYS)
    assert ask(gateway, provider.token()).status == 200
    assert provider.count(KEYS) == fetched + 1


def test_keys_rotate_under_load_and_no_valid_token_is_refused(
    start_gateway: StartGateway, provider: IdentityProvider
) -> None:
    gateway = start_gateway(guarded(provider))
    wait_for_keys(gateway, provider)
    over, refused, numbers = threading.Event(), list[str](), count()
    rotated = Counter[str]()

    def load() -> None:
        with gateway.connect() as connection:
            while not over.is_set() and not refused:
                key = provider.keys[-1]
                token = provider.token(key, jti=str(next(numbers)))
                answer = connection.request("/", headers=[("authorization", f"Bearer {token}")])
                if answer.status != 200:
                    refused.append(f"{key.kid}: {answer.status}")
                rotated[key.kid] += 1

    threads = [threading.Thread(target=load, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    eventually(lambda: rotated["first"] > 100 or refused, "tokens of the first key are let in")
    provider.keys.append(SigningKey("second"))
    eventually(lambda: rotated["second"] > 100 or refused, "tokens of the second key are let in")
    over.set()
    for thread in threads:
        thread.join(20)
    assert refused == []


HTML = (200, {"content-type": "text/html"}, b"<html>Sign in</html>")


@pytest.mark.parametrize(
    "answer",
    [
        (500, {}, b""),
        HTML,
        (200, {}, b'{"keys": []}'),
        (200, {}, b'{"keys": "' + b"x" * (10 << 20) + b'"}'),
        (200, {}, json.dumps({"keys": [SigningKey("elsewhere").jwk()]}).encode()),
    ],
    ids=["down", "html", "empty", "10 MB", "without the key"],
)
def test_known_tokens_are_believed_whatever_becomes_of_the_keys_address(
    start_gateway: StartGateway, provider: IdentityProvider, answer: Answer
) -> None:
    gateway = start_gateway(guarded(provider))
    wait_for_keys(gateway, provider)
    provider.keys.append(SigningKey("second"))
    fetched = provider.count(KEYS)
    with provider.answering(KEYS, lambda: answer):
        with ThreadPoolExecutor(16) as pool:
            tokens = [provider.token() for _ in range(16)]
            statuses = set(pool.map(lambda token: ask(gateway, token).status, tokens))
        assert statuses == {401}, "a key that is not to be had"
        assert provider.count(KEYS) <= fetched + 3, "the address is not asked for each request"
        if b"elsewhere" not in answer[2]:
            assert ask(gateway, provider.token(provider.keys[0])).status == 200


def test_a_slow_keys_address_holds_up_no_worker(
    start_gateway: StartGateway, provider: IdentityProvider
) -> None:
    gateway = start_gateway({**guarded(provider), "workers": 1})
    wait_for_keys(gateway, provider)
    over = threading.Event()

    def slow() -> Answer:
        over.wait(30)
        return provider.key_set()

    provider.keys.append(SigningKey("second"))
    with provider.answering(KEYS, slow):
        waiting: list[int] = []
        waiter = threading.Thread(target=lambda: waiting.append(ask(gateway, provider.token()).status))
        fetched = provider.count(KEYS)
        waiter.start()
        provider.wait_for_requests(KEYS, fetched + 1)
        assert ask(gateway, provider.token(provider.keys[0])).status == 200
        waiter.join(20)
        over.set()
    assert waiting == [401]


def test_without_any_keys_tokens_cannot_be_verified(
    start_gateway: StartGateway, provider: IdentityProvider
) -> None:
    with provider.answering(KEYS, lambda: (500, {}, b"")):
        gateway = start_gateway(guarded(provider))
        answer = ask(gateway, provider.token())
        assert answer.status == 503
        assert (
            json.loads(ask(gateway, provider.token(), accept="application/json").body)["error"]
            == "auth_unavailable"
        )
    wait_for_keys(gateway, provider)


def test_keys_outlive_the_process_and_the_provider(
    start_gateway: StartGateway, provider: IdentityProvider, tmp_path: Any
) -> None:
    config = {**guarded(provider), "state_dir": str(tmp_path / "state")}
    gateway = start_gateway(config)
    wait_for_keys(gateway, provider)
    gateway.stop()
    with provider.answering(KEYS, lambda: (500, {}, b"")):
        again = start_gateway(config)
        assert ask(again, provider.token()).status == 200


def test_a_reload_keeps_the_keys_and_another_issuer_does_not_get_them(
    start_gateway: StartGateway, provider: IdentityProvider
) -> None:
    gateway = start_gateway(guarded(provider))
    wait_for_keys(gateway, provider)
    with provider.answering(KEYS, lambda: (500, {}, b"")):
        with gateway.next_generation():
            gateway.config["authenticators"][0]["jwt"]["leeway"] = "1s"
            gateway.write()
        assert ask(gateway, provider.token()).status == 200
        with IdentityProvider(SigningKey("other")) as other, gateway.next_generation():
            gateway.config["authenticators"][0]["jwt"]["issuer"] = other.issuer
            gateway.write()
        forged = provider.token(iss=gateway.config["authenticators"][0]["jwt"]["issuer"])
        assert ask(gateway, forged).status in (401, 503)


def test_keys_may_be_in_files(start_gateway: StartGateway, provider: IdentityProvider, tmp_path: Any) -> None:
    key = provider.keys[0]
    public = key.key.public_key()
    pem, jwks = tmp_path / "public.pem", tmp_path / "keys.json"
    pem.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    jwks.write_text(json.dumps({"keys": [key.jwk()]}))
    sources: list[dict[str, Any]] = [{"public_key": str(pem), "jwks": None}, {"jwks": {"file": str(jwks)}}]
    for source in sources:
        gateway = start_gateway(guarded(provider, **source))
        assert ask(gateway, provider.token()).status == 200
        assert ask(gateway, provider.token(SigningKey("first"))).status == 401


def test_a_shared_secret_signs_tokens_where_one_is_configured(
    start_gateway: StartGateway, provider: IdentityProvider, tmp_path: Any
) -> None:
    secret = b"thirty-two bytes that both sides know"
    (tmp_path / "secret").write_bytes(secret + b"\n")
    sources: list[dict[str, Any]] = [
        {"secret": secret.decode()},
        {"secret_file": str(tmp_path / "secret")},
    ]
    for source in sources:
        gateway = start_gateway(guarded(provider, jwks=None, **source))
        assert ask(gateway, _hs256(provider, secret)).status == 200
        assert ask(gateway, _hs256(provider, b"another secret of thirty-two bytes")).status == 401
        assert ask(gateway, provider.token()).status == 401


# Revocations


def revoke(gateway: Gateway, **revoked: str) -> str:
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    told = {"authenticator": "users", "until": until, **revoked}
    return str(gateway.admin.post("/v1/revocations", json=told).raise_for_status().json()["id"])


@pytest.mark.parametrize("revoked", ["token", "subject", "session"])
def test_what_is_revoked_is_refused_at_once_and_after_a_restart(
    start_gateway: StartGateway, provider: IdentityProvider, tmp_path: Any, revoked: str
) -> None:
    config = {**guarded(provider), "state_dir": str(tmp_path / "state")}
    gateway = start_gateway(config)
    wait_for_keys(gateway, provider)
    token, other = (provider.token(sub=name, jti=name, sid=name) for name in ("alice", "bob"))
    assert [ask(gateway, each).status for each in (token, other, token, other)] == [200] * 4
    id = revoke(gateway, revoked=revoked, name="alice")
    assert [ask(gateway, each).status for each in (token, other)] == [401, 200]
    assert results(gateway)["revoked"] == 1
    gateway.stop()
    again = start_gateway(config)
    assert [ask(again, each).status for each in (token, other)] == [401, 200]
    assert [each["id"] for each in again.admin.get("/v1/revocations").json()] == [id]
    again.admin.delete(f"/v1/revocations/{id}").raise_for_status()
    assert ask(again, token).status == 200
    assert again.admin.delete(f"/v1/revocations/{id}").status_code == 404


# What an operator sees


def test_the_admin_api_shows_keys_and_fetches_them_anew(
    start_gateway: StartGateway, provider: IdentityProvider
) -> None:
    gateway = start_gateway(guarded(provider))
    wait_for_keys(gateway, provider)
    (users,) = gateway.admin.get("/v1/authenticators").json()
    assert users["name"] == "users"
    assert (users["keys"]["kids"], users["keys"]["unusable"]) == (["first"], [])
    assert 0 <= users["keys"]["age_seconds"] < 60
    assert users["fetch"] == {"source": provider.issuer, "failures": 0, "error": None}
    provider.keys.append(SigningKey("second"))
    refreshed = gateway.admin.post("/v1/authenticators/users/refresh").raise_for_status().json()
    assert refreshed["keys"]["kids"] == ["first", "second"]
    with provider.answering(KEYS, lambda: HTML):
        failed = gateway.admin.post("/v1/authenticators/users/refresh")
        assert failed.status_code == 502
        assert "text/html" in failed.json()["detail"]
    assert gateway.admin.post("/v1/authenticators/none/refresh").status_code == 404
    assert 0 <= gateway.metrics().total("tidegate_jwks_age_seconds", authenticator="users") < 60


def test_what_would_be_decided_of_a_token_can_be_asked(
    start_gateway: StartGateway, provider: IdentityProvider
) -> None:
    config = guarded(provider)
    config["routes"][0]["access"]["require"] = [{"claim": "scope", "contains": "orders:read"}]
    gateway = start_gateway(config)
    good = provider.token(scope="orders:read orders:write")
    eventually(lambda: ask(gateway, good).status == 200, "the keys have come")
    counted = results(gateway)

    def told(token: str, exit_code: int = 1) -> str:
        return gateway.says("auth", "check", token, "--route", "all", exit_code=exit_code)

    assert "would be let go" in told(good, 0)
    assert "subject: alice" in told(good, 0)
    assert "its time is over" in told(provider.token(exp=1))
    assert "the token is for another audience" in told(provider.token(aud="elsewhere"))
    assert "403" in told(provider.token(scope="orders:write"))
    assert "scope" in told(provider.token(scope="orders:write"))
    assert "no authenticator of the route is for it" in told(provider.token(iss="https://third.test"))
    assert "the key that it names is not known" in told(provider.token(SigningKey("second")))
    assert results(gateway) == counted, "nothing of it is counted as a request"
    unknown = gateway.admin.post("/v1/authenticators/check", json={"route": "none", "token": good})
    assert unknown.status_code == 404
