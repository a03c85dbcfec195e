"""Commands: what they print, and their exit codes."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Answer, answer, tidegate
from tests.unit.control.gateways import YAML
from tidegate.cli.connection import Connection
from tidegate.cli.reference import reference

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "cli.md"
NOWHERE = "http://127.0.0.1:1"
CHANGE = {
    "changed": True,
    "generation": 2,
    "summary": {"routes": {"changed": ["all"]}},
    "restart_required": [],
}

WORD = {
    "upstream": "app",
    "endpoint": "10.0.0.1:80",
    "option": "duty",
    "value": "maintenance",
    "configured": "serving",
    "absent": False,
    "reason": "a new disk",
    "author": "ann",
    "time": "2026-11-26T10:00:00Z",
}
STORES = [
    {
        "name": "near",
        "up": True,
        "cause": None,
        "for_seconds": 7200,
        "gateways": 3,
        "rate_limits": ["a", "b"],
    },
    {"name": "far", "up": False, "cause": "no answer", "for_seconds": 1, "gateways": 0, "rate_limits": []},
]
WEIGHT = {"option": "weight", "value": 3, "reason": None, "absent": True}
ENDPOINT = "/v1/upstreams/app/endpoints/10.0.0.1%3A80"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A good configuration file."""
    file = tmp_path / "tidegate.yaml"
    file.write_text(YAML)
    return file


def test_a_good_file_is_said_to_be_good(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], file: Path
) -> None:
    assert tidegate(monkeypatch, "check", str(file)) == 0
    assert "1 listener, 1 route, 1 upstream" in capsys.readouterr().out


def test_every_problem_of_a_bad_file_is_shown_with_its_line_and_a_caret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], file: Path
) -> None:
    file.write_text(YAML.replace("workers", "workrs").replace("upstream: app", "upstream: apq"))
    assert tidegate(monkeypatch, "check", str(file)) == 1
    said = capsys.readouterr().err
    assert f"{file}:1:1: workrs" in said
    assert "  1 | workrs: 1\n    | ^\n" in said
    line = "  5 |   - {name: all, match: {path: {prefix: /}}, upstream: apq, timeout: 5s}\n"
    assert line + "    | " + " " * (line.index("apq") - 6) + "^\n" in said
    assert "did you mean app?" in said
    assert "2 errors" in said
    assert "\x1b" not in said


def test_of_a_long_line_the_part_around_the_problem_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], file: Path
) -> None:
    file.write_text("{" + " " * 1_000_000 + "workrs: 1, \x1b[31mname: a" + " " * 1_000_000 + "}")
    assert tidegate(monkeypatch, "check", str(file)) == 1
    said = capsys.readouterr().err
    assert len(said) < 2000
    assert "\x1b" not in said


def test_many_problems_are_shown_in_reasonable_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], file: Path
) -> None:
    reads: list[Path] = []
    read = Path.read_text

    def counted(path: Path, *args: Any, **options: Any) -> str:
        reads.append(path)
        return read(path, *args, **options)

    monkeypatch.setattr(Path, "read_text", counted)
    file.write_text("".join(f"x{number}: 1\n" for number in range(500)))
    assert tidegate(monkeypatch, "check", str(file)) == 1
    assert "500 errors" in capsys.readouterr().err
    assert reads.count(file) <= 2


@pytest.mark.parametrize("command", ["check", "schema", "routes --config"])
def test_output_that_cannot_be_written_is_code_4(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], file: Path, command: str
) -> None:
    with contextlib.suppress(OSError), Path("/dev/full").open("w") as full:  # closing it fails, too
        monkeypatch.setattr("sys.stdout", full)
        arguments = command.split() + [str(file)] * (command != "schema")
        assert tidegate(monkeypatch, *arguments) == 4
    assert "no space left" in capsys.readouterr().err


