"""Studies: what a file may say, what is wrong with it, and what the engine gets."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sim.conftest import SMALL
from tidegate.config.problem import ConfigError
from tidegate.sim.load import StudyFile
from tidegate.sim.model import Study
from tidegate.sim.scenario import Scenarios

Write = Callable[[str], StudyFile[Study]]
EXAMPLES = Path(__file__).parents[3] / "examples" / "sim"


def scenario(study: Study, seed: int = 1) -> dict[str, Any]:
    first = next(iter(study.policies))
    found: dict[str, Any] = json.loads(Scenarios(study).scenario(first, seed))
    return found


def test_servers_become_endpoints_of_an_upstream_balanced_as_the_file_says(write: Write) -> None:
    made = scenario(write(SMALL).study())
    assert [server["speed"] for server in made["servers"]] == [1, 1, 0.5]
    assert [server["workers"] for server in made["servers"]] == [4, 4, 1]
    assert len(made["upstream"]["endpoints"]) == 3
    assert made["upstream"]["balance"]["policy"] == "least_request"
    assert made["upstream"]["balance"]["choices"] == 2


@pytest.mark.parametrize("c3", ["c3", "{c3: {clients: 1}}"])
def test_c3_is_a_policy_of_the_simulator_alone(write: Write, c3: str) -> None:
    study = write(SMALL).study([("policies.only", c3)])
    made = json.loads(Scenarios(study).scenario("only", seed=1))
    assert made["c3"] == {"clients": 1}
    assert "c3" not in made["upstream"]["balance"]
    assert scenario(study)["c3"] is None


def test_gateways_predict_where_a_policy_says_so(write: Write) -> None:
    study = write(SMALL).study([("policies.only", "{policy: fastest_free, predict: {noise: 1.5}}")])
    made = json.loads(Scenarios(study).scenario("only", seed=1))
    assert (made["predict"]["noise"], made["predict"]["guarded"]) == (1.5, True)
    assert "predict" not in made["upstream"]["balance"]
    assert scenario(study)["predict"] is None


def test_each_class_has_a_path_of_its_own(write: Write) -> None:
    study = write(SMALL).study([("work.1.template", "/report/{n}")])
    assert [work["template"] for work in scenario(study)["work"]] == ["/class-0", "/report/{n}"]
    assert study.class_names() == ("class 0", "/report/{n}")


def test_a_class_may_ask_for_more_from_some_time_on(write: Write) -> None:
    study = write(SMALL).study([("work.1.dearer", "{after: 2s, factor: 100}")])
    assert [work["dearer"] for work in scenario(study)["work"]] == [None, {"after": 2 * 10**9, "factor": 100}]


def test_limits_are_those_of_an_upstream(write: Write) -> None:
    study = write(SMALL).study([("limits.queue.target", "5s")])
    assert scenario(study)["upstream"]["limits"]["queue"]["target"] == 5_000


def test_the_rate_follows_from_the_load_and_what_the_servers_can_do(write: Write) -> None:
    # 8.5 seconds of work in a second at 13 ms a request, half of it.
    rate = scenario(write(SMALL).study())["arrivals"]["poisson"]["rate"]
    assert rate == pytest.approx(0.5 * 8.5 / 0.013)


def test_an_antagonist_takes_its_share_of_what_a_server_can_do(write: Write) -> None:
    changes = [("servers.*.antagonist", "{share: 0.1, speed: 0.4}")]
    assert write(SMALL).study(changes).capacity() == pytest.approx(8.5 * 0.94)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("servers.1.speed", "2"),
        ("servers.*.speed", "2"),
        ("work.1.cv", "3"),
        ("retry.attempts", "2"),
        ("gateways", "4"),
    ],
)
def test_an_option_is_varied_wherever_it_is(write: Write, option: str, value: str) -> None:
    file = write(SMALL)
    assert file.study([(option, value)]) != file.study()


@pytest.mark.parametrize("option", ["servers.7.speed", "servers.x.speed", "load.high"])
def test_a_place_that_is_not_there_is_told(write: Write, option: str) -> None:
    with pytest.raises(ConfigError, match="no such place"):
        write(SMALL).study([(option, "1")])


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("speed: 0.5}", "speeed: 0.5}"),
        ("policy: least_request", "policy: leest_request"),
        ("cv: 0.7", "high: 4ms"),
        ("mean: 4ms", "mean: 4ms, most: 8ms"),
        ("mean: 4ms", "mean: 4 parsecs"),
        ("load: 0.5", "load: 0.5\nrate: 3"),
    ],
)
def test_a_mistake_is_told_with_its_line(write: Write, wrong: str, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        write(SMALL.replace(wrong, told)).study()
    assert all(problem.line for problem in refused.value.problems)


def test_a_misspelt_option_is_told_with_the_nearest_one(write: Write) -> None:
    with pytest.raises(ConfigError) as refused:
        write(SMALL.replace("speed: 0.5}", "speeed: 0.5}")).study()
    (problem,) = refused.value.problems
    assert (problem.path, problem.line, problem.hint) == ("servers.1.speeed", 3, "did you mean speed?")


def test_times_are_nanoseconds_and_bare_numbers_milliseconds(write: Write) -> None:
    study = write(SMALL + "network: 250us\nwarmup: 1.5s\nretry: {backoff: 3}\n").study()
    assert (study.network.mean, study.warmup, study.retry.backoff) == (250_000, 1_500_000_000, 3_000_000)


def test_a_phase_is_written_with_the_words_that_the_engine_knows(write: Write) -> None:
    changes = [("servers.1.phases", "[{from: 5s, until: 9s, speed: 0.1, errors: 0.5}]")]
    (phase,) = scenario(write(SMALL).study(changes))["servers"][2]["phases"]
    assert phase["from"] == 5_000_000_000
    assert phase["errors"] == 0.5


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda file: file.name)
def test_an_example_is_a_study(file: Path) -> None:
    assert StudyFile(file, Study).study().policies
