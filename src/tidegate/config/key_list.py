"""Lists of API keys, as people write them."""

import json
from pathlib import Path

from tidegate.config.include import decoded
from tidegate.config.problem import ConfigError, Problem
from tidegate.config.syntax import parse
from tidegate.config.tree import ListNode, plain


def key_list(content: bytes, file: Path) -> str:
    """The list of API keys in a file, as the JSON text that the engine reads.

    JSON goes through as it is, for a list may have a million keys. Raises ConfigError with the first mistake
    of syntax in any other language.
    """
    text = decoded(content, file)
    if file.suffix.lower() == ".json":
        return text
    root = parse(text, file)
    if not isinstance(root, ListNode):
        message = "expected a list of API keys, each with its id and hash; an empty list is written []"
        raise ConfigError([Problem(message, "", *root.place)])
    return json.dumps(plain(root), ensure_ascii=False)
