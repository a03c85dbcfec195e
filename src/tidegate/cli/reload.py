"""`tidegate reload`."""

from tidegate.cli import output
from tidegate.cli.client import Client, calls_admin


@calls_admin
def command(client: Client) -> None:
    """Have the running gateway read its configuration file again."""
    change = client.post("/v1/config/reload")
    console = output.console()
    if not change["changed"]:
        console.print(f"Nothing has changed; generation {change['generation']} is served.")
        return
    console.print(f"Generation {change['generation']} is served.")
    for kind, touched in change["summary"].items():
        for how, names in touched.items():
            if names:
                console.print(f"  {kind} {how}: {', '.join(names)}", markup=False)
    if change["restart_required"]:
        console.print(f"A restart is required for: {', '.join(change['restart_required'])}", style="yellow")
