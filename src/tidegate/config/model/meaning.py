"""What options mean: the texts below them in the source, which schemas and pages show.

pydantic can read them while it makes the models, but that costs as much as the making, at every start.
"""

import ast
import inspect
from functools import cache
from itertools import pairwise

from tidegate.config.model.options import Options, written


@cache
def meanings(group: type[Options]) -> dict[str, str]:
    """The meaning of each option of `group`, by its name."""
    if group is Options:
        return {}
    found: dict[str, str] = {}
    for base in group.__bases__:
        found |= meanings(base)
    (definition,) = ast.parse(inspect.getsource(group)).body
    assert isinstance(definition, ast.ClassDef)
    for following in pairwise(definition.body):
        match following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[written(name)] = inspect.cleandoc(text)
    return found
