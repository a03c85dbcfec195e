"""`tidegate explain`."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from tidegate.cli import output
from tidegate.cli.client import Client, calls_admin
from tidegate.cli.options import AsJson

if TYPE_CHECKING:
    from rich.table import Table


@calls_admin
def command(
    client: Client,
    request_id: Annotated[
        str | None,
        typer.Argument(help="The request's X-Request-Id; without it, the latest that stood out are listed."),
    ] = None,
    last: Annotated[int, typer.Option(help="How many are listed.", min=1, max=1000)] = 20,
    as_json: AsJson = False,
) -> None:
    """Say what became of a recent request: its route, its tries and their candidates, what limits said."""
    if request_id is None:
        output.answer(client.get(f"/v1/explain?last={last}"), as_json, _print_list)
    else:
        story = client.get(f"/v1/explain/{quote(request_id, safe='')}")
        output.answer(story, as_json, _print_story)


def _print_list(stories: list[dict[str, Any]]) -> None:
    table = _table("time", "request", "", "status", "took", "why", "error")
    for story in stories:
        table.add_row(
            *_texts(
                _time(story),
                story["request_id"],
                f"{story['method']} {story['path']}",
                story["status"],
                _ms(story["duration_ms"]),
                story["reason"],
                story["error"] or "",
            )
        )
    console = output.console()
    console.print(table if stories else "No request stood out of late.")


def _print_story(story: dict[str, Any]) -> None:
    from rich.text import Text

    console = output.console()
    outcome = f"{story['status']}" + (f" {story['error']}: {story['detail']}" if story["error"] else "")
    colour = "red" if story["error"] or story["status"] >= 500 else "green"
    console.print(
        Text.assemble(
            f"{story['method']} {story['host'] or ''}{story['path']}  ",
            (outcome, colour),
            f"\n{_time(story)}, by listener {story['listener']}; remembered because: {story['reason']}",
        )
    )
    _print_route(story)
    table = _table("phase", "at")
    for phase in story["phases"]:
        table.add_row(*_texts(phase["phase"], _ms(phase["at_ms"])))
    console.print()
    console.print(table)
    for said in story["limits"]:
        console.print(Text("  " + _said(said)))
    if story["subject"]:
        console.print(Text(f"  the request is from {story['subject']}"))
    for asked in story["auth"]:
        reason = f": {asked['reason']}" if asked["reason"] else ""
        console.print(Text(f"  authenticator {asked['authenticator']} said {asked['result']}{reason}"))
    if story["access"]:
        console.print(Text(f"  {story['access']['by']} is not fulfilled: {story['access']['rule']}"))
    if story["cache"]:
        console.print(Text(f"  {_said_by_cache(story['cache'])}"))
    if story["prediction"]:
        for line in _predicted(story["prediction"]):
            console.print(Text(f"  {line}"))
    for number, each in enumerate(story["tries"], 1):
        _print_try(number, each)
    if story["unpicked"]:
        console.print("\nNo endpoint could be picked.", style="yellow")
        _print_choice(story["unpicked"])


def _print_route(story: dict[str, Any]) -> None:
    from rich.text import Text

    console = output.console()
    console.print()
    if story["route"] is None:
        console.print("No route took it.", style="yellow")
    else:
        to = f" to upstream {story['upstream']}" if story["upstream"] else ""
        console.print(Text.assemble("Route ", (story["route"], "bold"), f" took it{to}."))
    rule = story["rule"]
    if rule:
        conditions = "".join(f", {condition}" for condition in rule["conditions"])
        console.print(Text(f"  it takes host {' or '.join(rule['hosts'])}, path {rule['path']}{conditions}"))
    elif story["route"]:
        console.print("  the configuration has changed since, so what it took is not known any more")
    for considered in story["considered"]:
        if not considered["matched"]:
            console.print(Text(f"  ✗ {considered['route']}: {considered['reason']}"))


def _predicted(prediction: dict[str, Any]) -> Iterator[str]:
    """What was predicted of it, and what followed."""
    factors = "".join(f", {factor['times']:.3g} times by {factor['by']}" for factor in prediction["factors"])
    cost = "no prediction counted" if prediction["cost_ms"] is None else f"cost {_ms(prediction['cost_ms'])}"
    known = f"{_ms(prediction['usual_ms'])} as usual{factors}; "
    yield f"predicted: {cost}: {known}believed by {prediction['weight']:.0%}"
    if prediction["boost_ms"] or prediction["overtaken"]:
        yield (
            f"it counted as if it had come {_ms(prediction['boost_ms'])} earlier, "
            f"and {prediction['overtaken']} that came later went before it"
        )
    if declined := prediction["declined"]:
        yield (
            f"it left a worker alone where it would have taken {declined['slower']:.3g} times as long; "
            f"a quick one came free every {_ms(declined['every_ms'])}"
        )


def _print_try(number: int, each: dict[str, Any]) -> None:
    from rich.text import Text

    connected = "" if each["connected_ms"] is None else f", connected at {_ms(each['connected_ms'])}"
    ended = "" if each["ended_ms"] is None else f", over at {_ms(each['ended_ms'])}"
    output.console().print(
        Text.assemble(
            f"\nTry {number} on ",
            (each["endpoint"], "bold"),
            f" at {_ms(each['at_ms'])}{connected}{ended}: {each['outcome']}",
        )
    )
    if each["choice"]:
        _print_choice(each["choice"])


def _print_choice(choice: dict[str, Any]) -> None:
    by = "the client's sticky cookie" if choice["sticky"] else choice["policy"]
    console = output.console()
    console.print(f"  picked by {by}{_in_panic(choice)}:", markup=False)
    table = _table(
        "", "endpoint", "state", "weight", "in flight", "pace", "latency", "failing", "cost", "passed over"
    )
    for candidate in choice["candidates"]:
        table.add_row(
            *_texts(
                "▶" if candidate["picked"] else "",
                candidate["endpoint"],
                candidate["state"],
                f"{candidate['weight']:g}",
                _in_flight(candidate),
                "" if candidate["pace"] is None else f"{candidate['pace']:.2g} x",
                "" if candidate["latency_ms"] is None else _ms(candidate["latency_ms"]),
                f"{candidate['failing']:.0%}",
                "" if candidate["cost"] is None else f"{candidate['cost']:.4g}",
                candidate["passed_over"] or "",
            )
        )
    console.print(table)
    if choice["left_out"]:
        console.print(f"  and {output.counted(choice['left_out'], 'endpoint')} more")


def _in_panic(choice: dict[str, Any]) -> str:
    if not choice["panic_mode"]:
        return ""
    states = (each["state"] for each in choice["candidates"] if each["picked"] and each["state"] != "healthy")
    though = "".join(f", though it is {state}" for state in states)
    return f"{though}; too few endpoints are healthy (panic mode)"


def _in_flight(candidate: dict[str, Any]) -> str:
    workers = candidate["workers"]
    return f"{candidate['in_flight']}" if workers is None else f"{candidate['in_flight']} of {workers}"


def _said(said: dict[str, Any]) -> str:
    if said["name"] is not None:
        return _said_by_rate_limit(said)
    text = f"limit {said['limit']}: {'let it go on' if said['allowed'] else 'refused'}"
    if said["in_flight"] is not None:
        most = "any number" if said["most"] is None else said["most"]
        text += f"; {said['in_flight']} of {most} in flight, {said['queued']} waiting"
    return text


def _said_by_rate_limit(said: dict[str, Any]) -> str:
    verdict = "refused" if said["verdict"] == "deny" else "let it go on"
    if said["mode"] == "shadow" and said["verdict"] == "deny":
        verdict = "would have refused it (shadow)"
    window = f"rate limit {said['name']}, window {said['window']}"
    text = f"{window}: {verdict}; it costs {said['cost']}, {said['left']} left"
    return text if said["wait_ms"] is None else f"{text}, room for it in {_ms(said['wait_ms'])}"


def _said_by_cache(said: dict[str, Any]) -> str:
    text = f"cache {said['cache']}: {said['result']}"
    if said["age"] is not None:
        state = f"fresh for {said['ttl']}" if said["ttl"] > 0 else f"stale for {-said['ttl']}"
        text += f"; {said['age']} s old, {state} s by {said['freshness']}"
    causes = [said[cause] for cause in ("forwarded", "reason") if said[cause] is not None]
    if causes:
        text += f" ({', '.join(causes)})"
    if said["slices"] is False:
        text += ", not by slices: the origin answers no ranges of it"
    return f"{text}, key {said['key']}"


def _table(*columns: str) -> "Table":
    from rich.table import Table

    return Table(*columns, box=None, pad_edge=False)


def _texts(*cells: Any) -> list[Any]:
    from rich.text import Text

    return [Text(str(cell)) for cell in cells]


def _time(story: dict[str, Any]) -> str:
    return datetime.fromisoformat(story["time"]).astimezone().isoformat(" ", "milliseconds")


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:.3f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.3f} s"
