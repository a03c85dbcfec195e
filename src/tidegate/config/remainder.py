"""What is left of a configuration without its mistakes, so that the engine can find its own in the rest.

The engine reads plans, and a plan is made of a valid configuration. So that one answer names every mistake,
what is wrong is taken out, with as little around it as will do, and the engine looks at the remainder.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import ValidationError

from tidegate.config.model import Config
from tidegate.config.tree import ListNode, MappingNode, Node, OptionPath, child, plain

DEPENDED_ON = (("routes", "match"),)
"""Options that others of the same member build on: rewrites use what a path captures. Where one is wrong,
nothing can be said of the whole member."""
MAX_ROUNDS = 8
"""Taking a mistake out may leave another: an option gone that a group needs. Each round takes out those."""


@dataclass(slots=True)
class Remainder:
    """A part of a configuration that is valid."""

    root: Node
    kept: dict[OptionPath, list[int]] = field(default_factory=dict)
    """For each list of the whole, the positions of the members that are left."""

    def in_the_whole(self, path: OptionPath) -> OptionPath:
        """Where an option of this part stands in the whole configuration."""
        whole: OptionPath = ()
        for step in path:
            kept = self.kept.get(whole)
            position = kept[step] if kept is not None and isinstance(step, int) and step < len(kept) else step
            whole = (*whole, position)
        return whole


def remainder(root: Node, mistakes: Iterable[OptionPath]) -> tuple[Config, Remainder] | None:
    """What is left below `root` without `mistakes`; None if that is not enough for a configuration."""
    out = {_unit(root, path) for path in mistakes}
    for _ in range(MAX_ROUNDS):
        if () in out:
            return None
        part = Remainder(root)
        part.root = _without(root, (), out, part.kept)
        try:
            return Config.model_validate(plain(part.root)), part
        except ValidationError as error:
            more = {part.in_the_whole(_unit(part.root, _path(details["loc"]))) for details in error.errors()}
        if more <= out:
            return None
        out |= more
    return None


def _path(location: tuple[int | str, ...]) -> OptionPath:
    return tuple(step for step in location if step != "[key]")


def _unit(root: Node, path: OptionPath) -> OptionPath:
    """What to take out for a mistake at `path`: what is written there, or else around it."""
    node: Node | None = root
    for depth, step in enumerate(path):
        node = child(node, step)
        if node is None:
            path = path[:depth]
            break
    names = tuple(step for step in path[:3] if isinstance(step, str))
    return path[:2] if names in DEPENDED_ON else path


def _without(node: Node, path: OptionPath, out: set[OptionPath], kept: dict[OptionPath, list[int]]) -> Node:
    """A copy of `node`, which stands at `path`, without what stands at the places `out`."""
    if isinstance(node, MappingNode):
        entries = {
            name: entry._replace(node=_without(entry.node, (*path, name), out, kept))
            for name, entry in node.entries.items()
            if (*path, name) not in out
        }
        return MappingNode(entries, node.at)
    if isinstance(node, ListNode):
        kept[path] = [index for index in range(len(node.items)) if (*path, index) not in out]
        items = [_without(node.items[index], (*path, index), out, kept) for index in kept[path]]
        return ListNode(items, node.at)
    return node
