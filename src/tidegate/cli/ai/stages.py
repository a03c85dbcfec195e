"""`tidegate ai promote` and `tidegate ai rollback`."""

from typing import Any
from urllib.parse import quote, urlencode

from tidegate.cli import output
from tidegate.cli.ai.options import Model, UsedBy
from tidegate.cli.client import Client, calls_admin


@calls_admin
def promote(client: Client, model: Model, upstream: UsedBy = None) -> None:
    """Use a model one stage further: in shadow, then as a canary, then live. Each step but the first demands
    that it has shown to be better than the online learner.
    """
    _step(client, model, "promote", upstream)


@calls_admin
def rollback(client: Client, model: Model, upstream: UsedBy = None) -> None:
    """Use a model one stage less; from shadow, go back to the model that the upstream used before, or to
    none.
    """
    _step(client, model, "rollback", upstream)


def _step(client: Client, model: str, step: str, upstream: str | None) -> None:
    query = f"?{urlencode({'upstream': upstream})}" if upstream else ""
    change = client.post(f"/v1/models/{quote(model, safe='@')}/{step}{query}")
    console = output.console()
    console.print(f"Generation {change['generation']} is served.", markup=False)
    for edit in change["changes"]:
        console.print(f"  {edit['path']}: {_value(edit['old'])} → {_value(edit['new'])}", markup=False)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(map(str, value.values()))
    return "none" if value is None else str(value)
