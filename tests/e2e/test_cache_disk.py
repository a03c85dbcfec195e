"""The disk of a cache: what outlives the process, and what never comes back wrong."""

import contextlib
import hashlib
import random
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .conftest import StartGateway
from .harness.caches import FRESH, Held, Ranged
from .harness.configs import proxy, route
from .harness.gateway import Config, Gateway, command
from .harness.message import Fields, Response
from .harness.origin import Exchange, Origin
from .harness.slow_disk import SlowDisk
from .harness.waiting import eventually

SIZES = (10, 60_000, 70_000, 1_500_000)
"""Bytes of bodies: of one block and of several, and more than an eighth of the largest."""


def cached(origin: Origin, folder: Path, *, memory: str = "16MB", size: str = "64MB") -> Config:
    """Everything goes through a cache that keeps all on disk."""
    disk = {"path": str(folder), "size": size, "admit": "always"}
    config = proxy(
        origin.address, caches=[{"name": "main", "memory": memory, "max_object": "2MB", "disk": disk}]
    )
    config["routes"][0]["cache"] = {"name": "main"}
    return config


def content(path: str) -> bytes:
    """The body of a path, which ends with its size."""
    size = int(path.rpartition("/")[2])
    block = hashlib.sha256(path.encode()).digest()
    return (block * (size // len(block) + 1))[:size]


async def contents(exchange: Exchange) -> None:
    """Every path has its own body."""
    await exchange.discard_body()
    path = exchange.request.path
    fields: Fields = [*FRESH, ("ETag", f'"{path}"'), ("Surrogate-Key", f"all {path.split('/')[1]}")]
    await exchange.respond(200, fields, content(path))


@pytest.fixture
def origin() -> Iterator[Origin]:
    """An origin that can be stopped."""
    with Origin() as server:
        server.on_every_path(contents)
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@contextlib.contextmanager
def life(start_gateway: StartGateway, config: Config) -> Iterator[Gateway]:
    """A gateway from its start to its end."""
    gateway = start_gateway(config)
    yield gateway
    gateway.stop()


def get(gateway: Gateway, path: str, headers: Fields | None = None) -> Response:
    with gateway.connect() as client:
        return client.request(path, headers=headers)


def kill(gateway: Gateway) -> None:
    """As a crash ends it."""
    gateway.signal(signal.SIGKILL)
    gateway.wait()
    gateway.good_exits = {-signal.SIGKILL}


def files(folder: Path) -> list[Path]:
    """Those of stored responses."""
    return [path for path in folder.glob("[0-9a-f][0-9a-f]/*") if path.is_file()]


def is_hit(response: Response) -> bool:
    return "; hit" in (response.header("cache-status") or "")


def test_what_is_stored_is_served_after_a_restart_without_the_origin(
    start_gateway: StartGateway, origin: Origin, folder: Path
) -> None:
    config = cached(origin, folder)
    paths = [f"/{number}/{size}" for number in range(5) for size in SIZES]
    with life(start_gateway, config) as gateway:
        config = gateway.config
        for path in paths:
            assert get(gateway, path).body == content(path)
    asked = len(origin.requests)
    gateway = start_gateway(config)
    for _ in range(3):
        for path in paths:
            response = get(gateway, path)
            assert is_hit(response) and response.body == content(path), path
            assert response.header("content-length") == str(len(content(path)))
    assert len(origin.requests) == asked


def test_parts_of_a_response_are_kept_in_memory_alone(
    start_gateway: StartGateway, origin: Origin, folder: Path
) -> None:
    body, path = bytes(range(256)) * 1000, "/parts"
    ranged = Ranged(origin, path, body)
    with life(start_gateway, cached(origin, folder)) as gateway:
        config = gateway.config
        for _ in range(2):
            assert get(gateway, path, [("Range", "bytes=0-99")]).body == body[:100]
    assert not files(folder)
    gateway = start_gateway(config)
    assert get(gateway, path, [("Range", "bytes=50-149")]).body == body[50:150]
    assert get(gateway, path).body == body
    eventually(lambda: get(gateway, path).body == body, "it is whole")
    gateway.stop()
    assert len(files(folder)) == 1, "the whole is kept"
    assert ranged.asked[:2] == ["bytes=0-99", "bytes=50-149"]


def test_ranges_are_cut_from_what_lies_on_disk(
    start_gateway: StartGateway, origin: Origin, folder: Path
) -> None:
    with life(start_gateway, cached(origin, folder)) as gateway:
        config, path = gateway.config, "/a/1500000"
        get(gateway, path)
    gateway = start_gateway(config)
    for span in (
        slice(0, 1),
        slice(65_530, 65_540),
        slice(1_000_000, 1_400_000),
        slice(1_499_999, 1_500_000),
    ):
        response = get(gateway, path, [("Range", f"bytes={span.start}-{span.stop - 1}")])
        assert (response.status, response.body) == (206, content(path)[span])
    parts = get(gateway, path, [("Range", "bytes=0-9,70000-70009")])
    assert parts.status == 206 and content(path)[70_000:70_010] in parts.body
    assert get(gateway, path, [("If-None-Match", f'"{path}"')]).status == 304
    assert len(origin.requests) == 1


def test_what_leaves_memory_goes_to_disk_and_comes_back(
    start_gateway: StartGateway, origin: Origin, folder: Path
) -> None:
    gateway = start_gateway(cached(origin, folder))
    paths = [f"/{number}/150000" for number in range(200)]
    for path in paths:
        get(gateway, path)
    eventually(lambda: len(files(folder)) > 100, "what left memory is on disk")
    hits = 0
    for path in paths:
        response = get(gateway, path)
        assert response.body == content(path)
        hits += is_hit(response)
    assert hits > 180, f"{hits} of {len(paths)} hits with half of it in memory"
    (status,) = gateway.admin.get("/v1/cache").json()
    assert status["disk"]["objects"] == len(files(folder)) > 100
    assert 0 < status["disk"]["used_bytes"] <= status["disk"]["size_bytes"] == 64_000_000
    metrics = gateway.metrics()
    labels = {"cache": "main", "tier": "disk"}
    assert metrics.total("tidegate_cache_objects", **labels) > 100
    assert metrics.total("tidegate_cache_bytes", **labels) > 15_000_000


def test_no_kill_during_fills_makes_a_wrong_answer(
    start_gateway: StartGateway, origin: Origin, folder: Path
) -> None:
    config, chance = cached(origin, folder), random.Random(11)
    wrong: list[str] = []
    for number in range(12):
        gateway = start_gateway(config)
        config = gateway.config

        def ask(path: str, gateway: Gateway = gateway) -> None:
            with contextlib.suppress(OSError, EOFError, ValueError):
                response = get(gateway, path)
                if response.complete and response.body != content(path):
                    wrong.append(path)

        paths = [f"/{chance.randrange(200)}/{chance.choice(SIZES)}" for _ in range(150)]
        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(ask, path) for path in paths]
            asked[20 + number * 5].result()
            kill(gateway)
    assert not wrong
    gateway = start_gateway(config)
    bodies = {path: get(gateway, path).body for path in paths}
    assert bodies == {path: content(path) for path in paths}


def test_no_byte_that_changed_makes_a_wrong_answer(
    start_gateway: StartGateway, origin: Origin, folder: Path
) -> None:
    with life(start_gateway, cached(origin, folder, size="256MB")) as gateway:
        config = gateway.config
        paths = [f"/{number}/{size}" for number in range(400) for size in (10, 5_000, 60_000, 70_000)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda path: get(gateway, path), paths))
    chance, stored = random.Random(7), files(folder)
    assert len(stored) > 900
    for file in stored:
        changed = bytearray(file.read_bytes())
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        file.write_bytes(changed)
    gateway = start_gateway(config)
    broken_off = 0
    for path in paths:
        response = get(gateway, path)
        assert response.body == content(path) or not response.complete, path
        broken_off += not response.complete
    print(f"{len(stored)} files changed, {broken_off} responses broken off, none wrong")
    assert gateway.metrics().total("tidegate_cache_disk_errors_total", cache="main", kind="broken") > 900
    bodies = [get(gateway, path).body for path in paths]
    assert bodies == [content(path) for path in paths]


