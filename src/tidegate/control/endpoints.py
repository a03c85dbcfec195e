"""An upstream's endpoints: as they are configured, and changes of them as edits of the upstream."""

from typing import Any

from tidegate.config.model import Upstream
from tidegate.config.model.upstream import Endpoint
from tidegate.control.gateway import ConflictError, MissingError, Running
from tidegate.control.members import Data, Edit, missing


def find(running: Running, upstream: str, address: str) -> Endpoint | None:
    """The endpoint as it is configured."""
    member = running.loaded.members["upstreams"].get(upstream)
    if member is None or not isinstance(member.model, Upstream):
        return None
    return next((each for each in member.model.endpoints if each.address == address), None)


def adding(upstream: str, endpoint: Data) -> Edit:
    """One endpoint more. Raises MissingError, and ConflictError if that address is there already."""

    def edit(current: Data | None) -> Data:
        endpoints = _endpoints(current, upstream)
        if any(each["address"] == endpoint["address"] for each in endpoints):
            raise ConflictError(f"upstream {upstream} has an endpoint {endpoint['address']} already")
        return {**(current or {}), "endpoints": [*endpoints, endpoint]}

    return edit


def removing(upstream: str, address: str) -> Edit:
    """One endpoint less. Raises MissingError."""

    def edit(current: Data | None) -> Data:
        endpoints = _endpoints(current, upstream)
        left = [each for each in endpoints if each["address"] != address]
        if len(left) == len(endpoints):
            raise MissingError(f"upstream {upstream} has no endpoint {address}")
        return {**(current or {}), "endpoints": left}

    return edit


def _endpoints(current: Data | None, upstream: str) -> list[dict[str, Any]]:
    if current is None:
        raise missing("upstreams", upstream)
    endpoints: list[dict[str, Any]] = current.get("endpoints", [])
    return endpoints
