"""Changes of an upstream's endpoints, as edits of the document."""

from typing import Any

from tidegate.control.document import Document
from tidegate.control.gateway import ConflictError, MissingError


def add(document: Document, upstream: str, endpoint: dict[str, Any]) -> Document:
    """With one endpoint more. Raises MissingError, and ConflictError if that address is there already."""
    endpoints = _endpoints(document, upstream)
    if any(each["address"] == endpoint["address"] for each in endpoints):
        raise ConflictError(f"upstream {upstream} has an endpoint {endpoint['address']} already")
    return _with_endpoints(document, upstream, [*endpoints, endpoint])


def change(document: Document, upstream: str, address: str, options: dict[str, Any]) -> Document:
    """With other options for one endpoint; those that are None go. Raises MissingError."""
    endpoints = _endpoints(document, upstream)
    _require(endpoints, upstream, address)
    gone = {name for name, value in options.items() if value is None}
    changed = [
        {name: value for name, value in {**each, **options}.items() if name not in gone}
        if each["address"] == address
        else each
        for each in endpoints
    ]
    return _with_endpoints(document, upstream, changed)


def remove(document: Document, upstream: str, address: str) -> Document:
    """Without one endpoint. Raises MissingError."""
    endpoints = _endpoints(document, upstream)
    _require(endpoints, upstream, address)
    return _with_endpoints(document, upstream, [each for each in endpoints if each["address"] != address])


def _endpoints(document: Document, upstream: str) -> list[dict[str, Any]]:
    for each in document.get("upstreams", []):
        if each["name"] == upstream:
            endpoints: list[dict[str, Any]] = each.get("endpoints", [])
            return endpoints
    raise MissingError(f"there is no upstream {upstream}")


def _require(endpoints: list[dict[str, Any]], upstream: str, address: str) -> None:
    if all(each["address"] != address for each in endpoints):
        raise MissingError(f"upstream {upstream} has no endpoint {address}")


def _with_endpoints(document: Document, upstream: str, endpoints: list[dict[str, Any]]) -> Document:
    upstreams = [
        {**each, "endpoints": endpoints} if each["name"] == upstream else each
        for each in document["upstreams"]
    ]
    return {**document, "upstreams": upstreams}
