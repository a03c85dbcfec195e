"""Models from end to end: samples of a real gateway, a model that is trained with them, its way into use."""

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("lightgbm", reason="the extra tidegate[ai] is not installed")

from tidegate.ai.dataset import read
from tidegate.ai.registry import ModelId, Registry
from tidegate.ai.train import train

from .conftest import StartGateway
from .harness.gateway import Gateway
from .harness.origin import Origin
from .harness.priced import ask, sampled
from .harness.waiting import eventually

TAR = {"Content-Type": "application/x-tar"}
SAMPLED = 2_000

Broken = Callable[[Path], contextlib.AbstractContextManager[None]]


def prediction(gateway: Gateway) -> Any:
    return gateway.admin.get("/v1/upstreams").raise_for_status().json()[0]["prediction"]


def samples(gateway: Gateway) -> Any:
    return prediction(gateway)["samples"]


def events(gateway: Gateway, kind: str) -> list[Any]:
    told = gateway.admin.get("/v1/events", headers={"Accept": "application/json"}).raise_for_status().json()
    return [event for event in told if event["kind"] == kind]


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def trained_dir(tmp_path_factory: pytest.TempPathFactory, module_origin: Origin) -> Path:
    """A state_dir with samples of real traffic, and a model of them in its registry."""
    folder = tmp_path_factory.mktemp("trained")
    state = folder / "state"
    state.mkdir()
    gateway = Gateway(folder / "gateway", sampled(module_origin, state)).start()
    try:
        ask(gateway, SAMPLED)
        eventually(lambda: samples(gateway)["taken"] >= SAMPLED, "all are sampled")
    finally:
        gateway.stop()
    made = train(read(state, "app"), "app", "lightgbm", 1, "a test")
    Registry(state).add("app-cost", made.package)
    assert made.comparison.model.explained > made.comparison.learner.explained
    return state


@pytest.fixture
def trained(trained_dir: Path, state_dir: Path) -> ModelId:
    """The model, in the registry of this test."""
    shutil.copytree(trained_dir / "models", state_dir / "models")
    (entry,) = Registry(state_dir).entries()
    return entry.id


def test_samples_that_wait_are_written_when_the_process_ends(trained_dir: Path) -> None:
    found = read(trained_dir, "app")
    assert len(found) >= SAMPLED * 0.99
    assert found.weight.min() >= 1


def test_a_model_comes_into_use_stage_by_stage_and_out_of_it(
    start_gateway: StartGateway, origin: Origin, state_dir: Path, trained: ModelId
) -> None:
    gateway = start_gateway(sampled(origin, state_dir))
    assert gateway.admin.post("/v1/models/app-cost/promote?upstream=app").status_code == 200
    ask(gateway, 1_000)
    eventually(lambda: prediction(gateway)["model"]["predictions"] > 20, "it is judged in shadow")
    assert prediction(gateway)["model"]["state"] == "shadow"
    refused = gateway.admin.post("/v1/models/app-cost/promote")
    assert refused.status_code == 409
    assert "expected 20000 predictions and a skill above 0" in refused.json()["detail"]
    live = {"predict": {"model": {"stage": "live"}}}
    gateway.admin.patch("/v1/upstreams/app", json=live).raise_for_status()
    assert prediction(gateway)["model"]["state"] == "serving"
    ask(gateway, 500)
    for stage in ("canary", "shadow", None):
        assert gateway.admin.post("/v1/models/app-cost/rollback").status_code == 200
        model = prediction(gateway)["model"]
        assert (model and model["stage"]) == stage
    assert "model_fallback" not in gateway.log


def test_a_model_is_used_again_after_a_restart(
    start_gateway: StartGateway, origin: Origin, state_dir: Path, trained: ModelId
) -> None:
    model = {"name": trained.short, "stage": "live"}
    first = start_gateway(sampled(origin, state_dir, model=model))
    assert prediction(first)["model"]["state"] == "serving"
    first.stop()
    second = start_gateway(sampled(origin, state_dir, model=model))
    assert prediction(second)["model"]["state"] == "serving"
    ask(second, 50)


@pytest.mark.parametrize("stage", ["shadow", "canary", "live"])
def test_what_has_been_seen_of_a_model_lives_through_reloads(
    start_gateway: StartGateway, origin: Origin, state_dir: Path, trained: ModelId, stage: str
) -> None:
    gateway = start_gateway(sampled(origin, state_dir, model={"name": trained.short, "stage": stage}))
    ask(gateway, 400)
    eventually(lambda: prediction(gateway)["model"]["predictions"] > 5, "it is judged")
    before = prediction(gateway)["model"]
    with gateway.next_generation():
        gateway.config["upstreams"][0]["health"] = {"interval": "9s"}
        gateway.write()
    after = prediction(gateway)["model"]
    assert (after["name"], after["stage"], after["state"]) == (before["name"], stage, before["state"])
    assert after["predictions"] >= before["predictions"]
    ask(gateway, 50)


