"""A request that is only asked about, in the words of the engine's question `route`."""

import ipaddress
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit


def question(
    method: str, url: str, headers: Sequence[tuple[str, str]], client: str, listener: str | None
) -> dict[str, Any]:
    """What the question `route` takes. A `Host` among the headers holds over the URL's.

    Raises ValueError with what is wrong with the URL or the address.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") and not url.startswith("/"):
        raise ValueError(f"{url!r} is neither an http or https URL nor a path")
    ipaddress.ip_address(client)
    host = next((value for name, value in headers if name.lower() == "host"), parts.netloc.rpartition("@")[2])
    return {
        "method": method.upper(),
        "scheme": parts.scheme or "http",
        "host": host,
        "path": parts.path or "/",
        "query": parts.query,
        "headers": [[name, value] for name, value in headers],
        "client": client,
        "listener": listener,
    }