@pytest.mark.parametrize("soft", [False, True])
def test_a_purge_reaches_what_is_on_disk_and_outlives_a_kill(
    start_gateway: StartGateway, origin: Origin, folder: Path, soft: bool
) -> None:
    with life(start_gateway, cached(origin, folder)) as gateway:
        config = gateway.config
        get(gateway, "/a/10"), get(gateway, "/b/10")
    gateway = start_gateway(config)
    assert gateway.admin.post("/v1/cache/purge", json={"tag": "a", "soft": soft}).is_success
    kill(gateway)
    gateway = start_gateway(config)
    assert not is_hit(get(gateway, "/a/10")) and is_hit(get(gateway, "/b/10"))
    validators = [request.header("if-none-match") for request in origin.requests[2:]]
    assert validators == (['"/a/10"'] if soft else [None])


def test_an_unsafe_request_reaches_what_is_on_disk(
    start_gateway: StartGateway, origin: Origin, folder: Path
) -> None:
    with life(start_gateway, cached(origin, folder)) as gateway:
        config = gateway.config
        get(gateway, "/a/10")
    gateway = start_gateway(config)
    with gateway.connect() as client:
        assert client.request("/a/10", method="DELETE").status == 200
    assert not is_hit(get(gateway, "/a/10"))


def test_the_origin_renews_what_is_on_disk(start_gateway: StartGateway, origin: Origin, folder: Path) -> None:
    path, body = "/renewed", bytes(1_500_000)

    async def answer(exchange: Exchange) -> None:
        if exchange.request.header("if-none-match") == '"1"':
            await exchange.respond(
                304, [("Cache-Control", "max-age=3600"), ("ETag", '"1"'), ("X-Own", "new")]
            )
        else:
            await exchange.respond(
                200, [("Cache-Control", "max-age=0"), ("ETag", '"1"'), ("X-Own", "old")], body
            )

    origin.on(path, answer)
    with life(start_gateway, cached(origin, folder)) as gateway:
        config = gateway.config
        get(gateway, path)
    with life(start_gateway, config) as gateway:
        renewed = get(gateway, path)
        assert (renewed.body, renewed.header("x-own"), len(origin.requests)) == (body, "new", 2)
        again = get(gateway, path)
        assert is_hit(again) and again.body == body
    again = get(start_gateway(config), path)
    assert (is_hit(again), again.header("x-own"), again.body) == (True, "new", body)


