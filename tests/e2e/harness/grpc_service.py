"""A gRPC service over grpcio, whose messages are plain bytes, and channels to it."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from .certs import CertFiles

SERVICE = "test.Echo"
OPTIONS: list[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
]
Context = grpc.ServicerContext
HEADERS = [("content-type", "application/grpc"), ("te", "trailers")]
"""Of an RPC."""


def message(content: bytes) -> bytes:
    """A message as it is framed on the wire (gRPC over HTTP2, Length-Prefixed-Message)."""
    return b"\0" + len(content).to_bytes(4, "big") + content


class GrpcService:
    """A server with one method of each kind, in plain text or over TLS."""

    def __init__(self, files: CertFiles | None = None) -> None:
        self.ended: dict[str, threading.Event] = {}
        """Set when the RPC with that name in its metadata has ended at the server."""
        self._server = grpc.server(ThreadPoolExecutor(16), options=OPTIONS)
        self._server.add_generic_rpc_handlers((self._methods(),))
        if files is None:
            self.port = self._server.add_insecure_port("127.0.0.1:0")
        else:
            pair = (files.key.read_bytes(), files.cert.read_bytes())
            credentials = grpc.ssl_server_credentials([pair])
            self.port = self._server.add_secure_port("127.0.0.1:0", credentials)
        self.address = f"127.0.0.1:{self.port}"

    def __enter__(self) -> "GrpcService":
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(0).wait()

    def named(self, name: str) -> threading.Event:
        """What is set when the RPC of this name ends."""
        return self.ended.setdefault(name, threading.Event())

    def _methods(self) -> grpc.GenericRpcHandler:
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "Say": grpc.unary_unary_rpc_method_handler(self._say),
                "Join": grpc.stream_unary_rpc_method_handler(self._join),
                "Split": grpc.unary_stream_rpc_method_handler(self._split),
                "Chat": grpc.stream_stream_rpc_method_handler(self._chat),
                "Fail": grpc.unary_unary_rpc_method_handler(self._fail),
                "Hold": grpc.unary_stream_rpc_method_handler(self._hold),
                "Quit": grpc.unary_stream_rpc_method_handler(self._quit),
                "Left": grpc.unary_unary_rpc_method_handler(self._left),
            },
        )

    def _say(self, said: bytes, context: Context) -> bytes:
        """Says the same; metadata comes back in both places where it may."""
        asked = [pair for pair in context.invocation_metadata() or () if pair[0] in ("x-ask", "x-ask-bin")]
        told = [(name.removeprefix("x-ask"), value) for name, value in asked]
        context.send_initial_metadata(tuple((f"x-initial{ending}", value) for ending, value in told))
        context.set_trailing_metadata(tuple((f"x-trailing{ending}", value) for ending, value in told))
        return said

    def _join(self, parts: Iterator[bytes], context: Context) -> bytes:
        return b",".join(parts)

    def _split(self, whole: bytes, context: Context) -> Iterator[bytes]:
        yield from whole.split(b",")

    def _chat(self, said: Iterator[bytes], context: Context) -> Iterator[bytes]:
        for each in said:
            yield each.upper()

    def _fail(self, words: bytes, context: Context) -> bytes:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, words.decode())
        raise AssertionError("unreachable")

    def _hold(self, name: bytes, context: Context) -> Iterator[bytes]:
        """One message, and then nothing until the RPC is over."""
        over = self.named(name.decode())
        context.add_callback(over.set)
        yield b"begun"
        over.wait(30)

    def _quit(self, _: bytes, context: Context) -> Iterator[bytes]:
        """One message, and then it is cancelled here."""
        yield b"begun"
        context.cancel()

    def _left(self, said: bytes, context: Context) -> bytes:
        """The seconds that it has."""
        return str(context.time_remaining()).encode()


class GrpcClient:
    """A channel to one port."""

    def __init__(self, port: int, ca: bytes | None = None) -> None:
        target = f"127.0.0.1:{port}"
        if ca is None:
            self.channel = grpc.insecure_channel(target, options=OPTIONS)
        else:
            named = [*OPTIONS, ("grpc.ssl_target_name_override", "localhost")]
            self.channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(ca), options=named)

    def __enter__(self) -> "GrpcClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()

    def at(self, path: str) -> Any:
        """One message each way, at any path."""
        return self.channel.unary_unary(path)

    def unary(self, method: str) -> Any:
        """One message each way."""
        return self.at(f"/{SERVICE}/{method}")

    def client_stream(self, method: str) -> Any:
        """Many messages, and one that comes back."""
        return self.channel.stream_unary(f"/{SERVICE}/{method}")

    def server_stream(self, method: str) -> Any:
        """One message, and many that come back."""
        return self.channel.unary_stream(f"/{SERVICE}/{method}")

    def stream(self, method: str) -> Any:
        """Many messages each way."""
        return self.channel.stream_stream(f"/{SERVICE}/{method}")


def failure(call: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    """The status that an RPC fails with, and its words."""
    try:
        call()
    except grpc.RpcError as error:
        return error.code(), error.details() or ""
    raise AssertionError("it did not fail")
