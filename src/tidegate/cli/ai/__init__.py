"""`tidegate ai`: models that predict what requests cost. A command is a file, or a function of one."""

from collections.abc import Callable

from tidegate.cli.ai import evaluate, explain, imports, listing, stages, status, train
from tidegate.cli.quick import Command, quick_app

app = quick_app(
    name="ai",
    help="Train models of what requests cost, and bring them into use.",
    no_args_is_help=True,
    add_completion=False,
)
COMMANDS: dict[str, Callable[..., None]] = {
    "train": train.command,
    "evaluate": evaluate.command,
    "explain": explain.command,
    "import": imports.command,
    "list": listing.listed,
    "show": listing.show,
    "promote": stages.promote,
    "rollback": stages.rollback,
    "status": status.command,
}
for name, command in COMMANDS.items():
    app.command(name, cls=Command)(command)
