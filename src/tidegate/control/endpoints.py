"""An upstream's endpoints: as they are configured, and changes of them as edits of the document."""

from typing import Any

from tidegate.config.model import Config
from tidegate.config.model.upstream import Endpoint
from tidegate.control.document import Document
from tidegate.control.gateway import ConflictError, MissingError


def find(config: Config, upstream: str, address: str) -> Endpoint | None:
    """The endpoint as it is configured."""
    found = (endpoint for each in config.upstreams if each.name == upstream for endpoint in each.endpoints)
    return next((endpoint for endpoint in found if endpoint.address == address), None)


def add(document: Document, upstream: str, endpoint: dict[str, Any]) -> Document:
    """With one endpoint more. Raises MissingError, and ConflictError if that address is there already."""
    endpoints = _endpoints(document, upstream)
    if any(each["address"] == endpoint["address"] for each in endpoints):
        raise ConflictError(f"upstream {upstream} has an endpoint {endpoint['address']} already")
    return _with_endpoints(document, upstream, [*endpoints, endpoint])


def remove(document: Document, upstream: str, address: str) -> Document:
    """Without one endpoint. Raises MissingError."""
    endpoints = _endpoints(document, upstream)
    if all(each["address"] != address for each in endpoints):
        raise MissingError(f"upstream {upstream} has no endpoint {address}")
    return _with_endpoints(document, upstream, [each for each in endpoints if each["address"] != address])


def _endpoints(document: Document, upstream: str) -> list[dict[str, Any]]:
    for each in document.get("upstreams", []):
        if each["name"] == upstream:
            endpoints: list[dict[str, Any]] = each.get("endpoints", [])
            return endpoints
    raise MissingError(f"there is no upstream {upstream}")


def _with_endpoints(document: Document, upstream: str, endpoints: list[dict[str, Any]]) -> Document:
    upstreams = [
        {**each, "endpoints": endpoints} if each["name"] == upstream else each
        for each in document["upstreams"]
    ]
    return {**document, "upstreams": upstreams}
