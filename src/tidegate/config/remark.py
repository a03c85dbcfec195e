"""What is no mistake, but hardly meant."""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import replace

from tidegate.config.member import Members, kinds
from tidegate.config.model import Config, Route
from tidegate.config.model.bounded import Bounded
from tidegate.config.model.unit import PERCENT
from tidegate.config.model.walk import marked
from tidegate.config.problem import Problem
from tidegate.config.tree import OptionPath, Source, dotted, find_each, find_texts, plain

OWN = ("listeners", "routes")
"""Sections whose members serve by themselves; those of the others serve what names them."""

HARDLY_SHARED = {
    "authorization": "see whether the origin could say `public` or `s-maxage` (RFC 9111 section 3.5)",
    "cookie": "name the cookies that count in key.cookies",
    "user-agent": "let the origin tell devices apart by a field of its own",
    "accept-encoding": "the origin's Vary sees to it, by the codings that a client takes",
    "range": "ranges are answered from the whole response",
}
"""Fields in which almost any two clients differ, and what to do."""
FRESHNESS = frozenset({"cache-control", "expires"})
"""Fields that say how long a response is fresh."""


def remarks(source: Source, config: Config, members: Members) -> Iterator[Problem]:
    """Everything that `config`, which is written in `source`, hardly means; each a warning."""
    yield from _serves_nothing(source, config)
    yield from _unreachable_routes(source, config)
    yield from _unused(source, config, members)
    yield from _no_endpoints(source, config)
    yield from _shares_of_one(source)
    yield from _hardly_shared(source)
    yield from _never_fresh(source, config)


def remarks_on_member(source: Source, part: Config, config: Config, members: Members) -> Iterator[Problem]:
    """What a member of `config` hardly means that alone is written in `source`, and so in its `part`."""
    yield from _unused(source, part, members)
    yield from _no_endpoints(source, part)
    yield from _shares_of_one(source)
    yield from _hardly_shared(source)
    yield from _never_fresh(source, part)
    for route in part.routes:
        yield from _unreachable_route(source, route, config.routes)


def _unreachable_route(source: Source, route: Route, routes: Iterable[Route]) -> Iterator[Problem]:
    conditions = route.match.conditions
    for index, each in enumerate(routes):
        if each is route:
            return
        if each.match.conditions == conditions and _covers(each, route):
            yield _unreachable(source, 0, index, each.name)
            return


def _unreachable(source: Source, index: int, before: int, name: str) -> Problem:
    message = f"no request can reach this route: {name!r} before it takes all that it would match"
    return _remark(source, ("routes", index, "name"), message, f"see {dotted(('routes', before))}")


def _serves_nothing(source: Source, config: Config) -> Iterator[Problem]:
    for section, effect in (("listeners", "no request can come in"), ("routes", "every request gets a 404")):
        if not getattr(config, section):
            yield _remark(source, (section,), f"there are none: {effect}")
            return


def _unreachable_routes(source: Source, config: Config) -> Iterator[Problem]:
    """Routes that match what a route before them matches, host by host, for the same listeners."""
    before: dict[Hashable, list[int]] = {}
    for index, route in enumerate(config.routes):
        conditions, hosts = route.match.conditions, route.match.hosts or (None,)
        alike = before.get((conditions, hosts[0]), ())
        shadows = (one for one in alike if _covers(config.routes[one], route))
        if (one := next(shadows, None)) is not None:
            yield _unreachable(source, index, one, config.routes[one].name)
        for host in hosts:
            before.setdefault((conditions, host), []).append(index)


def _covers(first: Route, second: Route) -> bool:
    """Whether all hosts and listeners of the second route are the first one's too.

    A route for certain listeners comes before one for all, whatever the order of the file.
    """
    hosts = set(second.match.hosts) <= set(first.match.hosts)
    listeners = set(second.listeners) <= set(first.listeners)
    return (
        hosts
        and listeners
        and bool(second.match.hosts) == bool(first.match.hosts)
        and bool(second.listeners) == bool(first.listeners)
    )


def _unused(source: Source, config: Config, members: Members) -> Iterator[Problem]:
    """What others name, and none does."""
    sections = kinds().items()
    named = [(section, kind) for section, kind in sections if section not in OWN and getattr(config, section)]
    if not named:
        return
    each = (member for section in members.values() for member in section.values())
    used = {reference for member in each for reference in member.references}
    for section, kind in named:
        for index, item in enumerate(getattr(config, section)):
            if (kind, item.name) not in used:
                yield _remark(source, (section, index, "name"), f"nothing uses the {kind} {item.name!r}")


def _no_endpoints(source: Source, config: Config) -> Iterator[Problem]:
    for index, upstream in enumerate(config.upstreams):
        if not upstream.endpoints:
            message = f"the upstream {upstream.name!r} has none: its requests are answered with 503"
            yield _remark(source, ("upstreams", index, "endpoints"), message)


def _shares_of_one(source: Source) -> Iterator[Problem]:
    """Numbers in files that look like shares from 0 to 1, where percent are counted."""
    percents = tuple(pattern for pattern, number in marked(Bounded).items() if number.unit == PERCENT)
    for path, node, _ in find_each(source.root, percents):
        value = plain(node)
        if isinstance(value, float) and 0 < value < 1 and node.place.file:
            hint = f"write {value * 100:g} for that share of all; {value:g}% is understood as it stands"
            yield _remark(source, path, f"percent are counted here, so this is {value:g} %", hint)


def _hardly_shared(source: Source) -> Iterator[Problem]:
    """Parts of a cache's key that leave every client with responses of its own."""
    for path, name in find_texts(source.root, ("routes", "*", "cache", "key", "headers", "*")):
        if hint := HARDLY_SHARED.get(name.lower()):
            message = f"hardly two clients send the same {name}, so hardly a response is used again"
            yield _remark(source, path, message, hint)


def _never_fresh(source: Source, config: Config) -> Iterator[Problem]:
    for index, route in enumerate(config.routes):
        if route.cache and not route.cache.ttl and FRESHNESS.issubset(route.cache.ignore):
            message = "what the origin says of freshness is not looked at, and nothing is said in its place"
            path = ("routes", index, "cache", "ignore")
            yield _remark(source, path, message, "give ttl, as {200: 10m}")


def _remark(source: Source, path: OptionPath, message: str, hint: str | None = None) -> Problem:
    return replace(source.problem(path, message, hint=hint), severity="warning")
