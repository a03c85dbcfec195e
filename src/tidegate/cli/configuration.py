"""A configuration file, as commands read it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidegate.cli import exits, output
from tidegate.cli.excerpt import show

if TYPE_CHECKING:
    from tidegate.config.load import Loaded
    from tidegate.config.plan import Plan


@contextmanager
def problems_shown() -> Iterator[None]:
    """Show what is wrong with a configuration that is refused, and end."""
    from tidegate.config.problem import ConfigError

    try:
        yield
    except ConfigError as error:
        show(error.problems)
        errors = sum(problem.severity == "error" for problem in error.problems)
        message = f"the configuration is refused: {output.counted(errors, 'error')}"
        raise exits.CommandError(exits.REFUSED, message) from None


def load_plan(file: Path) -> tuple["Loaded", "Plan"]:
    """The file's configuration and its plan, checked by the engine too."""
    from tidegate import _engine
    from tidegate.config.load import load_file
    from tidegate.config.plan import build_plan, engine_errors, problems_from_engine, with_engine
    from tidegate.config.problem import ConfigError

    with problems_shown():
        try:
            loaded = load_file(file)
        except ConfigError as error:
            raise with_engine(error, _engine.inspect) from None
        plan = build_plan(loaded)
        if errors := engine_errors(plan, _engine.inspect):
            raise ConfigError(problems_from_engine(errors, loaded.source))
        if any(upstream.predict.model for upstream in loaded.config.upstreams):
            _check_models(loaded)
        return loaded, plan


def _check_models(loaded: "Loaded") -> None:
    """Raises ConfigError if a model that is named is not there as it was made."""
    from tidegate.ai.models import problems
    from tidegate.ai.registry import Registry
    from tidegate.config.problem import ConfigError

    state_dir = loaded.config.state_dir
    if wrong := problems(loaded, Registry(Path(state_dir) if state_dir else None)):
        raise ConfigError(wrong)


def inspect(plan: "Plan", question: str, **about: Any) -> Any:
    """The engine's answer to a question about a plan. Raises ValueError if it is asked wrongly."""
    from tidegate import _engine

    return json.loads(_engine.inspect(plan.json.encode(), json.dumps({question: about}).encode()))
