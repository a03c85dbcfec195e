"""Fetches JSON documents of identity providers, which are not trusted to be well."""

import asyncio
import json
import re
import ssl
from dataclasses import dataclass
from typing import Any

import httpx

from tidegate._engine import version

TIMEOUT_SECONDS = 10
"""For the whole of a document, from the connection to its last byte."""
LARGEST = 1 << 20
"""Bytes of a document."""
SHORTEST_SECONDS = 60
LONGEST_SECONDS = 3_600
"""A document is taken to be fresh at least and at most so long, whatever its Cache-Control says."""
USUAL_SECONDS = 600
"""And so long where it says nothing."""

_MAX_AGE = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,9})", re.IGNORECASE)
_UNCACHED = re.compile(r"(?:^|[\s,])no-(?:store|cache)\b", re.IGNORECASE)


class FetchError(Exception):
    """There is no such document to be had; the message says why."""


@dataclass(frozen=True)
class Fetched:
    """A document, or that it is still the one of before."""

    document: dict[str, Any] | None
    """None: it has not changed."""
    etag: str | None
    fresh_seconds: float
    """How long it need not be fetched again."""


class Fetcher:
    """Fetches documents of one identity provider.

    Redirects are not followed: where keys come from is said by the configuration and by the provider's own
    document, and by nothing on the way.
    """

    def __init__(self, authorities: bytes | None = None) -> None:
        """Trust the certificate `authorities` (PEM); None: those of the system."""
        context = ssl.create_default_context(cadata=authorities.decode() if authorities else None)
        headers = {
            "accept": "application/json, application/jwk-set+json",
            "accept-encoding": "identity",  # what is unpacked has no bound
            "user-agent": f"tidegate/{version()}",
        }
        self._client = httpx.AsyncClient(verify=context, headers=headers, timeout=TIMEOUT_SECONDS)

    async def fetch(self, url: str, etag: str | None = None) -> Fetched:
        """The document at `url`, unless it is still the one of that `etag`. Raises FetchError."""
        headers = {"if-none-match": etag} if etag else {}
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                async with self._client.stream("GET", url, headers=headers) as response:
                    return await _read(response, url, etag)
        except TimeoutError:
            raise FetchError(f"{url} has not answered within {TIMEOUT_SECONDS} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise FetchError(f"{url} cannot be read: {error or type(error).__name__}") from error

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()


async def _read(response: httpx.Response, url: str, etag: str | None) -> Fetched:
    fresh = fresh_seconds(response.headers)
    if response.status_code == httpx.codes.NOT_MODIFIED and etag:
        return Fetched(None, etag, fresh)
    if response.status_code != httpx.codes.OK:
        raise FetchError(f"{url} answers with status {response.status_code}")
    text = bytearray()
    async for piece in response.aiter_raw():
        text += piece
        if len(text) > LARGEST:
            raise FetchError(f"{url} has more than {LARGEST} bytes")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        kind = response.headers.get("content-type", "no type")
        raise FetchError(f"{url} is no JSON, but {kind}") from None
    if not isinstance(document, dict):
        raise FetchError(f"{url} is JSON, but no object")
    return Fetched(document, response.headers.get("etag"), fresh)


def fresh_seconds(headers: httpx.Headers) -> float:
    """How long a response with these fields is fresh (RFC 9111 section 4.2), within the bounds."""
    control = headers.get("cache-control", "")
    if _UNCACHED.search(control):
        return SHORTEST_SECONDS
    told = _MAX_AGE.search(control)
    if told is None:
        return USUAL_SECONDS
    age = headers.get("age", "0")
    left = int(told[1]) - (int(age) if age.isdecimal() else 0)
    return float(min(max(left, SHORTEST_SECONDS), LONGEST_SECONDS))
