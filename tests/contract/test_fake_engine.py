"""The engine that unit tests use in place of the native one takes the calls that its type stub declares."""

import ast
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tidegate
from tests.unit.control.fake_engine import FakeEngine

STUB = ast.parse(Path(tidegate.__file__).with_name("_engine.pyi").read_text())
DECLARED = {
    method.name: method.args
    for declared in STUB.body
    if isinstance(declared, ast.ClassDef) and declared.name == "Engine"
    for method in declared.body
    if isinstance(method, ast.FunctionDef)
}
NO_DEFAULT = inspect.Parameter.empty

Parameters = list[tuple[str, str, object]]
"""Name, type and default of each, without the object itself."""


def test_the_fake_has_the_calls_of_the_stub_and_no_others() -> None:
    public = {name for name, _ in inspect.getmembers(FakeEngine, inspect.isfunction) if name[0] != "_"}
    assert public == DECLARED.keys() - {"__new__"}


@pytest.mark.parametrize("name", DECLARED)
def test_a_call_of_the_fake_takes_what_the_stub_declares(name: str) -> None:
    method = getattr(FakeEngine, "__init__" if name == "__new__" else name)
    assert _taken(method) == _declared(DECLARED[name])


def _taken(method: Callable[..., Any]) -> Parameters:
    parameters = list(inspect.signature(method).parameters.values())[1:]
    return [
        (each.name, inspect.formatannotation(each.annotation).rpartition("Fake")[2], each.default)
        for each in parameters
    ]


def _declared(declared: ast.arguments) -> Parameters:
    parameters = declared.args[1:]
    defaults = [ast.literal_eval(each) for each in declared.defaults]
    defaults = [NO_DEFAULT] * (len(parameters) - len(defaults)) + defaults
    return [
        (each.arg, ast.unparse(each.annotation) if each.annotation else "", default)
        for each, default in zip(parameters, defaults, strict=True)
    ]
