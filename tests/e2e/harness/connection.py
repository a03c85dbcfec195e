"""A client's end of a connection."""

import socket
import ssl
from typing import Self


class Connection:
    """A socket, plain or with TLS, that is closed at the end of its `with`."""

    sock: socket.socket | ssl.SSLSocket

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection in an orderly way."""
        self.sock.close()
