"""What the demo says when it runs."""

from collections.abc import Sequence

import typer

from tidegate.demo.upstreams import DemoUpstream


def introduce(upstreams: Sequence[DemoUpstream], port: int, admin_port: int) -> None:
    """Say what runs, and what to try next."""
    behind = "\n".join(
        f"    {each.name:<8} {each.address}"
        + (f"   takes {each.delay_seconds * 1000:.0f} ms" if each.delay_seconds else "")
        for each in upstreams
    )
    admin = f"http://127.0.0.1:{admin_port}"
    typer.echo(f"""
  tidegate is running: the gateway on port {port}, its admin API on {admin}/docs
  Behind it are three small servers; the one with the fewest requests in flight gets the next:
{behind}

  Try, in another terminal:
    curl -i http://127.0.0.1:{port}/
    curl {admin}/v1/upstreams/demo/endpoints
    curl {admin}/metrics

  Ctrl-C stops it all.
""")
