"""OpenID Connect Discovery 1.0: where an issuer's keys are."""

from typing import Any

from tidegate.auth.fetch import Fetcher, FetchError

WELL_KNOWN = "/.well-known/openid-configuration"


async def discover(fetcher: Fetcher, issuer: str) -> str:
    """The address of the issuer's key set. Raises FetchError."""
    url = issuer.removesuffix("/") + WELL_KNOWN
    fetched = await fetcher.fetch(url)
    return keys_address(fetched.document or {}, issuer, url)


def keys_address(metadata: dict[str, Any], issuer: str, url: str) -> str:
    """The address of the key set that the `metadata` at `url` names. Raises FetchError.

    The issuer in it must be the one that is sought, to the letter (section 4.3); and keys that are fetched by
    HTTP in the clear could be anyone's, so an issuer with TLS has them by TLS too.
    """
    if metadata.get("issuer") != issuer:
        raise FetchError(f"{url} is of the issuer {metadata.get('issuer')!r}, not of {issuer!r}")
    address = metadata.get("jwks_uri")
    if not isinstance(address, str) or not address.startswith(("https://", "http://")):
        raise FetchError(f"{url} names no address of keys (`jwks_uri`)")
    if issuer.startswith("https://") and not address.startswith("https://"):
        raise FetchError(f"{url} names an address of keys without TLS: {address}")
    return address
