"""Configurations that tests begin with."""

from typing import Any

from .certs import Authority
from .gateway import Config
from .ports import free_port


def upstream(name: str, *endpoints: Any, **options: Any) -> dict[str, Any]:
    """An upstream of endpoints, each an address or a mapping."""
    return {"name": name, "endpoints": list(endpoints), **options}


def route(name: str, path: str | None = None, **options: Any) -> dict[str, Any]:
    """A route by path prefix; without an action it goes to the upstream `app`."""
    match = dict(options.pop("match", {}))
    if path is not None:
        match["path"] = {"prefix": path}
    actions = {"upstream", "split", "redirect", "respond"}
    if not actions & options.keys():
        options["upstream"] = "app"
    return {"name": name, "match": match, **options}


def listener(name: str, **options: Any) -> dict[str, Any]:
    """A listener on a free port of 127.0.0.1."""
    return {"name": name, "address": f"127.0.0.1:{free_port()}", **options}


def quic_listener(authority: Authority, name: str = "quic", **options: Any) -> dict[str, Any]:
    """A listener that speaks HTTP/3 beside the other versions."""
    certificate = authority.issue("localhost", file="http3").config()
    options = {"protocols": ["http1", "http2", "http3"], **options}
    return listener(name, tls={"certificates": [certificate]}, **options)


def proxy(*endpoints: Any, **options: Any) -> Config:
    """Everything goes to the upstream `app` of these endpoints; `options` are further top-level settings."""
    return {
        "listeners": [listener("web")],
        "routes": [route("all", "/")],
        "upstreams": [upstream("app", *endpoints)],
        **options,
    }
