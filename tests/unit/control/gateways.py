"""Gateways to test with."""

import copy
from pathlib import Path
from typing import Any, cast

from tests.unit.control.fake_engine import FakeEngine
from tidegate._engine import Engine
from tidegate.ai.model_lifecycle import ModelLifecycle
from tidegate.ai.models import Models
from tidegate.ai.registry import Registry
from tidegate.auth.authentication import Authentication
from tidegate.control.events import Events
from tidegate.control.gateway import Gateway
from tidegate.control.source import Source
from tidegate.control.store import Store
from tidegate.control.words import Words

DOCUMENT: dict[str, Any] = {
    "workers": 1,
    "listeners": [{"name": "web", "address": "127.0.0.1:8080"}],
    "routes": [{"name": "all", "match": {"path": {"prefix": "/"}}, "upstream": "app", "timeout": "5s"}],
    "upstreams": [
        {"name": "app", "endpoints": ["127.0.0.1:9001", {"address": "127.0.0.1:9002", "weight": 2}]}
    ],
}

YAML = """\
workers: 1
listeners:
  - {name: web, address: 127.0.0.1:8080}
routes:
  - {name: all, match: {path: {prefix: /}}, upstream: app, timeout: 5s}
upstreams:
  - {name: app, endpoints: [127.0.0.1:9001]}
"""


def document(**options: Any) -> dict[str, Any]:
    """The usual configuration, with other options where given."""
    return {**copy.deepcopy(DOCUMENT), **options}


def make_gateway(
    *,
    source: Source | None = None,
    store: Store | None = None,
    engine: FakeEngine | None = None,
    state_dir: Path | None = None,
) -> tuple[Gateway, FakeEngine]:
    """A gateway that serves nothing yet."""
    fake, events = engine or FakeEngine(workers=1), Events()
    words = Words(cast(Engine, fake), events)
    source = source or Source(document=document())
    models = Models(cast(Engine, fake), Registry(state_dir))
    return Gateway(cast(Engine, fake), store or Store(), source, events, words, models), fake


def authentication(gateway: Gateway) -> Authentication:
    """What authenticators of a gateway go by."""
    return Authentication(gateway.engine, gateway.events)


def model_lifecycle(gateway: Gateway, state_dir: Path | None = None) -> ModelLifecycle:
    """What a gateway does for models; the engine has them from the gateway itself."""
    made = ModelLifecycle(gateway.engine, gateway.events, state_dir)
    made.models = cast(Models, gateway.models)
    return made


async def started_gateway(**parts: Any) -> tuple[Gateway, FakeEngine]:
    """A gateway that serves its source."""
    gateway, fake = make_gateway(**parts)
    await gateway.apply(gateway.source.read, "start")
    return gateway, fake


def file_source(folder: Path, text: str = YAML) -> Source:
    """A configuration file."""
    file = folder / "tidegate.yaml"
    file.write_text(text)
    return Source(file)