def test_what_left_the_disk_while_it_was_validated_is_asked_for_again(
    start_gateway: StartGateway, origin: Origin, folder: Path
) -> None:
    path, body = "/leaves", bytes(1_500_000)

    async def answer(exchange: Exchange) -> None:
        if exchange.request.header("if-none-match"):
            await exchange.respond(304, [("ETag", '"1"')])
        else:
            await exchange.respond(200, [("Cache-Control", "max-age=0"), ("ETag", '"1"')], body)

    origin.on(path, answer)
    with life(start_gateway, cached(origin, folder)) as gateway:
        config = gateway.config
        get(gateway, path)
    gateway = start_gateway(config)
    held = Held(origin, path, then=answer)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(get, gateway, path)
        held.wait_for(1)
        with gateway.next_generation():
            gateway.config["caches"][0]["disk"]["size"] = "1MiB"
            gateway.write()
        held.let_go(1)
        held.wait_for(2)
        held.let_go(2)
        response = asked.result()
    assert (response.status, response.body) == (200, body)


def test_entries_say_where_they_are(start_gateway: StartGateway, origin: Origin, folder: Path) -> None:
    def tiers() -> list[str]:
        url = "http://localhost/a/10"
        return [entry["tier"] for entry in gateway.admin.get("/v1/cache/entries", params={"url": url}).json()]

    with life(start_gateway, cached(origin, folder)) as gateway:
        config = gateway.config
        get(gateway, "/a/10")
        assert tiers() == ["memory"]
    gateway = start_gateway(config)
    assert tiers() == ["disk"]
    get(gateway, "/a/10")
    assert tiers() == ["memory"]


def test_a_directory_that_cannot_be_used_is_refused_with_the_reason(
    start_gateway: StartGateway, origin: Origin, folder: Path
) -> None:
    gateway = start_gateway(cached(origin, folder))
    for path, size, reason in (
        (str(folder), "64MB", "is in use by another process"),
        ("/proc/nowhere", "64MB", "/proc/nowhere cannot be written"),
        (str(folder / "other"), "1000TiB", "is more than the file system"),
    ):
        other = start_gateway(proxy(origin.address))
        config = cached(origin, Path(path), size=size)
        config |= {"admin": other.config["admin"], "listeners": other.config["listeners"]}
        other.write(config)
        refused = other.admin.post("/v1/config/reload")
        assert refused.status_code == 422 and reason in refused.text, refused.text
    assert get(gateway, "/a/10").status == 200


