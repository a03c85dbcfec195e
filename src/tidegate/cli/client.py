"""The admin API, as commands call it."""

import getpass
import inspect
import json
import os
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any

from tidegate.cli import exits
from tidegate.cli.options import DEFAULT_ADMIN, AdminUrl, Ca, Cert, Key, Token

if TYPE_CHECKING:
    import httpx


class Client:
    """Calls the admin API of a running gateway; its own options are those of every command that does."""

    def __init__(
        self,
        admin: AdminUrl = DEFAULT_ADMIN,
        token: Token = None,
        ca: Ca = None,
        cert: Cert = None,
        key: Key = None,
    ) -> None:
        self._url, self._token = admin, token
        self._ca, self._cert, self._key = ca, cert, key

    def get(self, path: str) -> Any:
        """The resource, read from JSON. Raises CommandError."""
        return self._call("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        """The answer to `body`. Raises CommandError."""
        return self._call("POST", path, body)

    def patch(self, path: str, body: Any) -> Any:
        """The answer to a change. Raises CommandError."""
        return self._call("PATCH", path, body)

    def follow(self, path: str) -> Iterator[dict[str, Any]]:
        """What each server-sent event of an endless resource holds, as it comes. Raises CommandError."""
        accept = {"Accept": "text/event-stream"}
        with self._reached(), self._http.stream("GET", path, headers=accept) as response:
            if not response.is_success:
                response.read()
                self._answer(response)
            for line in response.iter_lines():
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))

    @cached_property
    def _http(self) -> "httpx.Client":
        import httpx

        from tidegate._engine import version

        headers = {"User-Agent": f"tidegate-cli/{version()}", "Accept": "application/json", "From": _person()}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            tls = ssl.create_default_context(cafile=self._ca)
            if self._cert:
                tls.load_cert_chain(self._cert, self._key)
        except OSError as error:
            raise exits.CommandError(
                exits.USAGE, f"the certificates for the admin API cannot be used: {error}"
            ) from None
        # trust_env: a proxy that is meant for the world has no business between us and the admin API
        return httpx.Client(headers=headers, verify=tls, timeout=60, trust_env=False, **_place(self._url))

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        with self._reached():
            response = self._http.request(method, path, json=body)
        return self._answer(response)

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """Tell where the admin API cannot be reached. Raises CommandError."""
        import httpx

        try:
            yield
        except (httpx.TransportError, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise exits.CommandError(
                exits.UNREACHABLE,
                f"the admin API at {self._url} cannot be reached: {_reason(error)}\n"
                "start tidegate, or say where its admin API is with --admin",
            ) from None

    def _answer(self, response: "httpx.Response") -> Any:
        """What a response says. Raises CommandError."""
        try:
            answer = response.json()
        except json.JSONDecodeError:
            raise exits.CommandError(
                exits.UNREACHABLE,
                f"{self._url} answers {response.status_code}, but is no admin API of tidegate",
            ) from None
        if response.is_success:
            return answer
        raise _refusal(response.status_code, answer)


def calls_admin(command: Callable[..., None]) -> Callable[..., None]:
    """The command, which takes a client first, with the client's options beside its own."""
    _, *own = inspect.signature(command).parameters.values()
    reach = inspect.signature(Client).parameters

    @wraps(command)
    def with_client(**options: Any) -> None:
        client = Client(**{name: options.pop(name) for name in reach})
        command(client, **options)

    parameters = [*own, *reach.values()]
    with_client.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_client.__annotations__ = {each.name: each.annotation for each in parameters}
    return with_client


def _person() -> str:
    """Who runs the command, in the characters that a field may have."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a user id without a name
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()}".encode("ascii", "replace").decode()


def _reason(error: Exception) -> str:
    """What the system says of it, without numbers and classes."""
    text = re.sub(r"^\[Errno -?\d+\] ", "", str(error))
    return text[:1].lower() + text[1:] or type(error).__name__


def _place(url: str) -> dict[str, Any]:
    """Where the admin API is, in httpx's words."""
    import httpx

    if url.startswith("unix:"):
        return {
            "base_url": "http://localhost",
            "transport": httpx.HTTPTransport(uds=url.removeprefix("unix:")),
        }
    return {"base_url": url}


def _refusal(status: int, problem: Any) -> exits.CommandError:
    if not isinstance(problem, dict) or "detail" not in problem:
        return exits.CommandError(exits.FAILED, f"the admin API answers {status}")
    lines = [problem["detail"]]
    for error in problem.get("errors", []):
        place = ":".join(
            str(error[part]) for part in ("file", "line", "column") if error.get(part) is not None
        )
        hint = f" ({error['hint']})" if error.get("hint") else ""
        lines.append(
            "  " + ": ".join(part for part in (place, error["path"], error["message"] + hint) if part)
        )
    return exits.CommandError(exits.REFUSED if problem.get("errors") else exits.FAILED, "\n".join(lines))
