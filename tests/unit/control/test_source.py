"""Where a configuration comes from."""

from tidegate.config.default import default_config
from tidegate.control.source import Source


def test_without_a_file_the_defaults_are_read() -> None:
    assert Source().read().config == default_config()
