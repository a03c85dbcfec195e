"""What no single option can tell: references, names, and addresses that get in each other's way."""

import ipaddress
from collections.abc import Collection, Iterator, Mapping, Sequence

from tidegate.config.explain import did_you_mean
from tidegate.config.include import spelled
from tidegate.config.member import Member, Reference, kinds
from tidegate.config.model import Admin, Config
from tidegate.config.model.mark import Identity, Ref
from tidegate.config.model.text import split_address
from tidegate.config.model.walk import Pattern, marked
from tidegate.config.problem import Problem
from tidegate.config.tree import OptionPath, Source, child, find, find_each, find_texts, plain, text_of

Names = Mapping[str, Collection[str]]
"""What there is of each kind."""


def check(source: Source, names: Names | None = None) -> Iterator[Problem]:
    """Every mistake between options. It looks at what is written, so it also works beside other mistakes.

    `names` are those that can be referred to, if they are not all written in `source`.
    """
    yield from _duplicates(source)
    yield from _unknown_references(source, names or _names(source))
    yield from _overlapping_addresses(source)
    yield from _open_admin(source)
    yield from _nothing_to_restore(source)
    yield from _zone_aware_nowhere(source)
    yield from _whereabouts_unknown(source)
    yield from _grpc_over_http1(source)
    yield from _shared_disks(source)


def fits(rest: Source, config: Config, known: Sequence[Member]) -> bool:
    """Whether the rest of `config` has no mistake, beside members that have none in themselves."""
    listed = {kind: [item.name for item in getattr(config, section)] for section, kind in kinds().items()}
    names = {kind: set(each) for kind, each in listed.items()}
    references = frozenset[Reference]().union(*(member.references for member in known))
    disks = [cache.disk for cache in config.caches if cache.disk]
    return (
        all(len(names[kind]) == len(each) for kind, each in listed.items())
        and all(name in names[kind] for kind, name in references)
        and not (config.zone is None and any(upstream.balance.zone_aware for upstream in config.upstreams))
        and not any(_lacks_database(kind, config) for kind in _NEEDS_DATABASE)
        and len({disk.path for disk in disks}) == len(disks)
        and not any(check(rest, names))
    )


def _duplicates(source: Source) -> Iterator[Problem]:
    """Members of a list that cannot be told apart."""
    for pattern, identity in marked(Identity).items():
        first: dict[tuple[OptionPath, str], OptionPath] = {}
        for path, text in _identities(source, pattern):
            try:
                key = (path[:-2], identity.canonical(text))
            except ValueError:
                continue  # no identity at all, which is told elsewhere
            if key in first:
                message = f"another {identity.kind} has the {path[-1]} {text!r}"
                yield _twice(source, first[key], path, message)
            first.setdefault(key, path)


def _identities(source: Source, pattern: Pattern) -> Iterator[tuple[OptionPath, str]]:
    """What the members of a list are told apart by; a text alone stands for a member of that identity."""
    for path, node in find(source.root, pattern[:-1]):
        if text := text_of(node) or text_of(child(node, pattern[-1])):
            yield (*path, pattern[-1]), text


def _twice(source: Source, first: OptionPath, second: OptionPath, message: str) -> Problem:
    return source.problem(second, message, hint=f"the first is at {_at(source, first)}")


def _at(source: Source, path: OptionPath) -> str:
    return spelled(source.place(path)) or ".".join(map(str, path))


def _names(source: Source) -> Names:
    return {
        identity.kind: {text: None for _, text in _identities(source, pattern)}
        for pattern, identity in marked(Identity).items()
    }


def _unknown_references(source: Source, names: Names) -> Iterator[Problem]:
    patterns, refs = tuple(marked(Ref)), list(marked(Ref).values())
    for path, node, position in find_each(source.root, patterns):
        kind, name = refs[position].kind, text_of(node)
        if name is not None and name not in names[kind]:
            hint = did_you_mean(name, names[kind]) or f"no {kind} has this name"
            yield source.problem(path, f"unknown {kind} {name!r}", hint=hint)


def _overlapping_addresses(source: Source) -> Iterator[Problem]:
    taken: dict[int | str, list[tuple[str, OptionPath]]] = {}
    for path, address in _addresses(source):
        try:
            host, port = ("", address) if address.startswith("unix:") else split_address(address)
        except ValueError:
            continue
        if port == 0:
            continue
        for other, other_path in taken.get(port, []):
            if _overlap(host, other):
                message = f"{address} is taken by {'.'.join(map(str, other_path))}"
                yield _twice(source, other_path, path, message)
                break
        taken.setdefault(port, []).append((host, path))