def test_a_terminal_without_unicode_is_served(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="ascii", write_through=True))
    assert tidegate(monkeypatch, "route", "GET", "/", "--config", str(file)) == 0
    assert b"Route all takes this request by listener web: upstream app." in written.getvalue()


@pytest.mark.parametrize(
    "request_", [("G T", "/"), ("GET", "/%zz"), ("GET", "/\udcff"), ("GET", "/", "-H", "x: a\nb")]
)
def test_a_request_that_is_none_is_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], file: Path, request_: tuple[str, ...]
) -> None:
    assert tidegate(monkeypatch, "route", *request_, "--config", str(file)) == 2
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize("command", [("check",), ("run", "--config")])
def test_a_file_that_is_not_there_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    command: tuple[str, ...],
) -> None:
    assert tidegate(monkeypatch, *command, str(tmp_path / "none.yaml")) == 1
    assert "none.yaml" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ("check",),
        ("nonsense",),
        ("run", "--workers", "0"),
        ("route", "GET", "/", "-H", "no colon"),
        ("status", "--x"),
    ],
)
def test_a_wrong_command_line_is_code_2(monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
    assert tidegate(monkeypatch, *arguments) == 2


@pytest.mark.parametrize("command", [("status",), ("reload",), ("routes",), ("route", "GET", "/")])
def test_an_admin_api_that_cannot_be_reached_is_code_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    assert tidegate(monkeypatch, *command, "--admin", NOWHERE) == 3
    assert NOWHERE in capsys.readouterr().err


def test_something_else_than_an_admin_api_is_code_3(
    monkeypatch: pytest.MonkeyPatch, answers: dict[str, Answer]
) -> None:
    answers["POST /v1/config/reload"] = (404, b"<html>")
    assert tidegate(monkeypatch, "reload") == 3


def test_a_reload_says_what_changed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answers: dict[str, Answer]
) -> None:
    answers["POST /v1/config/reload"] = answer(200, CHANGE)
    assert tidegate(monkeypatch, "reload") == 0
    assert capsys.readouterr().out == "Generation 2 is served.\n  routes changed: all\n"


def test_a_reload_that_is_refused_is_code_1_with_every_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answers: dict[str, Answer]
) -> None:
    errors = [
        {
            "path": "workrs",
            "message": "unknown option",
            "file": "/a.yaml",
            "line": 1,
            "column": 2,
            "hint": "x",
        }
    ]
    answers["POST /v1/config/reload"] = answer(422, {"detail": "Refused.", "errors": errors})
    assert tidegate(monkeypatch, "reload") == 1
    assert "/a.yaml:1:2: workrs: unknown option (x)" in capsys.readouterr().err


def test_a_missing_token_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answers: dict[str, Answer]
) -> None:
    answers["GET /v1/status"] = answer(401, {"detail": "A token is needed"})
    assert tidegate(monkeypatch, "status") == 4
    assert "A token is needed" in capsys.readouterr().err


