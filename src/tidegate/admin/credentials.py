"""What a client of the admin API has to show."""

import ipaddress
from pathlib import Path

from tidegate.config.model import Admin
from tidegate.config.model.text import split_address
from tidegate.control import logs
from tidegate.control.gateway import Gateway, Running

log = logs.Logger("tidegate.admin")


def is_protected(admin: Admin) -> bool:
    """Whether not everyone on the network would be let in."""
    return _is_local(admin.address) or _asks_certificates(admin) or token_of(admin) is not None


def token_of(admin: Admin) -> str | None:
    """The bearer token. Raises OSError if its file cannot be read."""
    if admin.token_file is not None:
        return Path(admin.token_file).read_text(encoding="utf-8").strip()
    return admin.token.get_secret_value() if admin.token else None


class Credentials:
    """The token, as the running configuration says, and whether TLS asks clients for certificates."""

    def __init__(self, gateway: Gateway) -> None:
        self._started = gateway.running.config.admin
        self.client_certificates = _asks_certificates(self._started)
        self.token = token_of(self._started)
        gateway.on_commit.append(self._follow)

    def _follow(self, running: Running) -> None:
        """Take a new token. Address and TLS stay as they were at the start, and so does their protection."""
        try:
            token = token_of(running.config.admin)
        except OSError as error:
            log.error("the admin token cannot be read; the old one stays", error=str(error))
            return
        if token is not None or _is_local(self._started.address) or self.client_certificates:
            self.token = token


def _asks_certificates(admin: Admin) -> bool:
    return admin.tls is not None and admin.tls.client_ca is not None


def _is_local(address: str) -> bool:
    """Whether only this machine's users reach the address."""
    return address.startswith("unix:") or ipaddress.ip_address(split_address(address)[0]).is_loopback
