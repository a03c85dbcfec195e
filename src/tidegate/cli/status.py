"""`tidegate status`."""

from typing import TYPE_CHECKING, Any

from tidegate.cli import output, words
from tidegate.cli.client import Client, calls_admin
from tidegate.cli.options import AsJson

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text


@calls_admin
def command(
    client: Client,
    as_json: AsJson = False,
) -> None:
    """Show how the running gateway is doing: its listeners, upstreams, endpoints and the operator's words."""
    status = client.get("/v1/status")
    status |= {name: client.get(f"/v1/{name}") for name in ("upstreams", "stores", "words")}
    output.answer(status, as_json, _print)


def _print(status: dict[str, Any]) -> None:
    console, upstreams = output.console(), status["upstreams"]
    state = "[green]ready[/green]" if status["ready"] else "[red]not ready[/red]"
    console.print(
        f"tidegate {status['version']}: {state}, up {output.duration(status['uptime_seconds'])}, "
        f"{output.counted(status['workers'], 'worker')}, generation {status['generation']['number']}"
    )
    if status["restart_required"]:
        console.print(f"A restart is required for: {', '.join(status['restart_required'])}", style="yellow")
    if status["refused"]:
        refused = output.counted(len(status["refused"]), "refused change")
        console.print(f"{refused}, the last at {status['refused'][0]['time']}", style="yellow")
    for upstream in status["panic_mode"]:
        console.print(
            f"Upstream {upstream} is in panic mode: too few of its endpoints are well, "
            "so requests go to all in service",
            style="yellow",
        )
    console.print()
    console.print(_table("listener", status["listeners"]))
    console.print()
    console.print(_table("upstream", upstreams))
    console.print()
    endpoints = [(upstream["name"], each) for upstream in upstreams for each in upstream["endpoints"]]
    console.print(_table("endpoint", [_endpoint(upstream, each) for upstream, each in endpoints]))
    for upstream, each in endpoints:
        if not each["healthy"]:
            console.print(f"{upstream} {each['address']} {_why_unused(each)}", style="yellow")
    for upstream in upstreams:
        if _is_told(upstream["prediction"]):
            console.print(f"Upstream {upstream['name']} {_predicted(upstream['prediction'])}", markup=False)
    if status["stores"]:
        console.print()
        console.print(_table("store", [_store(each) for each in status["stores"]]))
    for store in status["stores"]:
        if not store["up"]:
            console.print(f"Store {store['name']} does not answer: {store['cause']}", style="yellow")
    if status["words"]:
        console.print("\nThe operator's words:")
    for word in status["words"]:
        console.print(f"  {words.shown(word)}", markup=False)


def _endpoint(upstream: str, endpoint: dict[str, Any]) -> dict[str, Any]:
    return {
        "upstream": upstream,
        "endpoint": endpoint["address"],
        "weight": endpoint["weight"],
        "state": "draining" if endpoint["drain"] else endpoint["state"],
        "for": output.duration(endpoint["for_seconds"]),
        "in flight": endpoint["in_flight"],
        "workers": endpoint["workers"],
        "requests": endpoint["requests"],
        "failures": endpoint["failures"],
        "latency ms": endpoint["latency_ms"],
    }


def _is_told(prediction: dict[str, Any] | None) -> bool:
    """Whether predictions do something, or would: most of those in the shadow are worth nothing."""
    return prediction is not None and (prediction["mode"] == "auto" or prediction["weight"] > 0)


def _predicted(prediction: dict[str, Any]) -> str:
    """What an upstream's predictions are worth, and what they do."""
    mode, skill, weight = prediction["mode"], prediction["skill"], prediction["weight"]
    text = f"predicts ({mode}): skill {skill:.2f}, weight {weight:.2f}"
    comparison = prediction["comparison"]
    if comparison is None:
        return text
    if comparison["state"] == "off":
        length = output.duration(comparison["off_for_seconds"])
        return f"{text}; off for {length}, as requests took longer with predictions"
    if comparison["ratio_high"] is None:
        return f"{text}; not known yet whether that does good"
    between = f"{comparison['ratio_low']:.2f} to {comparison['ratio_high']:.2f} times as long as without"
    return f"{text}; requests take {between}"


def _store(store: dict[str, Any]) -> dict[str, Any]:
    return {
        "store": store["name"],
        "up": store["up"],
        "for": output.duration(store["for_seconds"]),
        "gateways": store["gateways"],
        "rate limits": ", ".join(store["rate_limits"]),
    }


def _why_unused(endpoint: dict[str, Any]) -> str:
    """Why an endpoint gets no requests."""
    if endpoint["state"] == "healthy" and endpoint["weight"] == 0:
        return "gets no requests: its weight is 0"
    return f"is {endpoint['state']}: {endpoint['cause']}"


def _table(title: str, rows: list[dict[str, Any]]) -> "Table":
    """A column for each plain value of the rows."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    if not rows:
        table.add_column(f"no {title}s")
        return table
    columns = [name for name, value in rows[0].items() if not isinstance(value, dict | list)]
    for name in columns:
        table.add_column(title if name == "name" else name.replace("_", " "))
    for row in rows:
        table.add_row(*(_cell(row[name]) for name in columns))
    return table


def _cell(value: Any) -> "Text":
    from rich.text import Text

    if isinstance(value, bool):
        return Text("yes", "green") if value else Text("no", "dim")
    if isinstance(value, float):
        return Text(f"{value:.1f}")
    return Text("" if value is None else str(value))
