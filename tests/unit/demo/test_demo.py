"""The demo: its upstreams and its configuration."""

from pathlib import Path

import httpx
import pytest

import tidegate
from tidegate.config.load import load_data
from tidegate.demo.configuration import demo_document
from tidegate.demo.introduction import introduce
from tidegate.demo.upstreams import DemoError, DemoUpstream, started_upstreams

THREE = [DemoUpstream("a", "127.0.0.1:1", 0), DemoUpstream("slow", "127.0.0.1:2", 0.2)]


@pytest.fixture(autouse=True)
def tidegate_importable_by_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(str(tidegate.__file__)).parents[1]))


def test_three_upstreams_say_who_they_are_until_the_demo_ends() -> None:
    with started_upstreams() as upstreams, httpx.Client(trust_env=False) as http:
        assert [each.name for each in upstreams] == ["quick-1", "quick-2", "slow"]
        for each in upstreams:
            answer = http.post(f"http://{each.address}/some/path", content=b"a body")
            assert (answer.json()["upstream"], answer.json()["path"]) == (each.name, "/some/path")
            assert http.get(f"http://{each.address}/healthz").json()["status"] == "ok"
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://{upstreams[0].address}/healthz", trust_env=False)


def test_upstreams_that_do_not_start_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/true")
    with pytest.raises(DemoError):
        started_upstreams().__enter__()


def test_the_configuration_is_good() -> None:
    config = load_data(demo_document(THREE, 8080, 9090), Path()).config
    assert config.listeners[0].address == "0.0.0.0:8080"
    assert [each.address for each in config.upstreams[0].endpoints] == ["127.0.0.1:1", "127.0.0.1:2"]
    assert config.explain.sample == 100


def test_the_introduction_suggests_commands_for_the_admin_api_that_runs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    introduce(THREE, 8080, 9090)
    assert "tidegate status\n" in capsys.readouterr().out
    introduce(THREE, 8080, 9091)
    said = capsys.readouterr().out
    assert "tidegate explain REQUEST-ID --admin http://127.0.0.1:9091" in said
    assert "tidegate maintenance demo 127.0.0.1:2 --admin" in said
    assert "takes 200 ms" in said
