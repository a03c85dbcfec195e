"""Measurements. Each module is a script: `python -m bench.memory`, from the repository's root.

The gateway is the built one (`make build`), or the command in TIDEGATE_BIN.
"""
