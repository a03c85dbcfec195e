"""As many clients of UDP as there are addresses in 127.0.0.0/8; none goes on with what it began."""

import os
import socket
import struct

from aioquic._buffer import Buffer
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.crypto import CryptoPair
from aioquic.quic.packet import QuicProtocolVersion, pull_quic_header

_IP_PKTINFO = 8
_CID = slice(6, 14)
"""Where a long header has its destination's id, of eight bytes (RFC 8999 §5.1)."""


class Crowd:
    """They share one socket: each datagram has its own source."""

    def __init__(self, port: int) -> None:
        self._server = ("127.0.0.1", port)
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.setblocking(False)
        self._sock.bind(("", 0))
        self.sent = 0
        """Bytes."""

    def __enter__(self) -> "Crowd":
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def send(self, data: bytes, client: int) -> None:
        """Send a datagram from this client's address."""
        source = bytes([127, 1 + (client >> 16), client >> 8 & 0xFF, client & 0xFF])
        info = struct.pack("=i4s4s", 0, source, source)
        self._sock.sendmsg([data], [(socket.IPPROTO_IP, _IP_PKTINFO, info)], 0, self._server)
        self.sent += len(data)

    def received(self) -> list[bytes]:
        """What has come for any of them."""
        datagrams = []
        while True:
            try:
                datagrams.append(self._sock.recv(65_536))
            except BlockingIOError:
                return datagrams


class Initials:
    """First packets of clients: one ClientHello under many connection ids, which is quicker than one each."""

    def __init__(self) -> None:
        configuration = QuicConfiguration(is_client=True, alpn_protocols=["h3"], server_name="localhost")
        connection = QuicConnection(configuration=configuration)
        connection.connect(("127.0.0.1", 1), now=0)
        [(datagram, _)] = connection.datagrams_to_send(now=0)
        header = pull_quic_header(buf := Buffer(data=datagram))
        crypto = CryptoPair()
        crypto.setup_initial(header.destination_cid, is_client=False, version=QuicProtocolVersion.VERSION_1)
        self._size = len(datagram)
        self._header, self._payload, _ = crypto.decrypt_packet(
            datagram[: header.packet_length], buf.tell(), 0
        )

    def make(self) -> bytes:
        """Another one."""
        header = bytearray(self._header)
        header[_CID] = os.urandom(8)
        crypto = CryptoPair()
        crypto.setup_initial(bytes(header[_CID]), is_client=True, version=QuicProtocolVersion.VERSION_1)
        return crypto.encrypt_packet(bytes(header), self._payload, 0).ljust(self._size, b"\0")