def tamper(state_dir: Path, id: ModelId) -> Path:
    file = state_dir / "models" / id.name / id.digest / "model.trees"
    file.write_bytes(file.read_bytes().replace(b"0.", b"1.", 1))
    return file


def test_a_registry_that_was_tampered_with_keeps_no_gateway_from_serving(
    start_gateway: StartGateway, origin: Origin, state_dir: Path, trained: ModelId
) -> None:
    config = sampled(origin, state_dir, model={"name": trained.short, "stage": "live"})
    start_gateway(config).stop()
    tamper(state_dir, trained)
    gateway = start_gateway(config)
    ask(gateway, 50)
    assert prediction(gateway)["model"]["state"] == "absent"
    (absent,) = events(gateway, "model_absent")
    assert "model.trees is not the file that manifest.json was written for" in absent["reason"]
    listed = gateway.says("ai", "status")
    assert "absent" in listed


def test_a_check_names_the_line_of_a_model_that_was_tampered_with(
    start_gateway: StartGateway, origin: Origin, state_dir: Path, trained: ModelId
) -> None:
    gateway = start_gateway(sampled(origin, state_dir))
    tamper(state_dir, trained)
    other = yaml.safe_load(gateway.file.read_text())
    other["upstreams"][0]["predict"]["model"] = {"name": trained.short}
    refused = gateway.admin.patch("/v1/upstreams/app", json={"predict": {"model": {"name": trained.short}}})
    assert refused.status_code == 422
    (error,) = refused.json()["errors"]
    assert error["path"] == "upstreams.0.predict.model.name"
    assert "was tampered with and is not used" in error["message"]
    assert prediction(gateway)["model"] is None


@contextlib.contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """A small disk at a folder, without any room left."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a disk may not be mounted here")
    try:
        with contextlib.suppress(OSError), (folder / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextlib.contextmanager
def no_folder(folder: Path) -> Iterator[None]:
    """A file where the folder is to be."""
    folder.write_text("no folder")
    yield


@pytest.mark.parametrize("broken", [full_disk, no_folder])
def test_a_disk_that_is_full_stops_sampling_and_nothing_else(
    start_gateway: StartGateway, origin: Origin, state_dir: Path, broken: Broken
) -> None:
    with broken(state_dir / "samples"):
        gateway = start_gateway(sampled(origin, state_dir))
        ask(gateway, 200)
        eventually(lambda: samples(gateway)["stopped"], "sampling has stopped", deadline=60)
        ask(gateway, 200)
        (stopped,) = events(gateway, "sampling_stopped")
        assert str(state_dir / "samples") in stopped["reason"]
        assert "none are written now" in gateway.says("ai", "status")
        gateway.stop()


def test_garbage_is_no_model(
    start_gateway: StartGateway, origin: Origin, state_dir: Path, trained: ModelId
) -> None:
    gateway = start_gateway(sampled(origin, state_dir))
    good = gateway.admin.get("/v1/models/app-cost/archive").raise_for_status().content
    broken = [
        b"",
        b"garbage" * 1000,
        good[:-3000],
        good.replace(b"ustar", b"tar!!"),
        good + b"x" * (17 << 20),
    ]
    broken += [good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in (600, 5_000, len(good) - 3_000)]
    for archive in broken:
        refused = gateway.admin.post("/v1/models?name=other", content=archive, headers=TAR)
        assert refused.status_code in {413, 422}, refused.text
        assert refused.json()["detail"]
    assert [each["name"] for each in gateway.admin.get("/v1/models").json()] == ["app-cost"]
    assert gateway.admin.post("/v1/models?name=other", content=good, headers=TAR).status_code == 201
    ask(gateway, 20)


def test_an_upload_without_credentials_is_refused(
    start_gateway: StartGateway, origin: Origin, state_dir: Path, trained: ModelId
) -> None:
    token = "a-token-of-enough-length"
    config = sampled(origin, state_dir) | {"admin": {"token": token}}
    gateway = start_gateway(config, token=token)
    archive = gateway.admin.get("/v1/models/app-cost/archive").raise_for_status().content
    shown = gateway.admin.headers.pop("Authorization")
    for method, path in (
        ("POST", "/v1/models?name=other"),
        ("GET", "/v1/models"),
        ("GET", "/v1/models/app-cost/archive"),
        ("POST", "/v1/models/app-cost/promote?upstream=app"),
    ):
        content = archive if path.endswith("other") else None
        refused = gateway.admin.request(method, path, content=content, headers=TAR if content else {})
        assert refused.status_code == 401
    gateway.admin.headers["Authorization"] = shown
    assert len(gateway.admin.get("/v1/models").json()) == 1
