"""The JSON Schema of the file format, for editors and for `tidegate schema`."""

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import ModelSchema

from tidegate.config.model import Config, Options
from tidegate.config.model.meaning import meanings

SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"


class _FileSchema(GenerateJsonSchema):
    """Leaves out the titles that only repeat an option's name, and says what options mean."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def model_schema(self, schema: ModelSchema) -> JsonSchemaValue:
        group: type[Options] = schema["cls"]
        described = super().model_schema(schema)
        for name, meaning in meanings(group).items():
            described["properties"][name]["description"] = meaning
        return described


def json_schema() -> dict[str, Any]:
    """The schema of a configuration file: durations, sizes and short forms as people write them."""
    schema = Config.model_json_schema(mode="validation", schema_generator=_FileSchema)
    schema["properties"]["$schema"] = {"type": "string", "description": "Where editors find this schema."}
    return {"$schema": SCHEMA_ID, **schema, "title": "tidegate configuration"}


def schema_text() -> str:
    """The schema as it is kept in `schema/tidegate.schema.json`."""
    return json.dumps(json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    print(schema_text(), end="")
