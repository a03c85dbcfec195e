"""The keys of all authenticators."""

import asyncio
from typing import Any, cast

import pytest

from tests.e2e.harness.identity import KEYS, IdentityProvider, SigningKey
from tests.unit.control.fake_engine import FakeEngine
from tests.unit.control.gateways import document, make_gateway
from tidegate._engine import Engine
from tidegate.auth.keys import Keys, providers
from tidegate.auth.provider import Provider
from tidegate.control.gateway import Gateway, MissingError
from tidegate.control.source import Source


def users(**jwt: Any) -> dict[str, Any]:
    """A configuration with an authenticator of that name."""
    return document(authenticators=[{"name": "users", "jwt": jwt}])


async def serving(configuration: dict[str, Any]) -> tuple[Gateway, FakeEngine]:
    gateway, engine = make_gateway(source=Source(document=configuration))
    await gateway.apply(gateway.source.read, "start")
    return gateway, engine


async def test_the_providers_are_those_whose_keys_are_fetched() -> None:
    gateway, _ = await serving(
        document(
            authenticators=[
                {"name": "a", "jwt": {"issuer": "https://a.test", "jwks": {"discover": True}}},
                {"name": "b", "jwt": {"issuer": "https://b.test", "jwks": {"url": "https://b.test/k"}}},
                {"name": "c", "jwt": {"secret": "a secret of thirty-two characters"}},
                {"name": "d", "api_key": {}},
            ]
        )
    )
    assert providers(gateway.running.loaded) == [
        Provider("a", "https://a.test", None, None),
        Provider("b", "https://b.test/k", "https://b.test/k", None),
    ]


async def test_keys_follow_what_is_served() -> None:
    with IdentityProvider() as provider, IdentityProvider() as other:
        gateway, engine = await serving(users(issuer=provider.issuer, jwks={"discover": True}))
        keys = Keys(cast(Engine, engine), gateway.events)
        keys.follow(gateway.running)
        assert (await keys.refresh("users")).source == provider.issuer
        moved = users(issuer=other.issuer, jwks={"discover": True})
        await gateway.edit(lambda _: moved, "admin")
        keys.follow(gateway.running)
        assert (await keys.refresh("users")).source == other.issuer
        assert engine.keys["users"]["source"] == other.issuer
        await gateway.edit(lambda _: document(), "admin")
        keys.follow(gateway.running)
        assert keys.state("users") is None
        with pytest.raises(MissingError):
            await keys.refresh("users")


async def following(provider: IdentityProvider) -> tuple[Keys, Gateway, FakeEngine]:
    """The keys of a gateway whose users are those of the provider, fetched once."""
    gateway, engine = await serving(users(issuer=provider.issuer, jwks={"discover": True}))
    keys = Keys(cast(Engine, engine), gateway.events)
    keys.follow(gateway.running)
    await keys.refresh("users")
    return keys, gateway, engine


async def test_what_did_not_change_is_not_fetched_again() -> None:
    with IdentityProvider() as provider:
        keys, gateway, _ = await following(provider)
        fetched = provider.count(KEYS)
        keys.follow(gateway.running)
        assert provider.count(KEYS) == fetched


async def test_a_key_that_the_engine_does_not_know_is_fetched_and_is_no_event() -> None:
    with IdentityProvider() as provider:
        keys, gateway, engine = await following(provider)
        fetched = provider.count(KEYS)
        provider.keys.append(SigningKey("second"))
        gateway.events.hear(cast(Engine, engine))
        before = gateway.events.begin, len(gateway.events.read(0).events)
        for name in ("users", "none"):
            engine.told.put([{"time": 1.0, "kind": "unknown_key", "authenticator": name, "kid": "second"}])
        await asyncio.to_thread(provider.wait_for_requests, KEYS, fetched + 1)
        assert len((await keys.refresh("users")).source) > 0
        assert len(engine.keys["users"]["jwks"]["keys"]) == 2
        assert (gateway.events.begin, len(gateway.events.read(0).events)) == before
        engine.drain(0)