def _addresses(source: Source) -> Iterator[tuple[OptionPath, str]]:
    """Addresses that are listened on: the listeners' and the admin API's."""
    yield from find_texts(source.root, ("listeners", "*", "address"))
    if _enabled(source):
        yield ("admin", "address"), _admin_address(source)


def _enabled(source: Source) -> bool:
    return not any(plain(node) is False for _, node in find(source.root, ("admin", "enabled")))


def _admin_address(source: Source) -> str:
    return next((text for _, text in find_texts(source.root, ("admin", "address"))), Admin().address)


def _overlap(host: str, other: str) -> bool:
    """Whether two hosts on one port collide. The IPv6 wildcard takes IPv4 too, as Linux does by default."""
    return host == other or _covers(host, other) or _covers(other, host)


def _covers(wildcard: str, host: str) -> bool:
    return wildcard == "::" or (wildcard == "0.0.0.0" and ":" not in host)  # noqa: S104


def _open_admin(source: Source) -> Iterator[Problem]:
    address = _admin_address(source)
    guards = (("admin", "token"), ("admin", "token_file"), ("admin", "tls", "client_ca"))
    guarded = any(plain(node) for guard in guards for _, node in find(source.root, guard))
    if _enabled(source) and not guarded and not _is_local(address):
        yield source.problem(
            ("admin", "address"),
            f"the admin API refuses to start on {address} without a token or client certificates",
            hint="give admin.token, admin.token_file or admin.tls.client_ca, or use a loopback address",
        )


def _is_local(address: str) -> bool:
    if address.startswith("unix:"):
        return True
    try:
        return ipaddress.ip_address(split_address(address)[0]).is_loopback
    except ValueError:
        return True  # not an address at all, which is told elsewhere


def _nothing_to_restore(source: Source) -> Iterator[Problem]:
    if source.text(("restore",)) == "last" and not source.text(("state_dir",)):
        message = "nothing can be restored without a folder to keep it in"
        yield source.problem(("restore",), message, hint="set state_dir")


def _zone_aware_nowhere(source: Source) -> Iterator[Problem]:
    if not source.text(("zone",)):
        for path, node in find(source.root, ("upstreams", "*", "balance", "zone_aware")):
            if plain(node) is not None:
                message = "no zone can be preferred: it is not said which one this gateway runs in"
                yield source.problem(path, message, hint="set zone at the top level")


_NEEDS_DATABASE = {"country": "countries", "asn": "asns"}
"""Of each database of addresses the rules of a route that need it; the part of a key has its own name."""


def _whereabouts_unknown(source: Source) -> Iterator[Problem]:
    for kind, rule in _NEEDS_DATABASE.items():
        if source.text(("geoip", kind)):
            continue
        rules = (path for path, node in find(source.root, ("routes", "*", "access", rule)) if plain(node))
        parts = (
            path
            for path, node in find(source.root, ("rate_limits", "*", "key", "*"))
            if text_of(node) == kind or child(node, kind)
        )
        for path in (*rules, *parts):
            message = f"there is no database to find the {kind} of an address in"
            yield source.problem(path, message, hint=f"set geoip.{kind} at the top level")


def _lacks_database(kind: str, config: Config) -> bool:
    """The same of a whole configuration."""
    if getattr(config.geoip, kind):
        return False
    rule = _NEEDS_DATABASE[kind]
    return any(route.access and getattr(route.access, rule) for route in config.routes) or any(
        getattr(part, kind) for limit in config.rate_limits for part in limit.key
    )


def _shared_disks(source: Source) -> Iterator[Problem]:
    """Directories in which two caches would be in each other's way."""
    first: dict[str, OptionPath] = {}
    for path, text in find_texts(source.root, ("caches", "*", "disk", "path")):
        if text in first:
            yield _twice(source, first[text], path, f"another cache has the path {text!r}")
        first.setdefault(text, path)


def _grpc_over_http1(source: Source) -> Iterator[Problem]:
    for path, node in find(source.root, ("upstreams", "*", "health", "grpc")):
        upstream = path[:2]
        protocol = source.text((*upstream, "protocol")) or "auto"
        encrypted = source.node((*upstream, "tls")) is not None
        elsewhere = source.node((*upstream, "health", "port")) is not None and not encrypted
        speaks_http1 = protocol == "http1" or (protocol == "auto" and not encrypted)
        if plain(node) is not None and speaks_http1 and not elsewhere:
            message = "gRPC needs HTTP/2, and this upstream is spoken to by HTTP/1.1"
            yield source.problem(path, message, hint="set the upstream's protocol to http2")
