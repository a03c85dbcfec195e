"""The command line: what each command says, to whom, and how it ends."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tidegate.cli import NAMES
from tidegate.control.source import default_document

from .conftest import StartGateway
from .harness.certs import Authority
from .harness.configs import listener, proxy, route
from .harness.gateway import command
from .harness.origin import Origin
from .harness.ports import free_port

REPOSITORY = Path(__file__).parents[2]
SHARED = REPOSITORY.parent / "shared"


def tidegate(
    *args: str, cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    product = command()
    assert product is not None
    return subprocess.run(
        [*product, *args],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "200", **(env or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_names_every_command() -> None:
    shown = tidegate("--help")
    assert shown.returncode == 0
    for name in NAMES:
        assert re.search(rf"\b{name}\b", shown.stdout), name


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help(name: str) -> None:
    shown = tidegate(name, "--help")
    assert shown.returncode == 0
    assert "Usage" in shown.stdout


def test_an_unknown_command_is_refused() -> None:
    assert tidegate("rnu").returncode == 2


def test_the_version_is_told() -> None:
    assert re.fullmatch(r"tidegate \d+\.\d+\.\d+\S*\n", tidegate("version").stdout)


def test_there_are_no_colours_where_there_is_no_terminal(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("listenrs: []\n")
    for shown in (tidegate("--help"), tidegate("check", str(bad))):
        assert "\x1b[" not in shown.stdout + shown.stderr


# check


def test_a_good_file_passes(tmp_path: Path) -> None:
    file = tmp_path / "good.yaml"
    file.write_text(yaml.safe_dump({**proxy("127.0.0.1:9001")}))
    checked = tidegate("check", str(file))
    assert checked.returncode == 0, checked.stderr


def test_a_length_that_a_body_does_not_have_is_a_mistake(tmp_path: Path) -> None:
    config = proxy("127.0.0.1:9001")
    config["routes"] = [route("a", "/", respond={"body": "ok", "headers": {"content-length": "3"}})]
    file = tmp_path / "bad.yaml"
    file.write_text(yaml.safe_dump(config))
    checked = tidegate("check", str(file))
    assert checked.returncode == 1
    assert "the body has 2 bytes" in checked.stderr


def test_every_mistake_is_shown_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(
        "listeners:\n"
        "  - name: web\n"
        "    adress: 127.0.0.1:8080\n"
        "routes:\n"
        "  - {name: all, upstream: ap, timeout: soon}\n"
        "upstreams:\n"
        "  - {name: app, endpoints: [127.0.0.1:9001]}\n"
    )
    checked = tidegate("check", str(file))
    said = checked.stdout + checked.stderr
    assert checked.returncode == 1
    assert re.search(r"bad\.yaml:3:\d+", said), said
    assert re.search(r"bad\.yaml:5:\d+", said), said
    assert "did you mean" in said.lower()
    assert "address" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "text",
    [
        "listeners: [",
        "\x00\x01",
        "- a list",
        "a: &x [*x]",
        "listeners: 5",
        "!!python/object/apply:os.system [id]",
        "a: 1\na: 2",
    ],
)
def test_rubbish_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    checked = tidegate("check", str(file))
    said = checked.stdout + checked.stderr
    assert checked.returncode == 1, said
    assert "bad.yaml" in said
    assert "Traceback" not in said
    assert "uid=" not in said


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    for args in (("check", "no.yaml"), ("run", "--config", "no.yaml")):
        ended = tidegate(*args, cwd=tmp_path)
        assert ended.returncode != 0
        assert "no.yaml" in ended.stdout + ended.stderr
        assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("suffix", ["toml", "json"])
def test_other_formats_are_read(tmp_path: Path, suffix: str) -> None:
    texts = {
        "toml": '[[listeners]]\nname = "web"\naddress = "127.0.0.1:8080"\n',
        "json": '{"listeners": [{"name": "web", "address": "127.0.0.1:8080"}]}',
    }
    file = tmp_path / f"config.{suffix}"
    file.write_text(texts[suffix])
    assert tidegate("check", str(file)).returncode == 0


def test_variables_and_includes_are_read(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "a.yaml").write_text("upstreams: [{name: app, endpoints: ['${BACKEND}']}]\n")
    file = tmp_path / "main.yaml"
    file.write_text(
        "include: [parts/*.yaml]\nlisteners: [{name: web, address: '${FRONT:-127.0.0.1:8080}'}]\n"
        "routes: [{name: all, upstream: app}]\n"
    )
    assert tidegate("check", str(file), env={"BACKEND": "127.0.0.1:9001"}).returncode == 0
    missing = tidegate("check", str(file))
    assert missing.returncode == 1
    assert "BACKEND" in missing.stdout + missing.stderr


def test_the_peers_configuration_is_good_as_it_stands(tmp_path: Path, authority: Authority) -> None:
    source = SHARED / "tools" / "peers.yaml"
    if not source.exists():
        pytest.skip("../shared/tools/peers.yaml is absent")
    files = authority.issue("localhost", file="peers")
    (tmp_path / "cert.pem").write_bytes(files.cert.read_bytes())
    (tmp_path / "key.pem").write_bytes(files.key.read_bytes())
    file = tmp_path / "peers.yaml"
    file.write_text(source.read_text().replace("@W@", str(tmp_path)))
    checked = tidegate("check", str(file))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_missing_or_mismatched_certificate_is_told(tmp_path: Path, authority: Authority) -> None:
    files, others = authority.issue("localhost", file="cli"), authority.issue("localhost", file="cli-other")
    for cert, key in ((tmp_path / "no.pem", files.key), (files.cert, others.key)):
        tls = {"certificates": [{"cert": str(cert), "key": str(key)}]}
        file = tmp_path / "tls.yaml"
        file.write_text(
            yaml.safe_dump({"listeners": [{"name": "web", "address": "127.0.0.1:1", "tls": tls}]})
        )
        checked = tidegate("check", str(file))
        said = checked.stdout + checked.stderr
        assert checked.returncode == 1, said
        assert re.search(r"tls\.yaml:\d+:\d+", said), said


# Looking at routes


def test_the_schema_is_a_json_schema() -> None:
    schema = json.loads(tidegate("schema").stdout)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert {"listeners", "routes", "upstreams", "admin"} <= schema["properties"].keys()


@pytest.fixture
def routes_file(tmp_path: Path) -> str:
    config = proxy("127.0.0.1:9001")
    config["routes"].append(
        route("api", match={"hosts": ["api.example"], "path": {"prefix": "/v1"}, "methods": ["PUT"]})
    )
    file = tmp_path / "routes.yaml"
    file.write_text(yaml.safe_dump(config))
    return str(file)


def test_the_table_of_routes_is_printed(routes_file: str) -> None:
    shown = tidegate("routes", "--config", routes_file)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.index("api") < shown.stdout.index("all"), "the nearest first"


def test_the_route_of_a_request_is_explained(routes_file: str) -> None:
    taken = tidegate("route", "PUT", "https://api.example/v1/x", "--config", routes_file)
    assert taken.returncode == 0, taken.stderr
    assert re.search(r"api.* takes", taken.stdout)
    other = tidegate("route", "GET", "https://api.example/v1/x", "-H", "X-A: 1", "--config", routes_file)
    assert re.search(r"all.* takes", other.stdout)
    assert re.search(r"api.*method", other.stdout, re.IGNORECASE), "why the nearer one does not"


def test_the_route_of_a_request_is_that_of_the_listener_that_its_url_leads_to(
    tmp_path: Path, authority: Authority
) -> None:
    certificate = authority.issue("localhost")
    config = {
        "listeners": [
            {"name": "plain", "address": "127.0.0.1:80"},
            {"name": "secure", "address": "127.0.0.1:443", "tls": {"certificates": [certificate.config()]}},
        ],
        "routes": [
            {"name": "to-tls", "listeners": ["plain"], "redirect": {"scheme": "https"}},
            route("api", "/v1", listeners=["secure"], rewrite={"prefix": "/api"}, upstream="app"),
        ],
        "upstreams": [{"name": "app", "endpoints": ["127.0.0.1:9001"]}],
    }
    file = tmp_path / "tidegate.yaml"
    file.write_text(yaml.safe_dump(config))

    def asked(url: str) -> subprocess.CompletedProcess[str]:
        return tidegate("route", "GET", url, "--config", str(file))

    secure = asked("https://a.example/v1/x?y=1")
    assert "Route api takes this request by listener secure: upstream app." in secure.stdout
    assert "sent as /api/x?y=1, Host: a.example" in secure.stdout
    plain = asked("http://a.example/v1/x")
    assert "Route to-tls takes this request by listener plain: redirect 308." in plain.stdout
    assert "redirected to https://a.example/v1/x" in plain.stdout
    assert "Assumed" not in secure.stdout + plain.stdout
    nothing = asked("https://a.example:8443/other")
    assert nothing.returncode == 1
    assert "Assumed: secure" in nothing.stdout


# A running gateway


def test_status_and_reload_speak_to_a_running_gateway(start_gateway: StartGateway, origin: Origin) -> None:
    gateway = start_gateway(proxy(origin.address))
    admin = ("--admin", str(gateway.admin.base_url))
    status = tidegate("status", *admin)
    assert status.returncode == 0, status.stderr
    assert origin.address in status.stdout
    gateway.write({**gateway.config, "routes": [route("new", "/", respond={"body": "new"})]})
    assert tidegate("reload", *admin).returncode == 0
    assert "new" in tidegate("routes", *admin).stdout
    with gateway.connect() as client:
        assert client.request("/").text == "new"
    gateway.file.write_text("listenrs: []")
    refused = tidegate("reload", *admin)
    assert refused.returncode == 1
    assert "listenrs" in refused.stdout + refused.stderr


def test_a_gateway_that_is_not_there_is_told() -> None:
    ended = tidegate("status", "--admin", f"http://127.0.0.1:{free_port()}")
    assert ended.returncode not in (0, 1)
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("which", ["listener", "admin"])
def test_a_port_in_use_is_told(tmp_path: Path, which: str) -> None:
    with Origin("squatter") as squatter:
        config = proxy("127.0.0.1:9001", admin={"address": f"127.0.0.1:{free_port()}"})
        if which == "listener":
            config["listeners"][0]["address"] = squatter.address
        else:
            config["admin"]["address"] = squatter.address
        file = tmp_path / "taken.yaml"
        file.write_text(yaml.safe_dump(config))
        ended = tidegate("run", "--config", str(file))
    said = ended.stdout + ended.stderr
    assert ended.returncode != 0
    assert str(squatter.port) in said
    assert "in use" in said.lower()
    assert "Traceback" not in said


def test_an_open_admin_api_is_refused_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "open.yaml"
    file.write_text(yaml.safe_dump({"admin": {"address": f"0.0.0.0:{free_port()}"}}))
    ended = tidegate("run", "--config", str(file))
    assert ended.returncode != 0
    assert "token" in ended.stdout + ended.stderr


def test_what_runs_without_a_file_greets_a_newcomer(start_gateway: StartGateway) -> None:
    gateway = start_gateway({**default_document(), "listeners": [listener("web")]})
    with gateway.connect() as client:
        assert "tidegate run --config" in client.request("/").text
