"""The admin API: where it listens and who may use it."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from tidegate.config.model.mark import CaPath, CertPath, KeyPath, ReadOnce, TokenPath
from tidegate.config.model.options import Options
from tidegate.config.model.secret import Secret
from tidegate.config.model.text import ListenAddress


class AdminTls(Options):
    """TLS on the admin API."""

    cert: CertPath = Field(examples=["admin.pem"])
    """Path of the certificate chain, leaf first, in PEM."""
    key: KeyPath = Field(examples=["admin-key.pem"])
    """Path of the leaf's private key, in PEM."""
    client_ca: CaPath | None = Field(default=None, examples=["operators-ca.pem"])
    """Path of the certificate authorities, in PEM, for clients' certificates; null: none is asked for."""


class Admin(Options):
    """The admin API. Off the loopback interface it demands a token or client certificates."""

    enabled: Annotated[bool, ReadOnce()] = True
    """Whether there is an admin API at all."""
    address: Annotated[ListenAddress, ReadOnce()] = Field(default="127.0.0.1:9090")
    """`ip:port`, `[ipv6]:port` or `unix:/path`."""
    token: Secret | None = Field(default=None, min_length=16, examples=["${ADMIN_TOKEN}"])
    """Bearer token (RFC 6750) that every request must carry, at least 16 characters; null: none."""
    token_file: TokenPath | None = Field(default=None, examples=["/run/secrets/tidegate-token"])
    """Path of a file that holds the token."""
    tls: Annotated[AdminTls | None, ReadOnce()] = None
    """TLS settings; null: plain text."""

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        self.require_at_most_one("token", "token_file")
        return self
