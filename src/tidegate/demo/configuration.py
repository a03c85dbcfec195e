"""The demo's configuration."""

from collections.abc import Sequence

from tidegate.control.document import Document
from tidegate.demo.upstreams import DemoUpstream


def demo_document(upstreams: Sequence[DemoUpstream], port: int, admin_port: int) -> Document:
    """A gateway before the demo's upstreams, with what a first look should show."""
    return {
        "admin": {"address": f"127.0.0.1:{admin_port}"},
        "explain": {"sample": 100},
        "listeners": [{"name": "web", "address": f"0.0.0.0:{port}"}],
        "routes": [
            {
                "name": "hello",
                "match": {"path": {"exact": "/hello"}},
                "respond": {"body": "Hello from tidegate.\n"},
            },
            {"name": "all", "match": {"path": {"prefix": "/"}}, "upstream": "demo", "timeout": "5s"},
        ],
        "upstreams": [
            {
                "name": "demo",
                "balance": "fastest_free",
                "endpoints": [upstream.address for upstream in upstreams],
                "health": {"http": {"path": "/healthz"}, "interval": "2s"},
            }
        ],
    }
