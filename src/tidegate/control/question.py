"""A request that is only asked about, in the words of the engine's question `route`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from tidegate.config.model import Config, Listener
from tidegate.config.model.text import split_address

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class RouteQuestion:
    """What is asked of the engine."""

    request: dict[str, Any]
    """What the question `route` takes."""
    assumed: str | None
    """What was assumed because the request does not say it."""


def question(
    config: Config, method: str, url: str, headers: Sequence[tuple[str, str]], listener: str | None
) -> RouteQuestion:
    """Which route of `config` takes the request. A `Host` among the headers holds over the URL's.

    Without a listener, it is the one that the URL's scheme and port lead to. Raises ValueError with what is
    wrong with the URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in PORTS and not url.startswith("/"):
        raise ValueError(f"{url!r} is neither an http or https URL nor a path")
    assumed = None
    if listener is None:
        listener, assumed = _listener(config, parts)
    host = next((value for name, value in headers if name.lower() == "host"), parts.netloc.rpartition("@")[2])
    request = {
        "method": method.upper(),
        "scheme": parts.scheme or _scheme_of(config, listener),
        "host": host,
        "path": parts.path or "/",
        "query": parts.query,
        "headers": [[name, value] for name, value in headers],
        "listener": listener,
    }
    return RouteQuestion(request, assumed)


def _listener(config: Config, parts: SplitResult) -> tuple[str | None, str | None]:
    """The listener that a URL leads to, and what was assumed."""
    if not config.listeners:
        return None, "there are no listeners"
    first = config.listeners[0].name
    if not parts.scheme:
        return first, f"{first} is the listener, because the URL names none"
    speaking = [each for each in config.listeners if _scheme(each) == parts.scheme]
    if not speaking:
        return first, f"{first} is the listener, because none speaks {parts.scheme}"
    port = parts.port or PORTS[parts.scheme]
    reached = [each for each in speaking if _port(each) == port]
    found = (reached or speaking)[0].name
    if not reached:
        return found, f"{found} is the listener, because none that speaks {parts.scheme} has port {port}"
    if len(reached) > 1:
        return found, f"{found} is the listener: it is the first of {len(reached)} that have port {port}"
    return found, None


def _scheme_of(config: Config, listener: str | None) -> str:
    return next((_scheme(each) for each in config.listeners if each.name == listener), "http")


def _scheme(listener: Listener) -> str:
    return "https" if listener.tls else "http"


def _port(listener: Listener) -> int | None:
    unix = listener.address.startswith("unix:")
    return None if unix else split_address(listener.address)[1]
