"""What marks say of options, and that none is missing."""

import re
from typing import Any, get_args

import pytest
from pydantic import SecretStr

from tests.unit.config.conftest import Find, Write
from tidegate.cli.excerpt import show
from tidegate.config.load import load_data, load_file
from tidegate.config.material import NOT_INSPECTED, read_material
from tidegate.config.model import Config
from tidegate.config.model.mark import File, Identity, ReadOnce, Ref, Use
from tidegate.config.model.secret import REDACTED, Secret
from tidegate.config.model.walk import Option, marked, parts, secrets, walk
from tidegate.config.plan import build_plan
from tidegate.config.problem import ConfigError
from tidegate.config.schema import schema_text
from tidegate.config.tree import Source, planted
from tidegate.control.document import document_of, keep_secrets, redact
from tidegate.control.restart import read_once

HUSH = "hush-hush-hush-hush-hush-hush-hush"
SUGGESTIVE = re.compile(
    r"token|secret|password|passphrase|credential|salt|pin|private|bearer|"
    r"(^|_)(key|keys|signature|signing|auth|authorization)(_|$)"
)
OPTIONS = pytest.mark.parametrize("option", list(walk()), ids=lambda option: ".".join(option.path))
SECRETS = pytest.mark.parametrize("path", sorted(secrets()), ids=".".join)


BESIDE: dict[tuple[str, ...], dict[str, Any]] = {
    ("stores", "*", "valkey", "password"): {"address": "127.0.0.1:6379"},
    ("stores", "*", "valkey", "sentinel", "password"): {"addresses": ["127.0.0.1:26379"], "master": "app"},
}
"""What must be given beside the option at a path."""


def holding(path: tuple[str, ...], value: str = HUSH) -> dict[str, Any]:
    """A configuration with a value at `path`, and what a list's member must have besides."""
    data: Any = value
    for depth, step in reversed(list(enumerate(path))):
        beside = BESIDE.get(path[: depth + 1], {})
        item = {"name": "app", **data} if isinstance(data, dict) else data
        data = [item] if step == "*" else {step: data, **beside}
    assert isinstance(data, dict)
    return data


def shortest(path: tuple[str, ...]) -> int:
    """How long a secret must be."""
    field = next(option.field for option in walk() if option.path == path)
    return max((getattr(each, "min_length", 0) for each in field.metadata), default=0)


@OPTIONS
def test_an_option_that_sounds_like_a_secret_is_one(option: Option) -> None:
    kinds = [part for _, part in parts(option.field, option.path)]
    is_text = str in kinds and not any(isinstance(kind, File | Ref) for kind in kinds)
    if SUGGESTIVE.search(option.path[-1]):
        assert not is_text, "make it a Secret, a file (a path type of mark.py) or a reference (Ref)"


@OPTIONS
def test_a_secret_is_of_the_type_that_hides_it_and_has_no_default(option: Option) -> None:
    kinds = [part for _, part in parts(option.field, option.path)]
    if SecretStr in kinds:
        assert set(get_args(Secret)[1:]) <= {kind for kind in kinds if kind.__hash__}, "declare it as Secret"
        assert option.field.default in {None, ...} or option.field.is_required()


@SECRETS
def test_a_secret_is_in_no_message_listing_or_log_line(path: tuple[str, ...], write: Write) -> None:
    loaded = load_data(holding(path), write("x", "").parent)
    plan = build_plan(loaded)
    document = document_of(loaded)
    shown = (loaded, loaded.config, plan, loaded.config.model_dump(), loaded.config.model_dump_json())
    assert HUSH not in "".join(map(repr, (*shown, redact(document))))
    assert HUSH in str(document), "what is stored holds it"
    assert plan.json.count(HUSH) == (path[0] in plan.data), "what is served holds it"
    assert keep_secrets(redact(document), document) == document


@pytest.mark.parametrize(
    "path", [path for path in sorted(secrets()) if shortest(path) > len("hush")], ids=".".join
)
def test_a_wrong_secret_is_not_quoted(
    path: tuple[str, ...], write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(holding(path, "hush"))
    with pytest.raises(ConfigError) as error:
        load_file(write("tidegate.yaml", data))
    show(error.value.problems)
    told = str(error.value) + capsys.readouterr().err
    assert re.search(r"at least \d+ characters", told)
    assert "hush" not in told


def test_a_line_with_a_secret_is_not_quoted_for_another_mistake(
    problems: Find, capsys: pytest.CaptureFixture[str]
) -> None:
    show(problems("admin: {adress: x, token: hush-hush-hush-hush}\n"))
    told = capsys.readouterr().err
    assert "adress" in told
    assert "hush" not in told


def test_a_hidden_secret_that_nothing_stands_behind_is_refused(problems: Find) -> None:
    held = {"admin": {"token": HUSH}}
    assert keep_secrets({"admin": {"token": REDACTED}}, held) == held
    assert keep_secrets({"admin": {"token": REDACTED}}, {}) == {"admin": {"token": REDACTED}}
    (problem,) = problems("admin: {token: '***'}")
    assert problem.path == "admin.token"


def test_no_secret_is_in_the_schema() -> None:
    for path in secrets():
        assert f'"{path[-1]}"' in schema_text()
    assert schema_text().count('"writeOnly": true') == len(secrets())


def test_what_a_reference_names_has_an_identity() -> None:
    assert {ref.kind for ref in marked(Ref).values()} <= {
        identity.kind for identity in marked(Identity).values()
    }


def test_each_use_of_a_file_is_checked(write: Write) -> None:
    file = write("empty", "")
    for pattern, mark in marked(File).items():
        if mark.use is not Use.OUTPUT and mark.use not in NOT_INSPECTED:
            source = Source(planted(holding(pattern, str(file))))
            assert read_material(source).problems, pattern


def test_what_is_read_once_is_compared_by_its_value() -> None:
    assert set(read_once(Config())) == {".".join(path) for path in marked(ReadOnce)}
    assert {"workers", "state_dir", "log.format", "admin.address"} <= read_once(Config()).keys()
