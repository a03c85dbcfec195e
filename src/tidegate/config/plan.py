"""Turns a loaded configuration into the plan that the engine reads."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tidegate.config.collector import collector_paused
from tidegate.config.include import decoded
from tidegate.config.key_list import key_list
from tidegate.config.load import Loaded, RefusedError, discreet, in_order
from tidegate.config.member import SECTIONS, Member
from tidegate.config.model import Listener, Route, Upstream
from tidegate.config.model.mark import ControlPlane, File, Ref, Use
from tidegate.config.model.owner import group_number, user_number
from tidegate.config.model.walk import marked
from tidegate.config.problem import ConfigError, Problem
from tidegate.config.tree import Source, dotted, matches, undotted

COMPARED_WHOLE = 16
"""Up to so many endpoints, policies that compare look at all when the configuration does not say."""
DRAWN = 5
"""Beyond that they draw so many. Two are enough to be exponentially better than one (Mitzenmacher, 2001); in
the simulator's reference five have a p99 that is 15 % lower still."""


Inspect = Callable[[bytes, bytes], bytes]
"""The engine's answer to a question about a plan, all in JSON: `tidegate._engine.inspect`."""


Digests = Mapping[Member, str]
"""What the engine calls members that it has: the digest of their text in a plan."""
UNKNOWN: Digests = {}


@dataclass(frozen=True)
class Plan:
    """What `Engine.prepare` takes."""

    json: str = field(repr=False)
    """The plan as JSON; a member that the engine has is its digest."""
    digests: Digests = field(repr=False)
    """Of all members."""

    @property
    def data(self) -> dict[str, Any]:
        """The same in plain values."""
        data: dict[str, Any] = json.loads(self.json)
        return data


def build_plan(loaded: Loaded, known: Digests = UNKNOWN, models: Mapping[str, str] | None = None) -> Plan:
    """The plan of a configuration: all defaults filled in, the contents of files in place of their paths.

    `known` are the members that the engine has, and `models` what it calls those that upstreams name.
    """
    left_out = {path[0] for path in marked(ControlPlane)}
    with collector_paused():
        data = loaded.config.data(exclude={*left_out, *SECTIONS})
        parts = [f"{json.dumps(name)}:{_dumped(value)}" for name, value in data.items()]
        digests = dict[Member, str]()
        for section, members in loaded.members.items():
            texts = []
            for member in members.values():
                digest = None if _names_model(member) else known.get(member)
                texts.append(f'"{digest}"' if digest else _text_of(member, loaded, models or {}))
                digests[member] = digest or _digest(texts[-1])
            parts.append(f'"{section}":[{",".join(texts)}]')
        return Plan(f"{{{','.join(parts)}}}", digests)


def problems_from_engine(errors: Iterable[tuple[str, str]], source: Source) -> list[Problem]:
    """The engine's errors, pairs of a dotted path and a message, with the places of the options."""
    return discreet((source.problem(undotted(path), message) for path, message in errors), source)


def engine_errors(plan: Plan, inspect: Inspect) -> list[tuple[str, str]]:
    """What the engine finds wrong with a plan without serving it: pairs of a dotted path and a message."""
    errors: list[tuple[str, str]] = json.loads(inspect(plan.json.encode(), b'{"check": {}}'))
    return errors


def with_engine(error: ConfigError, inspect: Inspect) -> ConfigError:
    """`error`, and what the engine finds in what is left of the configuration without its mistakes.

    The engine's word on references is not asked: in the remainder, some lead nowhere.
    """
    rest = error.remainder() if isinstance(error, RefusedError) else None
    if not isinstance(error, RefusedError) or rest is None:
        return error
    loaded, part = rest
    told = {problem.path for problem in error.problems}
    errors = engine_errors(build_plan(loaded), inspect)
    found = ((part.in_the_whole(undotted(path)), message) for path, message in errors)
    more = [
        error.source.problem(path, message)
        for path, message in found
        if dotted(path) not in told and not any(matches(path, pattern) for pattern in marked(Ref))
    ]
    return ConfigError(in_order([*error.problems, *discreet(more, error.source)]))


def _names_model(member: Member) -> bool:
    """Whether the text of a member depends on what the engine calls a model."""
    return isinstance(member.model, Upstream) and member.model.predict.model is not None


def _text_of(member: Member, loaded: Loaded, models: Mapping[str, str]) -> str:
    """A member as the plan has it."""
    if (
        isinstance(member.model, Route) and not member.names_files
    ):  # by far the most are routes, and these go as they are
        return member.model.text()
    data = member.model.data()
    if isinstance(member.model, Upstream):
        _resolve_choices(data)
        if model := data["predict"]["model"]:
            model["name"] = models.get(model["name"], model["name"])
    if isinstance(member.model, Listener) and data["unix"]:
        _number_owners(data["unix"])
    if member.names_files:
        for path, mark in marked(File).items():
            if path[0] == member.section and mark.use in _ENCODINGS:
                _replace(data, path[2:], _contents(loaded, _ENCODINGS[mark.use]))
    return _dumped(data)


def _digest(text: str) -> str:
    """What the engine calls a member of this text."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _dumped(data: Any) -> str:
    return json.dumps(data, separators=(",", ":"))


def _text(content: bytes, _: Path) -> str:
    return content.decode(errors="replace")  # only remarks around PEM are not ASCII


def _base64(content: bytes, _: Path) -> str:
    return base64.b64encode(content).decode()


def _token(content: bytes, _: Path) -> str:
    return content.decode(errors="replace").strip()


def _secret(content: bytes, file: Path) -> str:
    return _base64(content.rstrip(b"\r\n"), file)


_ENCODINGS = {
    Use.CERT: _text,
    Use.KEY: _text,
    Use.CA: _text,
    Use.CRL: _base64,
    Use.OCSP: _base64,
    Use.TOKEN: _token,
    Use.PASSWORD: _text,
    Use.JWKS: _text,
    Use.PUBLIC_KEY: _text,
    Use.SECRET: _secret,
    Use.API_KEYS: key_list,
    Use.PASSWORDS: decoded,
    Use.NETWORKS: _text,
}
"""How the plan holds the contents of files; of others it holds the path."""


def _contents(loaded: Loaded, encode: Callable[[bytes, Path], str]) -> Callable[[str], str]:
    return lambda name: encode(loaded.contents[Path(name)], Path(name))


def _resolve_choices(upstream: dict[str, Any]) -> None:
    if upstream["balance"]["choices"] is None and len(upstream["endpoints"]) > COMPARED_WHOLE:
        upstream["balance"]["choices"] = DRAWN


def _number_owners(unix: dict[str, Any]) -> None:
    for option, number in (("owner", user_number), ("group", group_number)):
        if unix[option] is not None:
            unix[option] = str(number(unix[option]))


def _replace(data: Any, path: Sequence[str], content: Callable[[str], str]) -> None:
    """Replace the texts at `path`, where `*` stands for every item of a list."""
    first, rest = path[0], path[1:]
    if data is None:
        return
    if first == "*":
        for item in data:
            _replace(item, rest, content)
    elif rest == ("*",):
        data[first] = [content(name) for name in data[first]]
    elif rest:
        _replace(data[first], rest, content)
    elif data[first] is not None:
        data[first] = content(data[first])