def test_a_disk_comes_changes_and_goes_by_reloads(
    start_gateway: StartGateway, origin: Origin, folder: Path
) -> None:
    with_disk = cached(origin, folder)
    without = {**with_disk, "caches": [{"name": "main", "memory": "16MB", "max_object": "2MB"}]}
    gateway = start_gateway(without)
    addresses = {key: gateway.config[key] for key in ("admin", "listeners")}

    def serve(config: Config) -> None:
        gateway.write({**config, **addresses})
        reloaded = gateway.admin.post("/v1/config/reload")
        assert reloaded.is_success, reloaded.text

    get(gateway, "/a/10")
    serve(with_disk)
    assert is_hit(get(gateway, "/a/10")), "what is in memory stays"
    get(gateway, "/b/1500000")
    eventually(lambda: len(files(folder)) == 1, "the large one is on disk")
    serve(cached(origin, folder, size="32MB"))
    assert is_hit(get(gateway, "/b/1500000"))
    serve(without)
    assert not is_hit(get(gateway, "/b/1500000"))
    serve(with_disk)
    assert is_hit(get(gateway, "/a/10"))


def test_a_slow_disk_holds_up_nothing_that_does_not_need_it(
    start_gateway: StartGateway, origin: Origin, folder: Path, tmp_path: Path
) -> None:
    product = command()
    assert product
    disk = SlowDisk(folder, tmp_path)
    slow = disk.under(product)
    if slow is None:
        pytest.skip("no C compiler here to slow a disk with")
    config = {**cached(origin, folder), "workers": 1}
    config["routes"].append(route("plain", "/plain"))
    on_disk = [f"/{number}/{size}" for number in range(20) for size in (60_000, 300_000)]
    with life(start_gateway, config) as gateway:
        for path in on_disk:
            get(gateway, path)
    assert len(files(folder)) == len(on_disk)
    disk.forget_pages(files(folder))

    gateway = start_gateway(config, product=slow)
    others = ["/memory/1000", "/plain/1000"]
    assert [get(gateway, path).body for path in others] == [content(path) for path in others]
    with ThreadPoolExecutor(len(on_disk)) as pool:
        with disk.standing():
            reads = [pool.submit(get, gateway, path) for path in on_disk]
            eventually(
                lambda: gateway.metrics().total("tidegate_cache_disk_queue") > 0, "reads wait for the disk"
            )
            # One worker serves all: had it waited for the disk, it would serve none of these.
            for _ in range(50):
                memory, plain = (get(gateway, path) for path in others)
                assert is_hit(memory)
                assert plain.body == content("/plain/1000")
        for path, read in zip(on_disk, reads, strict=True):
            assert read.result().body == content(path)
    assert gateway.metrics().total("tidegate_cache_disk_errors_total") == 0


def test_a_full_file_system_leaves_the_gateway_going(
    start_gateway: StartGateway, origin: Origin, folder: Path
) -> None:
    probe = subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True)
    if probe.returncode != 0:
        pytest.skip(f"no file system of its own for a test here: {probe.stderr.decode().strip()}")
    product = command()
    assert product
    folder.mkdir()
    script = f'mount -t tmpfs -o size=3m none "{folder}" && exec "$@"'
    gateway = start_gateway(
        cached(origin, folder, size="3MB"), product=["unshare", "-rm", "sh", "-c", script, "sh", *product]
    )
    fill = f"/proc/{gateway.pid}/root{folder}/fill"
    with contextlib.suppress(OSError), Path(fill).open("wb") as file:
        file.write(bytes(4_000_000))
    paths = [f"/{number}/{size}" for number in range(30) for size in (60_000, 1_500_000)]
    for _ in range(2):
        assert [get(gateway, path).body for path in paths] == [content(path) for path in paths]
    assert gateway.metrics().total("tidegate_cache_disk_errors_total", cache="main", kind="io") >= 1
    assert "is left alone for 30 seconds" in gateway.log
