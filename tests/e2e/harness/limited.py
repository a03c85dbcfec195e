"""Configurations with rate limits."""

from typing import Any

from .configs import proxy, route
from .gateway import Config
from .origin import Origin

HOUR = {"quota": 3, "per": "1h"}


def limited(*limits: dict[str, Any], origin: Origin | None = None, **options: Any) -> Config:
    """Everything has these limits, and is answered by the gateway itself where there is no origin."""
    config = proxy(*([origin.address] if origin else []), rate_limits=list(limits), **options)
    names = {"limits": {"rate": [limit["name"] for limit in limits]}}
    config["routes"] = [route("all", "/", **({} if origin else {"respond": {"body": "let go"}}), **names)]
    return config


def limit(name: str = "few", *windows: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {"name": name, "windows": list(windows or [HOUR]), **options}
