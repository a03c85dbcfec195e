"""One member of a loaded configuration given anew: only it and what it refers to are looked at."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tidegate.config.check import Names, check
from tidegate.config.include import resolve_paths
from tidegate.config.load import Loaded, discreet
from tidegate.config.material import read_material
from tidegate.config.member import SECTIONS, Member, Members, Reference, kinds
from tidegate.config.model import Config
from tidegate.config.problem import Problem
from tidegate.config.remark import remarks_on_member
from tidegate.config.stamp import Stamps
from tidegate.config.tree import UNWRITTEN, Source, plain, planted

Data = dict[str, Any]


def amended(loaded: Loaded, section: str, name: str, given: Data | None, base: Path) -> Loaded | None:
    """The configuration with the member of that name given so, or without it; files are relative to `base`.

    None if that has a mistake, or cannot be told from the member alone: it takes a look at the whole then.
    """
    before = loaded.members[section].get(name)
    if before and before.names_files:
        return None
    if given is None:
        return _without(loaded, section, name)
    root = planted(_part(loaded, section, name, given))
    resolve_paths(root, base.absolute())
    source = Source(root)
    try:
        part = Config.model_validate(plain(root))
    except ValidationError:
        return None
    member = Member.of(section, given, getattr(part, section)[0])
    if member.model.name != name:
        return None
    members = {**loaded.members, section: {**loaded.members[section], name: member}}
    material = read_material(source)
    if material.problems or any(check(source, _names(members))):
        return None
    contents = {**loaded.contents, **material.contents}
    whole = _with(loaded, members, {**_named(loaded), **material.files})
    found = remarks_on_member(source, part, whole.config, members)
    warnings = tuple(_in_the_whole(discreet(found, source), section, list(members[section]).index(name)))
    return replace(whole, contents=contents, warnings=warnings)


def _part(loaded: Loaded, section: str, name: str, given: Data) -> Data:
    """What the member is checked with: all that is no member, and listeners with one another."""
    part = {**loaded.config.data(exclude=SECTIONS, exclude_unset=True), section: [given]}
    if section == "listeners":
        part[section] += [each.document for other, each in loaded.members[section].items() if other != name]
    return part


def _without(loaded: Loaded, section: str, name: str) -> Loaded | None:
    left = {other: member for other, member in loaded.members[section].items() if other != name}
    members = {**loaded.members, section: left}
    if (kinds()[section], name) in _references(members):
        return None
    return _with(loaded, members, _named(loaded))


def _with(loaded: Loaded, members: Members, files: Stamps) -> Loaded:
    changed = [section for section in SECTIONS if members[section] is not loaded.members[section]]
    models = {section: tuple(each.model for each in members[section].values()) for section in changed}
    config = loaded.config.model_copy(update=models)
    return replace(loaded, config=config, source=UNWRITTEN, files=files, members=members, warnings=())


def _named(loaded: Loaded) -> Stamps:
    """The files that options name."""
    return {file: loaded.files[file] for file in loaded.contents}


def _names(members: Members) -> Names:
    return {kind: members[section].keys() for section, kind in kinds().items()}


def _references(members: Members) -> Iterator[Reference]:
    for each in members.values():
        for member in each.values():
            yield from member.references


def _in_the_whole(problems: list[Problem], section: str, at: int) -> Iterator[Problem]:
    """The problems of the first member of the part, which stands at that place of the whole."""
    for problem in problems:
        yield replace(problem, path=problem.path.replace(f"{section}.0.", f"{section}.{at}.", 1))
