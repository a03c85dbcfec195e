"""The port of a listener for HTTP/3 that goes to another one while its connections still end."""

import os
import socket

from .conftest import StartGateway
from .harness import answers
from .harness.certs import Authority
from .harness.configs import listener, proxy
from .harness.gateway import Config, Gateway
from .harness.h3client import H3Client
from .harness.origin import Origin
from .harness.waiting import eventually


def quic(authority: Authority, name: str = "quic", **options: object) -> Config:
    """A listener that speaks nothing else."""
    certificate = authority.issue("localhost", file="http3").config()
    return listener(name, protocols=["http3"], tls={"certificates": [certificate]}, **options)


def serve(gateway: Gateway, *listeners: Config) -> None:
    """Let the gateway have these listeners and no others."""
    gateway.config["listeners"] = list(listeners)
    with gateway.next_generation():
        gateway.write()


def test_its_port_at_another_address_is_free_while_its_last_connections_end(
    start_gateway: StartGateway, origin: Origin, authority: Authority
) -> None:
    gate = answers.Gate()
    origin.on("/ends-later", gate)
    everywhere, other = quic(authority), listener("other")
    port = everywhere["address"].rpartition(":")[2]
    everywhere["address"] = f"0.0.0.0:{port}"
    there = {**everywhere, "address": f"127.0.0.9:{port}"}
    gateway = start_gateway(proxy(origin.address, listeners=[everywhere, other], drain_timeout="30s"))
    with H3Client(int(port)) as client:
        last = client.send_request("/ends-later")
        eventually(lambda: [r for r in origin.requests if r.target == "/ends-later"], "it arrives")
        serve(gateway, other)
        serve(gateway, there, other)
        with H3Client(int(port), host="127.0.0.9") as new:
            assert new.request("/").status == 200
        gate.open()
        assert client.wait(last).text == "at last"


def test_packets_of_no_connection_are_counted_by_the_listener_that_has_the_port_now(
    start_gateway: StartGateway, module_origin: Origin, authority: Authority
) -> None:
    first = quic(authority)
    gateway = start_gateway(proxy(module_origin.address, workers=2, listeners=[first]))
    port = gateway.port("quic")
    with H3Client(port) as client:
        assert client.request("/").status == 200
    serve(gateway, {**first, "name": "renamed"})
    with H3Client(port) as client:
        assert client.request("/").status == 200

    def is_counted() -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(b"\x40" + os.urandom(60), ("127.0.0.1", port))
        return gateway.metrics().total("tidegate_quic_stray_packets_total", listener="renamed") > 0

    eventually(is_counted, "they are counted")
