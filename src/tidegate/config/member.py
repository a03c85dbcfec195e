"""Members: listeners, routes, upstreams and named objects of a configuration, kept from one load to the next.

A change costs what it changes: a member that is written as it was before is not validated, checked and dumped
again. So a member holds what was made of it, and members are the same if they are the same object.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from tidegate.config.model import Authenticator, Cache, Config, Listener, RateLimit, Route, Store, Upstream
from tidegate.config.model.mark import File, Identity, Ref
from tidegate.config.model.walk import Pattern, marked

SECTIONS = ("listeners", "routes", "upstreams", "rate_limits", "authenticators", "stores", "caches")
KEPT = SECTIONS[1:]
"""Of listeners none is kept, for they are few and most name files."""

Model = Listener | Route | Upstream | RateLimit | Authenticator | Store | Cache

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)

Data = dict[str, Any]
Reference = tuple[str, str]
"""The kind and the name of what is referred to."""
MemberId = tuple[str, str]
"""The section and the name of a member."""
Members = Mapping[str, Mapping[str, "Member"]]
"""By section and name, in the order of the configuration."""
NONE: Members = {section: {} for section in SECTIONS}


@cache
def kinds() -> Mapping[str, str]:
    """What the members of each section are, as references and people call them."""
    named = {path: mark.kind for path, mark in marked(Identity).items()}
    return {section: named[section, "*", "name"] for section in SECTIONS}


@dataclass(frozen=True, eq=False, repr=False)
class Member:
    """A listener, route, upstream or named object without mistakes."""

    section: str
    written: Data
    """As it was given."""
    document: Data
    """What was given, validated, without defaults: `written` itself where that says the same."""
    model: Model

    @classmethod
    def of(cls, section: str, written: Data, model: Model) -> "Member":
        """The member of a section that `model` is, which was validated from `written`."""
        document = model.data(exclude_unset=True)
        same = exactly_equal(written, document)
        return cls(section, document if same else written, document, model)

    @cached_property
    def references(self) -> frozenset[Reference]:
        """What it refers to."""
        return frozenset(
            (kind, name) for path, kind in _refs(self.section) for name in _texts(self.document, path)
        )

    @cached_property
    def names_files(self) -> bool:
        """Whether it depends on files, which change without it."""
        return any(True for path in _files(self.section) for _ in _texts(self.document, path))

    @cached_property
    def digest(self) -> str:
        """Tells documents apart."""
        return hashlib.sha256(canonical(self.document).encode()).hexdigest()

    def says(self, data: Any) -> bool:
        """Whether this member is what `data` describes."""
        return exactly_equal(data, self.document) or exactly_equal(data, self.written)


def exactly_equal(one: Any, other: Any) -> bool:
    """Whether plain values are the same in JSON too: to Python, `true` is 1 and 1 is 1.0."""
    return one is other or (one == other and _same_types(one, other))


def _same_types(one: Any, other: Any) -> bool:
    """Whether values that Python takes for equal are of the same types; texts equal nothing but texts."""
    if isinstance(one, dict):
        for name, value in one.items():
            if type(value) is not str and not _same_types(value, other[name]):
                return False
        return True
    if isinstance(one, list):
        for value, its in zip(one, other, strict=True):
            if value is not its and type(value) is not str and not _same_types(value, its):
                return False
        return True
    return type(one) is type(other)


@cache
def _refs(section: str) -> list[tuple[Pattern, str]]:
    """Where members of a section refer to something, and its kind."""
    return [(path[2:], mark.kind) for path, mark in marked(Ref).items() if path[0] == section]


@cache
def _files(section: str) -> list[Pattern]:
    """Where members of a section name files."""
    return [path[2:] for path in marked(File) if path[0] == section]


def canonical(data: Data) -> str:
    """The one JSON text of plain values: keys sorted, no spaces."""
    return _CANONICAL.encode(data)


@dataclass(frozen=True)
class Rest:
    """What is written apart from members that are known."""

    written: Data
    _same: Mapping[str, list[Member | None]]
    """For each that is written in a section the member that it is already."""
    _known: Members

    @classmethod
    def of(cls, written: Data, known: Members) -> "Rest":
        """What is left of `written`."""
        same = {
            section: [_same(known[section], data) for data in written[section]]
            for section in KEPT
            if isinstance(written.get(section), list | tuple)
        }
        rest = {
            section: [data for data, member in zip(written[section], members, strict=True) if not member]
            for section, members in same.items()
        }
        return cls({**written, **rest}, same, known)

    @property
    def known(self) -> list[Member]:
        """The members that are known."""
        return [member for members in self._same.values() for member in members if member]

    def joined(self, config: Config) -> tuple[Config, Members]:
        """The whole configuration and its members; `config` is what is left, validated."""
        members = {section: _made(section, self.written, config, self._known) for section in SECTIONS}
        for section, same in self._same.items():
            made = iter(members[section])
            members[section] = [member or next(made) for member in same]
        models = {section: tuple(member.model for member in members[section]) for section in self._same}
        return config.model_copy(update=models), _by_name(members)


def members_of(config: Config, written: Data) -> Members:
    """The members of `config`, which was validated from `written`."""
    return _by_name({section: _made(section, written, config, NONE) for section in SECTIONS})


def _made(section: str, written: Data, config: Config, known: Members) -> list[Member]:
    pairs = zip(written.get(section, ()), getattr(config, section), strict=True)
    return [_same(known[section], data) or Member.of(section, data, model) for data, model in pairs]


def _by_name(members: Mapping[str, list[Member]]) -> Members:
    return {section: {member.model.name: member for member in each} for section, each in members.items()}


def _same(known: Mapping[str, Member], data: Any) -> Member | None:
    name = data.get("name") if isinstance(data, dict) else None
    member = known.get(name) if isinstance(name, str) else None
    return member if member and not member.names_files and member.says(data) else None


def _texts(data: Any, path: Pattern) -> Iterator[str]:
    """The texts at the places of `data` that `path` describes; `*` stands for every item and every value."""
    if not path:
        if isinstance(data, str):
            yield data
    elif path[0] == "*":
        values = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
        for value in values:
            yield from _texts(value, path[1:])
    elif isinstance(data, dict):
        yield from _texts(data.get(path[0]), path[1:])
