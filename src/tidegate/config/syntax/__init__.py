"""The languages of configuration files. Each reader gives a tree with the place of every word."""

from pathlib import Path

from tidegate.config.syntax.json import parse_json
from tidegate.config.syntax.toml import parse_toml
from tidegate.config.syntax.yaml import parse_yaml
from tidegate.config.tree import Node

_PARSERS = {".json": parse_json, ".toml": parse_toml}


def parse(text: str, file: Path) -> Node:
    """What `text`, the content of `file`, says. The ending tells the language; any unknown one is YAML.

    Raises ConfigError with the first mistake of syntax.
    """
    return _PARSERS.get(file.suffix.lower(), parse_yaml)(text, file)


__all__ = ["parse"]
