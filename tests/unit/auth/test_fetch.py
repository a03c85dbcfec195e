"""Documents of identity providers."""

import threading

import httpx
import pytest

from tests.e2e.harness.identity import KEYS, METADATA, Answer, IdentityProvider
from tidegate.auth import fetch
from tidegate.auth.discovery import discover, keys_address
from tidegate.auth.fetch import Fetcher, FetchError, fresh_seconds


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({}, 600),
        ({"cache-control": "max-age=300"}, 300),
        ({"cache-control": "public, Max-Age=300, must-revalidate"}, 300),
        ({"cache-control": "max-age=300", "age": "100"}, 200),
        ({"cache-control": "max-age=300", "age": "soon"}, 300),
        ({"cache-control": "max-age=1"}, 60),
        ({"cache-control": "max-age=0"}, 60),
        ({"cache-control": "max-age=86400"}, 3_600),
        ({"cache-control": "max-age=99999999999999"}, 3_600),
        ({"cache-control": "no-store, max-age=300"}, 60),
        ({"cache-control": "no-cache"}, 60),
        ({"cache-control": "s-maxage=300"}, 600),
        ({"cache-control": "nonsense"}, 600),
    ],
)
def test_a_document_is_fresh_between_a_minute_and_an_hour(fields: dict[str, str], seconds: float) -> None:
    assert fresh_seconds(httpx.Headers(fields)) == seconds


async def test_what_has_not_changed_is_not_sent_again() -> None:
    with IdentityProvider() as provider:
        provider.cache_control = "max-age=120"
        fetcher = Fetcher()
        first = await fetcher.fetch(provider.keys_address)
        again = await fetcher.fetch(provider.keys_address, first.etag)
        await fetcher.close()
    assert first.document == {"keys": [key.jwk() for key in provider.keys]}
    assert (again.document, again.etag, again.fresh_seconds) == (None, first.etag, 120)


HTML = {"content-type": "text/html"}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((200, HTML, b"<html>Sign in</html>"), "is no JSON, but text/html"),
        ((200, {}, b""), "is no JSON, but no type"),
        ((200, {}, b"[" * 100_000), "is no JSON"),
        ((200, {}, b'{"keys": ['), "is no JSON"),
        ((200, {}, b"[]"), "is JSON, but no object"),
        ((200, {}, b"\xff\xfe"), "is no JSON"),
        ((200, {}, b'{"a": "' + b"x" * (10 << 20) + b'"}'), "has more than 1048576 bytes"),
        ((200, {"content-encoding": "gzip"}, b"\x1f\x8b"), "is no JSON"),
        ((302, {"location": "/elsewhere"}, b""), "answers with status 302"),
        ((304, {}, b""), "answers with status 304"),
        ((500, {}, b"{}"), "answers with status 500"),
        ((204, {}, b""), "answers with status 204"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_is_no_document_is_refused(answer: Answer, reason: str) -> None:
    with (
        IdentityProvider() as provider,
        provider.answering(KEYS, lambda: answer),
        pytest.raises(FetchError) as refused,
    ):
        await Fetcher().fetch(provider.keys_address)
    assert f"{provider.keys_address} {reason}" in str(refused.value)


async def test_a_provider_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "TIMEOUT_SECONDS", 0.1)
    over = threading.Event()

    def never() -> Answer:
        over.wait(30)
        return 200, {}, b"{}"

    with IdentityProvider() as provider, provider.answering(KEYS, never):
        with pytest.raises(FetchError, match=r"has not answered within 0\.1 s"):
            await Fetcher().fetch(provider.keys_address)
        over.set()
    with pytest.raises(FetchError, match="cannot be read"):
        await Fetcher().fetch(provider.keys_address)
    with pytest.raises(FetchError, match="cannot be read"):
        await Fetcher().fetch("http://[nowhere/")


async def test_the_metadata_of_an_issuer_says_where_its_keys_are() -> None:
    with IdentityProvider() as provider:
        assert await discover(Fetcher(), provider.issuer) == provider.keys_address


ISSUER = "https://id.test"


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"issuer": "https://other.test", "jwks_uri": "https://id.test/k"}, "is of the issuer"),
        ({"issuer": "https://id.test/", "jwks_uri": "https://id.test/k"}, "is of the issuer"),
        ({"jwks_uri": "https://id.test/k"}, "is of the issuer None"),
        ({"issuer": ISSUER}, "names no address of keys"),
        ({"issuer": ISSUER, "jwks_uri": ["https://id.test/k"]}, "names no address of keys"),
        ({"issuer": ISSUER, "jwks_uri": "file:///etc/passwd"}, "names no address of keys"),
        ({"issuer": ISSUER, "jwks_uri": "http://id.test/k"}, "without TLS"),
    ],
)
def test_metadata_that_is_not_of_the_issuer_or_of_no_use_is_refused(
    metadata: dict[str, object], reason: str
) -> None:
    with pytest.raises(FetchError, match=reason):
        keys_address(metadata, ISSUER, ISSUER + METADATA)
