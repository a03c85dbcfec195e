"""`python -m tidegate`."""

from tidegate.cli import entry

entry()
