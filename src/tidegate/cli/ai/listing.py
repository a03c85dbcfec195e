"""`tidegate ai list` and `tidegate ai show`."""

from typing import Any
from urllib.parse import quote

from tidegate.cli import output
from tidegate.cli.ai.options import Model
from tidegate.cli.client import Client, calls_admin
from tidegate.cli.options import AsJson


@calls_admin
def listed(client: Client, as_json: AsJson = False) -> None:
    """Show the models of the running gateway, and where they are used."""
    output.answer(client.get("/v1/models"), as_json, _print_list)


@calls_admin
def show(client: Client, model: Model, as_json: AsJson = False) -> None:
    """Show one model: what it was made of, how good it was then, and how it does now."""
    output.answer(client.get(f"/v1/models/{quote(model, safe='@')}"), as_json, _print_model)


def _print_list(models: list[dict[str, Any]]) -> None:
    if not models:
        output.console().print("There are no models: tidegate ai train makes one.")
        return
    output.table(
        ("model", "learner", "created", "author", "used by", ""),
        [
            (
                each["model"],
                each["learner"] or "",
                each["created"] or "",
                each["author"] or "",
                ", ".join(f"{use['upstream']} ({use['stage']})" for use in each["uses"]),
                each["problem"] or "",
            )
            for each in models
        ],
    )


def _print_model(model: dict[str, Any]) -> None:
    console = output.console()
    console.print(f"{model['name']}@{model['digest']}", style="bold", markup=False)
    if model["problem"]:
        console.print(f"It cannot be used: {model['problem']}", style="yellow", markup=False)
        return
    console.print(f"{model['learner']}, by {model['author'] or 'unknown'}, {model['created']}", markup=False)
    data = model["manifest"]["data"]
    if data:
        made = f"made of {data['rows']} samples of {data['upstream']}, {data['from']} to {data['until']}"
        console.print(made, markup=False)
    figures = {name: each for name, each in model["manifest"]["figures"].items() if name != "gain"}
    if figures:
        columns = list(next(iter(figures.values())))
        output.table(
            ("", *columns),
            [(name, *(f"{each[column]:.3f}" for column in columns)) for name, each in figures.items()],
        )
    for use in model["uses"]:
        console.print(used(use), markup=False)


def used(use: dict[str, Any]) -> str:
    """How a model does in an upstream, in a sentence."""
    share = f" of {use['share']:g} %" if use["stage"] == "canary" else ""
    why = f" ({use['reason']})" if use["reason"] else ""
    seen = (
        "" if use["skill"] is None else f"; skill {use['skill']:.3f} after {use['predictions']} predictions"
    )
    return f"{use['upstream']}: {use['stage']}{share}, {use['state']}{why}{seen}"
