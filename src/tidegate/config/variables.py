"""`${VAR}` and `${VAR:-default}` in values; `$${` stands for `${`.

`${1}` is no variable, whose name begins with a letter: it stays, for replacements by regular expression.
"""

import re
from collections.abc import Mapping

from tidegate.config.problem import Problem
from tidegate.config.syntax.yaml import resolve
from tidegate.config.tree import Node, dotted, scalars

_REFERENCE = re.compile(
    r"\$\$\{|\$\{(?P<capture>[0-9]+)\}|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<fallback>:-(?P<default>[^}]*))?\}|\$\{"
)


def expand_variables(root: Node, environ: Mapping[str, str]) -> list[Problem]:
    """Put the values of variables in their places in `root`, which changes. Gives what went wrong.

    A scalar of YAML without quotes is then read again, so that `${PORT}` can be a number.
    """
    problems = []
    done: set[int] = set()  # a YAML alias brings the same scalar again
    for path, scalar in scalars(root):
        if not isinstance(scalar.value, str) or "${" not in scalar.value or id(scalar) in done:
            continue
        done.add(id(scalar))
        try:
            text = expand(scalar.value, environ)
        except ValueError as error:
            problems.append(
                Problem(str(error), dotted(path), *scalar.place, hint="a literal ${ is written $${")
            )
        else:
            decides = scalar.written is not None
            scalar.value, scalar.written = (resolve(text), text) if decides else (text, None)
    return problems


def expand(text: str, environ: Mapping[str, str]) -> str:
    """`text` with its variables replaced. An empty variable takes the default, as in a shell.

    Raises ValueError on an undefined variable without a default, and on a reference without a name or end.
    """

    def value(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        if match["capture"]:
            return match[0]
        name = match["name"]
        if name is None:
            raise ValueError("expected ${NAME} or ${NAME:-default}")
        if match["fallback"]:
            return environ.get(name) or match["default"]
        if name not in environ:
            raise ValueError(
                f"the environment variable {name} is not set; ${{{name}:-default}} gives a default"
            )
        return environ[name]

    return _REFERENCE.sub(value, text)
