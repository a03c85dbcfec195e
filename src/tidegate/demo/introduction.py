"""What the demo says when it runs."""

from collections.abc import Sequence

import typer

from tidegate.config.model import Admin
from tidegate.demo.upstreams import DemoUpstream


def introduce(upstreams: Sequence[DemoUpstream], port: int, admin_port: int) -> None:
    """Say what runs, and what to try next."""
    behind = "\n".join(
        f"    {each.name:<8} {each.address}"
        + (f"   takes {each.delay_seconds * 1000:.0f} ms" if each.delay_seconds else "")
        for each in upstreams
    )
    address = f"127.0.0.1:{admin_port}"
    admin = f"http://{address}"
    option = "" if address == Admin().address else f" --admin {admin}"
    last = upstreams[-1].address
    typer.echo(f"""
  tidegate is running: the gateway on port {port}, its admin API on {admin}/docs
  Behind it are three small servers; a request goes to the quickest that is known to have a worker free:
{behind}

  Try, in another terminal:
    curl -i http://127.0.0.1:{port}/
    tidegate explain REQUEST-ID{option}    why it went where it went; the answer's x-request-id names it
    tidegate maintenance demo {last}{option}    and back, with --end
    tidegate status{option}
    tidegate events --follow{option}

  Ctrl-C stops it all.
""")
