"""gRPC: RPCs are counted by their methods."""

from .conftest import StartGateway
from .harness.configs import proxy, route
from .harness.gateway import Gateway
from .harness.grpc_service import HEADERS, SERVICE, GrpcClient, GrpcService, failure, message
from .harness.h2client import H2Client
from .harness.origin import Origin
from .harness.waiting import eventually


def test_rpcs_are_counted_by_the_methods_that_their_route_names(
    start_gateway: StartGateway, plain_service: GrpcService
) -> None:
    config = proxy(plain_service.address)
    config["upstreams"][0]["protocol"] = "http2"
    named = [f"/{SERVICE}/{method}" for method in ("Say", "Chat", "Fail", "Hold", "Nothing")]
    config["routes"] = [
        route("named", "/", grpc_methods=named),
        route("unnamed", "/unnamed", template="/test.Echo/{method}"),
        route("refusing", "/refusing", grpc_methods=["/refusing/Say"], respond={"status": 403}),
    ]
    gateway = start_gateway(config)

    def count(method: str, code: str, route: str = "named") -> float:
        labels = {"route": route, "method": method, "code": code}
        return gateway.metrics().total("tidegate_grpc_requests_total", **labels)

    with GrpcClient(gateway.port()) as client:
        for _ in range(3):
            client.unary("Say")(b"", timeout=10)
        list(client.stream("Chat")(iter([b"a"]), timeout=10))
        failure(lambda: client.unary("Fail")(b"", timeout=10))
        failure(lambda: client.unary("Nothing")(b"", timeout=10))
        client.unary("Left")(b"", timeout=10)
        failure(lambda: client.at("/test.Other/Say")(b"", timeout=10))
        failure(lambda: client.at("/unnamed/Say")(b"", timeout=10))
        failure(lambda: client.at("/refusing/Say")(b"", timeout=10))
        held = client.server_stream("Hold")(b"counted")
        assert next(held) == b"begun"
        held.cancel()
    # An RPC is counted when it is over, which may be after its client has the answer.
    eventually(
        lambda: gateway.metrics().total("tidegate_grpc_requests_total") == 10,
        "as many as there were are counted",
    )
    assert count("test.Echo/Hold", "cancelled") == 1
    assert (count("test.Echo/Say", "ok"), count("test.Echo/Chat", "ok")) == (3, 1)
    assert count("test.Echo/Fail", "failed_precondition") == 1
    assert count("test.Echo/Nothing", "unimplemented") == 1
    assert (count("other", "ok"), count("other", "unimplemented")) == (1, 1)
    assert count("refusing/Say", "permission_denied", "refusing") == 1
    assert gateway.metrics().total("tidegate_grpc_requests_total", route="unnamed") == 0


def by_method(gateway: Gateway) -> dict[str, float]:
    """How many RPCs are counted as of which method."""
    samples = gateway.metrics().find("tidegate_grpc_requests_total")
    return {sample.labels["method"]: sample.value for sample in samples}


def counted(gateway: Gateway, expected: dict[str, float]) -> None:
    """Wait until so many are counted, each of which is over a moment after its answer."""
    eventually(lambda: by_method(gateway) == expected, f"the RPCs are counted as {expected}")


def test_no_client_makes_the_metrics_longer(start_gateway: StartGateway, module_origin: Origin) -> None:
    """An endpoint that answers whatever it is asked, and requests that are no RPCs."""
    config = proxy(module_origin.address)
    config["routes"] = [route("named", "/", grpc_methods=["/shop.Orders/Place"])]
    gateway = start_gateway(config)

    with H2Client(gateway.port()) as client:
        for number in range(120):
            client.request(f"/shop.Orders/M{number}", method="POST", headers=HEADERS, body=message(b""))
        counted(gateway, {"other": 120})
        client.request("/shop.Orders/Place", headers=HEADERS)
        client.request("/shop.Orders/Place", method="POST", body=b"x")
        counted(gateway, {"other": 120})
        client.request("/shop.Orders/Pl%61ce", method="POST", headers=HEADERS, body=message(b""))
        counted(gateway, {"other": 120, "shop.Orders/Place": 1})


def test_counts_of_a_method_outlive_a_change_of_the_list(
    start_gateway: StartGateway, plain_service: GrpcService
) -> None:
    config = proxy(plain_service.address)
    config["upstreams"][0]["protocol"] = "http2"
    config["routes"][0]["grpc_methods"] = ["/test.Echo/Say"]
    gateway = start_gateway(config)

    with GrpcClient(gateway.port()) as client:
        client.unary("Say")(b"", timeout=10)
        client.unary("Left")(b"", timeout=10)
        counted(gateway, {"other": 1, "test.Echo/Say": 1})
        config["routes"][0]["grpc_methods"] = ["/test.Echo/Left", "/test.Echo/Say"]
        with gateway.next_generation():
            gateway.write(config)
        client.unary("Say")(b"", timeout=10)
        client.unary("Left")(b"", timeout=10)
    counted(gateway, {"other": 1, "test.Echo/Say": 2, "test.Echo/Left": 1})
