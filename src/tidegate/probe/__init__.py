"""Lets a Python service tell tidegate how loaded it is, in one line of code.

    import tidegate.probe

    app = tidegate.probe.asgi(app)  # or tidegate.probe.wsgi(app)

The wrapped application answers probes at `/.tidegate/probe` and adds a load report (ORCA) to each response.
Only this process is counted: a server of several processes behind one port answers for one of them at a time.
Nothing outside the standard library is imported.
"""

from tidegate.probe.asgi import Asgi as asgi  # noqa: N813 -- read as a verb: wrap it
from tidegate.probe.meter import PROBE_PATH, Meter
from tidegate.probe.wsgi import Wsgi as wsgi  # noqa: N813

__all__ = ["PROBE_PATH", "Meter", "asgi", "wsgi"]
