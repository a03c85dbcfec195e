"""Texts with rules: addresses, host names, field names and values, methods, paths."""

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from tidegate.config.model.unit import describe

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", re.ASCII)
_HOST = re.compile(
    r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?", re.ASCII
)
_ORIGIN = re.compile(
    r"([a-z][a-z0-9+.-]*)://(?:(\*)\.)?([^/?#@:\[\]]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?", re.ASCII
)
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_RPC_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9_~.-]*){2}", re.ASCII)
_MODE = re.compile(r"(0o?)?[0-7]{3}", re.ASCII)
_PORT = re.compile(r"\d{1,5}", re.ASCII)


def split_address(text: str) -> tuple[str, int]:
    """Host (an IPv6 address without its brackets) and port of `host:port`.

    Raises ValueError if it is not of that form.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not _PORT.fullmatch(port) or int(port) > 65535:
        raise ValueError(
            f"expected an address with a port, like 127.0.0.1:8080 or [::1]:8080; found {text!r}"
        )
    if host.startswith("[") and host.endswith("]"):
        return _ipv6(host[1:-1]), int(port)
    if ":" in host:
        raise ValueError(f"expected an IPv6 address in brackets, like [::1]:8080; found {text!r}")
    return host, int(port)


def _ipv6(text: str) -> str:
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        raise ValueError(f"expected an IPv6 address between [ and ]; found {text!r}") from None


def _socket_path(text: str) -> str:
    if not text.startswith("unix:/") or "\0" in text or len(text.encode()) > 112:
        raise ValueError(f"expected unix: and an absolute path of at most 107 bytes; found {text!r}")
    return text


def _listen_address(text: str) -> str:
    if text.startswith("unix:"):
        return _socket_path(text)
    host, port = split_address(text)
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        hint = f"write 0.0.0.0:{port} for all interfaces" if host in {"", "*"} else "write its IP address"
        raise ValueError(f"expected an IP address and a port; found {text!r}; {hint}") from None
    return f"[{ip}]:{port}" if ip.version == 6 else f"{ip}:{port}"


@lru_cache(16_384)
def endpoint_address(text: str) -> str:
    """The one spelling of an endpoint's address.

    Raises ValueError if it is none.
    """
    if text.startswith("unix:"):
        return _socket_path(text)
    host, port = split_address(text)
    if port == 0:
        raise ValueError(f"expected a port from 1 to 65535; found {text!r}")
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        last_label = host.rpartition(".")[2]
        if not _HOST.fullmatch(host.lower()) or len(host) > 253 or last_label.isdecimal():
            raise ValueError(
                f"expected an IP address or a host name before the port; found {text!r}"
            ) from None
        return f"{host.lower()}:{port}"
    return f"[{ip}]:{port}" if ip.version == 6 else f"{ip}:{port}"


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise ValueError(f"expected a network like 10.0.0.0/8 or fd00::/8; found {text!r}") from None


def _host_pattern(text: str) -> str:
    host = text.lower()
    bare = host.removeprefix("*.")
    if host.startswith("[") and host.endswith("]"):
        return f"[{_ipv6(host[1:-1])}]"
    if not _HOST.fullmatch(bare) or len(bare) > 253:
        raise ValueError(
            f"expected a host name like api.example.com or *.example.com, without a port; found {text!r}"
        )
    return host


def _web_origin(text: str) -> str:
    origin = text.lower()
    if origin in {"*", "null"}:
        return origin
    if origin.startswith("*."):
        origin = f"https://{origin}"
    parts = _ORIGIN.fullmatch(origin)
    host = parts[3] if parts else ""
    if parts and host.startswith("["):
        host = f"[{_ipv6(host[1:-1])}]"
    elif not parts or not _HOST.fullmatch(host) or len(host) > 253:
        hint = "; an origin has no path" if origin.count("/") > 2 else ""
        raise ValueError(
            f"expected an origin like https://app.example.com or https://*.example.com; found {text!r}{hint}"
        )
    port = "" if parts[4] in {None, _DEFAULT_PORTS.get(parts[1])} else f":{int(parts[4])}"
    return f"{parts[1]}://{'*.' if parts[2] else ''}{host}{port}"


def _token(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise ValueError(f"expected a name of letters, digits and - (RFC 9110 section 5.6.2); found {text!r}")
    return text


def _field_value(text: str) -> str:
    if _has_control(text.replace("\t", " ")):
        raise ValueError("expected a field value without control characters (RFC 9110 section 5.5)")
    return text


def _file_mode(text: str) -> str:
    if not _MODE.fullmatch(text):
        raise ValueError(f"expected permissions in octal digits, like 0660; found {text!r}")
    return f"0{text[-3:]}"


def _has_control(text: str) -> bool:
    return _CONTROL.search(text) is not None


def _absolute_path(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError(f"expected a path that starts with /; found {text!r}")
    if _has_control(text):
        raise ValueError(f"expected a path without control characters; found {text!r}")
    return text


def _rpc_path(text: str) -> str:
    if not _RPC_PATH.fullmatch(text):
        raise ValueError(
            f"expected the path of one method, without variables, like /shop.Orders/Place; found {text!r}"
        )
    return text


def _number_as_text(value: Any) -> Any:
    """YAML reads `1.2` as a number where a text is meant."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _name(text: str) -> str:
    if not text.strip() or _has_control(text):
        raise ValueError(f"expected a name; found {describe(text)}")
    return text


@dataclass(frozen=True, slots=True)
class AsWritten:
    """A text as which a number is taken too, in the way that it is written: `1.10` is no `1.1`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_number_as_text, handler(source))


Name = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_name)]
"""An identity: what references, metrics and log lines call a thing."""

Token = Annotated[str, AfterValidator(_token)]
"""A word as protocols allow it (RFC 9110 section 5.6.2)."""

ListenAddress = Annotated[str, AfterValidator(_listen_address), Field(examples=["0.0.0.0:8080"])]
EndpointAddress = Annotated[str, AfterValidator(endpoint_address), Field(examples=["127.0.0.1:9001"])]
Network = Annotated[str, AfterValidator(_network), Field(examples=["10.0.0.0/8"])]
HostPattern = Annotated[str, AfterValidator(_host_pattern), Field(examples=["api.example.com"])]
FileMode = Annotated[str, AfterValidator(_file_mode), AsWritten()]
WebOrigin = Annotated[str, AfterValidator(_web_origin), Field(examples=["https://app.example.com"])]
"""A scheme, a host and a port, as browsers name where a page is from; or a pattern of such."""
Method = Annotated[Token, AfterValidator(str.upper), Field(examples=["GET"])]
FieldName = Annotated[Token, Field(examples=["x-team"])]
FieldValue = Annotated[
    str,
    AfterValidator(_field_value),
    AsWritten(),
    WithJsonSchema({"type": ["string", "number"]}, mode="validation"),
]
RpcPath = Annotated[str, Field(max_length=256, examples=["/shop.Orders/Place"]), AfterValidator(_rpc_path)]
"""The path of a method of gRPC: `/{service}/{method}`, of what never stands encoded in a path."""
AbsolutePath = Annotated[str, AfterValidator(_absolute_path), Field(examples=["/v1"])]


def each_once(kind: str) -> AfterValidator:
    """Lists of names of this kind in which none stands twice."""

    def check(names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"expected each {kind} once; found {name!r} {names.count(name)} times")
        return names

    return AfterValidator(check)
