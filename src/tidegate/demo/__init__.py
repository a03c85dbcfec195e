"""The demo: a gateway, and something behind it."""