def test_status_is_a_table_of_endpoints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answers: dict[str, Answer]
) -> None:
    status = {
        "version": "1",
        "ready": True,
        "uptime_seconds": 90061,
        "workers": 2,
        "generation": {"number": 7},
        "restart_required": ["workers"],
        "refused": [],
        "panic_mode": ["app"],
        "listeners": [{"name": "web", "address": "0.0.0.0:80"}],
    }
    endpoint = {
        "address": "10.0.0.1:80",
        "weight": 3,
        "drain": False,
        "state": "unhealthy",
        "healthy": False,
        "cause": "3 health checks failed",
        "for_seconds": 61.5,
        "in_flight": 0,
        "workers": 4,
        "requests": 10,
        "failures": 4,
        "latency_ms": 1.25,
    }
    unweighted = {**endpoint, "address": "10.0.0.2:80", "weight": 0, "state": "healthy", "cause": "added"}
    endpoints = [endpoint, unweighted]
    answers["GET /v1/status"] = answer(200, status)
    comparison = {"state": "off", "off_for_seconds": 61.5}
    prediction = {"mode": "auto", "skill": 0.62, "weight": 1.0, "comparison": comparison}
    app = {"name": "app", "prediction": prediction, "endpoints": endpoints}
    shadow = {"mode": "shadow", "skill": 0.0, "weight": 0.0, "comparison": None}
    worthless = {"name": "worthless", "prediction": shadow, "endpoints": []}
    telling = {"name": "telling", "prediction": {**shadow, "skill": 0.3, "weight": 1.0}, "endpoints": []}
    answers["GET /v1/upstreams"] = answer(200, [app, worthless, telling])
    answers["GET /v1/stores"] = answer(200, STORES)
    answers["GET /v1/words"] = answer(200, [WORD, {**WORD, **WEIGHT}])
    assert tidegate(monkeypatch, "status") == 0
    said = capsys.readouterr().out
    for part in ("up 1d 1h", "generation 7", "0.0.0.0:80", "workers"):
        assert part in said
    assert "Upstream app predicts (auto): skill 0.62, weight 1.00; off for 1m 1s" in said
    assert "Upstream telling predicts (shadow): skill 0.30, weight 1.00" in said
    assert "Upstream worthless predicts" not in said
    assert (
        "app       10.0.0.1:80  3       unhealthy  1m 1s  0          4        10        4         1.2" in said
    )
    assert "app 10.0.0.1:80 is unhealthy: 3 health checks failed" in said
    assert "app 10.0.0.2:80 gets no requests: its weight is 0" in said
    assert "Upstream app is in panic mode: too few of its endpoints are well" in said
    assert "app 10.0.0.1:80: maintenance: a new disk (by ann, " in said
    assert " ago; configured: serving)" in said
    assert "app 10.0.0.1:80: weight 3 (by ann, " in said
    assert " ago; the endpoint is absent)" in said
    assert tidegate(monkeypatch, "status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["upstreams"][0]["name"] == "app"


@pytest.mark.parametrize(
    ("command", "sent", "said"),
    [
        ("drain", {"duty": "draining"}, "draining, until"),
        ("weight {} 3 --reason slow", {"weight": 3, "reason": "slow"}, "weight 3, until"),
        ("maintenance", {"duty": "maintenance", "reason": "by the operator"}, "maintenance, until"),
        ("drain {} --end", {"duty": None}, "taken back; as configured: serving"),
        ("weight {} --end", {"weight": None}, "taken back; as configured: weight 2"),
        ("maintenance {} --end", {"duty": None}, "as configured: serving"),
    ],
)
def test_words_are_said_and_taken_back(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    sent: dict[str, Any],
    said: str,
) -> None:
    bodies = []

    def sent_to(_: Any, method: str, path: str, body: Any) -> Answer:
        assert (method, path) == ("PATCH", ENDPOINT)
        bodies.append(body)
        configured = {"weight": 2, "duty": "serving"}
        return answer(200, {"changed": True, "configured": configured, "words": []})

    monkeypatch.setattr(Connection, "send", sent_to)
    name, _, rest = command.partition(" {}")
    assert tidegate(monkeypatch, name, "app", "10.0.0.1:80", *rest.split()) == 0
    assert bodies == [sent]
    assert said in capsys.readouterr().out


def test_a_weight_is_given_or_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tidegate(monkeypatch, "weight", "app", "10.0.0.1:80") == 2
    assert tidegate(monkeypatch, "weight", "app", "10.0.0.1:80", "3", "--end") == 2


def test_events_are_a_line_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answers: dict[str, Answer]
) -> None:
    event = {"id": "1-1", "time": "2026-11-26T10:00:00Z", "kind": "committed", "generation": 7}
    answers["GET /v1/events"] = answer(200, [event])
    assert tidegate(monkeypatch, "events") == 0
    assert capsys.readouterr().out.endswith(" committed generation=7\n")
    assert tidegate(monkeypatch, "events", "--json") == 0
    assert json.loads(capsys.readouterr().out) == event


