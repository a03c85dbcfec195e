"""What differs between two documents, option by option.

Members of a list that have a name or an address are compared by it, not by their position, so that a route
put in between others is one difference.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tidegate.config.member import exactly_equal
from tidegate.control.document import Document, redact, same_ends

IDENTITIES = ("name", "address")


@dataclass(frozen=True)
class Edit:
    """One option that differs: its path, like `upstreams[app].endpoints[[::1]:80].weight`, and both values.

    None stands for an option that is not there.
    """

    path: str
    old: Any
    new: Any


def compare(old: Document, new: Document) -> list[Edit]:
    """All differences, secrets masked."""
    return list(_compare(old, new, "", ()))


def touched(edits: list[Edit], others: list[Edit]) -> list[Edit]:
    """Those of `edits` that are about options which `others` change too, or change a part or the whole of."""
    changed = {edit.path for edit in others}
    around = {above for path in changed for above in _around(path)}
    return [edit for edit in edits if edit.path in around or not changed.isdisjoint(_around(edit.path))]


def _around(path: str) -> Iterator[str]:
    """A path, and those of all that it is part of."""
    yield path
    for at, character in enumerate(path):
        if character in ".[":
            yield path[:at]


def _compare(old: Any, new: Any, path: str, steps: tuple[str, ...]) -> Iterator[Edit]:
    """What differs at `path`, which is `steps` where `*` stands for any item of a list."""
    if exactly_equal(old, new):
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            below = f"{path}.{key}" if path else key
            yield from _compare(old.get(key), new.get(key), below, (*steps, key))
        return
    before, after = _differing(old, new)
    if before is None or after is None:
        yield Edit(path, redact(old, steps), redact(new, steps))
        return
    for identity in [*before, *(identity for identity in after if identity not in before)]:
        if before.get(identity) is not after.get(identity):
            below = f"{path}[{identity}]"
            yield from _compare(before.get(identity), after.get(identity), below, (*steps, "*"))
    kept_before = [identity for identity in before if identity in after]
    kept_after = [identity for identity in after if identity in before]
    if kept_before != kept_after:
        yield Edit(f"{path}[order]", kept_before, kept_after)


def _differing(old: Any, new: Any) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The members of two lists, but for those at their ends that are the same."""
    if not isinstance(old, list) or not isinstance(new, list):
        return None, None
    start, end = same_ends(old, new)
    return _by_identity(old[start : len(old) - end]), _by_identity(new[start : len(new) - end])


def _by_identity(members: list[Any]) -> dict[str, Any] | None:
    if not all(isinstance(member, dict) for member in members):
        return None
    for key in IDENTITIES:
        named = {str(member[key]): member for member in members if key in member}
        if len(named) == len(members):
            return named
    return None
