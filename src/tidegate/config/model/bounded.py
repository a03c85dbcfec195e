"""Numbers with bounds, which a file may write in words of their own."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

JsonSchema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bounded:
    """Makes a type of number: `Annotated[int, Bounded(…)]`.

    The bounds are part of the type, so that the schema of what is written to the plan has them too: a
    `Field(ge=…)` on a type that is read in a way of its own would only check.
    """

    unit: str
    """What is counted, in the words of the reference page."""
    read: Callable[[Any], Any] = field(compare=False)
    """Gives the number that a file's value stands for. Raises ValueError where it stands for none."""
    lowest: float
    highest: float
    above: bool = False
    """Whether the lowest value is excluded."""
    kind: Literal["integer", "number"] = "integer"
    words: tuple[JsonSchema, ...] = field(default=(), compare=False)
    """Schemas of the words that a file may write instead of the number."""
    number_is: str | None = None
    """What a bare number in a file means."""

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        bounds: Any = {"gt" if self.above else "ge": self.lowest, "le": self.highest}
        number = core_schema.int_schema if self.kind == "integer" else core_schema.float_schema
        return core_schema.no_info_before_validator_function(self.read, number(**bounds))

    def __get_pydantic_json_schema__(self, _core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchema:
        lowest = "exclusiveMinimum" if self.above else "minimum"
        number: JsonSchema = {"type": self.kind, lowest: self.lowest, "maximum": self.highest}
        if handler.mode == "serialization" or not self.words:
            return number
        if self.number_is:
            number["description"] = self.number_is
        return {"anyOf": [*self.words, number]}
