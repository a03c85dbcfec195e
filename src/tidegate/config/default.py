"""What runs when nothing is configured."""

from tidegate.config.model import Config, Listener, Respond, Route

WELCOME = """\
tidegate is running, and it has no configuration yet.

Write a file like this and start it with `tidegate run --config tidegate.yaml`:

  listeners:
    - {name: web, address: 0.0.0.0:8080}
  routes:
    - {name: all, upstream: app}
  upstreams:
    - {name: app, endpoints: [127.0.0.1:9001, 127.0.0.1:9002]}
"""


def default_config() -> Config:
    """A gateway that greets newcomers: one listener on 0.0.0.0:8080, the admin API on 127.0.0.1:9090."""
    return Config(
        listeners=(Listener(name="web", address="0.0.0.0:8080"),),
        routes=(Route(name="welcome", respond=Respond(body=WELCOME)),),
    )
