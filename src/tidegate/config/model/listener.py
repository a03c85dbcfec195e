"""Listeners: sockets that accept client connections, and what a client may cost."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tidegate.config.model.http3 import Http3
from tidegate.config.model.mark import CaPath, CertPath, CrlPath, Identity, KeyPath, OcspPath
from tidegate.config.model.networks import Networks
from tidegate.config.model.options import Options
from tidegate.config.model.owner import GroupName, UserName
from tidegate.config.model.rate import RateLimitNames
from tidegate.config.model.text import AsWritten, FieldName, FileMode, ListenAddress, Name, Network
from tidegate.config.model.unit import Positive, Size, Timeout, size

HttpVersion = Literal["http1", "http2", "http3"]
TlsVersion = Annotated[Literal["1.2", "1.3"], AsWritten()]


class Certificate(Options):
    """A certificate chain with its key."""

    cert: CertPath = Field(examples=["cert.pem"])
    """Path of the chain, leaf first, in PEM."""
    key: KeyPath = Field(examples=["key.pem"])
    """Path of the leaf's private key, in PEM."""
    ocsp: OcspPath | None = Field(default=None, examples=["ocsp.der"])
    """Path of an OCSP response (RFC 6960) in DER, stapled to the certificate."""


class ClientAuth(Options):
    """Mutual TLS: which client certificates are accepted."""

    ca: CaPath = Field(examples=["clients-ca.pem"])
    """Path of the certificate authorities, in PEM, that clients' certificates must chain to."""
    mode: Literal["require", "optional"] = "require"
    """`require`: no certificate, no connection; `optional`: a certificate that is shown must be valid."""
    crl: CrlPath | None = Field(default=None, examples=["clients.crl"])
    """Path of revocation lists (RFC 5280 section 5), in PEM or one in DER: certificates that are refused.
    Every authority needs one; null: nothing is revoked."""


class ListenerTls(Options):
    """TLS on a listener."""

    certificates: tuple[Certificate, ...] = Field(
        min_length=1, examples=[[{"cert": "cert.pem", "key": "key.pem"}]]
    )
    """Certificates, chosen by SNI; the first serves clients that name no known host."""
    min_version: TlsVersion = "1.2"
    """The oldest version of TLS that is accepted."""
    client_auth: ClientAuth | None = None
    """Whether clients are asked for a certificate; null: they are not."""
    session_tickets: bool = True
    """Whether session tickets are issued, so that a session can be resumed (RFC 8446 section 2.2)."""


class UnixSocket(Options):
    """Who may connect to a Unix socket, as its file says it: connecting takes the permission to write."""

    mode: FileMode | None = Field(default=None, examples=["0660"])
    """Permissions in octal digits; null: what the process's umask leaves."""
    owner: UserName | None = Field(default=None, examples=["www-data"])
    """Name or number of the user that it belongs to; null: the process's own."""
    group: GroupName | None = Field(default=None, examples=["www-data"])
    """Name or number of the group that it belongs to; null: the process's own."""


class ListenerLimits(Options):
    """What one client may cost. Each limit answers with its own error."""

    connections: Positive = 65536
    """Open connections on this listener, over all workers."""
    connections_per_client: Positive = 4096
    """Open connections of one client address on this listener."""
    header_bytes: Annotated[int, size(1024)] = 64 << 10
    """Bytes of a request's head: request line and all fields."""
    header_count: Positive = 100
    """Number of fields in a request."""
    uri_length: Annotated[int, size(64)] = 8 << 10
    """Bytes of a request target."""
    streams: Positive = 256
    """Concurrent streams of one connection over HTTP/2, and over HTTP/3."""
    linger_bytes: Size = 64 << 20
    """Bytes of an HTTP/1 request that are still read, and dropped, after its response."""


class ListenerTimeouts(Options):
    """How long a client may take."""

    handshake: Timeout = 10_000
    """TLS handshake, and the first bytes that tell the protocol."""
    header_read: Timeout = 10_000
    """From a request's first byte to the end of its head. A request of early data whose method is not safe
    waits as long for the end of its handshake, and then gets 425, where `handshake` is longer."""
    request_body: Timeout = 30_000
    """Longest silence while a request's body is read."""
    write: Timeout = 60_000
    """Longest time that a client takes none of a response."""
    idle: Timeout = 75_000
    """How long a connection may stay open without a request."""
    linger: Timeout = 10_000
    """How long the rest of an HTTP/1 request is read after its response, so that a client that sends all of
    it first gets to read the response."""


class Listener(Options):
    """A socket that accepts client connections."""

    name: Annotated[Name, Identity("listener")] = Field(examples=["web"])
    """Unique name; the identity that survives a reload."""
    address: ListenAddress
    """`ip:port`, `[ipv6]:port` or `unix:/path`."""
    unix: UnixSocket | None = None
    """The file of a listener at `unix:/path`; null: as the process makes files."""
    protocols: tuple[HttpVersion, ...] = Field(default=("http1", "http2"), min_length=1)
    """Versions of HTTP that are spoken; over TLS they are what ALPN offers. `http3` is spoken over UDP on the
    same port, only with TLS."""
    tls: ListenerTls | None = None
    """TLS settings; null: plain text."""
    http3: Http3 = Http3()
    """HTTP/3, where the protocols name it."""
    trusted_proxies: tuple[Network, ...] = Field(default=(), examples=[["10.0.0.0/8"]])
    """Peers whose `X-Forwarded-*`, `Forwarded` and other forwarding fields are believed; those of all others
    are taken off."""
    forwarding_headers: tuple[FieldName, ...] = Field(default=(), examples=[["cf-connecting-ip"]])
    """More header fields that only trusted proxies may write, beside those that are known."""
    networks: Networks | None = None
    """Peers that may connect, by their own addresses; others get no answer at all; null: any."""
    limits: ListenerLimits = ListenerLimits()
    """What one client may cost."""
    rate: RateLimitNames = Field(default=(), examples=[["connects"]])
    """Names of the rate limits that its connections must all pass as they are accepted."""
    timeouts: ListenerTimeouts = ListenerTimeouts()
    """How long a client may take."""

    @model_validator(mode="after")
    def _only_a_file_has_rights(self) -> Self:
        if self.unix is not None and not self.address.startswith("unix:"):
            raise ValueError(f"only a listener at unix:/path has the options of unix; found {self.address!r}")
        return self

    @model_validator(mode="after")
    def _http3_is_over_udp_with_tls(self) -> Self:
        if "http3" not in self.protocols:
            if self.http3 != Http3():
                raise ValueError("options of http3 are set, but protocols does not name http3: add it there")
            return self
        if self.address.startswith("unix:"):
            raise ValueError(f"HTTP/3 is spoken over UDP, which {self.address!r} is not")
        if self.tls is None:
            raise ValueError("HTTP/3 is spoken only with TLS; set the listener's tls")
        if self.http3.early_data and self.tls.client_auth:
            raise ValueError(
                "http3.early_data cannot be used with tls.client_auth, as it comes before the certificate: "
                "leave one out"
            )
        return self

    @model_validator(mode="after")
    def _a_file_has_no_networks(self) -> Self:
        if self.networks is not None and self.address.startswith("unix:"):
            raise ValueError("peers of a Unix socket have no addresses, so networks cannot be told apart")
        return self
