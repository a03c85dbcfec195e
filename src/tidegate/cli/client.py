"""The admin API, as commands call it."""

import inspect
import json
from collections.abc import Callable, Iterator
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any

from tidegate.cli import exits
from tidegate.cli.options import DEFAULT_ADMIN, AdminUrl, Ca, Cert, Key, Token

if TYPE_CHECKING:
    from tidegate.cli.connection import Connection


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

    def send(self, path: str, content: bytes, media_type: str) -> Any:
        """The answer to content that is no JSON. Raises CommandError."""
        return self._answer(*self._connection.send("POST", path, content, media_type))

    def patch(self, path: str, body: Any) -> Any:
        """The answer to a change. Raises CommandError."""
        return self._call("PATCH", path, body)

    def delete(self, path: str) -> Any:
        """The answer to a removal. Raises CommandError."""
        return self._call("DELETE", path)

    def follow(self, path: str) -> Iterator[dict[str, Any]]:
        """What each server-sent event of an endless resource holds, as it comes. Raises CommandError."""
        with self._connection.reached():
            response = self._connection.open("GET", path, accept="text/event-stream")
            if response.status != 200:
                self._answer(response.status, response.read())
            for line in response:
                if line.startswith(b"data: "):
                    yield json.loads(line.removeprefix(b"data: "))

    @cached_property
    def _connection(self) -> "Connection":
        from tidegate.cli.connection import Connection, TlsFiles

        return Connection(self._url, self._token, TlsFiles(self._ca, self._cert, self._key))

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        return self._answer(*self._connection.send(method, path, body))

    def _answer(self, status: int, content: bytes) -> Any:
        """What an answer says. Raises CommandError."""
        try:
            answer = json.loads(content)
        except ValueError:
            raise exits.CommandError(
                exits.UNREACHABLE, f"{self._url} answers {status}, but is no admin API of tidegate"
            ) from None
        if 200 <= status < 300:
            return answer
        raise _refusal(status, answer)


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
