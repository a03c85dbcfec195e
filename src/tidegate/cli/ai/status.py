"""`tidegate ai status`."""

from typing import Any

from tidegate.cli import output
from tidegate.cli.ai.listing import used
from tidegate.cli.client import Client, calls_admin
from tidegate.cli.options import AsJson


@calls_admin
def command(client: Client, as_json: AsJson = False) -> None:
    """Show what predictions are worth in each upstream, the models in use, and whether samples are
    written.
    """
    upstreams = client.get("/v1/upstreams")
    predicted = [{"upstream": each["name"], **each["prediction"]} for each in upstreams if each["prediction"]]
    output.answer(predicted, as_json, _print)


def _print(upstreams: list[dict[str, Any]]) -> None:
    console = output.console()
    if not upstreams:
        console.print("Nothing is predicted: predict.mode of all upstreams is off.")
        return
    output.table(
        ("upstream", "mode", "skill", "weight", "mean cost ms"),
        [
            (
                each["upstream"],
                each["mode"],
                f"{each['skill']:.3f}",
                f"{each['weight']:.2f}",
                "" if each["mean_cost_ms"] is None else f"{each['mean_cost_ms']:.2f}",
            )
            for each in upstreams
        ],
    )
    for each in upstreams:
        if model := each.get("model"):
            console.print(f"{model['name']} in {used({**model, 'upstream': each['upstream']})}", markup=False)
        if samples := each.get("samples"):
            console.print(f"{each['upstream']}: {_sampled(samples)}", markup=False)


def _sampled(samples: dict[str, Any]) -> str:
    lost = samples["dropped"] + samples["lost"]
    text = f"{samples['written']} samples written since the start, {lost} dropped"
    return f"{text}; none are written now: {samples['stopped']}" if samples["stopped"] else text