def test_routes_of_a_file_need_no_running_gateway(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], file: Path
) -> None:
    assert tidegate(monkeypatch, "routes", "--config", str(file), "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["route"] == "all"
    assert tidegate(monkeypatch, "route", "GET", "http://a/b", "-c", str(file), "-H", "X-A: b") == 0
    assert "Route all takes this request by listener web: upstream app." in capsys.readouterr().out
    assert tidegate(monkeypatch, "route", "GET", "ftp://a/b", "-c", str(file)) == 2


def test_schema_and_version_are_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tidegate(monkeypatch, "schema") == 0
    assert "listeners" in json.loads(capsys.readouterr().out)["properties"]
    assert tidegate(monkeypatch, "version") == 0
    assert capsys.readouterr().out.startswith("tidegate ")


def test_every_command_and_every_option_has_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert "None" not in reference()


def test_the_reference_page_is_up_to_date() -> None:
    assert PAGE.read_text() == reference(), "run python -m tidegate.cli.reference > docs/reference/cli.md"


def test_a_key_is_printed_once_and_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answers: dict[str, Answer]
) -> None:
    answers["POST /v1/api-keys"] = answer(201, {"key": "tg_a_b", "authenticator": "robots", "id": "a"})
    assert tidegate(monkeypatch, "key", "new", "--name", "CI") == 0
    said = capsys.readouterr()
    assert said.out == "tg_a_b\n"
    assert "of robots" in said.err


def test_a_key_of_a_file_needs_no_gateway(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "keys.yaml"
    about = [
        "--claim",
        "plan=gold",
        "--claim",
        "level=3",
        "--claim",
        'teams=["a"]',
        "--expires",
        "2027-01-31",
    ]
    arguments = ["key", "new", "--name", "CI", "--file", str(file), "--network", "192.0.2.0/24", *about]
    assert tidegate(monkeypatch, *arguments) == 0
    key = capsys.readouterr().out.strip()
    assert tidegate(monkeypatch, "key", "list", "--file", str(file), "--json") == 0
    (listed,) = json.loads(capsys.readouterr().out)
    id = key.split("_")[1]
    assert listed == {
        "id": id,
        "name": "CI",
        "subject": "CI",
        "claims": {"plan": "gold", "level": 3, "teams": ["a"]},
        "expires": "2027-01-31T00:00:00Z",
        "networks": ["192.0.2.0/24"],
    }
    assert tidegate(monkeypatch, "key", "list", "--file", str(file)) == 0
    assert "CI" in capsys.readouterr().out
    assert tidegate(monkeypatch, "key", "revoke", id, "--file", str(file)) == 0
    assert tidegate(monkeypatch, "key", "revoke", id, "--file", str(file)) == 4
    assert f"has no key {id}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--claim", "gold"], "expected a claim like plan=gold"),
        (["--expires", "soon"], "expected a time like 30d"),
        (["--network", "here"], "networks"),
        (["--authenticator", "robots"], "either --file or --authenticator"),
    ],
)
def test_a_key_that_cannot_be_meant_is_not_written(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: list[str],
    told: str,
) -> None:
    file = tmp_path / "keys.yaml"
    assert tidegate(monkeypatch, "key", "new", "--name", "CI", "--file", str(file), *arguments) == 2
    assert told in capsys.readouterr().err
    assert not file.exists()


def test_a_password_is_read_from_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "staff"
    for said in ("ann has a password\n", "ann has a new password\n"):
        monkeypatch.setattr("sys.stdin", io.StringIO("open sesame\n"))
        assert tidegate(monkeypatch, "passwd", str(file), "ann", "--stdin") == 0
        assert capsys.readouterr().out == said
    assert file.read_text().startswith("ann:$argon2id$")
    assert tidegate(monkeypatch, "passwd", str(file), "a:b", "--stdin") == 4
