"""An identity provider on loopback: metadata, keys, and tokens that are signed as they should be or not."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

METADATA = "/.well-known/openid-configuration"
KEYS = "/keys"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
Answer = tuple[int, dict[str, str], bytes]
"""Status, fields and content."""


def encoded(data: bytes | str | dict[str, Any]) -> str:
    """As a part of a token."""
    if isinstance(data, dict):
        data = json.dumps(data)
    if isinstance(data, str):
        data = data.encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int) -> str:
    return encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))


class SigningKey:
    """A key of an identity provider."""

    def __init__(self, kid: str, key: PrivateKey | None = None) -> None:
        self.kid = kid
        self.key = key or ec.generate_private_key(ec.SECP256R1())

    @property
    def algorithm(self) -> str:
        """The one that it signs with."""
        match self.key:
            case rsa.RSAPrivateKey():
                return "RS256"
            case ec.EllipticCurvePrivateKey():
                return "ES256"
        return "EdDSA"

    def jwk(self) -> dict[str, Any]:
        """The public key (RFC 7517)."""
        common = {"kid": self.kid, "use": "sig"}
        match self.key:
            case rsa.RSAPrivateKey():
                numbers = self.key.public_key().public_numbers()
                return {**common, "kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
            case ec.EllipticCurvePrivateKey():
                point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
                half = len(point) // 2
                x, y = encoded(point[1 : half + 1]), encoded(point[half + 1 :])
                return {**common, "kty": "EC", "crv": f"P-{half * 8}", "x": x, "y": y}
        raw = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return {**common, "kty": "OKP", "crv": "Ed25519", "x": encoded(raw)}

    def sign(self, data: bytes) -> bytes:
        """A signature of `data` (RFC 7518 section 3)."""
        match self.key:
            case rsa.RSAPrivateKey():
                return self.key.sign(data, padding.PKCS1v15(), SHA256())
            case ec.EllipticCurvePrivateKey():
                size = (self.key.curve.key_size + 7) // 8
                signature = decode_dss_signature(self.key.sign(data, ec.ECDSA(SHA256())))
                return b"".join(number.to_bytes(size, "big") for number in signature)
        return self.key.sign(data)

    def token(self, claims: bytes | str | dict[str, Any], **header: Any) -> str:
        """A token with these claims, and with these members of its header beside the usual ones."""
        head = {"alg": self.algorithm, "kid": self.kid, "typ": "JWT", **header}
        present = {name: value for name, value in head.items() if value is not None}
        signed = f"{encoded(present)}.{encoded(claims)}"
        return f"{signed}.{encoded(self.sign(signed.encode()))}"


class IdentityProvider:
    """Serves its metadata and keys; what it answers can be set to something else."""

    def __init__(self, *keys: SigningKey) -> None:
        self.keys = list(keys) or [SigningKey("first")]
        self.answers: dict[str, Callable[[], Answer]] = {METADATA: self.metadata, KEYS: self.key_set}
        self.seen: list[tuple[str, dict[str, str]]] = []
        """The path and fields of each request."""
        self.arrived = threading.Condition()
        self.cache_control: str | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def keys_address(self) -> str:
        """Where its keys are."""
        return self.issuer + KEYS

    def token(
        self, key: SigningKey | None = None, header: dict[str, Any] | None = None, **claims: Any
    ) -> str:
        """A token that should be believed, but for these claims; None takes one away."""
        return (key or self.keys[-1]).token(self.claims(**claims), **(header or {}))

    def claims(self, **claims: Any) -> dict[str, Any]:
        """What such a token claims."""
        usual = {"iss": self.issuer, "aud": "api", "sub": "alice", "exp": int(time.time()) + 300}
        return {name: value for name, value in {**usual, **claims}.items() if value is not None}

    def metadata(self) -> Answer:
        """OpenID Connect Discovery 1.0."""
        return self.json({"issuer": self.issuer, "jwks_uri": self.keys_address})

    def key_set(self) -> Answer:
        """The keys of now, with an entity tag of theirs."""
        return self.json({"keys": [key.jwk() for key in self.keys]})

    def json(self, document: Any) -> Answer:
        """A document in JSON."""
        content = json.dumps(document).encode()
        fields = {"content-type": "application/json", "etag": f'"{hash(content):x}"'}
        if self.cache_control:
            fields["cache-control"] = self.cache_control
        return 200, fields, content

    @contextmanager
    def answering(self, path: str, answer: Callable[[], Answer]) -> Iterator[None]:
        """Answer requests of `path` so meanwhile."""
        usual, self.answers[path] = self.answers[path], answer
        try:
            yield
        finally:
            self.answers[path] = usual

    def wait_for_requests(self, path: str, count: int, seconds: float = 30) -> None:
        """Wait until so many requests of `path` have come."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: self.count(path) >= count, seconds), f"{self.seen}"

    def count(self, path: str) -> int:
        """How many requests of `path` have come."""
        return sum(seen == path for seen, _ in self.seen)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                with provider.arrived:
                    provider.seen.append(
                        (self.path, {name.lower(): value for name, value in self.headers.items()})
                    )
                    provider.arrived.notify_all()
                answer = provider.answers.get(self.path, lambda: (404, {}, b""))
                status, fields, content = answer()
                if "etag" in fields and fields["etag"] == self.headers["if-none-match"]:
                    status, content = 304, b""
                self.send_response(status)
                for name, value in fields.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Nothing is logged."""

        return Handler
