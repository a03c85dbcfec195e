"""What a client of the admin API has to show."""

import ipaddress
from pathlib import Path

from tidegate.config.model import Admin
from tidegate.config.model.text import split_address
from tidegate.control.gateway import Gateway, Running


class UnprotectedError(Exception):
    """The admin API would be open to the network."""


class Credentials:
    """The token, as the running configuration says, and whether TLS asks clients for certificates."""

    def __init__(self, gateway: Gateway) -> None:
        """Follow the configuration. Raises UnprotectedError if everyone on the network would be let in."""
        admin = gateway.running.config.admin
        self.client_certificates = admin.tls is not None and admin.tls.client_ca is not None
        self.token = _token(admin)
        self._loopback = _is_local(admin.address)
        self._check()
        gateway.on_commit.append(self._follow)

    def _follow(self, running: Running) -> None:
        token = _token(running.config.admin)
        if token is None and not self._loopback and not self.client_certificates:
            return  # the address is still the old one, so the old token is still asked for
        self.token = token

    def _check(self) -> None:
        if self.token is None and not self._loopback and not self.client_certificates:
            raise UnprotectedError(
                "an admin address that is not loopback needs a token or TLS client certificates"
            )


def _token(admin: Admin) -> str | None:
    if admin.token_file is not None:
        return Path(admin.token_file).read_text(encoding="utf-8").strip()
    return admin.token


def _is_local(address: str) -> bool:
    """Whether only this machine's users reach the address."""
    return address.startswith("unix:") or ipaddress.ip_address(split_address(address)[0]).is_loopback
