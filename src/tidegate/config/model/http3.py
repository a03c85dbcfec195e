"""HTTP/3 on a listener."""

from typing import Annotated, Literal

from pydantic import Field

from tidegate.config.model.options import Options
from tidegate.config.model.unit import Timeout


class AltSvc(Options):
    """The field `Alt-Svc` (RFC 7838): where clients find HTTP/3."""

    max_age: Timeout = 86_400_000
    """How long a client may remember it."""
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    """The port that clients reach; null: the listener's own. Behind a mapping of ports, as Docker's, it is
    the outer one."""


class Http3(Options):
    """HTTP/3 on a listener whose protocols name it."""

    alt_svc: AltSvc | None = AltSvc()
    """What responses over HTTP/1 and HTTP/2 say of it; null: nothing."""
    congestion: Literal["cubic", "bbr"] = "cubic"
    """What decides how much may be on its way: `cubic`: loss; `bbr`: a model of the path."""
    retry: Literal["auto", "always", "never"] = "auto"
    """When a client must show by a packet more that its address is its own: `auto`: while many handshakes are
    half done."""
    early_data: bool = False
    """Whether requests with safe methods are served out of early data (0-RTT), which saves clients that come
    again a round trip; endpoints learn of it by `Early-Data: 1` (RFC 8470)."""
